//! Settings of the manager itself: flags over environment over file over defaults, then checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::files::FilesIn;
use crate::http::site::Site;
use crate::limits::ManagerLimits;
use crate::metrics::MetricsAccess;
use crate::service::oidc::OidcConfig;
use crate::tls::TlsMode;

/// Where the server listens when nobody says otherwise: this machine only.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8080";
/// Long enough for a database that is busy for a while.
const LEASE_S_DEFAULT: u64 = 30;
/// Several heartbeats fit into the shortest; after the longest a person has noticed by themselves.
const LEASE_S: std::ops::RangeInclusive<u64> = 2..=3600;
/// Hosts at once: each is a connection, and a process has some thousands of files.
const HOSTS_MAX: u32 = 4_096;
/// Connections per second: more than that one core can't shake hands with.
const PER_SECOND_MAX: u32 = 100_000;
/// Tasks at once; each keeps the rows of its hosts in memory.
const TASKS_MAX: u32 = 1_024;
/// Largest configuration file, bytes.
const FILE_MAX: u64 = 64 * 1024;

/// Settings as given, each of them optional: from flags and environment, or from the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folder for the database, pools' files and keys
    #[arg(long, env = "P2PPOOL_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "P2PPOOL_LISTEN", value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Database: sqlite:PATH or postgres://… [default: sqlite in the data folder]
    #[arg(long, env = "P2PPOOL_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// The p2pnode program to deploy instead of the built-in one
    #[arg(long, env = "P2PPOOL_NODE_BINARY", value_name = "FILE")]
    pub node_binary: Option<PathBuf>,
    /// Where files that every manager must read are kept: folder or database [default: folder with SQLite, database with PostgreSQL]
    #[arg(long, env = "P2PPOOL_FILES", value_name = "WHERE")]
    pub files: Option<String>,
    /// Seconds without a heartbeat after which other managers take a manager's tasks [default: 30]
    #[arg(long, env = "P2PPOOL_LEASE_S", value_name = "SECONDS")]
    pub lease_s: Option<u64>,
    /// Hosts at once that are being connected to [default: 64]
    #[arg(long, env = "P2PPOOL_HOSTS_CONNECTING", value_name = "N")]
    pub hosts_connecting: Option<u32>,
    /// Hosts at once that are connected and worked on [default: 256]
    #[arg(long, env = "P2PPOOL_HOSTS_WORKING", value_name = "N")]
    pub hosts_working: Option<u32>,
    /// Connections to hosts started per second [default: 500]
    #[arg(long, env = "P2PPOOL_CONNECTIONS_PER_SECOND", value_name = "N")]
    pub connections_per_second: Option<u32>,
    /// Tasks at once [default: 64]
    #[arg(long, env = "P2PPOOL_TASKS", value_name = "N")]
    pub tasks: Option<u32>,
    /// Listen on other than loopback addresses without TLS; passwords can then be read on the way
    #[arg(long, env = "P2PPOOL_INSECURE", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub insecure: Option<bool>,
    /// Address that people use, such as https://pool.example.org/p2ppool/
    #[arg(long, env = "P2PPOOL_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Further host name under which requests are taken; may be given more than once
    #[arg(long = "allowed-host", env = "P2PPOOL_ALLOWED_HOSTS", value_delimiter = ',', value_name = "NAME")]
    pub allowed_hosts: Vec<String>,
    /// Network of reverse proxies whose X-Forwarded-For and -Proto are believed; may be given more than once
    #[arg(long = "trusted-proxy", env = "P2PPOOL_TRUSTED_PROXIES", value_delimiter = ',', value_name = "CIDR")]
    pub trusted_proxies: Vec<String>,
    /// Folder below which the manager is served, such as /p2ppool/ [default: that of --public-url, else /]
    #[arg(long, env = "P2PPOOL_BASE_PATH", value_name = "PATH")]
    pub base_path: Option<String>,
    /// off, or auto: make and renew a self-signed certificate [default: off without --tls-cert]
    #[arg(long, env = "P2PPOOL_TLS", value_name = "MODE")]
    pub tls: Option<String>,
    /// Certificate chain (PEM); read again when it changes
    #[arg(long, env = "P2PPOOL_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, env = "P2PPOOL_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Further address and port on which plain HTTP is sent on to HTTPS
    #[arg(long, env = "P2PPOOL_REDIRECT_LISTEN", value_name = "ADDR:PORT")]
    pub redirect_listen: Option<String>,
    /// Who may read /metrics: off, token, or local (this machine without a token) [default: local]
    #[arg(long, env = "P2PPOOL_METRICS", value_name = "WHO")]
    pub metrics: Option<String>,
    /// OpenID Connect provider to log in by, such as https://login.example.org/realms/lab
    #[arg(long, env = "P2PPOOL_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    pub oidc_issuer: Option<String>,
    /// What the provider calls this manager
    #[arg(long, env = "P2PPOOL_OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// File with the client's secret; it is kept sealed after the first start and may go then
    #[arg(long, env = "P2PPOOL_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// Role of a group of the provider's; `*` is everybody; may be given more than once
    #[arg(long = "oidc-role", env = "P2PPOOL_OIDC_ROLES", value_delimiter = ',', value_name = "GROUP=ROLE")]
    pub oidc_roles: Vec<String>,
    /// The claim that lists a person's groups [default: groups]
    #[arg(long, env = "P2PPOOL_OIDC_GROUPS_CLAIM", value_name = "NAME")]
    pub oidc_groups_claim: Option<String>,
}

