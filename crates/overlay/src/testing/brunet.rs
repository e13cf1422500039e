//! A Brunet ring behind one local node's XML-RPC server, with the quirks of the real one (Mono's HttpListener):
//! connections are kept for 15 s, a request that comes before the answer to the one before is swallowed,
//! faults have status 200 and no content type, and a node that is gone is answered for with `[]`, late.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use p2ppool_model::consistency::Key;
use sha2::Digest as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::brunet::address;
use crate::brunet::xml_rpc::RESPONSE_BYTES_MAX;

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_millis(14_700);
/// Longest request that is read, bytes.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// How a node of the ring is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// It answers.
    #[default]
    Answers,
    /// It was killed and its neighbours don't know yet: calls for it wait.
    Silent,
    /// It is gone, and only named by others: the nearest node answers calls for it.
    Ghost,
    /// It has no Information service.
    Bare,
    /// The first call for it fails, as one does while the ring forms.
    FailsOnce,
    /// It answers with a document whose entities would unfold to gigabytes.
    Bomb,
    /// It answers with more than anybody should read.
    Huge,
}

/// A ring.
#[derive(Clone, Debug, Default)]
pub struct RingSettings {
    /// Nodes, the local one first.
    pub manners: Vec<Manner>,
    /// How long the local node waits for a silent one before it says `[]`.
    pub silence: Duration,
    /// How long every call takes.
    pub latency: Duration,
    /// How long an idle connection is kept, when not as the real one does.
    pub idle: Option<Duration>,
}

/// The server; ends when it is dropped.
#[derive(Debug)]
pub struct BrunetRing {
    /// Where it listens.
    pub server: SocketAddr,
    ring: Arc<Ring>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Ring {
    settings: RingSettings,
    /// By place on the ring: index among the manners.
    places: BTreeMap<Key, usize>,
    addresses: Vec<String>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicUsize,
    failed_once: AtomicUsize,
    waiting: AtomicUsize,
    waiting_most: AtomicUsize,
    connections: AtomicUsize,
    split: AtomicUsize,
    swallowed: AtomicUsize,
    closed: tokio::sync::Notify,
}

impl BrunetRing {
    /// Starts it on a free loopback port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(settings: RingSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addresses: Vec<String> = (0..settings.manners.len()).map(address_of).collect();
        let places = addresses.iter().enumerate().filter_map(|(i, a)| Some((address::key(a)?, i))).collect();
        let ring = Arc::new(Ring { settings, places, addresses, counts: Counts::default() });
        let server = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, Arc::clone(&ring)));
        Ok(Self { server, ring, _task: AbortOnDropHandle::new(task) })
    }

    /// Overlay address of a node.
    pub fn address(&self, index: usize) -> &str {
        &self.ring.addresses[index]
    }

    /// Calls that were made.
    pub fn calls(&self) -> usize {
        self.ring.counts.calls.load(Ordering::Relaxed)
    }

    /// The most calls that waited for silent nodes at the same time, as the crawler sees it: until it gives one up.
    pub fn waiting_most(&self) -> usize {
        self.ring.counts.waiting_most.load(Ordering::Relaxed)
    }

    /// Connections that were made.
    pub fn connections(&self) -> usize {
        self.ring.counts.connections.load(Ordering::Relaxed)
    }

    /// Waits until a connection was closed because it lay idle.
    pub async fn idle_closed(&self) {
        self.ring.counts.closed.notified().await;
    }

    /// Requests whose header and body did not come together.
    pub fn split(&self) -> usize {
        self.ring.counts.split.load(Ordering::Relaxed)
    }

    /// Requests that were swallowed because they came too early.
    pub fn swallowed(&self) -> usize {
        self.ring.counts.swallowed.load(Ordering::Relaxed)
    }
}

fn address_of(index: usize) -> String {
    let digest: [u8; 32] = sha2::Sha256::digest(index.to_be_bytes()).into();
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&digest[..20]);
    address::of_bytes(bytes)
}

