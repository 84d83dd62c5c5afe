//! A TLS connection over a socket: the loop between rustls, which knows no sockets, and a socket, which knows no TLS.
//!
//! A thread waits in here for one thing at a time, because the board ends a wait by cutting the side it is on: what
//! [`read`](Read::read) has to say meanwhile it says without waiting, and only `write`, and the handshake, wait for room.

use super::identity::client_of;
use crate::clock::Clock;
use crate::message::TlsInfo;
use crate::net::HandshakeError;
use crate::sync::Arc;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use socket2::SockRef;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// Bytes a client may send before the handshake is complete. A chain of certificates has a few thousand.
const MAX_HANDSHAKE: usize = 64 << 10;
/// Bytes encrypted at once, and so the most that a connection holds of what its client does not read.
const MAX_UNSENT: usize = 64 << 10;
/// Bytes read of a socket at once during the handshake.
const BLOCK: usize = 4 << 10;
/// How to send without waiting. Where there is no flag against the signal, std has switched it off for the socket.
#[cfg(not(target_vendor = "apple"))]
const HASTE: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const HASTE: libc::c_int = libc::MSG_DONTWAIT;
/// The first byte of every TLS connection: the type of a record that belongs to a handshake (RFC 8446 §5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// A connection that speaks TLS. Until its handshake, it costs what the socket does.
pub struct TlsStream {
    socket: Arc<TcpStream>,
    config: Arc<ServerConfig>,
    /// Made when the first byte is wanted.
    session: Option<ServerConnection>,
    /// Bytes that came before the handshake was complete.
    received: usize,
    /// Bytes that the socket has taken.
    taken: u64,
    /// Whether all has been said: by `close_notify`, or by the alert that ended it.
    over: bool,
}

/// A socket that takes what it has room for, and does not wait for more.
struct Hasty<'a>(&'a TcpStream);

impl TlsStream {
    pub(super) fn new(socket: TcpStream, config: Arc<ServerConfig>) -> Self {
        TlsStream { socket: Arc::new(socket), config, session: None, received: 0, taken: 0, over: false }
    }

    pub(in crate::net) fn socket(&self) -> &Arc<TcpStream> {
        &self.socket
    }

    pub(in crate::net) fn taken(&self) -> u64 {
        self.taken
    }

    /// The socket alone, for a client that does not speak TLS.
    pub(in crate::net) fn into_socket(mut self) -> Arc<TcpStream> {
        self.over = true;
        self.socket.clone()
    }

    /// Speaks the handshake to its end. What the server says last is not sent yet: it leaves with the first answer, or
    /// before the first wait.
    pub fn handshake(&mut self) -> Result<TlsInfo, HandshakeError> {
        while self.session().map_err(|problem| refused(&problem))?.is_handshaking() {
            self.send_pending().map_err(|problem| broken(&problem))?;
            let mut block = [0; BLOCK];
            let count = match (&*self.socket).read(&mut block) {
                Ok(0) if self.received == 0 => return Err(HandshakeError::Closed),
                Ok(0) => return Err(HandshakeError::Broken),
                Ok(count) => count,
                Err(problem) if problem.kind() == ErrorKind::Interrupted => continue,
                Err(problem) => return Err(broken(&problem)),
            };
            let input = block.get(..count).unwrap_or_default();
            if self.received == 0 && is_plain_http(input) {
                return Err(HandshakeError::PlainHttp { is_head: input.starts_with(b"HEAD ") });
            }
            self.received += count;
            if self.received > MAX_HANDSHAKE {
                return Err(HandshakeError::TooLong);
            }
            self.take_in(input).map_err(|problem| refused(&problem))?;
        }
        self.info().map_err(|problem| HandshakeError::Refused(problem.into()))
    }

    /// Encrypts `bytes`, or as many as there is room for, without sending them yet.
    pub(in crate::net) fn hold(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let held = self.session_for_io()?.writer().write(bytes)?;
        if held > 0 { Ok(held) } else { self.write(bytes) }
    }

