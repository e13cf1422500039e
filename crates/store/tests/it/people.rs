//! Users, sessions, tokens, the audit log.

use p2ppool_model::audit::AuditResult;
use p2ppool_model::role::{Grant, Role};
use p2ppool_model::{Time, UserId};
use p2ppool_store::{
    AuditEntry, AuditFilter, NewSession, NewToken, Page, SecretScope, Store, StoreError, User, UserPool, testing,
};

use crate::builders::NOW;

crate::stories! {
    a_person_from_first_login_to_deletion
    there_is_always_a_super_administrator
    sessions_end_by_idleness_age_logout_and_lockout
    tokens_end_by_age_revocation_and_lockout
    the_audit_log_is_filtered_and_paged
    grants_are_given_changed_and_taken_back
    people_are_listed_with_what_they_have
}

const MINUTE: i64 = 60_000;

fn at(minutes: i64) -> Time {
    Time(NOW.0 + minutes * MINUTE)
}

fn is_conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

fn is_missing<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotFound { .. }))
}

async fn a_person_from_first_login_to_deletion(store: Store) {
    assert_eq!(store.user_count().await.unwrap(), 0);
    let root = store.create_user("root", Some("$argon2$1"), Role::SuperAdministrator, NOW).await.unwrap();
    let anna = store.create_user("Änna", Some("$argon2$2"), Role::Publisher, at(1)).await.unwrap();
    assert!(is_conflict(store.create_user("änna", None, Role::Viewer, NOW).await));
    assert_eq!(store.user_count().await.unwrap(), 2);
    assert_eq!(store.users().await.unwrap(), [root.clone(), anna.clone()]);

    let login = store.credentials("ÄNNA").await.unwrap().unwrap();
    assert_eq!((&login.user, login.password.as_deref()), (&anna, Some("$argon2$2")));
    assert!(!format!("{login:?}").contains("argon2"));
    assert_eq!(store.credentials("nobody").await.unwrap(), None);

    store.create_session(session(&anna, "s1", 0)).await.unwrap();
    store.set_user_password(anna.id, Some("$argon2$3")).await.unwrap();
    assert_eq!(store.credentials("änna").await.unwrap().unwrap().password.as_deref(), Some("$argon2$3"));
    assert_eq!(store.session("s1", at(1)).await.unwrap(), None, "a new password ends old sessions");
    store.set_user_role(anna.id, Role::Administrator).await.unwrap();
    assert_eq!(store.user(anna.id).await.unwrap().role, Role::Administrator);

    let pool = store.create_pool(&"demo".parse().unwrap(), &Default::default(), Some(anna.id), NOW).await.unwrap();
    assert_eq!(pool.owner, Some(anna.id));
    store.put_secret(SecretScope::User(anna.id), "x", b"x", NOW).await.unwrap();
    store.create_token(token(&anna, "ci", "t1", None)).await.unwrap();
    store.create_session(session(&anna, "s2", 0)).await.unwrap();
    store.delete_user(anna.id).await.unwrap();
    assert!(is_missing(store.user(anna.id).await));
    assert_eq!(store.session("s2", at(1)).await.unwrap(), None);
    assert_eq!(store.token("t1", at(1)).await.unwrap(), None);
    assert_eq!(store.secret_names(SecretScope::User(anna.id)).await.unwrap(), [""; 0]);
    assert_eq!(store.pool(pool.id).await.unwrap().owner, None, "pools stay");
    assert!(is_missing(store.delete_user(anna.id).await));
    assert!(is_missing(store.set_user_password(anna.id, None).await));
    assert!(is_missing(store.create_session(session(&anna, "s3", 0)).await));
    assert!(is_missing(store.create_token(token(&anna, "ci", "t3", None)).await));
}

async fn there_is_always_a_super_administrator(store: Store) {
    let one = store.create_user("one", None, Role::SuperAdministrator, NOW).await.unwrap().id;
    assert!(is_conflict(store.set_user_role(one, Role::Viewer).await));
    assert!(is_conflict(store.disable_user(one).await));
    assert!(is_conflict(store.delete_user(one).await));
    let user = store.user(one).await.unwrap();
    assert_eq!((user.role, user.disabled), (Role::SuperAdministrator, false), "nothing was changed");
    let two = store.create_user("two", None, Role::SuperAdministrator, NOW).await.unwrap().id;
    store.disable_user(two).await.unwrap();
    assert!(is_conflict(store.set_user_role(one, Role::Viewer).await), "the other one can't log in");
    store.enable_user(two).await.unwrap();
    store.set_user_role(one, Role::Viewer).await.unwrap();
}

