//! `p2ppool serve` and `p2ppool user …`: the manager itself.

use std::path::PathBuf;

use p2ppool_store::Store;
use tokio_util::sync::CancellationToken;

use super::args::{ServeArgs, UserCommand};
use super::error::CliError;
use super::output::Output;
use crate::accounts::{Passwords, Secret};
use crate::app::{self, App, FirstAccount};
use crate::config::{Config, Settings};
use crate::folders::Folders;
use crate::service;

/// Serves until SIGINT or SIGTERM.
pub(super) async fn serve(args: ServeArgs) -> Result<(), CliError> {
    log_to_stderr();
    let config = config(args.settings, args.config)?;
    let listener = app::listen(&config).await?;
    let address = listener.local_addr()?;
    let (app, first) = App::open(&config).await?;
    println!("{}", welcome(&app.address(address), first.as_ref()));
    if let Some(tls) = &app.tls {
        println!("  certificate (SHA-256)  {}", tls.fingerprint());
    }
    if let Some(from) = config.redirect_listen {
        app.redirect_from(from, address.port()).await?;
    }
    end_with_signals(app.shutdown.clone())?;
    app.serve(listener).await?;
    Ok(())
}

/// What a person needs to know right after the start.
pub(super) fn welcome(address: &str, first: Option<&FirstAccount>) -> String {
    match first {
        Some(account) => format!(
            "P2PPool Manager on {address}\n  user      {}\n  password  {}   (shown only now)",
            account.name,
            account.password.reveal()
        ),
        None => format!("P2PPool Manager on {address}"),
    }
}

/// Trips the token at the first SIGINT or SIGTERM; a second SIGINT ends the process at once.
pub(super) fn end_with_signals(token: CancellationToken) -> Result<(), CliError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => eprintln!("ending; once more ends at once"),
            _ = terminate.recv() => {}
        }
        token.cancel();
        if interrupt.recv().await.is_some() {
            std::process::exit(130);
        }
    });
    Ok(())
}

/// Gives a person another random password.
pub(super) async fn new_password(store: &Store, name: &str) -> Result<Secret, CliError> {
    let made =
        service::accounts::reset_password(store, &Passwords::default(), name, None).await.map_err(CliError::other)?;
    made.ok_or_else(|| CliError::Other(format!("no password was made for {name}")))
}

/// Flags and environment over the file over the defaults, checked.
pub(super) fn config(settings: Settings, file: Option<PathBuf>) -> Result<Config, CliError> {
    let below = file.map(|file| Settings::read(&file)).transpose().map_err(CliError::other)?;
    settings.over(below.unwrap_or_default()).checked().map_err(CliError::other)
}

/// Makes the manager's own certificate anew; a running manager uses it some seconds later.
pub(super) fn renew_certificate(settings: Settings, file: Option<PathBuf>, output: Output) -> Result<(), CliError> {
    let config = config(settings, file)?;
    if let crate::tls::TlsMode::Files { cert, .. } = &config.tls {
        let told = format!("{}: the manager did not make this certificate; replace the file", cert.display());
        return Err(CliError::Other(told));
    }
    let folder = Folders::at(&config.data).tls();
    let names = crate::tls::names(&config.site, config.listen.ip());
    crate::tls::renew(&folder, &names, p2ppool_model::Time::now())?;
    let fingerprint = crate::tls::Tls::open(&crate::tls::TlsMode::Auto, &folder, &names)?.map(|tls| tls.fingerprint());
    let fingerprint = fingerprint.unwrap_or_default();
    output.show(&serde_json::json!({ "fingerprint": fingerprint }), || {
        format!("new certificate, fingerprint (SHA-256) {fingerprint}")
    })
}

/// Log lines go to standard error; RUST_LOG chooses them.
pub(super) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,libp2p=warn,russh=warn,sqlx=warn"));
    // A second call in one process (the demo) keeps the first.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Works on the database directly, for people who can read it anyway; the manager may run meanwhile.
pub(super) async fn reset_password(command: UserCommand, output: Output) -> Result<(), CliError> {
    let UserCommand::ResetPassword { name, settings, config: file } = command else {
        return Err(CliError::Other("not a command for the manager's own machine".to_owned()));
    };
    let config = config(*settings, file)?;
    if let Some(file) = config.database.strip_prefix("sqlite:")
        && let Err(error) = std::fs::metadata(file)
    {
        return Err(CliError::Other(format!("{file}: {error}; the first `p2ppool serve` makes it (see --data)")));
    }
    let store = Store::open(&config.database).await.map_err(CliError::other)?;
    let password = new_password(&store, &name).await;
    store.close().await;
    let password = password?;
    let answer = serde_json::json!({ "name": name, "password": password.reveal() });
    output.show(&answer, || format!("new password of {name}: {}   (shown only now)", password.reveal()))
}
