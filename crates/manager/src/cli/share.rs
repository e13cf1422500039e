//! `p2ppool share …` and `p2ppool view …`

use std::time::Duration;

use p2ppool_model::Time;
use serde_json::{Value, json};

use super::args::{ShareArgs, ShareCommand, ViewArgs, ViewCommand, ViewOf};
use super::client::Client;
use super::error::CliError;
use super::output::{Output, table};

pub(super) async fn run(command: ShareCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        ShareCommand::List { pool } => {
            let shares: Vec<Value> = client.get(&format!("pools/{pool}/shares")).await?;
            output.show(&shares, || list(&shares, &Time::now()))
        }
        ShareCommand::Create(args) => create(args, client, output).await,
        ShareCommand::Revoke { pool, id } => {
            client.delete(&format!("pools/{pool}/shares/{id}")).await?;
            output.show(&json!({ "revoked": id }), || format!("share link {id} revoked"))
        }
    }
}

async fn create(args: ShareArgs, client: &Client, output: Output) -> Result<(), CliError> {
    let ShareArgs { pool, name, view, from, to, hosts, places, namespace, embed, days } = args;
    let expires = days.map(|days| Time::now().plus(Duration::from_secs(u64::from(days) * 24 * 3600)));
    let body = json!({
        "name": name, "views": view, "from": from, "to": to, "hosts": hosts, "places": places,
        "namespaces": namespace, "embed": embed, "expires": expires,
    });
    let mut made: Value = client.post(&format!("pools/{pool}/shares"), &body).await?;
    let page = format!("{}/share/{}", client.server(), text(&made["token"]));
    made["url"] = Value::from(page.as_str());
    output.show(&made, || format!("{page}\n(shown only now; `p2ppool share revoke {pool} {}` ends it)", made["id"]))
}

fn list(shares: &[Value], now: &Time) -> String {
    let rows = shares.iter().map(|share| {
        let views: Vec<String> = share["views"].as_array().into_iter().flatten().map(text).collect();
        let over = |at: &Value| at.as_str().and_then(|at| at.parse::<Time>().ok()).is_some_and(|at| at <= *now);
        let state = match (share["revoked"].is_null(), over(&share["expires"])) {
            (false, _) => "revoked",
            (true, true) => "expired",
            (true, false) => "",
        };
        vec![
            share["id"].to_string(),
            text(&share["name"]),
            views.join(","),
            text(&share["created_by"]),
            text(&share["expires"]),
            share["opened"].to_string(),
            state.to_owned(),
        ]
    });
    table(&["id", "name", "shows", "made by", "expires", "opened", ""], &["id", "opened"], rows)
}

pub(super) async fn run_view(command: ViewCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        ViewCommand::Show(of) => shown(client.get_value(&path(&of, false)).await?, output),
        ViewCommand::Set { of, own, settings } => shown(client.put(&path(&of, own), &wanted(&settings)).await?, output),
        ViewCommand::Reset { of, own } => {
            client.delete(&path(&of, own)).await?;
            shown(client.get_value(&path(&of, false)).await?, output)
        }
    }
}

fn path(of: &ViewOf, own: bool) -> String {
    let ViewOf { pool, view } = of;
    if own { format!("me/views/{pool}/{view}") } else { format!("pools/{pool}/views/{view}") }
}

fn wanted(args: &ViewArgs) -> Value {
    let ViewArgs { columns, sort, order, range, .. } = args;
    json!({ "columns": columns, "sort": sort, "order": order, "filters": args.filters(), "range": range })
}

fn shown(choice: Value, output: Output) -> Result<(), CliError> {
    output.show(&choice, || {
        let line = |who: &str, settings: &Value| match settings {
            Value::Null => format!("{who:12}as the program has it\n"),
            settings => format!("{who:12}{}\n", words(settings)),
        };
        line("everybody", &choice["pool"])
            + &line("you", if choice["own"].is_null() { &choice["pool"] } else { &choice["own"] })
    })
}

fn words(settings: &Value) -> String {
    let mut words = Vec::new();
    if let Some(columns) = settings["columns"].as_array() {
        words.push(format!("columns {}", columns.iter().map(text).collect::<Vec<_>>().join(",")));
    }
    if let Some(sort) = settings["sort"].as_str() {
        words.push(format!("by {sort} {}", text(&settings["order"])).trim_end().to_owned());
    }
    for (name, value) in settings["filters"].as_object().into_iter().flatten() {
        words.push(format!("{name}={}", text(value)));
    }
    if let Some(range) = settings["range"].as_str() {
        words.push(format!("range {range}"));
    }
    words.join("; ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
