//! Where a login leads: back to the page one came from, and to no other site.

use url::Url;

/// Longest address of a page, bytes: it travels in a cookie, and browsers keep 4096 bytes of one.
const NEXT_MAX: usize = 2_000;
/// Stands for the manager while an address is taken apart; nothing is ever asked there.
const HERE: &str = "http://manager.invalid";

/// The path, query and fragment to send a browser to for `next`, which is relative to the manager's folder `base`;
/// or what is wrong with it. It is a page of this manager whatever a browser makes of slashes, dots and schemes.
pub(crate) fn page_of(base: &str, next: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("{why}; it must be the address of a page below {base}, such as `pools`"));
    if next.len() > NEXT_MAX {
        return wrong(&format!("is longer than {NEXT_MAX} bytes"));
    }
    // Browsers read `\` as `/` and leave out line ends and tabs.
    if next.contains('\\') || next.chars().any(char::is_control) {
        return wrong("has a `\\` or control characters");
    }
    let here = Url::parse(&format!("{HERE}{base}")).map_err(|error| error.to_string())?;
    let Ok(page) = here.join(next) else { return wrong("is no address") };
    let path = page.path();
    let is_ours = page.origin() == here.origin() && page.username().is_empty() && page.password().is_none();
    if next.starts_with('/') || !is_ours || !path.starts_with(base) || path.starts_with("//") {
        return wrong("leads elsewhere");
    }
    if path[base.len()..].starts_with("api/") {
        return wrong("is no page but a part of the API");
    }
    Ok(page[url::Position::BeforePath..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_manager_are_gone_to() {
        for (base, next, page) in [
            ("/", "", "/"),
            (
                "/",
                "pools/x/nodes?q=a%20b&from=2026-11-23T10:00:00Z",
                "/pools/x/nodes?q=a%20b&from=2026-11-23T10:00:00Z",
            ),
            ("/", "tasks/7#log", "/tasks/7#log"),
            ("/p2ppool/", "pools/x", "/p2ppool/pools/x"),
            ("/p2ppool/", "?q=//evil.example", "/p2ppool/?q=//evil.example"),
            ("/p2ppool/", "pools/../tasks", "/p2ppool/tasks"),
            ("/", "pools/ü", "/pools/%C3%BC"),
        ] {
            assert_eq!(page_of(base, next).as_deref(), Ok(page), "{next}");
        }
    }

    #[test]
    fn nothing_leads_to_another_site_or_folder() {
        for next in [
            "//evil.example",
            "///evil.example",
            "/pools",
            "https://evil.example",
            "HTTPS:evil.example",
            "https:/evil.example",
            "http://manager.invalid@evil.example/",
            "http://a:b@manager.invalid/p2ppool/",
            "javascript:alert(1)",
            "data:text/html,x",
            "\\\\evil.example",
            "/\\evil.example",
            "pools\\..\\..\\evil",
            "/\t/evil.example",
            "\n//evil.example",
            "../evil",
            "../p2ppoolx/",
            "pools/../../evil",
            "%2e%2e/evil",
            "..//evil.example",
            "api/v1/oidc/login",
            "./api/v1/me",
        ] {
            assert!(page_of("/p2ppool/", next).is_err(), "{next}");
        }
        // at the root every path is below the folder, but not each is a path of this site
        for next in [".//evil.example", "..//evil.example", "a/..//evil.example", "//evil.example", "%2e//evil.example"]
        {
            assert!(page_of("/", next).is_err(), "{next}");
        }
        assert!(page_of("/", &"a".repeat(NEXT_MAX + 1)).is_err());
    }
}
