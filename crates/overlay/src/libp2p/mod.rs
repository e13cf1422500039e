//! The libp2p kind: any network of Kademlia nodes, p2pnode's own first of all.
