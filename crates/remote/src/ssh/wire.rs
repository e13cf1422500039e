//! The socket under a connection: keeps its first bytes, which tell what listens there, and can be
//! closed from outside. (During a key exchange russh only listens to the server, so one that says
//! nothing would keep a connection that was given up open for ever.)

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// First bytes that are kept.
const FIRST_MAX: usize = 128;

/// A stream, and the first bytes that came from it.
pub(super) struct Wire<S> {
    stream: S,
    first: First,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// The first bytes of a [`Wire`].
#[derive(Clone, Debug, Default)]
pub(super) struct First(Arc<Mutex<Vec<u8>>>);

impl First {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, bytes: &[u8]) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = FIRST_MAX - first.len().min(FIRST_MAX);
        first.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl<S> Wire<S> {
    /// The stream ends for its reader when the guard is dropped.
    pub(super) fn new(stream: S) -> (Self, First, DropGuard) {
        let first = First::default();
        let open = CancellationToken::new();
        let closed = Box::pin(open.clone().cancelled_owned());
        (Self { stream, first: first.clone(), closed }, first, open.drop_guard())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.first.keep(&buf.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
