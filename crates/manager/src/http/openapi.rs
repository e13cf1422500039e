//! The description of the API, made from the handlers themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, PathItem, Ref, RefOr, Response, ResponseBuilder, Schema};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::body::HOST_LIST_MAX;
use crate::http::cookies::SESSION;
use crate::http::handlers::demo;
use crate::http::handlers::{
    accounts, actions, audit, bundles, connect, events, exports, files, grants, hosts, keys, managers, meta, nodes,
    oidc, permissions, pools, rollouts, runtimes, schedules, second_factor, sessions, shares, snapshots, tasks, users,
    views, workflows,
};
use crate::http::handlers::{alerts, geo, map, metrics, resources, ssh};
use crate::http::handlers::{churn, deployed, history, topology};

/// Where the API lives.
pub const PREFIX: &str = "/api/v1";

#[derive(OpenApi)]
#[openapi(
    info(title = "P2PPool Manager", description = "Deploys, watches and repairs peer-to-peer overlays.", license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    components(schemas(crate::http::error::ErrorAnswer, p2ppool_model::event::Event)),
    modifiers(&Schemes),
    security((), ("session" = []), ("token" = [])),
)]
struct Description;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION)));
        components.add_security_scheme("session", cookie);
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// Every route of the API, with its description.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    let quick = OpenApiRouter::new()
        .routes(routes!(meta::health))
        .routes(routes!(meta::version))
        .routes(routes!(managers::list))
        .routes(routes!(managers::limits, managers::set_limits))
        .routes(routes!(accounts::login))
        .routes(routes!(accounts::logout))
        .routes(routes!(accounts::me))
        .routes(routes!(accounts::tokens, accounts::create_token))
        .routes(routes!(accounts::delete_token))
        .routes(routes!(accounts::change_password))
        .routes(routes!(sessions::list, sessions::delete_others))
        .routes(routes!(sessions::delete))
        .routes(routes!(sessions::list_of, sessions::delete_of))
        .routes(routes!(permissions::list))
        .routes(routes!(second_factor::show, second_factor::begin))
        .routes(routes!(second_factor::confirm))
        .routes(routes!(second_factor::end))
        .routes(routes!(second_factor::end_of))
        .routes(routes!(oidc::show))
        .routes(routes!(oidc::login))
        .routes(routes!(oidc::finish))
        .routes(routes!(shares::list, shares::create))
        .routes(routes!(shares::revoke))
        .routes(routes!(shares::open))
        .routes(routes!(shares::map))
        .routes(routes!(shares::nodes))
        .routes(routes!(shares::stats))
        .routes(routes!(views::show, views::set, views::reset))
        .routes(routes!(views::own))
        .routes(routes!(views::set_own, views::reset_own))
        .routes(routes!(audit::list))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::edit, users::delete))
        .routes(routes!(users::reset_password))
        .routes(routes!(pools::list, pools::create))
        .routes(routes!(demo::create))
        .routes(routes!(grants::list, grants::give))
        .routes(routes!(grants::take_back))
        .routes(routes!(grants::give_away))
        .routes(routes!(pools::show, pools::edit, pools::delete))
        .routes(routes!(hosts::key))
        .routes(routes!(hosts::trust))
        .routes(routes!(keys::show, keys::set))
        .routes(routes!(keys::generate))
        .routes(routes!(ssh::show, ssh::set))
        .routes(routes!(ssh::set_jump_key, ssh::delete_jump_key))
        .routes(routes!(ssh::trust))
        .routes(routes!(ssh::facts))
        .routes(routes!(tasks::list))
        .routes(routes!(tasks::show))
        .routes(routes!(tasks::hosts))
        .routes(routes!(tasks::output))
        .routes(routes!(tasks::cancel))
        .routes(routes!(tasks::retry))
        .routes(routes!(workflows::list, workflows::create))
        .routes(routes!(workflows::check))
        .routes(routes!(workflows::show, workflows::put, workflows::delete))
        .routes(routes!(workflows::start))
        .routes(routes!(workflows::runs))
        .routes(routes!(workflows::run))
        .routes(routes!(workflows::cancel))
        .routes(routes!(workflows::approve))
        .routes(routes!(actions::fault))
        .routes(routes!(rollouts::show))
        .routes(routes!(rollouts::decide))
        .routes(routes!(actions::install))
        .routes(routes!(actions::suspend))
        .routes(routes!(actions::resume))
        .routes(routes!(actions::stop))
        .routes(routes!(actions::check))
        .routes(routes!(actions::crawl))
        .routes(routes!(actions::uninstall_check))
        .routes(routes!(actions::gather_logs))
        .routes(routes!(actions::gather_data))
        .routes(routes!(actions::gather_usage))
        .routes(routes!(actions::rotate_key))
        .routes(routes!(connect::show))
        .routes(routes!(geo::show, geo::set))
        .routes(routes!(geo::lookup))
        .routes(routes!(map::show, map::set))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::acknowledge))
        .routes(routes!(alerts::rules, alerts::create_rule))
        .routes(routes!(alerts::rule, alerts::change_rule, alerts::delete_rule))
        .routes(routes!(alerts::targets, alerts::create_target))
        .routes(routes!(alerts::target, alerts::change_target, alerts::delete_target))
        .routes(routes!(alerts::test_target))
        .routes(routes!(alerts::settings, alerts::set_settings))
        .routes(routes!(metrics::discovery))
        .routes(routes!(resources::show))
        .routes(routes!(resources::top))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::show))
        .routes(routes!(nodes::map))
        .routes(routes!(runtimes::list))
        .routes(routes!(runtimes::build_mono))
        .routes(routes!(runtimes::cancel_mono))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::preview))
        .routes(routes!(schedules::create))
        .routes(routes!(schedules::show, schedules::edit, schedules::delete))
        .routes(routes!(schedules::run))
        .routes(routes!(snapshots::list))
        .routes(routes!(history::stats))
        .routes(routes!(history::diff))
        .routes(routes!(churn::show))
        .routes(routes!(churn::sessions))
        .routes(routes!(churn::node_sessions))
        .routes(routes!(churn::node_history))
        .routes(routes!(topology::show))
        .routes(routes!(deployed::list))
        .routes(routes!(deployed::repair))
        .routes(routes!(files::list))
        .layer(super::answer_deadline());
    let host_lists = OpenApiRouter::new()
        .routes(routes!(hosts::parse))
        .routes(routes!(hosts::list, hosts::replace))
        .routes(routes!(actions::upgrade))
        .routes(routes!(geo::overrides, geo::set_overrides))
        .routes(routes!(ssh::known_hosts))
        .routes(routes!(ssh::import))
        .layer(DefaultBodyLimit::max(HOST_LIST_MAX))
        .layer(super::answer_deadline());
    let uploads = OpenApiRouter::new().routes(routes!(bundles::list, bundles::upload));
    let streams = OpenApiRouter::new()
        .routes(routes!(events::stream))
        .routes(routes!(audit::export))
        .routes(routes!(shares::nodes_csv))
        .routes(routes!(shares::stats_csv))
        .routes(routes!(exports::nodes_csv))
        .routes(routes!(exports::nodes_json))
        .routes(routes!(exports::stats_csv))
        .routes(routes!(exports::stats_json))
        .routes(routes!(exports::sessions_csv))
        .routes(routes!(exports::sessions_json))
        .routes(routes!(exports::deployed_csv))
        .routes(routes!(exports::deployed_json))
        .routes(routes!(exports::hosts_csv))
        .routes(routes!(exports::hosts_json))
        .routes(routes!(exports::tasks_csv))
        .routes(routes!(exports::tasks_json))
        .routes(routes!(files::download));
    OpenApiRouter::with_openapi(Description::openapi())
        .nest(PREFIX, quick.merge(host_lists).merge(uploads).merge(streams))
}

