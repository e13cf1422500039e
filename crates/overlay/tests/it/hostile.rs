//! Nodes that lie, babble and stall.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Codec, Event, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol, Swarm};
use p2ppool_model::snapshot::NodeStatus;
use p2ppool_overlay::libp2p::info::{Behaviour as InfoBehaviour, behaviour as info_behaviour};
use p2ppool_overlay::libp2p::{INFO_PROTOCOL, InfoResponse, Neighbour, TransportSettings, transport};
use p2ppool_overlay::testing::hosted::{HostedNode, HostedSettings};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::support::{crawl, crawl_settings, pool, probe};

/// What a hostile node does when it is asked.
#[derive(Clone, Debug)]
enum Act {
    /// Answers with these bytes.
    Say(Vec<u8>),
    /// Answers without end.
    Babble,
    /// Answers a byte now and then, without end.
    Drip,
    /// Never answers.
    Stall,
}

#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Act;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        stream: &mut T,
    ) -> io::Result<Vec<u8>> {
        let mut request = Vec::new();
        stream.take(4_096).read_to_end(&mut request).await?;
        Ok(request)
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Act> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
        _: Vec<u8>,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        stream: &mut T,
        act: Act,
    ) -> io::Result<()> {
        match act {
            Act::Say(bytes) => stream.write_all(&bytes).await,
            Act::Babble => loop {
                stream.write_all(&[b'x'; 65_536]).await?;
            },
            Act::Drip => loop {
                stream.write_all(b"\x81").await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            },
            Act::Stall => std::future::pending().await,
        }
    }
}

/// A node that answers on these protocols.
struct Hostile {
    address: Multiaddr,
    _task: AbortOnDropHandle<()>,
}

impl Hostile {
    async fn start(host: u8, protocol: StreamProtocol, act: Act) -> Self {
        let config = request_response::Config::default().with_request_timeout(Duration::from_secs(60));
        let behaviour = request_response::Behaviour::with_codec(Raw, [(protocol, ProtocolSupport::Inbound)], config);
        let listen = format!("/ip4/127.23.0.{host}/tcp/0");
        Self::run(&listen, behaviour, move |behaviour: &mut request_response::Behaviour<Raw>, event| {
            if let Event::Message { message: Message::Request { channel, .. }, .. } = event {
                let _ = behaviour.send_response(channel, act.clone());
            }
        })
        .await
    }

    /// A node that speaks the info protocol as it should, and says `answer`.
    async fn lying(host: u8, answer: InfoResponse) -> Self {
        Self::lying_at(&format!("/ip4/127.23.0.{host}/tcp/0"), answer).await
    }

    async fn lying_at(listen: &str, answer: InfoResponse) -> Self {
        let behaviour = info_behaviour(ProtocolSupport::Inbound, Duration::from_secs(60), 4);
        Self::run(listen, behaviour, move |behaviour: &mut InfoBehaviour, event| {
            if let Event::Message { message: Message::Request { channel, .. }, .. } = event {
                let _ = behaviour.send_response(channel, answer.clone());
            }
        })
        .await
    }

    async fn run<B: NetworkBehaviour + Send>(
        listen: &str,
        behaviour: B,
        mut on_event: impl FnMut(&mut B, B::ToSwarm) + Send + 'static,
    ) -> Self {
        let keypair = Keypair::generate_ed25519();
        let settings = TransportSettings { secret: None, quic: false, deadline: Duration::from_secs(5) };
        let transport = transport(&keypair, &settings, None).unwrap();
        let config = libp2p::swarm::Config::with_tokio_executor();
        let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config);
        swarm.listen_on(listen.parse().unwrap()).unwrap();
        let (listening, listens) = oneshot::channel();
        let mut listening = Some(listening);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::NewListenAddr { address, .. } => {
                        listening.take().map(|listening| listening.send(address));
                    }
                    SwarmEvent::Behaviour(event) => on_event(swarm.behaviour_mut(), event),
                    _ => {}
                }
            }
        }));
        Self { address: listens.await.unwrap(), _task: task }
    }
}

async fn honest() -> HostedNode {
    let settings = HostedSettings {
        listen: ([127, 23, 1, 1].into(), 0),
        quic: false,
        namespace: "alpha".into(),
        info: true,
        secret: None,
        bootstrap: Vec::new(),
        idle: Duration::from_secs(10),
        place: None,
    };
    HostedNode::start(settings).await.unwrap()
}

/// An info answer that is right in everything but that it names 10^6 neighbours.
fn million_neighbours() -> Vec<u8> {
    let neighbour = Neighbour { peer: "p".repeat(52), addresses: Vec::new(), connected: true };
    let answer =
        InfoResponse { namespace: "alpha".into(), neighbours: vec![neighbour; 1_000_000], ..InfoResponse::default() };
    let mut bytes = Vec::new();
    ciborium::into_writer(&answer, &mut bytes).unwrap();
    bytes
}

const KAD: StreamProtocol = StreamProtocol::new("/p2ppool/alpha/kad/1.0.0");

