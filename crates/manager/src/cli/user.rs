//! `p2ppool user …` of a running manager, and who may do what with a pool.

use p2ppool_model::{PoolName, Time};
use serde_json::{Value, json};

use super::args::{GrantArg, UserCommand};
use super::client::Client;
use super::error::CliError;
use super::input::{confirm, read_text};
use super::output::{Output, ago, table};

pub(super) async fn run(command: UserCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        UserCommand::List => {
            let users: Vec<Value> = client.get("users").await?;
            let now = Time::now();
            output.show(&users, || {
                let rows = users.iter().map(|user| {
                    let state = if user["disabled"] == true { "locked out" } else { "" };
                    let pools = user["pools"].as_array().map_or(&[][..], Vec::as_slice).iter();
                    let pools = pools.map(|one| format!("{} ({})", text(&one["pool"]), text(&one["right"])));
                    vec![
                        text(&user["name"]),
                        text(&user["role"]),
                        pools.collect::<Vec<_>>().join(", "),
                        ago(user["last_seen"].as_str().and_then(|at| at.parse().ok()), now),
                        user["tokens"].to_string(),
                        state.to_owned(),
                    ]
                });
                table(&["name", "role", "pools", "last seen", "tokens", ""], &["tokens"], rows)
            })
        }
        UserCommand::Create { name, role, password_file } => {
            let password = password_file.as_deref().map(read_text).transpose()?;
            let password = password.as_deref().map(|text| text.trim_end_matches(['\r', '\n']));
            let body = json!({ "name": name, "role": role, "password": password });
            let made: Value = client.post("users", &body).await?;
            output.show(&made, || match made["password"].as_str() {
                Some(password) => format!("made {name}; password {password}   (shown only now)"),
                None => format!("made {name}"),
            })
        }
        UserCommand::Edit { name, role } => change(client, output, &name, json!({ "role": role })).await,
        UserCommand::Disable { name } => change(client, output, &name, json!({ "disabled": true })).await,
        UserCommand::Enable { name } => change(client, output, &name, json!({ "disabled": false })).await,
        UserCommand::Delete { name, yes } => {
            let id = id_of(client, &name).await?;
            if !yes {
                confirm(&format!("This deletes the account {name} with its tokens; its pools stay."), &name)?;
            }
            client.delete(&format!("users/{id}")).await?;
            output.show(&json!({ "deleted": name }), || format!("deleted {name}"))
        }
        UserCommand::ResetPassword { .. } => unreachable!("handled before a client was made"),
    }
}

async fn change(client: &Client, output: Output, name: &str, edit: Value) -> Result<(), CliError> {
    let id = id_of(client, name).await?;
    let user: Value = client.patch(&format!("users/{id}"), &edit).await?;
    output.show(&user, || {
        let state = if user["disabled"] == true { ", locked out" } else { "" };
        format!("{name}: {}{state}", text(&user["role"]))
    })
}

async fn id_of(client: &Client, name: &str) -> Result<i64, CliError> {
    let users: Vec<Value> = client.get("users").await?;
    let wanted = name.to_lowercase();
    let found = users.iter().find(|user| user["name"].as_str().is_some_and(|name| name.to_lowercase() == wanted));
    found
        .and_then(|user| user["id"].as_i64())
        .ok_or_else(|| CliError::Other(format!("there is no account {name}; `p2ppool user list` names all")))
}

/// Lists who was given what on a pool.
pub(super) async fn grants(pool: &PoolName, client: &Client, output: Output) -> Result<(), CliError> {
    let grants: Vec<Value> = client.get(&format!("pools/{pool}/grants")).await?;
    output.show(&grants, || grant_table(&grants))
}

/// Gives a right on a pool, or takes it back.
pub(super) async fn grant(
    pool: &PoolName,
    user: &str,
    grant: GrantArg,
    client: &Client,
    output: Output,
) -> Result<(), CliError> {
    let path = format!("pools/{pool}/grants");
    let grants: Vec<Value> = match grant {
        GrantArg::None => {
            let grants: Vec<Value> = client.get(&path).await?;
            let wanted = user.to_lowercase();
            let theirs = grants.iter().find(|g| g["name"].as_str().is_some_and(|name| name.to_lowercase() == wanted));
            let Some(id) = theirs.and_then(|grant| grant["user"].as_i64()) else {
                return Err(CliError::Other(format!("{user} has no grant on {pool}")));
            };
            client.delete(&format!("{path}/{id}")).await?;
            client.get(&path).await?
        }
        GrantArg::See => client.put(&path, &json!({ "user": user, "grant": "see" })).await?,
        GrantArg::Manage => client.put(&path, &json!({ "user": user, "grant": "manage" })).await?,
    };
    output.show(&grants, || grant_table(&grants))
}

/// Gives a pool to another person.
pub(super) async fn give(pool: &PoolName, user: &str, client: &Client, output: Output) -> Result<(), CliError> {
    let owner: Value = client.put(&format!("pools/{pool}/owner"), &json!({ "user": user })).await?;
    output.show(&owner, || format!("{pool} belongs to {} now", text(&owner["name"])))
}

fn grant_table(grants: &[Value]) -> String {
    let rows =
        grants.iter().map(|g| vec![text(&g["name"]), text(&g["grant"]), text(&g["given_by"]), text(&g["given"])]);
    table(&["name", "may", "given by", "at"], &[], rows)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
