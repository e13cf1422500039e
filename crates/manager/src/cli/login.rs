//! `p2ppool login`, `logout` and `token …`: an API token per manager, kept in the user's own folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use p2ppool_model::Time;
use serde_json::{Value, json};

use super::args::{LoginArgs, TokenCommand};
use super::client::Client;
use super::error::CliError;
use super::input::read_text;
use super::output::{Output, known, table};

/// Tokens by manager address.
type Kept = BTreeMap<String, String>;

/// Logs in, makes an API token and keeps it.
pub(super) async fn login(args: LoginArgs, client: &Client, output: Output) -> Result<(), CliError> {
    let password = match &args.password_file {
        Some(file) => read_text(file)?.trim_end_matches(['\r', '\n']).to_owned(),
        None => ask_password(&args.name)?,
    };
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let purpose = format!("command line on {}", machine.trim());
    let cookie = client.login(&args.name, &password, args.code.as_deref()).await?;
    let token = token_by(client, &cookie, &purpose).await?;
    let mut kept = read_kept()?;
    kept.insert(client.server().to_owned(), token);
    let file = write_kept(&kept)?;
    output.show(&json!({ "logged_in": args.name }), || {
        format!("logged in as {}; the token is kept in {}", args.name, file.display())
    })
}

/// Makes an API token with a name and password.
pub(super) async fn new_token(client: &Client, name: &str, password: &str, purpose: &str) -> Result<String, CliError> {
    let cookie = client.login(name, password, None).await?;
    token_by(client, &cookie, purpose).await
}

async fn token_by(client: &Client, cookie: &str, purpose: &str) -> Result<String, CliError> {
    let answer: Result<Value, CliError> = client.post_with_cookie("tokens", cookie, &json!({ "name": purpose })).await;
    let answer = match answer {
        // the former login's token may still be in use elsewhere: this one gets a name of its own
        Err(CliError::Refused { status: 409, .. }) => {
            let purpose = format!("{purpose}, {}", p2ppool_model::Time::now());
            client.post_with_cookie("tokens", cookie, &json!({ "name": purpose })).await?
        }
        answer => answer?,
    };
    match answer["token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => Err(CliError::BadAnswer { path: "tokens".to_owned(), reason: "no token in it".to_owned() }),
    }
}

/// Forgets the token of this manager.
pub(super) fn logout(client: &Client) -> Result<(), CliError> {
    let mut kept = read_kept()?;
    if kept.remove(client.server()).is_some() {
        write_kept(&kept)?;
    }
    Ok(())
}

/// The token that was kept for this manager.
pub(super) fn kept_token(server: &str) -> Result<Option<String>, CliError> {
    Ok(read_kept()?.remove(server))
}

pub(super) async fn run_token(command: TokenCommand, client: &Client, output: Output) -> Result<(), CliError> {
    match command {
        TokenCommand::Create { name, role, pool, days } => {
            let pools = Some(pool).filter(|pools| !pools.is_empty());
            let expires = days.map(|days| Time::now().plus(Duration::from_secs(u64::from(days) * 24 * 3600)));
            let body = json!({ "name": name, "role": role, "pools": pools, "expires": expires });
            let answer: Value = client.post("tokens", &body).await?;
            output.show(&answer, || answer["token"].as_str().unwrap_or_default().to_owned())
        }
        TokenCommand::List => {
            let tokens: Vec<Value> = client.get("tokens").await?;
            output.show(&tokens, || {
                let rows = tokens.iter().map(|token| {
                    ["id", "name", "role", "expires", "last_used"]
                        .map(|field| match &token[field] {
                            Value::Null => known::<String>(None),
                            Value::String(text) => text.clone(),
                            other => other.to_string(),
                        })
                        .to_vec()
                });
                table(&["id", "name", "role", "expires", "last used"], &["id"], rows)
            })
        }
        TokenCommand::Revoke { id } => {
            client.delete(&format!("tokens/{id}")).await?;
            output.show(&json!({ "revoked": id }), || format!("token {id} revoked"))
        }
    }
}

/// Asks at the terminal, without echo.
pub(super) fn ask_password(name: &str) -> Result<String, CliError> {
    eprint!("password of {name}: ");
    let echo = Echo::off();
    let mut line = String::new();
    let result = std::io::stdin().read_line(&mut line);
    drop(echo);
    eprintln!();
    result?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Switches the terminal's echo off while it lives. `stty` does it, as the terminal calls of libc need
/// unsafe code; without a terminal it does nothing.
struct Echo;

impl Echo {
    fn off() -> Self {
        stty("-echo");
        Self
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        stty("echo");
    }
}

fn stty(mode: &str) {
    let _ = std::process::Command::new("stty").arg(mode).stderr(std::process::Stdio::null()).status();
}

fn kept_file() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = config.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(folder.join("p2ppool").join("tokens.json"))
}

fn read_kept() -> Result<Kept, CliError> {
    let Some(file) = kept_file() else { return Ok(Kept::new()) };
    match std::fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|error| CliError::Other(format!("{}: {error}; delete it and log in again", file.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::new()),
        Err(error) => Err(CliError::file(&file, error)),
    }
}

/// Writes beside the file and renames, so that an interrupted login loses no other manager's token.
fn write_kept(kept: &Kept) -> Result<PathBuf, CliError> {
    let file = kept_file().ok_or_else(|| CliError::Other("neither XDG_CONFIG_HOME nor HOME is set".to_owned()))?;
    let fail = |error| CliError::file(&file, error);
    if let Some(folder) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
    }
    let beside = file.with_extension("new");
    let _ = std::fs::remove_file(&beside);
    let mut open = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(fail)?;
    open.write_all(&serde_json::to_vec_pretty(kept).map_err(|error| fail(error.into()))?).map_err(fail)?;
    std::fs::rename(&beside, &file).map_err(fail)?;
    Ok(file)
}
