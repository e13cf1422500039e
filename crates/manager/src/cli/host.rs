//! `p2ppool host …` and `p2ppool key …`

use std::path::Path;

use p2ppool_model::host::Host;
use p2ppool_model::{PoolName, Time};
use serde_json::{Value, json};

use super::args::{HostCommand, KeyCommand};
use super::client::Client;
use super::error::CliError;
use super::input::read_text;
use super::output::{Output, ago, bytes, known, table};
use super::task::Page;

pub(super) async fn run(command: HostCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        HostCommand::List { pool, query, limit } => {
            let page = hosts(&pool, query.as_deref().unwrap_or_default(), limit, client).await?;
            output.show(&page, || host_table(&page))
        }
        HostCommand::Set { pool, file } => {
            let answer: Value = client.put_text(&format!("pools/{pool}/hosts"), read_text(&file)?).await?;
            output.show(&answer, || {
                let count = |name: &str| match &answer[name] {
                    Value::Array(items) => items.len().to_string(),
                    other => other.to_string(),
                };
                let (added, kept, leaving) = (count("added"), count("kept"), count("leaving"));
                format!(
                    "{added} added, {kept} kept, {leaving} leaving; it reaches the hosts with `p2ppool upgrade {pool}`"
                )
            })
        }
        HostCommand::Import { file } => super::ssh::import(&file, client, output).await,
        HostCommand::KnownHosts { pool, file } => super::ssh::known_hosts(&pool, &file, client, output).await,
        HostCommand::Trust { pool, host, key } => trust(&pool, &host, key, client, output).await,
    }
}

pub(super) async fn run_key(command: KeyCommand, client: &Client, output: Output) -> Result<(), CliError> {
    let (pool, answer): (PoolName, Value) = match command {
        KeyCommand::Set { pool, file, passphrase_file, certificate } => {
            let body = key_body(&file, passphrase_file.as_deref(), certificate.as_deref())?;
            let answer = client.put(&format!("pools/{pool}/key"), &body).await?;
            (pool, answer)
        }
        KeyCommand::Generate { pool } => {
            let answer = client.post(&format!("pools/{pool}/key/generate"), &json!({})).await?;
            (pool, answer)
        }
    };
    output.show(&answer, || {
        let text = |name: &str| answer[name].as_str().unwrap_or("-").to_owned();
        format!(
            "{pool} reaches its hosts with the {} key {}\nline for ~/.ssh/authorized_keys on the hosts:\n{}",
            text("algorithm"),
            text("fingerprint"),
            text("public_key")
        )
    })
}

/// A private key file and the files with its passphrase and its certificate, as the API takes them.
pub(super) fn key_body(file: &Path, passphrase: Option<&Path>, certificate: Option<&Path>) -> Result<Value, CliError> {
    let mut body = json!({ "key": read_text(file)? });
    if let Some(passphrase) = passphrase {
        body["passphrase"] = Value::from(read_text(passphrase)?.trim_end_matches(['\r', '\n']));
    }
    if let Some(certificate) = certificate {
        body["certificate"] = Value::from(read_text(certificate)?);
    }
    Ok(body)
}

async fn hosts(pool: &PoolName, query: &str, limit: u32, client: &Client) -> Result<Page<Host>, CliError> {
    let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    client.get(&format!("pools/{pool}/hosts?q={query}&limit={limit}")).await
}

/// The host of a pool with this address.
pub(super) async fn named(pool: &PoolName, address: &str, client: &Client) -> Result<Host, CliError> {
    let page = hosts(pool, address, 1000, client).await?;
    let named = |host: &Host| host.spec.address == address || host.spec.display() == address;
    page.items
        .into_iter()
        .find(named)
        .ok_or_else(|| CliError::Other(format!("{pool} has no host `{address}`; see `p2ppool host list {pool}`")))
}

async fn trust(
    pool: &PoolName,
    address: &str,
    fingerprint: Option<String>,
    client: &Client,
    output: Output,
) -> Result<(), CliError> {
    let host = named(pool, address, client).await?;
    let path = format!("pools/{pool}/hosts/{}", host.id);
    let Some(fingerprint) = fingerprint else {
        let keys = client.get_value(&format!("{path}/key")).await?;
        return output.show(&keys, || key_text(pool, address, &keys));
    };
    let answer: Value = client.post(&format!("{path}/trust"), &json!({ "fingerprint": fingerprint })).await?;
    output.show(&answer, || format!("{address} is trusted with {fingerprint}"))
}

fn key_text(pool: &PoolName, address: &str, keys: &Value) -> String {
    let line = |name: &str, when: &str| match (keys[name]["fingerprint"].as_str(), keys[name]["since"].as_str()) {
        (Some(fingerprint), Some(since)) => format!("{name:8}{fingerprint}  {when} {since}\n"),
        _ => format!("{name:8}-\n"),
    };
    let both = line("pinned", "since") + &line("shown", "at");
    match keys["shown"]["fingerprint"].as_str() {
        Some(shown) if keys["pinned"]["fingerprint"] != keys["shown"]["fingerprint"] => {
            format!("{address}\n{both}if the new key is right: p2ppool host trust {pool} {address} --key {shown}")
        }
        _ => format!("{address}\n{both}"),
    }
}

fn host_table(page: &Page<Host>) -> String {
    let now = Time::now();
    let yes_no = |claim: Option<bool>| claim.map_or("-", |claim| if claim { "yes" } else { "no" }).to_owned();
    let rows = page.items.iter().map(|host| {
        let facts = &host.known;
        vec![
            host.spec.display(),
            yes_no(facts.reachable),
            yes_no(facts.running),
            known(facts.package.as_ref().map(|digest| digest.short())),
            bytes(facts.node_memory),
            known(facts.load),
            ago(facts.at, now),
            if host.leaving { "leaving".to_owned() } else { facts.problem.clone().unwrap_or_default() },
        ]
    });
    let head = ["host", "reachable", "running", "package", "memory", "load", "seen", "remark"];
    format!("{}\n{} of {} hosts", table(&head, &["memory", "load"], rows), page.items.len(), page.total)
}