/// Checked settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder for everything that the manager keeps; absolute.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// `sqlite:<path>` or `postgres://…`.
    pub database: String,
    /// Replaces the built-in p2pnode.
    pub node_binary: Option<PathBuf>,
    /// How the manager is reached.
    pub site: Site,
    /// Whether it speaks TLS, and with which certificate.
    pub tls: TlsMode,
    /// Where plain HTTP is sent on to HTTPS.
    pub redirect_listen: Option<SocketAddr>,
    /// Who may read the metrics.
    pub metrics: MetricsAccess,
    /// The provider to log in by.
    pub oidc: Option<OidcConfig>,
    /// Where files that every manager must read are kept.
    pub files: FilesIn,
    /// How long a manager that says nothing keeps its tasks.
    pub lease: Duration,
    /// How much it does at once.
    pub limits: ManagerLimits,
}

/// A setting that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("read the configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("configuration file {path}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why, with the line.
        reason: String,
    },
    /// The address is not one.
    #[error("listen: `{0}` is not an IP address and port, such as 127.0.0.1:8080 or [::1]:8080")]
    Listen(String),
    /// Anybody on the network could read passwords.
    #[error(
        "listen: {0} can be reached from other machines, and without TLS passwords and keys could be read on the way; \
         use --tls auto, a certificate (--tls-cert, --tls-key), a reverse proxy that speaks TLS (--trusted-proxy), or a \
         loopback address behind an ssh tunnel; or say --insecure if you mean it"
    )]
    NotLoopback(SocketAddr),
    /// No folder can be derived.
    #[error("data: neither --data nor XDG_DATA_HOME nor HOME tells where to keep the data")]
    NoDataFolder,
    /// The database is of no known kind.
    #[error("database: `{0}` begins with neither sqlite: nor postgres://")]
    Database(String),
    /// Another setting is not what it should be.
    #[error("{setting}: `{given}` {reason}")]
    Wrong {
        /// Its name in the file.
        setting: &'static str,
        /// As given.
        given: String,
        /// What would be right.
        reason: String,
    },
    /// There is no such place for files.
    #[error("files: {0}")]
    Files(String),
    /// Too short for a heartbeat, or too long to wait for.
    #[error("lease_s: {0} is not {lowest} to {highest}", lowest = LEASE_S.start(), highest = LEASE_S.end())]
    Lease(u64),
    /// Nothing at once, or more than one process can do.
    #[error("{name}: {value} is not 1 to {most}")]
    Limit {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: u32,
        /// The most that can be.
        most: u32,
    },
    /// The folder can't be made absolute.
    #[error("data: {path}: {source}")]
    Path {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Settings {
    /// Reads a TOML file with the same names as the flags (`_` for `-`).
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let fail = |source| ConfigError::Read { path: path.to_owned(), source };
        let size = std::fs::metadata(path).map_err(fail)?.len();
        if size > FILE_MAX {
            let reason = format!("{size} bytes; a configuration has at most {FILE_MAX}");
            return Err(ConfigError::Parse { path: path.to_owned(), reason });
        }
        let text = std::fs::read_to_string(path).map_err(fail)?;
        toml::from_str(&text).map_err(|error| ConfigError::Parse { path: path.to_owned(), reason: error.to_string() })
    }

    /// These settings, with what they leave open taken from `below`.
    #[must_use]
    pub fn over(self, below: Settings) -> Self {
        Self {
            data: self.data.or(below.data),
            listen: self.listen.or(below.listen),
            database: self.database.or(below.database),
            node_binary: self.node_binary.or(below.node_binary),
            files: self.files.or(below.files),
            lease_s: self.lease_s.or(below.lease_s),
            hosts_connecting: self.hosts_connecting.or(below.hosts_connecting),
            hosts_working: self.hosts_working.or(below.hosts_working),
            connections_per_second: self.connections_per_second.or(below.connections_per_second),
            tasks: self.tasks.or(below.tasks),
            insecure: self.insecure.or(below.insecure),
            public_url: self.public_url.or(below.public_url),
            allowed_hosts: first_given(self.allowed_hosts, below.allowed_hosts),
            trusted_proxies: first_given(self.trusted_proxies, below.trusted_proxies),
            base_path: self.base_path.or(below.base_path),
            tls: self.tls.or(below.tls),
            tls_cert: self.tls_cert.or(below.tls_cert),
            tls_key: self.tls_key.or(below.tls_key),
            redirect_listen: self.redirect_listen.or(below.redirect_listen),
            metrics: self.metrics.or(below.metrics),
            oidc_issuer: self.oidc_issuer.or(below.oidc_issuer),
            oidc_client_id: self.oidc_client_id.or(below.oidc_client_id),
            oidc_client_secret_file: self.oidc_client_secret_file.or(below.oidc_client_secret_file),
            oidc_roles: first_given(self.oidc_roles, below.oidc_roles),
            oidc_groups_claim: self.oidc_groups_claim.or(below.oidc_groups_claim),
        }
    }

    /// The settings with defaults filled in, or the first that can't be used.
    pub fn checked(self) -> Result<Config, ConfigError> {
        let data = self.data.or_else(default_data).ok_or(ConfigError::NoDataFolder)?;
        let data = std::path::absolute(&data).map_err(|source| ConfigError::Path { path: data, source })?;
        let listen = self.listen.unwrap_or_else(|| LISTEN_DEFAULT.to_owned());
        let listen: SocketAddr = listen.parse().map_err(|_| ConfigError::Listen(listen))?;
        let secret_file = self.oidc_client_secret_file;
        let groups_claim = self.oidc_groups_claim.unwrap_or_else(|| "groups".to_owned());
        let oidc = oidc(self.oidc_issuer, self.oidc_client_id, secret_file, groups_claim, &self.oidc_roles)?;
        let site = site(self.public_url, self.allowed_hosts, &self.trusted_proxies, self.base_path)?;
        let metrics = self.metrics.as_deref().map(|text| text.parse().map_err(|why: &str| wrong("metrics", text, why)));
        let metrics = metrics.transpose()?.unwrap_or_default();
        let tls = tls_mode(self.tls.as_deref(), self.tls_cert, self.tls_key)?;
        let safe = tls != TlsMode::Off || !site.proxies.is_empty() || self.insecure == Some(true);
        if !listen.ip().is_loopback() && !safe {
            return Err(ConfigError::NotLoopback(listen));
        }
        let redirect_listen = self.redirect_listen.map(|text| text.parse().map_err(|_| ConfigError::Listen(text)));
        let redirect_listen = redirect_listen.transpose()?;
        let database = self.database.unwrap_or_else(|| format!("sqlite:{}", data.join("p2ppool.db").display()));
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| database.starts_with(scheme));
        if !known {
            let shown = database.split(':').next().unwrap_or_default().chars().take(40).collect();
            return Err(ConfigError::Database(shown));
        }
        let files = match self.files {
            Some(text) => text.parse().map_err(ConfigError::Files)?,
            None if database.starts_with("sqlite:") => FilesIn::Folder,
            None => FilesIn::Database,
        };
        let lease_s = self.lease_s.unwrap_or(LEASE_S_DEFAULT);
        if !LEASE_S.contains(&lease_s) {
            return Err(ConfigError::Lease(lease_s));
        }
        let lease = Duration::from_secs(lease_s);
        let limit = |name, given: Option<u32>, otherwise, most| match given.unwrap_or(otherwise) {
            value if (1..=most).contains(&value) => Ok(value),
            value => Err(ConfigError::Limit { name, value, most }),
        };
        let usual = ManagerLimits::default();
        let limits = ManagerLimits {
            connecting: limit("hosts_connecting", self.hosts_connecting, usual.connecting, HOSTS_MAX)?,
            working: limit("hosts_working", self.hosts_working, usual.working, HOSTS_MAX)?,
            per_second: limit("connections_per_second", self.connections_per_second, usual.per_second, PER_SECOND_MAX)?,
            tasks: limit("tasks", self.tasks, usual.tasks, TASKS_MAX)?,
        };
        let node_binary = self.node_binary;
        Ok(Config {
            data,
            listen,
            database,
            node_binary,
            files,
            lease,
            limits,
            site,
            tls,
            redirect_listen,
            metrics,
            oidc,
        })
    }
}

