//! Hosts out of an OpenSSH client configuration (`~/.ssh/config`).
//!
//! Every name of a `Host` line without wildcard is a host; its values are the first that any matching
//! block sets, as ssh_config(5) says. `Match` and `Include` ask for more than the text itself and are
//! named as errors; keywords that don't matter here are passed over.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::host::HostSpec;
use crate::host_list::{HOSTS_MAX, LineError};
use crate::ssh::{self, JumpHost};

/// What the text says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SshConfig {
    /// The hosts, in the order of the text.
    pub hosts: Vec<ConfiguredHost>,
    /// Every line that can't be used.
    pub errors: Vec<LineError>,
}

/// A host of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfiguredHost {
    /// The name on its `Host` line.
    pub name: String,
    /// It, as a line of a host list has it.
    pub host: HostSpec,
    /// Its ProxyJump, the nearest machine first.
    pub jumps: Vec<JumpHost>,
    /// Its first IdentityFile: a file of the one who wrote the configuration.
    pub identity_file: Option<String>,
}

/// One `Host` block.
#[derive(Default)]
struct Block {
    patterns: Vec<String>,
    values: Vec<(Keyword, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    HostName,
    Port,
    User,
    ProxyJump,
    IdentityFile,
}

/// Parses a whole text; never fails as a whole.
pub fn parse(text: &str) -> SshConfig {
    let mut config = SshConfig::default();
    let mut blocks = vec![Block { patterns: vec!["*".to_owned()], values: Vec::new() }];
    let mut names: Vec<(usize, String)> = Vec::new();
    let mut skipping = false;
    for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
        let number = index + 1;
        let Some((keyword, value)) = split(line) else { continue };
        let mut wrong = |reason: String| config.errors.push(LineError { line: number, reason });
        match keyword.to_ascii_lowercase().as_str() {
            "host" => {
                skipping = false;
                let patterns: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
                if patterns.is_empty() {
                    wrong("`Host` without a name".to_owned());
                }
                let concrete = patterns.iter().filter(|p| !p.contains(['*', '?', '!']));
                names.extend(concrete.map(|name| (number, name.clone())));
                blocks.push(Block { patterns, values: Vec::new() });
            }
            "match" => {
                skipping = true;
                wrong("`Match` blocks are not followed: name these hosts by `Host`".to_owned());
            }
            "include" => wrong("`Include` is not followed: give that file, too".to_owned()),
            _ if skipping => {}
            other => match value_of(other, &value) {
                Ok(Some(keyword)) => {
                    if let Some(block) = blocks.last_mut() {
                        block.values.push((keyword, value));
                    }
                }
                Ok(None) => {}
                Err(reason) => wrong(reason),
            },
        }
    }
    names.dedup_by(|a, b| a.1 == b.1);
    let mut seen = std::collections::HashSet::new();
    for (line, name) in names {
        if !seen.insert(name.clone()) {
            continue;
        }
        if config.hosts.len() >= HOSTS_MAX {
            config.errors.push(LineError { line, reason: format!("more than {HOSTS_MAX} hosts") });
            break;
        }
        match host(&blocks, &name) {
            Ok(host) => config.hosts.push(host),
            Err(reason) => config.errors.push(LineError { line, reason }),
        }
    }
    config.errors.sort_by_key(|error| error.line);
    config
}

/// Keyword and value of a line; `None`: blank or comment. `Keyword value`, `Keyword=value`, quotes around the value.
fn split(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let value = line[end..].trim_start().strip_prefix('=').unwrap_or(&line[end..]).trim();
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    Some((line[..end].to_owned(), value.to_owned()))
}

fn value_of(keyword: &str, value: &str) -> Result<Option<Keyword>, String> {
    let known = match keyword {
        "hostname" => Keyword::HostName,
        "port" => Keyword::Port,
        "user" => Keyword::User,
        "proxyjump" => Keyword::ProxyJump,
        "identityfile" => Keyword::IdentityFile,
        "proxycommand" if !value.eq_ignore_ascii_case("none") => {
            return Err("`ProxyCommand` is not run: use `ProxyJump`".to_owned());
        }
        _ => return Ok(None),
    };
    if value.is_empty() {
        return Err(format!("`{keyword}` without a value"));
    }
    match known {
        Keyword::Port if !matches!(value.parse::<u16>(), Ok(1..)) => Err(format!("port `{value}` is not 1 to 65535")),
        Keyword::ProxyJump => ssh::jumps(value).map(|_| Some(known)),
        _ => Ok(Some(known)),
    }
}

fn host(blocks: &[Block], name: &str) -> Result<ConfiguredHost, String> {
    let value = |wanted| first(blocks, name, wanted);
    let address = value(Keyword::HostName).map_or_else(|| name.to_owned(), |text| text.replace("%h", name));
    let place = JumpHost {
        address,
        port: value(Keyword::Port).and_then(|port| port.parse().ok()),
        user: value(Keyword::User),
        handshakes: None,
    };
    // the same rules as for every name that goes into a connection
    let place: JumpHost = bracketed(&place).parse()?;
    let jumps = through(blocks, name, 0)?;
    let mut host = HostSpec { address: place.address, port: place.port, user: place.user, ..HostSpec::default() };
    if host.address != name {
        host.labels.insert("alias".to_owned(), name.to_owned());
    }
    Ok(ConfiguredHost { name: name.to_owned(), host, jumps, identity_file: value(Keyword::IdentityFile) })
}

fn bracketed(place: &JumpHost) -> String {
    if place.address.contains(':') && place.port.is_none() {
        let user = place.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        return format!("{user}[{}]", place.address);
    }
    place.to_string()
}