#[tokio::test(flavor = "multi_thread")]
async fn hostile_nodes_cost_their_own_deadline_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let probe = probe(folder.path(), pool("alpha"));
    let honest = honest().await;
    let mut hostile = Vec::new();
    let mut expected = Vec::new();
    for (protocol, act, words) in [
        (INFO_PROTOCOL, Act::Say(b"this is no CBOR".to_vec()), "its info answer can't be read"),
        (INFO_PROTOCOL, Act::Say(Vec::new()), "its info answer can't be read"),
        // An array that claims 2^63 entries.
        (INFO_PROTOCOL, Act::Say(b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec()), "its info answer can't be read"),
        (INFO_PROTOCOL, Act::Say(vec![0x9f; 150_000]), "its info answer can't be read"),
        (INFO_PROTOCOL, Act::Say(million_neighbours()), "its answer is longer than"),
        (INFO_PROTOCOL, Act::Babble, "its answer is longer than"),
        (INFO_PROTOCOL, Act::Drip, "it did not answer within"),
        (INFO_PROTOCOL, Act::Stall, "it did not answer within"),
        (KAD, Act::Babble, "its neighbours can't be read"),
        (KAD, Act::Say(b"\xff\xff\xff\xff\x7f".to_vec()), "its answer is longer than"),
        (KAD, Act::Say(b"\x03\x42\x7f\x01".to_vec()), "its neighbours can't be read"),
        (KAD, Act::Say(b"\x20only a part".to_vec()), "ask for neighbours"),
        (KAD, Act::Drip, "ask for neighbours"),
        (KAD, Act::Stall, "it did not answer within"),
    ] {
        let host = u8::try_from(hostile.len() + 1).unwrap();
        hostile.push(Hostile::start(host, protocol, act).await);
        expected.push((format!("127.23.0.{host}"), words));
    }
    let mut seeds: Vec<String> = hostile.iter().map(|node| node.address.to_string()).collect();
    seeds.push(honest.address.to_string());
    let report = crawl(&*probe, &seeds).await;
    assert_eq!((report.len(), report.answering()), (expected.len() + 1, 1));
    for (ip, words) in expected {
        let node = report.nodes().find(|node| node.ip.as_ref() == Some(&ip)).unwrap();
        assert_eq!(node.status, NodeStatus::AskFailed, "{node:?}");
        assert!(node.error.as_ref().is_some_and(|error| error.contains(words)), "{words}: {:?}", node.error);
    }
    let longest = crawl_settings().ask_deadline + crawl_settings().dial_deadline;
    assert!(report.duration < longest, "{:?}", report.duration);
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_are_bounded_and_disarmed() {
    let folder = tempfile::tempdir().unwrap();
    let neighbours = (0..1_000)
        .map(|i| Neighbour {
            peer: libp2p::PeerId::random().to_string(),
            addresses: vec![format!("/ip4/127.23.2.{}/tcp/1", i % 250), "\u{1b}[2J".into(), "x".repeat(99)],
            connected: true,
        })
        .take(500)
        .collect();
    let answer = InfoResponse {
        namespace: "alpha".into(),
        agent_version: Some("\u{1b}]0;owned\u{7}".repeat(400)),
        neighbours,
        ..InfoResponse::default()
    };
    let liar = Hostile::lying(200, answer).await;
    let report = crawl(&*probe(folder.path(), pool("alpha")), &[liar.address.to_string()]).await;
    assert_eq!((report.answering(), report.len()), (1, 1 + 64), "at most 64 neighbours are believed");
    let seen = report.nodes().next().unwrap();
    let version = seen.version.unwrap();
    assert!(version.chars().count() <= 128 && !version.chars().any(char::is_control), "{version:?}");
    for invented in report.nodes().skip(1) {
        assert_eq!(invented.status, NodeStatus::DialFailed);
        assert!(invented.transport_addresses.iter().all(|address| !address.chars().any(char::is_control)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_can_not_send_the_crawl_to_other_peoples_machines() {
    let folder = tempfile::tempdir().unwrap();
    let victim = tokio::net::TcpListener::bind("127.23.4.1:0").await.unwrap();
    let port = victim.local_addr().unwrap().port();
    let peer = || libp2p::PeerId::random().to_string();
    let forbidden = [
        format!("/ip4/127.23.4.1/tcp/{port}"),
        format!("/ip6/::ffff:127.23.4.1/tcp/{port}"),
        format!("/dns4/localhost/tcp/{port}"),
        "/ip4/169.254.169.254/tcp/80".to_owned(),
    ];
    let named =
        forbidden.iter().map(|address| Neighbour { peer: peer(), addresses: vec![address.clone()], connected: true });
    let answer = InfoResponse { namespace: "alpha".into(), neighbours: named.collect(), ..InfoResponse::default() };
    let liar = Hostile::lying_at("/ip4/127.0.0.1/tcp/0", answer).await;
    let Some(libp2p::multiaddr::Protocol::Tcp(at)) = liar.address.iter().nth(1) else { panic!("{}", liar.address) };
    // the pool's owner named it; nobody else may name what leads into this machine
    let strict = p2ppool_model::pool::PoolSettings { private_addresses: false, ..pool("alpha") };
    let report = crawl(&*probe(folder.path(), strict), &[format!("/dns4/localhost/tcp/{at}")]).await;
    assert_eq!((report.answering(), report.len()), (1, 1 + forbidden.len()), "{:?}", report.seeds_failed);
    for node in report.nodes().skip(1) {
        assert_eq!(node.status, NodeStatus::NotDialled, "{node:?}");
    }
    let connected = futures::FutureExt::now_or_never(victim.accept());
    assert!(connected.is_none(), "{connected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_no_libp2p_node_fails_to_connect() {
    use tokio::io::AsyncWriteExt as _;

    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.23.3.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
        }
    }));
    let probe = probe(folder.path(), pool("alpha"));
    let report = crawl(&*probe, &[format!("/ip4/127.23.3.1/tcp/{port}")]).await;
    assert!(report.is_empty());
    let error = report.seeds_failed[0].error.clone().unwrap();
    assert_eq!(error.stage, p2ppool_overlay::crawl::Stage::Connect, "{error}");
    drop(server);
}
