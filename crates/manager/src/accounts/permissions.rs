//! The permission table: every route of the API and who may use it.
//!
//! It is the only place where that is said. [`crate::http::permit`] enforces it before a handler is asked,
//! `GET /permissions` tells it to the web page, and a test walks every route of the OpenAPI document as
//! every role. **A new route needs a line here**; without one it answers nobody.

use std::collections::HashMap;
use std::sync::LazyLock;

use p2ppool_model::role::Role;
use serde::Serialize;
use utoipa::ToSchema;

use super::permission::{Right, Viewer};

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Nothing: also without an account.
    Anyone,
    /// Nothing; what is told is only what the one who asks may see.
    Listed,
    /// An account, whatever its role; it is about what is one's own.
    Account,
    /// A role.
    Role(Role),
    /// A right on the pool that `{pool}` in the path names.
    Pool(Right),
    /// A right on the pool of the task that `{id}` in the path names.
    Task(Right),
    /// A right on the pool of another thing that the path names (a schedule, a rule): only the handler can find
    /// that pool, and asks for the right by [`crate::service::pools::visible`], `changeable` or `owned`.
    Thing(Right),
    /// A share link: its secret in the path is what permits, and the handler keeps to its limits.
    Share,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rule {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// The route below `/api/v1`, with its parameters in braces.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
}

const fn rule(method: &'static str, path: &'static str, needs: Needs) -> Rule {
    Rule { method, path, needs }
}

use Needs::{Account, Anyone, Listed, Pool, Share, Task};
use Right::{Inspect, Manage, Own, See};
use Role::{Administrator, Publisher, SuperAdministrator};