/// Two managers, each asked to demote another one of the last two: one of them must be refused.
#[tokio::test]
async fn two_who_resign_at_once_see_each_other() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let other = Store::open(&fresh.url).await.unwrap();
        for round in 0..10 {
            let admin = |name: String| {
                let store = fresh.store.clone();
                async move { store.create_user(&name, None, Role::SuperAdministrator, NOW).await.unwrap().id }
            };
            let (a, b) = (admin(format!("a{round}")).await, admin(format!("b{round}")).await);
            let others = fresh.store.users().await.unwrap();
            for user in others.iter().filter(|user| user.id != a && user.id != b) {
                let _ = fresh.store.delete_user(user.id).await;
            }
            let (first, second) =
                tokio::join!(fresh.store.set_user_role(a, Role::Viewer), other.set_user_role(b, Role::Viewer));
            assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        }
        other.close().await;
    }
}

fn session<'a>(user: &p2ppool_store::User, token_hash: &'a str, minute: i64) -> NewSession<'a> {
    NewSession {
        user: user.id,
        token_hash,
        now: at(minute),
        idle_until: at(minute + 30),
        expires: at(minute + 100),
        address: "127.0.0.1",
        agent: "Browser/1",
    }
}

async fn sessions_end_by_idleness_age_logout_and_lockout(store: Store) {
    store.create_user("root", None, Role::SuperAdministrator, NOW).await.unwrap();
    let anna = store.create_user("anna", None, Role::Viewer, NOW).await.unwrap();
    let made = store.create_session(session(&anna, "s1", 0)).await.unwrap();
    let long = "x".repeat(10_000);
    store.create_session(NewSession { agent: &long, ..session(&anna, "s2", 5) }).await.unwrap();
    assert_eq!(store.session("s1", at(29)).await.unwrap(), Some((made.clone(), anna.clone())));
    assert_eq!(store.session("nope", at(1)).await.unwrap(), None);
    assert_eq!(store.session("s1", at(30)).await.unwrap(), None, "idle");
    store.touch_session(made.id, at(29), at(59)).await.unwrap();
    store.touch_session(made.id, at(28), at(58)).await.unwrap();
    let (touched, _) = store.session("s1", at(58)).await.unwrap().unwrap();
    assert_eq!((touched.last_seen, touched.idle_until), (at(29), at(59)), "time doesn't go back");
    store.touch_session(made.id, at(90), at(120)).await.unwrap();
    assert_eq!(store.session("s1", at(100)).await.unwrap(), None, "too old, however much it is used");

    let listed = store.sessions(anna.id, at(20)).await.unwrap();
    let agents: Vec<_> = listed.iter().map(|session| session.agent.len()).collect();
    assert_eq!(agents, ["Browser/1".len(), 256]);
    assert_eq!(store.purge_sessions(at(40)).await.unwrap(), 1);
    assert_eq!(store.sessions(anna.id, at(20)).await.unwrap().len(), 1);

    let third = store.create_session(session(&anna, "s3", 0)).await.unwrap();
    assert!(is_missing(store.delete_session(UserId(1), third.id).await), "not theirs");
    store.delete_session(anna.id, third.id).await.unwrap();
    store.create_session(session(&anna, "s4", 0)).await.unwrap();
    store.delete_session_of("s4").await.unwrap();
    store.delete_session_of("s4").await.unwrap();
    assert_eq!(store.session("s4", at(1)).await.unwrap(), None);
    store.create_session(session(&anna, "s5", 0)).await.unwrap();
    assert_eq!(store.delete_sessions(anna.id, Some(made.id)).await.unwrap(), 1);
    store.disable_user(anna.id).await.unwrap();
    store.enable_user(anna.id).await.unwrap();
    assert_eq!(store.session("s1", at(1)).await.unwrap(), None, "lockout ended it");
}

