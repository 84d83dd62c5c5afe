//! What can go wrong, by who has to know: [`Error`] for the operator, [`Refusal`] for the client, [`CloseReason`] for
//! the record.

use http::StatusCode;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

/// A server that cannot start, said so that the operator knows what to change.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An address to listen on could not be understood.
    Address {
        /// The address as it was given.
        given: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An address could not be listened on.
    Bind {
        /// The address as it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A directory to serve could not be opened.
    Directory {
        /// Its path as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A setting has a value it cannot have.
    Setting {
        /// The setting's name, as on the command line without the dashes.
        name: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// TLS cannot be spoken with what was given: a certificate, its key, or an authority of clients.
    Tls(String),
    /// The threads the server cannot do without could not be started.
    Threads(io::Error),
    /// The system gave no random numbers.
    Random,
    /// The system gave no memory.
    Memory,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Address { given, problem } => write!(f, "bad address '{given}': {problem}"),
            Error::Bind { address, source } => {
                write!(f, "cannot listen on {address}: ")?;
                let is_port = !address.starts_with("unix:");
                match source.kind() {
                    io::ErrorKind::AddrInUse if is_port => {
                        f.write_str("another program has that port; stop it, or choose another with --bind HOST:PORT")
                    }
                    io::ErrorKind::AddrInUse => f.write_str(
                        "another program listens there, or the file is no socket; choose another with --bind unix:PATH",
                    ),
                    io::ErrorKind::PermissionDenied if is_port => f.write_str(
                        "not permitted; ports below 1024 need a privilege: choose a higher one with --bind HOST:PORT, \
                         let systemd listen for you, or setcap cap_net_bind_service=+ep on the program",
                    ),
                    io::ErrorKind::AddrNotAvailable => f.write_str(
                        "this machine has no such address; use one of its own, 127.0.0.1, or 0.0.0.0 for all, with --bind",
                    ),
                    _ => write!(f, "{source}"),
                }
            }
            Error::Directory { path, source } => {
                write!(f, "cannot serve '{}': ", path.display())?;
                match source.kind() {
                    io::ErrorKind::NotFound => f.write_str("there is no such directory"),
                    io::ErrorKind::NotADirectory => f.write_str("it is not a directory"),
                    io::ErrorKind::PermissionDenied => f.write_str(
                        "not permitted; this user needs to be let into it, and into those above it",
                    ),
                    _ => write!(f, "{source}"),
                }
            }
            Error::Setting { name, problem } => write!(f, "bad value for --{name}: {problem}"),
            Error::Tls(problem) => write!(f, "TLS: {problem}"),
            Error::Threads(source) => {
                write!(
                    f,
                    "cannot start a thread: {source}; raise the limit on processes or lower --max-connections"
                )
            }
            Error::Random => f.write_str("the system gave no random numbers"),
            Error::Memory => f.write_str("the system gave no memory"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Bind { source, .. } | Error::Directory { source, .. } | Error::Threads(source) => {
                Some(source)
            }
            _ => None,
        }
    }
}

/// A request that is not served: the status the client gets and the reason that goes to the log.
///
/// The client sees the status with a fixed text and its request id, never the reason.
///
/// ```
/// use selvedge::{Refusal, StatusCode};
/// use std::time::Duration;
///
/// const CLOSED: Refusal =
///     Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "closed at night").retry_after(Duration::from_secs(8 * 60 * 60));
/// assert_eq!(CLOSED.status.as_u16(), 503);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer; 4xx or 5xx.
    pub status: StatusCode,
    /// Why, for the log and the counters. Fixed text: nothing of the request gets into it.
    pub reason: &'static str,
    /// When the client may come back, for the `Retry-After` field (RFC 9110 §10.2.3); whole seconds, rounded up.
    pub retry_after: Option<Duration>,
    /// Whether the connection ends with the answer, because where the next request begins cannot be trusted.
    pub close: bool,
}

impl Refusal {
    /// A refusal after which the connection may go on.
    pub const fn new(status: StatusCode, reason: &'static str) -> Self {
        Refusal { status, reason, retry_after: None, close: false }
    }

    /// A refusal that ends the connection.
    pub const fn closing(status: StatusCode, reason: &'static str) -> Self {
        Refusal { status, reason, retry_after: None, close: true }
    }

    /// The same refusal, telling the client when to come back.
    #[must_use]
    pub const fn retry_after(mut self, span: Duration) -> Self {
        self.retry_after = Some(span);
        self
    }
}

/// Declares refusals, status and reason together.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $reason:literal;)*) => {
        impl Refusal {
            $($(#[$doc])* pub const $name: Refusal = Refusal::closing(StatusCode::$status, $reason);)*

            /// What a request can be refused for while it is read.
            const READING: &[Refusal] = &[$(Refusal::$name),*];
        }
    };
}

refusals! {
    // The head: RFC 9112 §2–3, RFC 9110 §5–7.
    /// A line that does not end with CRLF, or a CR or LF anywhere else.
    BARE_LINE_BREAK = BAD_REQUEST, "bare CR or LF";
    /// A control character, NUL included.
    CONTROL_CHARACTER = BAD_REQUEST, "control character in the head";
    /// A request line that is not `method SP target SP version`.
    REQUEST_LINE = BAD_REQUEST, "malformed request line";
    /// A method that is not a token.
    METHOD = BAD_REQUEST, "malformed method";
    /// A request target that is none of the four forms, or has a character no target has.
    TARGET = BAD_REQUEST, "malformed request target";
    /// A method this server never serves (`CONNECT`).
    NOT_A_PROXY = NOT_IMPLEMENTED, "CONNECT is for proxies";
    /// Another major version than 1.
    VERSION = HTTP_VERSION_NOT_SUPPORTED, "HTTP version other than 1.x";
    /// A field line without a colon, with an empty name, or with a name that is not a token.
    FIELD_LINE = BAD_REQUEST, "malformed field line";
    /// A field line folded over two lines (RFC 9112 §5.2).
    FOLDED_FIELD = BAD_REQUEST, "folded field line";
    /// White space between a field's name and its colon (RFC 9112 §5.1).
    SPACE_BEFORE_COLON = BAD_REQUEST, "white space before a colon";
    /// A framing or authority field spelt with `_`, which some gateways read as `-`.
    DISGUISED_FIELD = BAD_REQUEST, "framing field spelt with an underscore";
    /// No Host, two of them, or one that is no authority (RFC 9112 §3.2).
    HOST = BAD_REQUEST, "missing, repeated or malformed Host";
    /// A request line longer than the limit.
    REQUEST_LINE_TOO_LONG = URI_TOO_LONG, "request line too long";
    /// A head longer than the limit.
    HEAD_TOO_LARGE = REQUEST_HEADER_FIELDS_TOO_LARGE, "head too large";
    /// More fields than the limit.
    TOO_MANY_FIELDS = REQUEST_HEADER_FIELDS_TOO_LARGE, "too many fields";
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    EXPECTATION = EXPECTATION_FAILED, "unknown expectation";

    // The framing of the body: RFC 9112 §6–7.
    /// A Content-Length that is not 1–19 digits, is repeated, or is a list.
    CONTENT_LENGTH = BAD_REQUEST, "malformed or repeated Content-Length";
    /// Content-Length beside Transfer-Encoding.
    LENGTH_AND_CODING = BAD_REQUEST, "Content-Length with Transfer-Encoding";
    /// Transfer-Encoding in an HTTP/1.0 request.
    CODING_IN_1_0 = BAD_REQUEST, "Transfer-Encoding in HTTP/1.0";
    /// A Transfer-Encoding that is not exactly `chunked`.
    CODING = BAD_REQUEST, "malformed Transfer-Encoding";
    /// A transfer coding this server does not know.
    UNKNOWN_CODING = NOT_IMPLEMENTED, "unknown transfer coding";
    /// A chunk size that is not 1–16 hex digits.
    CHUNK_SIZE = BAD_REQUEST, "malformed chunk size";
    /// A chunk extension past its bounds or with characters it cannot have.
    CHUNK_EXTENSION = BAD_REQUEST, "malformed or oversized chunk extension";
    /// Chunk data that is not followed by CRLF.
    CHUNK_END = BAD_REQUEST, "chunk not ended by CRLF";
    /// A trailer section that no head could have.
    TRAILER = BAD_REQUEST, "malformed trailer section";
    /// A body, announced or counted, past the limit.
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE, "body too large";

    /// A plain request where TLS is spoken.
    PLAIN_HTTP = BAD_REQUEST, "plain HTTP where TLS is spoken";

    // Time and room.
    /// A head that did not arrive in time.
    HEAD_TIMEOUT = REQUEST_TIMEOUT, "head not complete in time";
    /// A head that was still arriving when its seat was needed for somebody else.
    HEAD_EVICTED = REQUEST_TIMEOUT, "seat taken back during a head";
    /// A body that did not arrive in time, or slower than the minimum rate.
    BODY_TIMEOUT = REQUEST_TIMEOUT, "body not complete in time";
    /// A body that was still arriving when its seat, or its memory, was needed for somebody else.
    BODY_EVICTED = REQUEST_TIMEOUT, "seat taken back during a body";
    /// A body that ended before its length was reached.
    BODY_INCOMPLETE = BAD_REQUEST, "body incomplete";
}

/// How long a client that met overload is asked to stay away.
const OVERLOAD_PAUSE: Duration = Duration::from_secs(1);

impl Refusal {
    /// Every seat and every place in the lobby is taken, or a place there was waited out.
    pub const NO_SEAT: Refusal =
        Refusal::closing(StatusCode::SERVICE_UNAVAILABLE, "no seat").retry_after(OVERLOAD_PAUSE);
    /// The client holds as many connections as one client may.
    pub const TOO_MANY_CONNECTIONS: Refusal =
        Refusal::closing(StatusCode::SERVICE_UNAVAILABLE, "too many connections of one client")
            .retry_after(OVERLOAD_PAUSE);
    /// No descriptor is left for the connection.
    pub const NO_DESCRIPTOR: Refusal =
        Refusal::closing(StatusCode::SERVICE_UNAVAILABLE, "out of descriptors").retry_after(OVERLOAD_PAUSE);
    /// As many requests as may are being handled, and the wait for one of them to end was too long.
    pub const OVERLOADED: Refusal =
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests in flight")
            .retry_after(OVERLOAD_PAUSE);
    /// The budget for buffered bodies is spent.
    pub const NO_MEMORY: Refusal =
        Refusal::closing(StatusCode::SERVICE_UNAVAILABLE, "body budget spent").retry_after(OVERLOAD_PAUSE);
    /// The process has as much memory as it may, and giving up other things did not help.
    pub const MEMORY_SHORT: Refusal =
        Refusal::closing(StatusCode::SERVICE_UNAVAILABLE, "memory limit").retry_after(OVERLOAD_PAUSE);
    /// The server is shutting down.
    pub const DRAINING: Refusal =
        Refusal::closing(StatusCode::SERVICE_UNAVAILABLE, "shutting down").retry_after(OVERLOAD_PAUSE);
    /// A Forwarded field in which a quoted string does not end: what its client said cannot be told from what proxies added.
    pub const FORWARDED: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "malformed Forwarded");
    /// A path longer than the policy allows.
    pub const PATH_TOO_LONG: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "path too long");
    /// A path that, decoded, climbs with `..`, holds NUL, or is not decodable.
    pub const PATH: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "unsafe path");
    /// The client has made as many requests as it may for now.
    pub const TOO_MANY_REQUESTS: Refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate limit");
    /// The client has been refused too often lately.
    pub const THROTTLED: Refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "throttled");
    /// The request names a host that is not served here.
    pub const OTHER_HOST: Refusal = Refusal::new(StatusCode::MISDIRECTED_REQUEST, "host not on the list");
    /// The request names another host than the TLS connection it came over was opened for.
    pub const OTHER_SERVER_NAME: Refusal =
        Refusal::new(StatusCode::MISDIRECTED_REQUEST, "host other than the server name of TLS");
    /// The target says `https`, and neither did the request come over TLS nor does a trusted proxy say that it had it so.
    pub const NOT_SECURE: Refusal =
        Refusal::new(StatusCode::MISDIRECTED_REQUEST, "https over a connection that is not secure");
    /// The method is not on the list.
    pub const OTHER_METHOD: Refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method not on the list");
    /// The handler panicked.
    pub const PANIC: Refusal = Refusal::closing(StatusCode::INTERNAL_SERVER_ERROR, "handler panicked");
    /// The answer's reader, or its file, failed before anything of the answer was out.
    pub const ANSWER_FAILED: Refusal =
        Refusal::closing(StatusCode::INTERNAL_SERVER_ERROR, "answer could not be made");
}

