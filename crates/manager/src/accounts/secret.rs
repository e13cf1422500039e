//! Random secrets that people and programs carry: session cookies, API tokens, first passwords.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Digest as _;

/// What an API token begins with, so that scanners and people recognise one.
pub const TOKEN_PREFIX: &str = "p2p_";
/// Random bytes of a token or session.
const SECRET_BYTES: usize = 32;
/// Random bytes of a generated password: 120 bits.
const PASSWORD_BYTES: usize = 15;

/// A secret in the clear: shown or sent once, never kept. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq, zeroize::ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// A new session secret.
    pub fn session() -> Self {
        Self(random(SECRET_BYTES))
    }

    /// A new API token.
    pub fn token() -> Self {
        Self(format!("{TOKEN_PREFIX}{}", random(SECRET_BYTES)))
    }

    /// A new password.
    pub fn password() -> Self {
        Self(random(PASSWORD_BYTES))
    }

    /// The text, to hand it to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// SHA-256 of a secret, hexadecimal. Enough for 256 random bits; passwords get argon2id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHash(String);

impl SecretHash {
    /// The hash of what somebody presents.
    pub fn of(presented: &str) -> Self {
        Self(hex::encode(sha2::Sha256::digest(presented.as_bytes())))
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn random(bytes: usize) -> String {
    let mut buffer = vec![0_u8; bytes];
    // Without randomness no secret can be made, and going on with a weak one would be worse.
    getrandom::fill(&mut buffer).expect("the operating system gives random bytes");
    URL_SAFE_NO_PAD.encode(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_do_not_show_in_debug() {
        let (one, two) = (Secret::token(), Secret::token());
        assert_ne!(one.reveal(), two.reveal());
        assert!(one.reveal().starts_with("p2p_") && one.reveal().len() == 4 + 43);
        assert_eq!(format!("{one:?}"), "Secret(…)");
        assert_eq!(one.hash(), SecretHash::of(one.reveal()));
        assert_eq!(Secret::password().reveal().len(), 20);
    }
}
