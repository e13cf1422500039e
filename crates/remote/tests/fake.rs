//! The fake hosts behave as the real ones do, and ten thousand of them fit into one run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use p2ppool_model::{Cause, Step};
use p2ppool_remote::testing::{Fake, FakeHost};
use p2ppool_remote::{Deadlines, FanOut, HostError, HostSession, Limits, NodeState, Package, Target};
use tokio_util::sync::CancellationToken;

async fn open(fake: &Fake) -> Result<HostSession, HostError> {
    HostSession::open(fake, &Target::local("h", "/x"), &Deadlines::default()).await
}

fn with(host: FakeHost) -> Fake {
    Fake::new(move |_| host.clone())
}

#[tokio::test]
async fn a_fake_host_lives_a_whole_life() {
    let fake = Fake::default();
    let package = Package::new(vec![9; 100_000]);
    let mut session = open(&fake).await.unwrap();
    assert_eq!(session.status().await.unwrap().state, NodeState::None);
    assert!(!session.receive(&package).await.unwrap().unchanged);
    assert!(session.receive(&package).await.unwrap().unchanged);
    assert!(session.configure("host.toml", b"a = 1\n").await.unwrap().changed);
    assert!(!session.configure("host.toml", b"a = 1\n").await.unwrap().changed);
    assert!(session.activate(&package.digest).await.unwrap().changed);
    assert!(session.start().await.unwrap().changed);
    assert!(!session.start().await.unwrap().changed);
    assert_eq!(session.status().await.unwrap().package, Some(package.digest.clone()));
    assert_eq!(session.logs(10, &mut Vec::new()).await.unwrap().size, 4);
    session.usage().await.unwrap();
    assert!(session.restart().await.unwrap().changed);
    assert!(session.stop().await.unwrap().changed);
    assert!(session.remove().await.unwrap().changed);
    assert!(!session.remove().await.unwrap().changed);
    session.close().await.unwrap();
    assert_eq!(fake.open_sessions(), 0);
    assert!(fake.state("h", 0).steps.starts_with(&["status".into(), "receive".into()]));
}

#[tokio::test]
async fn faults_come_as_they_are_ordered() {
    let error = open(&with(FakeHost { unreachable: Some(Cause::ConnectionRefused), ..FakeHost::default() })).await;
    assert_eq!(error.unwrap_err().cause, Cause::ConnectionRefused);

    let fails = BTreeMap::from([("start".to_owned(), (Cause::PortInUse, "taken".to_owned()))]);
    let mut session = open(&with(FakeHost { fails, ..FakeHost::default() })).await.unwrap();
    assert_eq!(session.start().await.unwrap_err().cause, Cause::PortInUse);
    session.status().await.unwrap();

    let mut session = open(&with(FakeHost { cut_at: Some("stop".into()), ..FakeHost::default() })).await.unwrap();
    let error = session.stop().await.unwrap_err();
    assert_eq!((error.cause, error.step), (Cause::ConnectionLost, Step::Stop), "{error}");

    let short = Duration::from_millis(50);
    let deadlines = Deadlines { connect: short, start: short, ..Deadlines::default() };
    let target = Target::local("h", "/x");
    let hangs = with(FakeHost { hangs_at: Some("start".into()), ..FakeHost::default() });
    let mut session = HostSession::open(&hangs, &target, &deadlines).await.unwrap();
    assert_eq!(session.start().await.unwrap_err().cause, Cause::StepTimeout);
    let slow = with(FakeHost { connect_takes: Duration::from_secs(60), ..FakeHost::default() });
    let error = HostSession::open(&slow, &target, &deadlines).await.unwrap_err();
    assert_eq!(error.cause, Cause::ConnectTimeout);
}

#[tokio::test]
async fn ten_thousand_hosts_with_some_dead_ones_stay_within_the_limits() {
    const HOSTS: u32 = 10_000;
    let fake = Arc::new(Fake::new(|target| {
        let n: u32 = target.address.parse().unwrap();
        let unreachable = n.is_multiple_of(10).then_some(Cause::ConnectTimeout);
        let connect_takes = Duration::from_millis(if unreachable.is_some() { 100 } else { 1 });
        FakeHost { unreachable, connect_takes, step_takes: Duration::from_millis(2), ..FakeHost::default() }
    }));
    let fan_out = FanOut::new(Limits { connecting: 64, working: 256, ..Limits::default() });
    let hosts = fake.clone();
    let mut results = fan_out.run(0..HOSTS, CancellationToken::new(), move |n, mut slots| {
        let fake = hosts.clone();
        async move {
            let target = Target::local(n.to_string(), "/x");
            let mut session = HostSession::open(&*fake, &target, &Deadlines::default()).await?;
            slots.connected().await;
            session.status().await?;
            session.close().await
        }
    });
    let (mut right, mut dead) = (0, 0);
    while let Some(finished) = results.next().await {
        match finished.result.unwrap() {
            Ok(()) => right += 1,
            Err(error) => {
                assert_eq!(error.cause, Cause::ConnectTimeout);
                dead += 1;
            }
        }
    }
    assert_eq!((right, dead), (HOSTS * 9 / 10, HOSTS / 10));
    assert!(fake.most_sessions() <= 64 + 256, "{}", fake.most_sessions());
    assert_eq!(fake.open_sessions(), 0);
}
