//! What the tests against real sockets share: a server on a port of its own, a client that reads strictly, and a gate
//! for handlers to wait at. Nothing here waits without an end.

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use selvedge::server::Builder;
use selvedge::{Config, Handler, Server};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(5);

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A builder that listens on a free port.
pub fn builder(configure: impl FnOnce(&mut Config)) -> Builder {
    let mut config = Config::default();
    configure(&mut config);
    Server::builder().config(config).bind("127.0.0.1:0").expect("a free port")
}

/// A server on a free port.
pub fn serve(configure: impl FnOnce(&mut Config), handler: impl Handler) -> Server {
    builder(configure).serve(handler).expect("it starts")
}

/// Waits until `happened`; for what no channel tells of.
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "it did not come about that {what}");
        std::thread::sleep(ms(1));
    }
}

/// A connection from 127.0.0.`last`: another client than the others.
pub fn stream_from(server: &Server, last: u8) -> TcpStream {
    stream_between(last, server.local_addr().expect("it listens on TCP"))
}

/// A connection from 127.0.0.`last` to `address`.
pub fn stream_between(last: u8, address: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddr::from(([127, 0, 0, last], 0))).expect("an address of this machine");
    connect(&socket, &address).expect("it listens");
    TcpStream::from(socket)
}

/// A request without a body.
pub fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// A request with a body and its length.
pub fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A client that sends whatever it is told to and accepts only what RFC 9112 lets a server send.
pub struct Client<S = TcpStream> {
    pub stream: S,
    /// What has arrived and has not been read.
    input: Vec<u8>,
}

/// An answer, or an interim one.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no whole answer.
#[derive(Debug, PartialEq)]
pub enum Broken {
    /// The connection ended before the first byte.
    Ended,
    /// It ended in the middle: as much of the answer as came.
    Incomplete(Answer),
    /// It was reset.
    Reset,
    /// Nothing came in time.
    TimedOut,
}

impl Client {
    pub fn connect(server: &Server) -> Client {
        Client::to(server.local_addr().expect("it listens on TCP"))
    }

    pub fn to(address: SocketAddr) -> Client {
        Client::tcp(TcpStream::connect(address).expect("it listens"))
    }

    pub fn tcp(stream: TcpStream) -> Client {
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        Client::over(stream)
    }
}

impl Client<UnixStream> {
    pub fn unix(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        Client::over(stream)
    }
}

impl<S: Read + Write> Client<S> {
    /// A client over a stream whose reads end by themselves.
    pub fn over(stream: S) -> Self {
        Client { stream, input: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("it reads");
    }

    /// Sends what a server may refuse to read on.
    pub fn send_regardless(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends a request and reads the answer.
    #[track_caller]
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    #[track_caller]
    pub fn get(&mut self, path: &str) -> Answer {
        self.ask(request("GET", path))
    }

    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        self.read(false).expect("an answer")
    }

    /// What comes next, as it is.
    #[track_caller]
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.take(count, &mut bytes).expect("as many bytes");
        bytes
    }

