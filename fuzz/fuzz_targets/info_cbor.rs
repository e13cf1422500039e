//! What a node of a stranger says of itself in the info protocol, read by the very codec of the crawl.
#![no_main]

use futures::executor::block_on;
use futures::io::Cursor;
use libfuzzer_sys::fuzz_target;
use libp2p::request_response::Codec as _;
use libp2p::request_response::cbor::codec::Codec;
use p2ppool_overlay::libp2p::info::{
    ADDRESSES_MAX, INFO_PROTOCOL, InfoRequest, InfoResponse, NEIGHBOURS_MAX, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX,
};

fuzz_target!(|bytes: &[u8]| {
    let mut codec = Codec::<InfoRequest, InfoResponse>::default()
        .set_request_size_maximum(REQUEST_BYTES_MAX)
        .set_response_size_maximum(RESPONSE_BYTES_MAX);
    let _ = block_on(codec.read_request(&INFO_PROTOCOL, &mut Cursor::new(bytes)));
    let Ok(told) = block_on(codec.read_response(&INFO_PROTOCOL, &mut Cursor::new(bytes))) else { return };
    let peers = told.peers();
    assert!(peers.len() <= NEIGHBOURS_MAX && peers.iter().all(|(_, addresses)| addresses.len() <= ADDRESSES_MAX));
});
