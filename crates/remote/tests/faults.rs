//! What goes wrong on real hosts: each fault has its own cause, and nothing half is left.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use p2ppool_model::{Cause, Step};
use p2ppool_remote::testing::{Sshd, SshdOptions};
use p2ppool_remote::{Deadlines, HostError, HostSession, NodeState, Ssh, Target};
use support::{cutting_proxy, package, until};

async fn open(target: &Target) -> Result<HostSession, HostError> {
    HostSession::open(&Ssh::default(), target, &Deadlines::default()).await
}

fn server(options: SshdOptions) -> Sshd {
    Sshd::start(options).unwrap()
}

fn with_bashrc(bashrc: &str) -> Sshd {
    server(SshdOptions { bashrc: bashrc.into(), ..SshdOptions::default() })
}

/// The start-up file is only run for users whose login shell is bash.
fn runs_bashrc(sshd: &Sshd) -> bool {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let account = accounts.lines().find(|line| line.split(':').next() == Some(sshd.user()));
    account.is_some_and(|line| line.ends_with("/bash"))
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_an_upload_leaves_nothing_half() {
    let sshd = server(SshdOptions::default());
    let real = SocketAddr::from((sshd.address(0), sshd.port()));
    let package = package(2_000_000);
    let (at, _proxy) = cutting_proxy(real, 600_000).await;
    let through = Target { address: at.ip().to_string(), port: at.port(), ..sshd.target(0) };
    let mut session = open(&through).await.unwrap();
    let error = session.receive(&package).await.unwrap_err();
    assert_eq!((error.cause, error.step), (Cause::ConnectionLost, Step::Receive), "{error}");
    drop(session);
    until("the cut session has ended", || sshd.processes().is_empty()).await;

    let mut session = open(&sshd.target(0)).await.unwrap();
    assert!(session.status().await.unwrap().installed.is_empty());
    assert!(!session.receive(&package).await.unwrap().unchanged);
    assert_eq!(session.status().await.unwrap().installed, std::slice::from_ref(&package.digest));
    session.close().await.unwrap();
    let releases = std::fs::read_dir(sshd.install_path(0).join("releases")).unwrap();
    let names: Vec<_> = releases.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, [package.digest.as_str()]);
}

