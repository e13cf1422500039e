//! A connection as the crawl needs it: it opens streams and lets the other side open none.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::future::poll_fn;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt as _, SubstreamBox};
use multistream_select::{Negotiated, NegotiationError, Version, dialer_select_proto};

/// Streams of the other side that are dropped in one go, before others get their turn.
const DROPPED_AT_ONCE: usize = 32;

/// One connection. [`Connection::drive`] must be polled beside what uses it, by the same task.
pub(super) struct Connection(Mutex<StreamMuxerBox>);

/// A question that got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// The node doesn't speak that protocol.
    #[error("it does not speak {0}")]
    NotSpoken(String),
    /// The answer is longer than it may be.
    #[error("its answer is longer than {0} bytes")]
    TooLong(u64),
    /// The stream or the connection broke.
    #[error("{0}")]
    Broken(#[from] io::Error),
}

impl Connection {
    pub(super) fn new(muxer: StreamMuxerBox) -> Self {
        Self(Mutex::new(muxer))
    }

    /// Moves bytes until the connection breaks. What the other side opens is dropped.
    pub(super) async fn drive(&self) -> io::Error {
        poll_fn(|cx| {
            let mut muxer = self.muxer();
            for turn in 0..=DROPPED_AT_ONCE {
                match muxer.poll_inbound_unpin(cx) {
                    Poll::Ready(Ok(stream)) => drop(stream),
                    Poll::Ready(Err(error)) => return Poll::Ready(error),
                    Poll::Pending => break,
                }
                if turn == DROPPED_AT_ONCE {
                    cx.waker().wake_by_ref();
                }
            }
            match muxer.poll_unpin(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(error),
                Poll::Ready(Ok(_address_changed)) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Sends `request` on a stream of its own and reads at most `bytes_max` until the other side ends it.
    pub(super) async fn exchange(
        &self,
        protocol: &str,
        request: &[u8],
        bytes_max: u64,
    ) -> Result<Vec<u8>, ExchangeError> {
        let stream = self.send(protocol, request).await?;
        let mut answer = Vec::new();
        let read = stream.take(bytes_max + 1).read_to_end(&mut answer).await;
        read.map_err(|error| not_spoken(protocol, error))?;
        if answer.len() as u64 > bytes_max { Err(ExchangeError::TooLong(bytes_max)) } else { Ok(answer) }
    }

    /// Sends `request` on a stream of its own and reads one message of at most `bytes_max`, which has
    /// its length as varint before it.
    pub(super) async fn exchange_framed(
        &self,
        protocol: &str,
        request: &[u8],
        bytes_max: usize,
    ) -> Result<Vec<u8>, ExchangeError> {
        let mut stream = self.send(protocol, request).await?;
        let length = read_length(&mut stream).await.map_err(|error| not_spoken(protocol, error))?;
        let length = usize::try_from(length).ok().filter(|length| *length <= bytes_max);
        let length = length.ok_or(ExchangeError::TooLong(bytes_max as u64))?;
        let mut answer = Vec::new();
        stream.take(length as u64).read_to_end(&mut answer).await?;
        if answer.len() < length { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) } else { Ok(answer) }
    }

    async fn send(&self, protocol: &str, request: &[u8]) -> Result<Negotiated<SubstreamBox>, ExchangeError> {
        let stream = poll_fn(|cx| self.muxer().poll_outbound_unpin(cx)).await?;
        let select = dialer_select_proto(stream, std::iter::once(protocol), Version::V1Lazy).await;
        let (_, mut stream) = select.map_err(|error| not_spoken(protocol, error.into()))?;
        if !request.is_empty() {
            stream.write_all(request).await?;
            stream.close().await?;
        }
        Ok(stream)
    }

    fn muxer(&self) -> MutexGuard<'_, StreamMuxerBox> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A refusal of the protocol comes with the first read, because the request is sent before it.
fn not_spoken(protocol: &str, error: io::Error) -> ExchangeError {
    let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<NegotiationError>());
    match refused {
        Some(NegotiationError::Failed) => ExchangeError::NotSpoken(protocol.to_owned()),
        _ => ExchangeError::Broken(error),
    }
}

async fn read_length(stream: &mut Negotiated<SubstreamBox>) -> io::Result<u64> {
    let mut bytes = Vec::with_capacity(10);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        bytes.push(byte[0]);
        if let Some((length, _)) = crate::libp2p::protobuf::varint(&bytes) {
            return Ok(length);
        }
        if bytes.len() >= 10 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the length of its answer does not end"));
        }
    }
}
