//! A whole database in one file, taken while managers use it, and back into an empty one.
//!
//! SQLite copies itself (`VACUUM INTO`); PostgreSQL is left to its own `pg_dump` and `pg_restore`.
//! Either way the copy is of one instant, and of the schema that was there: an older one migrates when it is opened.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use url::Url;

use crate::db::without_password;
use crate::error::{Result, StoreError};

/// Bytes kept of what PostgreSQL's programs complain.
const COMPLAINT_MAX: usize = 4096;

/// Which database a copy is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseKind {
    /// One file.
    Sqlite,
    /// A server.
    Postgres,
}

impl DatabaseKind {
    /// What a database address means.
    pub fn of(url: &str) -> Self {
        if url.starts_with("sqlite:") { Self::Sqlite } else { Self::Postgres }
    }
}

impl std::fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// Copies the database at `url` into the new file `to`. Nobody who uses it has to wait.
pub async fn save(url: &str, to: &Path) -> Result<()> {
    let saved = match url.strip_prefix("sqlite:") {
        Some(path) => save_sqlite(Path::new(path.strip_prefix("//").unwrap_or(path)), to).await,
        None => {
            let arguments = ["--format=custom", "--no-owner", "--no-privileges", "--file"].map(OsString::from);
            postgres_program("pg_dump", url, arguments.into_iter().chain([to.into()])).await
        }
    };
    saved.map_err(|why| failed("copy", url, why))
}

/// Fills the empty database at `url` from a copy that [`save`] made of a database of the same kind.
pub async fn load(from: &Path, url: &str) -> Result<()> {
    let loaded = match url.strip_prefix("sqlite:") {
        Some(path) => load_sqlite(from, Path::new(path.strip_prefix("//").unwrap_or(path))).await,
        None => load_postgres(from, url).await,
    };
    loaded.map_err(|why| failed("fill", url, why))
}

async fn save_sqlite(path: &Path, to: &Path) -> Result<(), String> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
    let mut from = SqliteConnection::connect_with(&options).await.map_err(|why| why.to_string())?;
    let target = to.to_str().ok_or("the path of the copy is not UTF-8")?;
    sqlx::query("VACUUM INTO $1").bind(target).execute(&mut from).await.map_err(|why| why.to_string())?;
    from.close().await.map_err(|why| why.to_string())
}

async fn load_sqlite(from: &Path, path: &Path) -> Result<(), String> {
    use std::os::unix::fs::OpenOptionsExt;
    let options = SqliteConnectOptions::new().filename(from).read_only(true);
    let mut copy = SqliteConnection::connect_with(&options).await.map_err(|why| why.to_string())?;
    let sound: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut copy).await.map_err(|why| why.to_string())?;
    copy.close().await.map_err(|why| why.to_string())?;
    if sound != "ok" {
        return Err(format!("the copy is damaged: {sound}"));
    }
    let mut target = tokio::fs::OpenOptions::from({
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options
    })
    .open(path)
    .await
    .map_err(|why| format!("make {}: {why}", path.display()))?;
    let mut source = tokio::fs::File::open(from).await.map_err(|why| why.to_string())?;
    tokio::io::copy(&mut source, &mut target).await.map_err(|why| why.to_string())?;
    target.sync_all().await.map_err(|why| why.to_string())
}

async fn load_postgres(from: &Path, url: &str) -> Result<(), String> {
    let mut there = sqlx::PgConnection::connect(url).await.map_err(|why| why.to_string())?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
        .fetch_one(&mut there)
        .await
        .map_err(|why| why.to_string())?;
    there.close().await.map_err(|why| why.to_string())?;
    if tables != 0 {
        return Err(format!("it is not empty: it has {tables} tables; make a new one with createdb"));
    }
    let arguments = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--dbname"];
    let name = database_name(url)?;
    let arguments = arguments.map(OsString::from).into_iter().chain([name.into(), from.into()]);
    postgres_program("pg_restore", url, arguments).await
}

/// Runs one of PostgreSQL's own programs. The password goes by environment: arguments can be seen by everybody.
async fn postgres_program(name: &str, url: &str, arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
    let ran = tokio::process::Command::new(name)
        .args(arguments)
        .envs(environment(url)?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output()
        .await;
    let ended = ran.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{name} is not installed (Debian, Ubuntu: apt install postgresql-client)")
        }
        _ => format!("{name}: {error}"),
    })?;
    if ended.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&ended.stderr[..ended.stderr.len().min(COMPLAINT_MAX)]).into_owned();
    Err(format!("{name}, {}: {}", ended.status, complaint.trim()))
}

/// The address as libpq's environment variables.
/// Source: PostgreSQL manual, "Environment Variables" and "Connection URIs" of libpq.
fn environment(url: &str) -> Result<Vec<(&'static str, String)>, String> {
    let parsed = Url::parse(url).map_err(|why| why.to_string())?;
    let text = |encoded: &str| percent_decoded(encoded);
    let mut variables = vec![("PGDATABASE", database_name(url)?)];
    if let Some(host) = parsed.host_str().filter(|host| !host.is_empty()) {
        variables.push(("PGHOST", text(host.trim_matches(['[', ']']))));
    }
    if let Some(port) = parsed.port() {
        variables.push(("PGPORT", port.to_string()));
    }
    if !parsed.username().is_empty() {
        variables.push(("PGUSER", text(parsed.username())));
    }
    if let Some(password) = parsed.password() {
        variables.push(("PGPASSWORD", text(password)));
    }
    for (name, value) in parsed.query_pairs() {
        let variable = match &*name {
            "host" => "PGHOST",
            "port" => "PGPORT",
            "user" => "PGUSER",
            "password" => "PGPASSWORD",
            "sslmode" => "PGSSLMODE",
            "sslrootcert" => "PGSSLROOTCERT",
            "options" => "PGOPTIONS",
            _ => continue,
        };
        variables.push((variable, value.into_owned()));
    }
    Ok(variables)
}

fn database_name(url: &str) -> Result<String, String> {
    let parsed = Url::parse(url).map_err(|why| why.to_string())?;
    let named = parsed.query_pairs().find(|(name, _)| name == "dbname").map(|(_, value)| value.into_owned());
    let name = named.unwrap_or_else(|| percent_decoded(parsed.path().trim_start_matches('/')));
    if name.is_empty() { Err("the address names no database".to_owned()) } else { Ok(name) }
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn failed(what: &str, url: &str, why: String) -> StoreError {
    StoreError::Copy { what: format!("{what} database {}", without_password(url)), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_what_postgresqls_programs_read() {
        let url = "postgres://an%40na:p%3Aw@[::1]:5433/pools?sslmode=require&application_name=x";
        let expected = [
            ("PGDATABASE", "pools"),
            ("PGHOST", "::1"),
            ("PGPORT", "5433"),
            ("PGUSER", "an@na"),
            ("PGPASSWORD", "p:w"),
            ("PGSSLMODE", "require"),
        ];
        assert_eq!(environment(url).unwrap(), expected.map(|(name, value)| (name, value.to_owned())));
        let socket = environment("postgres:///pools?host=/run/postgresql").unwrap();
        assert_eq!(socket, [("PGDATABASE", "pools".to_owned()), ("PGHOST", "/run/postgresql".to_owned())]);
        assert!(environment("postgres://host/").is_err());
    }
}
