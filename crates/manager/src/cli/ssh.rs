//! `p2ppool ssh …`: agent, jump hosts, and what other SSH files say.

use std::path::Path;

use p2ppool_model::PoolName;
use p2ppool_model::host_list;
use p2ppool_model::ssh::{SshAccess, jumps};
use p2ppool_model::ssh_config::SshConfig;
use serde_json::{Value, json};

use super::args::SshCommand;
use super::client::Client;
use super::error::CliError;
use super::host::key_body;
use super::input::read_text;
use super::output::Output;

pub(super) async fn run(command: SshCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        SshCommand::Show { pool } => show(client.get_value(&format!("pools/{pool}/ssh")).await?, output),
        SshCommand::Set { pool, agent, agent_key, jump, jump_handshakes, jump_limit } => {
            let mut access: SshAccess = settings(&client.get_value(&format!("pools/{pool}/ssh")).await?)?;
            if let Some(agent) = agent {
                access.agent = agent == "yes";
            }
            if let Some(key) = agent_key {
                access.agent_key = (key != "any").then_some(key);
            }
            if let Some(jump) = jump {
                let old = std::mem::replace(&mut access.jumps, jumps(&jump).map_err(CliError::Other)?);
                for jump in &mut access.jumps {
                    let before = old.iter().find(|before| before.key() == jump.key());
                    jump.handshakes = before.and_then(|before| before.handshakes);
                }
            }
            for limit in &jump_limit {
                limit_jump(&mut access, limit)?;
            }
            access.jump_handshakes = jump_handshakes.or(access.jump_handshakes);
            show(client.put(&format!("pools/{pool}/ssh"), &access).await?, output)
        }
        SshCommand::JumpKey { pool, forget: true, jump, .. } | SshCommand::JumpKey { pool, file: None, jump, .. } => {
            client.delete(&jump_key(&pool, jump.as_deref())).await?;
            output.show(&json!({}), || match jump {
                Some(jump) => format!("{jump} is reached with the key of all jump hosts of {pool}, or the pool's own"),
                None => format!("the jump hosts of {pool} are reached with its own key"),
            })
        }
        SshCommand::JumpKey { pool, file: Some(file), jump, passphrase_file, certificate, .. } => {
            let body = key_body(&file, passphrase_file.as_deref(), certificate.as_deref())?;
            let answer: Value = client.put(&jump_key(&pool, jump.as_deref()), &body).await?;
            output.show(&answer, || {
                let key = answer["fingerprint"].as_str().unwrap_or("-");
                match jump {
                    Some(jump) => format!("{jump} is reached with {key}"),
                    None => format!("the jump hosts of {pool} are reached with {key}"),
                }
            })
        }
        SshCommand::Trust { pool, jump, key } => {
            let body = json!({ "jump": jump, "fingerprint": key });
            show(client.post(&format!("pools/{pool}/ssh/trust"), &body).await?, output)
        }
    }
}

/// The route of the key of all jump hosts, or of one.
fn jump_key(pool: &PoolName, jump: Option<&str>) -> String {
    let path = format!("pools/{pool}/ssh/jump-key");
    let Some(jump) = jump else { return path };
    format!("{path}?{}", url::form_urlencoded::Serializer::new(String::new()).append_pair("jump", jump).finish())
}

/// `HOST=N` or `HOST=default`.
fn limit_jump(access: &mut SshAccess, text: &str) -> Result<(), CliError> {
    let wrong = |why: &str| CliError::Other(format!("--jump-limit {text}: {why}"));
    let (name, limit) = text.rsplit_once('=').ok_or_else(|| wrong("must be HOST=N"))?;
    let limit = match limit {
        "default" => None,
        number => Some(number.parse().map_err(|_| wrong("N must be a number, or `default`"))?),
    };
    let key = access.jump(name).ok_or_else(|| wrong("there is no such jump host"))?.key();
    access.jumps.iter_mut().filter(|jump| jump.key() == key).for_each(|jump| jump.handshakes = limit);
    Ok(())
}

