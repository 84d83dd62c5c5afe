//! Connections that speak another protocol: how long they may be silent, and how they end.

use crate::support::{Client, Gate, PATIENCE, builder, eventually, ms, request, serve};
use selvedge::clock::Clock;
use selvedge::threads::Phase;
use selvedge::{HeaderValue, Method, Request, Response, Router, Server, Streaming, Upgraded};
use std::io::{self, Read, Write};
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

/// Who asks for what, what the handler speaks, and what comes of it: 101, or 426 with this `Connection`. The connection changes
/// to what its client has named, on whatever line, and to nothing else (RFC 9110 §7.8); who can ask again is told what for.
#[test]
fn only_what_was_asked_for() {
    let handler = |request: &mut Request| {
        let protocol = request.header("x-speaks").expect("it is said");
        Response::upgrade(HeaderValue::from_bytes(protocol).expect("a value"), |mut stream| {
            let _ = stream.write_all(b"hello");
        })
    };
    let server = serve(|_| (), handler);
    let refused = Some("upgrade");
    for (version, fields, speaks, connection) in [
        ("1.1", "Connection: upgrade\r\nUpgrade: shout", "shout", None),
        ("1.1", "Connection: Upgrade\r\nUpgrade: SHOUT", "shout", None),
        ("1.1", "Connection: upgrade\r\nUpgrade: websocket", "shout", refused),
        ("1.1", "Connection: upgrade\r\nUpgrade: shouts", "shout", refused),
        ("1.1", "Connection: upgrade\r\nUpgrade: ", "shout", refused),
        ("1.1", "Connection: upgrade\r\nUpgrade: websocket, shout", "shout", None),
        ("1.1", "Connection: upgrade\r\nUpgrade: ,, shout\t,", "shout", None),
        ("1.1", "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: shout", "shout", None),
        // A version is part of it, and its letters count.
        ("1.1", "Connection: upgrade\r\nUpgrade: shout/2", "shout", refused),
        ("1.1", "Connection: upgrade\r\nUpgrade: shout", "shout/2", refused),
        ("1.1", "Connection: upgrade\r\nUpgrade: shout/1, Shout/2", "shout/2", None),
        ("1.1", "Connection: upgrade\r\nUpgrade: shout/A", "shout/a", refused),
        // One above the other: all of them have to be wished.
        ("1.1", "Connection: upgrade\r\nUpgrade: b, a", "a, b", None),
        ("1.1", "Connection: upgrade\r\nUpgrade: a", "a, b", refused),
        ("1.1", "Connection: upgrade\r\nUpgrade: a", ",", refused),
        // The lines of a list are one list (RFC 9110 §5.3).
        ("1.1", "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: shout", "shout", None),
        ("1.1", "Connection: keep-alive, upgrade\r\nUpgrade: shout", "shout", None),
        ("1.1", "Connection: keep-alive\r\nConnection: x\r\nUpgrade: shout", "shout", refused),
        ("1.1", "Connection: upgrades\r\nUpgrade: shout", "shout", refused),
        // It is said what for, whatever becomes of the connection (RFC 9110 §15.5.22).
        ("1.1", "Connection: close", "shout", Some("close, upgrade")),
        ("1.0", "Upgrade: shout", "shout", Some("close, upgrade")),
        ("1.0", "Connection: keep-alive, upgrade\r\nUpgrade: shout", "shout", Some("keep-alive, upgrade")),
    ] {
        let mut client = Client::connect(&server);
        let answer =
            client.ask(format!("GET / HTTP/{version}\r\nHost: a\r\nX-Speaks: {speaks}\r\n{fields}\r\n\r\n"));
        let status = if connection.is_some() { 426 } else { 101 };
        let expected = (status, Some(speaks), connection.or(Some("upgrade")));
        assert_eq!(
            (answer.status, answer.field("upgrade"), answer.field("connection")),
            expected,
            "{fields} to {speaks}"
        );
        if connection.is_none() {
            assert_eq!(client.bytes(5), b"hello");
        }
    }
}

/// Another protocol begins where the request ends, its body included: one that nobody has read to its end is in the way.
#[test]
fn bodies_come_first() {
    let speak = |request: &mut Request| {
        let wanted = match request.path() {
            "/unread" => 0,
            "/part" => 2,
            _ => u64::MAX,
        };
        if wanted > 0 {
            io::copy(&mut request.body_reader().take(wanted), &mut io::sink()).expect("it is there");
        }
        Response::upgrade(HeaderValue::from_static("words"), |mut stream: Upgraded| {
            let mut word = [0; 4];
            stream.read_exact(&mut word).expect("a word");
            stream.write_all(&word.to_ascii_lowercase()).expect("it reads");
        })
    };
    let router =
        ["/unread", "/part", "/whole"].into_iter().fold(Router::new().get("/kept", speak), |router, path| {
            router.on(Method::GET, path, Streaming(speak))
        });
    let server = serve(|_| (), router);
    let sized = ("Content-Length: 5\r\n", "hello");
    let chunked = ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n");
    let empty = ("Content-Length: 0\r\n", "");
    for (path, (framing, body), connection) in [
        ("/kept", sized, None),
        ("/kept", chunked, None),
        ("/whole", sized, None),
        ("/whole", chunked, None),
        ("/unread", empty, None),
        ("/unread", ("", ""), None),
        // A small one can be thrown away.
        ("/unread", sized, Some("upgrade")),
        ("/unread", chunked, Some("close, upgrade")),
        ("/part", sized, Some("close, upgrade")),
        ("/part", chunked, Some("close, upgrade")),
    ] {
        let mut client = Client::connect(&server);
        let answer = client.ask(format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: words\r\n{framing}\r\n{body}REAL"
        ));
        let status = if connection.is_some() { 426 } else { 101 };
        let expected = (status, connection.or(Some("upgrade")));
        assert_eq!((answer.status, answer.field("connection")), expected, "{path} {framing}");
        if connection.is_none() {
            assert_eq!(client.bytes(4), b"real", "{path} {framing}");
        }
    }
}

/// Nothing new begins while the server ends, or it would be held up.
#[test]
fn none_while_the_server_ends() {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let handler = move |request: &mut Request| {
        match request.path() {
            "/plain" => return Response::text("plain"),
            "/busy" => at_gate.pass(),
            _ => {}
        }
        Response::upgrade(HeaderValue::from_static("words"), shout)
    };
    let server = builder(|_| ()).serve(handler).expect("it starts");
    let mut busy = Client::connect(&server);
    busy.send(WISH.replace("GET /", "GET /busy"));
    gate.wait_for(1);
    // Its second request has begun when the end does.
    let mut half = Client::connect(&server);
    half.send(request("GET", "/plain") + &WISH[..WISH.len() - 2]);
    assert_eq!(half.answer().text(), "plain");
    eventually("it has begun", || server.threads().to_string().contains(" head "));
    thread::scope(|scope| {
        let report = scope.spawn(|| server.shutdown(PATIENCE));
        eventually("it is draining", || !server.monitor().is_ready());
        gate.open(1);
        half.send("\r\n");
        for client in [&mut busy, &mut half] {
            let answer = client.answer();
            assert_eq!((answer.status, answer.closes(), answer.field("upgrade")), (503, true, None));
            client.expect_end();
        }
        let report = report.join().expect("it returns");
        assert_eq!((report.finished, report.cut.len()), (2, 0), "{report}");
    });
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
