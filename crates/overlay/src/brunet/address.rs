//! Overlay addresses: `brunet:node:` and the base32 (RFC 4648, without padding) of 20 bytes.

use p2ppool_model::consistency::Key;

const PREFIX: &str = "brunet:node:";
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Bytes of an address; a structured one is a place on the ring, its last bit is 0.
const BYTES: usize = 20;
/// Five bits each.
const DIGITS: usize = BYTES * 8 / 5;

/// Where an address stands on the ring: its 20 bytes, big-endian, then zeros. `None` when it is none.
///
/// "Left" is the way of increasing addresses, around the ring.
pub fn key(address: &str) -> Option<Key> {
    let digits = address.strip_prefix(PREFIX).filter(|digits| digits.len() == DIGITS)?;
    let mut key = [0; 32];
    for (index, digit) in digits.bytes().enumerate() {
        let value = ALPHABET.iter().position(|known| *known == digit)?;
        for bit in 0..5 {
            let at = index * 5 + bit;
            if value & (0x10 >> bit) != 0 {
                key[at / 8] |= 0x80 >> (at % 8);
            }
        }
    }
    (key[BYTES - 1] & 1 == 0).then_some(key)
}

/// The address of 20 bytes; the last bit is cleared.
pub fn of_bytes(bytes: [u8; BYTES]) -> String {
    let bit = |at: usize| usize::from(at != BYTES * 8 - 1 && bytes[at / 8] & (0x80 >> (at % 8)) != 0);
    let digit = |index: usize| ALPHABET[(0..5).fold(0, |value, at| value * 2 + bit(index * 5 + at))];
    PREFIX.chars().chain((0..DIGITS).map(|index| char::from(digit(index)))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_of_real_nodes_are_in_the_order_of_their_ring() {
        // taken from a ring of twelve: each one's `left` is the next
        let ring = ["5IKYXST7NENJP6EU3RW73T4LJY3DIATE", "67JJN6VGQF2QVZP2DP32T6IR75LXMGFY"];
        let keys = ring.map(|digits| key(&format!("brunet:node:{digits}")).unwrap());
        assert!(keys[0] < keys[1]);
    }

    #[test]
    fn what_is_no_address_has_no_place() {
        for wrong in [
            "",
            "brunet:node:",
            "brunet:node:5IKYXST7NENJP6EU3RW73T4LJY3DIAT",
            "brunet:node:5IKYXST7NENJP6EU3RW73T4LJY3DIATe",
            "brunet:node:5IKYXST7NENJP6EU3RW73T4LJY3DIATF",
            "brunet:tunnel:5IKYXST7NENJP6EU3RW73T4LJY3DIATE",
            "12D3KooWGzNYcYQmBmKVcQ8X8kYzHkMbGnXkC8nVwLnA1mZ1pU1b",
        ] {
            assert_eq!(key(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in any::<[u8; BYTES]>()) {
            let key = key(&of_bytes(bytes)).unwrap();
            let mut expected = bytes;
            expected[BYTES - 1] &= 0xfe;
            prop_assert_eq!(&key[..BYTES], &expected[..]);
        }
    }
}
