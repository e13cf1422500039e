//! Connecting and running commands, on real OpenSSH servers and on things that only look like one.

mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use p2ppool_model::{Cause, Outcome};
use p2ppool_remote::testing::{HostKeyKind, Sshd, SshdOptions};
use p2ppool_remote::{
    Auth, Deadlines, Executed, Exit, HostError, Jump, Ssh, SshSettings, Target, authorize, check_key, exec,
    fingerprint, generate_key, withdraw,
};
use support::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn run(target: &Target, command: &str) -> Result<Executed, HostError> {
    exec(&Ssh::default(), target, command, &Deadlines::default(), Duration::from_secs(30)).await
}

fn server(options: SshdOptions) -> Sshd {
    Sshd::start(options).unwrap()
}

/// A target for something that isn't the fixture.
fn target_at(address: std::net::SocketAddr) -> Target {
    let auth = Arc::new(Auth::key(&generate_key().unwrap().private, None).unwrap());
    Target {
        address: address.ip().to_string(),
        port: address.port(),
        user: "nobody".into(),
        auth,
        ..Target::local("", "/x")
    }
}

#[tokio::test]
async fn a_command_runs_with_its_status_and_output() {
    let sshd = server(SshdOptions::default());
    let done = run(&sshd.target(0), "echo out; echo err >&2; exit 3").await.unwrap();
    assert_eq!(done.exit, Exit::Status(3));
    assert_eq!((done.stdout.text().as_str(), done.stderr.text().as_str()), ("out\n", "err\n"));
    let done = run(&sshd.target(0), "kill -TERM $$").await.unwrap();
    assert!(matches!(done.exit, Exit::Signal(_)), "{:?}", done.exit);
}

#[tokio::test]
async fn the_home_of_the_fixture_is_its_own() {
    let sshd = server(SshdOptions::default());
    let done = run(&sshd.target(0), "printf %s \"$HOME\"").await.unwrap();
    assert_eq!(done.stdout.text(), sshd.home().to_string_lossy());
}

#[tokio::test]
async fn a_first_contact_is_reported_and_then_pinned() {
    let sshd = server(SshdOptions::default());
    let first = run(&sshd.target(0), "true").await.unwrap().first_contact.unwrap();
    assert_eq!(first.public_key, sshd.host_key(HostKeyKind::Ed25519).unwrap());
    assert_eq!(first.fingerprint, fingerprint(&first.public_key).unwrap());
    let pinned = Target { pinned: Some(first.public_key), ..sshd.target(0) };
    assert!(run(&pinned, "true").await.unwrap().first_contact.is_none());
}

#[tokio::test]
async fn a_changed_host_key_is_refused_with_both_fingerprints() {
    let mut sshd = server(SshdOptions::default());
    let old = sshd.host_key(HostKeyKind::Ed25519).unwrap();
    sshd.change_host_keys().unwrap();
    let new = sshd.host_key(HostKeyKind::Ed25519).unwrap();
    let witness = sshd.folder().join("witness");
    let target = Target { pinned: Some(old.clone()), ..sshd.target(0) };
    let error = run(&target, &format!("touch {}", witness.display())).await.unwrap_err();
    assert_eq!((error.cause, error.outcome()), (Cause::HostKeyChanged, Outcome::Refused));
    assert!(error.message.contains(&fingerprint(&old).unwrap()), "{error}");
    assert!(error.message.contains(&fingerprint(&new).unwrap()), "{error}");
    assert_eq!(error.presented.unwrap().public_key, new);
    assert!(!witness.exists());
    // trusting the new one is enough
    run(&Target { pinned: Some(new), ..sshd.target(0) }, "true").await.unwrap();
}

#[tokio::test]
async fn of_several_host_keys_the_pinned_one_is_asked_for() {
    let host_keys = vec![HostKeyKind::Ed25519, HostKeyKind::Ecdsa, HostKeyKind::Rsa];
    let sshd = server(SshdOptions { host_keys: host_keys.clone(), ..SshdOptions::default() });
    for kind in host_keys {
        let target = Target { pinned: Some(sshd.host_key(kind).unwrap()), ..sshd.target(0) };
        assert!(run(&target, "true").await.unwrap().is_success(), "{kind:?}");
    }
}

