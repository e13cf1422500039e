//! What a node says of itself by the identify protocol.
//!
//! Format: the libp2p identify specification ("The `Identify` message"): one message, or several
//! that are merged, each with its length before it.

use libp2p::Multiaddr;

use crate::libp2p::protobuf::{Fields, Value, varint};

/// The protocol's name.
pub(super) const IDENTIFY: &str = "/ipfs/id/1.0.0";
/// Longest answer in bytes, all its messages together.
pub(super) const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Most protocols and most addresses taken.
const ENTRIES_MAX: usize = 64;

/// What was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) agent: Option<String>,
    pub(super) protocol_version: Option<String>,
    pub(super) protocols: Vec<String>,
    pub(super) addresses: Vec<Multiaddr>,
}

/// Reads the messages as far as they make sense.
pub(super) fn read(mut bytes: &[u8]) -> Identity {
    let mut identity = Identity::default();
    while let Some((length, header)) = varint(bytes) {
        let Some(message) = usize::try_from(length).ok().and_then(|length| bytes[header..].get(..length)) else {
            break;
        };
        merge(&mut identity, message);
        bytes = &bytes[header + message.len()..];
    }
    identity
}

fn merge(identity: &mut Identity, message: &[u8]) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for field in Fields::of(message) {
        match field {
            Ok((2, Value::Bytes(bytes))) if identity.addresses.len() < ENTRIES_MAX => {
                identity.addresses.extend(Multiaddr::try_from(bytes.to_vec()));
            }
            Ok((3, Value::Bytes(bytes))) if identity.protocols.len() < ENTRIES_MAX => {
                identity.protocols.push(text(bytes));
            }
            Ok((5, Value::Bytes(bytes))) => identity.protocol_version = Some(text(bytes)),
            Ok((6, Value::Bytes(bytes))) => identity.agent = Some(text(bytes)),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::libp2p::kad_message::framed;
    use crate::libp2p::protobuf::put_bytes;

    #[test]
    fn several_messages_are_merged() {
        let mut first = Vec::new();
        put_bytes(&mut first, 6, b"kubo/0.30.0");
        put_bytes(&mut first, 3, b"/ipfs/kad/1.0.0");
        let mut second = Vec::new();
        put_bytes(&mut second, 3, b"/ipfs/id/1.0.0");
        put_bytes(&mut second, 2, "/ip4/192.0.2.1/tcp/1".parse::<Multiaddr>().unwrap().as_ref());
        let identity = read(&[framed(&first), framed(&second)].concat());
        assert_eq!(identity.agent.as_deref(), Some("kubo/0.30.0"));
        assert_eq!(identity.protocols, ["/ipfs/kad/1.0.0", "/ipfs/id/1.0.0"]);
        assert_eq!(identity.addresses.len(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
        }
    }
}