    /// Sends a piece of `file`, and before it what is held, through this process's memory: there it is encrypted.
    pub(in crate::net) fn send_file(
        &mut self,
        file: &File,
        offset: u64,
        count: usize,
        block: &mut Vec<u8>,
    ) -> io::Result<usize> {
        block.resize(count.min(MAX_UNSENT), 0);
        let read = file.read_at(block, offset)?;
        let taken = self.hold(block.get(..read).unwrap_or_default())?;
        self.send_what_was_taken(taken)
    }

    /// Says that nothing more will be written; the connection stays open. `WouldBlock` while something written before is in
    /// the way.
    pub(in crate::net) fn say_end(&mut self) -> io::Result<()> {
        if !self.over {
            let session = self.session_for_io()?;
            if session.is_handshaking() {
                return Err(ErrorKind::WouldBlock.into());
            }
            session.send_close_notify();
            self.over = true;
        }
        self.send_pending()
    }

    /// Says no more: the client must not take what it has for the whole.
    pub(in crate::net) fn break_off(&mut self) {
        self.over = true;
    }

    /// Reads what is not wanted any more, and so is not worth decrypting.
    pub(in crate::net) fn discard(&mut self, block: &mut [u8]) -> io::Result<usize> {
        (&*self.socket).read(block)
    }

    /// Ends the connection with a reset: the cheapest way to tell a client that it is not served.
    pub(in crate::net) fn reset(mut self) {
        self.over = true;
        // Whether it can be set or not, the socket closes here.
        let _ = SockRef::from(&*self.socket).set_linger(Some(Duration::ZERO));
    }

    fn session(&mut self) -> Result<&mut ServerConnection, rustls::Error> {
        if self.session.is_none() {
            let mut session = ServerConnection::new(self.config.clone())?;
            session.set_buffer_limit(Some(MAX_UNSENT));
            self.session = Some(session);
        }
        self.session.as_mut().ok_or(rustls::Error::HandshakeNotComplete)
    }

    fn session_for_io(&mut self) -> io::Result<&mut ServerConnection> {
        self.session().map_err(io::Error::other)
    }

    /// Hands what has arrived to rustls. A client that breaks the protocol is told why with an alert.
    fn take_in(&mut self, mut input: &[u8]) -> Result<(), rustls::Error> {
        while !input.is_empty() {
            let session = self.session()?;
            let taken = session.read_tls(&mut input);
            let processed = session.process_new_packets();
            if let Err(problem) = processed {
                return Err(self.end(problem));
            }
            match taken {
                // What follows a `close_notify` is not looked at (RFC 8446 §6.1).
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // Reading from memory fails only where rustls has no room; then nothing more is wanted of this client.
                Err(_) => return Err(self.end(rustls::Error::HandshakeNotComplete)),
            }
        }
        Ok(())
    }

    fn end(&mut self, problem: rustls::Error) -> rustls::Error {
        self.over = true;
        let _ = self.send_now();
        problem
    }

    /// Sends what rustls has for the client.
    fn send_pending(&mut self) -> io::Result<()> {
        let TlsStream { socket, session: Some(session), taken, .. } = self else { return Ok(()) };
        send_some(session, &mut &**socket, taken)?;
        // What has been waited for is told of before it is waited for more.
        if session.wants_write() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }

    /// The same, after `count` bytes were taken to be encrypted: they are, also where the socket has no room for them yet.
    fn send_what_was_taken(&mut self, count: usize) -> io::Result<usize> {
        match self.send_pending() {
            Err(problem) if problem.kind() != ErrorKind::WouldBlock => Err(problem),
            _ => Ok(count),
        }
    }

