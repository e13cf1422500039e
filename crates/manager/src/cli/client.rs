//! The HTTP client of the manager's API.

use std::path::{Path, PathBuf};
use std::time::Duration;

use p2ppool_model::event::Event;
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::CliError;

/// One request, uploads excepted.
const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
/// Opening a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Uploading a bundle of the largest size over a slow line.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(3600);
/// Writing out years of history.
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(24 * 3600);
/// Longest line of the event stream, bytes: one batch of host changes.
const EVENT_LINE_MAX: usize = 16 * 1024 * 1024;

/// Why the manager's certificate is believed; nothing: because a known authority signed it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// It is exactly this one (SHA-256).
    pub(super) fingerprint: Option<String>,
    /// This authority (PEM) signed it.
    pub(super) ca_file: Option<PathBuf>,
}

impl Trust {
    fn apply(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, CliError> {
        if let Some(text) = &self.fingerprint {
            let config = crate::tls::pinned::client(text);
            let wrong = || CliError::Other(format!("--fingerprint {text}: not 32 bytes in hexadecimal"));
            return Ok(builder.tls_backend_preconfigured(config.ok_or_else(wrong)?));
        }
        let Some(file) = &self.ca_file else { return Ok(builder) };
        let text = super::input::read_text(file)?;
        let certs = reqwest::Certificate::from_pem_bundle(text.as_bytes())
            .map_err(|error| CliError::Other(format!("--ca-file {}: {error}", file.display())))?;
        Ok(builder.tls_certs_merge(certs))
    }
}

/// A manager, and who asks.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
}

impl Client {
    /// A client with the given token, else with the one kept for this server.
    pub(super) fn new(server: String, token: Option<String>) -> Result<Self, CliError> {
        Self::trusting(server, token, &Trust::default())
    }

    /// [`Client::new`] for a manager whose certificate no known authority signed.
    pub(super) fn trusting(server: String, token: Option<String>, trust: &Trust) -> Result<Self, CliError> {
        let server = server.trim_end_matches('/').to_owned();
        if !server.starts_with("http://") && !server.starts_with("https://") {
            return Err(CliError::Other(format!("--server {server}: must begin with http:// or https://")));
        }
        let http = trust
            .apply(reqwest::Client::builder())?
            .connect_timeout(CONNECT_DEADLINE)
            .user_agent(concat!("p2ppool/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| CliError::Other(format!("make an HTTP client: {error}")))?;
        let token = match token {
            Some(token) => Some(token),
            None => super::login::kept_token(&server)?,
        };
        Ok(Self { http, server, token })
    }

    /// Whether requests say who asks.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The manager's address.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Reads an object.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.json(Method::GET, path, self.request(Method::GET, path)).await
    }

    /// Any JSON document.
    pub(super) async fn get_value(&self, path: &str) -> Result<Value, CliError> {
        self.get(path).await
    }

    /// A text, such as CSV.
    pub(super) async fn get_text(&self, path: &str) -> Result<String, CliError> {
        let response = self.send(Method::GET, path, self.request(Method::GET, path)).await?;
        response.text().await.map_err(|error| bad_answer(path, &error))
    }

    /// Writes an answer of any length as it comes. A closed pipe (`| head`) is not an error.
    pub(super) async fn download(&self, path: &str, to: &mut impl std::io::Write) -> Result<(), CliError> {
        let request = self.request(Method::GET, path).timeout(DOWNLOAD_DEADLINE);
        let mut response = self.send(Method::GET, path, request).await?;
        let written = loop {
            match response.chunk().await.map_err(|error| bad_answer(path, &error))? {
                Some(part) => {
                    if let Err(error) = to.write_all(&part) {
                        break Err(error);
                    }
                }
                None => break to.flush(),
            }
        };
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// A file.
    pub(super) async fn get_bytes(&self, path: &str) -> Result<Vec<u8>, CliError> {
        let response = self.send(Method::GET, path, self.request(Method::GET, path)).await?;
        Ok(response.bytes().await.map_err(|error| bad_answer(path, &error))?.into())
    }

    /// Sends JSON, expects JSON.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.json(Method::POST, path, self.request(Method::POST, path).json(body)).await
    }

    /// Changes part of an object.
    pub(super) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.json(Method::PATCH, path, self.request(Method::PATCH, path).json(body)).await
    }

    /// Asks about a text.
    pub(super) async fn post_text<T: DeserializeOwned>(&self, path: &str, text: String) -> Result<T, CliError> {
        let request = self.request(Method::POST, path).header("content-type", "text/plain; charset=utf-8").body(text);
        self.json(Method::POST, path, request).await
    }

    /// Replaces a text.
    pub(super) async fn put_text<T: DeserializeOwned>(&self, path: &str, text: String) -> Result<T, CliError> {
        let request = self.request(Method::PUT, path).header("content-type", "text/plain; charset=utf-8").body(text);
        self.json(Method::PUT, path, request).await
    }

