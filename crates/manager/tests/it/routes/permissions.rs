//! Every route of the OpenAPI document, as everybody, on every kind of pool.

use std::collections::{BTreeMap, BTreeSet};

use p2ppool::accounts::Right;
use p2ppool::accounts::permissions::{Needs, RULES, missing};
use p2ppool::http::openapi::{self, PREFIX};
use p2ppool_model::pool::{PoolSettings, Visibility};
use p2ppool_model::role::{Grant, Role};
use p2ppool_model::{PoolName, Time, UserId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

/// Method and path below the prefix of everything that the document describes.
fn routes() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&openapi::text(&openapi::document())).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let path = path.strip_prefix(PREFIX).unwrap().to_owned();
        let methods = ["get", "put", "post", "patch", "delete"].into_iter().filter(|method| item.get(method).is_some());
        methods.map(move |method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    });
    all.collect()
}

#[test]
fn web_openapi_json_has_no_route_that_the_permission_table_lacks() {
    let documented = routes();
    let listed: BTreeSet<_> = RULES.iter().map(|rule| (rule.method.to_owned(), rule.path.to_owned())).collect();
    let lacking: Vec<_> = documented.difference(&listed).map(|(method, path)| missing(method, path)).collect();
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
    let dead: Vec<_> = listed.difference(&documented).collect();
    assert!(dead.is_empty(), "RULES in accounts/permissions.rs has lines for routes that don't exist: {dead:?}");
}

#[test]
fn web_openapi_json_names_every_operation_differently() {
    let document: Value = serde_json::from_str(&openapi::text(&openapi::document())).unwrap();
    let mut seen = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(id) = operation["operationId"].as_str() {
                let before = seen.insert(id.to_owned(), format!("{method} {path}"));
                assert_eq!(before, None, "{id} is also {method} {path}");
            }
        }
    }
    assert_eq!(seen.len(), routes().len());
    assert!(seen.contains_key("get_pools_pool_nodes_csv"), "{:?}", seen.keys());
}

/// What a pool is to the one who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Theirs,
    ManagedByGrant,
    SeenByGrant,
    OthersPrivate,
    OthersPublic,
}

const POOLS: [To; 5] = [To::Theirs, To::ManagedByGrant, To::SeenByGrant, To::OthersPrivate, To::OthersPublic];

/// The right that somebody with this role (or without account) should have, as the specification says it.
fn right(role: Option<Role>, to: To) -> Option<Right> {
    match (role, to) {
        (Some(Role::Administrator | Role::SuperAdministrator), _) => Some(Right::Own),
        (Some(Role::Publisher), To::Theirs) => Some(Right::Own),
        (Some(Role::Publisher), To::ManagedByGrant) => Some(Right::Manage),
        (Some(_), To::OthersPrivate) => None,
        (Some(_), _) => Some(Right::Inspect),
        (None, To::OthersPublic) => Some(Right::See),
        (None, _) => None,
    }
}

/// How the permission layer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    NeedsAccount,
    Forbidden,
    NoSuchPool,
}

fn expected(needs: Needs, role: Option<Role>, to: To) -> Verdict {
    let of_right = |needed| match (right(role, to), role) {
        (Some(right), _) if right >= needed => Verdict::Allowed,
        (_, None) => Verdict::NeedsAccount,
        (None, _) => Verdict::NoSuchPool,
        (Some(_), _) => Verdict::Forbidden,
    };
    match (needs, role) {
        (Needs::Anyone | Needs::Listed | Needs::Share, _) => Verdict::Allowed,
        (Needs::Account, Some(_)) => Verdict::Allowed,
        (Needs::Role(needed), Some(role)) if role >= needed => Verdict::Allowed,
        (Needs::Role(_), Some(_)) => Verdict::Forbidden,
        (Needs::Pool(needed) | Needs::Task(needed), _) => of_right(needed),
        (Needs::Thing(Right::See), _) | (Needs::Thing(Right::Inspect), Some(_)) => Verdict::Allowed,
        (Needs::Thing(_), Some(role)) if role >= Role::Publisher => Verdict::Allowed,
        (Needs::Thing(_), Some(_)) => Verdict::Forbidden,
        (Needs::Account | Needs::Role(_) | Needs::Thing(_), None) => Verdict::NeedsAccount,
    }
}

/// Somebody, and a pool of each kind.
struct Who {
    id: Option<UserId>,
    token: Option<String>,
    pools: Vec<(To, PoolName)>,
}

impl Who {
    async fn new(app: &TestApp, role: Option<Role>) -> Self {
        let name = role.map_or("nobody", Role::as_str).replace('_', "-");
        let (id, token) = match role {
            Some(role) => {
                let token = app.person(&name, role).await;
                let id = app.app.store.credentials(&name).await.unwrap().unwrap().user.id;
                (Some(id), Some(token))
            }
            None => (None, None),
        };
        let pools = POOLS.iter().map(|to| (*to, format!("{name}-{}", *to as u8).parse().unwrap())).collect();
        Self { id, token, pools }
    }

