//! How the manager is reached: under which names, through which proxies, below which folder.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use url::Url;

/// Most addresses of a `X-Forwarded-For` header that are looked at.
const FORWARDED_MAX: usize = 32;

/// How the manager is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The address that people use, when it is known.
    pub public: Option<Url>,
    /// Further host names that requests may be for.
    pub hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-*` headers are believed.
    pub proxies: Vec<IpNet>,
    /// `/`, or the folder below which the manager lives, such as `/p2ppool/`.
    pub base: String,
}

impl Default for Site {
    fn default() -> Self {
        Self { public: None, hosts: Vec::new(), proxies: Vec::new(), base: "/".to_owned() }
    }
}

/// One connection, as the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The other end.
    pub peer: IpAddr,
    /// It speaks TLS with us.
    pub encrypted: bool,
}

impl Default for Connection {
    fn default() -> Self {
        Self { peer: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), encrypted: false }
    }
}

impl Site {
    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.proxies.iter().any(|network| network.contains(&address))
    }

    /// Who really asks: behind trusted proxies the last address that is not one of them.
    pub fn address(&self, connection: Connection, headers: &HeaderMap) -> IpAddr {
        let mut address = connection.peer;
        let forwarded = headers.get_all(HeaderName::from_static("x-forwarded-for"));
        let told: Vec<&str> =
            forwarded.iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')).collect();
        for before in told.iter().rev().take(FORWARDED_MAX) {
            if !self.trusts(address) {
                break;
            }
            let Ok(before) = before.trim().parse() else { break };
            address = before;
        }
        address.to_canonical()
    }

    /// The one who asks speaks TLS: with us, or with a trusted proxy.
    pub fn is_encrypted(&self, connection: Connection, headers: &HeaderMap) -> bool {
        let by_proxy = self.trusts(connection.peer)
            && headers.get(HeaderName::from_static("x-forwarded-proto")).is_some_and(|proto| proto == "https");
        connection.encrypted || by_proxy
    }

    /// The request is for this manager by a name that is known to be its own. A web page of somebody else can make
    /// its own name point here (DNS rebinding), but not an address, and not one of our names.
    pub fn is_for_us(&self, host: &str) -> bool {
        let name = host_name(host);
        let by_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let local = name.eq_ignore_ascii_case("localhost");
        let public = self.public.as_ref().and_then(Url::host_str).is_some_and(|own| own.eq_ignore_ascii_case(name));
        by_address || local || public || self.hosts.iter().any(|own| host_name(own).eq_ignore_ascii_case(name))
    }

    /// A page of this origin is one of ours.
    pub fn is_our_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let shown = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let same = shown.is_some() && shown == host;
        same || self.public.as_ref().is_some_and(|public| public.origin().ascii_serialization() == origin)
    }

    /// The address that the one who asks uses for the manager, with `/` at its end.
    pub fn url(&self, connection: Connection, headers: &HeaderMap) -> String {
        if let Some(public) = &self.public {
            return public.as_str().trim_end_matches('/').to_owned() + "/";
        }
        let scheme = if self.is_encrypted(connection, headers) { "https" } else { "http" };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        format!("{scheme}://{host}{}", self.base)
    }
}

/// `host:port` without the port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            // An IPv6 address without brackets has colons of its own.
            if name.contains(':') && !name.ends_with(']') { host } else { name }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn from(peer: &str) -> Connection {
        Connection { peer: peer.parse().unwrap(), encrypted: false }
    }

    fn behind_proxy() -> Site {
        Site { proxies: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()], ..Site::default() }
    }

    #[test]
    fn only_a_trusted_proxy_tells_who_asks() {
        let told = headers(&[("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.9"), ("x-forwarded-proto", "https")]);
        let site = behind_proxy();
        assert_eq!(site.address(from("10.0.0.1"), &told), "1.2.3.4".parse::<IpAddr>().unwrap());
        assert_eq!(site.address(from("::1"), &told), "1.2.3.4".parse::<IpAddr>().unwrap());
        assert_eq!(site.address(from("::ffff:10.0.0.1"), &told), "1.2.3.4".parse::<IpAddr>().unwrap());
        assert_eq!(site.address(from("9.9.9.9"), &told), "9.9.9.9".parse::<IpAddr>().unwrap());
        assert_eq!(Site::default().address(from("10.0.0.1"), &told), "10.0.0.1".parse::<IpAddr>().unwrap());
        assert!(site.is_encrypted(from("10.0.0.1"), &told) && !site.is_encrypted(from("9.9.9.9"), &told));
        let nonsense = headers(&[("x-forwarded-for", "1.2.3.4, x")]);
        assert_eq!(site.address(from("10.0.0.1"), &nonsense), "10.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn requests_for_foreign_names_are_not_for_us() {
        let site = Site {
            public: Some("https://pool.example.org/p2ppool/".parse().unwrap()),
            hosts: vec!["manager.lan:8080".into()],
            ..Site::default()
        };
        for ours in [
            "127.0.0.1:8080",
            "192.0.2.7",
            "[::1]:8080",
            "[::1]",
            "localhost",
            "LOCALHOST:1",
            "pool.example.org",
            "Pool.Example.org:443",
            "manager.lan",
        ] {
            assert!(site.is_for_us(ours), "{ours}");
        }
        for foreign in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "pool.example.org.evil", "", "a:b"]
        {
            assert!(!site.is_for_us(foreign), "{foreign}");
        }
    }

    #[test]
    fn our_pages_have_our_origin() {
        let site = Site { public: Some("https://pool.example.org/p2ppool/".parse().unwrap()), ..Site::default() };
        assert!(site.is_our_origin("http://127.0.0.1:8080", Some("127.0.0.1:8080")));
        assert!(site.is_our_origin("https://pool.example.org", Some("10.0.0.7:8080")));
        for foreign in
            ["null", "https://evil.example", "https://pool.example.org.evil", "http://pool.example.org", "file://x"]
        {
            assert!(!site.is_our_origin(foreign, Some("10.0.0.7:8080")), "{foreign}");
        }
    }
}