/// The description as people get it.
pub fn document() -> Document {
    finish(routes().split_for_parts().1)
}

/// axum writes a path's tail as `{*path}`, OpenAPI as `{path}`; every operation gets an id of its own, made of
/// method and path, such as `get_pools_pool_nodes`, and the form of errors.
pub(crate) fn finish(mut document: Document) -> Document {
    let paths = std::mem::take(&mut document.paths.paths);
    let named = paths.into_iter().map(|(path, mut item)| {
        let path = path.replace("{*", "{");
        let words = path.strip_prefix(PREFIX).unwrap_or(&path).replace(['/', '.', '-'], "_").replace(['{', '}'], "");
        let PathItem { get, put, post, delete, patch, .. } = &mut item;
        for (method, operation) in [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)] {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}{words}"));
                operation.responses.responses.entry("default".to_owned()).or_insert_with(any_error);
            }
        }
        (path, item)
    });
    document.paths.paths = named.collect();
    if let Some(components) = &mut document.components {
        open_parts(&mut components.schemas);
    }
    document
}

/// An object that is part of another one can't forbid the fields of the whole, in the words of JSON Schema;
/// the server forbids unknown fields all the same.
fn open_parts(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let mut parts = Vec::new();
    for schema in schemas.values_mut() {
        let RefOr::T(Schema::AllOf(whole)) = schema else { continue };
        for part in &mut whole.items {
            match part {
                RefOr::Ref(part) => parts.extend(part.ref_location.rsplit('/').next().map(str::to_owned)),
                RefOr::T(Schema::Object(part)) => part.additional_properties = None,
                RefOr::T(_) => {}
            }
        }
    }
    for name in parts {
        if let Some(RefOr::T(Schema::Object(part))) = schemas.get_mut(&name) {
            part.additional_properties = None;
        }
    }
}

/// Every error has the same form, whatever its status.
fn any_error() -> RefOr<Response> {
    let schema = Ref::from_schema_name("ErrorAnswer");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description("What was wrong").content("application/json", content).build().into()
}

/// There is such a route; `path` is below [`PREFIX`].
pub(crate) fn has(method: &str, path: &str) -> bool {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(document);
    let Some(item) = DOCUMENT.paths.paths.get(&format!("{PREFIX}{path}")) else { return false };
    let operation = match method {
        "GET" => &item.get,
        "PUT" => &item.put,
        "POST" => &item.post,
        "DELETE" => &item.delete,
        "PATCH" => &item.patch,
        _ => return false,
    };
    operation.is_some()
}

/// `GET /api/v1/openapi.json`; needs no account.
pub(crate) fn route(document: &Document) -> Router<Arc<App>> {
    let text: axum::body::Bytes = text(document).into();
    Router::new().route(
        &format!("{PREFIX}/openapi.json"),
        get(move || async move { ([(header::CONTENT_TYPE, "application/json")], text) }),
    )
}

/// The description as it is written to `web/openapi.json`.
pub fn text(document: &Document) -> String {
    let mut text = document.to_pretty_json().unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
    text.push('\n');
    text
}
