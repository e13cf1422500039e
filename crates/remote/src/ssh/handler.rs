//! What the server says that isn't part of a command: its host key, banners, the end.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::task::AtomicWaker;
use p2ppool_model::host::PinnedKey;
use russh::client::{DisconnectReason, Handler, Session};
use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{ChannelId, Error};

use crate::OutputTail;
use crate::keys::public_line;

/// What is learnt of one connection, shared between its driver and its user.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The key that the server showed.
    pub(super) presented: Mutex<Option<PinnedKey>>,
    /// Why the connection ended.
    pub(super) reason: Mutex<Option<String>>,
    /// Banners, then the command's standard error.
    pub(super) output: OutputTail,
    /// How much of an upload is under way.
    pub(super) flow: Flow,
}

/// Bytes handed to the connection and not yet taken by the command at the other end, as the
/// server's window tells: it grows again only by what the command has read.
#[derive(Debug, Default)]
pub(super) struct Flow {
    window: AtomicU32,
    sent: AtomicU64,
    taken: AtomicU64,
    waker: AtomicWaker,
}

impl Flow {
    pub(super) fn in_flight(&self) -> u64 {
        self.sent.load(Ordering::Acquire).saturating_sub(self.taken.load(Ordering::Acquire))
    }

    pub(super) fn add(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(super) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }

    /// The window after an adjustment. What is still queued here counts as taken until the next one.
    fn adjusted(&self, window: u32) {
        let unread = u64::from(self.window.load(Ordering::Acquire).saturating_sub(window));
        let sent = self.sent.load(Ordering::Acquire);
        self.taken.fetch_max(sent.saturating_sub(unread), Ordering::AcqRel);
        self.waker.wake();
    }
}

impl Shared {
    pub(super) fn presented(&self) -> Option<PinnedKey> {
        lock(&self.presented).clone()
    }

    /// Why the connection ended, for messages.
    pub(super) fn reason(&self) -> String {
        lock(&self.reason).clone().unwrap_or_else(|| "the connection closed".into())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// russh's view of us.
pub(super) struct Client {
    pub(super) pinned: Option<PublicKey>,
    pub(super) shared: Arc<Shared>,
}

impl Handler for Client {
    type Error = Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Error> {
        // certificates are never offered, so a server can't answer with one
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let presented = PinnedKey {
            public_key: public_line(key).map_err(|_| Error::CouldNotReadKey)?,
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            since: p2ppool_model::Time::now(),
        };
        *lock(&self.shared.presented) = Some(presented);
        Ok(self.pinned.as_ref().is_none_or(|pinned| pinned.key_data() == key.key_data()))
    }

    async fn auth_banner(&mut self, banner: &str, _session: &mut Session) -> Result<(), Error> {
        self.shared.output.push(banner.as_bytes());
        Ok(())
    }

    async fn channel_open_confirmation(
        &mut self,
        _id: ChannelId,
        _max_packet_size: u32,
        window_size: u32,
        _session: &mut Session,
    ) -> Result<(), Error> {
        // the first channel is the command; one that kills it later carries no upload
        let _ = self.shared.flow.window.compare_exchange(0, window_size, Ordering::AcqRel, Ordering::Acquire);
        Ok(())
    }

    async fn window_adjusted(&mut self, _id: ChannelId, new_size: u32, _session: &mut Session) -> Result<(), Error> {
        self.shared.flow.adjusted(new_size);
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Error>) -> Result<(), Error> {
        let text = match &reason {
            DisconnectReason::ReceivedDisconnect(info) => format!("the server said `{}`", info.message),
            DisconnectReason::Error(error) => describe(error),
        };
        *lock(&self.shared.reason) = Some(text);
        // whoever waits for the window will see the closed channel
        self.shared.flow.waker.wake();
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

/// An error of russh in words.
pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::IO(e) => e.to_string(),
        Error::Disconnect | Error::HUP => "the other side closed the connection".into(),
        Error::KeepaliveTimeout => "no answer to keepalives".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_tells_what_was_taken() {
        let flow = Flow::default();
        flow.window.store(2_000_000, Ordering::SeqCst);
        flow.add(300_000);
        assert_eq!(flow.in_flight(), 300_000);
        flow.adjusted(1_800_000);
        assert_eq!(flow.in_flight(), 200_000);
        flow.adjusted(2_000_000);
        assert_eq!(flow.in_flight(), 0);
        flow.add(10);
        // a late message about less never takes anything back
        flow.adjusted(1_000_000);
        assert_eq!(flow.in_flight(), 10);
    }
}