#[tokio::test]
async fn keys_of_every_kind_are_accepted() {
    let sshd = server(SshdOptions::default());
    for kind in [
        &["-t", "ed25519"][..],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let made = Command::new("ssh-keygen").args(["-q", "-N", "open sesame", "-f"]).arg(&file).args(kind).status();
        assert!(made.unwrap().success());
        let text = std::fs::read_to_string(&file).unwrap();
        let info = check_key(&text, Some("open sesame")).unwrap();
        assert!(info.encrypted, "{kind:?}");
        let line = Command::new("ssh-keygen").arg("-lf").arg(&file).output().unwrap().stdout;
        assert!(String::from_utf8_lossy(&line).contains(&info.fingerprint), "{kind:?}");
        sshd.authorize(&info.public_key).unwrap();
        let auth = Arc::new(Auth::key(&text, Some("open sesame")).unwrap());
        let target = Target { auth, ..sshd.target(0) };
        assert!(run(&target, "true").await.unwrap().is_success(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_accepted_where_its_key_alone_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, user) = (folder.path().join("ca"), folder.path().join("user"));
    for file in [&ca, &user] {
        let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", "ed25519", "-f"]).arg(file).status();
        assert!(made.unwrap().success());
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let sshd = server(SshdOptions { trusted_ca: Some(read("ca.pub")), ..SshdOptions::default() });
    let signed =
        Command::new("ssh-keygen").args(["-q", "-I", "test", "-n", sshd.user(), "-s"]).arg(&ca).arg(&user).status();
    assert!(signed.unwrap().success());
    let alone = Target { auth: Arc::new(Auth::key(&read("user"), None).unwrap()), ..sshd.target(0) };
    assert_eq!(run(&alone, "true").await.unwrap_err().cause, Cause::AuthenticationRejected);
    let auth = Auth::certificate(&read("user"), None, &read("user-cert.pub")).unwrap();
    let target = Target { auth: Arc::new(auth), ..sshd.target(0) };
    assert!(run(&target, "true").await.unwrap().is_success());
    let other = generate_key().unwrap();
    let error = Auth::certificate(&other.private, None, &read("user-cert.pub")).unwrap_err();
    assert_eq!(error.to_string(), "the certificate was made for another key");
}

#[tokio::test]
async fn an_agents_key_is_accepted() {
    let sshd = server(SshdOptions::default());
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent");
    let mut agent =
        Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(std::process::Stdio::null()).spawn().unwrap();
    until("the agent listens", || socket.exists()).await;
    let target = Target { auth: Arc::new(Auth::agent(&socket)), ..sshd.target(0) };
    let empty = run(&target, "true").await.unwrap_err();
    assert_eq!(empty.cause, Cause::AuthenticationRejected);
    assert!(empty.message.contains("has no key"), "{empty}");
    let key = folder.path().join("key");
    std::fs::write(&key, sshd.private_key()).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let added = Command::new("ssh-add").arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket).status().unwrap();
    assert!(added.success());
    assert!(run(&target, "true").await.unwrap().is_success());
    agent.kill().unwrap();
    agent.wait().unwrap();
    let gone = run(&target, "true").await.unwrap_err();
    assert!(gone.message.contains("ask the agent"), "{gone}");
}

#[tokio::test]
async fn a_rejected_key_names_user_and_fingerprint() {
    let sshd = server(SshdOptions::default());
    let key = generate_key().unwrap();
    let target = Target { auth: Arc::new(Auth::key(&key.private, None).unwrap()), ..sshd.target(0) };
    let error = run(&target, "true").await.unwrap_err();
    assert_eq!((error.cause, error.outcome()), (Cause::AuthenticationRejected, Outcome::Refused));
    assert!(error.message.contains(&format!("user `{}`", sshd.user())), "{error}");
    assert!(error.message.contains(&key.info.fingerprint), "{error}");
    assert!(error.presented.is_some());
}

#[tokio::test]
async fn nobody_listening_is_refused_and_an_unknown_name_is_not_found() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let error = run(&target_at(closed), "true").await.unwrap_err();
    assert_eq!((error.cause, error.outcome()), (Cause::ConnectionRefused, Outcome::Unreachable));
    let unknown = Target { address: "no-such-host.invalid".into(), ..target_at(closed) };
    let error = run(&unknown, "true").await.unwrap_err();
    assert_eq!(error.cause, Cause::NameNotFound, "{error}");
}

#[tokio::test]
async fn a_silent_server_ends_at_the_deadline_and_is_left() {
    for banner in ["", "SSH-2.0-Silent\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target_at(listener.local_addr().unwrap());
        let accepted = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(banner.as_bytes()).await.unwrap();
            // ends when the client leaves
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await
        });
        let deadlines = Deadlines { connect: Duration::from_millis(400), ..Deadlines::default() };
        let began = Instant::now();
        let error = exec(&Ssh::default(), &target, "true", &deadlines, Duration::from_secs(9)).await.unwrap_err();
        assert_eq!((error.cause, error.outcome()), (Cause::HandshakeTimeout, Outcome::Unreachable), "{error}");
        assert!(began.elapsed() < Duration::from_secs(3));
        let left = tokio::time::timeout(Duration::from_secs(5), accepted).await;
        assert!(left.is_ok(), "the connection is still open after the deadline (banner {banner:?})");
    }
}

