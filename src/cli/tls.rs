//! What the options say about TLS, made into it.

use super::Failure;
use super::options::Options;
use crate::net::{CertificateFiles, Listener, Profile, Tls, TlsSettings};
use crate::server::Server;

/// TLS as the options want it, and what is to be said about it at the start.
#[derive(Default)]
pub(super) struct Secured {
    /// None: plain HTTP.
    pub(super) tls: Option<Tls>,
    /// What the operator has to know to trust it.
    pub(super) line: Option<String>,
    /// Whether it is a certificate that no client should be told to insist on.
    pub(super) provisional: bool,
}

impl Secured {
    /// Takes other certificates, or reads the same ones again. Whether there is TLS at all was decided at the start.
    pub(super) fn replace(&self, server: &Server, settings: Option<TlsSettings>) -> Result<(), Failure> {
        match (&self.tls, settings) {
            (Some(tls), Some(settings)) if !self.provisional => Ok(server.replace_tls(tls, settings)?),
            (None, Some(_)) => Err(Failure::start("TLS cannot begin while the server runs; restart it")),
            (Some(_), None) if !self.provisional => {
                Err(Failure::start("TLS cannot end while the server runs; restart it"))
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with certificates for nobody.
const NOWHERE: &str =
    ", and Unix sockets alone, where no TLS is spoken; give --bind HOST:PORT too, or leave it out";

/// Refuses TLS where none of the listeners could speak it: sockets that were passed show only now what they are.
pub(super) fn can_be_spoken(secured: &Secured, listeners: &[Listener]) -> Result<(), Failure> {
    let by_tcp = listeners.iter().any(|listener| listener.address().tcp().is_some());
    if secured.tls.is_none() || by_tcp { Ok(()) } else { Err(Failure::usage(format!("TLS{NOWHERE}"))) }
}

/// Reads the certificates, or makes one up.
pub(super) fn load(options: &Options) -> Result<Secured, Failure> {
    if let Some(settings) = settings(options)? {
        return Ok(Secured { tls: Some(Tls::load(settings)?), ..Secured::default() });
    }
    if options.tls_self_signed { self_signed(options) } else { Ok(Secured::default()) }
}

/// The listener, with TLS if there is any.
pub(super) fn over(listener: Listener, tls: Option<&Tls>) -> Listener {
    match tls {
        Some(tls) => listener.with_tls(tls),
        None => listener,
    }
}

/// What to load; none without certificates.
pub(super) fn settings(options: &Options) -> Result<Option<TlsSettings>, Failure> {
    let Options {
        tls_cert,
        tls_key,
        tls_certificates,
        tls_client_ca,
        tls_modern,
        tls_self_signed,
        redirect_http,
        ..
    } = options;
    let usage = |problem: &str| Err(Failure::usage(problem));
    let mut certificates = match (tls_cert, tls_key) {
        (Some(certificate), Some(key)) => {
            vec![CertificateFiles { certificate: certificate.clone(), key: key.clone() }]
        }
        (Some(_), None) => return usage("--tls-cert without --tls-key; give both"),
        (None, Some(_)) => return usage("--tls-key without --tls-cert; give both"),
        (None, None) => Vec::new(),
    };
    let more = tls_certificates.iter().cloned();
    certificates.extend(more.map(|(certificate, key)| CertificateFiles { certificate, key }));
    let encrypts = *tls_self_signed || !certificates.is_empty();
    if *tls_self_signed && !certificates.is_empty() {
        return usage("--tls-self-signed with --tls-cert; give one of them");
    }
    let flag = match (tls_self_signed, tls_cert) {
        (true, _) => "--tls-self-signed",
        (false, Some(_)) => "--tls-cert",
        (false, None) => "[[tls-certificate]]",
    };
    if encrypts && options.config.bind.iter().all(|address| address.starts_with("unix:")) {
        return usage(&format!("{flag}{NOWHERE}"));
    }
    if tls_client_ca.is_some() && certificates.is_empty() {
        return usage("--tls-client-ca without --tls-cert; give the server's own certificate too");
    }
    if redirect_http.is_some() && !encrypts {
        return usage("--redirect-http without --tls-cert; there is no HTTPS to redirect to");
    }
    if redirect_http.as_ref().is_some_and(|address| address.starts_with("unix:")) {
        return usage("--redirect-http with a Unix socket, which no browser uses; give HOST:PORT");
    }
    if *tls_modern && !encrypts {
        return usage("--tls-profile modern without --tls-cert; there is no TLS to choose versions of");
    }
    let profile = profile(*tls_modern);
    Ok((!certificates.is_empty()).then(|| TlsSettings {
        certificates,
        client_ca: tls_client_ca.clone(),
        profile,
    }))
}

fn profile(modern: bool) -> Profile {
    if modern { Profile::Modern } else { Profile::Intermediate }
}

#[cfg(feature = "self-signed")]
fn self_signed(options: &Options) -> Result<Secured, Failure> {
    let made = super::self_signed::make(&options.config.bind)
        .map_err(|problem| Failure::start(format!("no certificate could be made: {problem}")))?;
    let line = format!(
        "  a certificate was made up for this run, for {}; clients will not trust it; its SHA-256 fingerprint is\n    {}",
        made.names.join(", "),
        made.fingerprint
    );
    let tls = Tls::from_der(vec![made.certificate], made.key, profile(options.tls_modern))?;
    Ok(Secured { tls: Some(tls), line: Some(line), provisional: true })
}

#[cfg(not(feature = "self-signed"))]
fn self_signed(_: &Options) -> Result<Secured, Failure> {
    Err(Failure::usage("this selvedge was built without --tls-self-signed (the feature 'self-signed')"))
}