fn token<'a>(user: &p2ppool_store::User, name: &'a str, token_hash: &'a str, expires: Option<Time>) -> NewToken<'a> {
    NewToken { user: user.id, name, token_hash, role: Role::Viewer, pools: None, now: NOW, expires }
}

async fn tokens_end_by_age_revocation_and_lockout(store: Store) {
    store.create_user("root", None, Role::SuperAdministrator, NOW).await.unwrap();
    let anna = store.create_user("anna", None, Role::Publisher, NOW).await.unwrap();
    let forever = store.create_token(token(&anna, "ci", "t1", None)).await.unwrap();
    let short = store.create_token(token(&anna, "day", "t2", Some(at(10)))).await.unwrap();
    assert!(is_conflict(store.create_token(token(&anna, "ci", "t3", None)).await));
    assert_eq!(store.token("t1", at(99999)).await.unwrap(), Some((forever.clone(), anna.clone())));
    assert_eq!(store.token("t2", at(9)).await.unwrap().unwrap().0, short);
    assert_eq!(store.token("t2", at(10)).await.unwrap(), None);
    store.touch_token(forever.id, at(3)).await.unwrap();
    let names: Vec<_> =
        store.tokens(anna.id).await.unwrap().into_iter().map(|token| (token.name, token.last_used)).collect();
    assert_eq!(names, [("ci".to_owned(), Some(at(3))), ("day".to_owned(), None)]);
    store.disable_user(anna.id).await.unwrap();
    assert_eq!(store.token("t1", at(1)).await.unwrap(), None);
    store.enable_user(anna.id).await.unwrap();
    assert!(is_missing(store.delete_token(UserId(1), forever.id).await), "not theirs");
    store.delete_token(anna.id, forever.id).await.unwrap();
    assert_eq!(store.token("t1", at(1)).await.unwrap(), None);
}

async fn grants_are_given_changed_and_taken_back(store: Store) {
    let anna = store.create_user("anna", None, Role::Publisher, NOW).await.unwrap();
    let ben = store.create_user("ben", None, Role::SuperAdministrator, NOW).await.unwrap();
    let (one, two) = (crate::builders::pool(&store, "one").await.id, crate::builders::pool(&store, "two").await.id);
    store.set_grant(one, anna.id, Grant::See, "ben", at(1)).await.unwrap();
    store.set_grant(one, anna.id, Grant::Manage, "ben", at(2)).await.unwrap();
    store.set_grant(two, anna.id, Grant::See, "ben", at(3)).await.unwrap();
    assert_eq!(store.user_grants(anna.id).await.unwrap(), [(one, Grant::Manage), (two, Grant::See)].into());
    assert_eq!(store.user_grants(ben.id).await.unwrap(), [].into());
    let given = store.pool_grants(one).await.unwrap();
    assert_eq!((given.len(), given[0].name.as_str(), given[0].given), (1, "anna", at(2)));
    assert!(is_missing(store.set_grant(one, UserId(99), Grant::See, "ben", NOW).await));
    store.delete_grant(two, anna.id).await.unwrap();
    assert!(is_missing(store.delete_grant(two, anna.id).await));
    store.set_pool_owner(one, anna.id).await.unwrap();
    assert_eq!(store.pool_grants(one).await.unwrap(), [], "an owner needs no grant");
    assert_eq!(store.pool(one).await.unwrap().owner, Some(anna.id));
    assert!(is_missing(store.set_pool_owner(one, UserId(99)).await));
    store.set_grant(two, anna.id, Grant::See, "ben", NOW).await.unwrap();
    store.delete_user(anna.id).await.unwrap();
    assert_eq!(store.pool_grants(two).await.unwrap(), []);
    let limited = NewToken { pools: Some(&[one, two]), ..token(&ben, "ci", "t9", None) };
    assert_eq!(store.create_token(limited).await.unwrap().pools, Some(vec![one, two]));
    assert_eq!(store.token("t9", at(1)).await.unwrap().unwrap().0.pools, Some(vec![one, two]));
}

