//! Addresses, and what listens on them.

#[cfg(feature = "inherit")]
use super::inherited::{self, Ringer, Sharing};
use super::place::{Place, bad_address};
use super::socket_file::{self, Made, SocketFile};
use super::{Stream, Tls};
use crate::error::Error;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Connections the kernel holds until they are accepted. The system caps it (`net.core.somaxconn`); std's own 128 is
/// filled by a short burst, and each connection past it waits a second to try again.
pub(super) const BACKLOG: i32 = 4096;

/// Bytes of an answer the kernel takes beyond what the client's window admits. With its own bound of megabytes a writer
/// sleeps until a third of that is free, and a client that reads slowly but steadily looks like one that does not read.
#[cfg(target_os = "linux")]
pub(super) const MAX_UNSENT: u32 = 32 << 10;

/// How long a write waits before it says how far it has come, which is in steps of 16 to 30 KiB. So the board hears soon of whatever
/// its client has read, and the watchdog tells one that reads slowly from one that does not read.
pub(super) const SEND_PATIENCE: Duration = Duration::from_millis(200);

/// How long to wait for a connection to ourselves, which only a broken network can delay.
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);

/// An address that is listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A TCP port where TLS is spoken.
    Tls(SocketAddr),
    /// A Unix socket's path. An abstract name, which only a passed socket has here, begins with `@`.
    Unix(PathBuf),
}

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    /// Its Unix socket's file, if it has made it. Goes before the socket does.
    _file: Option<Made>,
    socket: Socket,
    address: Address,
    holder: Holder,
    /// Spoken with who comes by TCP.
    tls: Option<Tls>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Who decides about the socket's end.
#[derive(Debug)]
enum Holder {
    /// This listener: it ends with it, and a Unix socket's file too.
    Us,
    /// Somebody who goes on to hold it, and may hand it to our successor.
    #[cfg(feature = "inherit")]
    Others(Sharing),
}

/// Wakes who waits for the next connection.
#[derive(Clone, Debug)]
pub(crate) enum Waker {
    /// By connecting.
    Connect(Address),
    /// Without a connection, which could be taken by somebody else.
    #[cfg(feature = "inherit")]
    Ring(Ringer),
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

impl Waker {
    pub(crate) fn wake(&self) {
        // If nobody can be reached, nobody is blocked there either.
        match self {
            Waker::Connect(Address::Tcp(address) | Address::Tls(address)) => {
                let ip = match address.ip() {
                    IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                    ip => ip,
                };
                let _ = TcpStream::connect_timeout(&SocketAddr::new(ip, address.port()), WAKE_TIMEOUT);
            }
            Waker::Connect(Address::Unix(path)) => {
                let _ = UnixStream::connect(path);
            }
            #[cfg(feature = "inherit")]
            Waker::Ring(ringer) => ringer.ring(),
        }
    }
}

impl Listener {
    /// Listens on `host:port` (port 0 takes a free one), on `unix:PATH`, or on a socket that somebody else has bound and
    /// goes on to hold: `fd:N`, or `fd:NAME` if a service manager has passed it (feature `inherit`). Such a socket is made
    /// non-blocking, for all who hold it, and stays so.
    pub fn bind(given: &str) -> Result<Self, Error> {
        Listener::bind_with(given, &SocketFile::default())
    }

    /// The same, with the mode and the owner that the file of a Unix socket gets.
    pub fn bind_with(given: &str, file: &SocketFile) -> Result<Self, Error> {
        match Place::of(given)? {
            Place::Unix(path) => Listener::bind_unix(path, file),
            Place::Passed(socket) => Listener::inherit(socket),
            Place::Tcp(addresses) => Listener::bind_tcp(given, &addresses),
        }
        .map_err(|problem| match problem {
            Error::Bind { source, .. } => Error::Bind { address: given.into(), source },
            Error::Address { problem, .. } => Error::Address { given: given.into(), problem },
            other => other,
        })
    }

    /// Takes a listener that somebody else has bound, and ends its socket with it. Its queue is made 4,096 connections long,
    /// as far as the system permits, and its connections send at once (`TCP_NODELAY`).
    ///
    /// ```
    /// use selvedge::net::Listener;
    /// use selvedge::{Request, Server};
    ///
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let server = Server::builder().listener(Listener::from_tcp(socket)?).serve(|_: &mut Request| "hello")?;
    /// # let _ = server;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_tcp(listener: TcpListener) -> Result<Self, Error> {
        let failed = |source| Error::Bind { address: "an inherited socket".into(), source };
        SockRef::from(&listener).listen(BACKLOG).map_err(failed)?;
        Listener::of_tcp(listener, Holder::Us).map_err(failed)
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
        #[cfg(feature = "inherit")]
        if let Holder::Others(sharing) = &self.holder {
            loop {
                self.wait(sharing)?;
                match self.take_next() {
                    // Somebody else was faster.
                    Err(problem) if problem.kind() == io::ErrorKind::WouldBlock => {}
                    taken => return taken,
                }
            }
        }
        self.take_next()
    }

