//! A connection's two-way stream of bytes, whatever carries it.

use super::listener::SEND_PATIENCE;
use super::tls::TlsStream;
use crate::message::TlsInfo;
use crate::sync::Arc;
use crate::threads::{Cut, Lifeline};
use socket2::SockRef;
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(target_os = "linux")]
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Bytes of a file that are copied at once, where the kernel does not move them: four records of TLS.
const COPIED: usize = 64 << 10;

/// Bytes of an answer the kernel takes ahead of a client that reads fast.
#[cfg(target_os = "linux")]
const FAR_AHEAD: u32 = 1 << 20;

/// A connection. Sockets are shared with the board, which can cut them; anything else that reads and writes can be
/// served too, but not cut while it blocks.
pub enum Stream {
    /// TCP.
    Tcp(Arc<TcpStream>),
    /// A Unix socket.
    Unix(Arc<UnixStream>),
    /// TLS over TCP.
    Tls(Box<TlsStream>),
    /// Anything else, such as a pipe in memory.
    Other(Box<dyn Duplex>),
}

/// Why there will be no TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The client speaks plain HTTP. It can be answered in that, without a body if it asks with HEAD.
    PlainHttp {
        /// Whether it does.
        is_head: bool,
    },
    /// The client left without a word.
    Closed,
    /// The client left in the middle, or the network did.
    Broken,
    /// The client has not said enough yet, and the stream does not block: it is to be tried again.
    Waiting,
    /// The client sent more than any handshake has.
    TooLong,
    /// The client does not speak the protocol, or nothing of it that we do, and an alert has told it; or it has resumed a
    /// session in which its certificate has expired since. To that one no alert can be sent any more: TLS is there, and the
    /// connection ends.
    Refused(String),
}

/// Whatever reads and writes.
pub trait Duplex: Read + Write + Send {}

impl<T: Read + Write + Send> Duplex for T {}

impl Stream {
    /// A connection over anything that reads and writes. Nobody can wake a thread that blocks in it, so no deadline holds
    /// while it does: its reads and writes must end by themselves.
    pub fn other(duplex: impl Duplex + 'static) -> Self {
        Stream::Other(Box::new(duplex))
    }

    /// Whether there is a handshake before the first request.
    pub fn is_tls(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }

    /// Speaks TLS' handshake, where there is one to speak. A client that turns out to speak plain HTTP is from then on
    /// spoken with in that.
    pub fn handshake(&mut self) -> Result<Option<TlsInfo>, HandshakeError> {
        let Stream::Tls(stream) = self else { return Ok(None) };
        let done = stream.handshake();
        if matches!(done, Err(HandshakeError::PlainHttp { .. }))
            && let Stream::Tls(stream) = std::mem::replace(self, Stream::other(io::empty()))
        {
            *self = Stream::Tcp(stream.into_socket());
        }
        done.map(Some)
    }

    /// Closes a connection of which nothing more is wanted, in the cheapest way.
    pub(crate) fn reset(self) {
        if let Stream::Tls(stream) = self {
            stream.reset();
        }
    }

    /// Says nothing more to a client that has not been told all, so that it does not take what it has for the whole. Where
    /// there is no TLS only a [reset](Stream::reset_at_end) tells.
    pub(crate) fn break_off(&mut self) {
        if let Stream::Tls(stream) = self {
            stream.break_off();
        }
    }

    /// Whether the connection ends with a reset, whoever ends it and however: for as long as a client would take its end for that
    /// of a body that is not whole. To be [cut](Lifeline::cut) then wakes nobody who waits for room; he looks for himself whenever
    /// he is told that there is none yet. Only TCP knows resets; over TLS the client can tell without.
    pub(crate) fn reset_at_end(&self, yes: bool) {
        if let Stream::Tcp(socket) = self {
            let _ = SockRef::from(&**socket).set_linger(yes.then_some(Duration::ZERO));
        }
    }

    /// How many bytes the system has taken of what was written, where that is another number than writes tell.
    pub(crate) fn taken(&self) -> u64 {
        if let Stream::Tls(stream) = self { stream.taken() } else { 0 }
    }

