//! The serving side.
//!
//! | path | what |
//! |---|---|
//! | `GET /healthz` | `ok` while the node runs |
//! | `GET /metrics` | Prometheus text |
//! | `GET /v1/info` | what an operator would be told, as JSON |
//! | `GET`, `PUT /v1/records/<key>` | a record of the overlay, raw bytes |
//!
//! Paths under `/v1/` are only there while the port is on loopback, and only for requests that name
//! it by an IP address or `localhost`: a web page can't reach it through a name of its own.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use libp2p::PeerId;
use p2ppool_overlay::libp2p::InfoResponse;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{KEY_BYTES_MAX, metrics, unescape};
use crate::node::{Command, Handle, RecordError, Start};

/// Requests at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 16;
/// Longest wait for a request's head.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// Longest connection, longer than the longest query.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(60);
/// Longest body; a record's value has at most 8 KiB.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Pause after a failed accept (too many open files), instead of a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

type Answer = Response<Full<Bytes>>;

/// The control port.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    handle: Handle,
    namespace: String,
    peer: PeerId,
    is_private: bool,
}

/// What `/v1/info` tells.
#[derive(Serialize)]
struct Info {
    peer_id: String,
    #[serde(flatten)]
    info: InfoResponse,
}

impl Server {
    /// A server on this port for that node.
    pub fn new(listener: TcpListener, handle: Handle, start: &Start, peer: PeerId) -> Self {
        let is_private = start.config.rpc.ip().is_loopback();
        if !is_private {
            tracing::warn!(rpc = %start.config.rpc, "rpc is not on loopback: only /metrics and /healthz are served");
        }
        let namespace = start.config.namespace.clone();
        Self { listener, shared: Arc::new(Shared { handle, namespace, peer, is_private }) }
    }

    /// Serves until it is dropped.
    pub async fn run(self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    let shared = Arc::clone(&self.shared);
                    tokio::spawn(async move {
                        serve(stream, from, shared).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "rpc connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, from: SocketAddr, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_DEADLINE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%from, %error, "rpc connection broke"),
        Err(_) => tracing::debug!(%from, "rpc connection took too long"),
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        match (request.method(), path.as_str()) {
            (&Method::GET, "/healthz") => text(StatusCode::OK, "ok\n"),
            (&Method::GET, "/metrics") => self.metrics().await,
            _ if !self.is_private || !names_no_name(&request) => nothing_here(),
            (&Method::GET, "/v1/info") => self.info().await,
            (_, path) => match path.strip_prefix("/v1/records/") {
                Some(key) => self.record(key, request).await,
                None => nothing_here(),
            },
        }
    }

    async fn metrics(&self) -> Answer {
        match self.handle.ask(Command::Report).await {
            Some(report) => {
                with_type(StatusCode::OK, "text/plain; version=0.0.4", metrics::render(&self.namespace, &report))
            }
            None => failure(&RecordError::Busy),
        }
    }

    async fn info(&self) -> Answer {
        let Some(info) = self.handle.ask(Command::Info).await else { return failure(&RecordError::Busy) };
        match serde_json::to_vec(&Info { peer_id: self.peer.to_string(), info }) {
            Ok(json) => with_type(StatusCode::OK, "application/json", json),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }

    async fn record(&self, key: &str, request: Request<Incoming>) -> Answer {
        let key = match unescape(key) {
            Some(key) if (1..=KEY_BYTES_MAX).contains(&key.len()) => key,
            _ => return text(StatusCode::BAD_REQUEST, format!("a key has 1 to {KEY_BYTES_MAX} bytes\n")),
        };
        match *request.method() {
            Method::GET => match self.handle.ask(|asker| Command::Get(key, asker)).await {
                Some(Ok(value)) => with_type(StatusCode::OK, "application/octet-stream", value),
                Some(Err(error)) => failure(&error),
                None => failure(&RecordError::Busy),
            },
            Method::PUT => {
                let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await else {
                    return text(StatusCode::PAYLOAD_TOO_LARGE, "the value is too long\n");
                };
                let value = body.to_bytes().to_vec();
                match self.handle.ask(|asker| Command::Put(key, value, asker)).await {
                    Some(Ok(())) => text(StatusCode::OK, "stored\n"),
                    Some(Err(error)) => failure(&error),
                    None => failure(&RecordError::Busy),
                }
            }
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "a record knows GET and PUT\n"),
        }
    }
}

/// The request calls us by an IP address or `localhost`.
fn names_no_name<B>(request: &Request<B>) -> bool {
    let Some(host) = request.headers().get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    host.parse::<SocketAddr>().is_ok()
        || host.parse::<IpAddr>().is_ok()
        || host.split(':').next().is_some_and(|name| name == "localhost")
}

fn nothing_here() -> Answer {
    text(StatusCode::NOT_FOUND, "there is nothing here\n")
}

fn failure(error: &RecordError) -> Answer {
    let status = match error {
        RecordError::NotFound => StatusCode::NOT_FOUND,
        RecordError::Timeout => StatusCode::GATEWAY_TIMEOUT,
        RecordError::Refused(_) => StatusCode::PAYLOAD_TOO_LARGE,
        RecordError::Alone | RecordError::Busy => StatusCode::SERVICE_UNAVAILABLE,
    };
    text(status, format!("{error}\n"))
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_type(status, "text/plain; charset=utf-8", body)
}

fn with_type(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_name_does_not_lead_to_the_control_port() {
        let with = |host: &str| names_no_name(&Request::builder().header(HOST, host).body(()).unwrap());
        for right in ["127.0.0.1:4651", "127.0.0.1", "[::1]:4651", "localhost:4651", "localhost"] {
            assert!(with(right), "{right}");
        }
        for wrong in ["evil.example", "evil.example:4651", "localhost.evil.example", ""] {
            assert!(!with(wrong), "{wrong}");
        }
    }
}
