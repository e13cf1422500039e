//! Databases for tests (feature `testing`): a fresh SQLite file, and fresh databases on a real
//! PostgreSQL server that is started for the test program and ends with it.
//!
//! A test that needs PostgreSQL fails where there is none; it never passes by not running.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use sqlx::Connection as _;

use crate::Store;
use crate::db::on;

/// How long the server may take to come up on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Lines of the server's log that are shown when it doesn't come up.
const LOG_LINES: usize = 40;
/// Where Debian puts PostgreSQL, one folder per version.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";
/// The user that runs the server when the test is run by root, which PostgreSQL refuses to be.
const SERVER_USER: &str = "postgres";

/// A database of its own for one test.
#[derive(Debug)]
pub struct Fresh {
    /// It, opened.
    pub store: Store,
    /// Its address, to open it a second time.
    pub url: String,
    folder: Option<tempfile::TempDir>,
}

impl Fresh {
    /// The folder of a SQLite database.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(tempfile::TempDir::path)
    }
}

/// A new SQLite database in a folder of its own, which goes when this is dropped.
pub async fn sqlite() -> Fresh {
    let folder = tempfile::tempdir().expect("make a folder for the database");
    let url = format!("sqlite:{}", folder.path().join("p2ppool.db").display());
    let store = Store::open(&url).await.expect("open a new SQLite database");
    Fresh { store, url, folder: Some(folder) }
}

/// A new PostgreSQL database on the server of this test program.
pub async fn postgres() -> Fresh {
    let url = postgres_url().await;
    let store = Store::open(&url).await.expect("open a new PostgreSQL database");
    Fresh { store, url, folder: None }
}

/// The address of a new, empty PostgreSQL database: nobody has opened it yet.
pub async fn postgres_url() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let server = Postgres::shared();
    let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut conn =
        sqlx::PgConnection::connect(&server.url("postgres")).await.expect("connect to the test's PostgreSQL");
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut conn)
        .await
        .expect("make a database on the test's PostgreSQL");
    server.url(&name)
}

/// Until when the claim of a running task is good without another heartbeat, by the database's clock.
pub async fn lease_until(store: &Store, task: p2ppool_model::TaskId) -> Option<p2ppool_model::Time> {
    let until: Option<i64> = on!(store.db.read(), conn => {
        sqlx::query_scalar("SELECT lease_until FROM tasks WHERE id = $1").bind(task.0).fetch_one(conn).await
    })
    .expect("read a lease");
    until.map(p2ppool_model::Time)
}

/// A PostgreSQL server of its own: own data folder, own unix socket, no network. It ends when this
/// is dropped and also when the test program ends in whatever way, because it hangs on a pipe from it.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    process: Child,
}

impl Postgres {
    /// The server that all tests of this program share; started when the first one asks.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(|| Self::start().unwrap_or_else(|why| panic!("a real PostgreSQL is needed: {why}")))
    }

    /// Starts a server; returns when it takes connections.
    ///
    /// # Errors
    /// A sentence with what is missing or what the server said.
    pub fn start() -> Result<Self, String> {
        let programs = find_programs()?;
        let folder = tempfile::Builder::new().prefix("p2ppool-pg-").tempdir().map_err(|why| why.to_string())?.keep();
        let server_user = if user_id(None)? == 0 { Some(SERVER_USER) } else { None };
        if let Some(user) = server_user {
            std::os::unix::fs::chown(&folder, Some(user_id(Some(user))?), None)
                .map_err(|why| format!("give {} to {user}: {why}", folder.display()))?;
        }
        // The subshell waits for the end of our pipe, however it comes, and ends the server that
        // this shell started: by its pid.
        let script = r#"
            set -eu
            umask 077
            cd "$1"
            "$2/initdb" -D data -U p2ppool -A trust --no-sync -E UTF8 --locale-provider=icu --icu-locale=en-US \
                --locale=C.UTF-8 >initdb.log 2>&1 || { cat initdb.log >&2; exit 1; }
            exec 3<&0
            "$2/postgres" -D data -k "$1" -c listen_addresses= -c fsync=off -c max_connections=200 </dev/null 3<&- &
            server=$!
            { cat <&3 >/dev/null; kill -QUIT "$server" 2>/dev/null || :; } >/dev/null 2>&1 &
            wait "$server" || :
            cd /
            rm -rf "$1"
        "#;
        let mut command = match server_user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups", "sh"]);
                command
            }
            None => Command::new("sh"),
        };
        let mut process = command
            .args(["-c", script, "p2ppool-test-postgres"])
            .arg(&folder)
            .arg(&programs)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|why| format!("start {}: {why}", programs.display()))?;
        wait_until_ready(&mut process)?;
        Ok(Self { folder, process })
    }

    /// The address of a database on this server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=p2ppool", self.folder.display())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Ends as soon as the server has: an immediate shutdown takes no checkpoint.
        let _ = self.process.wait();
    }
}

fn find_programs() -> Result<PathBuf, String> {
    let versions = std::fs::read_dir(DEBIAN_FOLDER)
        .map_err(|why| format!("look for it in {DEBIAN_FOLDER}: {why}; on Debian: apt install postgresql"))?;
    versions
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join("bin")))
        .filter(|programs| programs.join("postgres").is_file())
        .max_by_key(|programs| {
            let version = programs.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
            version.and_then(|version| version.parse::<u32>().ok())
        })
        .ok_or_else(|| format!("there is no {DEBIAN_FOLDER}/*/bin/postgres; on Debian: apt install postgresql"))
}

fn user_id(name: Option<&str>) -> Result<u32, String> {
    let output = Command::new("id").arg("-u").args(name).output().map_err(|why| format!("run id: {why}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| format!("there is no user {}", name.unwrap_or("at all")))
}

/// Reads the server's log until it says that it is ready, and goes on reading so that it never blocks.
fn wait_until_ready(process: &mut Child) -> Result<(), String> {
    let log = process.stderr.take().ok_or("no log")?;
    let (lines, heard) = mpsc::sync_channel(LOG_LINES);
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            let _ = lines.try_send(line);
        }
    });
    let mut log = Vec::new();
    loop {
        match heard.recv_timeout(START_TIMEOUT) {
            Ok(line) if line.contains("ready to accept connections") => return Ok(()),
            Ok(line) => log.push(line),
            Err(why) => {
                drop(process.stdin.take());
                return Err(format!("the server did not come up ({why}): {}", log.join("\n")));
            }
        }
    }
}