    /// Whether it can be cut, and does not block once it has been. Its writes may fail with `WouldBlock` after a while, and are
    /// to be tried again.
    pub fn is_socket(&self) -> bool {
        !matches!(self, Stream::Other(_))
    }

    /// What cuts this connection from another thread.
    pub fn lifeline(&self) -> Option<Arc<dyn Lifeline>> {
        match self {
            Stream::Tcp(socket) => Some(socket.clone()),
            Stream::Unix(socket) => Some(socket.clone()),
            Stream::Tls(stream) => Some(stream.socket().clone()),
            Stream::Other(_) => None,
        }
    }

    /// Sends all of `bytes`, and lets the kernel wait for more before it makes a packet of the last of them.
    pub fn write_with_more_to_come(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Stream::Tls(stream) = self {
            return stream.hold(bytes);
        }
        #[cfg(target_os = "linux")]
        if let Stream::Tcp(socket) = self {
            return SockRef::from(&**socket).send_with_flags(bytes, libc::MSG_NOSIGNAL | libc::MSG_MORE);
        }
        self.write(bytes)
    }

    /// Sends up to `count` bytes of `file` from `offset` on, and moves `offset`. Zero means that the file ends there.
    ///
    /// On Linux the kernel moves them (`sendfile`); elsewhere, for streams that are no sockets or encrypt, and from file systems that
    /// cannot, they pass through `block`, which is made as large as it has to be and may be used again.
    pub fn send_file(
        &mut self,
        file: &File,
        offset: &mut u64,
        count: usize,
        block: &mut Vec<u8>,
    ) -> io::Result<usize> {
        if let Stream::Tls(stream) = self {
            let sent = stream.send_file(file, *offset, count, block)?;
            *offset += sent as u64;
            return Ok(sent);
        }
        #[cfg(target_os = "linux")]
        {
            let socket = match self {
                Stream::Tcp(socket) => Some(SockRef::from(&**socket)),
                Stream::Unix(socket) => Some(SockRef::from(&**socket)),
                Stream::Tls(_) | Stream::Other(_) => None,
            };
            if let (Some(socket), Ok(from)) = (socket, usize::try_from(*offset)) {
                match socket.sendfile(file, from, NonZeroUsize::new(count)) {
                    Err(problem) if matches!(problem.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => {}
                    sent => {
                        let sent = sent?;
                        *offset += sent as u64;
                        return Ok(sent);
                    }
                }
            }
        }
        block.resize(count.min(COPIED), 0);
        let read = std::os::unix::fs::FileExt::read_at(file, block, *offset)?;
        let sent = self.write(&block[..read])?;
        if sent < read.min(1) {
            return Err(io::ErrorKind::WriteZero.into());
        }
        *offset += sent as u64;
        Ok(sent)
    }

    /// Says that nothing more will be written, as far as that can be said with the connection left open in both directions:
    /// by TLS' `close_notify`.
    pub(crate) fn say_end(&mut self) -> io::Result<()> {
        if let Stream::Tls(stream) = self { stream.say_end() } else { Ok(()) }
    }

    /// How much of an answer the kernel takes ahead of its client: a lot, which saves a fast client's thread from being woken
    /// for every little bit, or as little as lets a slow client be seen as one.
    pub fn run_ahead(&self, far: bool) {
        #[cfg(target_os = "linux")]
        if let Stream::Tcp(socket) = self {
            let unsent = if far { FAR_AHEAD } else { super::listener::MAX_UNSENT };
            // Where it cannot be set, it is slower and nothing else.
            let _ = SockRef::from(&**socket).set_tcp_notsent_lowat(unsent);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = far;
    }

    /// Says that nothing more will be written, while reading goes on.
    pub fn finish_writing(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Stream::Unix(socket) => socket.shutdown(Shutdown::Write),
            Stream::Tls(stream) => {
                stream.say_end()?;
                stream.socket().shutdown(Shutdown::Write)
            }
            Stream::Other(duplex) => duplex.flush(),
        }
    }

    /// Reads what is thrown away, after all has been written.
    pub(crate) fn discard(&mut self, block: &mut [u8]) -> io::Result<usize> {
        if let Stream::Tls(stream) = self { stream.discard(block) } else { self.read(block) }
    }

    /// A second handle on the same connection, where one can read while the other writes.
    pub(crate) fn try_clone(&self) -> io::Result<Stream> {
        match self {
            Stream::Tcp(socket) => Ok(Stream::Tcp(socket.clone())),
            Stream::Unix(socket) => Ok(Stream::Unix(socket.clone())),
            // What one half reads may have to be answered by the other, in the middle of what that one writes.
            Stream::Tls(_) | Stream::Other(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Makes reads wait for as long as it takes, and writes until they have something to say.
    pub(crate) fn set_waiting(&self) -> io::Result<()> {
        let patience = Some(SEND_PATIENCE);
        match self {
            Stream::Tcp(socket) => {
                socket.set_nonblocking(false).and_then(|()| socket.set_write_timeout(patience))
            }
            Stream::Unix(socket) => {
                socket.set_nonblocking(false).and_then(|()| socket.set_write_timeout(patience))
            }
            Stream::Tls(stream) => {
                let socket = stream.socket();
                socket.set_nonblocking(false).and_then(|()| socket.set_write_timeout(patience))
            }
            Stream::Other(_) => Ok(()),
        }
    }

    /// Makes reads and writes return at once; says whether that is possible.
    pub fn set_nonblocking(&self) -> bool {
        match self {
            Stream::Tcp(socket) => socket.set_nonblocking(true).is_ok(),
            Stream::Unix(socket) => socket.set_nonblocking(true).is_ok(),
            Stream::Tls(stream) => stream.socket().set_nonblocking(true).is_ok(),
            Stream::Other(_) => false,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeError::PlainHttp { .. } => f.write_str("it speaks plain HTTP"),
            HandshakeError::Closed => f.write_str("it left without a word"),
            HandshakeError::Broken => f.write_str("it broke off"),
            HandshakeError::Waiting => f.write_str("it keeps waiting"),
            HandshakeError::TooLong => f.write_str("it sent too much"),
            HandshakeError::Refused(problem) => f.write_str(problem),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(socket) => (&**socket).read(buffer),
            Stream::Unix(socket) => (&**socket).read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
            Stream::Other(duplex) => duplex.read(buffer),
        }
    }
}

/// Writes to a socket that a [`Listener`](super::Listener) has accepted wait for a fraction of a second at most, and then fail with
/// `WouldBlock` if nothing at all could be written: they are to be tried again for as long as the caller has patience.
impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(socket) => (&**socket).write(bytes),
            Stream::Unix(socket) => (&**socket).write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
            Stream::Other(duplex) => duplex.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Tcp(socket) => (&**socket).write_vectored(slices),
            Stream::Unix(socket) => (&**socket).write_vectored(slices),
            Stream::Tls(stream) => stream.write_vectored(slices),
            Stream::Other(duplex) => duplex.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            // Sockets hold nothing back.
            Stream::Tcp(_) | Stream::Unix(_) => Ok(()),
            Stream::Tls(stream) => stream.flush(),
            Stream::Other(duplex) => duplex.flush(),
        }
    }
}

impl Lifeline for TcpStream {
    fn cut(&self, side: Cut) {
        // Whatever is shut down says a good end. Only closing resets, and that is for the thread to do.
        let resets = SockRef::from(self).linger().is_ok_and(|linger| linger == Some(Duration::ZERO));
        // An error means that the connection is gone, which is what was wanted.
        let _ = self.shutdown(if resets { Shutdown::Read } else { direction(side) });
    }
}

impl Lifeline for UnixStream {
    fn cut(&self, side: Cut) {
        let _ = self.shutdown(direction(side));
    }
}

fn direction(side: Cut) -> Shutdown {
    match side {
        Cut::Read => Shutdown::Read,
        Cut::Both => Shutdown::Both,
    }
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Stream::Tcp(Arc::new(socket))
    }
}

impl From<UnixStream> for Stream {
    fn from(socket: UnixStream) -> Self {
        Stream::Unix(Arc::new(socket))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stream::Tcp(socket) => socket.fmt(f),
            Stream::Unix(socket) => socket.fmt(f),
            Stream::Tls(stream) => stream.fmt(f),
            Stream::Other(_) => f.write_str("Other"),
        }
    }
}
