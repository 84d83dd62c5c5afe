//! A hardened, blocking, thread-per-connection HTTP/1.1 server. No async runtime.
//!
//! A selvedge is the edge of a cloth that keeps the threads from unravelling.
//!
//! ```no_run
//! use selvedge::{Request, Response, Server};
//! use std::time::Duration;
//!
//! let server = Server::builder()
//!     .bind("127.0.0.1:8000")?
//!     .serve(|request: &mut Request| Response::text(format!("hello, {}\n", request.path())))?;
//!
//! // … until it is time to go:
//! let report = server.shutdown(Duration::from_secs(30));
//! println!("{report}");
//! # Ok::<(), selvedge::Error>(())
//! ```
//!
//! One connection is one thread for as long as it lives, from a bounded [`pool`](threads::Pool). One table, the
//! [board](threads::Board), knows what each thread does and until when it may; a watchdog ends what overstays, and when
//! every seat is taken, the one that deserves it least is taken back. What slow, silent or hostile clients do costs them
//! their own connection and nobody else's.
//!
//! # The house
//!
//! Imports go strictly downward.
//!
//! | floor | rooms |
//! |---|---|
//! | 6 | `cli`: options, commands, banner, log, signals |
//! | 5 | [`server`]: listening, admission, the life of a connection, the end |
//! | 4 | [`net`]: listeners and streams |
//! | 3 | [`guard`]: what requests pass · [`service`]: what answers them · [`monitor`]: what is counted |
//! | 2 | [`http1`]: bytes in, bytes out · `message`: [`Request`], [`Response`], [`Body`] |
//! | 1 | [`threads`]: semaphore, pool, lobby, board, table · [`config`]: every limit |
//! | 0 | [`error`] · [`clock`] · [`sanitize`] · [`record`]: one line, whatever is in it · `sync` |
//!
//! # Features
//!
//! - `cli` (default): the program `selvedge`.
//! - `files`: directories, with ranges, preconditions, listings and compression.
//! - `json`: JSON responses, and the built-in application.
//! - `tls` (default), `tls-ring`: TLS, by rustls with aws-lc-rs, or with ring, which has no post-quantum group.
//! - `self-signed` (default): a certificate that the program makes up, for development.
//! - `metrics`: `/metrics` of [`Admin`](server::Admin), for Prometheus. Its token needs `auth`.
//! - `metrics`: what is counted, for Prometheus.
//! - `inherit`: sockets that somebody else has bound, `fd:N`, and those a service manager passes.
//! - `auth`: tokens, passwords, sessions, and the guard against requests that other sites forge.
//!
//! Without default features, what remains is the library, with less than twenty dependencies.

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
pub mod guard {
    pub mod auth;
    pub mod session;
}
#[cfg(not(loom))]
pub mod http1;
/// Chapters to read: there is no code in them but that of their examples, which need everything.
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
