//! Whether the threads a server cannot do without are alive.

use crate::support::{Client, eventually};
use selvedge::clock::Clock;
use selvedge::monitor::Monitor;
use selvedge::{Request, Server};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn of_a_server() {
    let clock = Clock::manual();
    let monitor = Monitor::new(clock.clone());
    let silent = |monitor: &Monitor| {
        let now = monitor.now();
        (monitor.acceptor.since_last(now), monitor.watchdog.since_last(now))
    };
    assert_eq!(silent(&monitor), (Duration::ZERO, Duration::ZERO), "there is nobody yet");
    let server = Server::builder()
        .monitor(monitor.clone())
        .bind("127.0.0.1:0")
        .and_then(|builder| builder.bind("127.0.0.1:0"))
        .and_then(|builder| builder.serve(|_: &mut Request| "hello"))
        .expect("it starts");
    for _ in 0..3 {
        // Nobody connects: the acceptors wait, and the watchdog is at work.
        clock.advance(LONG);
        eventually("the acceptors wait", || silent(&monitor).0.is_zero());
        eventually("the watchdog beats", || silent(&monitor).1.is_zero());
        assert_eq!(Client::connect(&server).get("/").status, 200);
    }
    assert!(server.shutdown(LONG).cut.is_empty());
    clock.advance(LONG);
    eventually("all have ended as they should", || silent(&monitor) == (Duration::ZERO, Duration::ZERO));
}
