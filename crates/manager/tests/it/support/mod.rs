//! A manager with a temporary data folder, and clients of it.

pub(crate) mod mmdb;

pub(crate) mod provider;

use std::net::SocketAddr;
use std::sync::Arc;

use p2ppool::app::App;
use p2ppool::config::Settings;
use p2ppool_model::role::Role;
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus, Totals};
use p2ppool_model::{CrawlId, Time};
use p2ppool_store::NewSnapshot;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The server, with everything real but the network beyond loopback.
pub(crate) struct TestApp {
    pub(crate) app: Arc<App>,
    pub(crate) address: SocketAddr,
    pub(crate) admin_password: String,
    admin: String,
    http: reqwest::Client,
    server: Option<JoinHandle<anyhow::Result<()>>>,
    _data: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body, when the status is right.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// The error's code, when the status is right.
    #[track_caller]
    pub(crate) fn problem(self, status: u16) -> Value {
        let error = self.expect(status).json()["error"].clone();
        assert_eq!(error["request_id"].as_str().map(str::len), Some(16), "{error}");
        error
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// With these settings, in a data folder of its own.
    pub(crate) async fn start_with(settings: Settings) -> Self {
        let data = tempfile::tempdir().unwrap();
        let settings = Settings { data: Some(data.path().join("data")), ..settings };
        Self::open(settings, data, None).await
    }

    /// On what lies in a folder already. Its administrator has this password.
    pub(crate) async fn start_again(settings: Settings, data: tempfile::TempDir, admin_password: &str) -> Self {
        Self::open(settings, data, Some(admin_password.to_owned())).await
    }

    async fn open(settings: Settings, data: tempfile::TempDir, admin_password: Option<String>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (app, first) = App::open(&settings.checked().unwrap()).await.unwrap();
        let admin_password = admin_password.unwrap_or_else(|| first.unwrap().password.reveal().to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(Arc::clone(&app).serve(listener));
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut this =
            Self { app, address, admin_password, admin: String::new(), http, server: Some(server), _data: data };
        this.admin = this.token_of("admin", &this.admin_password.clone()).await;
        this
    }

    /// Ends the server in order. What it keeps is in `data` of this folder.
    pub(crate) async fn stop(mut self) -> tempfile::TempDir {
        self.app.shutdown.cancel();
        self.server.take().unwrap().await.unwrap().unwrap();
        self._data
    }

    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with('/') {
            format!("http://{}{path}", self.address)
        } else {
            format!("http://{}{}api/v1/{path}", self.address, self.app.site.base)
        }
    }

    pub(crate) fn admin_token(&self) -> &str {
        &self.admin
    }

    /// A request without account; paths without leading `/` are of the API.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// A request of the administrator.
    pub(crate) fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.admin)
    }

    /// A request of the person whose session this cookie is.
    pub(crate) fn session(&self, method: Method, path: &str, cookie: &str) -> RequestBuilder {
        let repeated = cookie.split("; ").find_map(|cookie| cookie.strip_prefix("p2ppool_csrf=")).unwrap_or_default();
        self.anonymous(method, path).header("cookie", cookie).header("x-csrf-token", repeated)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.admin(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.admin(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        send(self.admin(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        send(self.admin(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn put_text(&self, path: &str, text: &str) -> Answer {
        send(self.admin(Method::PUT, path).header("content-type", "text/plain").body(text.to_owned())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.admin(Method::DELETE, path)).await
    }

    /// A pool with these hosts, and other settings.
    pub(crate) async fn pool(&self, name: &str, hosts: &str, settings: Value) -> Value {
        let mut body = settings;
        body["name"] = json!(name);
        body["hosts"] = json!(hosts);
        // tests write crawls of any time; the manager forgets old nodes as soon as it starts
        let kept = body.get("detail_days").cloned().unwrap_or(json!(36_500));
        body["detail_days"] = kept;
        self.post("pools", body).await.expect(201).json()
    }

    /// A person with this role, and a token of theirs.
    pub(crate) async fn person(&self, name: &str, role: Role) -> String {
        let password = "correct horse battery";
        let hash = self.app.passwords.hash(password.to_owned()).await.unwrap();
        self.app.store.create_user(name, Some(&hash), role, p2ppool_model::Time::now()).await.unwrap();
        self.token_of(name, password).await
    }

    /// Logs in and makes a token.
    pub(crate) async fn token_of(&self, name: &str, password: &str) -> String {
        let cookie = self.cookie_of(name, password).await;
        // the same folder may be opened several times, and names of tokens are unique
        let name = format!("test {}", self.address);
        let request = self.session(Method::POST, "tokens", &cookie).json(&json!({ "name": name }));
        send(request).await.expect(201).json()["token"].as_str().unwrap().to_owned()
    }

    /// Logs in: the `Cookie` header.
    pub(crate) async fn cookie_of(&self, name: &str, password: &str) -> String {
        let body = json!({ "name": name, "password": password });
        let answer = send(self.anonymous(Method::POST, "login").json(&body)).await.expect(200);
        let cookies = answer.headers.get_all("set-cookie").iter();
        cookies.map(|value| value.to_str().unwrap().split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

/// A node that answered.
pub(crate) fn node(address: &str, consistency: Option<f64>) -> Node {
    let details = NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
    Node { status: NodeStatus::Answering, consistency, ..Node::unknown(address, details) }
}

/// Stores a snapshot of these nodes.
pub(crate) async fn crawl(app: &TestApp, pool: &str, started: Time, nodes: &[Node]) -> CrawlId {
    let pool = app.app.store.pool_by_name(&pool.parse().unwrap()).await.unwrap();
    let totals = Totals::of(nodes, None, 0);
    let new = NewSnapshot { pool: pool.id, task: None, started, duration_ms: 5, complete: true, totals };
    app.app.store.store_snapshot(&new, nodes).await.unwrap().id
}