    /// The next connection if one is waiting, `WouldBlock` if none is.
    pub(crate) fn accept_now(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        if self.is_shared() {
            return self.take_next();
        }
        self.set_nonblocking(true)?;
        let accepted = self.take_next();
        self.set_nonblocking(false)?;
        accepted
    }

    /// Whether somebody else holds the socket too, so that what waits to be accepted at the end is not lost.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self.holder, Holder::Us)
    }

    /// What makes a thread that is blocked in [`accept`](Listener::accept) return.
    pub(crate) fn waker(&self) -> Waker {
        match &self.holder {
            Holder::Us => Waker::Connect(self.address.clone()),
            #[cfg(feature = "inherit")]
            Holder::Others(sharing) => Waker::Ring(sharing.ringer()),
        }
    }

    fn take_next(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // On Linux the listener's options are inherited, which saves a system call for each connection, and its
                // mode is not.
                #[cfg(not(target_os = "linux"))]
                stream.set_nodelay(true)?;
                let stream = match &self.tls {
                    Some(tls) => tls.stream(stream),
                    None => stream.into(),
                };
                if self.is_shared() || cfg!(not(target_os = "linux")) {
                    stream.set_waiting()?;
                }
                Ok((stream, Some(peer)))
            }
            Socket::Unix(listener) => {
                let stream = Stream::from(listener.accept()?.0);
                stream.set_waiting()?;
                Ok((stream, None))
            }
        }
    }

    #[cfg(feature = "inherit")]
    fn wait(&self, sharing: &Sharing) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(listener) => sharing.wait(listener),
            Socket::Unix(listener) => sharing.wait(listener),
        }
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(listener) => listener.set_nonblocking(nonblocking),
            Socket::Unix(listener) => listener.set_nonblocking(nonblocking),
        }
    }

    fn bind_tcp(given: &str, addresses: &[SocketAddr]) -> Result<Self, Error> {
        let listener =
            TcpListener::bind(addresses).map_err(|source| Error::Bind { address: given.into(), source })?;
        Listener::from_tcp(listener)
    }

    fn bind_unix(path: &Path, file: &SocketFile) -> Result<Self, Error> {
        let (socket, file) = socket_file::listen(path, file)
            .map_err(|source| Error::Bind { address: path.display().to_string(), source })?;
        let address = Address::Unix(path.into());
        let socket = Socket::Unix(socket);
        Ok(Listener { _file: Some(file), socket, address, holder: Holder::Us, tls: None })
    }

    /// A listener over a TCP socket that listens, with the options that its connections get from it.
    fn of_tcp(listener: TcpListener, holder: Holder) -> io::Result<Self> {
        let address = Address::Tcp(listener.local_addr()?);
        let socket = SockRef::from(&listener);
        socket.set_tcp_nodelay(true)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_notsent_lowat(MAX_UNSENT)?;
        // What others hold too stays as it was when we are gone.
        if matches!(holder, Holder::Us) {
            socket.set_write_timeout(Some(SEND_PATIENCE))?;
        }
        Ok(Listener { _file: None, socket: Socket::Tcp(listener), address, holder, tls: None })
    }

    #[cfg(not(feature = "inherit"))]
    fn inherit(socket: &str) -> Result<Self, Error> {
        Err(bad_address(socket, "built without the feature `inherit`"))
    }

    #[cfg(feature = "inherit")]
    fn inherit(socket: &str) -> Result<Self, Error> {
        let number = inherited::passed().and_then(|passed| inherited::number(socket, &passed));
        let number = number.map_err(|problem| bad_address(socket, &problem))?;
        Listener::from_number(number).map_err(|source| Error::Bind { address: socket.into(), source })
    }

    #[cfg(feature = "inherit")]
    fn from_number(number: std::os::fd::RawFd) -> io::Result<Self> {
        let socket = inherited::take(number)?;
        let local = SockRef::from(&socket).local_addr()?;
        // The backlog stays what its holder has made it.
        let holder = Holder::Others(Sharing::begin(&socket)?);
        if local.is_ipv4() || local.is_ipv6() {
            return Listener::of_tcp(socket.into(), holder);
        }
        if !local.is_unix() {
            let problem = "its socket is neither TCP nor a Unix socket";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let address = Address::Unix(inherited::name(&local));
        Ok(Listener { _file: None, socket: Socket::Unix(socket.into()), address, holder, tls: None })
    }
}
