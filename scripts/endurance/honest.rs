//! Honest clients: every request of theirs must be answered, and rightly.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{TIMEOUT, Tls};
use crate::servers::{LARGE, LARGE_LEN, PAGE, PAGE_LEN};
use crate::tls::Wire;

/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(20);
/// Requests on a connection that is kept.
const KEPT: usize = 50;
/// Requests sent at once.
const PIPELINED: usize = 5;
/// Troubles that are told of one by one.
const TOLD: usize = 20;

#[derive(Default)]
pub struct Tally {
    pub answered: AtomicU64,
    /// Refused with 503, which overload may do to anybody.
    pub overloaded: AtomicU64,
    pub troubles: Mutex<Troubles>,
    pub over: AtomicBool,
}

#[derive(Default)]
pub struct Troubles {
    /// Connections closed between two requests: the request was sent again on another.
    pub retried: u64,
    /// How often each failure has happened.
    pub failures: BTreeMap<String, u64>,
    /// The first of both: when, after how long, on which connection.
    pub told: Vec<Trouble>,
}

pub struct Trouble {
    pub text: String,
    /// The client's port, which the server's log names too.
    pub port: u16,
}

/// What a client does over and over.
#[derive(Clone, Copy)]
pub struct Habit {
    pub name: &'static str,
    request: fn() -> String,
    /// The status that is right, and the length of the body.
    status: u16,
    body: Option<usize>,
    head: bool,
    /// Sent at once, and on how many turns a connection is kept.
    at_once: usize,
    turns: usize,
}

const KEEP_ALIVE: Habit = Habit {
    name: "keep-alive",
    request: || get("/"),
    status: 200,
    body: None,
    head: false,
    at_once: 1,
    turns: KEPT,
};

/// What is asked of the application.
pub const APPLICATION: [Habit; 7] = [
    KEEP_ALIVE,
    Habit { name: "connection per request", turns: 1, ..KEEP_ALIVE },
    Habit { name: "post", request: post, ..KEEP_ALIVE },
    Habit { name: "chunked post", request: chunked, ..KEEP_ALIVE },
    Habit { name: "head", request: || text("HEAD", "/", ""), head: true, ..KEEP_ALIVE },
    Habit { name: "pipelined", at_once: PIPELINED, ..KEEP_ALIVE },
    Habit { name: "slow handler", request: || get("/long-running?ms=20"), ..KEEP_ALIVE },
];

/// What is asked of the directory.
pub const DIRECTORY: [Habit; 6] = [
    Habit { name: "page", request: || get(PAGE), body: Some(PAGE_LEN), ..KEEP_ALIVE },
    Habit {
        name: "page, a handshake each",
        request: || get(PAGE),
        body: Some(PAGE_LEN),
        turns: 1,
        ..KEEP_ALIVE
    },
    Habit { name: "range", request: range, status: 206, body: Some(1000), ..KEEP_ALIVE },
    Habit { name: "head of a file", request: || text("HEAD", LARGE, ""), head: true, ..KEEP_ALIVE },
    Habit { name: "large file", request: || get(LARGE), body: Some(LARGE_LEN), turns: 3, ..KEEP_ALIVE },
    Habit {
        name: "pipelined",
        request: || get(PAGE),
        body: Some(PAGE_LEN),
        at_once: PIPELINED,
        ..KEEP_ALIVE
    },
];

/// What is asked of the admin listener.
pub const ADMIN: [Habit; 2] = [
    Habit { name: "health", request: || get("/healthz"), turns: 5, ..KEEP_ALIVE },
    Habit { name: "metrics", request: || get("/metrics"), turns: 5, ..KEEP_ALIVE },
];

/// Does it until all is over.
pub fn live(address: SocketAddr, tls: Option<Tls>, habit: Habit, tally: &Tally) {
    let mut kept = None;
    let beginning = Instant::now();
    while !tally.over.load(Relaxed) {
        let fresh = kept.is_none();
        let (began, mut port) = (Instant::now(), 0);
        if let Err(what) = turn(&mut kept, &mut port, address, tls, habit, tally) {
            let mut troubles = tally.troubles.lock().expect("whole");
            let [second, ms] = [beginning.elapsed().as_secs_f64(), 1e3 * began.elapsed().as_secs_f64()];
            if troubles.told.len() < TOLD {
                let text =
                    format!("second {second:.3}, after {ms:.1} ms, from port {port}: {}: {what}", habit.name);
                troubles.told.push(Trouble { text, port });
            }
            // The server may close a connection that has been kept, but not before the first answer on one.
            if what.starts_with(CLOSED) && !fresh {
                troubles.retried += 1;
            } else {
                *troubles.failures.entry(format!("{}: {what}", habit.name)).or_default() += 1;
            }
        }
        thread::sleep(PAUSE);
    }
}

