//! The control port: HTTP for metrics, health and records, and its client.

pub mod client;
pub mod server;

mod metrics;

/// Longest key of a record, in bytes.
pub const KEY_BYTES_MAX: usize = 256;

/// A key as one part of a path: everything but letters, digits, `.`, `_` and `-` as `%XX`.
pub fn escape(key: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    key.iter().map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The opposite of [`escape`]; `None` when a `%` isn't followed by two hexadecimal digits.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_the_path() {
        for key in [b"plain".as_slice(), b"a/b c%", &[0, 255, b'%'], "\u{e4}".as_bytes()] {
            assert_eq!(unescape(&escape(key)).unwrap(), key);
        }
        for wrong in ["%", "%4", "%zz", "%+1"] {
            assert_eq!(unescape(wrong), None, "{wrong}");
        }
    }
}