#[tokio::test]
async fn something_else_than_ssh_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target_at(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    });
    let error = run(&target, "true").await.unwrap_err();
    assert_eq!(error.cause, Cause::ProtocolError);
    assert!(error.message.contains("HTTP/1.1 400"), "{error}");
}

#[tokio::test]
async fn a_connection_closed_before_log_in_is_tried_again() {
    let sshd = server(SshdOptions::default());
    let real = std::net::SocketAddr::from((sshd.address(0), sshd.port()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for _ in 0..2 {
            drop(listener.accept().await.unwrap());
        }
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = tokio::net::TcpStream::connect(real).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    let target = Target { address: at.ip().to_string(), port: at.port(), ..sshd.target(0) };
    assert!(run(&target, "true").await.unwrap().is_success());
}

#[tokio::test]
async fn a_server_that_always_closes_is_given_up_after_some_attempts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target_at(listener.local_addr().unwrap());
    let accepts = tokio::spawn(async move {
        for n in 0.. {
            if tokio::time::timeout(Duration::from_secs(3), listener.accept()).await.is_err() {
                return n;
            }
        }
        unreachable!()
    });
    let transport = Ssh::new(SshSettings { attempts: 3, ..SshSettings::default() });
    let deadlines = Deadlines::default();
    let error = exec(&transport, &target, "true", &deadlines, Duration::from_secs(9)).await.unwrap_err();
    assert_eq!(error.cause, Cause::HandshakeTimeout);
    assert!(error.message.ends_with("(3 attempts)"), "{error}");
    assert_eq!(accepts.await.unwrap(), 3);
}

#[tokio::test]
async fn a_missing_exit_status_is_no_success() {
    let sshd = server(SshdOptions::default());
    let real = std::net::SocketAddr::from((sshd.address(0), sshd.port()));
    let marker = sshd.folder().join("started");
    let (at, proxy) = support::cutting_proxy(real, usize::MAX).await;
    let target = Target { address: at.ip().to_string(), port: at.port(), ..sshd.target(0) };
    let command = format!("touch {}; sleep 600", marker.display());
    let running = tokio::spawn(async move { run(&target, &command).await });
    until("the command runs", || marker.exists()).await;
    proxy.abort();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.cause, Cause::ConnectionLost, "{error}");
}

#[tokio::test]
async fn a_jump_host_carries_the_connection_and_its_key_is_checked() {
    let sshd = server(SshdOptions { hosts: 2, ..SshdOptions::default() });
    let pinned = Some(sshd.host_key(HostKeyKind::Ed25519).unwrap());
    let jump = Arc::new(Jump::new(Target { pinned: pinned.clone(), ..sshd.target(0) }));
    let target = Target { jump: Some(jump), pinned, ..sshd.target(1) };
    let done = run(&target, "echo $SSH_CONNECTION").await.unwrap();
    let words = done.stdout.text();
    assert!(words.contains(&sshd.address(1).to_string()), "{words}");
    let wrong = Target { pinned: Some(generate_key().unwrap().info.public_key), ..sshd.target(0) };
    let error = run(&Target { jump: Some(Arc::new(Jump::new(wrong))), ..target.clone() }, "true").await.unwrap_err();
    assert_eq!(error.cause, Cause::HostKeyChanged);
    let closed = Target { port: 1, ..target };
    let error = run(&closed, "true").await.unwrap_err();
    assert_eq!(error.cause, Cause::ConnectionRefused, "{error}");
}

