//! The manual: why each defence is there, and what it looks like when it works.
//!
//! It is for people who can read Python or Rust and have never had to think about threads. A chapter begins with what an
//! attacker or a crowd does and what becomes of a server that has no answer; then it says what selvedge does, with the
//! names, numbers and defaults that are in the code, which options change it, what a client sees, what an operator sees,
//! and what it does not do. Examples are run by the tests, so they are true; what stands behind a `$` has
//! been run, and what it printed is shortened at most.
//!
//! Read in this order, it begins with one request and ends with everything that may be wrong with one.
//!
//! | chapter | what it answers |
//! |---|---|
//! | [The way of one request](crate::manual::request) | What happens between the first byte and the last, and in which order. |
//! | [Threads, seats and the board](crate::manual::threads) | How one thread a connection can be safe: numbered seats, and a table that knows what each does. |
//! | [Deadlines](crate::manual::deadlines) | Why a timeout is no deadline, and which deadline holds when. |
//! | [Overload](crate::manual::overload) | Who gets a seat, who gets a handler, who is told to come back, and what memory may cost. |
//! | [Guards](crate::manual::guards) | What every request passes and every answer gets: paths, hosts, clients, rates, fields. |
//! | [Sessions](crate::manual::sessions) | Passwords, sessions, forged requests: who somebody is, and how that is stolen. |
//! | [TLS](crate::manual::tls) | Certificates, handshakes, and plain HTTP beside them. |
//! | [Files](crate::manual::files) | A directory that nobody climbs out of. |
//! | [Reading the live board](crate::manual::board) | What the picture of the threads says, and what to do about it. |
//! | [Operating](crate::manual::operating) | Starting, configuring, watching, reloading and ending it. |
//! | [Embedding](crate::manual::embedding) | The library in a program of your own. |
//! | [What the article did](crate::manual::article) | The server this one began from, and where we depart from it. |
//! | [Threats and defences](crate::manual::threats) | All of it as one table: threat, defence, and the test that shows it. |
//!
//! To see threads fall and hold instead of reading about it: `cargo run --example lessons`. How the code is laid out stands
//! on the [first page](crate).

#[doc = include_str!("manual/request.md")]
pub mod request {}
#[doc = include_str!("manual/threads.md")]
pub mod threads {}
#[doc = include_str!("manual/deadlines.md")]
pub mod deadlines {}
#[doc = include_str!("manual/overload.md")]
pub mod overload {}
#[doc = include_str!("manual/guards.md")]
pub mod guards {}
#[doc = include_str!("manual/sessions.md")]
pub mod sessions {}
#[doc = include_str!("manual/tls.md")]
pub mod tls {}
#[doc = include_str!("manual/files.md")]
pub mod files {}
#[doc = include_str!("manual/operating.md")]
pub mod operating {}
#[doc = include_str!("manual/embedding.md")]
pub mod embedding {}
#[doc = include_str!("manual/board.md")]
pub mod board {}
#[doc = include_str!("manual/article.md")]
pub mod article {}
#[doc = include_str!("manual/threats.md")]
pub mod threats {}
