//! `p2ppool demo`: a manager with a pool of processes on this machine, installed through the very
//! same code path as real hosts.

mod life;
mod processes;
mod report;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use p2ppool_model::PoolName;
use tokio_util::sync::CancellationToken;

use super::args::DemoArgs;
use super::client::Client;
use super::error::CliError;
use super::login::new_token;
use super::output::{Output, percent};
use super::serve::{end_with_signals, log_to_stderr, new_password, welcome};
use crate::app::{App, FirstAccount, listen};
use crate::config::Config;
use crate::engine::Pace;
use crate::files::FilesIn;
use crate::limits::ManagerLimits;
use crate::service::accounts::FIRST_NAME;
use crate::service::demo::POOL;
use life::Life;

/// While somebody looks, the overlay is walked this often.
const CRAWL_EVERY: Duration = Duration::from_secs(60);

/// Serves the demo until Ctrl-C, or goes through the pool's whole life once.
pub(super) async fn run(args: DemoArgs, output: Output) -> Result<ExitCode, CliError> {
    if !args.once {
        log_to_stderr();
    }
    let folder = DataFolder::new(args.data.clone())?;
    let started = Instant::now();
    let manager = Manager::start(&args, &folder).await?;
    let life = Life::new(manager.client.clone(), name()?, args.hosts, folder.path.clone());
    let code = if args.once {
        once(life, &manager, output).await
    } else {
        println!("{}", welcome(&manager.address, Some(&manager.account)));
        watch(life, &manager.app.shutdown, started).await.map(|()| ExitCode::SUCCESS)
    };
    manager.end().await?;
    folder.delete()?;
    code
}

fn name() -> Result<PoolName, CliError> {
    POOL.parse().map_err(CliError::other)
}

async fn once(life: Life, manager: &Manager, output: Output) -> Result<ExitCode, CliError> {
    end_with_signals(manager.app.shutdown.clone())?;
    let report = life.whole(&manager.app.shutdown).await;
    output.show(&report, || report.text())?;
    Ok(ExitCode::from(u8::from(!report.ok)))
}

/// Installs, then keeps crawling until told to end; takes the pool away again.
async fn watch(life: Life, shutdown: &CancellationToken, started: Instant) -> Result<(), CliError> {
    // Ctrl-C has to leave the server up until the pool is stopped, so it trips a token of its own.
    let end = CancellationToken::new();
    end_with_signals(end.clone())?;
    let result = tokio::select! {
        result = show(&life, started) => result,
        () = end.cancelled() => Ok(()),
        () = shutdown.cancelled() => Ok(()),
    };
    println!("stopping the demo's nodes …");
    life.remove().await?;
    println!("every node is stopped and removed");
    result
}

async fn show(life: &Life, started: Instant) -> Result<(), CliError> {
    println!("installing {} nodes …", life.hosts());
    life.create().await?;
    life.install().await?;
    let totals = life.crawl_until_consistent().await?;
    println!(
        "{} nodes in one overlay, consistency {}, {:.0} s after the start; Ctrl-C ends and removes everything",
        totals.answering,
        percent(totals.consistency),
        started.elapsed().as_secs_f64()
    );
    loop {
        tokio::time::sleep(CRAWL_EVERY).await;
        life.crawl().await?;
    }
}

/// A manager in this process, and a client that may do everything.
struct Manager {
    app: Arc<App>,
    address: String,
    account: FirstAccount,
    client: Client,
    serving: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Manager {
    async fn start(args: &DemoArgs, folder: &DataFolder) -> Result<Self, CliError> {
        let config = Config {
            data: folder.path.clone(),
            listen: SocketAddr::from(([127, 0, 0, 1], if args.once { 0 } else { args.port })),
            database: format!("sqlite:{}", folder.path.join("p2ppool.db").display()),
            node_binary: args.node_binary.clone(),
            site: Default::default(),
            tls: Default::default(),
            redirect_listen: None,
            metrics: crate::metrics::MetricsAccess::Local,
            oidc: None,
            files: FilesIn::Folder,
            lease: Pace::default().lease,
            limits: ManagerLimits::default(),
        };
        let listener = listen(&config).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let (app, first) = App::open(&config).await?;
        let account = match first {
            Some(account) => account,
            None => FirstAccount { name: FIRST_NAME.to_owned(), password: new_password(&app.store, FIRST_NAME).await? },
        };
        let serving = tokio::spawn(Arc::clone(&app).serve(listener));
        let nobody = Client::new(address.clone(), None)?;
        let token = new_token(&nobody, &account.name, account.password.reveal(), "demo").await?;
        let client = Client::new(address.clone(), Some(token))?;
        Ok(Self { app, address, account, client, serving })
    }

    async fn end(self) -> Result<(), CliError> {
        self.app.shutdown.cancel();
        self.serving.await.map_err(CliError::other)??;
        Ok(())
    }
}

/// The demo's data: a folder of its own that goes with it, or one that a person named and keeps.
struct DataFolder {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl DataFolder {
    fn new(chosen: Option<PathBuf>) -> Result<Self, CliError> {
        if let Some(path) = chosen {
            std::fs::create_dir_all(&path).map_err(|error| CliError::file(&path, error))?;
            let path = std::path::absolute(&path).map_err(|error| CliError::file(&path, error))?;
            return Ok(Self { path, temporary: None });
        }
        let temporary = tempfile::Builder::new().prefix("p2ppool-demo-").tempdir()?;
        Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary) })
    }

    fn delete(self) -> Result<(), CliError> {
        let path = self.path;
        self.temporary.map_or(Ok(()), tempfile::TempDir::close).map_err(|error| CliError::file(&path, error))
    }
}
