//! `p2ppool bundle …`

use p2ppool_model::Time;
use p2ppool_model::bundle::Bundle;

use super::args::BundleCommand;
use super::client::Client;
use super::error::CliError;
use super::output::{Output, ago, bytes, known, table};

pub(super) async fn run(command: BundleCommand, client: &Client, output: Output) -> Result<(), CliError> {
    let bundles: Vec<Bundle> = match command {
        BundleCommand::Upload { file } => vec![super::action::upload(&file, client).await?],
        BundleCommand::List => client.get("bundles").await?,
    };
    output.show(&bundles, || {
        let now = Time::now();
        let rows = bundles.iter().map(|bundle| {
            vec![
                bundle.digest.short().to_owned(),
                bundle.name.clone(),
                bundle.kind.as_str().to_owned(),
                bytes(Some(bundle.size)),
                bundle.files.len().to_string(),
                known(bundle.version.clone()),
                known(bundle.arch.clone()),
                ago(Some(bundle.created), now),
            ]
        });
        table(&["digest", "name", "kind", "size", "files", "version", "arch", "uploaded"], &["size", "files"], rows)
    })
}
