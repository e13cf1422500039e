//! How fast outcomes of hosts are written: `cargo run --release -p p2ppool --example outcomes`.
//!
//! As the engine's writer does it: batches of so many rows, each a durable transaction of SQLite, two rows for a
//! host (its connection begins, it has ended). Prints JSON; asserts nothing about time.

use std::time::{Duration, Instant};

use p2ppool_model::task::{Counts, TaskHost};
use p2ppool_model::{Action, HostId, Outcome, Step, Time};
use p2ppool_store::{
    Admission, Admitted, HostWrite, InLine, NewTask, NewTaskHost, Starts, Store, TaskBatch, TaskProgress, testing,
};

const HOSTS: i64 = 10_000;
/// Rows per transaction, as in the engine.
const BATCH: usize = 2_000;
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let fresh = testing::sqlite().await;
    let mut rates: Vec<f64> = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        rates.push(rate(&fresh.store, round).await);
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{}",
        serde_json::json!({ "outcomes_per_s": rates[ROUNDS / 2], "best": rates[ROUNDS - 1], "worst": rates[0] })
    );
}

/// Hosts per second of one task.
async fn rate(store: &Store, round: usize) -> f64 {
    let name = format!("p{round}").parse().unwrap();
    let pool = store.create_pool(&name, &Default::default(), None, Time::now()).await.unwrap();
    let host = |n| NewTaskHost { host: HostId(n), address: format!("host{n}.example.org"), attempt: 1 };
    let new = NewTask {
        pool: pool.id,
        action: Action::Check,
        asked: "{}".into(),
        started_by: "bench".into(),
        params: serde_json::json!({}),
        retry_of: None,
        hosts: (1..=HOSTS).map(host).collect(),
    };
    let admitted = store.admit_task(new, |_| Admission::Queue { make_room: vec![], waits_for: None }).await.unwrap();
    let Admitted::Queued { task, .. } = admitted else { panic!("{admitted:?}") };
    let all = |line: &[InLine]| Starts { start: line.iter().map(|one| one.id).collect(), ..Starts::default() };
    let (claimed, _) = store.claim_tasks(pool.id, "bench", Duration::from_secs(60), all).await.unwrap();
    let row = |n: i64, outcome| HostWrite {
        task: task.id,
        host: TaskHost {
            host: HostId(n),
            address: format!("host{n}.example.org"),
            outcome,
            step: Some(Step::Verify),
            cause: None,
            message: String::new(),
            attempt: 1,
            duration_ms: Some(1234),
            at: Some(Time::now()),
        },
        output: None,
    };
    let rows: Vec<HostWrite> = (1..=HOSTS).flat_map(|n| [row(n, Outcome::Running), row(n, Outcome::Ok)]).collect();
    let progress = TaskProgress {
        task: task.id,
        fence: claimed[0].fence,
        counts: Counts([(Outcome::Ok, HOSTS as u64)].into()),
        message: String::new(),
    };
    let begun = Instant::now();
    for batch in rows.chunks(BATCH) {
        let batch = TaskBatch { tasks: vec![progress.clone()], hosts: batch.to_vec(), steps: Vec::new() };
        assert_eq!(store.write_tasks(&batch).await.unwrap(), [], "the claim is good");
    }
    HOSTS as f64 / begun.elapsed().as_secs_f64()
}
