//! The session's side of the protocol, against a small script run by the local `sh`.

use std::time::Duration;

use p2ppool_model::{Cause, Digest, Step};
use p2ppool_remote::{Deadlines, HostError, HostSession, Local, NodeState, Package, Target};

const SCRIPT: &str = include_str!("scripts/small.sh");

async fn open_with(deadlines: &Deadlines, script: &str) -> Result<HostSession, HostError> {
    HostSession::open_script(&Local, &Target::local("here", "/nowhere"), deadlines, script).await
}

async fn open() -> HostSession {
    open_with(&Deadlines::default(), SCRIPT).await.unwrap()
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test]
async fn a_session_asks_uploads_fetches_and_leaves() {
    let mut session = open().await;
    assert_eq!(session.hello().user, "u");
    assert_eq!(session.status().await.unwrap().state, NodeState::None);
    let package = Package::new(vec![7; 3_000_000]);
    assert!(!session.receive(&package).await.unwrap().unchanged);
    let mut sink = Vec::new();
    assert_eq!(session.logs(100, &mut sink).await.unwrap().size, 5);
    assert_eq!(sink, b"12345");
    let pid = session.hello().pid;
    session.close().await.unwrap();
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_refused_step_leaves_the_session_usable() {
    let mut session = open().await;
    let mut wrong = Package::new(vec![1; 200_000]);
    wrong.digest = Digest::of(b"another");
    let error = session.receive(&wrong).await.unwrap_err();
    assert_eq!((error.cause, error.step), (Cause::DigestMismatch, Step::Receive));
    assert_eq!(error.message, "receive on here: not what was sent");
    session.status().await.unwrap();
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_an_upload_leaves_the_session_usable() {
    let mut session = open().await;
    let error = session.configure("host.toml", &[1; 2_000_000]).await.unwrap_err();
    assert_eq!(error.cause, Cause::DiskFull);
    session.status().await.unwrap();
    session.close().await.unwrap();
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_breaks_the_session() {
    let mut session = open().await;
    let error = session.activate(&Digest::of(b"")).await.unwrap_err();
    assert_eq!(error.cause, Cause::BadAnswer);
    assert!(error.message.contains("maybe"), "{error}");
    assert_eq!(session.status().await.unwrap_err().cause, Cause::ConnectionLost);
}

#[tokio::test]
async fn a_line_without_end_is_a_bad_answer() {
    let mut session = open().await;
    let error = session.start().await.unwrap_err();
    assert_eq!(error.cause, Cause::BadAnswer);
    assert!(error.message.len() < 400, "{error}");
}

#[tokio::test]
async fn more_than_was_asked_for_is_not_taken() {
    let mut session = open().await;
    let mut sink = Vec::new();
    let error = session.logs(4, &mut sink).await.unwrap_err();
    assert_eq!(error.cause, Cause::BadAnswer);
    assert!(sink.is_empty());
}

#[tokio::test]
async fn a_payload_cut_short_is_an_error() {
    let mut session = open().await;
    let error = session.data("*.db", 1000, &mut Vec::new()).await.unwrap_err();
    assert!(error.message.ends_with("(495 of 500 bytes are missing)"), "{error}");
}

#[tokio::test]
async fn a_late_step_ends_with_its_output_and_no_process() {
    let deadlines = Deadlines { stop: Duration::from_millis(300), ..Deadlines::default() };
    let mut session = open_with(&deadlines, SCRIPT).await.unwrap();
    let pid = session.hello().pid;
    let error = session.stop().await.unwrap_err();
    assert_eq!(error.cause, Cause::StepTimeout);
    assert!(error.message.ends_with("remote output: chatter"), "{error}");
    session.abort().await;
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_killed_script_is_told_by_its_signal() {
    let mut session = open().await;
    let error = session.remove().await.unwrap_err();
    assert_eq!((error.cause, error.step), (Cause::BadAnswer, Step::Remove));
    assert!(error.message.contains("signal 9"), "{error}");
}

#[tokio::test]
async fn a_dropped_session_leaves_no_process() {
    let mut session = open().await;
    let pid = session.hello().pid;
    let step = tokio::time::timeout(Duration::from_millis(100), session.stop()).await;
    assert!(step.is_err() && session.is_broken());
    drop(session);
    let gone = async {
        while is_alive(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
}

#[tokio::test]
async fn noise_before_the_hello_is_skipped() {
    let noisy = format!("echo Welcome; printf 'a line without end'\n{SCRIPT}");
    open_with(&Deadlines::default(), &noisy).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn endless_noise_is_given_up() {
    let error = open_with(&Deadlines::default(), "yes noise").await.unwrap_err();
    assert_eq!(error.cause, Cause::NoHostScript);
    assert!(error.message.contains("more than 65536 bytes"), "{error}");
}

#[tokio::test]
async fn a_shell_that_ends_is_told_with_its_status_and_output() {
    let error = open_with(&Deadlines::default(), "echo nologin; echo sorry >&2; exit 3").await.unwrap_err();
    assert_eq!(error.cause, Cause::NoHostScript);
    assert!(error.message.contains("exit status 3; it printed `nologin`"), "{error}");
    assert!(error.message.contains("remote output: sorry"), "{error}");
}

#[tokio::test]
async fn a_script_that_never_says_hello_is_given_up() {
    let deadlines = Deadlines { hello: Duration::from_millis(200), ..Deadlines::default() };
    let error = open_with(&deadlines, "sleep 600").await.unwrap_err();
    assert_eq!(error.cause, Cause::NoHostScript);
}

#[tokio::test]
async fn a_plain_command_has_status_and_bounded_output() {
    let target = Target::local("here", "/nowhere");
    let within = Duration::from_secs(20);
    let command = "echo out; echo err >&2; head -c 1000000 /dev/zero; exit 7";
    let deadlines = Deadlines::default();
    let done = p2ppool_remote::exec(&Local, &target, command, &deadlines, within).await.unwrap();
    assert_eq!(done.exit, p2ppool_remote::Exit::Status(7));
    assert_eq!(done.stderr.text(), "err\n");
    assert!(!done.is_success() && done.stdout.text().contains("bytes before this were dropped"));
    let late = p2ppool_remote::exec(&Local, &target, "sleep 600", &deadlines, Duration::from_millis(100));
    assert_eq!(late.await.unwrap_err().cause, Cause::StepTimeout);
}
