//! Picture tiles below the points of the map: where browsers get them, and whom to thank.
//!
//! Without them the map is drawn from what the manager itself serves. With them browsers ask one other server for
//! pictures, which the page's Content-Security-Policy permits by its origin and nothing else.

use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use crate::service::FieldError;

/// Longest template, in bytes; longer addresses are refused by many servers anyway.
const TEMPLATE_MAX: usize = 500;
/// Longest attribution, in characters: it is one line below a map.
const ATTRIBUTION_MAX: usize = 200;
/// The zooms that tile servers have; at 22 a tile is some 10 m wide.
const ZOOMS: std::ops::RangeInclusive<u8> = 1..=22;
/// What most servers have.
const ZOOM_MAX_DEFAULT: u8 = 18;
/// What is filled in for each tile.
const PLACEHOLDERS: [&str; 3] = ["{z}", "{x}", "{y}"];

/// How maps are drawn below their points. Everybody who opens the page is told it, so it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MapSettings {
    /// Address of a tile, with `{z}` (zoom), `{x}` and `{y}` (from the north-west) in its path or query, in Web
    /// Mercator and 256 pixels wide, `https` or `http`. Null: none, only what the manager itself serves.
    pub tiles: Option<String>,
    /// Whom to thank for the tiles, as plain text; at most 200 characters.
    pub attribution: String,
    /// Where the attribution links to.
    pub attribution_url: Option<String>,
    /// The largest zoom that the server has tiles for, 1 to 22.
    pub zoom_max: u8,
    /// Borders of countries are not drawn.
    pub hide_borders: bool,
}

impl Default for MapSettings {
    fn default() -> Self {
        Self {
            tiles: None,
            attribution: String::new(),
            attribution_url: None,
            zoom_max: ZOOM_MAX_DEFAULT,
            hide_borders: false,
        }
    }
}

impl MapSettings {
    /// The same without blanks around its texts, and null for what is empty.
    #[must_use]
    pub fn trimmed(self) -> Self {
        let trim = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Self {
            tiles: self.tiles.and_then(trim),
            attribution: self.attribution.trim().to_owned(),
            attribution_url: self.attribution_url.and_then(trim),
            ..self
        }
    }

    /// Everything that can't be used.
    pub fn wrong(&self) -> Vec<FieldError> {
        let attribution = if self.attribution.chars().count() > ATTRIBUTION_MAX {
            Err(format!("is longer than {ATTRIBUTION_MAX} characters"))
        } else if self.attribution.chars().any(char::is_control) {
            Err("has control characters; it is one line of text".to_owned())
        } else {
            Ok(())
        };
        let zoom = || format!("{} is not a zoom; {} to {}", self.zoom_max, ZOOMS.start(), ZOOMS.end());
        let checks = [
            ("tiles", self.tiles.as_deref().map_or(Ok(()), |tiles| origin_of(tiles).map(drop))),
            ("attribution", attribution),
            ("attribution_url", self.attribution_url.as_deref().map_or(Ok(()), |link| web_address(link).map(drop))),
            ("zoom_max", if ZOOMS.contains(&self.zoom_max) { Ok(()) } else { Err(zoom()) }),
        ];
        let wrong = checks.into_iter().filter_map(|(field, checked)| Some((field, checked.err()?)));
        wrong.map(|(field, reason)| FieldError { field: field.to_owned(), reason }).collect()
    }

    /// The one origin that pages may get tiles from, as a Content-Security-Policy names it.
    pub fn tile_origin(&self) -> Option<String> {
        origin_of(self.tiles.as_deref()?).ok()
    }
}

/// Scheme, host and port of the tiles of a template, or why it is none.
fn origin_of(template: &str) -> Result<String, String> {
    for placeholder in PLACEHOLDERS {
        if template.matches(placeholder).count() != 1 {
            return Err(format!("must hold {placeholder} once, as in https://tiles.example.org/{{z}}/{{x}}/{{y}}.png"));
        }
    }
    let filled = PLACEHOLDERS.iter().fold(template.to_owned(), |text, placeholder| text.replace(placeholder, "0"));
    if filled.contains(['{', '}']) {
        return Err("holds another placeholder than {z}, {x} and {y}; write out the name of one server".to_owned());
    }
    let url = web_address(&filled)?;
    let server = template.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next());
    if server.is_none_or(|server| server.is_empty() || server.contains('{')) {
        return Err("has no server's name, or a placeholder in it; those belong into the path or query".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a part after `#`, which is never sent to a server".to_owned());
    }
    Ok(url.origin().ascii_serialization())
}

