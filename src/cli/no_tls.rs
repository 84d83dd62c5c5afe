//! What the options say about TLS, where it is not compiled in: nothing can be made of it.

use super::Failure;
use super::options::Options;
use crate::error::Error;
use crate::net::{Listener, Tls};

#[derive(Default)]
pub(super) struct Secured {
    pub(super) tls: Option<Tls>,
    pub(super) line: Option<String>,
    pub(super) provisional: bool,
}

pub(super) fn load(options: &Options) -> Result<Secured, Failure> {
    let Options { tls_cert, tls_key, tls_client_ca, tls_self_signed, redirect_http, .. } = options;
    let files = tls_cert.is_some() || tls_key.is_some() || tls_client_ca.is_some();
    if files || *tls_self_signed || redirect_http.is_some() {
        return Err(Failure::usage("this selvedge was built without TLS (the feature 'tls')"));
    }
    Ok(Secured::default())
}

pub(super) fn listen(address: &str, _: Option<&Tls>) -> Result<Listener, Error> {
    Listener::bind(address)
}
