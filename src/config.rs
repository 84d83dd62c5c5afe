//! Every limit of the server, as plain data with one `Default` and one table of settings.
//!
//! [`SETTINGS`] is where a limit gets its name, its bounds and its help; flags, environment variables and the help
//! text are made from it.

mod network;
mod settings;
mod value;

pub(crate) use network::host;
pub use network::{AddressSource, Network};
pub use settings::{Group, SETTINGS, Setting};
#[cfg(feature = "cli")]
pub(crate) use value::read_time;

use crate::error::Error;
use std::time::Duration;

/// How many of something a client may have in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many, in any window of the span.
    pub count: u32,
    /// The length of the window.
    pub span: Duration,
}

/// Every limit of the server. All bounds are on by default; there is no value that means "unlimited" but `None` where
/// a field is an `Option`.
///
/// ```
/// use selvedge::Config;
/// use selvedge::config::Rate;
/// use std::time::Duration;
///
/// let config = Config {
///     max_body: 10 << 20,
///     rate_limit: Some(Rate { count: 60, span: Duration::from_secs(60) }),
///     ..Config::default()
/// };
/// assert!(config.validate().is_ok());
///
/// let config = Config { max_body: 1 << 40, ..Config::default() };
/// let problem = config.validate().unwrap_err().to_string();
/// assert_eq!(problem, "bad value for --max-body: 1024GiB is more than --max-buffered, 256MiB; lower this or raise that");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Addresses the program listens on: `host:port`, `unix:PATH` for a Unix socket, or `fd:N` for one that is listened on
    /// already. A library's server listens where its builder says.
    pub bind: Vec<String>,

    /// Seats: connections served at once, one thread each. Default 1024.
    pub max_connections: usize,
    /// Connections one client may hold at once (IPv4 /32, IPv6 /64; all that come by Unix sockets are one). Default 256.
    pub max_connections_per_client: Option<usize>,
    /// Places in the lobby, where accepted connections wait for a seat. Default 256.
    pub max_waiting: usize,
    /// How long a connection waits in the lobby before it is refused with 503. Default 500 ms.
    pub seat_wait: Duration,
    /// Requests after which a connection has had its share: while others wait for a seat, one that has made so many since it
    /// began is closed after the answer at hand. Default 100.
    pub fair_share: u64,
    /// The size of a worker's stack, in bytes of address space; only touched pages cost memory. Default 256 KiB.
    pub stack_size: usize,
    /// Extra seats and threads that stand in for stuck handlers, at most. Default 32.
    pub max_stand_ins: usize,

    /// Requests handled at once. Default 100.
    pub max_in_flight: usize,
    /// Requests that wait for one of those to end, at most; past it 503 at once. Default 100.
    pub max_queued: usize,
    /// How long a request waits to be handled before it is refused with 503. Default 500 ms.
    pub queue_wait: Duration,
    /// Bytes of request bodies held in memory at once, all connections together. Default 256 MiB, or half of the memory limit
    /// if that is less.
    pub max_buffered: usize,
    /// Bytes of memory of the whole process, or 80 % of what its control group has, if that is less; past it idle
    /// connections are closed, then those that stall, and then new ones refused. Default 1 GiB.
    pub max_memory: Option<u64>,
    /// Requests a client may make. `None` is off, and the default of the library; the built-in application has 30/60s.
    pub rate_limit: Option<Rate>,
    /// Refusals of a client past which it is refused for longer and longer. `None` is off, and the default of the library;
    /// the built-in application has 10/60s.
    pub throttle: Option<Rate>,

    /// Hosts that are served; others get 421. Empty, the default, serves any.
    pub allow_hosts: Vec<String>,
    /// Peers whose word on a client's address counts. Default none.
    pub trusted_proxies: Vec<Network>,
    /// Where that word is read. Default nowhere: the peer is the client.
    pub client_ip_from: AddressSource,

    /// Bytes of one request's body. Default 1 MiB.
    pub max_body: u64,
    /// Bytes of a request's path, without its query. Default 255.
    pub max_path: usize,
    /// Bytes of the request line; past it 414. Default 8 KiB.
    pub max_request_line: usize,
    /// Bytes of a request's head, request line included; past it 431. Default 32 KiB.
    pub max_head: usize,
    /// Fields of a request's head; past it 431. Default 100.
    pub max_headers: usize,

    /// For a TLS handshake. Default 5 s.
    pub handshake_timeout: Duration,
    /// For a whole head to arrive, from its first byte, or from the connection's arrival for the first. Default 10 s.
    pub header_timeout: Duration,
    /// For a whole body to arrive. Default 120 s.
    pub body_timeout: Duration,
    /// Bytes a second below which, on average and after `rate_grace`, a body ends with 408; what is ahead of it by more than
    /// [`MAX_PAUSE`](crate::threads::MAX_PAUSE), 10 s, does not count. And the pace at which the bytes of an answer add to
    /// `write_timeout`. Default 500.
    pub min_rate: Option<u64>,
    /// How long a body may be slower than `min_rate` at its start. Default 5 s.
    pub rate_grace: Duration,
    /// For an answer to be read by its client, and the time its bytes take at `min_rate` besides: a gigabyte may take
    /// three weeks, a client that reads nothing has just this. Default 300 s.
    pub write_timeout: Duration,
    /// How long a connection may be idle between requests. Default 15 s.
    pub keep_alive: Duration,
    /// How long a handler may run before it is reported as stuck. It is not ended, for nobody can end a thread; a seat is
    /// added in its place, up to `max_stand_ins`. Default 30 s.
    pub handler_timeout: Duration,
    /// How long the program's shutdown waits for requests being served; in the library
    /// [`Server::shutdown`](crate::Server::shutdown) is told. Those that are cut then have up to a second more to end.
    /// Default 30 s.
    pub drain_timeout: Duration,
}