    /// The same, as far as there is room for it now.
    fn send_now(&mut self) -> io::Result<()> {
        let TlsStream { socket, session, taken, .. } = self;
        let sent = session.as_mut().map_or(Ok(()), |session| send_all(session, &mut Hasty(socket), taken));
        sent.or_else(|problem| if problem.kind() == ErrorKind::WouldBlock { Ok(()) } else { Err(problem) })
    }

    /// What was agreed on, or why it is not good enough.
    fn info(&self) -> Result<TlsInfo, &'static str> {
        let session = self.session.as_ref().ok_or("nothing was said")?;
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let client =
            certificate.map(|certificate| client_of(certificate).ok_or("its certificate cannot be read"));
        let client = match client.transpose()? {
            // A session that is resumed may be older than that.
            Some((_, end)) if end < Clock::system().date() => return Err("its certificate has expired"),
            client => client.map(|(client, _)| client),
        };
        Ok(TlsInfo {
            version: match session.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            cipher_suite: session
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or_default(),
            group: session.negotiated_key_exchange_group().and_then(|group| group.name().as_str()),
            resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            server_name: session
                .server_name()
                .map(|name| name.trim_end_matches('.').to_ascii_lowercase().into()),
            client,
        })
    }
}

impl Read for TlsStream {
    /// Zero is the client's `close_notify`; a socket that ends without one is `UnexpectedEof`, because anybody on the way
    /// could have ended it.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session_for_io()?.reader().read(buffer) {
                Err(problem) if problem.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            self.send_now()?;
            let TlsStream { socket, session: Some(session), .. } = self else {
                return Err(ErrorKind::NotConnected.into());
            };
            session.read_tls(&mut &**socket)?;
            if let Err(problem) = session.process_new_packets() {
                return Err(io::Error::new(ErrorKind::InvalidData, self.end(problem)));
            }
        }
    }
}

impl Write for TlsStream {
    /// What was written before goes first; if the socket does not take that, nothing of `bytes` is taken either.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send_pending()?;
        let taken = self.session_for_io()?.writer().write(bytes)?;
        self.send_what_was_taken(taken)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_pending()?;
        let taken = self.session_for_io()?.writer().write_vectored(pieces)?;
        self.send_what_was_taken(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_pending()
    }
}

impl Write for Hasty<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(self.0).send_with_flags(bytes, HASTE)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        SockRef::from(self.0).send_vectored_with_flags(pieces, HASTE)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for TlsStream {
    /// The client learns that this is the end and not somebody on the way; if there is no room to say so, it does not.
    fn drop(&mut self) {
        if let TlsStream { session: Some(session), over: false, .. } = self
            && !session.is_handshaking()
        {
            session.send_close_notify();
            let _ = self.send_now();
        }
    }
}

fn send_all(session: &mut ServerConnection, socket: &mut dyn Write, taken: &mut u64) -> io::Result<()> {
    while session.wants_write() {
        send_some(session, socket, taken)?;
    }
    Ok(())
}

fn send_some(session: &mut ServerConnection, socket: &mut dyn Write, taken: &mut u64) -> io::Result<()> {
    if !session.wants_write() {
        return Ok(());
    }
    match session.write_tls(socket) {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        Ok(count) => {
            *taken += count as u64;
            Ok(())
        }
        Err(problem) if problem.kind() == ErrorKind::Interrupted => Ok(()),
        Err(problem) => Err(problem),
    }
}

fn broken(problem: &io::Error) -> HandshakeError {
    if problem.kind() == ErrorKind::WouldBlock { HandshakeError::Waiting } else { HandshakeError::Broken }
}

fn refused(problem: &rustls::Error) -> HandshakeError {
    HandshakeError::Refused(problem.to_string())
}

/// Whether the first bytes of a connection are those of an HTTP request: letters, where TLS has a number.
fn is_plain_http(input: &[u8]) -> bool {
    input.first().is_some_and(|&byte| byte != HANDSHAKE_RECORD && byte.is_ascii_uppercase())
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}