    /// The pool's name and the number of a task of it; both are made (again) when they are not there.
    async fn pool(&self, app: &TestApp, to: To) -> (PoolName, i64) {
        let name = &self.pools.iter().find(|(kind, _)| *kind == to).unwrap().1;
        let store = &app.app.store;
        if store.pool_by_name(name).await.is_err() {
            let visibility = if to == To::OthersPublic { Visibility::Public } else { Visibility::Private };
            let settings = PoolSettings { visibility, ..PoolSettings::default() }.checked(name).unwrap();
            let owner = if to == To::Theirs { self.id } else { None };
            let pool = store.create_pool(name, &settings, owner, Time::now()).await.unwrap();
            let grant = match to {
                To::ManagedByGrant => Some(Grant::Manage),
                To::SeenByGrant => Some(Grant::See),
                _ => None,
            };
            if let (Some(grant), Some(id)) = (grant, self.id) {
                store.set_grant(pool.id, id, grant, "test", Time::now()).await.unwrap();
            }
            app.post(&format!("pools/{name}/stop"), json!({ "keep": true })).await.expect(202);
        }
        let tasks = app.get(&format!("tasks?pool={name}")).await.expect(200).json();
        (name.clone(), tasks["items"][0]["id"].as_i64().unwrap())
    }

    /// Asks with a body that no handler takes, so that what is permitted still changes nothing.
    async fn ask(&self, app: &TestApp, method: &str, path: &str) -> (u16, Value) {
        let method: Method = method.parse().unwrap();
        let changes = method == Method::POST || method == Method::PUT || method == Method::PATCH;
        let mut request = app.anonymous(method, path.trim_start_matches('/'));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if changes {
            request = request.header("content-type", "application/json").body("{");
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        // What is permitted may be a stream without end.
        let problem = if status < 400 { Value::Null } else { answer.json::<Value>().await.unwrap()["error"].clone() };
        (status, problem)
    }
}

fn verdict(status: u16, problem: &Value) -> Verdict {
    let message = problem["message"].as_str().unwrap_or_default();
    let unseen = ["there is no pool `", "there is no task `"].iter().any(|start| message.starts_with(start));
    match (status, problem["code"].as_str().unwrap_or_default()) {
        (401, "unauthenticated") => Verdict::NeedsAccount,
        (403, "forbidden") => Verdict::Forbidden,
        (404, _) if unseen => Verdict::NoSuchPool,
        _ => Verdict::Allowed,
    }
}

fn filled(path: &str, pool: &PoolName, task: i64) -> String {
    let parts = path.split('/').map(|part| match part {
        "{pool}" => pool.to_string(),
        "{id}" if path.starts_with("/tasks/") => task.to_string(),
        part if part.starts_with('{') => "0".to_owned(),
        part => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_answers_every_role_on_every_kind_of_pool_as_the_table_says() {
    let app = TestApp::start().await;
    let mut asked = 0;
    let mut wrong = Vec::new();
    let roles = [Role::Viewer, Role::Publisher, Role::Administrator, Role::SuperAdministrator];
    for role in [None].into_iter().chain(roles.map(Some)) {
        let who = Who::new(&app, role).await;
        for rule in RULES {
            let about_pools = matches!(rule.needs, Needs::Pool(_) | Needs::Task(_));
            for to in POOLS.into_iter().take(if about_pools { POOLS.len() } else { 1 }) {
                let (pool, task) = who.pool(&app, to).await;
                let path = filled(rule.path, &pool, task);
                let (status, problem) = who.ask(&app, rule.method, &path).await;
                let (got, expected) = (verdict(status, &problem), expected(rule.needs, role, to));
                if got != expected || status >= 500 && status != 503 {
                    wrong.push(format!(
                        "{role:?} {} {path} ({to:?}): {status} {problem}, not {expected:?}",
                        rule.method
                    ));
                }
                asked += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked} wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{asked} requests");
}

#[tokio::test]
async fn the_page_is_told_the_table_and_what_the_one_who_asks_may() {
    let app = TestApp::start().await;
    let publisher = app.person("pub", Role::Publisher).await;
    let told = send(app.anonymous(Method::GET, "permissions").bearer_auth(publisher)).await.expect(200).json();
    let routes = told["routes"].as_array().unwrap();
    assert_eq!(routes.len(), RULES.len());
    let of = |method: &str, path: &str| {
        routes.iter().find(|route| route["method"] == method && route["path"] == path).unwrap().clone()
    };
    assert_eq!(of("POST", "/pools")["allowed"], true);
    assert_eq!(of("POST", "/pools")["needs"], json!({ "role": "publisher" }));
    assert_eq!(of("GET", "/users")["allowed"], false);
    assert_eq!(
        of("DELETE", "/pools/{pool}"),
        json!({ "method": "DELETE", "path": "/pools/{pool}", "needs": { "pool": "own" }, "allowed": null })
    );
}
