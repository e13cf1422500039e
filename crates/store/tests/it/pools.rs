//! Pools, bundles, secrets.

use p2ppool_model::bundle::{Bundle, BundleFile};
use p2ppool_model::host::PinnedKey;
use p2ppool_model::pool::{OverlayKindName, PoolSettings, PoolState};
use p2ppool_model::{Digest, PoolId, Time};
use p2ppool_store::{HostFilter, Page, SecretScope, SnapshotRange, Store, StoreError};

use crate::builders::{NOW, answering, crawl_at, pool, specs};

crate::stories! {
    a_pool_from_creation_to_deletion
    a_pool_of_the_same_name_is_a_conflict
    bundles_are_known_by_their_content
    secrets_belong_to_their_owner
    host_keys_are_pinned_once
}

fn is_missing<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotFound { .. }))
}

fn bundle(content: &[u8]) -> Bundle {
    Bundle {
        digest: Digest::of(content),
        name: "p2pnode.zip".into(),
        kind: OverlayKindName::Libp2p,
        size: content.len() as u64,
        program: "p2pnode".into(),
        version: Some("0.1.0".into()),
        arch: None,
        files: vec![BundleFile { path: "p2pnode".into(), size: 3, executable: true }],
        created: NOW,
    }
}

async fn a_pool_from_creation_to_deletion(store: Store) {
    let settings = PoolSettings {
        description: "two\nlines, ünïcode".into(),
        network_secret: Some("ab".repeat(32)),
        bootstrap: vec!["/ip4/127.0.0.1/tcp/1".into()],
        ..PoolSettings::default()
    };
    let made = store.create_pool(&"demo".parse().unwrap(), &settings, None, NOW).await.unwrap();
    assert_eq!(made.state, PoolState::Created);
    assert_eq!(made.created, NOW);
    assert_eq!(made.settings, PoolSettings { network_secret: None, ..settings }, "the secret is not in the row");
    assert_eq!(store.pool(made.id).await.unwrap(), made);
    assert_eq!(store.pool_by_name(&made.name).await.unwrap(), made);

    let edited = PoolSettings { is_test: true, ..PoolSettings::default() };
    store.set_pool_settings(made.id, &edited).await.unwrap();
    store.set_pool_state(made.id, PoolState::Running).await.unwrap();
    let bundle = store.put_bundle(&bundle(b"zip")).await.unwrap();
    let package = Digest::of(b"package");
    store.set_pool_software(made.id, Some(&bundle.digest), Some(&package)).await.unwrap();
    let unknown = store.set_pool_software(made.id, Some(&package), None).await;
    assert!(is_missing(unknown), "a bundle must be stored before a pool can run it");
    let now = store.pool(made.id).await.unwrap();
    assert_eq!((&now.settings, now.state), (&edited, PoolState::Running));
    assert_eq!((now.bundle, now.package), (Some(bundle.digest.clone()), Some(package)));
    let error = store.delete_bundle(&bundle.digest).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");

    store.set_hosts(made.id, &specs("a\nb\n")).await.unwrap();
    let nodes = [answering("n1")];
    let snapshot = store.store_snapshot(&crawl_at(made.id, NOW, &nodes), &nodes).await.unwrap();
    store.put_secret(SecretScope::Pool(made.id), "network", b"x", NOW).await.unwrap();
    let other = pool(&store, "other").await;
    for id in [made.id, other.id, PoolId(made.id.0 * 10 + 1)] {
        store.set_setting(&p2ppool_store::setting_of_pool(id, "way"), &1, NOW).await.unwrap();
    }
    store.set_hosts(other.id, &specs("a\n")).await.unwrap();

    store.delete_pool(made.id).await.unwrap();
    assert!(is_missing(store.pool(made.id).await));
    assert!(is_missing(store.snapshot(snapshot.id).await));
    assert!(is_missing(store.nodes(snapshot.id, &Default::default(), Page::default()).await));
    assert_eq!(store.secret_names(SecretScope::Pool(made.id)).await.unwrap(), [""; 0]);
    assert_eq!(store.pool_hosts(made.id).await.unwrap(), []);
    assert_eq!(store.pool_hosts(other.id).await.unwrap().len(), 1);
    store.delete_bundle(&bundle.digest).await.unwrap();
    let left: Vec<_> = store.settings().await.unwrap().into_iter().map(|(name, _)| name).collect();
    let other_pools = [other.id, PoolId(made.id.0 * 10 + 1)].map(|id| p2ppool_store::setting_of_pool(id, "way"));
    assert_eq!(left.iter().filter(|name| name.ends_with("/way")).count(), 2, "{left:?}");
    assert!(other_pools.iter().all(|name| left.contains(name)), "{left:?}");
}