fn first_given(these: Vec<String>, below: Vec<String>) -> Vec<String> {
    if these.is_empty() { below } else { these }
}

fn wrong(setting: &'static str, given: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Wrong { setting, given: given.chars().take(200).collect(), reason: reason.into() }
}

fn site(
    public: Option<String>,
    hosts: Vec<String>,
    proxies: &[String],
    base: Option<String>,
) -> Result<Site, ConfigError> {
    let public = public
        .map(|text| match text.parse::<url::Url>() {
            Ok(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => Ok(url),
            _ => Err(wrong("public_url", &text, "is not an address like https://pool.example.org/p2ppool/")),
        })
        .transpose()?;
    let base = base.or_else(|| public.as_ref().map(|url| url.path().to_owned())).unwrap_or_else(|| "/".to_owned());
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b)) && part != "..";
    if !base.starts_with('/') || !base.trim_matches('/').split('/').all(|part| plain(part) && part != ".") {
        return Err(wrong("base_path", &base, "is not a folder like /p2ppool/"));
    }
    let base = match base.trim_matches('/') {
        "" => "/".to_owned(),
        folder => format!("/{folder}/"),
    };
    let proxies = proxies.iter().map(|text| {
        let one = text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
        text.parse().or(one).map_err(|_| wrong("trusted_proxies", text, "is not a network like 10.0.0.0/8"))
    });
    Ok(Site { public, hosts, proxies: proxies.collect::<Result<_, _>>()?, base })
}

