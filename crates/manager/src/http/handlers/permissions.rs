//! The permission table, for the web page.

use p2ppool_model::role::Role;
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::permissions::{Needs, RULES, Rule, decide};
use crate::http::caller::Caller;

/// Every route and who may use it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Permissions {
    /// From the least to the most powerful.
    roles: [Role; 4],
    /// One line for each route.
    routes: Vec<Permission>,
}

/// A route, and whether the one who asks may use it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Permission {
    /// The route and what it needs.
    #[serde(flatten)]
    rule: Rule,
    /// You may; null: that depends on the pool, whose `right` tells.
    allowed: Option<bool>,
}

/// Every route and who may use it: what the manager enforces.
#[utoipa::path(get, path = "/permissions", tag = "accounts", responses((status = 200, body = Permissions)))]
pub(crate) async fn list(caller: Caller) -> axum::Json<Permissions> {
    let roles = [Role::Viewer, Role::Publisher, Role::Administrator, Role::SuperAdministrator];
    let routes = RULES.iter().map(|rule| {
        let by_pool = matches!(rule.needs, Needs::Pool(_) | Needs::Task(_) | Needs::Thing(_) | Needs::Share);
        let allowed = (!by_pool).then(|| decide(rule.needs, &caller.viewer, None).is_ok());
        Permission { rule: *rule, allowed }
    });
    axum::Json(Permissions { roles, routes: routes.collect() })
}