async fn a_pool_of_the_same_name_is_a_conflict(store: Store) {
    let first = pool(&store, "demo").await;
    let error = store.create_pool(&first.name, &PoolSettings::default(), None, Time(NOW.0 + 9)).await.unwrap_err();
    assert_eq!(error.to_string(), "there is a pool `demo` already");
    pool(&store, "alpha").await;
    let names: Vec<_> = store.pools().await.unwrap().into_iter().map(|pool| pool.name.to_string()).collect();
    assert_eq!(names, ["alpha", "demo"]);

    let nobody = PoolId(999);
    assert_eq!(store.pool(nobody).await.unwrap_err().to_string(), "no pool 999");
    assert_eq!(store.pool_by_name(&"nix".parse().unwrap()).await.unwrap_err().to_string(), "no pool `nix`");
    assert!(is_missing(store.set_pool_state(nobody, PoolState::Running).await));
    assert!(is_missing(store.set_pool_settings(nobody, &PoolSettings::default()).await));
    assert!(is_missing(store.delete_pool(nobody).await));
    assert!(is_missing(store.set_hosts(nobody, &specs("a")).await));
    assert!(is_missing(store.store_snapshot(&crawl_at(nobody, NOW, &[]), &[]).await));
    assert_eq!(store.snapshots(nobody, SnapshotRange::default(), 5).await.unwrap(), []);
    assert_eq!(store.hosts(nobody, &HostFilter::default(), Page::default()).await.unwrap().total, 0);
}

async fn bundles_are_known_by_their_content(store: Store) {
    let first = bundle(b"one");
    assert_eq!(store.put_bundle(&first).await.unwrap(), first);
    let again = Bundle { name: "other.zip".into(), created: Time(NOW.0 + 5), ..first.clone() };
    assert_eq!(store.put_bundle(&again).await.unwrap(), first, "the same bytes are the same bundle");
    let second = Bundle { created: Time(NOW.0 + 1), ..bundle(b"two") };
    store.put_bundle(&second).await.unwrap();
    assert_eq!(store.bundles().await.unwrap(), [second.clone(), first.clone()]);
    store.delete_bundle(&second.digest).await.unwrap();
    assert!(is_missing(store.bundle(&second.digest).await));
    assert!(is_missing(store.delete_bundle(&second.digest).await));
}

async fn secrets_belong_to_their_owner(store: Store) {
    let mine = SecretScope::Pool(PoolId(1));
    let bytes: Vec<u8> = (0..=255).collect();
    store.put_secret(mine, "ssh", &bytes, NOW).await.unwrap();
    store.put_secret(SecretScope::Manager, "ssh", b"other", NOW).await.unwrap();
    assert_eq!(store.secret(mine, "ssh").await.unwrap(), Some(bytes));
    assert_eq!(store.put_secret_once(mine, "ssh", b"late", NOW).await.unwrap().len(), 256);
    store.put_secret(mine, "ssh", b"new", NOW).await.unwrap();
    assert_eq!(store.secret(mine, "ssh").await.unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(store.secret(SecretScope::Pool(PoolId(2)), "ssh").await.unwrap(), None);
    let changes = [("ssh", None), ("previous", Some(b"new".to_vec())), ("none", None)];
    store.change_secrets(mine, &changes, NOW).await.unwrap();
    assert_eq!(store.secret_names(mine).await.unwrap(), ["previous"]);
    store.change_secrets(mine, &[("previous", Some(b"newer".to_vec()))], NOW).await.unwrap();
    assert_eq!(store.secret(mine, "previous").await.unwrap().as_deref(), Some(&b"newer"[..]));
    store.delete_secret(mine, "previous").await.unwrap();
    assert_eq!(store.secret_names(mine).await.unwrap(), [""; 0]);
    assert_eq!(store.secret_names(SecretScope::Manager).await.unwrap(), ["ssh"]);
}

async fn host_keys_are_pinned_once(store: Store) {
    let key = |name: &str| PinnedKey {
        public_key: format!("ssh-ed25519 {name}"),
        fingerprint: format!("SHA256:{name}"),
        since: NOW,
    };
    let pool = pool(&store, "demo").await;
    store.set_hosts(pool.id, &specs("Node1\nnode1:2222\nnode2\n")).await.unwrap();
    assert_eq!(store.host_key("node1", 22).await.unwrap(), None);
    assert_eq!(store.pin_host_key("Node1", 22, &key("a")).await.unwrap(), key("a"));
    assert_eq!(store.pin_host_key("node1", 22, &key("evil")).await.unwrap(), key("a"), "never overwritten");
    store.pin_host_key("node1", 2222, &key("b")).await.unwrap();
    store.pin_host_key("elsewhere", 22, &key("c")).await.unwrap();

    let of_pool = store.host_keys(pool.id).await.unwrap();
    assert_eq!(of_pool.len(), 2);
    assert_eq!(of_pool[&("node1".to_owned(), 2222)], key("b"));
    store.replace_host_key("NODE1", 22, &key("d")).await.unwrap();
    assert_eq!(store.host_key("node1", 22).await.unwrap(), Some(key("d")));
    let all: Vec<_> = store.all_host_keys().await.unwrap().into_iter().map(|key| (key.address, key.port)).collect();
    assert_eq!(all, [("elsewhere".to_owned(), 22), ("node1".to_owned(), 22), ("node1".to_owned(), 2222)]);
    store.delete_host_key("elsewhere", 22).await.unwrap();
    assert_eq!(store.all_host_keys().await.unwrap().len(), 2);
}
