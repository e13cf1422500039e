//! Where a session goes and who it says it is.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use p2ppool_model::host::PinnedKey;
use russh::keys::{Certificate, PrivateKey};

use crate::KeyError;
use crate::keys::{read_certificate, read_key};

/// One host as a transport needs to know it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Name, IPv4 or IPv6 address (without brackets).
    pub address: String,
    /// SSH port.
    pub port: u16,
    /// User name on the host.
    pub user: String,
    /// How the user proves who they are.
    pub auth: Arc<Auth>,
    /// The host's public key in OpenSSH's one-line form; `None` accepts any key and reports it as
    /// first contact.
    pub pinned: Option<String>,
    /// The folder on the host; `~/` at the start is the user's home.
    pub install_path: String,
    /// The machine to go through.
    pub jump: Option<Arc<Jump>>,
}

impl Target {
    /// A "host" on this machine: processes under their own folder, no SSH.
    pub fn local(name: impl Into<String>, install_path: impl Into<String>) -> Self {
        Self {
            address: name.into(),
            port: 0,
            user: String::new(),
            auth: Arc::new(Auth::none()),
            pinned: None,
            install_path: install_path.into(),
            jump: None,
        }
    }

    /// `user@address:port` as in messages.
    pub fn display(&self) -> String {
        let address = if self.address.contains(':') { format!("[{}]", self.address) } else { self.address.clone() };
        match (self.user.as_str(), self.port) {
            ("", 0) => address,
            ("", port) => format!("{address}:{port}"),
            (user, port) => format!("{user}@{address}:{port}"),
        }
    }
}

/// A machine that connections go through (OpenSSH's ProxyJump).
#[derive(Debug)]
pub struct Jump {
    /// How to reach it; its `install_path` isn't used.
    pub target: Target,
    /// How many handshakes may go through it at once: an sshd with the default
    /// `MaxStartups 10:30:100` drops connections beyond ten.
    pub handshakes: Arc<tokio::sync::Semaphore>,
    /// Its key, when none was pinned: every further connection has to meet the same one.
    first_contact: OnceLock<PinnedKey>,
    /// Another key than the pinned one, that it showed.
    shown: OnceLock<PinnedKey>,
}

/// Handshakes at once through one jump host, below OpenSSH's default of ten.
const JUMP_HANDSHAKES: usize = 8;

impl Jump {
    /// Through this machine, with the default limit of handshakes at once.
    pub fn new(target: Target) -> Self {
        Self::limited(target, Arc::new(tokio::sync::Semaphore::new(JUMP_HANDSHAKES)))
    }

    /// Through this machine, with a limit that others may share.
    pub fn limited(target: Target, handshakes: Arc<tokio::sync::Semaphore>) -> Self {
        Self { target, handshakes, first_contact: OnceLock::new(), shown: OnceLock::new() }
    }

    /// Its key, when none was pinned and a connection met it: to be pinned now.
    pub fn first_contact(&self) -> Option<&PinnedKey> {
        self.first_contact.get()
    }

    /// The key that it showed instead of the pinned one.
    pub fn shown(&self) -> Option<&PinnedKey> {
        self.shown.get()
    }

    /// It and the machines before it, this one first.
    pub fn chain(&self) -> impl Iterator<Item = &Jump> {
        std::iter::successors(Some(self), |jump| jump.target.jump.as_deref())
    }

    pub(crate) fn pinned(&self) -> Option<&str> {
        let met = self.first_contact.get().map(|key| key.public_key.as_str());
        self.target.pinned.as_deref().or(met)
    }

    /// A handshake came to its end with this key.
    pub(crate) fn met(&self, key: Option<PinnedKey>) {
        if let (None, Some(key)) = (&self.target.pinned, key) {
            // who comes second was held to the first one's
            let _ = self.first_contact.set(key);
        }
    }

    pub(crate) fn refused(&self, key: PinnedKey) {
        let _ = self.shown.set(key);
    }
}

/// How a user proves who they are. `Debug` shows fingerprints only.
pub struct Auth(pub(crate) AuthKind);

pub(crate) enum AuthKind {
    None,
    Key { key: Arc<PrivateKey>, certificate: Option<Box<Certificate>> },
    Agent { socket: PathBuf, only: Option<String> },
    Either(Vec<Arc<Auth>>),
}

impl Auth {
    /// Nothing to prove: the local transport.
    pub fn none() -> Self {
        Self(AuthKind::None)
    }

    /// A private key in OpenSSH or PEM form.
    pub fn key(text: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let key = Arc::new(read_key(text, passphrase)?);
        Ok(Self(AuthKind::Key { key, certificate: None }))
    }

    /// A private key and the OpenSSH user certificate made for it.
    pub fn certificate(text: &str, passphrase: Option<&str>, certificate: &str) -> Result<Self, KeyError> {
        let key = Arc::new(read_key(text, passphrase)?);
        let certificate = read_certificate(certificate)?;
        if certificate.public_key() != key.public_key().key_data() {
            return Err(KeyError::CertificateOfAnotherKey);
        }
        Ok(Self(AuthKind::Key { key, certificate: Some(Box::new(certificate)) }))
    }

    /// The keys that an ssh-agent holds, asked at each connection.
    pub fn agent(socket: impl Into<PathBuf>) -> Self {
        Self(AuthKind::Agent { socket: socket.into(), only: None })
    }

    /// Of the keys that an ssh-agent holds the one with this fingerprint (`SHA256:…`).
    pub fn agent_key(socket: impl Into<PathBuf>, fingerprint: impl Into<String>) -> Self {
        Self(AuthKind::Agent { socket: socket.into(), only: Some(fingerprint.into()) })
    }

    /// One of these, tried in this order on one connection: while a key is being replaced.
    pub fn either(several: impl IntoIterator<Item = Arc<Auth>>) -> Self {
        Self(AuthKind::Either(several.into_iter().collect()))
    }

    /// What is offered, for messages: a fingerprint or the agent's socket.
    pub fn display(&self) -> String {
        match &self.0 {
            AuthKind::None => "no key".into(),
            AuthKind::Either(several) => several.iter().map(|auth| auth.display()).collect::<Vec<_>>().join(" or "),
            AuthKind::Key { key, certificate: None } => {
                format!("key {}", crate::keys::fingerprint_of(key.public_key()))
            }
            AuthKind::Key { key, certificate: Some(certificate) } => format!(
                "certificate `{}` of key {}",
                certificate.key_id(),
                crate::keys::fingerprint_of(key.public_key())
            ),
            AuthKind::Agent { socket, only: None } => format!("the keys of the agent at {}", socket.display()),
            AuthKind::Agent { socket, only: Some(key) } => format!("key {key} of the agent at {}", socket.display()),
        }
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Auth({})", self.display())
    }
}