/// Every route.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    // the manager
    rule("GET", "/health", Anyone),
    rule("GET", "/version", Anyone),
    rule("GET", "/permissions", Anyone),
    rule("GET", "/managers", Needs::Role(Role::Administrator)),
    rule("GET", "/managers/limits", Needs::Role(Role::Administrator)),
    rule("PUT", "/managers/limits", Needs::Role(SuperAdministrator)),
    // people
    rule("POST", "/login", Anyone),
    rule("POST", "/logout", Anyone),
    rule("GET", "/me", Anyone),
    rule("POST", "/me/password", Account),
    rule("GET", "/me/totp", Account),
    rule("POST", "/me/totp", Account),
    rule("POST", "/me/totp/confirm", Account),
    rule("POST", "/me/totp/end", Account),
    rule("DELETE", "/users/{id}/totp", Needs::Role(SuperAdministrator)),
    rule("GET", "/oidc", Anyone),
    rule("GET", "/oidc/login", Anyone),
    rule("GET", "/oidc/callback", Anyone),
    rule("GET", "/tokens", Account),
    rule("POST", "/tokens", Account),
    rule("DELETE", "/tokens/{id}", Account),
    rule("GET", "/sessions", Account),
    rule("DELETE", "/sessions", Account),
    rule("DELETE", "/sessions/{id}", Account),
    rule("GET", "/users/{id}/sessions", Needs::Role(SuperAdministrator)),
    rule("DELETE", "/users/{id}/sessions", Needs::Role(SuperAdministrator)),
    rule("GET", "/audit", Needs::Role(Administrator)),
    rule("GET", "/audit.csv", Needs::Role(Administrator)),
    rule("GET", "/users", Needs::Role(SuperAdministrator)),
    rule("POST", "/users", Needs::Role(SuperAdministrator)),
    rule("GET", "/users/{id}", Needs::Role(SuperAdministrator)),
    rule("PATCH", "/users/{id}", Needs::Role(SuperAdministrator)),
    rule("DELETE", "/users/{id}", Needs::Role(SuperAdministrator)),
    rule("POST", "/users/{id}/password", Needs::Role(SuperAdministrator)),
    // pools
    rule("GET", "/pools", Listed),
    rule("POST", "/pools", Needs::Role(Publisher)),
    rule("POST", "/demo", Needs::Role(Administrator)),
    rule("GET", "/pools/{pool}", Pool(See)),
    rule("PATCH", "/pools/{pool}", Pool(Manage)),
    rule("DELETE", "/pools/{pool}", Pool(Own)),
    rule("GET", "/pools/{pool}/connect", Pool(See)),
    rule("GET", "/pools/{pool}/grants", Pool(Manage)),
    rule("PUT", "/pools/{pool}/grants", Pool(Own)),
    rule("DELETE", "/pools/{pool}/grants/{user}", Pool(Own)),
    rule("PUT", "/pools/{pool}/owner", Pool(Own)),
    // how tables are shown
    rule("GET", "/me/views", Account),
    rule("PUT", "/me/views/{pool}/{view}", Pool(Inspect)),
    rule("DELETE", "/me/views/{pool}/{view}", Pool(Inspect)),
    rule("GET", "/pools/{pool}/views/{view}", Pool(See)),
    rule("PUT", "/pools/{pool}/views/{view}", Pool(Manage)),
    rule("DELETE", "/pools/{pool}/views/{view}", Pool(Manage)),
    // share links
    rule("GET", "/pools/{pool}/shares", Pool(Manage)),
    rule("POST", "/pools/{pool}/shares", Pool(Manage)),
    rule("DELETE", "/pools/{pool}/shares/{id}", Pool(Manage)),
    rule("GET", "/share/{token}", Share),
    rule("GET", "/share/{token}/map", Share),
    rule("GET", "/share/{token}/nodes", Share),
    rule("GET", "/share/{token}/nodes.csv", Share),
    rule("GET", "/share/{token}/stats", Share),
    rule("GET", "/share/{token}/stats.csv", Share),
    // hosts and their keys
    rule("POST", "/hosts/parse", Account),
    rule("GET", "/pools/{pool}/hosts", Pool(See)),
    rule("GET", "/pools/{pool}/hosts.csv", Pool(See)),
    rule("GET", "/pools/{pool}/hosts.json", Pool(See)),
    rule("PUT", "/pools/{pool}/hosts", Pool(Manage)),
    rule("GET", "/pools/{pool}/hosts/{host}/key", Pool(See)),
    rule("POST", "/pools/{pool}/hosts/{host}/trust", Pool(Manage)),
    rule("GET", "/pools/{pool}/key", Pool(Manage)),
    rule("PUT", "/pools/{pool}/key", Pool(Manage)),
    rule("POST", "/pools/{pool}/key/generate", Pool(Manage)),
    rule("GET", "/pools/{pool}/ssh", Pool(Manage)),
    rule("PUT", "/pools/{pool}/ssh", Pool(Manage)),
    rule("PUT", "/pools/{pool}/ssh/jump-key", Pool(Manage)),
    rule("DELETE", "/pools/{pool}/ssh/jump-key", Pool(Manage)),
    rule("POST", "/pools/{pool}/ssh/trust", Pool(Manage)),
    rule("PUT", "/pools/{pool}/known-hosts", Pool(Manage)),
    rule("POST", "/hosts/import", Account),
    // actions
    rule("POST", "/pools/{pool}/install", Pool(Manage)),
    rule("POST", "/pools/{pool}/upgrade", Pool(Manage)),
    rule("POST", "/pools/{pool}/suspend", Pool(Manage)),
    rule("POST", "/pools/{pool}/resume", Pool(Manage)),
    rule("POST", "/pools/{pool}/stop", Pool(Manage)),
    rule("POST", "/pools/{pool}/check", Pool(Manage)),
    rule("POST", "/pools/{pool}/crawl", Pool(Manage)),
    rule("POST", "/pools/{pool}/uninstall_check", Pool(Manage)),
    rule("POST", "/pools/{pool}/gather_logs", Pool(Manage)),
    rule("POST", "/pools/{pool}/gather_data", Pool(Manage)),
    rule("POST", "/pools/{pool}/gather_usage", Pool(Manage)),
    rule("POST", "/pools/{pool}/fault", Pool(Manage)),
    rule("POST", "/pools/{pool}/rotate_key", Pool(Manage)),
    // tasks
    rule("GET", "/tasks", Listed),
    rule("GET", "/tasks.csv", Listed),
    rule("GET", "/tasks.json", Listed),
    rule("GET", "/tasks/{id}", Task(See)),
    rule("GET", "/tasks/{id}/hosts", Task(See)),
    rule("GET", "/tasks/{id}/hosts/{host}/output", Task(Inspect)),
    rule("POST", "/tasks/{id}/cancel", Task(Manage)),
    rule("POST", "/tasks/{id}/retry", Task(Manage)),
    rule("GET", "/tasks/{id}/rollout", Task(See)),
    // workflows
    rule("GET", "/workflows", Account),
    rule("POST", "/workflows", Needs::Role(Publisher)),
    rule("POST", "/workflows/check", Account),
    rule("GET", "/workflows/{name}", Account),
    rule("PUT", "/workflows/{name}", Needs::Role(Publisher)),
    rule("DELETE", "/workflows/{name}", Needs::Role(Publisher)),
    rule("POST", "/workflows/{name}/runs", Needs::Thing(Manage)),
    rule("GET", "/workflow-runs", Listed),
    rule("GET", "/workflow-runs/{id}", Needs::Thing(See)),
    rule("POST", "/workflow-runs/{id}/cancel", Needs::Thing(Manage)),
    rule("POST", "/workflow-runs/{id}/approve", Needs::Thing(Manage)),
    rule("POST", "/tasks/{id}/continue", Task(Manage)),
    rule("GET", "/events", Listed),
    // what starts by itself
    rule("GET", "/schedules", Listed),
    rule("GET", "/schedules/preview", Account),
    rule("POST", "/pools/{pool}/schedules", Pool(Manage)),
    rule("GET", "/schedules/{id}", Needs::Thing(See)),
    rule("PATCH", "/schedules/{id}", Needs::Thing(Manage)),
    rule("DELETE", "/schedules/{id}", Needs::Thing(Manage)),
    rule("POST", "/schedules/{id}/run", Needs::Thing(Manage)),
    // what crawls saw
    rule("GET", "/pools/{pool}/nodes", Pool(See)),
    rule("GET", "/pools/{pool}/nodes.csv", Pool(See)),
    rule("GET", "/pools/{pool}/nodes.json", Pool(See)),
    rule("GET", "/pools/{pool}/nodes/{address}", Pool(See)),
    rule("GET", "/pools/{pool}/map", Pool(See)),
    rule("GET", "/pools/{pool}/snapshots", Pool(See)),
    rule("GET", "/pools/{pool}/stats", Pool(See)),
    rule("GET", "/pools/{pool}/stats.csv", Pool(See)),
    rule("GET", "/pools/{pool}/stats.json", Pool(See)),
    rule("GET", "/pools/{pool}/resources", Pool(See)),
    rule("GET", "/pools/{pool}/resources/top", Pool(See)),
    rule("GET", "/pools/{pool}/prometheus-sd", Pool(Inspect)),
    // alerts
    rule("GET", "/alerts", Account),
    rule("POST", "/alerts/{id}/acknowledge", Needs::Thing(Manage)),
    rule("GET", "/pools/{pool}/alert-rules", Pool(Inspect)),
    rule("POST", "/pools/{pool}/alert-rules", Pool(Manage)),
    rule("GET", "/alert-rules/{id}", Needs::Thing(Inspect)),
    rule("PATCH", "/alert-rules/{id}", Needs::Thing(Manage)),
    rule("DELETE", "/alert-rules/{id}", Needs::Thing(Manage)),
    rule("GET", "/alert-targets", Needs::Role(Publisher)),
    rule("POST", "/alert-targets", Needs::Role(Publisher)),
    rule("GET", "/alert-targets/{id}", Needs::Role(Publisher)),
    rule("PATCH", "/alert-targets/{id}", Needs::Role(Publisher)),
    rule("DELETE", "/alert-targets/{id}", Needs::Role(Publisher)),
    rule("POST", "/alert-targets/{id}/test", Needs::Role(Publisher)),
    rule("GET", "/alert-settings", Needs::Role(Publisher)),
    rule("PUT", "/alert-settings", Needs::Role(SuperAdministrator)),
    // where addresses are
    rule("GET", "/geo", Account),
    rule("PUT", "/geo", Needs::Role(SuperAdministrator)),
    rule("GET", "/geo/lookup", Account),
    rule("GET", "/geo/overrides", Needs::Role(SuperAdministrator)),
    rule("PUT", "/geo/overrides", Needs::Role(SuperAdministrator)),
    rule("GET", "/settings/map", Anyone),
    rule("PUT", "/settings/map", Needs::Role(SuperAdministrator)),
    rule("GET", "/settings/ssh", Account),
    rule("GET", "/pools/{pool}/diff", Pool(See)),
    rule("GET", "/pools/{pool}/churn", Pool(See)),
    rule("GET", "/pools/{pool}/sessions", Pool(See)),
    rule("GET", "/pools/{pool}/sessions.csv", Pool(See)),
    rule("GET", "/pools/{pool}/sessions.json", Pool(See)),
    rule("GET", "/pools/{pool}/nodes/{address}/sessions", Pool(See)),
    rule("GET", "/pools/{pool}/nodes/{address}/history", Pool(See)),
    rule("GET", "/pools/{pool}/topology", Pool(See)),
    rule("GET", "/pools/{pool}/deployed", Pool(See)),
    rule("GET", "/pools/{pool}/deployed.csv", Pool(See)),
    rule("GET", "/pools/{pool}/deployed.json", Pool(See)),
    rule("POST", "/pools/{pool}/repair", Pool(Manage)),
    // software and files
    rule("GET", "/bundles", Account),
    rule("POST", "/bundles", Needs::Role(Publisher)),
    rule("GET", "/runtimes", Account),
    rule("POST", "/runtimes/mono", Needs::Role(Administrator)),
    rule("POST", "/runtimes/mono/cancel", Needs::Role(Administrator)),
    rule("GET", "/pools/{pool}/files", Pool(See)),
    rule("GET", "/pools/{pool}/files/{path}", Pool(See)),
];

