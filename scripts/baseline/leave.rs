//! Clients that leave, in every phase of a connection, and both ways.

use socket2::SockRef;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may be silent towards somebody who waits for its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// With a reset: whatever is on its way is lost.
    Reset,
    /// It says that it will say no more, and reads until the server closes.
    HalfClose,
}

/// Where a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before its first byte.
    Accepted,
    /// In the middle of a head.
    Head,
    /// In the middle of a body.
    Body,
    /// In the middle of a chunked body.
    Chunk,
    /// While its request waits or is handled.
    Handling,
    /// Before it has read a small answer.
    SmallAnswer,
    /// In the middle of an answer larger than all buffers, from memory or a file.
    LargeAnswer,
    /// Between two requests.
    Idle,
    /// In the middle of what looks like TLS' first message.
    Handshake,
}

impl Phase {
    pub const ALL: [Phase; 9] = [
        Phase::Accepted,
        Phase::Head,
        Phase::Body,
        Phase::Chunk,
        Phase::Handling,
        Phase::SmallAnswer,
        Phase::LargeAnswer,
        Phase::Idle,
        Phase::Handshake,
    ];

    /// Whether the server has been asked all there is to ask.
    pub fn is_answered(self) -> bool {
        matches!(self, Phase::Handling | Phase::SmallAnswer | Phase::LargeAnswer | Phase::Idle)
    }
}

/// What to ask for.
#[derive(Clone, Copy, Debug)]
pub struct Paths {
    pub small: &'static str,
    /// Takes a few milliseconds.
    pub slow: &'static str,
    /// More than all buffers hold.
    pub large: &'static str,
}

/// A client that has come as far as a phase.
pub struct Visit {
    stream: TcpStream,
    phase: Phase,
    told: Vec<u8>,
}

impl Visit {
    /// Connects and comes as far as `phase`.
    pub fn begin(address: SocketAddr, paths: &Paths, phase: Phase) -> io::Result<Visit> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        if phase == Phase::LargeAnswer {
            SockRef::from(&stream).set_recv_buffer_size(64 << 10)?;
        }
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&words(paths, phase))?;
        let mut visit = Visit { stream, phase, told: Vec::new() };
        match phase {
            Phase::LargeAnswer => visit.read_until(|told| told.len() >= 4096)?,
            Phase::Idle => visit.read_until(is_whole)?,
            _ => {}
        }
        Ok(visit)
    }

    /// Leaves, and gives all it was told; after a half-close that is everything up to the server's end.
    pub fn leave(self, leaving: Leaving) -> io::Result<Vec<u8>> {
        let Visit { mut stream, phase, mut told } = self;
        match leaving {
            Leaving::Reset => SockRef::from(&stream).set_linger(Some(Duration::ZERO))?,
            Leaving::HalfClose => {
                stream.shutdown(Shutdown::Write)?;
                match stream.read_to_end(&mut told) {
                    // It may close with something of ours unread where it has not been asked anything.
                    Err(problem) if problem.kind() == ErrorKind::ConnectionReset && !phase.is_answered() => {}
                    read => drop(read?),
                }
            }
        }
        Ok(told)
    }

    fn read_until(&mut self, enough: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let mut block = [0; 4096];
        while !enough(&self.told) {
            match self.stream.read(&mut block)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.told.extend_from_slice(&block[..count]),
            }
        }
        Ok(())
    }
}

fn words(paths: &Paths, phase: Phase) -> Vec<u8> {
    let get = |path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
    let post = |fields| format!("POST {} HTTP/1.1\r\nHost: localhost\r\n{fields}", paths.small).into_bytes();
    match phase {
        Phase::Accepted => Vec::new(),
        Phase::Head => b"GET / HTTP/1.1\r\nHost: loc".to_vec(),
        Phase::Body => post("Content-Length: 100\r\n\r\n0123456789"),
        Phase::Chunk => post("Transfer-Encoding: chunked\r\n\r\na\r\n01234"),
        Phase::Handling => get(paths.slow),
        Phase::SmallAnswer | Phase::Idle => get(paths.small),
        Phase::LargeAnswer => get(paths.large),
        // A record of 512 bytes is announced.
        Phase::Handshake => {
            [&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03][..], &[0x5a; 89]].concat()
        }
    }
}

/// Whether `told` is a whole answer with its length.
fn is_whole(told: &[u8]) -> bool {
    body_of(told).is_some_and(|(length, body)| body.len() >= length)
}

/// The length that an answer announces, and as much of its body as is there.
pub fn body_of(told: &[u8]) -> Option<(usize, &[u8])> {
    let end = told.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&told[..end]).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
    Some((length.parse().ok()?, &told[end..]))
}
