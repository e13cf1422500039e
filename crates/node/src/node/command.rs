//! What the control port asks of the task that owns the swarm.

use p2ppool_overlay::libp2p::InfoResponse;
use tokio::sync::{mpsc, oneshot};

/// Most commands that wait; the control port serves fewer requests at once.
const COMMANDS_MAX: usize = 32;

/// A question or an order.
#[derive(Debug)]
pub enum Command {
    /// Everything that an operator would be told.
    Info(oneshot::Sender<InfoResponse>),
    /// The numbers for metrics.
    Report(oneshot::Sender<Report>),
    /// Look a record up.
    Get(Vec<u8>, oneshot::Sender<Result<Vec<u8>, RecordError>>),
    /// Store a record: key, value.
    Put(Vec<u8>, Vec<u8>, oneshot::Sender<Result<(), RecordError>>),
}

/// Why a record wasn't read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Nobody asked has it.
    #[error("no node has a record under this key")]
    NotFound,
    /// It is on this node, and nowhere else.
    #[error("kept on this node only: no other node took it")]
    Alone,
    /// The question was not answered in time.
    #[error("the overlay did not answer in time")]
    Timeout,
    /// This node may not keep it.
    #[error("this node can't keep it: {0}")]
    Refused(String),
    /// Too many questions at once, or the node ends.
    #[error("the node is busy or ends")]
    Busy,
}

/// Overlay connections by what they run over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Over TCP.
    pub tcp: u32,
    /// Over QUIC.
    pub quic: u32,
    /// Through a relay.
    pub relayed: u32,
}

/// The numbers for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Overlay connections.
    pub connections: Counts,
    /// Connections of any kind, those of crawlers and strangers included.
    pub open: u32,
    /// Peers in the routing table.
    pub table: u32,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Kademlia queries under way.
    pub queries: u32,
    /// Kademlia queries that ended.
    pub queries_total: u64,
    /// Info questions answered.
    pub answers_total: u64,
    /// Info questions refused.
    pub refusals_total: u64,
}

/// The way to the task that owns the swarm.
#[derive(Clone, Debug)]
pub struct Handle(mpsc::Sender<Command>);

impl Handle {
    /// A handle and the end that the node reads.
    pub fn new() -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(COMMANDS_MAX);
        (Self(sender), receiver)
    }

    /// Asks; `None` when the node ended.
    pub async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.0.send(command(sender)).await.ok()?;
        receiver.await.ok()
    }
}
