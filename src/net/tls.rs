//! TLS 1.3 and 1.2 by rustls, with a configuration that can be replaced while connections are open.
//!
//! The handshake is spoken by the connection's own worker, never by the acceptor. What the protocol can be talked into
//! is little: ECDHE with authenticated encryption, no renegotiation, no compression, no early data.

mod identity;
mod provider;
mod resolver;
mod stream;

pub use identity::{Identity, Validity};
pub use stream::TlsStream;

use super::Stream;
use crate::error::Error;
use crate::sync::{Arc, Mutex};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls_pemfile::Item;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

/// Bytes of a file with certificates or a key; a long chain has a few thousand.
const MAX_FILE: u64 = 1 << 20;
/// How PEM says of a key that it takes a password to read it.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// Where TLS gets its certificates, and whom it speaks with.
///
/// ```no_run
/// use selvedge::{Server, Tls, TlsSettings};
///
/// let tls = Tls::load(TlsSettings::new("fullchain.pem", "key.pem"))?;
/// let server = Server::builder().bind_tls("0.0.0.0:8443", &tls)?.serve(|_: &mut _| "hello")?;
/// # let _ = server;
/// # Ok::<(), selvedge::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificates. The first is for clients that ask for a name none of them has, or for no name.
    pub certificates: Vec<CertificateFiles>,
    /// Authorities of clients' certificates; with any, a client without a certificate of theirs is not let in.
    pub client_ca: Option<PathBuf>,
    /// Which versions are spoken.
    pub profile: Profile,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain in PEM: the server's own certificate first, then those that signed it.
    pub certificate: PathBuf,
    /// The private key in PEM, not encrypted.
    pub key: PathBuf,
}

/// How much of the past is spoken, in the words of Mozilla's recommendations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// TLS 1.3, and 1.2 for clients of the last decade. The default.
    #[default]
    Intermediate,
    /// TLS 1.3 alone.
    Modern,
}

/// TLS for listeners: certificates that have been verified to be usable, and can be loaded again. A clone is the same TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// Locked by who loads, so that of two the later wins. Nothing is served under it.
    settings: Mutex<Option<TlsSettings>>,
    /// Replaced whole by who loads, read once by each connection.
    current: Mutex<Arc<Current>>,
}

/// What new connections get.
#[derive(Debug)]
pub(super) struct Current {
    config: Arc<ServerConfig>,
    identities: Vec<Identity>,
    /// Of the files, before they were read.
    stamp: Stamp,
}

/// When each file was last written, and how long it is: enough to notice that one was replaced.
pub(crate) type Stamp = Vec<Option<(SystemTime, u64)>>;

impl TlsSettings {
    /// One certificate and its key, no certificates of clients, [`Profile::Intermediate`].
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let files = CertificateFiles { certificate: certificate.into(), key: key.into() };
        TlsSettings { certificates: vec![files], client_ca: None, profile: Profile::default() }
    }

    fn stamp(&self) -> Stamp {
        let pairs = self.certificates.iter().flat_map(|files| [&files.certificate, &files.key]);
        let stamp = |path| fs::metadata(path).and_then(|data| Ok((data.modified()?, data.len()))).ok();
        pairs.chain(&self.client_ca).map(stamp).collect()
    }
}

impl Tls {
    /// Reads certificates and keys, and makes sure that clients can use them: each key belongs to its certificate, and
    /// none is expired or not valid yet. An error ([`Error::Tls`]) names the file and what is wrong with it.
    ///
    /// A server that serves it reads the files again within a minute of a change.
    pub fn load(settings: TlsSettings) -> Result<Self, Error> {
        let current = Mutex::new(Arc::new(Current::load(&settings)?));
        Ok(Tls { state: Arc::new(State { settings: Mutex::new(Some(settings)), current }) })
    }

    /// A certificate and key that are in memory already, in DER: the chain with the server's own certificate first, the key
    /// as PKCS#8, PKCS#1 or SEC 1. There are no files to be read again.
    pub fn from_der(chain: Vec<Vec<u8>>, key: Vec<u8>, profile: Profile) -> Result<Self, Error> {
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let key = PrivateKeyDer::try_from(key).map_err(|problem| Error::Tls(problem.to_owned()))?;
        let identity =
            Identity::new(chain, key, Path::new("the given certificate"), Path::new("the given key"))?;
        let current = Current::new(vec![identity], None, profile)?;
        Ok(Tls {
            state: Arc::new(State { settings: Mutex::new(None), current: Mutex::new(Arc::new(current)) }),
        })
    }

    /// Reads the files again, for connections from now on; those that are open keep what they have. After an error nothing
    /// has changed.
    pub fn reload(&self) -> Result<(), Error> {
        let settings = self.state.settings.lock();
        settings.as_ref().map_or(Ok(()), |settings| self.replace_current(settings))
    }

    /// The same with other settings, which are kept if they can be loaded.
    pub fn replace(&self, settings: TlsSettings) -> Result<(), Error> {
        let mut kept = self.state.settings.lock();
        self.replace_current(&settings)?;
        *kept = Some(settings);
        Ok(())
    }

