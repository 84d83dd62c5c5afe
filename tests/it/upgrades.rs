//! Connections that speak another protocol: how long they may be silent, and how they end.

use crate::support::{Client, PATIENCE, builder, eventually, ms};
use selvedge::clock::Clock;
use selvedge::threads::Phase;
use selvedge::{HeaderValue, Request, Response, Server, Upgraded};
use std::io::{Read, Write};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const WISH: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: words\r\n\r\n";

/// A server that speaks like this, and stops when its clock is told to.
fn server(speak: impl Fn(Upgraded) + Clone + Send + Sync + 'static) -> (Server, Clock) {
    let clock = Clock::manual();
    let handler = move |_: &mut Request| {
        let speak = speak.clone();
        Response::upgrade(HeaderValue::from_static("words"), speak)
    };
    (builder(|_| ()).clock(clock.clone()).serve(handler).expect("it starts"), clock)
}

/// A client that has had its 101.
fn upgraded(server: &Server) -> Client {
    let mut client = Client::connect(server);
    assert_eq!(client.ask(WISH).status, 101);
    eventually("it is seen", || server.threads().to_string().contains(Phase::Upgraded.name()));
    client
}

/// Gives words back in capitals; says goodbye when none come any more.
fn shout(mut stream: Upgraded) {
    let mut word = [0; 5];
    while stream.read_exact(&mut word).is_ok() {
        stream.write_all(&word.to_ascii_uppercase()).expect("it reads");
    }
    let _ = stream.write_all(b"bye");
}

fn closed(server: &Server, reason: &str) -> u64 {
    server.monitor().totals().closed(reason)
}

/// Whatever moves, in either direction, makes the silence begin anew.
#[test]
fn silence_has_an_end() {
    let (server, clock) = server(shout);
    let mut client = upgraded(&server);
    for _ in 0..3 {
        clock.advance(a_second_less(Upgraded::MAX_SILENCE));
        // The watchdog has looked meanwhile; if not, this only shows less.
        thread::sleep(ms(60));
        client.send("hello");
        assert_eq!(client.bytes(5), b"HELLO");
    }
    wait_for(&server, 30);
    clock.advance(Upgraded::MAX_SILENCE);
    client.expect_end();
    eventually("it has left", || closed(&server, "idle_timeout") == 1);
}

fn a_second_less(span: Duration) -> Duration {
    span.saturating_sub(ms(1000))
}

/// Waits until so many bytes have been noted: they may have been read before.
fn wait_for(server: &Server, bytes: usize) {
    let moved = format!("  {bytes} bytes");
    eventually("it has moved", || server.threads().to_string().contains(&moved));
}

/// How long silence may be is for the protocol to say.
#[test]
fn silence_may_be_longer_or_shorter() {
    for span in [10, 3600].map(Duration::from_secs) {
        let (server, clock) = server(move |mut stream| {
            stream.set_max_silence(span);
            stream.write_all(b"hello").expect("it reads");
            shout(stream);
        });
        let mut client = upgraded(&server);
        assert_eq!(client.bytes(5), b"hello");
        clock.advance(a_second_less(span));
        // The watchdog has looked meanwhile; if not, this only shows less.
        thread::sleep(ms(60));
        client.send("there");
        assert_eq!(client.bytes(5), b"THERE", "{span:?}");
        wait_for(&server, 15);
        clock.advance(span);
        client.expect_end();
    }
}

/// At the end of the server nothing more comes of a connection that is quiet, and it can say goodbye. One that is not has as long
/// as a request has.
#[test]
fn the_end_of_the_server() {
    let (server, clock) = server(shout);
    let mut client = upgraded(&server);
    thread::scope(|scope| {
        let report = scope.spawn(|| server.shutdown(6 * PATIENCE));
        eventually("it is draining", || !server.monitor().is_ready());
        client.send("hello");
        assert_eq!(client.bytes(5), b"HELLO");
        assert!(!report.is_finished());
        wait_for(&server, 10);
        clock.advance(ms(1100));
        assert_eq!(client.rest(), b"bye");
        let report = report.join().expect("it returns");
        assert_eq!((report.finished, report.cut.len()), (1, 0), "{report}");
    });
    assert_eq!(closed(&server, "shutdown"), 1);
}

#[test]
fn who_goes_on_talking_is_cut_when_the_drain_ends() {
    let (tell, told) = channel();
    let tell = Arc::new(Mutex::new(tell));
    let (server, _) = server(move |mut stream| {
        // It hears nothing, and ends when it cannot be heard any more.
        while stream.write_all(b"talk").is_ok() {}
        tell.lock().expect("whole").send(()).expect("it waits");
    });
    let _client = upgraded(&server);
    let report = server.shutdown(ms(100));
    told.recv_timeout(PATIENCE).expect("it has ended");
    assert_eq!(report.cut.iter().map(|cut| cut.phase).collect::<Vec<_>>(), [Phase::Upgraded], "{report}");
}

/// The connection ends with the function that speaks, whoever else has a hand in it still: it has no seat any more.
#[test]
fn handles_that_are_left_are_dead() {
    let (tell, told) = channel();
    let tell = Arc::new(Mutex::new(tell));
    let (server, _) = server(move |stream| {
        let mut other = stream.try_clone().expect("a socket");
        let tell = tell.lock().expect("whole").clone();
        thread::spawn(move || tell.send(other.read(&mut [0; 5]).ok()));
        drop(stream);
    });
    let mut client = Client::connect(&server);
    assert_eq!(client.ask(WISH).status, 101);
    client.expect_end();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Some(0)));
    eventually("its seat is free", || server.monitor().counters().active_connections == 0);
}
