//! Settings of the manager itself: flags over environment over file over defaults, then checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where the server listens when nobody says otherwise: this machine only.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8080";
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
    /// Listen on other than loopback addresses without TLS; passwords can then be read on the way
    #[arg(long, env = "P2PPOOL_INSECURE", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub insecure: Option<bool>,
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
         use a loopback address behind a reverse proxy or an ssh tunnel, or say --insecure if you mean it"
    )]
    NotLoopback(SocketAddr),
    /// No folder can be derived.
    #[error("data: neither --data nor XDG_DATA_HOME nor HOME tells where to keep the data")]
    NoDataFolder,
    /// The database is of no known kind.
    #[error("database: `{0}` begins with neither sqlite: nor postgres://")]
    Database(String),
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
            insecure: self.insecure.or(below.insecure),
        }
    }

    /// The settings with defaults filled in, or the first that can't be used.
    pub fn checked(self) -> Result<Config, ConfigError> {
        let data = self.data.or_else(default_data).ok_or(ConfigError::NoDataFolder)?;
        let data = std::path::absolute(&data).map_err(|source| ConfigError::Path { path: data, source })?;
        let listen = self.listen.unwrap_or_else(|| LISTEN_DEFAULT.to_owned());
        let listen: SocketAddr = listen.parse().map_err(|_| ConfigError::Listen(listen))?;
        if !listen.ip().is_loopback() && self.insecure != Some(true) {
            return Err(ConfigError::NotLoopback(listen));
        }
        let database = self.database.unwrap_or_else(|| format!("sqlite:{}", data.join("p2ppool.db").display()));
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| database.starts_with(scheme));
        if !known {
            let shown = database.split(':').next().unwrap_or_default().chars().take(40).collect();
            return Err(ConfigError::Database(shown));
        }
        Ok(Config { data, listen, database, node_binary: self.node_binary })
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
    fn what_is_wrong_is_named() {
        let listen = |text: &str| with_data(Settings { listen: Some(text.into()), ..Settings::default() });
        for wrong in ["8080", "localhost", "127.0.0.1:99999", "::1:x", ""] {
            assert!(matches!(listen(wrong).checked(), Err(ConfigError::Listen(_))), "{wrong}");
        }
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
