//! The end of what a host wrote to its standard error.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a host's output that are kept: enough for a stack trace, and 10,000 hosts of it fit
/// into memory.
pub const OUTPUT_MAX: usize = 16 * 1024;

/// A shared buffer that keeps the last [`OUTPUT_MAX`] bytes written to it.
#[derive(Clone, Debug, Default)]
pub struct OutputTail(Arc<Mutex<Tail>>);

#[derive(Debug, Default)]
struct Tail {
    bytes: VecDeque<u8>,
    dropped: u64,
}

impl OutputTail {
    /// Appends, dropping the oldest bytes beyond [`OUTPUT_MAX`].
    pub fn push(&self, bytes: &[u8]) {
        let mut tail = self.lock();
        let kept = &bytes[bytes.len().saturating_sub(OUTPUT_MAX)..];
        let over = (tail.bytes.len() + kept.len()).saturating_sub(OUTPUT_MAX);
        tail.bytes.drain(..over);
        tail.bytes.extend(kept);
        tail.dropped += (over + bytes.len() - kept.len()) as u64;
    }

    /// The kept text; a first line tells how much was dropped. Bytes that are not UTF-8 and control
    /// characters (a terminal would obey them) are replaced.
    pub fn text(&self) -> String {
        let tail = self.lock();
        let bytes: Vec<u8> = tail.bytes.iter().copied().collect();
        let text = printable(&bytes);
        if tail.dropped == 0 { text } else { format!("[{} bytes before this were dropped]\n{text}", tail.dropped) }
    }

    /// The last lines, for the end of an error message: at most `bytes_max` bytes, trimmed.
    pub fn last_lines(&self, bytes_max: usize) -> String {
        let tail = self.lock();
        let skip = tail.bytes.len().saturating_sub(bytes_max);
        let bytes: Vec<u8> = tail.bytes.iter().skip(skip).copied().collect();
        printable(&bytes).trim().to_owned()
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        // a panic while appending leaves at worst a shorter tail
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Text that is safe to print: no control characters but line breaks and tabs.
pub(crate) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| *c != '\r')
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c })
        .collect()
}

/// At most `chars_max` characters of what a host sent, on one line, for error messages.
pub(crate) fn excerpt(bytes: &[u8], chars_max: usize) -> String {
    let text = printable(&bytes[..bytes.len().min(chars_max * 4)]);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= chars_max {
        return line;
    }
    line.chars().take(chars_max).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_bytes_are_kept() {
        let tail = OutputTail::default();
        tail.push(&vec![b'a'; OUTPUT_MAX]);
        tail.push(b"the end");
        let text = tail.text();
        assert!(text.starts_with("[7 bytes before this were dropped]\naaa"), "{}", &text[..60]);
        assert!(text.ends_with("athe end"));
        tail.push(&vec![b'b'; OUTPUT_MAX * 3]);
        assert!(tail.text().ends_with("bbb") && !tail.text().contains("the end"));
        assert!(tail.text().len() < OUTPUT_MAX + 100);
    }

    #[test]
    fn escape_sequences_are_made_harmless() {
        let tail = OutputTail::default();
        tail.push(b"\x1b[2Jred\r\nnext\xff");
        assert_eq!(tail.text(), "\u{fffd}[2Jred\nnext\u{fffd}");
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(b"one\n two\t\tthree", 80), "one two three");
        assert_eq!(excerpt("äöü".repeat(9).as_bytes(), 4), "äöüä…");
    }
}
