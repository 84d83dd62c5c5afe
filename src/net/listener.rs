//! Addresses, and what listens on them.

#[cfg(feature = "inherit")]
use super::inherited::{self, Sharing};
use super::place::{Place, bad_address};
use super::socket_file::{self, Made, SocketFile};
use super::{Stream, Tls};
use crate::error::Error;
use crate::sync::Mutex;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
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
    file: Mutex<Option<Made>>,
    socket: Socket,
    /// Held while the socket does not block, so that nobody makes it block under somebody else.
    mode: Mutex<()>,
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

impl Listener {
    /// Listens on `host:port` (port 0 takes a free one), on `unix:PATH`, or on a socket that somebody else has bound and
    /// goes on to hold: `fd:N`, or `fd:NAME` if a service manager has passed it (feature `inherit`). Such a socket is made
    /// non-blocking, for all who hold it, and stays so; its other options stay as they are.
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

    /// Takes a listener that somebody else has bound, and ends its socket with it: a server's end shuts it down, for whoever
    /// has a clone of it too, and what others are to go on holding is for [`bind`](Listener::bind) (`fd:N`). Its queue is
    /// made 4,096 connections long, as far as the system permits, and its connections send at once (`TCP_NODELAY`).
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
        let _held = self.mode.lock();
        self.set_nonblocking(true)?;
        let accepted = self.take_next();
        self.set_nonblocking(false)?;
        accepted
    }

    /// Whether somebody else holds the socket too, so that what waits to be accepted at the end is not lost.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self.holder, Holder::Us)
    }

    /// Has a thread that is blocked in [`accept`](Listener::accept) return. It takes no descriptor, and connects to nobody:
    /// who listens at a Unix socket's path by now may be somebody else. Nobody can connect to a socket of our own any more;
    /// who has connected is given to `refuse`, or is there to be accepted still.
    pub(crate) fn end(&self, mut refuse: impl FnMut(Stream, Option<SocketAddr>)) {
        #[cfg(feature = "inherit")]
        if let Holder::Others(sharing) = &self.holder {
            sharing.ring();
            return;
        }
        if cfg!(not(target_os = "linux")) {
            self.connect();
            return;
        }
        // The first to go: a file whose socket answers nobody would be taken for abandoned.
        drop(self.file.lock().take());
        // Who waits at a TCP port when it is shut down is reset.
        for _ in 0..BACKLOG {
            let Ok((stream, peer)) = self.accept_now() else { break };
            refuse(stream, peer);
        }
        let _ = match &self.socket {
            Socket::Tcp(listener) => SockRef::from(listener).shutdown(Shutdown::Read),
            Socket::Unix(listener) => SockRef::from(listener).shutdown(Shutdown::Read),
        };
    }

    /// Wakes who waits for the next connection, where no socket that listens can be shut down.
    fn connect(&self) {
        match &self.address {
            Address::Tcp(address) | Address::Tls(address) => {
                let ip = match address.ip() {
                    IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                    ip => ip,
                };
                let _ = TcpStream::connect_timeout(&SocketAddr::new(ip, address.port()), WAKE_TIMEOUT);
            }
            Address::Unix(path) => {
                let _ = socket_file::connect(path);
            }
        }
    }

    fn take_next(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // On Linux the listener's options are inherited, which saves system calls for each connection, and its mode is
                // not. What others hold too has their options.
                let is_dressed = !self.is_shared() && cfg!(target_os = "linux");
                if !is_dressed {
                    send_at_once(&stream)?;
                }
                let stream = match &self.tls {
                    Some(tls) => tls.stream(stream),
                    None => stream.into(),
                };
                if !is_dressed {
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

    fn new(socket: Socket, address: Address, holder: Holder, file: Option<Made>) -> Self {
        Listener { file: Mutex::new(file), socket, mode: Mutex::default(), address, holder, tls: None }
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
        Ok(Listener::new(socket, address, Holder::Us, Some(file)))
    }

    /// A listener over a TCP socket that listens, with the options that its connections get from it if it is our own.
    fn of_tcp(listener: TcpListener, holder: Holder) -> io::Result<Self> {
        let address = Address::Tcp(listener.local_addr()?);
        // What others hold too stays as it was.
        if matches!(holder, Holder::Us) {
            send_at_once(&listener)?;
            SockRef::from(&listener).set_write_timeout(Some(SEND_PATIENCE))?;
        }
        Ok(Listener::new(Socket::Tcp(listener), address, holder, None))
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
        Ok(Listener::new(Socket::Unix(socket.into()), address, holder, None))
    }
}

/// Has a TCP connection, or those of a listener, send what there is, and the kernel not take much more than it can send.
fn send_at_once(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(MAX_UNSENT)?;
    socket.set_tcp_nodelay(true)
}