/// An address that a browser may be sent to, of a server that a Content-Security-Policy can name.
fn web_address(text: &str) -> Result<Url, String> {
    if text.len() > TEMPLATE_MAX {
        return Err(format!("is longer than {TEMPLATE_MAX} bytes"));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err("has blanks, control characters or `\\`".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("is not an address of the web: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("begins with `{}:`; only https and http are fetched", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or password, which every viewer would see".to_owned());
    }
    // A name such as `*.example.org` or `a;script-src` would mean more in the policy than one server.
    let plain = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    match url.host_str() {
        Some(host) if plain(host) => Ok(url),
        Some(host) if host.starts_with('[') => {
            Err(format!("names the server {host}; browsers can't be told IPv6 addresses, give it a name"))
        }
        _ => Err("has no name of one server".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_tiles(tiles: &str) -> MapSettings {
        MapSettings { tiles: Some(tiles.to_owned()), ..MapSettings::default() }
    }

    #[test]
    fn the_origin_of_a_template_is_one_server() {
        for (tiles, origin) in [
            ("https://tile.example.org/{z}/{x}/{y}.png", "https://tile.example.org"),
            ("http://10.0.0.7:8080/{z}/{y}/{x}", "http://10.0.0.7:8080"),
            ("HTTPS://Tiles.Example.org:443/t?z={z}&x={x}&y={y}&key=1", "https://tiles.example.org"),
            ("https://kartě.example/{z}/{x}/{y}", "https://xn--kart-jwa.example"),
        ] {
            assert_eq!(with_tiles(tiles).wrong(), [], "{tiles}");
            assert_eq!(with_tiles(tiles).tile_origin().as_deref(), Some(origin));
        }
        assert_eq!(MapSettings::default().tile_origin(), None);
        assert_eq!(MapSettings::default().wrong(), []);
    }

    #[test]
    fn what_is_no_template_of_one_server_is_refused_with_its_reason() {
        for (tiles, reason) in [
            ("https://tile.example.org/{z}/{x}.png", "must hold {y} once"),
            ("https://tile.example.org/{z}/{z}/{x}/{y}", "must hold {z} once"),
            ("https://{s}.example.org/{z}/{x}/{y}", "another placeholder"),
            ("https://t/{z}/{x}/{y}/{r}", "another placeholder"),
            ("https://{x}.example.org/{z}/{y}", "server's name"),
            ("https://t:{x}/{z}/{y}", "server's name"),
            ("/tiles/{z}/{x}/{y}", "not an address of the web"),
            ("//tiles/{z}/{x}/{y}", "not an address of the web"),
            ("javascript:alert({z},{x},{y})", "only https and http"),
            ("data:image/png,{z}{x}{y}", "only https and http"),
            ("ftp://t/{z}/{x}/{y}", "only https and http"),
            ("https://me:secret@t/{z}/{x}/{y}", "a user or password"),
            ("https://*.example.org/{z}/{x}/{y}", "no name of one server"),
            ("https://*/{z}/{x}/{y}", "no name of one server"),
            ("https://t;script-src/{z}/{x}/{y}", "no name of one server"),
            ("https://t,u/{z}/{x}/{y}", "no name of one server"),
            ("https://t /{z}/{x}/{y}", "has blanks"),
            ("https://t\n/{z}/{x}/{y}", "has blanks"),
            ("https://t\\@u/{z}/{x}/{y}", "has blanks"),
            ("https://[::1]:80/{z}/{x}/{y}", "give it a name"),
            ("https://t/{z}/{x}/{y}#a", "after `#`"),
            ("https:///{z}/{x}/{y}", "server's name"),
            ("https://t/%0a{z}/{x}/{y}", ""),
        ] {
            let settings = with_tiles(tiles);
            if reason.is_empty() {
                assert_eq!(settings.tile_origin().as_deref(), Some("https://t"), "{tiles}");
                continue;
            }
            let wrong = settings.wrong();
            assert!(
                wrong.len() == 1 && wrong[0].field == "tiles" && wrong[0].reason.contains(reason),
                "{tiles}: {wrong:?}"
            );
            assert_eq!(settings.tile_origin(), None, "{tiles}");
        }
        let long = with_tiles(&format!("https://t/{{z}}/{{x}}/{{y}}{}", "a".repeat(TEMPLATE_MAX)));
        assert!(long.wrong()[0].reason.contains("longer than"));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let settings = MapSettings {
            tiles: Some("x".into()),
            attribution: "a\nb".into(),
            attribution_url: Some("javascript:alert(1)".into()),
            zoom_max: 23,
            hide_borders: true,
        };
        let fields: Vec<_> = settings.wrong().into_iter().map(|wrong| wrong.field).collect();
        assert_eq!(fields, ["tiles", "attribution", "attribution_url", "zoom_max"]);
        let zero = MapSettings { zoom_max: 0, ..MapSettings::default() };
        assert_eq!(zero.wrong()[0].reason, "0 is not a zoom; 1 to 22");
        let long = MapSettings { attribution: "é".repeat(ATTRIBUTION_MAX + 1), ..MapSettings::default() };
        assert!(long.wrong()[0].reason.contains("longer than"));
        let blank = MapSettings { tiles: Some("  ".into()), attribution_url: Some(String::new()), ..settings };
        assert_eq!((blank.clone().trimmed().tiles, blank.trimmed().attribution_url), (None, None));
    }
}