    /// Replaces an object.
    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.json(Method::PUT, path, self.request(Method::PUT, path).json(body)).await
    }

    /// Deletes.
    pub(super) async fn delete(&self, path: &str) -> Result<(), CliError> {
        self.send(Method::DELETE, path, self.request(Method::DELETE, path)).await.map(drop)
    }

    /// Deletes; the answer tells what.
    pub(super) async fn delete_for<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.json(Method::DELETE, path, self.request(Method::DELETE, path)).await
    }

    /// Sends JSON; there is no answer.
    pub(super) async fn post_for_nothing(&self, path: &str, body: &impl Serialize) -> Result<(), CliError> {
        self.send(Method::POST, path, self.request(Method::POST, path).json(body)).await.map(drop)
    }

    /// Streams a file from disk.
    pub(super) async fn upload<T: DeserializeOwned>(&self, path: &str, file: &Path) -> Result<T, CliError> {
        let open = tokio::fs::File::open(file).await.map_err(|error| CliError::file(file, error))?;
        let size = open.metadata().await.map_err(|error| CliError::file(file, error))?.len();
        let request = self
            .request(Method::POST, path)
            .timeout(UPLOAD_DEADLINE)
            .header("content-type", "application/octet-stream")
            .header("content-length", size)
            .body(reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(open)));
        self.json(Method::POST, path, request).await
    }

    /// Logs in with a password and answers with the session cookie.
    pub(super) async fn login(&self, name: &str, password: &str, code: Option<&str>) -> Result<String, CliError> {
        let body = serde_json::json!({ "name": name, "password": password, "code": code });
        let request = self.http.post(self.url("login")).timeout(REQUEST_DEADLINE).json(&body);
        let response = self.send(Method::POST, "login", request).await?;
        let cookies: Vec<String> = response
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|value| value.to_str().ok()?.split(';').next().map(str::to_owned))
            .collect();
        Ok(cookies.join("; "))
    }

    /// Sends JSON as the person whom a session cookie stands for.
    pub(super) async fn post_with_cookie<T: DeserializeOwned>(
        &self,
        path: &str,
        cookie: &str,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        let request = self
            .http
            .post(self.url(path))
            .timeout(REQUEST_DEADLINE)
            .header("cookie", cookie)
            .header("x-csrf-token", repeated(cookie))
            .json(body);
        self.json(Method::POST, path, request).await
    }

    /// The stream of what changes, until the manager or the network ends it.
    pub(super) async fn events(&self, pool: &str) -> Result<Events, CliError> {
        let path = format!("events?pool={pool}");
        let mut request = self.http.get(self.url(&path)).header("accept", "text/event-stream");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = self.send(Method::GET, &path, request).await?;
        Ok(Events { response, buffer: Vec::new() })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.server)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.url(path)).timeout(REQUEST_DEADLINE);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        request: RequestBuilder,
    ) -> Result<T, CliError> {
        let response = self.send(method, path, request).await?;
        let body = response.bytes().await.map_err(|error| bad_answer(path, &error))?;
        serde_json::from_slice(&body).map_err(|error| bad_answer(path, &error))
    }

    async fn send(&self, method: Method, path: &str, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request
            .send()
            .await
            .map_err(|error| CliError::NoAnswer { server: self.server.clone(), reason: innermost(&error) })?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(method_name(&method), path, response).await)
    }
}

/// What changes with a session cookie have to repeat.
fn repeated(cookies: &str) -> &str {
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("p2ppool_csrf=")).unwrap_or_default()
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "GET",
    }
}

fn bad_answer(path: &str, error: &impl std::fmt::Display) -> CliError {
    CliError::BadAnswer { path: path.to_owned(), reason: error.to_string() }
}

/// reqwest's own message only repeats the address; the cause is at the end of the chain.
fn innermost(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

async fn refusal(method: &'static str, path: &str, response: Response) -> CliError {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or(Value::Null);
    let error = &body["error"];
    let message = error["message"].as_str().unwrap_or("refused without a reason");
    let advice = match status {
        401 if path != "login" => "\n  log in with `p2ppool login`, or give --token",
        _ => "",
    };
    let details: Vec<String> = error["details"].as_array().into_iter().flatten().map(detail).collect();
    let (message, details) = without_repeats(message, &details);
    CliError::Refused { method, path: path.to_owned(), message, details: details + advice, status }
}

/// The manager's message sums up the details; a person gets each of them once.
fn without_repeats(message: &str, details: &[String]) -> (String, String) {
    let lines = || details.iter().map(|detail| format!("\n  {detail}")).collect();
    match details.first().and_then(|first| message.find(first.as_str())) {
        Some(0) if details.len() == 1 => (message.to_owned(), String::new()),
        Some(start) if start > 0 => (message.get(..start).unwrap_or(message).trim_end().to_owned(), lines()),
        _ => (message.to_owned(), lines()),
    }
}

fn detail(item: &Value) -> String {
    let reason = item["reason"].as_str().or(item["message"].as_str());
    match (item["line"].as_u64(), item["field"].as_str(), reason) {
        (Some(line), _, Some(reason)) => format!("line {line}: {reason}"),
        (_, Some(field), Some(reason)) => format!("{field}: {reason}"),
        _ => item.as_str().map_or_else(|| item.to_string(), str::to_owned),
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub(super) struct Events {
    response: Response,
    buffer: Vec<u8>,
}

impl Events {
    /// The next event; `None` when the stream has ended. What isn't an event is skipped.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let data = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii);
                if let Some(event) = data.and_then(|data| serde_json::from_slice(data).ok()) {
                    return Some(event);
                }
            }
            if self.buffer.len() > EVENT_LINE_MAX {
                return None;
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_detail_is_said_twice() {
        let one = ["key: it is encrypted".to_owned()];
        assert_eq!(without_repeats("key: it is encrypted", &one), (one[0].clone(), String::new()));
        let two = ["line 1: no host".to_owned(), "line 3: no port".to_owned()];
        assert_eq!(
            without_repeats("lines are wrong: line 1: no host; and 1 more", &two),
            ("lines are wrong:".to_owned(), "\n  line 1: no host\n  line 3: no port".to_owned())
        );
        assert_eq!(without_repeats("wrong", &one), ("wrong".to_owned(), "\n  key: it is encrypted".to_owned()));
    }
}
