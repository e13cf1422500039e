use std::time::Duration;

use p2ppool_model::alert::lifecycle::Decision;
use p2ppool_model::alert::watch::Finding;
use p2ppool_model::alert::{AlertState, Condition, MessageKind};
use p2ppool_model::{AlertTargetId, Time};
use p2ppool_store::{AlertFilter, Page, Sent, Store};
use serde_json::json;

use crate::builders::{NOW, pool};

crate::stories! { decisions_and_their_messages_are_one_transaction messages_are_taken_by_one_manager leases_are_held_by_one }

fn finding(subject: &str) -> Finding {
    Finding { subject: subject.into(), text: format!("{subject} is wrong"), since: NOW }
}

async fn target(store: &Store) -> AlertTargetId {
    store.create_alert_target(None, "t", &json!({}), None, NOW).await.unwrap().id
}

async fn decisions_and_their_messages_are_one_transaction(store: Store) {
    let pool = pool(&store, "demo").await;
    let to = target(&store).await;
    let rule = store
        .create_alert_rule(pool.id, "r", &Condition::VersionMismatch, &[to, AlertTargetId(77)], NOW)
        .await
        .unwrap();
    let begin = [Decision::Open(finding("a")), Decision::Open(finding("b")), Decision::Wait(finding("c"))];
    store.apply_decisions(&rule, &pool, &begin, NOW).await.unwrap();
    // another manager decided the same at the same time
    store.apply_decisions(&rule, &pool, &begin, NOW).await.unwrap();
    let alive = store.alive_alerts(rule.id).await.unwrap();
    assert_eq!(alive.len(), 3);
    let due = store.claim_messages("m1", Duration::from_secs(60), 10).await.unwrap();
    assert_eq!(due.len(), 1, "one message for what began at once");
    assert_eq!((due[0].message.kind, due[0].message.alerts.len()), (MessageKind::Opened, 2));
    assert!(store.message_sent(due[0].id, "m1", &Sent::Delivered).await.unwrap());

    let by = |subject: &str| alive.iter().find(|alert| alert.subject == subject).unwrap().id;
    let end = [
        Decision::Recover(by("a")),
        Decision::Recover(by("a")),
        Decision::Forget(by("c")),
        Decision::Reword(by("b"), finding("b")),
    ];
    store.apply_decisions(&rule, &pool, &end, Time(NOW.0 + 5)).await.unwrap();
    let due = store.claim_messages("m1", Duration::from_secs(60), 10).await.unwrap();
    assert_eq!((due.len(), due[0].message.kind, due[0].message.alerts.len()), (1, MessageKind::Recovered, 1));
    store.apply_decisions(&rule, &pool, &[Decision::Open(finding("a"))], NOW).await.unwrap();
    let listed = store.alerts(AlertFilter { pool: Some(pool.id), state: None }, Page::default()).await.unwrap();
    assert_eq!((listed.total, listed.items[0].subject.as_str()), (3, "a"), "again, as another alert");
    assert!(store.acknowledge_alert(listed.items[0].id, "anna", None, NOW).await.unwrap());
    assert!(!store.acknowledge_alert(listed.items[0].id, "bert", None, NOW).await.unwrap());
    store.delete_alert_rule(rule.id, NOW).await.unwrap();
    let open = store.alerts(AlertFilter { pool: None, state: Some(AlertState::Open) }, Page::default()).await.unwrap();
    assert_eq!(open.items, []);
    store.delete_pool(pool.id).await.unwrap();
    assert_eq!(store.alerts(AlertFilter::default(), Page::default()).await.unwrap().total, 0);
}

async fn messages_are_taken_by_one_manager(store: Store) {
    let pool = pool(&store, "demo").await;
    let to = target(&store).await;
    let rule = store.create_alert_rule(pool.id, "r", &Condition::VersionMismatch, &[to], NOW).await.unwrap();
    for n in 0..20 {
        store.apply_decisions(&rule, &pool, &[Decision::Open(finding(&n.to_string()))], NOW).await.unwrap();
    }
    let lease = Duration::from_secs(60);
    let (a, b) = tokio::join!(store.claim_messages("a", lease, 15), store.claim_messages("b", lease, 15));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.iter().all(|mine| b.iter().all(|theirs| mine.id != theirs.id)));
    let c = store.claim_messages("c", lease, 100).await.unwrap();
    assert_eq!(a.len() + b.len() + c.len(), 20);
    let some = a.first().or(b.first()).unwrap();
    assert!(!store.message_sent(some.id, "nobody", &Sent::Delivered).await.unwrap(), "only its holder may");
    let holder = if a.is_empty() { "b" } else { "a" };
    let later = Time::now().plus(Duration::from_secs(3600));
    assert!(store.message_sent(some.id, holder, &Sent::Later(later, "no".into())).await.unwrap());
    let state = store.outbox_state(to).await.unwrap();
    assert_eq!((state.waiting, state.lost), (20, 0));
    // a manager that died: its messages are free when its lease is over
    let taken = store.claim_messages("d", Duration::ZERO, 100).await.unwrap();
    assert_eq!(taken, []);
    store.delete_alert_target(to).await.unwrap();
    assert_eq!(store.messages_waiting().await.unwrap(), 0);
}

async fn leases_are_held_by_one(store: Store) {
    assert!(store.hold_lease("x", "a", 60_000).await.unwrap());
    assert!(!store.hold_lease("x", "b", 60_000).await.unwrap());
    assert!(store.hold_lease("x", "a", -1).await.unwrap(), "its holder may always");
    assert!(store.hold_lease("x", "b", 60_000).await.unwrap(), "it was over");
    assert!(store.hold_lease("y", "a", 60_000).await.unwrap());
}
