//! Clients that speak TLS: honest ones by rustls, and one that says whatever it is told to.

use super::pki::{Issued, authority};
use crate::support::{Answer, Client, PATIENCE};
#[cfg(feature = "tls")]
pub use rustls::crypto::aws_lc_rs as library;
#[cfg(not(feature = "tls"))]
pub use rustls::crypto::ring as library;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use selvedge::Server;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

pub type Secure = StreamOwned<ClientConnection, TcpStream>;

/// What a client offers; the default is all that its library has.
#[derive(Default)]
pub struct Offer<'a> {
    pub versions: &'a [&'static SupportedProtocolVersion],
    pub suites: &'a [SupportedCipherSuite],
    pub groups: &'a [&'static dyn SupportedKxGroup],
    pub protocols: &'a [&'a str],
    pub certificate: Option<&'a Issued>,
}

impl Offer<'_> {
    pub fn config(&self) -> ClientConfig {
        let mut provider: CryptoProvider = library::default_provider();
        if !self.suites.is_empty() {
            provider.cipher_suites = self.suites.to_vec();
        }
        if !self.groups.is_empty() {
            provider.kx_groups = self.groups.to_vec();
        }
        let versions = if self.versions.is_empty() { &[&TLS13, &TLS12] } else { self.versions };
        let mut roots = RootCertStore::empty();
        roots.add(authority().certificate.clone()).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(versions)
            .expect("suites for the versions")
            .with_root_certificates(roots);
        let mut config = match self.certificate {
            Some(issued) => {
                let chain = vec![issued.certificate.clone()];
                builder.with_client_auth_cert(chain, issued.key_der()).expect("they belong together")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.enable_secret_extraction = true;
        config
    }
}

/// A connection on which nothing has been said.
pub fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.local_addr().expect("it listens on TCP")).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// A client that asks for localhost. Its handshake takes place when it first sends or reads.
pub fn client(server: &Server) -> Client<Secure> {
    with(server, &Arc::new(Offer::default().config()), "localhost")
}

/// A client that offers what `config` says, and asks for `name`.
pub fn with(server: &Server, config: &Arc<ClientConfig>, name: &str) -> Client<Secure> {
    Client::over(over(connect(server), config, name))
}

pub fn over(socket: TcpStream, config: &Arc<ClientConfig>, name: &str) -> Secure {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    StreamOwned::new(ClientConnection::new(config.clone(), name).expect("a configuration"), socket)
}

/// What comes of a request: its answer, or what TLS says against it.
pub fn outcome(client: &mut Client<Secure>, request: &str) -> Result<Answer, rustls::Error> {
    client.send_regardless(request);
    client.read(false).map_err(|broken| match client.stream.conn.process_new_packets() {
        Err(problem) => problem,
        Ok(_) => rustls::Error::General(format!("{broken:?}")),
    })
}

/// Completes the handshake.
pub fn shake_hands(client: &mut Client<Secure>) {
    let Secure { conn, sock } = &mut client.stream;
    while conn.is_handshaking() {
        conn.complete_io(sock).expect("it agrees");
    }
    while conn.wants_write() {
        conn.write_tls(sock).expect("it reads");
    }
}

/// Says that nothing more will be sent, in TLS' words.
pub fn send_close_notify(client: &mut Client<Secure>) {
    client.stream.conn.send_close_notify();
    client.stream.flush().expect("it reads");
}
