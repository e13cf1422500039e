//! `p2ppool pool …`

use p2ppool_model::PoolName;
use p2ppool_model::Time;
use p2ppool_model::brunet::LocalNetwork;
use p2ppool_model::pool::{Pool, Ports, TransportName};
use p2ppool_model::snapshot::Snapshot;
use p2ppool_model::task::Task;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::args::{PoolCommand, SettingsArgs};
use super::client::Client;
use super::error::CliError;
use super::host::key_body;
use super::input::{confirm, read_text};
use super::output::{Output, ago, percent, table};
use super::task::task_table;
use super::user;
use crate::local_node::LocalState;

/// A pool with what goes on in it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Summary {
    #[serde(flatten)]
    pub(super) pool: Pool,
    pub(super) hosts: HostCounts,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) tasks: Vec<Task>,
    #[serde(default)]
    local_node: Option<LocalState>,
}

/// Hosts by what is known of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HostCounts {
    pub(super) total: u64,
    pub(super) reachable: u64,
    pub(super) running: u64,
}

pub(super) async fn run(command: PoolCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        PoolCommand::Create { name, hosts, key, passphrase_file, settings } => {
            let mut body = settings_patch(&settings, Ports::default())?;
            body["name"] = json!(name);
            if let Some(file) = hosts {
                body["hosts"] = Value::String(read_text(&file)?);
            }
            let key = key.map(|file| key_body(&file, passphrase_file.as_deref(), None)).transpose()?;
            let has_key = key.is_some();
            let mut created: Summary = client.post("pools", &body).await?;
            if let Some(key) = key {
                let kept: Result<Value, CliError> = client.put(&format!("pools/{name}/key"), &key).await;
                if let Err(error) = kept {
                    // all or nothing: else the same command with the right key would find the name taken
                    client.delete(&format!("pools/{name}")).await?;
                    return Err(error);
                }
                created = client.get(&format!("pools/{name}")).await?;
            }
            output.show(&created, || {
                let next = match created.pool.settings.transport {
                    _ if created.hosts.total == 0 => format!("host set {name} FILE"),
                    TransportName::Ssh if !has_key => format!("key set {name} FILE, or key generate {name}"),
                    _ => format!("install {name} --wait"),
                };
                format!("created {name} with {} hosts; next: p2ppool {next}", created.hosts.total)
            })
        }
        PoolCommand::List => {
            let pools: Vec<Summary> = client.get("pools").await?;
            output.show(&pools, || match pools[..] {
                [] if !client.has_token() => {
                    "no public pools; log in with `p2ppool login` to see the others".to_owned()
                }
                _ => pool_table(&pools),
            })
        }
        PoolCommand::Show { pool } => {
            let summary: Summary = client.get(&format!("pools/{pool}")).await?;
            output.show(&summary, || details(&summary))
        }
        PoolCommand::Edit { pool, settings } => {
            let patch = settings_patch_of(&pool, &settings, client).await?;
            if patch == json!({}) {
                return Err(CliError::Other("nothing to change was given; see `p2ppool pool edit --help`".to_owned()));
            }
            let answer: Value = client.patch(&format!("pools/{pool}"), &patch).await?;
            output.show(&answer, || {
                let upgrade = if answer["needs_upgrade"].as_bool() == Some(true) {
                    format!("; it reaches the hosts with `p2ppool upgrade {pool}`")
                } else {
                    String::new()
                };
                format!("{pool} changed{upgrade}")
            })
        }
        PoolCommand::Grants { pool } => user::grants(&pool, client, output).await,
        PoolCommand::Grant { pool, user, grant } => user::grant(&pool, &user, grant, client, output).await,
        PoolCommand::Give { pool, user } => user::give(&pool, &user, client, output).await,
        PoolCommand::Delete { pool, yes } => {
            if !yes {
                confirm(&format!("This deletes the pool `{pool}`, its files and its history."), pool.as_str())?;
            }
            client.delete(&format!("pools/{pool}")).await?;
            output.show(&json!({ "deleted": pool }), || format!("{pool} deleted"))
        }
    }
}

/// The given settings of a pool that is there: ports that aren't given keep their values.
pub(super) async fn settings_patch_of(
    pool: &PoolName,
    settings: &SettingsArgs,
    client: &Client,
) -> Result<Value, CliError> {
    let ports = if [settings.tcp_port, settings.udp_port, settings.rpc_port].iter().any(Option::is_some) {
        let now: Summary = client.get(&format!("pools/{pool}")).await?;
        now.pool.settings.ports
    } else {
        Ports::default()
    };
    settings_patch(settings, ports)
}