impl Refusal {
    /// All of the above, the likely ones first.
    pub(crate) fn own() -> impl Iterator<Item = Refusal> {
        const OTHERS: [Refusal; 18] = [
            Refusal::TOO_MANY_REQUESTS,
            Refusal::THROTTLED,
            Refusal::OVERLOADED,
            Refusal::NO_SEAT,
            Refusal::TOO_MANY_CONNECTIONS,
            Refusal::NO_DESCRIPTOR,
            Refusal::NO_MEMORY,
            Refusal::MEMORY_SHORT,
            Refusal::DRAINING,
            Refusal::FORWARDED,
            Refusal::PATH_TOO_LONG,
            Refusal::PATH,
            Refusal::OTHER_HOST,
            Refusal::OTHER_SERVER_NAME,
            Refusal::NOT_SECURE,
            Refusal::OTHER_METHOD,
            Refusal::PANIC,
            Refusal::ANSWER_FAILED,
        ];
        OTHERS.into_iter().chain(Refusal::READING.iter().copied())
    }
}

/// Why a connection ended, for the log and the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client closed it between requests.
    Client,
    /// TLS was not agreed on.
    Handshake,
    /// The client went away in the middle of a message, or the network did.
    Broken,
    /// The answer said `Connection: close`, by the client's wish or the protocol's.
    Finished,
    /// A refusal after which nothing more is read.
    Refused(&'static str),
    /// It was idle for as long as it may be.
    IdleTimeout,
    /// The client did not read its answer in time.
    WriteTimeout,
    /// Its seat was taken back for another connection.
    Evicted,
    /// The server was shutting down.
    Shutdown,
    /// It was handed to an upgraded protocol.
    Upgraded,
    /// The answer was begun and could not be finished: its reader failed, or its file shrank.
    AnswerFailed,
    /// A bug in selvedge: the worker was saved by the fence of its pool.
    Panicked,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Client => "closed by the client",
            CloseReason::Handshake => "no TLS handshake",
            CloseReason::Broken => "broken off",
            CloseReason::Finished => "finished",
            CloseReason::Refused(reason) => reason,
            CloseReason::IdleTimeout => "idle too long",
            CloseReason::WriteTimeout => "answer not read in time",
            CloseReason::Evicted => "seat taken back",
            CloseReason::Shutdown => "shutting down",
            CloseReason::Upgraded => "upgraded",
            CloseReason::AnswerFailed => "answer could not be finished",
            CloseReason::Panicked => "worker panicked",
        })
    }
}
