//! Reading the host's standard output: lines of bounded length, then bytes of known number.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest answer line, bytes.
pub const LINE_MAX: usize = 64 * 1024;

/// Bytes asked from the transport at once.
const CHUNK: usize = 32 * 1024;

/// Why a line could not be had.
#[derive(Debug)]
pub(super) enum LineError {
    /// The output ended, or the connection broke; these bytes of an unfinished line were there.
    End(Vec<u8>),
    /// No line break within the limit; the beginning of it.
    TooLong(Vec<u8>),
}

/// Why a payload did not arrive.
#[derive(Debug)]
pub(super) enum PayloadError {
    /// The output ended with so many bytes missing.
    End(u64),
    /// The sink failed.
    Sink(std::io::Error),
}

/// A buffered reader over the standard output. Dropping a read keeps what was read.
pub(super) struct Lines {
    from: Box<dyn AsyncRead + Send + Unpin>,
    buffer: BytesMut,
}

impl Lines {
    pub(super) fn new(from: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self { from, buffer: BytesMut::new() }
    }

    /// The next line without its break, at most `max` bytes.
    pub(super) async fn line(&mut self, max: usize) -> Result<Vec<u8>, LineError> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(searched + at + 1);
                return Ok(line[..searched + at].to_vec());
            }
            searched = self.buffer.len();
            if searched > max {
                return Err(LineError::TooLong(self.buffer.to_vec()));
            }
            if !self.fill().await {
                return Err(LineError::End(self.buffer.to_vec()));
            }
        }
    }

    /// Copies exactly `size` bytes into the sink.
    pub(super) async fn copy(
        &mut self,
        size: u64,
        sink: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), PayloadError> {
        let mut missing = size;
        while missing > 0 {
            if self.buffer.is_empty() && !self.fill().await {
                return Err(PayloadError::End(missing));
            }
            let length = usize::try_from(missing).unwrap_or(usize::MAX).min(self.buffer.len());
            let chunk = self.buffer.split_to(length);
            sink.write_all(&chunk).await.map_err(PayloadError::Sink)?;
            missing -= length as u64;
        }
        sink.flush().await.map_err(PayloadError::Sink)
    }

    /// Reads some more; `false` at the end. A broken connection is an end, too: the exit status tells.
    async fn fill(&mut self) -> bool {
        self.buffer.reserve(CHUNK);
        matches!(self.from.read_buf(&mut self.buffer).await, Ok(1..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &'static [u8]) -> Lines {
        Lines::new(Box::new(text))
    }

    #[tokio::test]
    async fn lines_and_payloads_follow_each_other() {
        let mut lines = lines(b"one\n12345two\nrest");
        assert_eq!(lines.line(LINE_MAX).await.unwrap(), b"one");
        let mut sink = Vec::new();
        lines.copy(5, &mut sink).await.unwrap();
        assert_eq!(sink, b"12345");
        assert_eq!(lines.line(LINE_MAX).await.unwrap(), b"two");
        assert!(matches!(lines.line(LINE_MAX).await, Err(LineError::End(rest)) if rest == b"rest"));
    }

    #[tokio::test]
    async fn a_line_without_end_is_given_up() {
        let mut lines = Lines::new(Box::new(tokio::io::repeat(b'x')));
        assert!(matches!(lines.line(LINE_MAX).await, Err(LineError::TooLong(_))));
    }

    #[tokio::test]
    async fn a_cut_payload_tells_what_is_missing() {
        let result = lines(b"123").copy(5, &mut Vec::new()).await;
        assert!(matches!(result, Err(PayloadError::End(2))));
    }
}
