//! The command line: `serve` and `demo` start a manager; everything else is a client of its HTTP API
//! with the same nouns and verbs.

mod action;
mod alert;
mod args;
mod audit;
mod backup;
mod bundle;
mod client;
mod demo;
mod error;
mod geoip;
mod history;
mod history_text;
mod host;
mod input;
mod login;
mod manager;
mod map;
mod node;
mod output;
mod pool;
mod rolling;
mod runtime;
mod schedule;
mod serve;
mod session;
mod share;
mod ssh;
mod task;
mod user;
mod watch;
mod workflow;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Args, CertCommand, Command, UserCommand};
use client::{Client, Trust};
use error::CliError;
use output::Output;

/// Exit code when the command itself was right but a host, task or request failed.
const FAILED: u8 = 1;

/// Runs the program and tells how it ended.
pub fn main() -> ExitCode {
    let args = Args::parse();
    // Two TLS providers are in the tree; the client needs to be told which one to use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&CliError::from(error)),
    };
    match runtime.block_on(run(args)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

fn fail(error: &CliError) -> ExitCode {
    eprintln!("p2ppool: {error}");
    ExitCode::from(FAILED)
}

async fn run(args: Args) -> Result<ExitCode, CliError> {
    let output = Output { json: args.json };
    match args.command {
        Command::Completions { shell } => {
            // into memory first: a pipe that closes early (`| head`) is not an error
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "p2ppool", &mut script);
            output.line(&String::from_utf8_lossy(&script)).map(|()| ExitCode::SUCCESS)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Args::command()).render(&mut page)?;
            output.line(&String::from_utf8_lossy(&page)).map(|()| ExitCode::SUCCESS)
        }
        Command::Serve(args) => serve::serve(args).await.map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(args, output).await,
        Command::User(command @ UserCommand::ResetPassword { .. }) => {
            serve::reset_password(command, output).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Backup(args) => backup::backup(args, output).await.map(|()| ExitCode::SUCCESS),
        Command::Restore(args) => backup::restore(args, output).await.map(|()| ExitCode::SUCCESS),
        Command::Secrets(command) => backup::secrets(command, output).await.map(|()| ExitCode::SUCCESS),
        Command::Geoip(command) => {
            geoip::run(command, (args.server, args.token), output).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Cert(CertCommand::Renew { settings, config }) => {
            serve::renew_certificate(*settings, config, output).map(|()| ExitCode::SUCCESS)
        }
        command => {
            let trust = Trust { fingerprint: args.fingerprint, ca_file: args.ca_file };
            client_command(command, Client::trusting(args.server, args.token, &trust)?, output).await
        }
    }
}

async fn client_command(command: Command, client: Client, output: Output) -> Result<ExitCode, CliError> {
    match command {
        Command::Pool(command) => pool::run(command, &client, output).await?,
        Command::Host(command) => host::run(command, &client, output).await?,
        Command::Key(command) => host::run_key(command, &client, output).await?,
        Command::Runtime(command) => runtime::run(command, &client, output).await?,
        Command::Ssh(command) => ssh::run(command, &client, output).await?,
        Command::Bundle(command) => bundle::run(command, &client, output).await?,
        Command::User(command) => user::run(command, &client, output).await?,
        Command::Audit(args) => audit::run(args, &client, output).await?,
        Command::Managers { command: None } => manager::list(&client, output).await?,
        Command::Managers { command: Some(command) } => manager::run(command, &client, output).await?,
        Command::Map(args) => map::run(args, &client, output).await?,
        Command::Login(login) => login::login(login, &client, output).await?,
        Command::Logout => login::logout(&client)?,
        Command::Token(command) => login::run_token(command, &client, output).await?,
        Command::Share(command) => share::run(command, &client, output).await?,
        Command::View(command) => share::run_view(command, &client, output).await?,
        Command::Session(command) => session::run(command, &client, output).await?,
        Command::Totp(command) => session::run_totp(command, &client, output).await?,
        Command::Nodes(nodes) => node::nodes(nodes, &client, output).await?,
        Command::Alert(command) => alert::run(command, &client, output).await?,
        Command::Top { pool, by, limit } => node::top(&pool, by, limit, &client, output).await?,
        Command::Stats(stats) => node::stats(stats, &client, output).await?,
        Command::History(command) => return history::run(command, &client, output).await,
        Command::Openapi => output.value(&client.get_value("openapi.json").await?)?,
        Command::Schedule(command) => return schedule::run(command, &client, output).await,
        Command::Task(command) => return task::run(command, &client, output).await,
        Command::Workflow(command) => return workflow::run(command, &client, output).await,
        Command::Action(command) => return action::run(command, &client, output).await,
        Command::Backup(_) | Command::Restore(_) | Command::Secrets(_) | Command::Geoip(_) | Command::Cert(_) => {
            unreachable!("handled before a client was made")
        }
        Command::Serve(_) | Command::Demo(_) | Command::Completions { .. } | Command::Man => {
            unreachable!("handled before a client was made")
        }
    }
    Ok(ExitCode::SUCCESS)
}
