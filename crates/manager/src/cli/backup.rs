//! `p2ppool backup`, `p2ppool restore`, `p2ppool secrets`: on the manager's own machine.

use std::path::Path;

use age::secrecy::SecretString;
use p2ppool_store::Store;

use super::args::{BackupArgs, RestoreArgs, SecretsCommand};
use super::error::CliError;
use super::output::Output;
use super::serve::config;
use crate::backup::{self, Opening, Sealing};
use crate::folders::Folders;
use crate::secrets::Secrets;

/// Largest file with a passphrase or identities, bytes.
const SECRET_FILE_MAX: u64 = 64 * 1024;

/// Writes everything into one file, while the manager works.
pub(super) async fn backup(args: BackupArgs, output: Output) -> Result<(), CliError> {
    let config = config(args.manager.settings, args.manager.config)?;
    let sealing = match &args.passphrase_file {
        Some(file) => Sealing::Passphrase(passphrase(file)?),
        None if args.recipient.is_empty() => Sealing::Open,
        None => Sealing::recipients(&args.recipient).map_err(CliError::other)?,
    };
    let made = backup::make(&config, &args.file, sealing).await.map_err(CliError::other)?;
    output.show(&made, || {
        let mut text = format!("{}: {} files, {} bytes", made.path.display(), made.files, made.size);
        if !made.has_key {
            text.push_str("\nThe key file lies outside the data folder and is not in it: keep a copy of it elsewhere.");
        } else if !made.sealed {
            text.push_str("\nIt holds the key that opens every secret; keep it safe, or seal it (--recipient, --passphrase-file).");
        }
        text
    })
}

/// Makes a manager from a backup.
pub(super) async fn restore(args: RestoreArgs, output: Output) -> Result<(), CliError> {
    let config = config(args.manager.settings, args.manager.config)?;
    let opening = match (&args.passphrase_file, &args.identity) {
        (Some(file), _) => Opening::Passphrase(passphrase(file)?),
        (None, Some(file)) => Opening::identities(&read(file)?).map_err(CliError::other)?,
        (None, None) => Opening::Open,
    };
    let restored = backup::restore(&args.file, &config, opening).await.map_err(CliError::other)?;
    output.show(&restored, || {
        let mut text = format!(
            "{}: {} files, {} pools, as of {}",
            restored.data.display(),
            restored.files,
            restored.pools,
            restored.manifest.created
        );
        if !restored.manifest.has_key {
            text.push_str(
                "\nThe backup has no key file: put yours in place (P2PPOOL_KEY_FILE) before `p2ppool serve`.",
            );
        }
        text
    })
}

/// Works on key file and database directly; the manager may run meanwhile.
pub(super) async fn secrets(command: SecretsCommand, output: Output) -> Result<(), CliError> {
    let SecretsCommand::Rotate { manager } = command;
    let config = config(manager.settings, manager.config)?;
    let key = crate::secrets::key_file(&Folders::at(&config.data).secret_key());
    std::fs::metadata(&key).map_err(|error| CliError::file(&key, error))?;
    let secrets = Secrets::load_or_create(&key).map_err(CliError::other)?;
    let store = Store::open(&config.database).await.map_err(CliError::other)?;
    let rotated = secrets.rotate(&store).await;
    store.close().await;
    let rotated = rotated.map_err(CliError::other)?;
    output.show(&rotated, || format!("{}: a new key; {} secrets sealed again", key.display(), rotated.secrets))
}

fn passphrase(file: &Path) -> Result<SecretString, CliError> {
    let text = read(file)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(CliError::Other(format!("{}: its first line is the passphrase, and it is empty", file.display())));
    }
    Ok(SecretString::from(line.to_owned()))
}

fn read(file: &Path) -> Result<String, CliError> {
    let fail = |error| CliError::file(file, error);
    if std::fs::metadata(file).map_err(fail)?.len() > SECRET_FILE_MAX {
        return Err(CliError::Other(format!("{}: larger than {SECRET_FILE_MAX} bytes", file.display())));
    }
    std::fs::read_to_string(file).map_err(fail)
}