/// The given settings as the JSON of a pool; a port of 0 stands for none, one that isn't given for that of `ports`.
fn settings_patch(settings: &SettingsArgs, ports: Ports) -> Result<Value, CliError> {
    let mut patch = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            patch.insert(name.to_owned(), value);
        }
    };
    set("description", settings.description.clone().map(Value::from));
    let none_or = |name: String| if name.is_empty() { Value::Null } else { Value::from(name) };
    set("after_install", settings.after_install.clone().map(none_or));
    set("namespace", settings.namespace.clone().map(Value::from));
    set("kind", settings.kind.map(|kind| json!(kind)));
    set("transport", settings.transport.map(|transport| json!(transport)));
    set("ssh_user", settings.ssh_user.clone().map(Value::from));
    set("install_path", settings.install_path.clone().map(Value::from));
    set("default", settings.default.map(Value::from));
    set("test", settings.test.map(Value::from));
    let policy = |succeeded| json!({ "succeeded": succeeded, "partial": settings.partial.unwrap_or(0) });
    set("success", settings.success.map(policy));
    set("visibility", settings.visibility.map(|visibility| json!(visibility)));
    set("kad_protocol", settings.kad_protocol.clone().map(Value::from));
    set("bootstrap", (!settings.bootstrap.is_empty()).then(|| json!(settings.bootstrap)));
    set("private_addresses", settings.private_addresses.map(Value::from));
    set("detail_days", settings.detail_days.map(Value::from));
    set("ports", ports_patch(settings, ports));
    set("brunet", brunet_patch(&settings.brunet));
    let secret = settings.network_secret.as_deref().map(read_text).transpose()?;
    set("network_secret", secret.map(|secret| Value::from(secret.trim())));
    Ok(Value::Object(patch))
}

fn ports_patch(settings: &SettingsArgs, ports: Ports) -> Option<Value> {
    let given = [("tcp", settings.tcp_port), ("udp", settings.udp_port), ("rpc", settings.rpc_port)];
    if given.iter().all(|(_, port)| port.is_none()) {
        return None;
    }
    let mut ports = json!(ports);
    for (name, port) in given {
        if let Some(port) = port {
            ports[name] = if port == 0 { Value::Null } else { json!(port) };
        }
    }
    Some(ports)
}

fn pool_table(pools: &[Summary]) -> String {
    if pools.is_empty() {
        return "no pools yet; make one with `p2ppool pool create NAME --hosts FILE`".to_owned();
    }
    let now = Time::now();
    let rows = pools.iter().map(|summary| {
        let totals = summary.snapshot.as_ref().map(|snapshot| &snapshot.totals);
        let nodes = totals.map_or_else(|| "-".to_owned(), |totals| format!("{}/{}", totals.answering, totals.nodes));
        let running: Vec<&str> = summary.tasks.iter().map(|task| task.action.as_str()).collect();
        vec![
            summary.pool.name.to_string(),
            summary.pool.state.as_str().to_owned(),
            format!("{}/{}", summary.hosts.running, summary.hosts.total),
            nodes,
            percent(totals.and_then(|totals| totals.consistency)),
            ago(summary.snapshot.as_ref().map(|snapshot| snapshot.started), now),
            running.join(", "),
        ]
    });
    table(
        &["pool", "state", "hosts", "nodes", "consistency", "last crawl", "tasks"],
        &["hosts", "nodes", "consistency"],
        rows,
    )
}

