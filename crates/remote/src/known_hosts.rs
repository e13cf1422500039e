//! OpenSSH's `known_hosts` files: which key belongs to which machine (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p2ppool_model::Time;
use p2ppool_model::host::{PinnedKey, SSH_PORT};
use p2ppool_model::host_list::LineError;
use p2ppool_model::ssh_config::fits;
use russh::keys::Algorithm;
use sha1::Sha1;

use crate::keys::{fingerprint_of, public_line, read_public_key};

/// Most lines that are read.
const LINES_MAX: usize = 200_000;

/// What a `known_hosts` text says.
#[derive(Debug, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
    revoked: Vec<String>,
    /// Every line that can't be used.
    pub errors: Vec<LineError>,
}

#[derive(Debug)]
struct Entry {
    names: Names,
    key: PinnedKey,
    rank: u8,
}

#[derive(Debug)]
enum Names {
    /// Patterns; one with `!` before it must not fit.
    Plain(Vec<String>),
    /// HMAC-SHA1 of the name under a salt (`HashKnownHosts`).
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

impl KnownHosts {
    /// Reads a whole text; never fails as a whole.
    pub fn parse(text: &str) -> Self {
        let mut known = Self::default();
        for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            let number = index + 1;
            if number > LINES_MAX {
                known.errors.push(LineError { line: number, reason: format!("more than {LINES_MAX} lines") });
                break;
            }
            match entry(line) {
                Ok(Line::Nothing) => {}
                Ok(Line::Key(entry)) => known.entries.push(entry),
                Ok(Line::Revoked(key)) => known.revoked.push(key),
                Err(reason) => known.errors.push(LineError { line: number, reason }),
            }
        }
        known
    }

    /// The best key of this machine: ed25519 before ECDSA before RSA, as connections ask for them.
    pub fn key(&self, address: &str, port: u16) -> Option<&PinnedKey> {
        let address = address.to_ascii_lowercase();
        let name = if port == SSH_PORT { address } else { format!("[{address}]:{port}") };
        let holds = |entry: &&Entry| !self.revoked.contains(&entry.key.public_key);
        let fitting = self.entries.iter().filter(holds).filter(|entry| entry.names.fit(&name));
        // the first of equals, as ssh reads them
        fitting.min_by_key(|entry| entry.rank).map(|entry| &entry.key)
    }
}

impl Names {
    fn fit(&self, name: &str) -> bool {
        match self {
            Self::Plain(patterns) => {
                let is_not = |pattern: &String| pattern.strip_prefix('!').is_some_and(|pattern| fits(pattern, name));
                !patterns.iter().any(is_not) && patterns.iter().any(|pattern| fits(pattern, name))
            }
            Self::Hashed { salt, hash } => Hmac::<Sha1>::new_from_slice(salt).is_ok_and(|mut mac| {
                mac.update(name.as_bytes());
                mac.verify_slice(hash).is_ok()
            }),
        }
    }
}

/// `names algorithm key [comment]`; `None`: blank or comment.
enum Line {
    Nothing,
    Key(Entry),
    /// A key that nobody may show any more, whoever the line names.
    Revoked(String),
}

fn entry(line: &str) -> Result<Line, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if let Some(marked) = line.strip_prefix('@') {
        let (marker, rest) = marked.split_once([' ', '\t']).unwrap_or((marked, ""));
        if marker != "revoked" {
            return Err(format!("lines with @{marker} can't be used: only keys of machines themselves are pinned"));
        }
        let (_, key) = rest.trim_start().split_once([' ', '\t']).ok_or("a name without a key")?;
        let key = read_public_key(key.trim_start()).map_err(|error| error.to_string())?;
        return Ok(Line::Revoked(public_line(&key).map_err(|error| error.to_string())?));
    }
    let (names, key) = line.split_once([' ', '\t']).ok_or("a name without a key")?;
    let key = read_public_key(key.trim_start()).map_err(|error| error.to_string())?;
    let rank = match key.algorithm() {
        Algorithm::Ed25519 => 0,
        Algorithm::Ecdsa { .. } => 1,
        Algorithm::Rsa { .. } => 2,
        other => return Err(format!("keys of type {other} are not used as host keys here")),
    };
    let pinned = PinnedKey {
        public_key: public_line(&key).map_err(|error| error.to_string())?,
        fingerprint: fingerprint_of(&key),
        since: Time::now(),
    };
    Ok(Line::Key(Entry { names: read_names(names)?, key: pinned, rank }))
}

