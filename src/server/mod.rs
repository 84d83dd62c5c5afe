//! The server: what listens, who is admitted, and how a connection lives and ends.

mod acceptor;
mod admin;
mod admission;
mod answer;
mod builder;
#[cfg(feature = "tls-rustls")]
mod certificates;
mod connection;
mod date;
#[cfg(feature = "cli")]
mod descriptors;
mod drain;
mod handshake;
mod incoming;
mod memory;
mod note;
mod policy;
mod refuse;
mod relief;
mod shared;
mod upgrade;
mod wire;

pub use admin::{Admin, Threads};
#[cfg(feature = "cli")]
pub(crate) use admin::{admin_descriptors, thousands};
pub use builder::Builder;
#[cfg(feature = "cli")]
pub(crate) use descriptors::descriptors;
pub use drain::{CutConnection, DrainReport};

use crate::config::Config;
use crate::error::{CloseReason, Error};
use crate::monitor::Monitor;
use crate::net::{Address, Listener, Stream};
use crate::service::Handler;
use crate::sync::{Arc, Condvar, Mutex, Weak};
use crate::threads::Latch;
use admission::Admission;
use std::net::SocketAddr;

/// A running server. Dropping it stops it at once; [`shutdown`](Server::shutdown) lets it finish what it does.
///
/// ```
/// use selvedge::{Request, Server};
/// use std::io::{Read, Write};
/// use std::time::Duration;
///
/// let server = Server::builder().bind("127.0.0.1:0")?.serve(|_: &mut Request| "hello")?;
///
/// let mut client = std::net::TcpStream::connect(server.local_addr().unwrap())?;
/// client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"));
///
/// let report = server.shutdown(Duration::from_secs(30));
/// assert!(report.cut.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    admission: Arc<Admission>,
    addresses: Vec<Address>,
    /// Their acceptors keep them, for as long as they are open.
    listeners: Vec<Weak<Listener>>,
    /// Held by every listener that is open.
    listening: Latch,
    /// Set once, by the first shutdown, when it is done.
    ended: Mutex<bool>,
    end: Condvar,
}

impl Server {
    /// A server with the default limits that listens nowhere yet.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The first TCP address it listens on, with the port it was given if it asked for any.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(Address::tcp)
    }

    /// What it counts.
    pub fn monitor(&self) -> &Monitor {
        &self.admission.shared.monitor
    }

    /// What its threads are doing, and those of the rest of the process.
    pub fn threads(&self) -> Threads {
        Threads(self.admission.shared.clone())
    }

    /// Serves one connection on the calling thread, for those who have a listener of their own. Returns when the connection
    /// has ended.
    ///
    /// It takes a seat, and is refused with 503 at once if there is none: the lobby is for those who come by the server's own
    /// listeners. All limits hold; but where `stream` is no socket, nobody can wake a thread that blocks in it, so its own
    /// reads and writes must end by themselves.
    pub fn serve_connection(&self, stream: impl Into<Stream>, peer: Option<SocketAddr>) -> CloseReason {
        self.admission.serve_here(stream.into(), peer)
    }

    /// Serves from now on with the limits, guards, fields, access log and handler of `builder` and `handler`. Requests that
    /// have begun are finished with those of before, and no connection is lost. Rates of [`Config`] that stay
    /// the same go on being counted; what guards of yours know they keep if they are the same, in an `Arc`. Without an access
    /// log in `builder` there is none any more.
    ///
    /// How many there are of everything cannot change: the settings of [`FIXED`](crate::config::FIXED), addresses, monitor,
    /// clock and alert sinks stay those the server was started with, and the other settings must go together with them. A
    /// `builder` that listens is an error. After an error ([`Config::validate`]) nothing has changed.
    ///
    /// ```
    /// use selvedge::{Config, Request, Server};
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?.serve(|_: &mut Request| "winter")?;
    /// let config = Config { max_body: 64 << 10, ..Config::default() };
    /// server.renew(Server::builder().config(config), |_: &mut Request| "summer")?;
    /// # Ok::<(), selvedge::Error>(())
    /// ```
    ///
    /// [`Config::validate`]: crate::Config::validate
    pub fn renew(&self, builder: Builder, handler: impl Handler) -> Result<(), Error> {
        builder.renew(self, handler)
    }

    /// Whether it can go on with these limits, and those that stay as they are.
    pub(crate) fn may_renew(&self, config: &Config) -> Result<(), Error> {
        config.within(&self.admission.shared.config).validate()?;
        config.validate_source(builder::may_be_local(&self.addresses))
    }

    /// Reads the certificates of all listeners again, for connections from now on. Each that cannot be used leaves the one
    /// of before in place, and is told of as an alert; the first error is given back.
    ///
    /// Files that change are noticed within a minute without this.
    #[cfg(feature = "tls-rustls")]
    pub fn reload_certificates(&self) -> Result<(), Error> {
        let shared = &self.admission.shared;
        shared.certificates.reload(shared)
    }

    /// Gives the TLS of a listener other settings, as [`Tls::replace`](crate::Tls::replace) does. If they cannot be used, that
    /// is an alert too.
    #[cfg(all(feature = "tls-rustls", feature = "cli"))]
    pub(crate) fn replace_tls(
        &self,
        tls: &crate::net::Tls,
        settings: crate::net::TlsSettings,
    ) -> Result<(), Error> {
        let shared = &self.admission.shared;
        shared.certificates.replace(shared, tls, settings)
    }

    /// Waits until the server has been shut down by somebody else.
    pub fn wait(&self) {
        let mut ended = self.ended.lock();
        while !*ended {
            self.end.wait_until(&mut ended, None);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !*self.ended.lock() {
            let _ = self.shutdown(std::time::Duration::ZERO);
        }
    }
}