#[tokio::test]
async fn a_noisy_start_up_file_is_skipped() {
    let sshd = with_bashrc("echo '*** WELCOME ***'; head -c 20000 /dev/zero | tr '\\0' x; printf 'no line break'");
    let mut session = open(&sshd.target(0)).await.unwrap();
    assert_eq!(session.status().await.unwrap().state, NodeState::None);
    session.receive(&package(100_000)).await.unwrap();
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_slow_start_up_file_is_paid_once_per_session() {
    let sshd = with_bashrc("echo run >> ~/runs; sleep 0.5");
    if !runs_bashrc(&sshd) {
        return;
    }
    let runs = || std::fs::read_to_string(sshd.home().join("runs")).unwrap_or_default().lines().count();
    let before = runs();
    let mut session = open(&sshd.target(0)).await.unwrap();
    session.receive(&package(1000)).await.unwrap();
    for _ in 0..5 {
        session.status().await.unwrap();
    }
    session.close().await.unwrap();
    assert_eq!(runs() - before, 1);
}

#[tokio::test]
async fn a_start_up_file_that_hangs_is_given_up_and_named() {
    let sshd = with_bashrc("echo waiting for the licence server >&2; sleep 600");
    if !runs_bashrc(&sshd) {
        return;
    }
    let deadlines = Deadlines { hello: Duration::from_secs(2), ..Deadlines::default() };
    let began = Instant::now();
    let error = HostSession::open(&Ssh::default(), &sshd.target(0), &deadlines).await.unwrap_err();
    assert_eq!((error.cause, error.step), (Cause::NoHostScript, Step::Connect));
    assert!(error.message.contains("waiting for the licence server"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn a_shell_that_refuses_is_named_with_what_it_said() {
    let force_command = Some("echo This account is currently not available.; exit 1".to_owned());
    let sshd = server(SshdOptions { force_command, ..SshdOptions::default() });
    let error = open(&sshd.target(0)).await.unwrap_err();
    assert_eq!(error.cause, Cause::NoHostScript);
    assert!(error.message.contains("exit status 1; it printed `This account is currently"), "{error}");
    assert!(error.presented.is_some());
}

#[tokio::test]
async fn a_server_without_commands_is_named() {
    let sshd = server(SshdOptions { config: "MaxSessions 0\n".into(), ..SshdOptions::default() });
    let error = open(&sshd.target(0)).await.unwrap_err();
    assert_eq!(error.cause, Cause::NoHostScript, "{error}");
}

#[tokio::test]
async fn a_file_that_can_not_be_written_is_named_and_the_host_is_as_before() {
    // a size limit on files fails a write as a full disk does, without being root
    let sshd = with_bashrc("trap '' XFSZ; ulimit -f 200");
    if !runs_bashrc(&sshd) {
        return;
    }
    let mut session = open(&sshd.target(0)).await.unwrap();
    let error = session.receive(&package(3_000_000)).await.unwrap_err();
    assert_eq!(error.step, Step::Receive, "{error}");
    assert!(!session.is_broken(), "{error}");
    assert!(session.status().await.unwrap().installed.is_empty());
    session.receive(&package(1000)).await.unwrap();
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_full_file_system_is_named_as_full() {
    let sshd = server(SshdOptions::default());
    let Some(disk) = SmallDisk::mount(&sshd) else { return };
    let target = Target { install_path: disk.0.join("p2p").to_string_lossy().into_owned(), ..sshd.target(0) };
    let mut session = open(&target).await.unwrap();
    let error = session.receive(&package(3_000_000)).await.unwrap_err();
    assert_eq!((error.cause, error.step), (Cause::DiskFull, Step::Receive), "{error}");
    assert!(session.status().await.unwrap().installed.is_empty());
    session.receive(&package(1000)).await.unwrap();
    session.remove().await.unwrap();
    session.close().await.unwrap();
}

/// A file system of one megabyte; only root can mount it.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(sshd: &Sshd) -> Option<Self> {
        let at = sshd.folder().join("disk");
        std::fs::create_dir(&at).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(&at)
            .output()
            .is_ok_and(|out| out.status.success());
        mounted.then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_session_dropped_in_a_step_ends_its_processes_on_the_host() {
    let sshd = server(SshdOptions::default());
    let script = include_str!("scripts/small.sh");
    let target = sshd.target(0);
    let mut session = HostSession::open_script(&Ssh::default(), &target, &Deadlines::default(), script).await.unwrap();
    let pid = session.hello().pid;
    // `stop` of the small script sleeps for minutes
    let step = tokio::time::timeout(Duration::from_millis(300), session.stop()).await;
    assert!(step.is_err() && session.is_broken());
    assert!(sshd.processes().contains(&pid));
    drop(session);
    until("script and sleep have ended", || sshd.processes().is_empty()).await;
}

#[tokio::test]
async fn an_upload_that_is_dropped_in_the_middle_leaves_nothing_half() {
    let sshd = server(SshdOptions::default());
    let target = sshd.target(0);
    let package = package(20_000_000);
    let mut session = open(&target).await.unwrap();
    let part = sshd.install_path(0).join("releases");
    {
        let upload = session.receive(&package);
        tokio::pin!(upload);
        let begun = until("the upload has begun", || part.exists());
        tokio::select! {
            done = &mut upload => panic!("too fast: {done:?}"),
            () = begun => {}
        }
    }
    session.abort().await;
    until("no process is left", || sshd.processes().is_empty()).await;
    let mut session = open(&target).await.unwrap();
    assert!(session.status().await.unwrap().installed.is_empty());
    session.remove().await.unwrap();
    session.close().await.unwrap();
    assert!(!sshd.install_path(0).exists());
}