fn read_names(text: &str) -> Result<Names, String> {
    let Some(hashed) = text.strip_prefix("|1|") else {
        return Ok(Names::Plain(text.split(',').map(str::to_owned).collect()));
    };
    let wrong = || "the hashed name is damaged".to_owned();
    let (salt, hash) = hashed.split_once('|').ok_or_else(wrong)?;
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| wrong());
    Ok(Names::Hashed { salt: decoded(salt)?, hash: decoded(hash)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keygen(arguments: &[&str]) {
        let done = std::process::Command::new("ssh-keygen").args(arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// `(public line, fingerprint)` of a new key.
    fn key(folder: &std::path::Path, kind: &str) -> (String, String) {
        let file = folder.join(kind);
        keygen(&["-q", "-t", kind, "-N", "", "-C", "", "-f", file.to_str().unwrap()]);
        let line = std::fs::read_to_string(file.with_extension("pub")).unwrap().trim().to_owned();
        let fingerprint = crate::fingerprint(&line).unwrap();
        (line, fingerprint)
    }

    #[test]
    fn names_patterns_ports_and_hashes_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let (ed, ed_print) = key(folder.path(), "ed25519");
        let (ecdsa, ecdsa_print) = key(folder.path(), "ecdsa");
        let text = format!(
            "# a comment\n\none.example,10.0.0.1 {ecdsa}\none.example {ed} somebody\n[two.example]:2222 {ecdsa}\n\
             *.lan,!bad.lan {ed}\nfe80::1 {ed}\n"
        );
        let file = folder.path().join("known_hosts");
        std::fs::write(&file, &text).unwrap();
        let plain = KnownHosts::parse(&text);
        keygen(&["-q", "-H", "-f", file.to_str().unwrap()]);
        let hashed = std::fs::read_to_string(&file).unwrap();
        assert!(hashed.contains("|1|"), "{hashed}");
        let hashed = KnownHosts::parse(&hashed);
        for (which, known) in [("plain", plain), ("hashed", hashed)] {
            assert_eq!(known.errors, [], "{which}");
            let print = |address: &str, port| known.key(address, port).map(|key| key.fingerprint.as_str());
            assert_eq!(print("One.Example", 22), Some(ed_print.as_str()), "{which}");
            assert_eq!(print("10.0.0.1", 22), Some(ecdsa_print.as_str()), "{which}");
            assert_eq!(print("two.example", 2222), Some(ecdsa_print.as_str()), "{which}");
            assert_eq!(print("two.example", 22), None, "{which}");
            assert_eq!(print("a.lan", 22), Some(ed_print.as_str()), "{which}");
            assert_eq!(print("bad.lan", 22), None, "{which}");
            assert_eq!(print("fe80::1", 22), Some(ed_print.as_str()), "{which}");
        }
    }

    #[test]
    fn lines_that_can_not_be_used_are_named() {
        let text = "alone\n@revoked a ssh-ed25519 AAAA\nb ssh-ed25519 nokey\n|1|x ssh-ed25519 AAAA\n\
                    @cert-authority *.x ssh-ed25519 AAAA\n@revoked\n";
        let errors = KnownHosts::parse(text).errors;
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert!(errors[4].reason.contains("@cert-authority"), "{errors:?}");
    }

    #[test]
    fn a_revoked_key_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let ((ed, _), (ecdsa, ecdsa_print)) = (key(folder.path(), "ed25519"), key(folder.path(), "ecdsa"));
        let known = KnownHosts::parse(&format!("a,b {ed}\na {ecdsa}\n@revoked * {ed}\n"));
        assert_eq!(known.errors, []);
        assert_eq!(known.key("a", 22).map(|key| key.fingerprint.as_str()), Some(ecdsa_print.as_str()));
        assert!(known.key("b", 22).is_none());
    }
}
