//! Whole requests, over a connection in memory: everything but the system calls.

use crate::http1::{BARE, BROWSER};
use crate::timing::report_batch;
use selvedge::server::Builder;
use selvedge::{Method, RateLimit, Request, Response, SecurityHeaders, Server, Stream, Throttle, Validate};
use std::io::{self, Read, Write};
use std::time::Duration;

const REQUESTS: usize = 20_000;
const BODY: &str = "<!doctype html><title>selvedge</title><p>A page of a usual kind.</p>";

pub fn run(rounds: usize) {
    for (name, builder) in one_by_one() {
        let server = builder.serve(|_: &mut Request| Response::html(BODY)).expect("no address, no error");
        measure(&format!("a browser's request, {name}"), BROWSER, &server, rounds);
    }
    let plain = bare();
    // A window so short that nobody is refused, and as many times remembered as in the usual one.
    let guarded = Server::builder()
        .guard(RateLimit::new(30, Duration::from_micros(1)))
        .guard(Throttle::new(10, Duration::from_secs(60)));
    let mut builders = vec![("without guards", plain), ("with every default guard", guarded)];
    #[cfg(feature = "auth")]
    builders.push(("with sessions and CSRF too", with_sessions()));
    for (name, builder) in builders.drain(..) {
        let server = builder.serve(|_: &mut Request| Response::html(BODY)).expect("no address, no error");
        for (kind, message) in [("a bare request", BARE), ("a browser's request", BROWSER)] {
            measure(&format!("{kind}, {name}"), message, &server, rounds);
        }
    }
}

fn measure(name: &str, message: &'static [u8], server: &Server, rounds: usize) {
    report_batch(name, rounds, REQUESTS, || {
        server.serve_connection(Stream::other(Memory { message, left: REQUESTS }), None);
    });
}

/// As little as there can be: paths are judged and clients named all the same.
fn bare() -> Builder {
    Server::builder().security_headers(SecurityHeaders::none())
}

/// Each guard by itself.
fn one_by_one() -> Vec<(&'static str, Builder)> {
    let minute = Duration::from_secs(60);
    let mut builders = vec![
        ("no guard that could be left out", bare()),
        ("security headers", Server::builder()),
        ("rate limit", bare().guard(RateLimit::new(30, Duration::from_micros(1)))),
        ("throttle", bare().guard(Throttle::new(10, minute))),
        ("a list of hosts", bare().guard(Validate::new(255).allow_hosts(["example.org", "www.example.org"]))),
        ("a list of methods", bare().guard(Validate::new(255).allow_methods([Method::GET, Method::POST]))),
    ];
    builders.extend(of_accounts());
    builders
}

#[cfg(feature = "auth")]
fn of_accounts() -> [(&'static str, Builder); 2] {
    use selvedge::{Csrf, Sessions, clock::Clock};
    let sessions = || Sessions::new(Clock::system());
    [("sessions", bare().guard(sessions())), ("CSRF", bare().guard(Csrf::new(sessions())))]
}

#[cfg(not(feature = "auth"))]
fn of_accounts() -> [(&'static str, Builder); 0] {
    []
}

/// The same with what the program has besides: sessions and the guard against forged requests.
#[cfg(feature = "auth")]
fn with_sessions() -> Builder {
    use selvedge::{Csrf, Sessions, clock::Clock};
    let sessions = Sessions::new(Clock::system());
    Server::builder()
        .guard(RateLimit::new(30, Duration::from_micros(1)))
        .guard(Throttle::new(10, Duration::from_secs(60)))
        .guard(sessions.clone())
        .guard(Csrf::new(sessions))
}

/// A client that sends one request after the other and takes every answer.
struct Memory {
    message: &'static [u8],
    left: usize,
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        self.left -= 1;
        buffer[..self.message.len()].copy_from_slice(self.message);
        Ok(self.message.len())
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