fn oidc(
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    groups_claim: String,
    roles: &[String],
) -> Result<Option<OidcConfig>, ConfigError> {
    let Some(issuer) = issuer else { return Ok(None) };
    let url = issuer.parse::<url::Url>().ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    // What comes from the provider says who may do what here: nobody on the way may change it.
    let safe = url.is_some_and(|url| url.scheme() == "https" || url.host_str().is_some_and(is_local));
    if !safe {
        return Err(wrong("oidc_issuer", &issuer, "is not an address that begins with https://"));
    }
    let client_id = client_id.ok_or_else(|| wrong("oidc_issuer", &issuer, "needs oidc_client_id, too"))?;
    let parse = |text: &String| {
        let (group, role) = text.split_once('=').ok_or_else(|| wrong("oidc_roles", text, "is not GROUP=ROLE"))?;
        let role = role.trim().parse().map_err(|error: String| wrong("oidc_roles", text, error))?;
        Ok((group.trim().to_owned(), role))
    };
    let roles: BTreeMap<_, _> = roles.iter().map(parse).collect::<Result<_, ConfigError>>()?;
    if roles.is_empty() {
        return Err(wrong("oidc_issuer", &issuer, "needs oidc_roles: which groups may do what, such as `*=viewer`"));
    }
    Ok(Some(OidcConfig { issuer, client_id, client_secret_file, groups_claim, roles }))
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn tls_mode(mode: Option<&str>, cert: Option<PathBuf>, key: Option<PathBuf>) -> Result<TlsMode, ConfigError> {
    match (mode, cert, key) {
        (None, Some(cert), Some(key)) => Ok(TlsMode::Files { cert, key }),
        (None | Some("off"), None, None) => Ok(TlsMode::Off),
        (Some("auto"), None, None) => Ok(TlsMode::Auto),
        (Some(mode @ ("off" | "auto")), ..) => Err(wrong("tls", mode, "contradicts tls_cert and tls_key")),
        (Some(mode), ..) => Err(wrong("tls", mode, "is neither `off` nor `auto`")),
        (None, ..) => Err(wrong("tls_cert", "", "and tls_key need each other")),
    }
}

fn default_data() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share"))).map(|base| base.join("p2ppool"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_data(settings: Settings) -> Settings {
        Settings { data: Some("/srv/p2ppool".into()), ..settings }
    }

    #[test]
    fn defaults_are_loopback_and_sqlite_in_the_data_folder() {
        let config = with_data(Settings::default()).checked().unwrap();
        assert_eq!(config.listen, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(config.database, "sqlite:/srv/p2ppool/p2ppool.db");
        assert_eq!((config.files, config.lease), (FilesIn::Folder, Duration::from_secs(30)));
        let shared = Settings { database: Some("postgres:///p2ppool".into()), ..Settings::default() };
        assert_eq!(with_data(shared).checked().unwrap().files, FilesIn::Database);
    }

    #[test]
    fn other_addresses_need_insecure() {
        let open =
            |insecure| with_data(Settings { listen: Some("0.0.0.0:80".into()), insecure, ..Settings::default() });
        let refused = open(None).checked().unwrap_err().to_string();
        assert!(refused.contains("--insecure"), "{refused}");
        assert!(matches!(open(Some(false)).checked(), Err(ConfigError::NotLoopback(_))));
        assert_eq!(open(Some(true)).checked().unwrap().listen.port(), 80);
    }

    #[test]
    fn tls_or_a_trusted_proxy_make_other_addresses_safe() {
        let open = |settings| with_data(Settings { listen: Some("0.0.0.0:443".into()), ..settings }).checked();
        assert_eq!(open(Settings { tls: Some("auto".into()), ..Settings::default() }).unwrap().tls, TlsMode::Auto);
        let files = Settings { tls_cert: Some("c".into()), tls_key: Some("k".into()), ..Settings::default() };
        assert!(matches!(open(files).unwrap().tls, TlsMode::Files { .. }));
        open(Settings { trusted_proxies: vec!["10.0.0.0/8".into(), "::1".into()], ..Settings::default() }).unwrap();
        assert!(matches!(
            open(Settings { tls: Some("off".into()), ..Settings::default() }),
            Err(ConfigError::NotLoopback(_))
        ));
    }

    #[test]
    fn the_folder_comes_from_the_public_address_unless_it_is_given() {
        let site = |public: &str, base: Option<&str>| {
            let settings =
                Settings { public_url: Some(public.into()), base_path: base.map(str::to_owned), ..Settings::default() };
            with_data(settings).checked().map(|config| config.site.base)
        };
        assert_eq!(site("https://a.example", None).unwrap(), "/");
        assert_eq!(site("https://a.example/p2ppool", None).unwrap(), "/p2ppool/");
        assert_eq!(site("https://a.example/p2ppool", Some("/")).unwrap(), "/");
        for (public, base) in [
            ("ftp://a", None),
            ("x", None),
            ("https://a", Some("x")),
            ("https://a", Some("/../")),
            ("https://a", Some("/a\"b/")),
        ] {
            assert!(matches!(site(public, base), Err(ConfigError::Wrong { .. })), "{public} {base:?}");
        }
        let proxies = Settings { trusted_proxies: vec!["everybody".into()], ..Settings::default() };
        assert!(matches!(with_data(proxies).checked(), Err(ConfigError::Wrong { setting: "trusted_proxies", .. })));
    }

    #[test]
    fn metrics_are_for_this_machine_unless_somebody_says_otherwise() {
        let metrics = |text: Option<&str>| {
            with_data(Settings { metrics: text.map(str::to_owned), ..Settings::default() }).checked().map(|c| c.metrics)
        };
        assert_eq!(metrics(None).unwrap(), MetricsAccess::Local);
        assert_eq!(metrics(Some("off")).unwrap(), MetricsAccess::Off);
        assert_eq!(metrics(Some("token")).unwrap(), MetricsAccess::Token);
        assert!(matches!(metrics(Some("everybody")), Err(ConfigError::Wrong { setting: "metrics", .. })));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let listen = |text: &str| with_data(Settings { listen: Some(text.into()), ..Settings::default() });
        for wrong in ["8080", "localhost", "127.0.0.1:99999", "::1:x", ""] {
            assert!(matches!(listen(wrong).checked(), Err(ConfigError::Listen(_))), "{wrong}");
        }
        let settings = Settings { files: Some("cloud".into()), ..Settings::default() };
        assert!(matches!(with_data(settings).checked(), Err(ConfigError::Files(_))));
        let settings = Settings { lease_s: Some(1), ..Settings::default() };
        let error = with_data(settings).checked().unwrap_err().to_string();
        assert!(error.contains("2 to 3600"), "{error}");
        let settings = Settings { hosts_working: Some(0), ..Settings::default() };
        let error = with_data(settings).checked().unwrap_err().to_string();
        assert_eq!(error, "hosts_working: 0 is not 1 to 4096");
        let settings = Settings { connections_per_second: Some(7), ..Settings::default() };
        let limits = with_data(settings).checked().unwrap().limits;
        assert_eq!(limits, ManagerLimits { per_second: 7, ..ManagerLimits::default() });
        let mysql = Settings { database: Some("mysql://u:secret@h/d".into()), ..Settings::default() };
        let error = with_data(mysql).checked().unwrap_err().to_string();
        assert!(error.contains("mysql") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_names_its_wrong_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p2ppool.toml");
        std::fs::write(&path, "data = '/a'\nlisten = '127.0.0.1:1'\n").unwrap();
        let flags = Settings { data: Some("/b".into()), ..Settings::default() };
        let config = flags.over(Settings::read(&path).unwrap()).checked().unwrap();
        assert_eq!((config.data, config.listen.port()), ("/b".into(), 1));

        std::fs::write(&path, "data = '/a'\nlissten = 'x'\n").unwrap();
        let error = Settings::read(&path).unwrap_err().to_string();
        assert!(error.contains("lissten") && error.contains("line 2"), "{error}");
    }
}
