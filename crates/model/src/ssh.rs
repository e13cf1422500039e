//! How the hosts of a pool are reached by SSH, beside its key: an agent, jump hosts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::host::SSH_PORT;
use crate::pool::SettingError;

/// Jump hosts one behind the other, as ProxyJump allows; each adds a handshake to every connection.
pub const JUMPS_MAX: usize = 4;

/// Handshakes at once through one jump host, unless a pool says otherwise: an sshd with OpenSSH's
/// default `MaxStartups 10:30:100` drops connections beyond ten.
pub const JUMP_HANDSHAKES: u16 = 8;

/// Most handshakes at once through one jump host that may be asked for.
pub const JUMP_HANDSHAKES_MAX: u16 = 256;

/// Longest name of a machine or user, bytes: a DNS name has at most 253.
const NAME_MAX: usize = 255;

/// How a pool's hosts are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SshAccess {
    /// The keys are those of the ssh-agent of the user who runs the manager, not the pool's own.
    pub agent: bool,
    /// Of the agent's keys only the one with this fingerprint (`SHA256:…`); `None`: each is tried.
    pub agent_key: Option<String>,
    /// The machines to go through, the nearest first.
    pub jumps: Vec<JumpHost>,
    /// Handshakes at once through each of them that has no limit of its own; `None`: 8.
    pub jump_handshakes: Option<u16>,
}

/// A machine that connections go through (OpenSSH's ProxyJump).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JumpHost {
    /// Name, IPv4 or IPv6 address (without brackets).
    pub address: String,
    /// SSH port; `None`: 22.
    #[serde(default)]
    pub port: Option<u16>,
    /// User name there; `None`: the pool's.
    #[serde(default)]
    pub user: Option<String>,
    /// Handshakes at once through it; `None`: as through every one of the pool.
    #[serde(default)]
    pub handshakes: Option<u16>,
}

impl JumpHost {
    /// The SSH port.
    pub fn ssh_port(&self) -> u16 {
        self.port.unwrap_or(SSH_PORT)
    }

    /// Address in lower case and SSH port: its place among the pinned host keys.
    pub fn key(&self) -> (String, u16) {
        (self.address.to_ascii_lowercase(), self.ssh_port())
    }
}

impl std::fmt::Display for JumpHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            None => f.write_str(&self.address),
            Some(port) if self.address.contains(':') => write!(f, "[{}]:{port}", self.address),
            Some(port) => write!(f, "{}:{port}", self.address),
        }
    }
}

impl std::str::FromStr for JumpHost {
    type Err = String;

    /// `[user@]host[:port]`, `[v6]:port`, or the same as `ssh://…`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is no jump host: {why}; write [user@]host[:port]");
        let rest = text.strip_prefix("ssh://").unwrap_or(text);
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let (address, port) = if let Some(rest) = place.strip_prefix('[') {
            let (address, rest) = rest.split_once(']').ok_or_else(|| wrong("the bracket has no end"))?;
            match rest.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None if rest.is_empty() => (address, None),
                None => return Err(wrong("something follows the bracket")),
            }
        } else {
            match place.split_once(':') {
                // an IPv6 address without brackets has no port
                Some((_, rest)) if rest.contains(':') => (place, None),
                Some((address, port)) => (address, Some(port)),
                None => (place, None),
            }
        };
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port @ 1..)) => Some(port),
            Some(_) => return Err(wrong("the port is not 1 to 65535")),
        };
        let jump = Self { address: address.to_owned(), port, user: user.map(str::to_owned), handshakes: None };
        jump.check().map_err(|why| wrong(&why)).map(|()| jump)
    }
}

impl JumpHost {
    fn check(&self) -> Result<(), String> {
        let plain = |text: &str| {
            !text.is_empty()
                && text.len() <= NAME_MAX
                && !text.starts_with('-')
                && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "@,/\"'`$\\[]".contains(c))
        };
        if !plain(&self.address) {
            return Err("the name of the machine is empty or holds characters that no name has".to_owned());
        }
        if self.user.as_deref().is_some_and(|user| !plain(user)) {
            return Err("the user name is empty or holds characters that no name has".to_owned());
        }
        if self.port == Some(0) {
            return Err("the port is not 1 to 65535".to_owned());
        }
        match self.handshakes {
            Some(limit) if !(1..=JUMP_HANDSHAKES_MAX).contains(&limit) => {
                Err(format!("its handshakes at once must be 1 to {JUMP_HANDSHAKES_MAX}"))
            }
            _ => Ok(()),
        }
    }
}

/// A comma-separated list as ProxyJump has it, the nearest machine first; `none` is an empty one.
pub fn jumps(text: &str) -> Result<Vec<JumpHost>, String> {
    if text.trim().is_empty() || text.trim().eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    text.split(',').map(|one| one.trim().parse()).collect()
}

impl SshAccess {
    /// Handshakes at once through each jump host.
    pub fn handshakes(&self) -> u16 {
        self.jump_handshakes.unwrap_or(JUMP_HANDSHAKES)
    }

    /// Handshakes at once through this jump host.
    pub fn handshakes_of(&self, jump: &JumpHost) -> u16 {
        jump.handshakes.unwrap_or_else(|| self.handshakes())
    }

