//! Addresses, and what listens on them.

use super::{Stream, Tls};
use crate::error::Error;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Connections the kernel holds until they are accepted. The system caps it (`net.core.somaxconn`); std's own 128 is
/// filled by a short burst, and each connection past it waits a second to try again.
const BACKLOG: i32 = 4096;

/// Bytes of an answer the kernel takes beyond what the client's window admits. With its own bound of megabytes a writer
/// sleeps until a third of that is free, and a client that reads slowly but steadily looks like one that does not read.
#[cfg(target_os = "linux")]
const MAX_UNSENT: u32 = 128 << 10;

/// How long to wait for a connection to ourselves, which only a broken network can delay.
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);

/// An address that is listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A TCP port where TLS is spoken.
    Tls(SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: Address,
    /// Spoken with who comes by TCP.
    tls: Option<Tls>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Address {
    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        self.tcp().is_none_or(|address| address.ip().to_canonical().is_loopback())
    }

    /// Its address and port, if it is a TCP port.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Address::Tcp(address) | Address::Tls(address) => Some(*address),
            Address::Unix(_) => None,
        }
    }

    /// The same, at another place.
    #[cfg(feature = "cli")]
    pub(crate) fn at(&self, place: SocketAddr) -> Self {
        if let Address::Tls(_) = self { Address::Tls(place) } else { Address::Tcp(place) }
    }

    /// Wakes whoever accepts on this address, by connecting to it.
    pub(crate) fn wake(&self) {
        // If nobody can be reached, nobody is blocked there either.
        match self {
            Address::Tcp(address) | Address::Tls(address) => {
                let ip = match address.ip() {
                    IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                    ip => ip,
                };
                let _ = TcpStream::connect_timeout(&SocketAddr::new(ip, address.port()), WAKE_TIMEOUT);
            }
            Address::Unix(path) => {
                let _ = UnixStream::connect(path);
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "http://{address}"),
            Address::Tls(address) => write!(f, "https://{address}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Listener {
    /// Listens on `host:port` (port 0 takes a free one) or `unix:PATH`.
    pub fn bind(given: &str) -> Result<Self, Error> {
        match given.strip_prefix("unix:") {
            Some("") => Err(bad_address(given, "a path must follow, as in unix:/run/selvedge.sock")),
            Some(path) => Listener::bind_unix(Path::new(path)),
            None => Listener::bind_tcp(given),
        }
        .map_err(|problem| match problem {
            Error::Bind { source, .. } => Error::Bind { address: given.into(), source },
            other => other,
        })
    }

    /// Takes a listener that somebody else has bound.
    pub fn from_tcp(listener: TcpListener) -> Result<Self, Error> {
        let failed = |source| Error::Bind { address: "an inherited socket".into(), source };
        let address = Address::Tcp(listener.local_addr().map_err(failed)?);
        prepare(&listener).map_err(failed)?;
        Ok(Listener { socket: Socket::Tcp(listener), address, tls: None })
    }

    /// The same listener, speaking TLS with who comes by TCP. Unix sockets stay plain: what is on them does not leave the
    /// machine.
    #[cfg(feature = "tls-rustls")]
    #[must_use]
    pub fn with_tls(mut self, tls: &Tls) -> Self {
        if let Some(address) = self.address.tcp() {
            self.address = Address::Tls(address);
            self.tls = Some(tls.clone());
        }
        self
    }

    /// What is spoken with who comes by TCP.
    #[cfg(feature = "tls-rustls")]
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Where it listens; with the port it was given, if it asked for any.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Waits for the next connection.
    pub fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // On Linux the listener's options are inherited, which saves a system call for each connection.
                #[cfg(not(target_os = "linux"))]
                stream.set_nodelay(true)?;
                let stream = match &self.tls {
                    Some(tls) => tls.stream(stream),
                    None => stream.into(),
                };
                Ok((stream, Some(peer)))
            }
            Socket::Unix(listener) => Ok((listener.accept()?.0.into(), None)),
        }
    }

    /// The next connection if one is waiting, `WouldBlock` if none is.
    pub(crate) fn accept_now(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        self.set_nonblocking(true)?;
        let accepted = self.accept();
        self.set_nonblocking(false)?;
        accepted
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(listener) => listener.set_nonblocking(nonblocking),
            Socket::Unix(listener) => listener.set_nonblocking(nonblocking),
        }
    }

    fn bind_tcp(given: &str) -> Result<Self, Error> {
        let addresses = given.to_socket_addrs().map_err(|problem| {
            bad_address(given, &format!("{problem}; write HOST:PORT, as in 127.0.0.1:8000 or [::1]:8000"))
        })?;
        let listener = TcpListener::bind(&addresses.collect::<Vec<_>>()[..])
            .map_err(|source| Error::Bind { address: given.into(), source })?;
        Listener::from_tcp(listener)
    }

    fn bind_unix(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Bind { address: String::new(), source };
        let socket = match UnixListener::bind(path) {
            // A server that was killed leaves its socket behind; one that nobody listens on may go.
            Err(problem) if problem.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
                std::fs::remove_file(path).map_err(failed)?;
                UnixListener::bind(path)
            }
            bound => bound,
        }
        .map_err(failed)?;
        SockRef::from(&socket).listen(BACKLOG).map_err(failed)?;
        Ok(Listener { socket: Socket::Unix(socket), address: Address::Unix(path.into()), tls: None })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn prepare(listener: &TcpListener) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.listen(BACKLOG)?;
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(MAX_UNSENT)?;
    Ok(())
}

fn is_abandoned(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    is_socket
        && UnixStream::connect(path).is_err_and(|problem| problem.kind() == io::ErrorKind::ConnectionRefused)
}

fn bad_address(given: &str, problem: &str) -> Error {
    Error::Address { given: given.into(), problem: problem.into() }
}
