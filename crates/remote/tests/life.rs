//! The whole life of twenty hosts on real OpenSSH servers, with the real host script.

mod support;

use std::sync::Arc;

use p2ppool_remote::testing::{HostKeyKind, Sshd};
use p2ppool_remote::{Deadlines, FanOut, HostError, HostSession, NodeState, Ssh, Target};
use support::{package, until};
use tokio_util::sync::CancellationToken;

const HOSTS: usize = 20;

/// Runs one step on every host and returns what they answered.
async fn on_all<T, F>(
    fan_out: &FanOut,
    targets: &[Target],
    work: impl Fn(HostSession) -> F + Clone + Send + Sync + 'static,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, HostError>> + Send + 'static,
{
    let transport = Arc::new(Ssh::default());
    let mut results = fan_out.run(targets.to_vec(), CancellationToken::new(), move |target, mut slots| {
        let (transport, work) = (transport.clone(), work.clone());
        async move {
            let session = HostSession::open(&*transport, &target, &Deadlines::default()).await?;
            slots.connected().await;
            work(session).await
        }
    });
    let mut answers = Vec::new();
    while let Some(finished) = results.next().await {
        answers.push(finished.result.unwrap().unwrap());
    }
    assert_eq!(answers.len(), targets.len());
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_hosts_are_installed_started_looked_at_and_removed() {
    let sshd = Sshd::with_hosts(HOSTS).unwrap();
    let pinned = Some(sshd.host_key(HostKeyKind::Ed25519).unwrap());
    let targets: Vec<_> = (0..HOSTS).map(|n| Target { pinned: pinned.clone(), ..sshd.target(n) }).collect();
    let fan_out = FanOut::default();
    let package = package(300_000);

    let first = package.clone();
    let installed = on_all(&fan_out, &targets, move |mut session| {
        let package = first.clone();
        async move {
            assert_eq!(session.status().await?.state, NodeState::None);
            let received = session.receive(&package).await?;
            let configured = session.configure("host.toml", b"tag = \"one\"\n").await?;
            let activated = session.activate(&package.digest).await?;
            let started = session.start().await?;
            session.close().await?;
            Ok((received.unchanged, configured.changed, activated.changed, started.changed))
        }
    })
    .await;
    assert_eq!(installed, [(false, true, true, true); HOSTS]);

    let second = package.clone();
    let pids = on_all(&fan_out, &targets, move |mut session| {
        let package = second.clone();
        async move {
            let status = session.status().await?;
            assert_eq!((status.state, status.current.as_ref()), (NodeState::Running, Some(&package.digest)));
            assert_eq!(status.peer_id(), Some("12D3KooWtest"));
            assert!(session.receive(&package).await?.unchanged);
            assert!(!session.configure("host.toml", b"tag = \"one\"\n").await?.changed);
            assert!(!session.start().await?.changed);
            let usage = session.usage().await?;
            assert!(usage.memory_total > usage.memory_available && usage.node.is_some(), "{usage:?}");
            let mut logs = Vec::new();
            assert!(session.logs(1 << 20, &mut logs).await?.size > 0);
            assert!(logs.starts_with(&[0x1f, 0x8b]));
            session.close().await?;
            Ok(status.pid.unwrap())
        }
    })
    .await;
    assert!(pids.iter().all(|pid| sshd.processes().contains(pid)));

    on_all(&fan_out, &targets, |mut session| async move {
        assert!(session.stop().await?.changed);
        assert_eq!(session.status().await?.state, NodeState::Stopped);
        assert!(session.remove().await?.changed);
        assert!(!session.remove().await?.changed);
        session.close().await
    })
    .await;
    let left: Vec<_> = (0..HOSTS).filter(|n| sshd.install_path(*n).exists()).collect();
    assert_eq!(left, Vec::<usize>::new());
    until("no process of a host is left", || sshd.processes().is_empty()).await;
}
