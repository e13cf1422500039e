//! For Prometheus: the manager's own numbers, and where its nodes are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::extract::Path;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use p2ppool_model::host::Host;
use p2ppool_model::pool::Pool;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::Viewer;
use crate::http::State;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::metrics::MetricsAccess;
use crate::service::{Error, pools};

/// A group of targets, as Prometheus' `http_sd_config` wants them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TargetGroup {
    /// `host:port`.
    targets: Vec<String>,
    /// Labels of these targets.
    labels: BTreeMap<String, String>,
}

/// `GET /metrics`: for whom the setting says. What a proxy passes on comes from this machine only in appearance.
pub(crate) async fn metrics(app: State, caller: Caller, headers: HeaderMap) -> Result<impl IntoResponse, Error> {
    match app.metrics {
        MetricsAccess::Off => return Err(Error::not_found("page", "/metrics: it is switched off (--metrics)")),
        _ if caller.viewer != Viewer::Anonymous => {}
        MetricsAccess::Local if is_local(caller.address, &headers) => {}
        MetricsAccess::Local => return Err(Error::Unauthenticated("reading the metrics from another machine")),
        MetricsAccess::Token => return Err(Error::Unauthenticated("reading the metrics")),
    }
    let text = crate::metrics::render(&app).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

fn is_local(from: IpAddr, headers: &HeaderMap) -> bool {
    let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    from.to_canonical().is_loopback() && !passed_on
}

/// Where the nodes' own metrics are, for Prometheus' `http_sd_config`: one target a host, at the pool's RPC port.
#[utoipa::path(get, path = "/pools/{pool}/prometheus-sd", tag = "pools", params(("pool" = String, Path)),
    responses((status = 200, body = Vec<TargetGroup>), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn discovery(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<Vec<TargetGroup>>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let hosts = app.store.pool_hosts(pool.id).await?;
    Ok(axum::Json(hosts.iter().filter(|host| !host.leaving).map(|host| group(&pool, host)).collect()))
}

fn group(pool: &Pool, host: &Host) -> TargetGroup {
    let (address, port) = (&host.spec.address, pool.settings.ports.rpc);
    let target = if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
    let meta = |name: &str, value: &str| (format!("__meta_p2ppool_{name}"), value.to_owned());
    let mut labels = BTreeMap::from([
        meta("pool", pool.name.as_str()),
        meta("namespace", &pool.settings.namespace),
        meta("host", &host.spec.display()),
    ]);
    labels.extend(host.known.node.iter().map(|node| meta("node", node)));
    // label names of Prometheus are letters, digits and `_`
    let name = |key: &str| format!("label_{}", key.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    labels.extend(host.spec.labels.iter().map(|(key, value)| meta(&name(key), value)));
    TargetGroup { targets: vec![target], labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_from_this_machine_itself_is_local() {
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        let none = HeaderMap::new();
        assert!(is_local(here, &none) && is_local("::1".parse().unwrap(), &none));
        assert!(!is_local("192.0.2.1".parse().unwrap(), &none));
        let passed: HeaderMap =
            [(header::HeaderName::from_static("x-forwarded-for"), "192.0.2.1".parse().unwrap())].into_iter().collect();
        assert!(!is_local(here, &passed));
    }
}
