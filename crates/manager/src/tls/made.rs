//! A self-signed certificate: made at the first start, renewed before it ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use p2ppool_model::Time;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use crate::folders::{private_folder, write_private};

/// How long a certificate holds: browsers refuse those that hold longer than 398 days.
const HOLDS: Duration = Duration::from_secs(365 * DAY);
/// It is renewed when less than this is left.
const RENEWED_BEFORE: Duration = Duration::from_secs(30 * DAY);
/// Clocks of clients may be late by this.
const CLOCKS_LATE: Duration = Duration::from_secs(DAY);
const DAY: u64 = 24 * 3600;

pub(super) fn cert_file(folder: &Path) -> PathBuf {
    folder.join("cert.pem")
}

pub(super) fn key_file(folder: &Path) -> PathBuf {
    folder.join("key.pem")
}

/// Makes the certificate when there is none, when it ends soon, or when it lacks a name.
pub(super) fn renew_when_due(folder: &Path, names: &[String], now: Time) -> anyhow::Result<()> {
    if holds(folder, names, now) && key_file(folder).exists() {
        return Ok(());
    }
    renew(folder, names, now)
}

/// Makes a new key and certificate in the place of the old ones.
pub fn renew(folder: &Path, names: &[String], now: Time) -> anyhow::Result<()> {
    private_folder(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    let mut params = CertificateParams::new(names).context("make a certificate for these names")?;
    params.not_before = moment(now.0 - i64::try_from(CLOCKS_LATE.as_millis())?)?;
    params.not_after = moment(now.plus(HOLDS).0)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "P2PPool Manager");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().context("make a key")?;
    let cert = params.self_signed(&key).context("sign a certificate")?;
    // The key first: the other way round a reader could take the new certificate with the old key.
    replace(&key_file(folder), &key.serialize_pem())?;
    replace(&cert_file(folder), &cert.pem())
}

fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    let _ = std::fs::remove_file(&beside);
    write_private(&beside, text.as_bytes()).with_context(|| format!("write {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("write {}", path.display()))
}

/// A moment of the X.509 kind, to the day.
fn moment(at: i64) -> anyhow::Result<time::OffsetDateTime> {
    Ok(time::OffsetDateTime::from_unix_timestamp(at / 1000)?)
}

fn holds(folder: &Path, names: &[String], now: Time) -> bool {
    let Ok(text) = std::fs::read(cert_file(folder)) else { return false };
    let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(&text) else { return false };
    let Ok(cert) = pem.parse_x509() else { return false };
    let late = now.plus(RENEWED_BEFORE).0 / 1000;
    let known = cert.subject_alternative_name().ok().flatten().map(|names| &names.value.general_names);
    cert.validity().not_after.timestamp() > late
        && known.is_some_and(|known| known.len() >= names.len() && all(known, names))
}

fn all(known: &[x509_parser::prelude::GeneralName<'_>], names: &[String]) -> bool {
    use x509_parser::prelude::GeneralName;
    names.iter().all(|name| {
        known.iter().any(|known| match (known, name.parse::<std::net::IpAddr>()) {
            (GeneralName::DNSName(known), Err(_)) => known.eq_ignore_ascii_case(name),
            (GeneralName::IPAddress(known), Ok(std::net::IpAddr::V4(ip))) => *known == ip.octets(),
            (GeneralName::IPAddress(known), Ok(std::net::IpAddr::V6(ip))) => *known == ip.octets(),
            _ => false,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_made_once_and_renewed_before_its_end_or_for_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("tls.d");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let now = Time::now();
        let cert = || std::fs::read_to_string(cert_file(&folder)).unwrap();
        renew_when_due(&folder, &names, now).unwrap();
        let first = cert();
        let mode = std::fs::metadata(key_file(&folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        renew_when_due(&folder, &names, now.plus(Duration::from_secs(300 * DAY))).unwrap();
        assert_eq!(cert(), first);
        renew_when_due(&folder, &names, now.plus(Duration::from_secs(340 * DAY))).unwrap();
        let second = cert();
        assert_ne!(second, first);
        let more = [names, vec!["pool.example.org".to_owned()]].concat();
        renew_when_due(&folder, &more, now).unwrap();
        assert_ne!(cert(), second);
    }
}
