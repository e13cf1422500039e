//! Where messages go: a webhook or mail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use p2ppool_model::pool::SettingError;

/// Most receivers of one mail target.
const RECEIVERS_MAX: usize = 50;
/// Longest URL, bytes.
const URL_MAX: usize = 2048;

/// What a target is, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetSettings {
    /// An HTTP POST with a JSON body, signed with the target's secret.
    Webhook {
        /// `https://…` or `http://…`.
        url: String,
    },
    /// Mail through an SMTP server; the target's secret is the password.
    Mail {
        /// Name or address of the server.
        server: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        #[serde(default)]
        security: MailSecurity,
        /// User name, when the server wants one.
        #[serde(default)]
        user: Option<String>,
        /// The sender's address.
        from: String,
        /// The receivers' addresses.
        to: Vec<String>,
    },
}

/// How the connection to an SMTP server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// STARTTLS, or nothing is sent.
    #[default]
    Starttls,
    /// TLS from the beginning.
    Tls,
    /// None; for servers of one's own network.
    None,
}

impl TargetSettings {
    /// The first part that can't be used.
    pub fn check(&self) -> Result<(), SettingError> {
        match self {
            Self::Webhook { url } => check_url(url).map(drop),
            Self::Mail { server, port, user, from, to, .. } => {
                let plain = |text: &str| {
                    !text.is_empty() && text.len() <= 255 && !text.chars().any(|c| c.is_control() || c == ' ')
                };
                if !plain(server) || *port == 0 {
                    return Err(SettingError::new("settings.server", "must be a name or an address, and a port"));
                }
                if user.as_deref().is_some_and(|user| !plain(user)) {
                    return Err(SettingError::new("settings.user", "must be a user name"));
                }
                mailbox("settings.from", from)?;
                if to.is_empty() || to.len() > RECEIVERS_MAX {
                    return Err(SettingError::new("settings.to", format!("must be 1 to {RECEIVERS_MAX} addresses")));
                }
                to.iter().try_for_each(|to| mailbox("settings.to", to).map(drop))
            }
        }
    }
}

/// A URL that messages can be posted to.
pub(crate) fn check_url(text: &str) -> Result<url::Url, SettingError> {
    let wrong = |reason: &str| SettingError::new("settings.url", reason);
    if text.len() > URL_MAX {
        return Err(wrong("is too long"));
    }
    let url = url::Url::parse(text).map_err(|_| wrong("is not a URL such as https://example.org/hook"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("must begin with https:// or http:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not contain a user name or a password; the signature proves who sends"));
    }
    Ok(url)
}

pub(crate) fn mailbox(field: &'static str, text: &str) -> Result<lettre::message::Mailbox, SettingError> {
    let one_line = !text.chars().any(char::is_control);
    let parsed = text.parse().ok().filter(|_| one_line && text.len() <= 320);
    parsed.ok_or_else(|| SettingError::new(field, format!("`{}` is not a mail address", text.escape_debug())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_target_is_named() {
        let url = |url: &str| TargetSettings::Webhook { url: url.into() }.check().map_err(|error| error.field);
        for wrong in
            ["", "example.org", "file:///etc/passwd", "gopher://x/", "https://u:p@example.org/", "http://", "ftp://x"]
        {
            assert_eq!(url(wrong), Err("settings.url"), "{wrong}");
        }
        assert_eq!(url("https://example.org/hook?x=1"), Ok(()));
        let mail = |from: &str, to: &[&str]| {
            let to = to.iter().map(|to| (*to).to_owned()).collect();
            let (server, security) = ("mail.example.org".to_owned(), MailSecurity::default());
            let mail = TargetSettings::Mail { server, port: 25, security, user: None, from: from.into(), to };
            mail.check().map_err(|error| error.field)
        };
        assert_eq!(mail("p2ppool@example.org", &["Ops <ops@example.org>"]), Ok(()));
        assert_eq!(mail("p2ppool@example.org\r\nBcc: x@y.z", &["ops@example.org"]), Err("settings.from"));
        assert_eq!(mail("p2ppool@example.org", &[]), Err("settings.to"));
        assert_eq!(mail("p2ppool@example.org", &["nobody"]), Err("settings.to"));
    }
}