    /// What the certificates in use say of themselves.
    pub fn identities(&self) -> Vec<Validity> {
        let now = crate::clock::Clock::system().date();
        self.current().identities.iter().map(|identity| identity.validity(now)).collect()
    }

    /// The files as they are now.
    pub(crate) fn stamp(&self) -> Stamp {
        self.state.settings.lock().as_ref().map(TlsSettings::stamp).unwrap_or_default()
    }

    /// The files as they were when they were read.
    pub(crate) fn stamp_in_use(&self) -> Stamp {
        self.current().stamp.clone()
    }

    /// Whether both are the same TLS.
    pub(crate) fn is(&self, other: &Tls) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    /// A connection that has been accepted and has still to speak.
    pub(super) fn stream(&self, socket: TcpStream) -> Stream {
        Stream::Tls(Box::new(TlsStream::new(socket, self.current().config.clone())))
    }

    fn current(&self) -> Arc<Current> {
        self.state.current.lock().clone()
    }

    fn replace_current(&self, settings: &TlsSettings) -> Result<(), Error> {
        let loaded = Arc::new(Current::load(settings)?);
        *self.state.current.lock() = loaded;
        Ok(())
    }
}

impl Current {
    fn load(settings: &TlsSettings) -> Result<Self, Error> {
        let stamp = settings.stamp();
        let load = |files: &CertificateFiles| {
            let (chain, key) = (load_chain(&files.certificate)?, load_key(&files.key)?);
            Identity::new(chain, key, &files.certificate, &files.key)
        };
        let identities = settings.certificates.iter().map(load).collect::<Result<Vec<_>, _>>()?;
        let authorities =
            settings.client_ca.as_deref().map(|path| Ok((path, load_chain(path)?))).transpose()?;
        Ok(Current { stamp, ..Current::new(identities, authorities, settings.profile)? })
    }

    fn new(
        identities: Vec<Identity>,
        authorities: Option<(&Path, Vec<CertificateDer<'static>>)>,
        profile: Profile,
    ) -> Result<Self, Error> {
        let failed = |problem: rustls::Error| Error::Tls(problem.to_string());
        let provider = Arc::new(provider::provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(provider::versions(profile))
            .map_err(failed)?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some((path, certificates)) => {
                let bad = |problem: String| Error::Tls(format!("{}: {problem}", path.display()));
                let mut roots = rustls::RootCertStore::empty();
                for certificate in certificates {
                    roots.add(certificate).map_err(|problem| bad(problem.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
                builder
                    .with_client_cert_verifier(verifier.build().map_err(|problem| bad(problem.to_string()))?)
            }
        };
        let resolver = resolver::ByName::new(&identities)?;
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Sessions live in tickets alone, whose keys rotate and die with this configuration: a client whose certificate
        // is no longer accepted cannot come back with one.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = provider::ticketer().map_err(failed)?;
        Ok(Current { config: Arc::new(config), identities, stamp: Stamp::new() })
    }
}

fn load_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Vec<_> = parse_pem(path, &read(path)?)?
        .into_iter()
        .filter_map(|item| match item {
            Item::X509Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(bad_file(
            path,
            "no certificate in it; what is wanted begins with -----BEGIN CERTIFICATE-----",
        ));
    }
    Ok(certificates)
}

fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let text = read(path)?;
    let is_key = |item| match item {
        Item::Pkcs8Key(key) => Some(PrivateKeyDer::Pkcs8(key)),
        Item::Pkcs1Key(key) => Some(PrivateKeyDer::Pkcs1(key)),
        Item::Sec1Key(key) => Some(PrivateKeyDer::Sec1(key)),
        _ => None,
    };
    let keys = parse_pem(path, &text).map(|items| items.into_iter().filter_map(is_key).collect::<Vec<_>>());
    match keys {
        Ok(mut keys) if keys.len() == 1 => Ok(keys.remove(0)),
        Ok(keys) if keys.len() > 1 => Err(bad_file(
            path,
            "more than one private key in it; leave the one that belongs to the certificate",
        )),
        // In the label of the block, or in a header of the old form.
        _ if text.windows(ENCRYPTED.len()).any(|word| word == ENCRYPTED) => Err(bad_file(
            path,
            "the private key is encrypted; decrypt it with 'openssl pkey -in FILE -out FILE'",
        )),
        Ok(_) => Err(bad_file(
            path,
            "no private key in it; what is wanted begins with -----BEGIN PRIVATE KEY-----",
        )),
        Err(problem) => Err(problem),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let cannot = |problem: io::Error| bad_file(path, &format!("cannot be read: {problem}"));
    let mut text = Vec::new();
    fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text)).map_err(cannot)?;
    if text.len() as u64 > MAX_FILE {
        return Err(bad_file(path, "more than 1 MiB, which no certificate or key has"));
    }
    Ok(text)
}

/// Everything in a PEM file. The only function that knows rustls-pemfile.
fn parse_pem(path: &Path, mut text: &[u8]) -> Result<Vec<Item>, Error> {
    rustls_pemfile::read_all(&mut text)
        .collect::<Result<_, _>>()
        .map_err(|problem| bad_file(path, &format!("not PEM: {problem}")))
}

fn bad_file(path: &Path, problem: &str) -> Error {
    Error::Tls(format!("{}: {problem}", path.display()))
}
