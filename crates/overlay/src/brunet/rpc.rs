//! Calls through the local node: to itself, and over the overlay to any other.

use std::net::SocketAddr;
use std::time::Duration;

use super::http::{HttpClient, HttpError};
use super::xml_rpc::{self, Argument, Response, Value};

/// Where the first node of a process is called.
const PATH: &str = "/xm.rem";
/// Results waited for: with -1 the node waits until its own timeout, 52 s, before it tells the one it has.
const RESULTS_MAX: i32 = 1;
/// AHSender option: the nearest node answers.
const GREEDY: i32 = 3;

/// How a call ended without a value.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The local node can't be called.
    #[error("call the local node at {server}: {source}")]
    Local {
        /// Its XML-RPC address.
        server: SocketAddr,
        /// Why.
        source: HttpError,
    },
    /// It answered what is no XML-RPC.
    #[error("{0}")]
    Malformed(#[from] xml_rpc::Malformed),
    /// It, or the node that was called through it, said no.
    #[error("{message}")]
    Fault {
        /// 0: the XML-RPC server, 1: the overlay.
        code: i64,
        /// First line of what was said.
        message: String,
    },
    /// The local node waited in vain.
    #[error("no answer came through the overlay")]
    NoAnswer,
    /// We waited in vain.
    #[error("no answer within {:.1} s", .0.as_secs_f32())]
    Deadline(Duration),
}

/// The local node's XML-RPC server.
#[derive(Debug)]
pub struct LocalRpc {
    server: SocketAddr,
    http: HttpClient,
}

impl LocalRpc {
    /// At this address.
    pub fn new(server: SocketAddr) -> Self {
        Self { server, http: HttpClient::new(server) }
    }

    /// Calls a method of the local node itself.
    pub async fn local(&self, method: &str, arguments: &[Argument<'_>], deadline: Duration) -> Result<Value, RpcError> {
        let all: Vec<Argument<'_>> = [Argument::Text(method)].iter().chain(arguments).cloned().collect();
        self.call("localproxy", &all, deadline).await
    }

    /// Calls a method of the node that is nearest to `address`: that node itself, while it lives.
    pub async fn nearest(
        &self,
        address: &str,
        method: &str,
        arguments: &[Argument<'_>],
        deadline: Duration,
    ) -> Result<Value, RpcError> {
        let to = [Argument::Text(address), Argument::Int(GREEDY), Argument::Int(RESULTS_MAX), Argument::Text(method)];
        let all: Vec<Argument<'_>> = to.iter().chain(arguments).cloned().collect();
        match self.call("proxy", &all, deadline).await? {
            // one answer each, and none is not a fault
            Value::Array(answers) => answers.into_iter().next().ok_or(RpcError::NoAnswer),
            _ => Err(xml_rpc::Malformed("proxy answers with an array".to_owned()).into()),
        }
    }

    async fn call(&self, method: &str, arguments: &[Argument<'_>], deadline: Duration) -> Result<Value, RpcError> {
        let body = xml_rpc::call(method, arguments);
        let answer = match tokio::time::timeout(deadline, self.http.post(PATH, &body)).await {
            Ok(answer) => answer.map_err(|source| RpcError::Local { server: self.server, source })?,
            Err(_) => return Err(RpcError::Deadline(deadline)),
        };
        match xml_rpc::response(&answer)? {
            Response::Value(value) => Ok(value),
            Response::Fault { code, message } => {
                let message = message.lines().next().unwrap_or_default().to_owned();
                Err(RpcError::Fault { code, message })
            }
        }
    }
}