/// The part of the answer that is settings.
fn settings(answer: &Value) -> Result<SshAccess, CliError> {
    let named = ["agent", "agent_key", "jumps", "jump_handshakes"];
    let fields: serde_json::Map<String, Value> =
        named.iter().map(|name| ((*name).to_owned(), answer[*name].clone())).collect();
    serde_json::from_value(Value::Object(fields)).map_err(|error| CliError::Other(format!("the settings: {error}")))
}

fn show(answer: Value, output: Output) -> Result<(), CliError> {
    let access = settings(&answer)?;
    output.show(&answer, || {
        let keys = match (access.agent, &access.agent_key) {
            (false, _) => "the pool's key".to_owned(),
            (true, None) => "those of the manager's ssh-agent".to_owned(),
            (true, Some(key)) => format!("{key} of the manager's ssh-agent"),
        };
        let mut text = format!("keys       {keys}\n");
        let print = |key: &Value| key["fingerprint"].as_str().unwrap_or("-").to_owned();
        for (jump, keys) in access.jumps.iter().zip(answer["jump_keys"].as_array().into_iter().flatten()) {
            text.push_str(&format!("jump host  {jump}  pinned {}", print(&keys["pinned"])));
            if let Some(key) = keys["own_key"].as_str().or(answer["jump_key"].as_str()) {
                text.push_str(&format!("  reached with {key}"));
            }
            if let Some(limit) = jump.handshakes {
                text.push_str(&format!("  {limit} at once"));
            }
            if keys["shown"].is_object() {
                text.push_str(&format!("  shows {} now: see `p2ppool ssh trust`", print(&keys["shown"])));
            }
            text.push('\n');
        }
        if answer["rotation"].is_object() {
            let print = |name: &str| answer["rotation"][name].as_str().unwrap_or("-").to_owned();
            text.push_str(&format!("rotation   {} takes the place of {}: ", print("new"), print("old")));
            text.push_str(&format!("{} hosts done; go on with `p2ppool rotate-key`\n", answer["rotation"]["done"]));
        }
        text.push_str(&format!(
            "handshakes at once through a jump host without a limit of its own: {}",
            access.handshakes()
        ));
        text
    })
}

/// Prints the hosts of an SSH configuration as a host list; wrong lines go to standard error.
pub(super) async fn import(file: &Path, client: &Client, output: Output) -> Result<(), CliError> {
    let config: SshConfig = client.post_text("hosts/import", read_text(file)?).await?;
    output.show(&config, || {
        let hosts: Vec<_> = config.hosts.iter().map(|host| host.host.clone()).collect();
        let mut text = host_list::render(&hosts);
        for host in &config.hosts {
            if !host.jumps.is_empty() {
                let jumps: Vec<_> = host.jumps.iter().map(ToString::to_string).collect();
                text.push_str(&format!(
                    "# {} is behind {}: p2ppool ssh set POOL --jump {}\n",
                    host.name,
                    jumps.join(" and "),
                    jumps.join(",")
                ));
            }
            if let Some(file) = &host.identity_file {
                text.push_str(&format!("# {} uses {file}: p2ppool key set POOL {file}\n", host.name));
            }
        }
        for error in &config.errors {
            text.push_str(&format!("# {error}\n"));
        }
        text.trim_end().to_owned()
    })
}

/// Pins what a `known_hosts` file says of the pool's hosts.
pub(super) async fn known_hosts(pool: &PoolName, file: &Path, client: &Client, output: Output) -> Result<(), CliError> {
    let answer: Value = client.put_text(&format!("pools/{pool}/known-hosts"), read_text(file)?).await?;
    output.show(&answer, || {
        let list = |name: &str| answer[name].as_array().map_or(0, Vec::len);
        let mut text = format!(
            "{} pinned, {} as before, {} different, {} not in the file",
            list("pinned"),
            answer["unchanged"],
            list("different"),
            list("unknown")
        );
        for one in answer["different"].as_array().into_iter().flatten() {
            let field = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
            text.push_str(&format!(
                "\n{}: pinned is {}, the file has {}",
                field("host"),
                field("pinned"),
                field("listed")
            ));
        }
        for error in answer["errors"].as_array().into_iter().flatten() {
            text.push_str(&format!("\nline {}: {}", error["line"], error["reason"].as_str().unwrap_or("-")));
        }
        text
    })
}
