//! How a server begins.

use super::Server;
use super::acceptor::Acceptor;
use super::admission::Admission;
#[cfg(feature = "tls-rustls")]
use super::certificates::{Certificates, distinct};
use super::policy::Policy;
use super::refuse::Farewells;
use super::relief::Relief;
use super::shared::{RequestIds, Shared};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::guard::{Guard, SecurityHeaders};
use crate::monitor::resources::limit;
use crate::monitor::{AccessLog, AddressSpace, AlertSink, Alerts, Monitor};
use crate::net::{Address, Listener};
use crate::service::Handler;
use crate::sync::{Arc, AtomicU64, Condvar, Mutex};
use crate::threads::{Board, Budget, Latch, Lobby, LobbySettings, Semaphore, Tally};
use std::path::Path;

/// Puts a server together: limits, addresses, guards, and at last the handler. Begun by [`Server::builder`].
///
/// ```
/// use selvedge::{Config, RateLimit, Request, Response, SecurityHeaders, Server};
/// use std::time::Duration;
///
/// let config = Config { max_body: 64 << 10, keep_alive: Duration::from_secs(5), ..Config::default() };
/// let fields = SecurityHeaders::new().with("referrer-policy".parse()?, "no-referrer".parse()?);
/// let server = Server::builder()
///     .config(config)
///     .bind("127.0.0.1:0")? // a free port; `local_addr` tells which
///     .guard(RateLimit::per_minute(600))
///     .security_headers(fields)
///     .serve(|request: &mut Request| Response::text(request.path().to_owned()))?;
/// # drop(server);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder serves nothing until `serve` is called"]
pub struct Builder {
    config: Config,
    clock: Clock,
    listeners: Vec<Listener>,
    guards: Vec<Box<dyn Guard>>,
    headers: SecurityHeaders,
    monitor: Option<Monitor>,
    alert_sinks: Vec<Box<dyn AlertSink>>,
    access_log: Option<AccessLog>,
    crew: &'static str,
}

impl Builder {
    pub(super) fn new() -> Self {
        Builder {
            config: Config::default(),
            clock: Clock::system(),
            listeners: Vec::new(),
            guards: Vec::new(),
            headers: SecurityHeaders::new(),
            monitor: None,
            alert_sinks: Vec::new(),
            access_log: None,
            crew: "",
        }
    }

    /// The limits, in the place of [`Config::default`]. A server listens where [`bind`](Builder::bind) says, not where
    /// [`Config::bind`] does. Whether the limits go together shows when it starts: see [`Config::validate`].
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Listens on `host:port`, `unix:PATH` or `fd:N` (see [`Listener::bind`]), from now on; connections wait until the server
    /// serves. May be called again for more addresses, or not at all by who brings connections to
    /// [`Server::serve_connection`]. [`Error::Address`] if it is no address, [`Error::Bind`] if the system refuses it.
    ///
    /// ```
    /// use selvedge::Server;
    ///
    /// let problem = Server::builder().bind("localhost").err().unwrap().to_string();
    /// assert!(problem.ends_with("write HOST:PORT, as in 127.0.0.1:8000 or [::1]:8000"), "{problem}");
    /// ```
    pub fn bind(self, address: &str) -> Result<Self, Error> {
        let listener = Listener::bind(address)?;
        Ok(self.listener(listener))
    }

    /// Listens on `host:port` and speaks TLS there; on `unix:PATH`, plain HTTP.
    #[cfg(feature = "tls-rustls")]
    pub fn bind_tls(self, address: &str, tls: &crate::net::Tls) -> Result<Self, Error> {
        let listener = Listener::bind(address)?.with_tls(tls);
        Ok(self.listener(listener))
    }

    /// Listens on what somebody else has bound.
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Adds a guard. Guards admit in the order in which they are added, after the server's own (client, path and host, and,
    /// where [`Config`] has them, rate limit and throttle), and seal in the other.
    pub fn guard(mut self, guard: impl Guard) -> Self {
        self.guards.push(Box::new(guard));
        self
    }

    /// The fields on every response, in the place of the default set.
    pub fn security_headers(mut self, headers: SecurityHeaders) -> Self {
        self.headers = headers;
        self
    }

    /// A monitor that somebody else holds too, such as a health check. Several servers may count on one.
    pub fn monitor(mut self, monitor: Monitor) -> Self {
        self.monitor = Some(monitor);
        self
    }

    /// Somebody who is told of alerts, besides the log: of a client that makes more than 100 requests of one method and
    /// status in a minute, once a minute; of memory that runs out; of certificates that end or cannot be read. May be
    /// called again for more of them.
    ///
    /// ```
    /// use selvedge::Server;
    /// use selvedge::monitor::Alert;
    ///
    /// let builder = Server::builder().alert_sink(|alert: &Alert| eprintln!("{}", alert.to_json()));
    /// # let _ = builder;
    /// ```
    pub fn alert_sink(mut self, sink: impl AlertSink) -> Self {
        self.alert_sinks.push(Box::new(sink));
        self
    }

    /// Writes a line for every answer.
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// What the names of its threads begin with.
    pub(super) fn crew(mut self, crew: &'static str) -> Self {
        self.crew = crew;
        self
    }

