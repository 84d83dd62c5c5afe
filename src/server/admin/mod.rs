//! Health, metrics and the live board, for who watches over a server.
//!
//! | path | answer |
//! |---|---|
//! | `/board` | a page that shows every seat, live, and explains what one sees |
//! | `/board.json` | what the page is made from |
//! | `/threads` | what every thread is doing, a line each |
//! | `/metrics` | for Prometheus, as text or `OpenMetrics` (feature `metrics`) |
//! | `/healthz` | 200 while the threads live that everything depends on, else 503 |
//! | `/readyz` | 200 while more requests are wanted, else 503 and why |
//!
//! The article has one health check, answered by the pool it asks about: when slow clients hold every thread, whoever watches
//! over the server learns nothing but that it does not answer. Here all of this is on a listener of its own, with seats,
//! a lobby and deadlines of its own, and reads the tables that the server works with: it answers while all seats of the main
//! one are taken.

mod access;
mod board;
mod headline;
mod history;
mod json;
#[cfg(feature = "metrics")]
mod metrics;
mod probes;
mod status;
mod threads;

#[cfg(feature = "cli")]
pub(crate) use headline::thousands;
pub use threads::Threads;

use self::access::Access;
use self::board::{Query, board};
use self::history::{EVERY, Gathered, History};
use self::status::Status;
use super::Server;
use super::shared::Shared;
use crate::config::Config;
use crate::error::Error;
use crate::guard::SecurityHeaders;
use crate::message::{Request, Response};
use crate::monitor::{AccessLog, Journal};
use crate::net::{Address, Listener};
use crate::service::{Handler, Plan};
use crate::sync::{Arc, Builder, Mutex, Weak, sleep};
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderName, HeaderValue, StatusCode};
use std::time::Duration;

/// Seats of the listener: who asks is answered at once, and who stays away between two questions gives his to the next. Who
/// says nothing keeps his for 50 ms, so that several hundred a second can come to these and be outlived. A thread each, that
/// is started when it is needed.
const SEATS: usize = 16;
/// Connections that wait for one of them.
const PLACES: usize = 32;
/// Connections of one client, those that wait included: more than there are seats, because only where somebody waits the silent
/// ones lose theirs, to who asks from the same address; and so few that most of the places are left to others.
const PER_CLIENT: usize = SEATS + PLACES / 4;
/// Characters of a token, at least.
#[cfg(feature = "auth")]
const SHORTEST_TOKEN: usize = 16;
/// Address space for the sampler's stack: it sums up thousands of counters.
const STACK: usize = 128 << 10;

/// Answers who watches over a server: a handler, and a server around it.
///
/// ```
/// use selvedge::server::Admin;
/// use selvedge::{Request, Server};
///
/// let server = Server::builder().bind("127.0.0.1:0")?.serve(|_: &mut Request| "hello")?;
/// let admin = Admin::of(&server)?.serve("127.0.0.1:0")?;
/// println!("http://{}/board", admin.local_addr().unwrap());
/// # Ok::<(), selvedge::Error>(())
/// ```
///
/// Only GET and HEAD are answered, and, without a token (`Admin::token`), only requests to `localhost` or a loopback address.
#[derive(Clone)]
pub struct Admin {
    watched: Arc<Watched>,
    access: Access,
}

/// The server that is watched, and what is remembered of it.
struct Watched {
    shared: Arc<Shared>,
    addresses: Vec<Address>,
    journals: Vec<Journal>,
    /// Written by the sampler once a second.
    history: Mutex<History>,
}

impl Admin {
    /// Watches `server`, with a thread that takes a sample each second until all clones of this are dropped. What befalls
    /// connections is told to one of several that watch the same server.
    pub fn of(server: &Server) -> Result<Self, Error> {
        Admin::with_journals(server, Vec::new())
    }

    /// The same, and tells of the losses of these logs besides those of the access log.
    pub fn with_journals(server: &Server, journals: Vec<Journal>) -> Result<Self, Error> {
        let watched = Arc::new(Watched {
            shared: server.admission.shared.clone(),
            addresses: server.addresses.clone(),
            journals,
            history: Mutex::default(),
        });
        let sampled = Arc::downgrade(&watched);
        let sample = move || while sample(&sampled) {};
        Builder::new().name("sampler".into()).stack_size(STACK).spawn(sample).map_err(Error::Threads)?;
        Ok(Admin { watched, access: Access::default() })
    }

    /// Asks for this token, of 16 to 1024 visible characters: in `Authorization: Bearer …`, or, for browsers, as the password
    /// of any name. Only its SHA-256 is kept.
    #[cfg(feature = "auth")]
    pub fn token(mut self, token: &str) -> Result<Self, Error> {
        Admin::token_fits(token)?;
        self.access.token = Some(crate::guard::auth::Digest::of(token.as_bytes()));
        Ok(self)
    }

