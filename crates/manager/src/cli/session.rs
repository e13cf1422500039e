//! `p2ppool session …` and `p2ppool totp …`: one's own account.

use std::path::Path;

use serde_json::{Value, json};

use super::args::{SessionCommand, TotpCommand};
use super::client::Client;
use super::error::CliError;
use super::input::read_text;
use super::login::ask_password;
use super::output::{Output, table};

pub(super) async fn run(command: SessionCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        SessionCommand::List => {
            let sessions: Vec<Value> = client.get("sessions").await?;
            output.show(&sessions, || {
                let rows = sessions.iter().map(|session| {
                    let text = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
                    vec![session["id"].to_string(), text("created"), text("last_seen"), text("address"), text("agent")]
                });
                table(&["id", "login", "last used", "address", "browser"], &["id"], rows)
            })
        }
        SessionCommand::End { id: Some(id), .. } => {
            client.delete(&format!("sessions/{id}")).await?;
            output.show(&json!({ "ended": 1 }), || format!("session {id} ended"))
        }
        SessionCommand::End { id: None, .. } => {
            let answer: Value = client.delete_for("sessions").await?;
            output.show(&answer, || format!("{} sessions ended", answer["ended"]))
        }
    }
}

pub(super) async fn run_totp(command: TotpCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        TotpCommand::Show => {
            let state = client.get_value("me/totp").await?;
            output.show(&state, || match state["enabled"].as_bool() {
                Some(true) => {
                    format!("a second factor is asked for; {} recovery codes are left", state["recovery_codes"])
                }
                _ => "no second factor; `p2ppool totp begin` sets one up".to_owned(),
            })
        }
        TotpCommand::Begin { password_file } => {
            let body = json!({ "password": password(client, password_file.as_deref()).await? });
            let begun: Value = client.post("me/totp", &body).await?;
            output.show(&begun, || {
                let text = |name: &str| begun[name].as_str().unwrap_or_default().to_owned();
                format!(
                    "secret for the app  {}\nas an address       {}\nthen: p2ppool totp confirm CODE",
                    text("secret"),
                    text("url")
                )
            })
        }
        TotpCommand::Confirm { code } => {
            let answer: Value = client.post("me/totp/confirm", &json!({ "code": code })).await?;
            output.show(&answer, || {
                let codes = answer["recovery_codes"].as_array().into_iter().flatten();
                let codes: Vec<&str> = codes.filter_map(Value::as_str).collect();
                format!("recovery codes, shown only now; each works once:\n{}", codes.join("\n"))
            })
        }
        TotpCommand::End { password_file } => {
            let body = json!({ "password": password(client, password_file.as_deref()).await? });
            client.post_for_nothing("me/totp/end", &body).await?;
            output.show(&json!({ "enabled": false }), || "no second factor any more".to_owned())
        }
    }
}

async fn password(client: &Client, file: Option<&Path>) -> Result<String, CliError> {
    if let Some(file) = file {
        return Ok(read_text(file)?.trim_end_matches(['\r', '\n']).to_owned());
    }
    let me = client.get_value("me").await?;
    ask_password(me["user"]["name"].as_str().unwrap_or("the account"))
}