async fn accept(listener: TcpListener, ring: Arc<Ring>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        ring.counts.connections.fetch_add(1, Ordering::Relaxed);
        let ring = Arc::clone(&ring);
        connections.spawn(async move {
            // whatever the client does to its connection is its own affair
            let _ = serve(stream, &ring).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, ring: &Ring) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let idle = ring.settings.idle.unwrap_or(IDLE);
        let Ok(request) = tokio::time::timeout(idle, read_request(&mut stream, ring)).await else {
            drop(stream);
            ring.counts.closed.notify_one();
            return Ok(());
        };
        let Some((path, body)) = request? else { return Ok(()) };
        ring.counts.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(ring.settings.latency).await;
        let answer = tokio::select! {
            answer = ring.answer(&path, &body) => answer,
            () = given_up(&stream) => return Ok(()),
        };
        let (kind, body) = match answer {
            Ok(body) if body.starts_with("<?xml") => ("", body),
            Ok(body) => ("Content-Type: text/xml; charset=\"utf-8\"\r\n", value(&body)),
            Err((code, message)) => ("", fault(code, &message)),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\n{kind}Server: Mono-HTTPAPI/1.0\r\nDate: Sun, 22 Nov 2026 07:14:24 GMT\r\n\
             Content-Length: {}\r\nKeep-Alive: timeout=15,max=100\r\n\r\n",
            body.len()
        );
        // before the answer: what comes after it came in time
        swallow(&mut stream, ring);
        stream.write_all((head + &body).as_bytes()).await?;
    }
}

/// The client closes its connection.
async fn given_up(stream: &TcpStream) {
    let mut byte = [0];
    match stream.peek(&mut byte).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

/// What came before the answer went out is lost.
fn swallow(stream: &mut TcpStream, ring: &Ring) {
    let mut early = [0; 4096];
    while let Ok(1..) = stream.try_read(&mut early) {
        ring.counts.swallowed.fetch_add(1, Ordering::Relaxed);
    }
}

async fn read_request(stream: &mut TcpStream, ring: &Ring) -> io::Result<Option<(String, String)>> {
    let mut bytes = Vec::with_capacity(16 << 10);
    let mut reads = 0;
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                ring.counts.split.fetch_add(usize::from(reads > 1), Ordering::Relaxed);
                let path = head.split(' ').nth(1).unwrap_or_default();
                return Ok(Some((path.to_owned(), body.to_owned())));
            }
        }
        reads += 1;
        if stream.read_buf(&mut bytes).await? == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return Ok(None);
        }
    }
}

type Fault = (i64, String);

impl Ring {
    async fn answer(&self, path: &str, body: &str) -> Result<String, Fault> {
        if path != "/xm.rem" {
            return Err((0, format!("No service type registered for uri {path}")));
        }
        let words: Vec<&str> = ["methodName", "string", "int"].iter().flat_map(|tag| elements(body, tag)).collect();
        match words.as_slice() {
            ["localproxy", method, ..] => self.own(0, method),
            ["proxy", address, method, ..] => self.routed(address, method).await,
            _ => Err((0, "Request from client does not contain valid XML.".into())),
        }
    }

    async fn routed(&self, address: &str, method: &str) -> Result<String, Fault> {
        let key = address::key(address).ok_or((1, "Position (17) greater than MemBlock length (2)".to_owned()))?;
        let index = self.places.get(&key).copied();
        let at = match index.map(|index| self.settings.manners[index]) {
            Some(Manner::Silent) => {
                let _waits = Waiting::new(&self.counts);
                tokio::time::sleep(self.settings.silence).await;
                return Ok(array(&[]));
            }
            Some(Manner::FailsOnce) if self.counts.failed_once.fetch_add(1, Ordering::Relaxed) == 0 => {
                return Ok(array(&[]));
            }
            Some(Manner::Bomb) => return Ok(bomb()),
            Some(Manner::Huge) => return Ok(format!("<?xml version=\"1.0\"?>{}", " ".repeat(RESPONSE_BYTES_MAX))),
            Some(Manner::Ghost) | None => self.nearest(&key),
            _ => index.unwrap_or_default(),
        };
        Ok(array(&[self.own(at, method)?]))
    }