/// The machines before `name`, the nearest first; names of the configuration among them become what it says of them.
/// A machine is never behind itself: `Host *` with a `ProxyJump` means the others.
fn through(blocks: &[Block], name: &str, depth: usize) -> Result<Vec<JumpHost>, String> {
    let Some(text) = first(blocks, name, Keyword::ProxyJump) else { return Ok(Vec::new()) };
    if depth >= ssh::JUMPS_MAX {
        return Err(format!("{name} is behind more than {} jump hosts, or behind itself", ssh::JUMPS_MAX));
    }
    let mut all = Vec::new();
    let before = ssh::jumps(&text)?.into_iter().take_while(|jump| !jump.address.eq_ignore_ascii_case(name));
    for (index, jump) in before.enumerate() {
        let alias = jump.address.clone();
        // as ssh does: only the first one is asked for its own ProxyJump
        if index == 0 {
            all.extend(through(blocks, &alias, depth + 1)?);
        }
        let value = |wanted| first(blocks, &alias, wanted);
        all.push(JumpHost {
            address: value(Keyword::HostName).map_or_else(|| alias.clone(), |text| text.replace("%h", &alias)),
            port: jump.port.or_else(|| value(Keyword::Port).and_then(|port| port.parse().ok())),
            user: jump.user.or_else(|| value(Keyword::User)),
            handshakes: None,
        });
    }
    if all.len() > ssh::JUMPS_MAX {
        return Err(format!("{name} is behind more than {} jump hosts", ssh::JUMPS_MAX));
    }
    Ok(all)
}

/// The first value that a block which matches the name sets.
fn first(blocks: &[Block], name: &str, wanted: Keyword) -> Option<String> {
    let matching = blocks.iter().filter(|block| block.matches(name));
    matching.flat_map(|block| &block.values).find(|(keyword, _)| *keyword == wanted).map(|(_, value)| value.clone())
}

impl Block {
    fn matches(&self, name: &str) -> bool {
        let is_not = |pattern: &String| pattern.strip_prefix('!').is_some_and(|pattern| fits(pattern, name));
        !self.patterns.iter().any(is_not) && self.patterns.iter().any(|pattern| fits(pattern, name))
    }
}

/// A pattern of OpenSSH: `*` is anything, `?` one character; case doesn't matter.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    // the last star and what it has taken so far
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
# mine
Host gate
    HostName gate.example.org
    User ops
    Port 2200
Host node-?? !node-13
    ProxyJump gate
    IdentityFile ~/.ssh/fleet
Host node-01 node-02
    HostName %h.lan
Host node-13
    HostName=10.0.0.13
Host v6
    HostName 2001:db8::6
    Port 22
Host *
    User everybody
    Compression yes
";

    #[test]
    fn the_first_matching_value_counts() {
        let config = parse(TEXT);
        assert_eq!(config.errors, []);
        let names: Vec<_> = config.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["gate", "node-01", "node-02", "node-13", "v6"]);
        let gate = &config.hosts[0];
        assert_eq!(gate.host.display(), "gate.example.org:2200");
        assert_eq!(gate.host.user.as_deref(), Some("ops"));
        let one = &config.hosts[1];
        assert_eq!((one.host.address.as_str(), one.host.user.as_deref()), ("node-01.lan", Some("everybody")));
        assert_eq!(one.jumps, ["ops@gate.example.org:2200".parse().unwrap()]);
        assert_eq!(one.identity_file.as_deref(), Some("~/.ssh/fleet"));
        assert_eq!(one.host.labels["alias"], "node-01");
        let thirteen = &config.hosts[3];
        assert_eq!((thirteen.host.address.as_str(), thirteen.jumps.len()), ("10.0.0.13", 0));
        assert_eq!(config.hosts[4].host.display(), "[2001:db8::6]:22");
    }

    #[test]
    fn lines_that_can_not_be_used_are_named() {
        let text = "Host a\nPort 0\nHost\nMatch user x\n  User y\nInclude more\nHost b\nProxyJump \nProxyCommand nc %h\nHost c\nProxyJump c\n";
        let config = parse(text);
        let lines: Vec<_> = config.errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [2, 3, 4, 6, 8, 9], "{:?}", config.errors);
        assert!(config.hosts.iter().all(|host| host.host.user.is_none()), "{:?}", config.hosts);
    }

    #[test]
    fn machines_behind_each_other_have_an_end() {
        let config = parse("Host a\nProxyJump b\nHost b\nProxyJump a\n");
        assert_eq!(config.hosts, []);
        assert!(config.errors[0].reason.contains("jump hosts"), "{:?}", config.errors);
        let chain = parse("Host a\nProxyJump b\nHost b\nProxyJump c\nHost c\n");
        let jumps: Vec<_> = chain.hosts[0].jumps.iter().map(|jump| jump.address.as_str()).collect();
        assert_eq!(jumps, ["c", "b"]);
    }

    #[test]
    fn no_machine_is_behind_itself() {
        let config = parse("Host node gate inner\nHost *\nProxyJump gate,inner\n");
        assert_eq!(config.errors, []);
        let jumps = config.hosts.iter().map(|host| host.jumps.iter().map(|jump| jump.address.as_str()).collect());
        let jumps: Vec<Vec<_>> = jumps.collect();
        assert_eq!(jumps, [vec!["gate", "inner"], vec![], vec!["gate"]]);
    }

    #[test]
    fn patterns_fit_as_in_ssh() {
        for (pattern, name, fit) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("?", "", false),
            ("*.x", "a.b.X", true),
            ("a**", "a", true),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
        }
    }
}
