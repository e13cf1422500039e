//! The asking side: one request, one answer.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::escape;
use crate::failure::{Class, Failure};

/// Longest wait for an answer, longer than the longest query.
const DEADLINE: Duration = Duration::from_secs(60);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Stores a record through the node whose control port is at `rpc`.
pub async fn put(rpc: SocketAddr, key: &str, value: Vec<u8>) -> Result<(), Failure> {
    ask(rpc, Method::PUT, key, value).await.map(drop)
}

/// Looks a record up through the node whose control port is at `rpc`.
pub async fn get(rpc: SocketAddr, key: &str) -> Result<Bytes, Failure> {
    ask(rpc, Method::GET, key, Vec::new()).await
}

async fn ask(rpc: SocketAddr, method: Method, key: &str, body: Vec<u8>) -> Result<Bytes, Failure> {
    let what = format!("{} record `{key}` at {rpc}", method.as_str().to_lowercase());
    let path = format!("/v1/records/{}", escape(key.as_bytes()));
    let (status, answer) = match tokio::time::timeout(DEADLINE, exchange(rpc, method, path, body)).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(reason)) => return Err(Failure::new(Class::NoAnswer, format!("{what}: {reason}"))),
        Err(_) => return Err(Failure::new(Class::NoAnswer, format!("{what}: no answer in {} s", DEADLINE.as_secs()))),
    };
    let reason = || String::from_utf8_lossy(&answer).trim().to_owned();
    match status {
        StatusCode::OK => Ok(answer),
        StatusCode::NOT_FOUND => Err(Failure::new(Class::NotFound, format!("{what}: {}", reason()))),
        _ => Err(Failure::other(format!("{what}: {}", reason()))),
    }
}

async fn exchange(rpc: SocketAddr, method: Method, path: String, body: Vec<u8>) -> Result<(StatusCode, Bytes), String> {
    let stream = TcpStream::connect(rpc).await.map_err(|error| format!("connect: {error}; does the node run?"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, rpc.to_string())
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    driver.abort();
    Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
}
