//! Sockets: what is listened on, and what is read and written.

mod listener;
mod stream;
#[cfg(feature = "tls-rustls")]
mod tls;
#[cfg(not(feature = "tls-rustls"))]
#[path = "no_tls.rs"]
mod tls;

pub use listener::{Address, Listener};
pub use stream::{HandshakeError, Stream};
#[cfg(feature = "tls-rustls")]
pub(crate) use tls::Stamp;
#[cfg(not(feature = "tls-rustls"))]
pub(crate) use tls::Tls;
#[cfg(feature = "tls-rustls")]
pub use tls::{CertificateFiles, Profile, Tls, TlsSettings, Validity};
