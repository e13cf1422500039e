//! Delivers one message to one target.
//!
//! A webhook gets `POST` with the message as JSON and these headers:
//!
//! - `X-P2PPool-Delivery`: the message's number; the same when a message comes twice,
//! - `X-P2PPool-Timestamp`: seconds since 1970 when it was sent,
//! - `X-P2PPool-Signature`: `sha256=` and the hexadecimal HMAC-SHA-256, under the target's secret, of the timestamp, a
//!   `.` and the body. Refuse what is older than some minutes.
//!
//! Any 2xx answer counts as delivered.

use std::net::SocketAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use ipnet::IpNet;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use p2ppool_model::Time;
use p2ppool_model::alert::Message;
use sha2::Sha256;

use super::reach;
use super::target::{MailSecurity, TargetSettings, check_url, mailbox};

/// Longest time for one delivery.
const DEADLINE: Duration = Duration::from_secs(20);
/// Bytes of an answer that are told when it is no yes.
const ANSWER_MAX: usize = 200;

/// Sends it, or tells why not.
pub(crate) async fn deliver(
    id: i64,
    message: &Message,
    target: &TargetSettings,
    secret: Option<&str>,
    allowed: &[IpNet],
) -> Result<(), String> {
    let sending = async {
        match target {
            TargetSettings::Webhook { url } => webhook(id, message, url, secret.unwrap_or_default(), allowed).await,
            TargetSettings::Mail { .. } => mail(message, target, secret, allowed).await,
        }
    };
    match tokio::time::timeout(DEADLINE, sending).await {
        Ok(sent) => sent,
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

async fn webhook(id: i64, message: &Message, url: &str, secret: &str, allowed: &[IpNet]) -> Result<(), String> {
    let url = check_url(url).map_err(|error| error.to_string())?;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<SocketAddr> = reach::checked(host, port, allowed).await?;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .resolve_to_addrs(host, &addresses)
        .timeout(DEADLINE)
        .user_agent(concat!("p2ppool/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())?;
    let body = serde_json::to_string(message).map_err(|error| error.to_string())?;
    let timestamp = (Time::now().0 / 1000).to_string();
    let signature = signature(secret, &timestamp, &body)?;
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("x-p2ppool-delivery", id.to_string())
        .header("x-p2ppool-timestamp", timestamp)
        .header("x-p2ppool-signature", signature)
        .body(body);
    let mut answer = request.send().await.map_err(|error| chain(&error))?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    let first = answer.chunk().await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&first[..first.len().min(ANSWER_MAX)]).replace(char::is_control, " ");
    let redirect = if status.is_redirection() { "; redirects are not followed" } else { "" };
    Err(format!("{status}{redirect}: {}", text.trim()))
}

/// What a receiver compares.
pub(crate) fn signature(secret: &str, timestamp: &str, body: &str) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|error| error.to_string())?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    Ok(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

async fn mail(
    message: &Message,
    target: &TargetSettings,
    secret: Option<&str>,
    allowed: &[IpNet],
) -> Result<(), String> {
    let TargetSettings::Mail { server, port, security, user, from, to } = target else {
        return Err("not a mail target".to_owned());
    };
    let mut mail = lettre::Message::builder()
        .from(mailbox("from", from).map_err(|error| error.to_string())?)
        .subject(one_line(&message.title))
        .header(ContentType::TEXT_PLAIN);
    for receiver in to {
        mail = mail.to(mailbox("to", receiver).map_err(|error| error.to_string())?);
    }
    let mail = mail.body(format!("{}\n\n{}\n", message.title, message.text)).map_err(|error| error.to_string())?;
    let mut last = "no address".to_owned();
    for address in reach::checked(server, *port, allowed).await? {
        // connected to by its checked address; certificates are for the name
        let tls = || TlsParameters::new(server.clone()).map_err(|error| error.to_string());
        let tls = match security {
            MailSecurity::None => Tls::None,
            MailSecurity::Starttls => Tls::Required(tls()?),
            MailSecurity::Tls => Tls::Wrapper(tls()?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
            .port(address.port())
            .tls(tls)
            .timeout(Some(DEADLINE));
        if let Some(user) = user {
            transport = transport.credentials(Credentials::new(user.clone(), secret.unwrap_or_default().to_owned()));
        }
        match transport.build().send(mail.clone()).await {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// reqwest's own sentence leaves out why.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha_256() {
        // RFC 4231, test case 2, with the `.` of our form: key "Jefe", data "what do ya want .for nothing?"
        let known = signature("Jefe", "what do ya want ", "for nothing?").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let rfc = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(mac.finalize().into_bytes()), rfc);
        assert!(known.starts_with("sha256=") && known.len() == 71);
        assert_ne!(known, signature("Jefe", "what do ya want", " .for nothing?").unwrap());
    }
}