async fn the_audit_log_is_filtered_and_paged(store: Store) {
    for i in 0..25 {
        let entry = AuditEntry {
            at: at(i),
            user: (i % 2 == 0).then_some(UserId(7)),
            actor: if i % 2 == 0 { "anna".into() } else { "schedule".into() },
            action: if i % 5 == 0 { "pool.install".into() } else { "pool.crawl".into() },
            pool: Some(if i < 20 { "demo".into() } else { "other".into() }),
            subject: format!("pool {i}"),
            details: serde_json::json!({"hosts": i}),
            address: Some("127.0.0.1".into()),
            result: Some(if i == 3 { AuditResult::Refused } else { AuditResult::Ok }),
        };
        store.append_audit(&entry).await.unwrap();
    }
    let all = AuditFilter::default();
    let page = store.audit(&all, Page { limit: 3, offset: 1 }).await.unwrap();
    assert_eq!(page.total, 25);
    let subjects: Vec<_> = page.items.iter().map(|line| line.entry.subject.as_str()).collect();
    assert_eq!(subjects, ["pool 23", "pool 22", "pool 21"]);
    assert_eq!(page.items[0].entry.details, serde_json::json!({"hosts": 23}));

    let total = async |filter: AuditFilter| store.audit(&filter, Page::first(1)).await.unwrap().total;
    assert_eq!(total(AuditFilter { user: Some(UserId(7)), ..all.clone() }).await, 13);
    assert_eq!(total(AuditFilter { pool: Some("other".into()), ..all.clone() }).await, 5);
    assert_eq!(total(AuditFilter { action: Some("pool.install".into()), ..all.clone() }).await, 5);
    assert_eq!(total(AuditFilter { from: Some(at(5)), until: Some(at(8)), ..all.clone() }).await, 3);
    assert_eq!(total(AuditFilter { text: "ANNA".into(), pool: Some("demo".into()), ..all.clone() }).await, 10);
    assert_eq!(total(AuditFilter { actor: Some("Anna".into()), ..all.clone() }).await, 13);
    assert_eq!(total(AuditFilter { result: Some(AuditResult::Refused), ..all.clone() }).await, 1);
    assert_eq!(total(AuditFilter { before: Some(page.items[0].id), ..all }).await, 23);
}

async fn people_are_listed_with_what_they_have(store: Store) {
    let anna = store.create_user("anna", None, Role::Publisher, NOW).await.unwrap();
    let ben = store.create_user("Ben", None, Role::Viewer, NOW).await.unwrap();
    let hers = store.create_pool(&"hers".parse().unwrap(), &Default::default(), Some(anna.id), NOW).await.unwrap();
    let other = store.create_pool(&"a-lab".parse().unwrap(), &Default::default(), None, NOW).await.unwrap();
    store.set_grant(other.id, anna.id, Grant::Manage, "root", NOW).await.unwrap();
    store.set_grant(hers.id, ben.id, Grant::See, "anna", NOW).await.unwrap();
    store.create_token(token(&anna, "old", "t1", Some(at(1)))).await.unwrap();
    let ci = store.create_token(token(&anna, "ci", "t2", None)).await.unwrap();

    let list = async || store.user_summaries(None, at(5)).await.unwrap();
    let pool = |pool: &str, grant| UserPool { pool: pool.into(), grant };
    let [first, second] = list().await.try_into().unwrap();
    assert_eq!(first.pools, [pool("a-lab", Some(Grant::Manage)), pool("hers", None)]);
    assert_eq!((first.user, first.tokens, first.last_seen), (anna.clone(), 1, None), "one token has ended");
    assert_eq!((second.user, second.tokens, second.last_seen), (ben.clone(), 0, None));
    assert_eq!(second.pools, [pool("hers", Some(Grant::See))]);

    let seen = async |user: &User| store.user_summaries(Some(user.id), at(5)).await.unwrap()[0].last_seen;
    let begun = store.create_session(session(&anna, "s1", 2)).await.unwrap();
    assert_eq!(seen(&anna).await, Some(at(2)));
    store.touch_session(begun.id, at(4), at(9)).await.unwrap();
    store.touch_token(ci.id, at(3)).await.unwrap();
    assert_eq!(seen(&anna).await, Some(at(4)), "what was written down later");
    store.delete_session(anna.id, begun.id).await.unwrap();
    store.touch_token(ci.id, at(5)).await.unwrap();
    store.delete_token(anna.id, ci.id).await.unwrap();
    assert_eq!((seen(&anna).await, seen(&ben).await), (Some(at(5)), None), "it stays when session and token are gone");
}
