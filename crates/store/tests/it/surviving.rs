//! Changes that are given up or cut off.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use p2ppool_model::host::HostSpec;
use p2ppool_model::{PoolId, Time};
use p2ppool_store::{AuditEntry, AuditFilter, NodeFilter, Page, SnapshotRange, Store, testing};

use crate::builders::{NOW, answering, crawl_at, pool};

crate::stories! { a_change_that_is_given_up_halfway_happened_wholly_or_not_at_all }

/// As when a viewer goes away and the web server drops the request.
async fn a_change_that_is_given_up_halfway_happened_wholly_or_not_at_all(store: Store) {
    const ROUNDS: u32 = 40;
    let pool = pool(&store, "demo").await.id;
    let list = |round: u32| -> Vec<HostSpec> {
        let spec = |i| HostSpec { address: format!("r{round}-{i}"), ..HostSpec::default() };
        (0..600).map(spec).collect()
    };
    store.set_hosts(pool, &list(0)).await.unwrap();
    let mut given_up = 0;
    for round in 1..=ROUNDS {
        // cut at every moment from its beginning to some time after its end
        let patience = Duration::from_micros(u64::from(round) * 700);
        let cut = tokio::time::timeout(patience, store.set_hosts(pool, &list(round))).await;
        given_up += u32::from(cut.is_err());
        let now: BTreeSet<String> = store
            .pool_hosts(pool)
            .await
            .unwrap()
            .into_iter()
            .filter(|host| !host.leaving)
            .map(|host| host.spec.address.split('-').next().unwrap().to_owned())
            .collect();
        assert_eq!(now.len(), 1, "hosts of one list, not of two: {now:?}");
        if cut.is_ok() {
            assert!(now.contains(&format!("r{round}")), "what was told as done is done");
        }
    }
    assert!(given_up > 0, "nothing was cut off");
    store.set_setting("after", &true, NOW).await.unwrap();
}

/// Set for the process that is going to be killed: the database it writes to.
const URL: &str = "P2PPOOL_TEST_WRITE_UNTIL_KILLED";
/// What it says, with a number, after each change.
const STORED: &str = "stored ";
/// Changes after which it is killed.
const CHANGES: usize = 30;
const NODES: usize = 700;

/// The manager is killed with SIGKILL while it writes: what it was told is stored is there, and
/// nothing is there in part.
#[tokio::test]
async fn a_manager_that_is_killed_loses_nothing() {
    if let Ok(url) = std::env::var(URL) {
        return write_until_killed(&url).await;
    }
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let pool = pool(&fresh.store, "demo").await.id;
        fresh.store.close().await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "surviving::a_manager_that_is_killed_loses_nothing", "--nocapture"])
            .env(URL, &fresh.url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told: Vec<i64> = lines
            .filter_map(|line| line.strip_prefix(STORED).and_then(|number| number.parse().ok()))
            .take(CHANGES)
            .collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(told.len(), CHANGES);

        let store = Store::open(&fresh.url).await.unwrap();
        let snapshots = store.snapshots(pool, SnapshotRange::default(), 10_000).await.unwrap();
        let stored: BTreeSet<i64> = snapshots.iter().map(|snapshot| snapshot.started.0).collect();
        assert!(told.iter().all(|number| stored.contains(number)), "{told:?} {stored:?}");
        for snapshot in &snapshots {
            let nodes = store.nodes(snapshot.id, &NodeFilter::default(), Page::first(1)).await.unwrap();
            assert_eq!(nodes.total, NODES as u64, "crawl {}", snapshot.id);
        }
        let audit = store.audit(&AuditFilter::default(), Page::first(1)).await.unwrap();
        assert!(audit.total >= CHANGES as u64);
        store.set_setting("after", &true, NOW).await.unwrap();
    }
}

async fn write_until_killed(url: &str) {
    let store = Store::open(url).await.unwrap();
    let pool: PoolId = store.pools().await.unwrap()[0].id;
    let nodes: Vec<_> = (0..NODES).map(|i| answering(&format!("n{i}"))).collect();
    for number in 1.. {
        let entry = AuditEntry {
            at: NOW,
            user: None,
            actor: "test".into(),
            action: "write".into(),
            pool: None,
            subject: number.to_string(),
            details: serde_json::Value::Null,
            address: None,
            result: None,
        };
        store.append_audit(&entry).await.unwrap();
        store.store_snapshot(&crawl_at(pool, Time(number), &nodes), &nodes).await.unwrap();
        println!("\n{STORED}{number}");
    }
}
