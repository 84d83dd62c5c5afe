//! What is known about the TLS connection a request came over. Plain data: the protocol itself is not spoken here.

use std::fmt;

/// A TLS connection, as its handshake left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The protocol: `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name, such as `TLS13_AES_128_GCM_SHA256`.
    pub cipher_suite: &'static str,
    /// The group of the key exchange, such as `X25519MLKEM768`; `None` where a session was resumed without one.
    pub group: Option<&'static str>,
    /// Whether an earlier session was resumed, which spares the certificate and its signature.
    pub resumed: bool,
    /// The name the client asked for (SNI, RFC 6066 §3), in lower case; `None` if it asked for none.
    pub server_name: Option<Box<str>>,
    /// Who the client is, where it had to prove that.
    pub client: Option<ClientCertificate>,
}

/// A client's certificate that has been verified against the authorities of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its subject as RFC 4514 writes it, such as `CN=alice,O=Example`.
    pub subject: String,
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// The certificate itself, in DER.
    pub der: Vec<u8>,
}

impl fmt::Display for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.cipher_suite)?;
        self.group.map_or(Ok(()), |group| write!(f, " {group}"))
    }
}
