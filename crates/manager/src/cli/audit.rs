//! `p2ppool audit`

use serde_json::Value;

use super::args::AuditArgs;
use super::client::Client;
use super::error::CliError;
use super::output::{Output, table};

pub(super) async fn run(args: AuditArgs, client: &Client, output: Output) -> Result<(), CliError> {
    let query = query(&args);
    if args.csv {
        return output.line(&client.get_text(&format!("audit.csv?{query}")).await?);
    }
    let lines: Value = client.get(&format!("audit?{query}&limit={}", args.limit)).await?;
    output.show(&lines, || {
        let text = |line: &Value, field: &str| line[field].as_str().unwrap_or("-").to_owned();
        let rows = lines["items"].as_array().into_iter().flatten().map(|line| {
            ["at", "who", "action", "subject", "result", "address"].map(|field| text(line, field)).to_vec()
        });
        table(&["at", "who", "action", "on", "result", "from"], &[], rows)
    })
}

fn query(args: &AuditArgs) -> String {
    let pool = args.pool.as_ref().map(ToString::to_string);
    let result = args.result.map(|result| result.as_str().to_owned());
    let pairs = [
        ("who", &args.who),
        ("action", &args.action),
        ("pool", &pool),
        ("result", &result),
        ("from", &args.from),
        ("to", &args.to),
        ("q", &args.query),
    ];
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            text.append_pair(name, value);
        }
    }
    text.finish()
}
