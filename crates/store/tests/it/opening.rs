//! Opening a database, several managers on one.

use futures::future::join_all;
use p2ppool_model::Time;
use p2ppool_store::{SecretScope, Store, StoreError, testing};

use crate::builders::{NOW, pool};

/// Managers that start together.
const MANAGERS: usize = 8;

#[tokio::test]
async fn managers_that_start_together_agree_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("new.db").display());
    start_together(&url).await;
}

#[tokio::test]
async fn managers_that_start_together_agree_on_postgres() {
    start_together(&testing::postgres_url().await).await;
}

async fn start_together(url: &str) {
    let stores: Vec<Store> =
        join_all((0..MANAGERS).map(|_| Store::open(url))).await.into_iter().map(|store| store.unwrap()).collect();
    join_all(stores.iter().map(|store| async { store.ping().await.unwrap() })).await;

    // each makes a key; all use the same
    let scope = SecretScope::Manager;
    let keys = join_all(
        stores
            .iter()
            .enumerate()
            .map(|(i, store)| async move { store.put_secret_once(scope, "key", &[i as u8; 32], NOW).await.unwrap() }),
    )
    .await;
    assert!(keys.iter().all(|key| *key == keys[0]));

    // all write at the same time, nothing is lost, one of each name wins
    let made = join_all(stores.iter().flat_map(|store| {
        (0..5).map(move |i| async move {
            let name = format!("pool{i}").parse().unwrap();
            store.create_pool(&name, &Default::default(), None, NOW).await
        })
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 5);
    assert!(lost.iter().all(|made| matches!(made, Err(StoreError::Conflict { .. }))), "{lost:?}");
    assert_eq!(stores[3].pools().await.unwrap().len(), 5);
    join_all(stores.iter().map(Store::close)).await;
}

#[tokio::test]
async fn what_was_stored_is_there_after_closing_and_opening_again() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        pool(&fresh.store, "demo").await;
        fresh.store.set_setting("greeting", &"hello", NOW).await.unwrap();
        fresh.store.close().await;
        let again = Store::open(&fresh.url).await.unwrap();
        assert_eq!(again.pools().await.unwrap().len(), 1);
        assert_eq!(again.setting::<String>("greeting").await.unwrap().as_deref(), Some("hello"));
        again.close().await;
    }
}

#[tokio::test]
async fn a_database_file_is_only_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let fresh = testing::sqlite().await;
    pool(&fresh.store, "demo").await;
    for entry in std::fs::read_dir(fresh.folder().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn what_can_not_be_opened_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let missing = format!("sqlite:{}/no/such/folder/x.db", folder.path().display());
    let nobody = format!("postgres://me:hunter2@localhost/x?host={}", folder.path().display());
    for url in ["sqlite::memory:", "mysql://x", &missing, &nobody] {
        let error = Store::open(url).await.unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "not a database, but somebody's notes\n".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let error = Store::open(&format!("sqlite:{}", path.display())).await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

crate::stories! { settings_are_values_by_name }

async fn settings_are_values_by_name(store: Store) {
    assert_eq!(store.setting::<u64>("limit").await.unwrap(), None);
    store.set_setting("limit", &5_u64, NOW).await.unwrap();
    store.set_setting("limit", &7_u64, Time(NOW.0 + 1)).await.unwrap();
    store.set_setting("map", &serde_json::json!({"tiles": null}), NOW).await.unwrap();
    assert_eq!(store.setting::<u64>("limit").await.unwrap(), Some(7));
    let names: Vec<_> = store.settings().await.unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["limit", "map"]);
    assert!(matches!(store.setting::<String>("limit").await, Err(StoreError::Unreadable { .. })));
    store.delete_setting("limit").await.unwrap();
    store.delete_setting("limit").await.unwrap();
    assert_eq!(store.setting::<u64>("limit").await.unwrap(), None);
}