/// The line of a route; its path as in [`RULES`].
pub fn rule_of(method: &str, path: &str) -> Option<&'static Rule> {
    static BY_ROUTE: LazyLock<HashMap<(&str, &str), &'static Rule>> =
        LazyLock::new(|| RULES.iter().map(|rule| ((rule.method, rule.path), rule)).collect());
    BY_ROUTE.get(&(method, path)).copied()
}

/// What the one who missed a line needs to know.
pub fn missing(method: &str, path: &str) -> String {
    format!(
        "{method} {path} is not in the permission table: add a line like \
         `rule(\"{method}\", \"{path}\", Pool(See)),` to RULES in crates/manager/src/accounts/permissions.rs"
    )
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They have to log in first.
    NeedsAccount,
    /// They don't even learn that there is such a thing.
    Unseen,
    /// Their role is too low.
    NeedsRole(Role),
    /// Their right on the pool is too small.
    NeedsRight(Right),
    /// Their token is limited to some pools.
    Limited,
}

/// May they? `right` is theirs on the pool that the request is about, for routes that are about one.
pub fn decide(needs: Needs, viewer: &Viewer, right: Option<Right>) -> Result<(), Refusal> {
    let known = *viewer != Viewer::Anonymous;
    match needs {
        Needs::Anyone | Needs::Listed | Needs::Share | Needs::Thing(Right::See) => Ok(()),
        Needs::Pool(needed) | Needs::Task(needed) => match right {
            Some(right) if right >= needed => Ok(()),
            _ if !known => Err(Refusal::NeedsAccount),
            None => Err(Refusal::Unseen),
            Some(_) => Err(Refusal::NeedsRight(needed)),
        },
        _ if !known => Err(Refusal::NeedsAccount),
        Needs::Account | Needs::Thing(Right::Inspect) => Ok(()),
        Needs::Role(_) if viewer.is_limited() => Err(Refusal::Limited),
        Needs::Role(role) => at_least(viewer, role),
        Needs::Thing(_) => at_least(viewer, Role::Publisher),
    }
}

