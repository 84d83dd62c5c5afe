//! Sockets: what is listened on, and what is read and written.

#[cfg(feature = "inherit")]
mod inherited;
mod listener;
mod place;
mod socket_file;
mod stream;
#[cfg(feature = "tls-rustls")]
mod tls;
#[cfg(not(feature = "tls-rustls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(any(feature = "inherit", feature = "files"))]
mod turn;

#[cfg(feature = "inherit")]
pub use inherited::{Passed, passed, passed_to};
pub use listener::{Address, Listener};
#[cfg(feature = "cli")]
pub(crate) use place::{Place, is_passed};
pub use socket_file::SocketFile;
pub use stream::{HandshakeError, Stream};
#[cfg(feature = "tls-rustls")]
pub(crate) use tls::Stamp;
#[cfg(not(feature = "tls-rustls"))]
pub(crate) use tls::Tls;
#[cfg(feature = "tls-rustls")]
pub use tls::{CertificateFiles, Profile, Tls, TlsSettings, Validity};
