//! Clients that break off, ask for too much, or try to be read in two ways. (Those that are slow are an `Army`.)

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::leave::{Leaving, Paths, Phase, Visit};
use crate::servers::{LARGE, PAGE};
use crate::tls::Wire;

const PAUSE: Duration = Duration::from_millis(20);
/// Readers over TLS that stop reading, at once, and how long each stays.
const SLOW_READERS: usize = 10;
const SLOW_READING: Duration = Duration::from_secs(8);

/// What must not be served; nothing of it may get a success.
const NONSENSE: [&str; 9] = [
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3fffffffffffffff\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "\u{0}\u{1}\u{2}\r\n\r\n",
];

#[derive(Default)]
pub struct Deeds {
    pub done: AtomicU64,
    /// Nonsense that was answered with a success.
    pub believed: AtomicU64,
}

/// Breaks off in every phase, and says nonsense, until all is over.
pub fn break_off(address: SocketAddr, paths: Paths, over: &AtomicBool, deeds: &Deeds) {
    for number in (0..).take_while(|_| !over.load(Relaxed)) {
        let phase = Phase::ALL[number % Phase::ALL.len()];
        for way in [Leaving::Reset, Leaving::HalfClose] {
            let told = Visit::begin(address, &paths, phase).and_then(|visit| visit.leave(way));
            note(&told.unwrap_or_default(), !phase.is_answered(), deeds);
        }
        let nonsense = NONSENSE[number % NONSENSE.len()].as_bytes();
        note(&say(address, nonsense), true, deeds);
        let large = match number % 4 {
            0 => format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(100_000)),
            1 => format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000)),
            2 => format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200)),
            _ => format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n{}",
                "x".repeat(100_000)
            ),
        };
        note(&say(address, large.as_bytes()), true, deeds);
        thread::sleep(PAUSE);
    }
}

/// Asks for a large file over TLS and does not read it.
pub fn read_nothing(address: SocketAddr, over: &AtomicBool, deeds: &Deeds) {
    let mut readers = VecDeque::new();
    while !over.load(Relaxed) {
        if let Ok(wire) = ask_over_tls(address) {
            readers.push_back((Instant::now(), wire));
            deeds.done.fetch_add(1, Relaxed);
        }
        let gone = |(since, _): &(Instant, Wire)| since.elapsed() > SLOW_READING;
        while readers.len() > SLOW_READERS || readers.front().is_some_and(gone) {
            readers.pop_front();
        }
        thread::sleep(SLOW_READING / SLOW_READERS as u32);
    }
}

fn ask_over_tls(address: SocketAddr) -> std::io::Result<Wire> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SLOW_READING))?;
    stream.set_write_timeout(Some(SLOW_READING))?;
    let mut wire = Wire::tls(stream, true)?;
    wire.write_all(format!("GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
    let _ = wire.read(&mut [0; 100])?;
    Ok(wire)
}

fn note(told: &[u8], is_nonsense: bool, deeds: &Deeds) {
    deeds.done.fetch_add(1, Relaxed);
    if is_nonsense && told.windows(11).any(|part| part == b"HTTP/1.1 20") {
        deeds.believed.fetch_add(1, Relaxed);
    }
}

fn say(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut told = Vec::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
        let _ = stream.write_all(bytes);
        let _ = stream.read_to_end(&mut told);
    }
    told
}

/// What those who break off ask of the application, which has no large page.
pub const OF_APPLICATION: Paths = Paths { small: "/", slow: "/long-running?ms=20", large: "/" };
/// The same of the directory, to which they speak no TLS.
pub const OF_DIRECTORY: Paths = Paths { small: PAGE, slow: PAGE, large: PAGE };
