use std::time::Duration;

use p2ppool_model::event::Change;
use p2ppool_store::{EVENTS_KEPT, FILE_PART_BYTES, ManagerBeat, NewEvent, Store};
use serde_json::json;

use crate::builders::{NOW, pool};

crate::stories! { managers_see_each_other local_nodes_belong_to_one_manager_at_a_time events_have_one_order
files_are_seen_when_they_are_whole }

const LEASE: Duration = Duration::from_secs(60);
const OVER: Duration = Duration::ZERO;

fn beat(id: &str) -> ManagerBeat {
    ManagerBeat {
        id: id.into(),
        host: "h".into(),
        pid: 7,
        address: None,
        version: "1".into(),
        limits: json!({ "tasks": 3 }),
    }
}

async fn managers_see_each_other(store: Store) {
    store.add_manager(&beat("a")).await.unwrap();
    store.add_manager(&beat("b")).await.unwrap();
    let listens = ManagerBeat { address: Some("127.0.0.1:1".into()), ..beat("b") };
    store.beat_manager(&listens, LEASE).await.unwrap();
    let seen = store.managers().await.unwrap();
    let told: Vec<_> = seen.iter().map(|seen| (seen.beat.clone(), seen.tasks)).collect();
    assert_eq!(told, [(beat("a"), 0), (listens, 0)]);
    store.remove_manager("a").await.unwrap();
    assert_eq!(store.managers().await.unwrap().len(), 1);
}

async fn local_nodes_belong_to_one_manager_at_a_time(store: Store) {
    let pool = pool(&store, "demo").await;
    let held = store.hold_local_node(pool.id, "a", "10.0.0.1", LEASE).await.unwrap();
    assert_eq!((held.owner.as_str(), held.address.as_str()), ("a", "10.0.0.1"));
    let refused = store.hold_local_node(pool.id, "b", "10.0.0.2", LEASE).await.unwrap();
    assert_eq!((refused.owner.as_str(), refused.address.as_str()), ("a", "10.0.0.1"));
    assert_eq!(store.lost_local_nodes().await.unwrap(), []);
    // a signs off; whoever comes first has it then, with its own address
    store.remove_manager("a").await.unwrap();
    assert_eq!(store.lost_local_nodes().await.unwrap(), [pool.id]);
    let (b, c) = tokio::join!(
        store.hold_local_node(pool.id, "b", "10.0.0.2", LEASE),
        store.hold_local_node(pool.id, "c", "10.0.0.3", LEASE)
    );
    let (b, c) = (b.unwrap(), c.unwrap());
    assert_eq!(b, c, "both are told the same holder");
    assert!(b.owner == "b" && b.address == "10.0.0.2" || b.owner == "c" && b.address == "10.0.0.3", "{b:?}");
    assert_eq!(store.beat_manager(&beat(&b.owner), OVER).await.unwrap(), [pool.id]);
    store.forget_local_node(pool.id).await.unwrap();
    assert_eq!(store.local_node_owner(pool.id).await.unwrap(), None);
}

async fn events_have_one_order(store: Store) {
    let event = |n: u32| NewEvent { at: NOW, pool: Some(n.to_string()), change: Change::Pool };
    let begin = store.events_begin().await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..5 {
                    store.append_events(&[event(writer * 10 + n), event(writer * 10 + n + 5)]).await.unwrap();
                }
            })
        })
        .collect();
    // a reader that has seen an id has seen everything before it
    let (mut last, mut read) = (begin, Vec::new());
    while read.len() < 80 {
        for event in store.events_after(last, 7).await.unwrap() {
            assert!(event.id > last);
            last = event.id;
            read.push(event.pool.unwrap());
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    read.sort();
    read.dedup();
    assert_eq!(read.len(), 80, "each once");
    let many: Vec<NewEvent> = (0..EVENTS_KEPT + 10).map(event).collect();
    store.append_events(&many).await.unwrap();
    let kept = store.events_after(store.events_begin().await.unwrap(), u32::MAX).await.unwrap();
    assert_eq!(kept.len(), EVENTS_KEPT as usize);
    assert_eq!(kept[0].pool.as_deref(), Some("10"));
}

async fn files_are_seen_when_they_are_whole(store: Store) {
    let whole: Vec<u8> = (0..FILE_PART_BYTES + 5).map(|n| n as u8).collect();
    for round in 0..2 {
        store.begin_file("demo/.part").await.unwrap();
        for (number, part) in whole.chunks(FILE_PART_BYTES).enumerate() {
            store.add_file_part("demo/.part", u32::try_from(number).unwrap(), part).await.unwrap();
        }
        // of an older one until then, or nothing
        assert_eq!(store.stored_file("demo/logs.zip").await.unwrap().is_some(), round == 1);
        store.finish_file("demo/.part", "demo/logs.zip", whole.len() as u64).await.unwrap();
    }
    let mut read = Vec::new();
    for number in 0.. {
        let Some(part) = store.file_part("demo/logs.zip", number).await.unwrap() else { break };
        read.extend(part);
    }
    assert!(read == whole);
    let listed = store.stored_files("demo/", 9).await.unwrap();
    assert_eq!(
        listed.iter().map(|file| (file.path.as_str(), file.size)).collect::<Vec<_>>(),
        [("demo/logs.zip", whole.len() as u64)]
    );
    assert_eq!(store.stored_files("dem_/", 9).await.unwrap(), [], "a prefix is no pattern");
}
