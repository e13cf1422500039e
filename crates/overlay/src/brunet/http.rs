//! HTTP as Mono's HttpListener wants it: header and body in one write, one request at a time per
//! connection, kept alive for less than the server's patience.
//!
//! Two writes on a kept connection cost 44 ms each (Nagle against delayed acknowledgement), a second
//! request before the first answer is swallowed.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::xml_rpc::RESPONSE_BYTES_MAX;

/// How long an unused connection is kept: the server closes it after 14.7 s.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Longest header of a response, bytes; a real one has 150.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes read at once: more than most responses have.
const CHUNK_BYTES: usize = 16 << 10;

/// Calls one HTTP server. Holds as many connections as there were calls at once.
#[derive(Debug)]
pub(super) struct HttpClient {
    server: SocketAddr,
    idle: Mutex<Vec<(TcpStream, Instant)>>,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The server can't be reached, or the connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It answered something that can't be used.
    #[error("{0}")]
    Answer(String),
}

impl HttpClient {
    pub(super) fn new(server: SocketAddr) -> Self {
        Self { server, idle: Mutex::default() }
    }

    /// Posts `body` to `path` and returns the response's body. A future that is dropped closes its connection.
    pub(super) async fn post(&self, path: &str, body: &str) -> Result<Vec<u8>, HttpError> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            self.server,
            body.len()
        );
        while let Some(mut kept) = self.kept() {
            match exchange(&mut kept, request.as_bytes()).await {
                // the server closed it while it lay here: nothing was done
                Err(HttpError::Io(_)) => continue,
                result => return self.put_back(kept, result),
            }
        }
        let mut stream = TcpStream::connect(self.server).await?;
        stream.set_nodelay(true)?;
        let result = exchange(&mut stream, request.as_bytes()).await;
        self.put_back(stream, result)
    }

    fn kept(&self) -> Option<TcpStream> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE_MAX);
        idle.pop().map(|(stream, _)| stream)
    }

    fn put_back(&self, stream: TcpStream, result: Result<Answer, HttpError>) -> Result<Vec<u8>, HttpError> {
        let Answer { body, keep } = result?;
        if keep {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((stream, Instant::now()));
        }
        Ok(body)
    }
}

struct Answer {
    body: Vec<u8>,
    keep: bool,
}

async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Result<Answer, HttpError> {
    stream.write_all(request).await?;
    let mut bytes = Vec::with_capacity(CHUNK_BYTES);
    let (head, body_at) = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            break (Head::parse(&bytes[..end])?, end + 4);
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(HttpError::Answer(format!("the response's header has more than {HEAD_BYTES_MAX} bytes")));
        }
        more(stream, &mut bytes).await?;
    };
    while bytes.len() < body_at + head.length {
        more(stream, &mut bytes).await?;
    }
    let keep = head.keep && bytes.len() == body_at + head.length;
    bytes.truncate(body_at + head.length);
    bytes.drain(..body_at);
    Ok(Answer { body: bytes, keep })
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), HttpError> {
    bytes.reserve(CHUNK_BYTES);
    match stream.read_buf(bytes).await? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed before the answer").into()),
        _ => Ok(()),
    }
}

struct Head {
    length: usize,
    keep: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self, HttpError> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let status = lines.next().unwrap_or_default();
        let mut words = status.split(' ');
        let (version, code) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if !version.starts_with("HTTP/1.") {
            return Err(HttpError::Answer("it does not speak HTTP".to_owned()));
        }
        if code != "200" {
            let shown: String = status.chars().take(80).collect();
            return Err(HttpError::Answer(format!("it answered `{shown}`")));
        }
        let (mut length, mut keep) = (None, version != "HTTP/1.0");
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok(),
                "connection" => keep &= !value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        let length = length.ok_or_else(|| HttpError::Answer("the response has no Content-Length".to_owned()))?;
        if length > RESPONSE_BYTES_MAX {
            return Err(HttpError::Answer(format!("the response has {length} bytes, more than {RESPONSE_BYTES_MAX}")));
        }
        Ok(Self { length, keep })
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
