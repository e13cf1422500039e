//! `p2ppool map`

use clap::Args;
use serde_json::{Value, json};

use super::client::Client;
use super::error::CliError;
use super::output::{Output, known, table};

/// How maps are drawn below their points; what isn't given stays as it is.
#[derive(Debug, Args)]
pub(super) struct MapArgs {
    /// Address of a picture tile, with `{z}`, `{x}` and `{y}`; `none`: only what the manager itself serves
    #[arg(long, value_name = "URL")]
    tiles: Option<String>,
    /// Whom to thank for the tiles
    #[arg(long, value_name = "TEXT")]
    attribution: Option<String>,
    /// Where the attribution links to, or `none`
    #[arg(long, value_name = "URL")]
    attribution_url: Option<String>,
    /// The largest zoom that there are tiles for, 1 to 22
    #[arg(long, value_name = "N")]
    zoom_max: Option<u8>,
    /// Don't draw the borders of countries
    #[arg(long, value_name = "true|false")]
    hide_borders: Option<bool>,
}

/// Shows how maps are drawn, after changing what is given.
pub(super) async fn run(args: MapArgs, client: &Client, output: Output) -> Result<(), CliError> {
    let or_none = |text: String| if text == "none" { Value::Null } else { json!(text) };
    let given = [
        ("tiles", args.tiles.map(or_none)),
        ("attribution", args.attribution.map(Value::from)),
        ("attribution_url", args.attribution_url.map(or_none)),
        ("zoom_max", args.zoom_max.map(Value::from)),
        ("hide_borders", args.hide_borders.map(Value::from)),
    ];
    let mut settings = client.get_value("settings/map").await?;
    if given.iter().any(|(_, value)| value.is_some()) {
        for (name, value) in given {
            if let Some(value) = value {
                settings[name] = value;
            }
        }
        settings = client.put("settings/map", &settings).await?;
    }
    output.show(&settings, || {
        let text = |name: &str| known(settings[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned));
        let rows = [
            ["tiles".to_owned(), text("tiles")],
            ["attribution".to_owned(), text("attribution")],
            ["attribution links to".to_owned(), text("attribution_url")],
            ["largest zoom".to_owned(), settings["zoom_max"].to_string()],
            [
                "borders of countries".to_owned(),
                if settings["hide_borders"] == true { "hidden" } else { "drawn" }.into(),
            ],
        ];
        table(&["maps", ""], &[], rows.map(Vec::from))
    })
}
