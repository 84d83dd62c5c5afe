//! A client as honest programs are: one keep-alive connection, whole answers, one retry.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::tls::Wire;

/// A request not answered in this time has failed.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// How TLS is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// With a full handshake on each connection.
    Full,
    /// Going on where another connection has ended.
    Resumed,
}

pub struct Client {
    addr: SocketAddr,
    tls: Option<Tls>,
    request: Vec<u8>,
    stream: Option<Wire>,
    buffer: Vec<u8>,
}

/// A whole answer, whatever its status.
pub struct Answer {
    pub status: u16,
    /// The server had closed the kept connection before this request reached it; a fresh one was used.
    pub retried: bool,
}

/// Why there was no answer. (A status other than the expected one is for the caller to judge.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    Connect,
    Timeout,
    /// Closed without a byte of an answer: on a fresh connection no excuse for the server.
    Closed,
    Cut,
    Malformed,
    /// The client was held up past the end by earlier requests.
    NeverSent,
    Status(u16),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("not connected"),
            Self::Timeout => write!(f, "no answer in {} s", TIMEOUT.as_secs()),
            Self::Closed => f.write_str("closed before the answer"),
            Self::Cut => f.write_str("answer cut short"),
            Self::Malformed => f.write_str("answer malformed or without Content-Length"),
            Self::NeverSent => f.write_str("never sent, the client was still held up by earlier requests"),
            Self::Status(status) => write!(f, "status {status}"),
        }
    }
}

impl Client {
    pub fn new(addr: SocketAddr, path: &str, tls: Option<Tls>) -> Self {
        let request = request("GET", path, addr, "").into_bytes();
        Self { addr, tls, request, stream: None, buffer: vec![0; 16 * 1024] }
    }

    /// One request and its whole answer. A kept connection that the server had closed meanwhile is replaced once.
    pub fn get(&mut self) -> Result<Answer, Failure> {
        let deadline = Instant::now() + TIMEOUT;
        if let Some(stream) = self.stream.take() {
            match self.exchange(stream, deadline) {
                Err(Failure::Closed) => {}
                settled => return settled,
            }
            let answer = self.get_fresh(deadline)?;
            return Ok(Answer { retried: true, ..answer });
        }
        self.get_fresh(deadline)
    }

    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Closes the connection; the next request opens another.
    pub fn hang_up(&mut self) {
        self.stream = None;
    }

    fn get_fresh(&mut self, deadline: Instant) -> Result<Answer, Failure> {
        let stream = TcpStream::connect_timeout(&self.addr, left(deadline)?).map_err(|_| Failure::Connect)?;
        stream.set_nodelay(true).map_err(|_| Failure::Connect)?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(|_| Failure::Connect)?;
        stream.set_write_timeout(Some(TIMEOUT)).map_err(|_| Failure::Connect)?;
        let wire = match self.tls {
            Some(tls) => Wire::tls(stream, tls == Tls::Resumed).map_err(|_| Failure::Connect)?,
            None => Wire::Plain(stream),
        };
        self.exchange(wire, deadline)
    }

    /// Keeps the connection for the next request if the answer allows it.
    fn exchange(&mut self, mut stream: Wire, deadline: Instant) -> Result<Answer, Failure> {
        // An answer may be waiting even where the request could not be sent: a refusal, followed by a close.
        let sent = stream.write_all(&self.request);
        let mut filled = 0;
        let head = loop {
            match stream.read(&mut self.buffer[filled..]) {
                Ok(0) if filled == 0 => return Err(Failure::Closed),
                Ok(0) => return Err(Failure::Cut),
                Ok(n) => filled += n,
                Err(error) => return Err(if filled == 0 { trouble(&error) } else { Failure::Cut }),
            }
            if let Some(end) = self.buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
                let head = Head::parse(&self.buffer[..end]).ok_or(Failure::Malformed)?;
                filled -= end + 4;
                break head;
            }
            if filled == self.buffer.len() {
                return Err(Failure::Malformed);
            }
            left(deadline)?;
        };
        let mut missing = head.content_length.checked_sub(filled).ok_or(Failure::Malformed)?;
        while missing > 0 {
            left(deadline)?;
            let room = self.buffer.len().min(missing);
            match stream.read(&mut self.buffer[..room]) {
                Ok(n) if n > 0 => missing -= n,
                _ => return Err(Failure::Cut),
            }
        }
        if !head.close && sent.is_ok() {
            self.stream = Some(stream);
        }
        Ok(Answer { status: head.status, retried: false })
    }
}

/// The bytes of a request, `fields` being further header lines, each with its CRLF.
pub fn request(method: &str, path: &str, addr: SocketAddr, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {addr}\r\nUser-Agent: siege\r\nAccept: */*\r\n{fields}\r\n")
}

/// What this client needs to know of an answer's head.
struct Head {
    status: u16,
    content_length: usize,
    close: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let (mut content_length, mut close) = (None, false);
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                content_length = Some(value.parse().ok()?);
            } else if name.eq_ignore_ascii_case("connection") {
                close |= value.eq_ignore_ascii_case("close");
            }
        }
        Some(Self { status, content_length: content_length?, close })
    }
}

fn trouble(error: &io::Error) -> Failure {
    match error.kind() {
        // Unix reports a socket's timeout as the former, other systems as the latter.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Closed,
    }
}

fn left(deadline: Instant) -> Result<Duration, Failure> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Failure::Timeout) } else { Ok(left) }
}