    /// The jump host that a person means: as it is written in the settings, or by its address when only one has it.
    pub fn jump(&self, text: &str) -> Option<&JumpHost> {
        let written = self.jumps.iter().find(|jump| jump.to_string() == text);
        let mut named = self.jumps.iter().filter(|jump| {
            let place = Self::place(jump);
            jump.address.eq_ignore_ascii_case(text) || place == text
        });
        written.or_else(|| named.next().filter(|_| named.next().is_none()))
    }

    /// Address and port, without the user.
    fn place(jump: &JumpHost) -> String {
        JumpHost { user: None, ..jump.clone() }.to_string()
    }

    /// What can't be used, with the field it is about.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.jumps.len() > JUMPS_MAX {
            return Err(SettingError::new("jumps", format!("are more than {JUMPS_MAX}")));
        }
        for (at, jump) in self.jumps.iter().enumerate() {
            jump.check().map_err(|why| SettingError::new("jumps", format!("{jump}: {why}")))?;
            if self.jumps[..at].iter().any(|before| before.key() == jump.key()) {
                return Err(SettingError::new("jumps", format!("{jump}: no way leads through the same machine twice")));
            }
        }
        if !(1..=JUMP_HANDSHAKES_MAX).contains(&self.handshakes()) {
            return Err(SettingError::new("jump_handshakes", format!("must be 1 to {JUMP_HANDSHAKES_MAX}")));
        }
        match &self.agent_key {
            Some(key) if !key.starts_with("SHA256:") => {
                Err(SettingError::new("agent_key", "must be a fingerprint as `ssh-add -l` prints it: SHA256:…"))
            }
            Some(_) if !self.agent => Err(SettingError::new("agent_key", "needs `agent`")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jump(address: &str, port: Option<u16>, user: Option<&str>) -> JumpHost {
        JumpHost { address: address.to_owned(), port, user: user.map(str::to_owned), handshakes: None }
    }

    #[test]
    fn jump_hosts_are_read_as_ssh_reads_them() {
        let read = jumps("gate, ops@gate.example:2200,[fe80::1]:22,ssh://me@x").unwrap();
        let wanted = [
            jump("gate", None, None),
            jump("gate.example", Some(2200), Some("ops")),
            jump("fe80::1", Some(22), None),
            jump("x", None, Some("me")),
        ];
        assert_eq!(read, wanted);
        for jump in read {
            assert_eq!(jump.to_string().parse::<JumpHost>().unwrap(), jump);
        }
        assert_eq!(jumps("none").unwrap(), []);
        assert_eq!(jumps("2001:db8::7").unwrap(), [jump("2001:db8::7", None, None)]);
    }

    #[test]
    fn what_is_no_jump_host_is_said() {
        for (text, why) in [
            ("", "empty"),
            ("a b", "characters"),
            ("a:0", "port"),
            ("a:x", "port"),
            ("[a", "bracket"),
            ("-oProxyCommand=x", "characters"),
            ("u ser@x", "user"),
        ] {
            let error = text.parse::<JumpHost>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_jump_host_is_found_by_what_people_call_it() {
        let jumps = vec![jump("gate", Some(22), Some("ops")), jump("gate", Some(2200), None), jump("in", None, None)];
        let access = SshAccess { jumps, ..SshAccess::default() };
        let found = |text: &str| access.jump(text).map(ToString::to_string);
        for (text, wanted) in [
            ("ops@gate:22", Some("ops@gate:22")),
            ("gate:22", Some("ops@gate:22")),
            ("gate:2200", Some("gate:2200")),
            ("IN", Some("in")),
            ("gate", None),
            ("out", None),
        ] {
            assert_eq!(found(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn settings_out_of_their_range_name_their_field() {
        let wrong = |access: SshAccess| access.check().unwrap_err().field;
        let five = (1..=5).map(|port| jump("a", Some(port), None)).collect();
        assert_eq!(wrong(SshAccess { jumps: five, ..SshAccess::default() }), "jumps");
        assert_eq!(wrong(SshAccess { jump_handshakes: Some(0), ..SshAccess::default() }), "jump_handshakes");
        let limited = |handshakes| JumpHost { handshakes: Some(handshakes), ..jump("a", None, None) };
        for handshakes in [0, 257] {
            assert_eq!(wrong(SshAccess { jumps: vec![limited(handshakes)], ..SshAccess::default() }), "jumps");
        }
        let access = SshAccess { jumps: vec![limited(3), jump("b", None, None)], ..SshAccess::default() };
        access.check().unwrap();
        assert_eq!([0, 1].map(|at| access.handshakes_of(&access.jumps[at])), [3, JUMP_HANDSHAKES]);
        let twice = vec![jump("a", None, None), jump("A", Some(22), Some("other"))];
        assert_eq!(wrong(SshAccess { jumps: twice, ..SshAccess::default() }), "jumps", "it would wait for itself");
        let key = Some("SHA256:abc".to_owned());
        assert_eq!(wrong(SshAccess { agent_key: key.clone(), ..SshAccess::default() }), "agent_key");
        SshAccess { agent: true, agent_key: key, ..SshAccess::default() }.check().unwrap();
    }
}