    /// The clock, in the place of the machine's. For tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Gives a server that runs new limits, guards, fields, access log and handler: see [`Server::renew`].
    pub(super) fn renew(self, server: &Server, handler: impl Handler) -> Result<(), Error> {
        server.may_renew(&self.config)?;
        if let Some(listener) = self.listeners.first() {
            let problem = "a server that runs listens where it has begun to; start another one there".into();
            return Err(Error::Address { given: listener.address().to_string(), problem });
        }
        let Builder { config, guards, headers, access_log, .. } = self;
        let make = |before: &Policy| {
            Policy::new(config, headers, guards, access_log, Box::new(handler), Some(before))
        };
        server.admission.shared.replace_policy(make);
        Ok(())
    }

    /// Starts to serve, and returns: what serves are threads of its own. Fails if the limits cannot be
    /// ([`Error::Setting`]), or if the system gives no threads or random numbers.
    pub fn serve(self, handler: impl Handler) -> Result<Server, Error> {
        self.config.validate()?;
        let addresses: Vec<_> = self.listeners.iter().map(|listener| listener.address().clone()).collect();
        self.config.validate_source(may_be_local(&addresses))?;
        let Builder { config, clock, listeners, guards, headers, monitor, alert_sinks, access_log, crew } =
            self;
        let policy = Policy::new(config.clone(), headers, guards, access_log, Box::new(handler), None);
        let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
        let (farewells, farewell_thread) = Farewells::new(&clock);
        let lobby = LobbySettings {
            seats: config.max_connections,
            stand_ins: config.max_stand_ins,
            places: config.max_waiting,
            patience: config.seat_wait,
        };
        let monitor = monitor.unwrap_or_else(|| Monitor::new(clock.clone()));
        let seats = config.max_connections + config.max_stand_ins;
        let shared = Arc::new(Shared {
            board: Arc::new(Board::new(seats)),
            counts: monitor.add_seats(seats),
            lobby: Arc::new(Lobby::new(lobby)),
            in_flight: Arc::new(Semaphore::new(config.max_in_flight, config.max_queued)),
            budget: Budget::new(body_budget(&config)),
            reclaiming: Arc::new(Semaphore::new(1, config.max_connections)),
            tally: Arc::new(Tally::new(config.max_connections_per_client)),
            monitor,
            standing: Arc::default(),
            alerts: Alerts::start_as(format!("{crew}alerts"), alert_sinks, clock.clone())
                .map_err(Error::Threads)?,
            farewells,
            policy: Mutex::new(Arc::new(policy)),
            renewals: AtomicU64::new(0),
            #[cfg(feature = "tls-rustls")]
            certificates: Certificates::new(distinct(listeners.iter().filter_map(|listener| listener.tls()))),
            ids: RequestIds::new().map_err(|_| Error::Random)?,
            config,
            clock,
            crew,
        });
        let admission = Arc::new(Admission::new(shared));
        // From here on an error drops it, and so ends what has been started.
        let server = Server {
            admission: admission.clone(),
            addresses,
            listeners: listeners.iter().map(Arc::downgrade).collect(),
            listening: Latch::new(),
            ended: Mutex::new(false),
            end: Condvar::new(),
        };
        farewell_thread.spawn(&admission.shared).map_err(Error::Threads)?;
        admission.spawn_watchdog().map_err(Error::Threads)?;
        #[cfg(feature = "tls-rustls")]
        Certificates::watch(&admission.shared).map_err(Error::Threads)?;
        // One thread watches the process; the listener for those who watch over a server needs no second one.
        if crew.is_empty() {
            Relief::spawn(&admission).map_err(Error::Threads)?;
        }
        admission.shared.monitor.add_standing(&admission.shared.standing);
        for listener in listeners {
            Acceptor::spawn(listener, admission.clone(), server.listening.hold()).map_err(Error::Threads)?;
        }
        Ok(server)
    }
}

/// Whether connections may come that have no address: by a Unix socket, or from somebody who brings them.
pub(super) fn may_be_local(addresses: &[Address]) -> bool {
    addresses.is_empty() || addresses.iter().any(|address| address.tcp().is_none())
}

/// Bytes of bodies in all: what is configured, but the default gives way to a memory limit it does not fit in twice. A few
/// slow clients must not be able to bring the process to its limit.
fn body_budget(config: &Config) -> usize {
    let half = limit(config.max_memory, Path::new("/")).map_or(u64::MAX, |memory| memory / 2);
    // This limit kills, and nobody has thought of bodies who has set it.
    let space = AddressSpace::limited().map_or(u64::MAX, AddressSpace::for_bodies);
    if space < half.min(config.max_buffered as u64) {
        return usize::try_from(space).unwrap_or(usize::MAX);
    }
    let half = usize::try_from(half).unwrap_or(usize::MAX);
    if config.max_buffered <= half {
        return config.max_buffered;
    }
    if config.max_buffered == Config::default().max_buffered {
        return half;
    }
    log::warn!(
        "--max-buffered is more than half of the memory limit: bodies alone can bring the server to it"
    );
    config.max_buffered
}
