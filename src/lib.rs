//! A hardened HTTP/1.1 server on blocking sockets and plain threads. No async runtime.
//!
//! A selvedge is the edge of a cloth that keeps the threads from unravelling.
//!
//! A handler is a function that may block. It is called on the thread of its connection, so it reads a file, asks a database
//! or sleeps as any program does, and nobody else waits for it:
//!
//! ```
//! use selvedge::{Request, Response, Router, Server};
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! let router = Router::new()
//!     .get("/", |_: &mut Request| "hello\n")
//!     .post("/length", |request: &mut Request| {
//!         Response::text(format!("{} bytes\n", request.body().len()))
//!     });
//! let server = Server::builder().bind("127.0.0.1:0")?.serve(router)?; // port 0: any that is free
//!
//! // It serves by now, on threads of its own. What a client does:
//! let mut client = std::net::TcpStream::connect(server.local_addr().unwrap())?;
//! client.write_all(b"POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\n")?;
//! client.write_all(b"Content-Length: 5\r\n\r\nhello")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n5 bytes\n"));
//!
//! // Requests being served have half a minute to be finished.
//! let report = server.shutdown(Duration::from_secs(30));
//! assert!(report.cut.is_empty(), "{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why threads
//!
//! One connection is one thread for as long as it lives. That is the simplest model there is, and it has a bad name, because
//! slow clients take such threads one by one until nobody is served. Here every connection sits on one of 1,024 seats of one
//! table, the [board](threads::Board), which knows what each thread does and until when it may. A watchdog reads it and ends
//! what overstays; and when all seats are taken, the one that deserves it least is taken back. What slow, silent or hostile
//! clients do costs them their own connection and nobody else's.
//!
//! Everything a stranger can ask for more and more of has a bound, and all of them are in [`Config`]: connections, requests in
//! flight, bytes of bodies and heads, time. Whatever two parsers could read in two ways is refused. Every answer, refusals
//! included, passes one door, where it gets its security headers.
//!
//! Where to begin: [`Server::builder`] starts a server, a [`Handler`] answers, a [`Router`] chooses among handlers, a [`Guard`]
//! stands before them, [`Config`] has the limits, [`Request`] and [`Response`] are what passes between them. The program
//! `selvedge`, which serves a directory without a line of Rust, is in the README.
//!
#![cfg_attr(
    all(any(doc, doctest), feature = "cli", feature = "tls", not(loom)),
    doc = include_str!("manual/map.md")
)]
//!
//! # The house
//!
//! Imports go strictly downward; a test holds them to it.
//!
//! | floor | rooms |
//! |---|---|
//! | 6 | `cli`: options, commands, banner, log, signals |
//! | 5 | [`server`]: listening, admission, the life of a connection, the end |
//! | 4 | [`net`]: listeners, streams, TLS |
//! | 3 | [`guard`]: what requests pass · [`service`]: what answers them · [`monitor`]: what is counted, logged and told |
//! | 2 | [`http1`]: bytes in, bytes out · `message`: [`Request`], [`Response`], [`Body`] |
//! | 1 | [`threads`]: semaphore, pool, lobby, board, table · [`config`]: every limit |
//! | 0 | [`error`] · [`clock`] · [`sanitize`] · [`record`]: one line, whatever is in it · `sync` |
//!
//! # Features
//!
//! | feature | | in `default` |
//! |---|---|---|
//! | `cli` | the program `selvedge`; brings `auth`, `files`, `inherit`, `json` and `metrics` | yes |
//! | `tls` | TLS by rustls with aws-lc-rs, which has the post-quantum group X25519MLKEM768 | yes |
//! | `tls-ring` | TLS by rustls with ring, without that group; where both are switched on, `tls` counts | |
//! | `self-signed` | `--tls-self-signed`, for development; brings `tls` and `auth` | yes |
//! | `files` | `Files`: directories, with ranges, preconditions, listings and compression | by `cli` |
//! | `auth` | tokens, passwords, sessions, the guard against forged requests; the token of [`Admin`](server::Admin); brings `json` | by `cli` |
//! | `json` | `Response::json`, `check_json`, and the built-in application | by `cli` |
//! | `metrics` | `/metrics` of [`Admin`](server::Admin), for Prometheus | by `cli` |
//! | `inherit` | sockets that somebody else has bound: `fd:N`, and those a service manager passes | by `cli` |
//!
//! Features only add. With `default-features = false` the library remains, with 18 dependencies, none of them async. It runs
//! on Unix; Linux has more of it (`openat2`, `sendfile`, Landlock, what `/proc` tells). The oldest Rust that builds it is 1.88.

#![cfg_attr(loom, allow(dead_code))]

#[cfg(all(feature = "cli", not(loom)))]
#[doc(hidden)]
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
#[cfg(not(loom))]
pub mod guard;
/// Of this floor the model checker needs just the stores.
#[cfg(all(loom, feature = "auth"))]
#[cfg_attr(test, mutants::skip)] // What is in them is planted with bugs once, as part of the whole floor.
pub mod guard {
    pub mod auth;
    pub mod session;
}
#[cfg(not(loom))]
pub mod http1;
// Chapters to read: there is no code in them but that of their examples, which need everything.
#[cfg(all(any(doc, doctest), feature = "cli", feature = "tls"))]
pub mod manual;
#[cfg(not(loom))]
mod message;
#[cfg(not(loom))]
pub mod monitor;
#[cfg(not(loom))]
pub mod net;
pub mod record;
pub mod sanitize;
#[cfg(not(loom))]
pub mod server;
#[cfg(not(loom))]
pub mod service;
mod sync;
pub mod threads;

pub use config::Config;
pub use error::{CloseReason, Error, Refusal};
#[cfg(all(feature = "auth", not(loom)))]
pub use guard::{Csrf, auth::BasicAuth, auth::BearerAuth, auth::TokenStore, session::Sessions};
#[cfg(all(feature = "files", not(loom)))]
pub use service::Files;
#[cfg(all(feature = "json", not(loom)))]
pub use service::{JsonError, check_json};
#[cfg(not(loom))]
pub use {
    config::{AddressSource, Network},
    guard::{ClientIdentity, Exchange, Guard, RateLimit, SecurityHeaders, Throttle, Validate},
    message::{Body, ClientKey, IntoResponse, Part, Request, RequestId, Response, Transport, Upgraded},
    message::{ClientCertificate, TlsInfo},
    net::Stream,
    server::{DrainReport, Server},
    service::{Handler, HttpsOnly, OfHttps, Plan, Router, Streaming},
};

#[cfg(all(feature = "tls-rustls", not(loom)))]
pub use net::{CertificateFiles, Profile, Tls, TlsSettings};

pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

/// The README's examples are compiled with the other ones.
#[cfg(all(doctest, feature = "files", feature = "tls-rustls", not(loom)))]
#[doc = include_str!("../README.md")]
struct Readme;