#[tokio::test]
async fn handshakes_through_a_jump_host_stay_below_its_limit() {
    let sshd = server(SshdOptions { hosts: 2, max_startups: "10:100:10".into(), ..SshdOptions::default() });
    let jump = Arc::new(Jump::new(sshd.target(0)));
    let runs = (0..24).map(|_| {
        let target = Target { jump: Some(jump.clone()), ..sshd.target(1) };
        async move { run(&target, "true").await }
    });
    for result in futures::future::join_all(runs).await {
        assert!(result.unwrap().is_success());
    }
}

#[tokio::test]
async fn a_late_command_is_ended_on_the_host() {
    let sshd = server(SshdOptions::default());
    let target = sshd.target(0);
    let error = exec(&Ssh::default(), &target, "sleep 600", &Deadlines::default(), Duration::from_millis(300)).await;
    assert_eq!(error.unwrap_err().cause, Cause::StepTimeout);
    until("the command has ended", || sshd.processes().is_empty()).await;
}

/// The text of a new key's line in `authorized_keys`.
fn new_line() -> String {
    generate_key().unwrap().info.public_key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_exchanged_with_its_options_and_nothing_else_changes() {
    let sshd = server(SshdOptions::default());
    let file = sshd.own_authorized_keys().unwrap();
    let (ssh, deadlines) = (Ssh::default(), Deadlines::default());
    let (target, old, new, other) = (sshd.target(0), new_line(), new_line(), new_line());
    let ours = std::fs::read_to_string(&file).unwrap();
    let options = "from=\"127.0.0.0/8,::1\",no-pty ";
    // the last line has no end
    std::fs::write(&file, format!("{ours}# a remark: {old}\n{options}{old} an old one\n{other} somebody")).unwrap();

    let error = withdraw(&ssh, &target, &deadlines, &old, &new).await.unwrap_err();
    assert!(error.message.contains("the new key is not in"), "{}", error.message);
    let error = withdraw(&ssh, &target, &deadlines, &other, &other).await.unwrap_err();
    assert!(error.message.contains("the old key is the new one"), "{}", error.message);
    assert!(authorize(&ssh, &target, &deadlines, &old, &new).await.unwrap());
    assert!(!authorize(&ssh, &target, &deadlines, &old, &new).await.unwrap(), "it is there already");
    assert!(withdraw(&ssh, &target, &deadlines, &old, &new).await.unwrap());
    assert!(!withdraw(&ssh, &target, &deadlines, &old, &new).await.unwrap(), "it is gone already");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, format!("{ours}{other} somebody\n{options}{new}\n"));
    assert!(file.is_symlink(), "a link stays one");
    let left: Vec<_> = std::fs::read_dir(sshd.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("p2ppool")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanges_of_several_keys_at_once_lose_none() {
    const KEYS: usize = 8;
    let sshd = server(SshdOptions::default());
    let file = sshd.own_authorized_keys().unwrap();
    // left by one that died: its process is no more
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let name = Command::new("uname").arg("-n").output().unwrap().stdout;
    let holder = format!("{}@{}", gone.id(), String::from_utf8_lossy(&name).trim());
    std::os::unix::fs::symlink(holder, sshd.folder().join("authorized_keys.p2ppool.lock")).unwrap();
    let exchange = |target: Target| async move {
        let (ssh, deadlines) = (Ssh::default(), Deadlines::default());
        let (old, new) = (new_line(), new_line());
        authorize(&ssh, &target, &deadlines, &old, &old.clone()).await.unwrap_err();
        authorize(&ssh, &target, &deadlines, &new, &old).await.unwrap();
        authorize(&ssh, &target, &deadlines, &old, &new).await.unwrap();
        withdraw(&ssh, &target, &deadlines, &old, &new).await.unwrap();
        (old, new)
    };
    let mut keys = vec![exchange(sshd.target(0)).await];
    keys.extend(futures::future::join_all((1..KEYS).map(|_| exchange(sshd.target(0)))).await);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), KEYS + 1, "{text}");
    for (old, new) in keys {
        assert!(text.contains(&new) && !text.contains(&old), "{text}");
    }
}
