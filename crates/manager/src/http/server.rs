//! Connections: how many at once, how long a client may take to ask, and how they end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::uri::Authority;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::http::site::Connection;
use crate::tls::Tls;

/// Largest head of a request, bytes: far above what browsers send. hyper takes up to about twice as much that comes at once.
const HEAD_MAX: usize = 64 * 1024;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// Pause after a connection could not be accepted, which mostly means that files ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more wait until one ends. Well above the event streams there may be.
    pub connections: usize,
    /// Connections at once from one address; more are closed. Well above what one browser opens.
    pub per_address: usize,
    /// Longest time until the head of a request is there, from connecting or from the last answer.
    pub head: Duration,
    /// Longest time that requests under way get when the manager ends.
    pub goodbye: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 4_096, per_address: 512, head: Duration::from_secs(30), goodbye: Duration::from_secs(5) }
    }
}

/// Serves until the token trips, and returns when every connection has ended.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let counts = Arc::new(PerAddress::default());
    let slots = Arc::new(Semaphore::new(limits.connections));
    let open = TaskTracker::new();
    let accept = async {
        // The semaphore is never closed.
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Some(own) = PerAddress::enter(&counts, peer.ip(), limits.per_address) else { continue };
                    let connection = accepted(stream, peer, router.clone(), tls.clone(), limits, shutdown.clone());
                    open.spawn(async move {
                        connection.await;
                        drop((slot, own));
                    });
                }
                Err(error) => {
                    tracing::warn!("accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = shutdown.cancelled() => {}
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// How many connections each address has open.
#[derive(Debug, Default)]
struct PerAddress(Mutex<HashMap<IpAddr, usize>>);

struct Entered {
    counts: Arc<PerAddress>,
    address: IpAddr,
}

impl PerAddress {
    fn enter(counts: &Arc<Self>, address: IpAddr, most: usize) -> Option<Entered> {
        let mut all = counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.entry(address).or_default();
        if *open >= most {
            tracing::debug!("{address} has {most} connections already");
            return None;
        }
        *open += 1;
        Some(Entered { counts: Arc::clone(counts), address })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut all = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = all.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                all.remove(&self.address);
            }
        }
    }
}

/// First byte of a TLS connection: a handshake record (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

async fn accepted(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    tls: Option<Tls>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    // Events are small and late ones are seen.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("set TCP_NODELAY for {peer}: {error}");
    }
    let Some(tls) = tls else { return connection(stream, peer, Encrypted::No, router, limits, shutdown).await };
    let mut first = [0];
    let begun = tokio::select! {
        begun = tokio::time::timeout(limits.head, stream.peek(&mut first)) => begun,
        () = shutdown.cancelled() => return,
    };
    match begun {
        Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => {}
        // Whoever speaks plain HTTP on this port is sent to HTTPS on the same one.
        Ok(Ok(1)) => return connection(stream, peer, Encrypted::No, to_https(None), limits, shutdown).await,
        _ => return,
    }
    match tokio::time::timeout(limits.head, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, peer, Encrypted::Yes, router, limits, shutdown).await,
        Ok(Err(error)) => tracing::debug!("TLS with {peer}: {error}"),
        Err(_) => tracing::debug!("TLS with {peer}: no handshake within {:?}", limits.head),
    }
}

/// Sends every request on to HTTPS: on this port, or on the one that it came to.
pub fn to_https(port: Option<u16>) -> Router {
    Router::new().fallback(move |request: Request<Body>| async move {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let authority: Option<Authority> = host.parse().ok();
        let Some(authority) = authority.filter(|a| !a.as_str().contains('@')) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let port = match port {
            Some(443) => String::new(),
            Some(port) => format!(":{port}"),
            None => authority.port().map(|port| format!(":{port}")).unwrap_or_default(),
        };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        Redirect::permanent(&format!("https://{}{port}{path}", authority.host())).into_response()
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encrypted {
    Yes,
    No,
}

async fn connection<S>(
    stream: S,
    peer: SocketAddr,
    encrypted: Encrypted,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let about = Connection { peer: peer.ip(), encrypted: encrypted == Encrypted::Yes };
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(about);
        async move { router.call(request).await.map_err(|never: Infallible| never) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.goodbye, serving).await {
                Ok(ended) => ended,
                Err(_) => return tracing::warn!("a request of {peer} did not end within {:?}", limits.goodbye),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!("connection of {peer}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Nobody waits longer than this for something that comes at once.
    const SOON: Duration = Duration::from_secs(10);

    async fn start(limits: Limits) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/never", get(|| async { std::future::pending::<()>().await }));
        let server = tokio::spawn(serve(listener, router, None, limits, shutdown.clone()));
        (address, shutdown, server)
    }

    async fn ask(stream: &mut TcpStream, path: &str) -> String {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = vec![0; 1024];
        let read = tokio::time::timeout(SOON, stream.read(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    async fn until_closed(stream: &mut TcpStream) {
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await.expect("closed in time");
    }

    #[tokio::test]
    async fn a_client_that_never_finishes_its_request_is_cut_off() {
        let limits = Limits { head: Duration::from_millis(50), ..Limits::default() };
        let (address, _shutdown, _server) = start(limits).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
        until_closed(&mut slow).await;
    }

    #[tokio::test]
    async fn more_connections_than_allowed_wait_for_one_to_end() {
        let (address, _shutdown, _server) = start(Limits { connections: 1, ..Limits::default() }).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut first, "/").await.ends_with("hello"));
        let mut second = TcpStream::connect(address).await.unwrap();
        let waiting = tokio::spawn(async move { ask(&mut second, "/").await });
        // The first one is still served, the second one is not until the first has gone.
        assert!(ask(&mut first, "/").await.ends_with("hello"));
        assert!(!waiting.is_finished());
        drop(first);
        assert!(tokio::time::timeout(SOON, waiting).await.unwrap().unwrap().ends_with("hello"));
    }

    #[tokio::test]
    async fn at_the_end_idle_connections_close_and_endless_requests_are_cut_off() {
        let limits = Limits { goodbye: Duration::from_millis(50), ..Limits::default() };
        let (address, shutdown, server) = start(limits).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut idle, "/").await.ends_with("hello"));
        let mut endless = TcpStream::connect(address).await.unwrap();
        endless.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        shutdown.cancel();
        tokio::time::timeout(SOON, server).await.unwrap().unwrap();
        until_closed(&mut idle).await;
        until_closed(&mut endless).await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