/// Names of the settings that hold for as long as a server runs: how many there are of everything is decided at its start.
pub const FIXED: [&str; 10] = [
    "max-connections",
    "max-connections-per-client",
    "max-waiting",
    "seat-wait",
    "stack-size",
    "max-stand-ins",
    "max-in-flight",
    "max-queued",
    "max-buffered",
    "max-memory",
];

impl Default for Config {
    fn default() -> Self {
        Config {
            bind: vec!["127.0.0.1:8000".into()],
            max_connections: 1024,
            max_connections_per_client: Some(256),
            max_waiting: 256,
            seat_wait: Duration::from_millis(500),
            fair_share: 100,
            stack_size: 256 << 10,
            max_stand_ins: 32,
            max_in_flight: 100,
            max_queued: 100,
            queue_wait: Duration::from_millis(500),
            max_buffered: 256 << 20,
            max_memory: Some(1 << 30),
            rate_limit: None,
            throttle: None,
            allow_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            client_ip_from: AddressSource::Peer,
            max_body: 1 << 20,
            max_path: 255,
            max_request_line: 8 << 10,
            max_head: 32 << 10,
            max_headers: 100,
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(120),
            min_rate: Some(500),
            rate_grace: Duration::from_secs(5),
            write_timeout: Duration::from_secs(300),
            keep_alive: Duration::from_secs(15),
            handler_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// Whether a server can run with these limits: each within the bounds of its [`Setting`], none at odds with another, and
    /// hosts that can be asked for. The first that is not is named. [`bind`](Config::bind) is not looked at.
    pub fn validate(&self) -> Result<(), Error> {
        // What can be written can be had: the bounds are those of the text, so they stand in one place.
        let mut scratch = self.clone();
        for setting in SETTINGS {
            (setting.set)(&mut scratch, &(setting.show)(self))
                .map_err(|problem| Error::Setting { name: setting.name, problem })?;
        }
        if self.max_request_line > self.max_head {
            return Err(self.conflict("max-request-line", "max-head"));
        }
        if self.max_body > self.max_buffered as u64 {
            return Err(self.conflict("max-body", "max-buffered"));
        }
        for name in &self.allow_hosts {
            host(name).map_err(|problem| Error::Setting { name: "allow-host", problem })?;
        }
        Ok(())
    }

    /// Whether somebody can be believed where a client's address is to be read: a proxy that is named or, where peers
    /// `may_be_local`, one that comes by a Unix socket.
    pub(crate) fn validate_source(&self, may_be_local: bool) -> Result<(), Error> {
        if self.client_ip_from == AddressSource::Peer || may_be_local || !self.trusted_proxies.is_empty() {
            return Ok(());
        }
        let problem = "nobody is trusted to send it; name the proxies with --trusted-proxy".into();
        Err(Error::Setting { name: "client-ip-from", problem })
    }

    /// The same limits, but those that are [`FIXED`] as they are in `running`.
    pub(crate) fn within(&self, running: &Config) -> Config {
        let mut config = self.clone();
        for setting in SETTINGS.iter().filter(|setting| FIXED.contains(&setting.name)) {
            // What was shown can be read.
            let _ = (setting.set)(&mut config, &(setting.show)(running));
        }
        config
    }

    /// `small` is larger than `large`, which holds it.
    fn conflict(&self, small: &'static str, large: &'static str) -> Error {
        let shown = |name| {
            SETTINGS.iter().find(|setting| setting.name == name).map(|s| (s.show)(self)).unwrap_or_default()
        };
        let problem =
            format!("{} is more than --{large}, {}; lower this or raise that", shown(small), shown(large));
        Error::Setting { name: small, problem }
    }
}
