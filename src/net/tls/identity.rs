//! A certificate with its key, made sure of.

use super::provider;
use crate::clock::Clock;
use crate::error::Error;
use crate::message::ClientCertificate;
use crate::record::Utc;
use crate::sync::Arc;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// A certificate chain and the key that belongs to it.
#[derive(Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    /// What it came from, for messages.
    file: PathBuf,
    /// The DNS names it is for.
    names: Vec<String>,
    not_before: SystemTime,
    not_after: SystemTime,
    warnings: Vec<String>,
}

/// For whom and for how long a certificate is good.
#[derive(Clone, Debug)]
pub struct Validity {
    /// Its file.
    pub file: PathBuf,
    /// The names it is for.
    pub names: Vec<String>,
    /// When it begins.
    pub not_before: SystemTime,
    /// When it ends.
    pub not_after: SystemTime,
    /// What is left until then; zero if it has ended.
    pub left: Duration,
    /// What is not wrong enough to refuse it.
    pub warnings: Vec<String>,
}

impl Identity {
    /// Makes sure of a chain and its key; the files are only named.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        certificate_file: &Path,
        key_file: &Path,
    ) -> Result<Self, Error> {
        let bad = |file: &Path, problem: String| Error::Tls(format!("{}: {problem}", file.display()));
        let mut certificates = Vec::new();
        for (number, der) in (1..).zip(&chain) {
            certificates.push(Certificate::from_der(der).map_err(|problem| {
                bad(certificate_file, format!("certificate {number} in it is malformed: {problem}"))
            })?);
        }
        let Some(leaf) = certificates.first() else {
            return Err(bad(certificate_file, "no certificate in it".into()));
        };
        let validity = leaf.tbs_certificate().validity();
        let (not_before, not_after) =
            (validity.not_before.to_system_time(), validity.not_after.to_system_time());
        let now = Clock::system().date();
        if not_after <= now {
            return Err(bad(certificate_file, format!("the certificate expired at {}", Utc(not_after))));
        }
        if not_before > now {
            return Err(bad(
                certificate_file,
                format!("the certificate is not valid before {}", Utc(not_before)),
            ));
        }
        let signing = provider::provider().key_provider.load_private_key(key).map_err(|problem| {
            bad(key_file, format!("the key cannot be used: {problem}; ECDSA P-256 is a good kind"))
        })?;
        let key = CertifiedKey::new(chain, signing);
        if key.keys_match().is_err() {
            let problem =
                format!("the key does not belong to the certificate in {}", certificate_file.display());
            return Err(bad(key_file, problem));
        }
        let names = dns_names(leaf);
        let mut warnings = warnings(&certificates, &names);
        if is_readable_by_all(key_file) {
            warnings.push(format!(
                "everybody on this machine can read the key {}; chmod 600 it",
                key_file.display()
            ));
        }
        let (key, file) = (Arc::new(key), certificate_file.into());
        Ok(Identity { key, file, names, not_before, not_after, warnings })
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        self.key.clone()
    }

    /// The DNS names it is for.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn validity(&self, now: SystemTime) -> Validity {
        Validity {
            file: self.file.clone(),
            names: self.names.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
            left: self.not_after.duration_since(now).unwrap_or_default(),
            warnings: self.warnings.clone(),
        }
    }
}

/// What a client's certificate says of it, and when that ends.
pub(super) fn client_of(der: &[u8]) -> Option<(ClientCertificate, SystemTime)> {
    let certificate = Certificate::from_der(der).ok()?;
    let body = certificate.tbs_certificate();
    let serial = match body.serial_number().as_bytes() {
        // It only says that the number is not negative.
        [0, rest @ ..] if !rest.is_empty() => rest,
        bytes => bytes,
    };
    let serial = serial.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let client = ClientCertificate { subject: body.subject().to_string(), serial, der: der.to_vec() };
    Some((client, body.validity().not_after.to_system_time()))
}

fn dns_names(certificate: &Certificate) -> Vec<String> {
    let names = certificate.tbs_certificate().get_extension::<SubjectAltName>().ok().flatten();
    let names = names.map(|(_, names)| names.0).unwrap_or_default();
    names
        .into_iter()
        .filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.to_string()),
            _ => None,
        })
        .collect()
}

/// What clients will complain about sooner or later.
fn warnings(chain: &[Certificate], names: &[String]) -> Vec<String> {
    let mut warnings = Vec::new();
    if names.is_empty() && chain.len() > 1 {
        warnings.push(
            "the certificate has no DNS name; it was not issued for a server, or is not the first".into(),
        );
    }
    let links = chain.windows(2).all(|pair| match pair {
        [certificate, issuer] => certificate.tbs_certificate().issuer() == issuer.tbs_certificate().subject(),
        _ => true,
    });
    if !links {
        warnings.push(
            "the chain is out of order: each certificate must be signed by the one that follows it".into(),
        );
    }
    let alone = chain.len() == 1
        && chain.iter().any(|leaf| leaf.tbs_certificate().issuer() != leaf.tbs_certificate().subject());
    if alone {
        warnings.push(
            "the certificates of its issuer are missing; clients that have not met them will refuse it"
                .into(),
        );
    }
    warnings
}

fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|data| data.mode() & 0o004 != 0)
}
