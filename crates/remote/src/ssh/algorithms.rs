//! Which algorithms are offered, in which order.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};
use russh::{Preferred, SshId, cipher, client, compression, kex};

/// Something is sent on a silent connection this often, so that a dead one is noticed.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Unanswered keepalives after which a connection counts as lost.
const KEEPALIVES_MAX: usize = 3;

/// Messages of at most 32 KiB kept for a command whose output isn't read as fast as it comes.
const UNREAD_MESSAGES_MAX: usize = 16;

/// Post-quantum where the server has it, else curve25519; sntrup761 would cost 60 ms of CPU here.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// With AES instructions, AES-GCM costs half of what ChaCha20 does.
const CIPHERS_AES: &[cipher::Name] =
    &[cipher::AES_256_GCM, cipher::AES_128_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_128_CTR];

const CIPHERS_NO_AES: &[cipher::Name] =
    &[cipher::CHACHA20_POLY1305, cipher::AES_128_GCM, cipher::AES_256_GCM, cipher::AES_128_CTR, cipher::AES_256_CTR];

/// Host key algorithms; SHA-1 signatures aren't among them.
const HOST_KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// The settings of one connection. The algorithm of a pinned key comes first: a server with several
/// keys would else show one that was never pinned.
pub(super) fn config(pinned: Option<&PublicKey>) -> Arc<client::Config> {
    let preferred = Preferred {
        kex: Cow::Borrowed(KEX),
        key: host_keys(pinned),
        cipher: Cow::Borrowed(if has_aes() { CIPHERS_AES } else { CIPHERS_NO_AES }),
        compression: Cow::Borrowed(&[compression::NONE]),
        ..Preferred::DEFAULT
    };
    Arc::new(client::Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-p2ppool")),
        preferred,
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES_MAX,
        channel_buffer_size: UNREAD_MESSAGES_MAX,
        ..client::Config::default()
    })
}

fn host_keys(pinned: Option<&PublicKey>) -> Cow<'static, [Algorithm]> {
    let Some(pinned) = pinned else { return Cow::Borrowed(HOST_KEYS) };
    let name = pinned.algorithm();
    let is_first = |algorithm: &&Algorithm| match (&name, algorithm) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (name, algorithm) => name == *algorithm,
    };
    let (first, rest): (Vec<_>, Vec<_>) = HOST_KEYS.iter().partition(is_first);
    first.into_iter().chain(rest).cloned().collect()
}

fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_algorithm_comes_first_and_none_is_lost() {
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";
        let pinned = PublicKey::from_openssh(ecdsa).unwrap();
        let keys = config(Some(&pinned)).preferred.key.to_vec();
        assert_eq!(keys[0], Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 });
        assert_eq!(keys.len(), HOST_KEYS.len());
        assert_eq!(config(None).preferred.key[0], Algorithm::Ed25519);
    }
}
