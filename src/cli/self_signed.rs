//! A certificate made up at the start, for development: nobody trusts it, and it is gone with the process.

use crate::clock::Clock;
use rcgen::{CertificateParams, DnType, KeyPair};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long it is good: longer than anybody develops without a restart.
const VALID: Duration = DAY.saturating_mul(30);

/// A certificate and its key, in DER.
pub(super) struct Made {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) names: Vec<String>,
    pub(super) fingerprint: String,
}

/// A certificate for this machine, and for the hosts of the addresses that are listened on.
pub(super) fn make(bind: &[String]) -> Result<Made, rcgen::Error> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
    names.push(rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase());
    let is_host = |address: &&String| !["unix:", "fd:"].iter().any(|kind| address.starts_with(kind));
    for address in bind.iter().filter(is_host) {
        let host = address.rsplit_once(':').map_or(&**address, |(host, _)| host);
        names.push(host.trim_matches(['[', ']']).to_ascii_lowercase());
    }
    // All interfaces are no name.
    names.retain(|name| !name.is_empty() && name != "0.0.0.0" && name != "::");
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });

    let mut parameters = CertificateParams::new(names.clone())?;
    parameters.distinguished_name.push(DnType::CommonName, "selvedge, self-signed");
    let now = Clock::system().date();
    parameters.not_before = (now - DAY).into();
    parameters.not_after = (now + VALID).into();
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?.der().to_vec();
    let fingerprint = fingerprint(&certificate);
    Ok(Made { fingerprint, certificate, key: key.serialize_der(), names })
}

/// As browsers and openssl show it: bytes in capitals, with colons.
fn fingerprint(der: &[u8]) -> String {
    Sha256::digest(der).iter().enumerate().fold(String::new(), |mut text, (at, byte)| {
        let _ = write!(text, "{}{byte:02X}", if at > 0 { ":" } else { "" });
        text
    })
}
