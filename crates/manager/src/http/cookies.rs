//! The two cookies of a session: one that scripts can't read, and one that only our own pages can.
//!
//! The second holds a text that is made of the first. A page of ours reads it and sends it back as a header with
//! each change; a page of somebody else can make the browser send both cookies, but can read neither.

use axum::http::HeaderName;
use sha2::Digest as _;

use crate::accounts::{Secret, SecretHash};
use crate::service::accounts;

/// Name of the session cookie.
pub const SESSION: &str = "p2ppool_session";
/// Name of the cookie whose value every change has to repeat.
pub const CSRF: &str = "p2ppool_csrf";
/// The header in which it is repeated.
pub const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// Where cookies hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The folder below which the manager lives.
    pub(crate) base: String,
    /// The browser sends them over TLS only.
    pub(crate) secure: bool,
}

/// What a change in this session has to repeat.
pub(crate) fn csrf_of(session: &SecretHash) -> String {
    hex::encode(sha2::Sha256::digest(format!("p2ppool csrf {}", session.as_str())))
}

/// `Set-Cookie` headers of a new session.
pub(crate) fn begin(secret: &Secret, scope: &Scope) -> [String; 2] {
    let attributes = scope.attributes(accounts::SESSION_MAX.as_secs());
    [format!("{SESSION}={}; HttpOnly; {attributes}", secret.reveal()), csrf(&secret.hash(), scope)]
}

/// `Set-Cookie` that gives a page of an existing session what changes have to repeat.
pub(crate) fn csrf(session: &SecretHash, scope: &Scope) -> String {
    format!("{CSRF}={}; {}", csrf_of(session), scope.attributes(accounts::SESSION_MAX.as_secs()))
}

/// `Set-Cookie` headers that make the browser forget its session.
pub(crate) fn end(scope: &Scope) -> [String; 2] {
    [format!("{SESSION}=; HttpOnly; {}", scope.attributes(0)), format!("{CSRF}=; {}", scope.attributes(0))]
}

impl Scope {
    /// `Set-Cookie` of a login that is under way elsewhere.
    pub(crate) fn for_pending(&self, name: &str, value: &str, seconds: u64) -> String {
        format!("{name}={value}; HttpOnly; {}", self.attributes(seconds))
    }

    fn attributes(&self, seconds: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("Path={}; SameSite=Lax; Max-Age={seconds}{secure}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_belongs_to_one_session_and_is_not_its_secret() {
        let (one, two) = (Secret::session(), Secret::session());
        assert_ne!(csrf_of(&one.hash()), csrf_of(&two.hash()));
        let scope = Scope { base: "/p2ppool/".into(), secure: true };
        let [session, csrf] = begin(&one, &scope);
        assert!(
            session.contains("HttpOnly") && session.ends_with("Path=/p2ppool/; SameSite=Lax; Max-Age=2592000; Secure")
        );
        assert!(!csrf.contains("HttpOnly") && !csrf.contains(one.reveal()) && !csrf.contains(one.hash().as_str()));
        assert!(end(&scope).iter().all(|cookie| cookie.contains("Max-Age=0")));
    }
}