fn at_least(viewer: &Viewer, role: Role) -> Result<(), Refusal> {
    if viewer.is_at_least(role) { Ok(()) } else { Err(Refusal::NeedsRole(role)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_has_two_lines_and_paths_fit_what_they_need() {
        for (i, rule) in RULES.iter().enumerate() {
            let twice = RULES[..i].iter().any(|other| (other.method, other.path) == (rule.method, rule.path));
            assert!(!twice, "{} {} stands there twice", rule.method, rule.path);
            let named = match rule.needs {
                Needs::Pool(_) => rule.path.contains("{pool}"),
                Needs::Task(_) => rule.path.starts_with("/tasks/{id}"),
                Needs::Share => rule.path.starts_with("/share/{token}"),
                _ => !rule.path.contains("{pool}"),
            };
            assert!(named, "{} {} does not fit {:?}", rule.method, rule.path, rule.needs);
            assert!(["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&rule.method), "{}", rule.method);
        }
    }

    #[test]
    fn what_changes_something_is_for_nobody_without_an_account() {
        let open: Vec<_> = RULES
            .iter()
            .filter(|rule| rule.method != "GET" && decide(rule.needs, &Viewer::Anonymous, Some(Right::See)).is_ok())
            .map(|rule| (rule.method, rule.path))
            .collect();
        assert_eq!(open, [("POST", "/login"), ("POST", "/logout")]);
    }
}