    fn own(&self, index: usize, method: &str) -> Result<String, Fault> {
        match method {
            "Information.Info" if self.settings.manners[index] != Manner::Bare => Ok(self.information(index)),
            "sys:link.GetNeighbors" => Ok(self.neighbours(index)),
            _ => {
                Err((1, format!("Server returned a fault exception: [-32601] No Handler for method: {method}\n  at x")))
            }
        }
    }

    /// Places of the nodes that others still take for living: ghosts are named by their neighbours.
    fn nearest(&self, key: &Key) -> usize {
        let lives =
            |(_, index): &(&Key, &usize)| matches!(self.settings.manners[**index], Manner::Answers | Manner::Bare);
        let next = self.places.range(*key..).find(lives).or_else(|| self.places.iter().find(lives));
        next.map_or(0, |(_, index)| *index)
    }

    fn information(&self, index: usize) -> String {
        structure(&[
            ("neighbors", self.neighbours(index)),
            ("localips", array(&[text(&format!("127.0.1.{}", index % 250 + 1))])),
            ("udp", int(17)),
            ("geo_loc", text(",")),
            ("tcp", int(1)),
            ("type", text("BasicNode")),
            ("tunnel", int(0)),
            ("cons", int(18)),
        ])
    }

    /// The ring, whoever is dead in it: nobody has noticed yet.
    fn neighbours(&self, index: usize) -> String {
        let order: Vec<usize> = self.places.values().copied().collect();
        let at = order.iter().position(|known| *known == index).unwrap_or_default();
        let step = |by: usize| text(&self.addresses[order[(at + by) % order.len()]]);
        let own = ("self", text(&self.addresses[index]));
        let n = order.len();
        if n == 1 {
            return structure(&[own]);
        }
        let sides = [("left", 1), ("right", n - 1), ("left2", 2), ("right2", 2 * n - 2), ("shortcut", n / 3 + 1)];
        let members: Vec<(&str, String)> = sides.into_iter().map(|(name, by)| (name, step(by))).chain([own]).collect();
        structure(&members)
    }
}

struct Waiting<'a>(&'a Counts);

impl<'a> Waiting<'a> {
    fn new(counts: &'a Counts) -> Self {
        let now = counts.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        counts.waiting_most.fetch_max(now, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn elements<'a>(body: &'a str, tag: &'a str) -> impl Iterator<Item = &'a str> {
    let close = format!("</{tag}>");
    body.split(&*format!("<{tag}>"))
        .skip(1)
        .map(move |rest| rest.split(&*close).next().unwrap_or_default())
        .collect::<Vec<_>>()
        .into_iter()
}

/// A billion laughs: ten of ten of ten …
fn bomb() -> String {
    let mut document = String::from("<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY l0 \"ha\">");
    for level in 1..10 {
        let inner = format!("&l{};", level - 1).repeat(10);
        document.push_str(&format!("<!ENTITY l{level} \"{inner}\">"));
    }
    document.push_str("]><methodResponse><params><param><value>&l9;</value></param></params></methodResponse>");
    document
}

fn text(text: &str) -> String {
    format!("<string>{text}</string>")
}

fn int(number: i32) -> String {
    format!("<i4>{number}</i4>")
}

fn array(items: &[String]) -> String {
    if items.is_empty() {
        return "<array>\n<data />\n</array>".to_owned();
    }
    let items: String = items.iter().map(|item| format!("<value>\n{item}\n</value>\n")).collect();
    format!("<array>\n<data>\n{items}</data>\n</array>")
}

fn structure(members: &[(&str, String)]) -> String {
    let members: String = members
        .iter()
        .map(|(name, value)| format!("<member>\n<name>{name}</name>\n<value>\n{value}\n</value>\n</member>\n"))
        .collect();
    format!("<struct>\n{members}</struct>")
}

fn value(of: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<methodResponse>\n<params>\n<param>\n<value>\n{of}\n</value>\n</param>\n</params>\n</methodResponse>"
    )
}

fn fault(code: i64, message: &str) -> String {
    let members = structure(&[("faultCode", format!("<i4>{code}</i4>")), ("faultString", text(message))]);
    format!(
        "<?xml version=\"1.0\"?>\n<methodResponse>\n<fault>\n<value>\n{members}\n</value>\n</fault>\n</methodResponse>"
    )
}