fn details(summary: &Summary) -> String {
    let pool = &summary.pool;
    let ports = &pool.settings.ports;
    let port = |port: Option<u16>| port.map_or_else(|| "off".to_owned(), |port| port.to_string());
    let rows = [
        ("state", pool.state.as_str().to_owned()),
        ("namespace", pool.settings.namespace.clone()),
        ("kind", pool.settings.kind.as_str().to_owned()),
        ("transport", pool.settings.transport.as_str().to_owned()),
        ("ports", format!("tcp {}, udp {}, rpc {}", port(ports.tcp), port(ports.udp), ports.rpc)),
        ("install path", pool.settings.install_path.clone()),
        ("visibility", pool.settings.visibility.as_str().to_owned()),
        ("nodes kept", format!("{} days", pool.settings.detail_days)),
        (
            "hosts",
            format!(
                "{} running, {} reachable, {} in all",
                summary.hosts.running, summary.hosts.reachable, summary.hosts.total
            ),
        ),
        ("package", pool.package.as_ref().map_or_else(|| "-".to_owned(), |digest| digest.short().to_owned())),
    ];
    let facts: String = rows.iter().map(|(name, value)| format!("{name:14}{value}\n")).collect();
    let local = summary.local_node.as_ref().map(local_node).unwrap_or_default();
    let tasks = if summary.tasks.is_empty() { String::new() } else { format!("\n{}", task_table(&summary.tasks)) };
    format!("{}\n{facts}{local}{tasks}", pool.name)
}

/// How the local node is, and what people should know of it.
fn local_node(state: &LocalState) -> String {
    let runs = if state.running { "running" } else { "not running" };
    let network = match state.network {
        Some(LocalNetwork::Own) => ", in a network namespace of its own",
        Some(LocalNetwork::Host) => ", in the network of this machine",
        None => "",
    };
    let more = state.problem.iter().chain(&state.warnings).map(|text| format!("{:14}{text}\n", ""));
    format!("{:14}{runs}{network}\n{}", "local node", more.collect::<String>())
}

/// One `KEY=VALUE`; a value that is no JSON is a text.
pub(super) fn brunet_setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE, such as runtime=bundled")?;
    let value = match key {
        "mono_min" | "runtime" => Value::from(value),
        "devices" => value.split(',').filter(|device| !device.is_empty()).collect(),
        _ => serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)),
    };
    Ok((key.to_owned(), value))
}

/// The settings as one object; `security.enabled` is a field within a field.
fn brunet_patch(given: &[(String, Value)]) -> Option<Value> {
    let mut patch = json!({});
    for (key, value) in given {
        match key.split_once('.') {
            Some((group, field)) => patch[group][field] = value.clone(),
            None => patch[key] = value.clone(),
        }
    }
    (!given.is_empty()).then_some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_sent() {
        assert_eq!(settings_patch(&SettingsArgs::default(), Ports::default()).unwrap(), json!({}));
        let args = SettingsArgs { udp_port: Some(0), test: Some(true), ..SettingsArgs::default() };
        let now = Ports { tcp: Some(7000), udp: Some(7001), rpc: 7002 };
        let patch = settings_patch(&args, now).unwrap();
        assert_eq!(patch["ports"], json!({ "tcp": 7000, "udp": null, "rpc": 7002 }));
        assert_eq!(patch["test"], json!(true));
    }

    #[test]
    fn a_pool_of_the_api_is_understood() {
        let pool = json!({
            "id": 1, "name": "demo", "state": "running", "bundle": null, "package": null, "owner": null,
            "created": "2026-11-23T09:00:00.000Z", "description": "", "namespace": "demo", "kind": "libp2p",
            "transport": "ssh", "ports": { "tcp": 1, "udp": null, "rpc": 2 }, "ssh_user": "", "install_path": "~/x",
            "default": false, "test": true, "visibility": "public", "kad_protocol": null, "bootstrap": [],
            "private_addresses": false, "hosts": { "total": 1, "reachable": 1, "running": 0 }, "snapshot": null, "tasks": [],
        });
        let summary: Summary = serde_json::from_value(pool).unwrap();
        assert!(summary.pool.settings.is_test);
        assert!(details(&summary).contains("udp off"));
    }

    #[test]
    fn brunet_settings_are_typed_by_their_key() {
        let given =
            ["runtime=bundled", "nodes_per_host=20", "security.enabled=true", "devices=eth0,eth1", "mono_min=5.2"];
        let given: Vec<_> = given.iter().map(|text| brunet_setting(text).unwrap()).collect();
        let patch = brunet_patch(&given).unwrap();
        let settings: p2ppool_model::brunet::BrunetSettings = serde_json::from_value(patch).unwrap();
        assert_eq!((settings.nodes_per_host, settings.mono_min.as_str()), (20, "5.2"));
        assert!(settings.security.enabled && settings.devices == ["eth0", "eth1"]);
        assert!(brunet_setting("runtime").is_err());
        assert_eq!(brunet_patch(&[]), None);
    }
}
