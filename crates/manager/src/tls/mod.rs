//! TLS of the manager itself: a certificate that it makes and renews, or files that it reads again when they change.

mod files;
mod made;
pub mod pinned;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::http::site::Site;

pub use made::renew;

/// How often the certificate's files are looked at: a new certificate is used this soon.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Whether the manager speaks TLS, and with which certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain HTTP.
    #[default]
    Off,
    /// A self-signed certificate that it makes and renews.
    Auto,
    /// One that somebody else makes and renews.
    Files {
        /// Certificate chain, PEM.
        cert: PathBuf,
        /// Its private key, PEM.
        key: PathBuf,
    },
}

/// The certificate in use. Cheap to clone; all clones share it.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    cert: PathBuf,
    key: PathBuf,
    /// Names of a certificate that is renewed here; `None`: somebody else does.
    renewed_for: Option<Vec<String>>,
    current: Arc<Current>,
    /// The files that are in use since the start.
    opened: Option<files::Digest>,
    acceptor: TlsAcceptor,
}

#[derive(Debug)]
struct Current(watch::Sender<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow()))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("cert", &self.0.cert).finish_non_exhaustive()
    }
}

/// The names that a certificate made here is for.
pub fn names(site: &Site, listen: IpAddr) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if !listen.is_unspecified() {
        names.push(listen.to_string());
    }
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    names.push(hostname.trim().to_owned());
    names
        .extend(site.public.as_ref().and_then(url::Url::host_str).map(|host| host.trim_matches(['[', ']']).to_owned()));
    names.extend(site.hosts.iter().cloned());
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

impl Tls {
    /// Reads or makes the certificate; nothing for [`TlsMode::Off`]. `folder` is where one made here is kept.
    pub fn open(mode: &TlsMode, folder: &Path, names: &[String]) -> anyhow::Result<Option<Self>> {
        let (cert, key, renewed_for) = match mode {
            TlsMode::Off => return Ok(None),
            TlsMode::Files { cert, key } => (cert.clone(), key.clone(), None),
            TlsMode::Auto => {
                made::renew_when_due(folder, names, p2ppool_model::Time::now())?;
                (made::cert_file(folder), made::key_file(folder), Some(names.to_vec()))
            }
        };
        let opened = files::digest(&cert, &key);
        let current = Arc::new(Current(watch::Sender::new(Arc::new(files::read(&cert, &key)?))));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("choose TLS versions")?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Some(Self(Arc::new(Inner { cert, key, renewed_for, current, opened, acceptor }))))
    }

    /// Speaks TLS with a client.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.0.acceptor.clone()
    }

    /// SHA-256 of the certificate in use, as people compare it: `AB:CD:…`.
    pub fn fingerprint(&self) -> String {
        let key = Arc::clone(&self.0.current.0.borrow());
        key.cert.first().map(|cert| pinned::fingerprint(cert)).unwrap_or_default()
    }

    /// Waits until another certificate than the one at the time of this call is used; returns its fingerprint.
    pub fn changed(&self) -> impl Future<Output = String> + use<> {
        let this = self.clone();
        let mut changes = this.0.current.0.subscribe();
        async move {
            // an error would mean that the sender is gone, but `this` has it
            let _ = changes.changed().await;
            this.fingerprint()
        }
    }

    /// Uses new files as they come, and renews a certificate that is made here, until the token trips.
    pub async fn keep(self, shutdown: CancellationToken) {
        let mut seen = self.0.opened;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let this = self.clone();
            let looked = tokio::task::spawn_blocking(move || this.look(seen)).await;
            seen = looked.unwrap_or(seen);
        }
    }

    /// Renews when it is due and reads files that changed. What is wrong is told, and the old certificate goes on.
    fn look(&self, seen: Option<files::Digest>) -> Option<files::Digest> {
        let inner = &self.0;
        if let (Some(names), Some(folder)) = (&inner.renewed_for, inner.cert.parent())
            && let Err(error) = made::renew_when_due(folder, names, p2ppool_model::Time::now())
        {
            tracing::error!("renew the certificate: {error:#}");
        }
        let now = self.digest();
        if now == seen {
            return seen;
        }
        match files::read(&inner.cert, &inner.key) {
            Ok(key) => {
                inner.current.0.send_replace(Arc::new(key));
                tracing::info!("new certificate, fingerprint (SHA-256) {}", self.fingerprint());
            }
            Err(error) => tracing::error!("the certificate changed and can't be used; the old one goes on: {error:#}"),
        }
        now
    }

    fn digest(&self) -> Option<files::Digest> {
        files::digest(&self.0.cert, &self.0.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_change_are_used_and_wrong_ones_leave_the_old_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned()];
        let tls = Tls::open(&TlsMode::Auto, folder.path(), &names).unwrap().unwrap();
        let (first, seen) = (tls.fingerprint(), tls.digest());
        assert_eq!(first.len(), 32 * 3 - 1);
        assert_eq!(tls.look(seen), seen);
        assert_eq!(tls.fingerprint(), first);

        renew(folder.path(), &names, p2ppool_model::Time::now()).unwrap();
        assert_ne!(tls.look(seen), seen);
        let second = tls.fingerprint();
        assert_ne!(second, first);

        let (cert, key) = (made::cert_file(folder.path()), made::key_file(folder.path()));
        let files = Tls::open(&TlsMode::Files { cert: cert.clone(), key }, folder.path(), &[]).unwrap().unwrap();
        std::fs::write(cert, "nonsense").unwrap();
        files.look(None);
        assert_eq!(files.fingerprint(), second);
    }

    #[test]
    fn nothing_is_opened_when_it_is_off_and_missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Tls::open(&TlsMode::Off, folder.path(), &[]).unwrap().is_none());
        let files = TlsMode::Files { cert: "/none/cert.pem".into(), key: "/none/key.pem".into() };
        let error = format!("{:#}", Tls::open(&files, folder.path(), &[]).unwrap_err());
        assert!(error.contains("/none/cert.pem"), "{error}");
    }
}