    /// Whether that can be a token.
    #[cfg(feature = "auth")]
    pub(crate) fn token_fits(token: &str) -> Result<(), Error> {
        let fits = (SHORTEST_TOKEN..=1024).contains(&token.len());
        if fits && token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(());
        }
        let problem = "the token must be one line of 16 to 1024 visible ASCII characters".into();
        Err(Error::Setting { name: "admin-token-file", problem })
    }

    /// Answers on a listener of its own: `host:port` or `unix:PATH`, with threads and limits that are apart from those of the
    /// server that is watched. An address that other machines can reach needs a token (`Admin::token`, feature `auth`).
    pub fn serve(self, address: &str) -> Result<Server, Error> {
        self.serve_on(Listener::bind(address)?)
    }

    /// The same, on what is bound already.
    pub fn serve_on(self, listener: Listener) -> Result<Server, Error> {
        self.may_answer(listener.address())?;
        let clock = self.watched.shared.clock.clone();
        builder().clock(clock).crew("admin-").listener(listener).serve(self)
    }

    /// Answers from now on in the place of the one that `running` was begun with, such as when the token has changed.
    pub fn take_over(self, running: &Server) -> Result<(), Error> {
        running.addresses().iter().try_for_each(|address| self.may_answer(address))?;
        running.renew(builder(), self)
    }

    fn may_answer(&self, address: &Address) -> Result<(), Error> {
        if address.is_local() || self.access.token.is_some() {
            return Ok(());
        }
        let problem = format!(
            "other machines can reach {address}, and there is no token; give one with --admin-token-file FILE, or use \
             127.0.0.1:PORT or unix:PATH"
        );
        Err(Error::Setting { name: "admin", problem })
    }
}

/// What every one of them is like.
fn builder() -> crate::server::Builder {
    let headers = SecurityHeaders::new().with(REFERRER_POLICY, HeaderValue::from_static("no-referrer")).with(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    Server::builder().config(config()).security_headers(headers)
}

impl Watched {
    /// The logs of which it is known how much they lost.
    fn journals(&self) -> Vec<Journal> {
        let policy = self.shared.policy();
        let access_log = policy.access_log.iter().map(AccessLog::journal);
        self.journals.iter().chain(access_log).cloned().collect()
    }
}

impl Handler for Admin {
    fn handle(&self, request: &mut Request) -> Response {
        if let Some(refusal) = self.access.refuse(request) {
            return refusal;
        }
        let watched = &*self.watched;
        let status = || Status::of(&watched.shared);
        let response = match request.path() {
            "/" => Response::new(StatusCode::FOUND).with_header(LOCATION, "/board"),
            "/healthz" => probes::health(&status()),
            "/readyz" => probes::readiness(&status()),
            "/board.json" => {
                Response::with_type("application/json", board(watched, &status(), Query::of(request)))
            }
            "/threads" => Response::text(Threads(self.watched.shared.clone()).to_string()),
            #[cfg(feature = "metrics")]
            "/metrics" => metrics::respond(request, watched, &status()),
            path => match PAGES.iter().find(|page| page.path == path) {
                Some(page) => return page.respond(),
                None => Response::problem(StatusCode::NOT_FOUND),
            },
        };
        response.with_header(CACHE_CONTROL, "no-store")
    }

    fn plan(&self, _: &Request) -> Plan {
        Plan { streams: true, instant: true, probe: true, max_body: Some(0) }
    }
}

/// A file of the page.
struct Page {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const PAGES: [Page; 4] = [
    Page { path: "/board", kind: "text/html; charset=utf-8", text: include_str!("board.html") },
    Page { path: "/board.css", kind: "text/css; charset=utf-8", text: include_str!("board.css") },
    Page { path: "/board.js", kind: "text/javascript; charset=utf-8", text: include_str!("board.js") },
    Page { path: "/icon.svg", kind: "image/svg+xml", text: include_str!("icon.svg") },
];

impl Page {
    fn respond(&self) -> Response {
        // Another version of the program has another page.
        Response::with_type(self.kind, self.text).with_header(CACHE_CONTROL, "no-cache")
    }
}

/// Small and impatient: whoever asks here has little to say, and is answered at once.
fn config() -> Config {
    let seconds = Duration::from_secs;
    Config {
        max_connections: SEATS,
        max_connections_per_client: Some(PER_CLIENT),
        max_waiting: PLACES,
        seat_wait: seconds(1),
        fair_share: 1,
        max_stand_ins: 0,
        max_in_flight: SEATS,
        max_buffered: 1 << 10,
        max_memory: None,
        max_body: 1,
        max_head: 8 << 10,
        max_request_line: 4 << 10,
        max_headers: 64,
        header_timeout: seconds(2),
        body_timeout: seconds(2),
        write_timeout: seconds(10),
        keep_alive: seconds(10),
        handler_timeout: seconds(10),
        drain_timeout: seconds(1),
        ..Config::default()
    }
}

/// Descriptors that the listener and who comes to it have at once, at most.
#[cfg(feature = "cli")]
pub(crate) fn admin_descriptors() -> usize {
    super::descriptors::descriptors(&config(), 1)
}

/// Takes a sample and waits for the next; false when nobody watches any more.
fn sample(watched: &Weak<Watched>) -> bool {
    let Some(watched) = watched.upgrade() else { return false };
    let gathered = Gathered::of(&watched.shared);
    watched.history.lock().add(gathered);
    drop(watched);
    sleep(EVERY);
    true
}
