//! Wiring: opens what the manager needs, serves until told to stop, and ends in order.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use p2ppool_store::Store;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::accounts::throttle::Throttle;
use crate::accounts::{Passwords, Secret};
use crate::actions::Context;
use crate::alerts::{AlertPace, Alerts};
use crate::bundles::{Bundles, NodeSource};
use crate::config::Config;
use crate::engine::{Engine, Pace};
use crate::events::Events;
use crate::files::SharedFiles;
use crate::folders::Folders;
use crate::geo::Geo;
use crate::http::rates::{Rates, StreamCounts};
use crate::http::site::Site;
use crate::metrics::MetricsAccess;
use crate::runtimes::Runtimes;
use crate::secrets::Secrets;
use crate::service::oidc::OidcConfig;
use crate::tls::Tls;
use crate::{http, joining, service};

/// Uploads at once; each may fill the disk with the largest bundle.
const UPLOADS_MAX: usize = 4;

/// What use cases work with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Tells viewers what changed.
    pub events: Events,
    /// Files beside the database.
    pub folders: Folders,
    /// Files that every manager can read.
    pub files: SharedFiles,
    /// Seals keys.
    pub secrets: Secrets,
    /// Software to deploy.
    pub bundles: Bundles,
    /// Places nodes on the map.
    pub geo: Geo,
    /// What hosts may need beside it.
    pub runtimes: Runtimes,
    /// Tells people what is wrong.
    pub alerts: Alerts,
    /// Runs tasks.
    pub engine: Engine,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Slows guessing down.
    pub throttle: Throttle,
    /// Limits requests.
    pub rates: Rates,
    /// How the manager is reached.
    pub site: Site,
    /// Who may read the metrics.
    pub metrics: MetricsAccess,
    /// The provider to log in by.
    pub oidc: Option<OidcConfig>,
    /// Its certificate, when it speaks TLS itself.
    pub tls: Option<Tls>,
    /// One permit per open event stream.
    pub streams: Arc<Semaphore>,
    /// Open event streams of each person.
    pub streams_of: Arc<StreamCounts>,
    /// One permit per upload under way.
    pub uploads: Semaphore,
    /// Trips when the manager ends.
    pub shutdown: CancellationToken,
}

/// The account that the first start made.
#[derive(Debug)]
pub struct FirstAccount {
    /// Its name.
    pub name: String,
    /// Its password, told once.
    pub password: Secret,
}

impl App {
    /// Opens folders, keys and database; makes them and the first account when they are missing.
    pub async fn open(config: &Config) -> anyhow::Result<(Arc<Self>, Option<FirstAccount>)> {
        if let Some(file) = &config.node_binary {
            anyhow::ensure!(file.is_file(), "--node-binary {}: there is no such file", file.display());
        }
        let folders =
            Folders::open(&config.data).with_context(|| format!("open the data folder {}", config.data.display()))?;
        let secrets = Secrets::load_or_create(&folders.secret_key())?;
        let names = crate::tls::names(&config.site, config.listen.ip());
        let tls = Tls::open(&config.tls, &folders.tls(), &names)?;
        let store = Store::open(&config.database).await?;
        joining::join(&folders, &secrets, &store).await?;
        let events = shared_events(&store).await?;
        let files = SharedFiles::new(config.files, &store);
        let source = NodeSource::of_this_process(config.node_binary.clone());
        let bundles = Bundles::new(folders.clone(), store.clone(), source).shared(files.clone());
        let context = Context::new(store.clone(), events.clone(), folders.clone(), secrets.clone(), bundles.clone());
        crate::metrics::start();
        let context = Context { files: files.clone(), fan_out: config.limits.fan_out(), ..context };
        let geo = context.geo.clone();
        let runtimes = context.runtimes.clone();
        let alerts = Alerts::start(store.clone(), secrets.clone(), events.clone(), AlertPace::default());
        let engine = Engine::start(context, Pace::of(config.lease, config.limits)).await?;
        let app = Arc::new(Self {
            store,
            events,
            folders,
            files,
            secrets,
            bundles,
            geo,
            runtimes,
            alerts,
            engine,
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            rates: Rates::default(),
            site: config.site.clone(),
            metrics: config.metrics,
            oidc: config.oidc.clone(),
            tls,
            streams_of: Arc::default(),
            streams: Arc::new(Semaphore::new(http::sse::STREAMS_MAX)),
            uploads: Semaphore::new(UPLOADS_MAX),
            shutdown: CancellationToken::new(),
        });
        if let Some(provider) = &app.oidc {
            service::oidc::keep_secret(&app, provider).await?;
        }
        let first = service::accounts::first_account(&app).await?;
        Ok((app, first))
    }

    /// Serves on this listener until the shutdown token trips, then ends what is under way in order.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> anyhow::Result<()> {
        self.engine.announce(listener.local_addr()?).await?;
        let router = http::router(Arc::clone(&self));
        let watched = self.tls.clone().map(|tls| tokio::spawn(tls.keep(self.shutdown.clone())));
        http::server::serve(listener, router, self.tls.clone(), self.limits(), self.shutdown.clone()).await;
        if let Some(watched) = watched {
            watched.await?;
        }
        self.alerts.shutdown().await;
        self.engine.shutdown().await;
        self.store.close().await;
        Ok(())
    }
}

impl App {
    /// What connections may take. Those of a trusted proxy are many people's.
    fn limits(&self) -> http::server::Limits {
        let defaults = http::server::Limits::default();
        let shared = !self.site.proxies.is_empty();
        http::server::Limits {
            per_address: if shared { defaults.connections } else { defaults.per_address },
            ..defaults
        }
    }
}

impl App {
    /// The address to tell people, when the manager listens here.
    pub fn address(&self, listens: std::net::SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match &self.site.public {
            Some(public) => public.to_string(),
            None => format!("{scheme}://{listens}{}", self.site.base.trim_end_matches('/')),
        }
    }

    /// Sends plain HTTP on this address on to HTTPS on `port`, until the manager ends.
    pub async fn redirect_from(&self, from: std::net::SocketAddr, port: u16) -> anyhow::Result<std::net::SocketAddr> {
        let listener = TcpListener::bind(from).await.with_context(|| format!("listen on {from} to redirect"))?;
        let address = listener.local_addr()?;
        let (limits, shutdown) = (self.limits(), self.shutdown.clone());
        tokio::spawn(http::server::serve(listener, http::server::to_https(Some(port)), None, limits, shutdown));
        Ok(address)
    }
}

/// What viewers are told: in memory, or through the database when several managers may share it.
async fn shared_events(store: &Store) -> anyhow::Result<Events> {
    if !store.is_shared() {
        return Ok(Events::default());
    }
    let (events, outbox) = Events::shared(store.events_begin().await?);
    events.catch_up(store).await?;
    tokio::spawn(outbox.run(store.clone()));
    Ok(events)
}

/// Listens where the configuration says.
pub async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    TcpListener::bind(config.listen).await.with_context(|| {
        format!("listen on {}; is another program there? (--listen chooses another port)", config.listen)
    })
}

/// The folder is ours to write: said before anything else is tried, because it is the commonest mistake.
pub fn check_data_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("create the data folder {}", path.display()))
}