    /// All that comes until the end, as it is.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill().is_ok_and(|count| count > 0) {}
        std::mem::take(&mut self.input)
    }

    /// The status of the answer, if there is one.
    pub fn try_get(&mut self, path: &str) -> Option<u16> {
        self.send_regardless(request("GET", path));
        self.read(false).ok().map(|answer| answer.status)
    }

    /// The answer to HEAD.
    #[track_caller]
    pub fn answer_to_head(&mut self) -> Answer {
        self.read(true).expect("an answer")
    }

    /// The answer must be the last thing that comes: the connection ends in good order.
    #[track_caller]
    pub fn last_answer(&mut self) -> Answer {
        let answer = self.answer();
        self.expect_end();
        answer
    }

    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.read(false).map_err(|broken| broken == Broken::Ended), Err(true));
    }

    /// Reads one answer.
    pub fn read(&mut self, to_head: bool) -> Result<Answer, Broken> {
        let mut answer = Answer { status: 0, fields: Vec::new(), body: Vec::new() };
        match self.read_head(&mut answer) {
            Err(Broken::Incomplete(_)) if answer.status == 0 && self.input.is_empty() => Err(Broken::Ended),
            Err(Broken::Incomplete(_)) => Err(Broken::Incomplete(answer)),
            Err(broken) => Err(broken),
            Ok(()) => match self.read_body(&mut answer, to_head) {
                Err(Broken::Incomplete(_)) => Err(Broken::Incomplete(answer)),
                Err(broken) => Err(broken),
                Ok(()) => Ok(answer),
            },
        }
    }

    fn read_head(&mut self, answer: &mut Answer) -> Result<(), Broken> {
        let line = self.line()?;
        let mut parts = line.splitn(3, ' ');
        assert_eq!(parts.next(), Some("HTTP/1.1"), "{line}");
        let status = parts.next().filter(|status| status.len() == 3).and_then(|status| status.parse().ok());
        answer.status = status.unwrap_or_else(|| panic!("not a status line: {line}"));
        assert!(parts.next().is_some_and(|reason| !reason.is_empty()), "no reason: {line}");
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("not a field: {line}"));
            let is_token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            assert!(is_token && !name.is_empty() && value.trim() == value, "not a field: {line}");
            answer.fields.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        if answer.status >= 200 {
            answer.assert_sealed();
        }
        Ok(())
    }

    fn read_body(&mut self, answer: &mut Answer, to_head: bool) -> Result<(), Broken> {
        let length = answer.field("content-length").map(|length| length.parse().expect("a length"));
        let coding = answer.field("transfer-encoding").map(str::to_owned);
        assert!(length.is_none() || coding.is_none(), "framed twice: {answer:?}");
        if answer.status < 200 || matches!(answer.status, 204 | 304) {
            assert!(length.is_none() && coding.is_none(), "framing where there is no body: {answer:?}");
        } else if to_head {
        } else if let Some(length) = length {
            self.take(length, &mut answer.body)?;
        } else if let Some(coding) = coding {
            assert_eq!(coding, "chunked");
            self.read_chunks(&mut answer.body)?;
        } else {
            assert_eq!(answer.field("connection"), Some("close"), "no end: {answer:?}");
            while self.fill()? > 0 {}
            answer.body.append(&mut self.input);
        }
        Ok(())
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> Result<(), Broken> {
        loop {
            let line = self.line()?;
            let size =
                usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("not a chunk size: {line}"));
            if size == 0 {
                assert_eq!(self.line()?, "", "trailers nobody sent");
                return Ok(());
            }
            self.take(size, body)?;
            assert_eq!(self.line()?, "", "a chunk longer than its size");
        }
    }

    /// A line without its CRLF.
    fn line(&mut self) -> Result<String, Broken> {
        loop {
            if let Some(end) = self.input.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let line = line.strip_suffix(b"\r\n").expect("CRLF");
                assert!(line.iter().all(|&byte| byte >= b' '), "{}", line.escape_ascii());
                return Ok(String::from_utf8(line.to_vec()).expect("UTF-8"));
            }
            if self.fill()? == 0 {
                return Err(incomplete());
            }
        }
    }

    /// Moves `count` bytes to `body`, or as many as come.
    fn take(&mut self, count: usize, body: &mut Vec<u8>) -> Result<(), Broken> {
        let mut left = count;
        loop {
            let here = left.min(self.input.len());
            body.extend(self.input.drain(..here));
            left -= here;
            if left == 0 {
                return Ok(());
            }
            if self.fill()? == 0 {
                return Err(incomplete());
            }
        }
    }

    fn fill(&mut self) -> Result<usize, Broken> {
        let mut block = [0; 16 << 10];
        let count = self.stream.read(&mut block).map_err(|problem| broken(&problem))?;
        self.input.extend_from_slice(&block[..count]);
        Ok(count)
    }
}

fn incomplete() -> Broken {
    Broken::Incomplete(Answer { status: 0, fields: Vec::new(), body: Vec::new() })
}

fn broken(problem: &io::Error) -> Broken {
    match problem.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Broken::TimedOut,
        _ => Broken::Reset,
    }
}

impl Answer {
    /// The value of a field, which must not be repeated.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(given, _)| given == name).map(|(_, value)| &**value);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is repeated: {self:?}");
        value
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub fn closes(&self) -> bool {
        self.field("connection").is_some_and(|list| list.split(", ").any(|option| option == "close"))
    }

    /// Every final answer has these, whoever wrote it.
    fn assert_sealed(&self) {
        for (name, value) in STANDING {
            assert_eq!(self.field(name), Some(*value), "{name} in {self:?}");
        }
        let id = self.field("x-request-id").unwrap_or_default();
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{self:?}");
        let date = self.field("date").unwrap_or_default();
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{self:?}");
    }
}

/// The fields on every answer that a server with the default set gives.
pub const STANDING: &[(&str, &str)] = &[
    ("server", "server"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "0"),
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'",
    ),
];

/// Where handlers wait until a test lets them go on.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Default)]
struct GateState {
    inside: usize,
    tickets: usize,
}

impl Gate {
    /// Waits to be let through. For handlers.
    pub fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().expect("whole");
        state.inside += 1;
        changed.notify_all();
        let (mut state, waited) =
            changed.wait_timeout_while(state, 2 * PATIENCE, |state| state.tickets == 0).expect("whole");
        assert!(!waited.timed_out(), "nobody opened the gate");
        state.tickets -= 1;
        state.inside -= 1;
    }

    /// Waits until `count` wait here.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        let (state, changed) = &*self.0;
        let waited = changed
            .wait_timeout_while(state.lock().expect("whole"), PATIENCE, |state| state.inside != count)
            .expect("whole");
        assert!(!waited.1.timed_out(), "{} instead of {count} wait at the gate", waited.0.inside);
    }

    /// Lets as many through, now or when they come.
    pub fn open(&self, count: usize) {
        let (state, changed) = &*self.0;
        state.lock().expect("whole").tickets += count;
        changed.notify_all();
    }
}
