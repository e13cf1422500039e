//! How somebody joins a pool.

use std::collections::HashMap;
use std::net::IpAddr;

use p2ppool_model::HostId;
use p2ppool_model::host::{Host, HostSpec};
use p2ppool_model::pool::{OverlayKindName, Pool, PoolSettings};
use p2ppool_model::snapshot::NodeStatus;
use p2ppool_overlay::brunet::transport_addresses;
use p2ppool_overlay::kind::{PoolView, kind};
use p2ppool_overlay::libp2p::{NetworkSecret, kad_protocol};
use p2ppool_store::{NodeFilter, Page, SecretScope};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::accounts::Viewer;
use crate::app::App;
use crate::secrets;
use crate::service::Error;

/// Most bootstrap addresses told.
const BOOTSTRAP_MAX: usize = 64;
/// Nodes of the newest crawl that are looked at for peer ids; some of them are on hosts.
const NODES_MAX: u32 = 1_000;
/// What Kubo's DHT is called; it can't be told another name.
const KUBO_PROTOCOL: &str = "/ipfs/kad/1.0.0";

/// How to join a pool.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Connect {
    /// Addresses to dial first (multiaddr without peer id).
    pub bootstrap: Vec<String>,
    /// Ready config files.
    pub configs: Vec<ClientConfig>,
    /// The pool has a network secret that the configs lack, because you may not change the pool.
    pub secret_withheld: bool,
}

/// A ready config file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClientConfig {
    /// File name.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Its text.
    pub text: String,
}

/// Addresses and configs with which a node joins this pool. Only those who may change the pool get its secret.
pub async fn connect(app: &App, viewer: &Viewer, pool: &Pool) -> Result<Connect, Error> {
    let staying: Vec<Host> = app.store.pool_hosts(pool.id).await?.into_iter().filter(|host| !host.leaving).collect();
    let peers = peers(app, pool, &staying).await?;
    let hosts: Vec<HostSpec> = staying.into_iter().map(|host| host.spec).collect();
    let secret = app.secrets.get(&app.store, SecretScope::Pool(pool.id), secrets::NETWORK_SECRET).await?;
    let told = secret.as_ref().filter(|_| viewer.may_change(pool));
    let secret_withheld = secret.is_some() && told.is_none();
    let network_secret = told.map(|secret| String::from_utf8_lossy(secret).into_owned());
    let quic = secret.is_none();
    let settings = PoolSettings { network_secret, ..pool.settings.clone() };
    let view = PoolView {
        name: &pool.name,
        settings: &settings,
        hosts: &hosts,
        operators: &[],
        program: None,
        runtime: None,
        local: None,
    };
    let configs = kind(pool.settings.kind).map(|kind| kind.client_configs(&view)).unwrap_or_default();
    let configs = configs.into_iter().map(|config| ClientConfig {
        name: config.name,
        media_type: config.media_type.to_owned(),
        text: config.text,
    });
    let mut configs: Vec<ClientConfig> = configs.collect();
    if pool.settings.kind == OverlayKindName::Libp2p {
        configs.extend(by_peer_id(&peers, &settings, quic));
    }
    let bootstrap = match settings.kind {
        OverlayKindName::Libp2p => {
            hosts.iter().flat_map(|host| addresses(host, &settings, quic)).take(BOOTSTRAP_MAX).collect()
        }
        OverlayKindName::Brunet => transport_addresses(&view).into_iter().take(BOOTSTRAP_MAX).collect(),
    };
    Ok(Connect { bootstrap, configs, secret_withheld })
}

/// The hosts whose nodes' peer ids are known: from the host itself, else from the newest crawl.
async fn peers(app: &App, pool: &Pool, hosts: &[Host]) -> Result<Vec<(HostSpec, String)>, Error> {
    let mut seen: HashMap<HostId, String> = HashMap::new();
    if let Some(newest) = app.store.newest_snapshot(pool.id).await? {
        let answering = NodeFilter { status: Some(NodeStatus::Answering), ..NodeFilter::default() };
        let nodes = app.store.nodes(newest.id, &answering, Page::first(NODES_MAX)).await?.items;
        seen.extend(nodes.into_iter().filter_map(|node| Some((node.host?, node.address))));
    }
    let known = hosts.iter().filter_map(|host| {
        let peer = host.known.node.clone().or_else(|| seen.get(&host.id).cloned())?;
        Some((host.spec.clone(), peer))
    });
    Ok(known.take(BOOTSTRAP_MAX).collect())
}

/// Configs of programs that dial a bootstrap node only when they know its peer id.
fn by_peer_id(peers: &[(HostSpec, String)], settings: &PoolSettings, quic: bool) -> Vec<ClientConfig> {
    let all = peers.iter().flat_map(|(host, peer)| {
        let of_host = addresses(host, settings, quic);
        of_host.into_iter().map(move |address| format!("{address}/p2p/{peer}"))
    });
    let list: Vec<String> = all.take(BOOTSTRAP_MAX).collect();
    let protocol = settings.kad_protocol.clone().unwrap_or_else(|| kad_protocol(&settings.namespace));
    let json = |name: &str, document: serde_json::Value| ClientConfig {
        name: name.to_owned(),
        media_type: "application/json".to_owned(),
        text: format!("{document:#}\n"),
    };
    let js = json!({
        "peerDiscovery": { "bootstrap": { "list": list } },
        "services": { "kadDHT": { "protocol": protocol, "clientMode": true } },
        "privateNetwork": settings.network_secret.is_some() || !quic,
    });
    let mut configs = vec![json("js-libp2p.json", js)];
    // Kubo speaks no other protocol name
    if protocol == KUBO_PROTOCOL {
        configs.push(json("kubo.json", json!({ "Bootstrap": list, "Routing": { "Type": "dhtclient" } })));
    }
    let key = settings.network_secret.as_ref().and_then(|secret| secret.parse::<NetworkSecret>().ok());
    configs.extend(key.map(|key| ClientConfig {
        name: "swarm.key".to_owned(),
        media_type: "text/plain".to_owned(),
        text: key.swarm_key_file(),
    }));
    configs
}

fn addresses(host: &HostSpec, settings: &PoolSettings, quic: bool) -> Vec<String> {
    let place = match host.address.parse() {
        Ok(IpAddr::V4(address)) => format!("/ip4/{address}"),
        Ok(IpAddr::V6(address)) => format!("/ip6/{address}"),
        Err(_) => format!("/dns/{}", host.address),
    };
    let tcp = settings.ports.tcp.map(|port| format!("{place}/tcp/{port}"));
    let udp = settings.ports.udp.filter(|_| quic).map(|port| format!("{place}/udp/{port}/quic-v1"));
    tcp.into_iter().chain(udp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_address_has_its_protocol_and_a_secret_switches_quic_off() {
        let host = |address: &str| HostSpec { address: address.into(), ..HostSpec::default() };
        let settings = PoolSettings::default();
        assert_eq!(
            addresses(&host("192.0.2.1"), &settings, true),
            ["/ip4/192.0.2.1/tcp/4650", "/ip4/192.0.2.1/udp/4650/quic-v1"]
        );
        assert_eq!(addresses(&host("2001:db8::1"), &settings, false), ["/ip6/2001:db8::1/tcp/4650"]);
        assert_eq!(addresses(&host("a.example"), &settings, false), ["/dns/a.example/tcp/4650"]);
    }
}
