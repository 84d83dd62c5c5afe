//! What the options say about TLS, where it is not compiled in: nothing can be made of it.

use super::Failure;
use super::options::Options;
use crate::net::{Listener, Tls};
use crate::server::Server;

#[derive(Default)]
pub(super) struct Secured {
    pub(super) tls: Option<Tls>,
    pub(super) line: Option<String>,
    pub(super) provisional: bool,
}

impl Secured {
    #[allow(clippy::unnecessary_wraps, clippy::needless_pass_by_value, reason = "as it is with TLS")]
    pub(super) fn replace(&self, _: &Server, settings: Option<Tls>) -> Result<(), Failure> {
        match self.tls.as_ref().or(settings.as_ref()) {
            None => Ok(()),
            Some(tls) => match *tls {},
        }
    }
}

pub(super) fn settings(options: &Options) -> Result<Option<Tls>, Failure> {
    load(options).map(|secured| secured.tls)
}

pub(super) fn load(options: &Options) -> Result<Secured, Failure> {
    let Options {
        tls_cert, tls_key, tls_client_ca, tls_self_signed, redirect_http, tls_certificates, ..
    } = options;
    let files =
        !tls_certificates.is_empty() || tls_cert.is_some() || tls_key.is_some() || tls_client_ca.is_some();
    if files || *tls_self_signed || redirect_http.is_some() {
        return Err(Failure::usage("this selvedge was built without TLS (the feature 'tls')"));
    }
    Ok(Secured::default())
}

pub(super) fn can_be_spoken(_: &Secured, _: &[Listener]) -> Result<(), Failure> {
    Ok(())
}

pub(super) fn over(listener: Listener, _: Option<&Tls>) -> Listener {
    listener
}
