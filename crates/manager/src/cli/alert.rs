//! `p2ppool alert …`

use p2ppool_model::Time;
use p2ppool_model::alert::{Alert, AlertRule};
use serde_json::{Value, json};

use super::args::AlertCommand;
use super::client::Client;
use super::error::CliError;
use super::output::{Output, ago, known, table};
use super::task::Page;

pub(super) async fn run(command: AlertCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        AlertCommand::List { pool, state, limit } => {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("limit", &limit.to_string());
            if let Some(pool) = pool {
                query.append_pair("pool", pool.as_str());
            }
            if let Some(state) = state {
                query.append_pair("state", state.as_str());
            }
            let page: Page<Alert> = client.get(&format!("alerts?{}", query.finish())).await?;
            output.show(&page, || list(&page.items))
        }
        AlertCommand::Acknowledge { id, comment } => {
            let alert: Alert = client.post(&format!("alerts/{id}/acknowledge"), &json!({ "comment": comment })).await?;
            output.show(&alert, || list(std::slice::from_ref(&alert)))
        }
        AlertCommand::Rules { pool } => {
            let rules: Vec<AlertRule> = client.get(&format!("pools/{pool}/alert-rules")).await?;
            output.show(&rules, || {
                let rows = rules.iter().map(|rule| {
                    let condition = serde_json::to_string(&rule.condition).unwrap_or_default();
                    let targets: Vec<String> = rule.targets.iter().map(ToString::to_string).collect();
                    let on = if rule.enabled { "on" } else { "off" };
                    vec![rule.id.to_string(), rule.name.clone(), on.to_owned(), targets.join(","), condition]
                });
                table(&["id", "name", "on", "targets", "condition"], &["id"], rows)
            })
        }
        AlertCommand::Targets => targets(&client.get_value("alert-targets").await?, output),
        AlertCommand::Test { id } => {
            let result: Value = client.post(&format!("alert-targets/{id}/test"), &json!({})).await?;
            if result["delivered"] == json!(true) {
                return output.show(&result, || "delivered".to_owned());
            }
            Err(CliError::Other(format!("alert target {id}: {}", result["error"].as_str().unwrap_or("not delivered"))))
        }
    }
}

fn list(alerts: &[Alert]) -> String {
    let now = Time::now();
    let rows = alerts.iter().map(|alert| {
        vec![
            alert.id.to_string(),
            alert.state.as_str().to_owned(),
            alert.pool_name.to_string(),
            alert.rule_name.clone(),
            alert.text.clone(),
            ago(Some(alert.since), now),
            known(alert.acknowledged_by.clone()),
        ]
    });
    table(&["id", "state", "pool", "rule", "what", "since", "seen by"], &["id"], rows)
}

fn targets(states: &Value, output: Output) -> Result<(), CliError> {
    output.show(states, || {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let rows = states.as_array().into_iter().flatten().map(|state| {
            let settings = &state["settings"];
            let place =
                if settings["kind"] == json!("mail") { settings["to"].to_string() } else { text(&settings["url"]) };
            vec![
                state["id"].to_string(),
                text(&state["name"]),
                text(&settings["kind"]),
                place,
                state["waiting"].to_string(),
                state["lost"].to_string(),
                text(&state["error"]),
            ]
        });
        table(&["id", "name", "kind", "where", "waiting", "lost", "error"], &["id", "waiting", "lost"], rows)
    })
}
