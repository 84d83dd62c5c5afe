//! Which certificate a client gets.

use super::identity::Identity;
use crate::error::Error;
use crate::sync::Arc;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;

/// Certificates by the names in them; several of one name are of different kinds, of which the client takes one.
#[derive(Debug)]
pub(super) struct ByName {
    names: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// For every other name, and for none.
    default: Vec<Arc<CertifiedKey>>,
}

impl ByName {
    pub(super) fn new(identities: &[Identity]) -> Result<Self, Error> {
        let Some(first) = identities.first() else {
            return Err(Error::Tls("no certificate; give one with --tls-cert and --tls-key".into()));
        };
        let mut names: HashMap<String, Vec<_>> = HashMap::new();
        for identity in identities {
            for name in identity.names() {
                names.entry(name.to_ascii_lowercase()).or_default().push(identity.key());
            }
        }
        // Of the default's names the other kinds are for everybody else too.
        let mut default = vec![first.key()];
        if let Some(others) = first.names().first().and_then(|name| names.get(&name.to_ascii_lowercase())) {
            default.extend(
                others.iter().filter(|key| !Arc::ptr_eq(key, &default[0])).cloned().collect::<Vec<_>>(),
            );
        }
        Ok(ByName { names, default })
    }

    fn find(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        // rustls has made sure that it is a name; one with a final dot is the same name.
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        // A wildcard stands for exactly one label (RFC 9525 §6.3).
        let wildcard = || self.names.get(&format!("*.{}", name.split_once('.')?.1));
        self.names.get(&name).or_else(wildcard)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let keys = hello.server_name().and_then(|name| self.find(name)).unwrap_or(&self.default);
        let understood =
            |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        keys.iter().find(understood).or(keys.first()).cloned()
    }
}