/// How a failure begins that is none on a connection that has been kept.
const CLOSED: &str = "closed before the answer";

struct Connection {
    wire: Wire,
    port: u16,
    input: Vec<u8>,
    turns: usize,
}

fn turn(
    kept: &mut Option<Connection>,
    port: &mut u16,
    address: SocketAddr,
    tls: Option<Tls>,
    habit: Habit,
    tally: &Tally,
) -> Result<(), String> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => connect(address, tls)?,
    };
    *port = connection.port;
    let sent = connection.wire.write_all((habit.request)().repeat(habit.at_once).as_bytes());
    let sent = sent.and_then(|()| connection.wire.flush());
    for _ in 0..habit.at_once {
        let answer = connection.answer(habit.head).map_err(|failure| match &sent {
            // What was not sent was not asked.
            Err(problem) => format!("{CLOSED}, not sent: {}", problem.kind()),
            Ok(()) => failure,
        })?;
        if answer.status == 503 {
            tally.overloaded.fetch_add(1, Relaxed);
        } else if answer.status != habit.status {
            return Err(format!("status {}", answer.status));
        } else if !habit.head && habit.body.is_some_and(|length| length != answer.length) {
            return Err(format!("{} bytes", answer.length));
        } else {
            tally.answered.fetch_add(1, Relaxed);
        }
        if answer.closes {
            return Ok(());
        }
    }
    connection.turns += 1;
    if connection.turns < habit.turns {
        *kept = Some(connection);
    }
    Ok(())
}

fn connect(address: SocketAddr, tls: Option<Tls>) -> Result<Connection, String> {
    let failed = |problem: std::io::Error| format!("not connected: {}", problem.kind());
    let stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_read_timeout(Some(2 * TIMEOUT)).map_err(failed)?;
    stream.set_write_timeout(Some(2 * TIMEOUT)).map_err(failed)?;
    let port = stream.local_addr().map_err(failed)?.port();
    let wire = match tls {
        Some(tls) => Wire::tls(stream, tls == Tls::Resumed).map_err(failed)?,
        None => Wire::Plain(stream),
    };
    Ok(Connection { wire, port, input: Vec::new(), turns: 0 })
}

struct Answer {
    status: u16,
    length: usize,
    closes: bool,
}

impl Connection {
    fn answer(&mut self, to_head: bool) -> Result<Answer, String> {
        let end = loop {
            if let Some(end) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8_lossy(&self.input[..end]).into_owned();
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length = field("Content-Length: ").and_then(|length| length.parse::<usize>().ok());
        let (Some(status), Some(length)) = (status, length) else {
            return Err(format!("no such answer: {}", head.lines().next().unwrap_or_default()));
        };
        let body = if to_head { 0 } else { length };
        self.input.drain(..end);
        let mut missing = body;
        loop {
            let here = missing.min(self.input.len());
            self.input.drain(..here);
            missing -= here;
            if missing == 0 {
                break;
            }
            if self.fill().is_err() {
                return Err("the answer is cut short".into());
            }
        }
        Ok(Answer { status, length, closes: field("Connection: close").is_some() })
    }

    fn fill(&mut self) -> Result<(), String> {
        let mut block = [0; 16 << 10];
        match self.wire.read(&mut block) {
            Ok(0) if self.input.is_empty() => Err(CLOSED.into()),
            Ok(0) => Err("the head is cut short".into()),
            Ok(count) => {
                self.input.extend_from_slice(&block[..count]);
                Ok(())
            }
            Err(problem) if matches!(problem.kind(), std::io::ErrorKind::WouldBlock) => {
                Err("no answer".into())
            }
            Err(problem) if self.input.is_empty() => Err(format!("{CLOSED}: {}", problem.kind())),
            Err(problem) => Err(format!("broken: {}", problem.kind())),
        }
    }
}

fn text(method: &str, path: &str, rest: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{rest}\r\n")
}

fn get(path: &str) -> String {
    text("GET", path, "")
}

fn post() -> String {
    text("POST", "/", "Content-Type: application/json\r\nContent-Length: 13\r\n") + "{\"n\":[1,2,3]}"
}

fn chunked() -> String {
    text("POST", "/", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n")
        + "6\r\n{\"n\":[\r\n7\r\n1,2,3]}\r\n0\r\n\r\n"
}

fn range() -> String {
    text("GET", LARGE, "Range: bytes=1000000-1000999\r\n")
}
