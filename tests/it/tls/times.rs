//! Deadlines and evictions over TLS: whatever a connection waits for, it can be ended, and its client is told.

use super::client::{Offer, client, shake_hands, with};
use super::pki::tls;
use super::serve;
use crate::support::{Broken, eventually, ms, request};
use rustls::version::{TLS12, TLS13};
use selvedge::clock::Clock;
use selvedge::{Body, Config, Request, Response, Server};
use std::sync::Arc;
use std::time::Duration;

/// A server whose clock stands still until it is moved; `/large` is larger than any buffer.
fn timed() -> (Server, Clock) {
    let clock = Clock::manual();
    let config = Config { min_rate: None, write_timeout: Duration::from_secs(300), ..Config::default() };
    let builder = Server::builder().config(config).clock(clock.clone());
    let handler = |request: &mut Request| match request.path() {
        "/large" => Response::text(Body::from(vec![b'x'; 20 << 20])),
        _ => Response::text(request.body().len().to_string()),
    };
    let server =
        builder.bind_tls("127.0.0.1:0", &tls()).expect("a free port").serve(handler).expect("it starts");
    (server, clock)
}

fn active(server: &Server) -> usize {
    server.monitor().counters().active_connections
}

/// What is late is told so, though its sender goes on sending; what said nothing just ends. Each end is in good order.
#[test]
fn messages_that_are_late() {
    let rows: &[(&str, &str, Option<u16>)] = &[
        ("nothing", "", None),
        ("half a head", "GET / HT", Some(408)),
        ("half a body", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello", Some(408)),
        ("half a second head", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /", Some(408)),
        ("no second head", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
    ];
    let late = |config: &mut Config| {
        (config.header_timeout, config.body_timeout, config.keep_alive) = (ms(300), ms(300), ms(300));
    };
    let server = serve(late, |_: &mut Request| "hello");
    let begin = |(name, said, status): &(&'static str, &str, Option<u16>)| {
        [&TLS12, &TLS13].map(|version| {
            let config = Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
            let mut client = with(&server, &config, "localhost");
            shake_hands(&mut client);
            client.send(said);
            (format!("{name}, {version:?}"), said.starts_with("GET / HTTP/1.1"), *status, client)
        })
    };
    let clients: Vec<_> = rows.iter().flat_map(begin).collect();
    eventually("all are here", || server.monitor().counters().accepted == 10);
    eventually("all have left", || active(&server) == 0);
    for (at, answered, status, mut client) in clients {
        // Somebody who dribbles is not told by a reset.
        for _ in 0..if status.is_some() { 3 } else { 0 } {
            client.send_regardless("x");
        }
        if answered {
            assert_eq!(client.read(false).map(|answer| answer.status), Ok(200), "{at}");
        }
        if let Some(status) = status {
            let answer = client.read(false).unwrap_or_else(|broken| panic!("{at}: {broken:?}"));
            assert_eq!((answer.status, answer.closes()), (status, true), "{at}");
        }
        assert_eq!(client.read(false), Err(Broken::Ended), "{at}");
    }
}

/// A client that does not read costs its own connection, in time.
#[test]
fn answers_that_are_not_read() {
    let (server, clock) = timed();
    let mut client = client(&server);
    client.send(request("GET", "/large"));
    // More than the tickets, which are not the answer.
    eventually("the answer is on its way", || {
        client.stream.sock.peek(&mut [0; 8192]).is_ok_and(|count| count > 4096)
    });
    // What still moves at first buys as much again.
    eventually("it is cut", || {
        clock.advance(Duration::from_secs(301));
        active(&server) == 0
    });
    assert!(matches!(client.read(false), Err(Broken::Incomplete(_) | Broken::Reset)));
}
