//! How connections begin: in pieces, in plain text, with garbage, or never.

use super::client::{Offer, client, connect, shake_hands, with};
use super::pki::tls;
use super::raw::{ALERT, DATA, HANDSHAKE, Hello, Reply, record, reply};
use super::serve;
use crate::support::{Client, eventually, ms, request};
use selvedge::clock::Clock;
use selvedge::{Config, Request, Server};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

fn hello(_: &mut Request) -> &'static str {
    "hello"
}

/// Sends `bytes` and says what comes back.
fn say(server: &Server, bytes: &[u8]) -> Reply {
    let mut stream = connect(server);
    stream.write_all(bytes).expect("it reads");
    reply(&mut stream)
}

#[test]
fn plain_http() {
    let server = serve(|_| (), hello);
    let rows: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        b"G",
    ];
    for bytes in rows {
        for piece in [bytes.len(), 1] {
            let mut client = Client::tcp(connect(&server));
            bytes.chunks(piece).for_each(|piece| client.send_regardless(piece));
            let answer = client.last_answer();
            let at = bytes.escape_ascii();
            assert_eq!((answer.status, answer.closes()), (400, true), "{at}: {answer:?}");
            assert_eq!(answer.field("strict-transport-security"), None, "{at}: it was not secure");
            assert!(answer.text().contains("https://"), "{at}: {}", answer.text());
        }
    }
    // HEAD's answer has no body (RFC 9110 §9.3.2).
    let mut client = Client::tcp(connect(&server));
    client.send("HEAD / HTTP/1.0\r\n\r\n");
    let answer = client.read(true).expect("an answer");
    assert_eq!((answer.status, answer.closes(), answer.text()), (400, true, ""));
    client.expect_end();
    eventually("they are counted", || server.monitor().counters().refused == 2 * rows.len() as u64 + 1);
}

/// An early answer is not destroyed by what the client sends meanwhile.
#[test]
fn a_long_plain_request_is_answered() {
    let server = serve(|_| (), hello);
    let mut client = Client::tcp(connect(&server));
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{}",
        "x".repeat(100_000)
    ));
    assert_eq!(client.last_answer().status, 400);
}

/// Alerts by number: 10 `unexpected_message`, 40 `handshake_failure`, 50 `decode_error`, 70 `protocol_version`, 22 `record_overflow`.
#[test]
fn what_is_no_handshake() {
    let server = serve(|_| (), hello);
    let versions = |version| Hello { version, ..Hello::default() }.records();
    let rows: &[(&str, Vec<u8>, Reply)] = &[
        ("SSL 3.0", versions(0x0300), Reply::Alert(70)),
        ("TLS 1.0", versions(0x0301), Reply::Alert(70)),
        ("TLS 1.1", versions(0x0302), Reply::Alert(70)),
        ("an SSL 2.0 hello", b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10".to_vec(), Reply::Alert(50)),
        (
            "CBC alone",
            Hello { suites: &[0xc009, 0xc013, 0x002f], ..Hello::default() }.records(),
            Reply::Alert(40),
        ),
        (
            "RSA key exchange alone",
            Hello { suites: &[0x009c, 0x009d], ..Hello::default() }.records(),
            Reply::Alert(40),
        ),
        ("DHE alone", Hello { suites: &[0x009e, 0x009f], ..Hello::default() }.records(), Reply::Alert(40)),
        ("no suites", Hello { suites: &[], ..Hello::default() }.records(), Reply::Alert(50)),
        ("SHA-1 alone", Hello { schemes: &[0x0203, 0x0201], ..Hello::default() }.records(), Reply::Alert(40)),
        ("text in lower case", b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), Reply::Alert(50)),
        ("a line feed", b"\n\n\n\n\n\n\n\n".to_vec(), Reply::Alert(50)),
        ("garbage", (0..255).map(|byte: u8| byte.wrapping_mul(151) | 0x80).collect(), Reply::Alert(50)),
        ("a wrong record version", record(HANDSHAKE, 0x0503, &Hello::default().message()), Reply::Alert(50)),
        ("a record that is too long", record(HANDSHAKE, 0x0301, &vec![1; 0x4901]), Reply::Alert(50)),
        ("data first", record(DATA, 0x0303, b"hello"), Reply::Alert(10)),
        ("another message first", record(HANDSHAKE, 0x0303, &[20, 0, 0, 1, 0]), Reply::Alert(10)),
        ("a heartbeat", record(24, 0x0303, &[1, 0x40, 0]), Reply::Alert(50)),
        ("a fatal alert", record(ALERT, 0x0303, &[2, 40]), Reply::Closed),
    ];
    for (name, bytes, expected) in rows {
        let got = say(&server, bytes);
        assert_eq!(got, *expected, "{name}");
    }
}

/// A server whose clock stands still until it is moved.
fn timed(configure: impl FnOnce(&mut Config)) -> (Server, Clock) {
    let clock = Clock::manual();
    let mut config = Config { handshake_timeout: Duration::from_secs(5), ..Config::default() };
    configure(&mut config);
    let builder = Server::builder().config(config).clock(clock.clone());
    let server =
        builder.bind_tls("127.0.0.1:0", &tls()).expect("a free port").serve(hello).expect("it starts");
    (server, clock)
}

#[test]
fn handshakes_that_do_not_end_in_time() {
    let whole = Hello::default().records();
    let half = &whole[..whole.len() / 2];
    let rows: &[(&str, &[u8])] =
        &[("nothing", b""), ("one byte", &whole[..1]), ("half a hello", half), ("a hello", &whole)];
    for (name, bytes) in rows {
        let (server, clock) = timed(|_| ());
        let mut stream = connect(&server);
        stream.write_all(bytes).expect("it reads");
        let active = || server.monitor().counters().active_connections;
        eventually("it sits", || active() == 1);
        if bytes.len() == whole.len() {
            assert!(matches!(reply(&mut stream), Reply::Certificate(_)));
        }
        clock.advance(ms(4900));
        // The watchdog looks twice in that time.
        std::thread::sleep(ms(120));
        assert_eq!(active(), 1, "{name}: in time");
        eventually("it has left", || {
            clock.advance(ms(200));
            active() == 0
        });
        assert!(stream.read_to_end(&mut Vec::new()).is_ok(), "{name}: closed in good order");
    }
}

/// The deadline is for the whole: a byte at a time buys none.
#[test]
fn a_handshake_byte_by_byte() {
    for (step, expected) in [(ms(1), true), (ms(100), false)] {
        let (server, clock) = timed(|_| ());
        let mut stream = connect(&server);
        eventually("it sits", || server.monitor().counters().active_connections == 1);
        let bytes = Hello::default().records();
        for byte in &bytes[..bytes.len() - 1] {
            stream.write_all(&[*byte]).expect("it reads, or will");
            clock.advance(step);
        }
        if !expected {
            eventually("it has left", || server.monitor().counters().active_connections == 0);
        }
        let _ = stream.write_all(&bytes[bytes.len() - 1..]);
        assert_eq!(matches!(reply(&mut stream), Reply::Certificate(_)), expected, "a byte each {step:?}");
    }
}

/// Every record of a handshake and of what follows it, byte by byte.
#[test]
fn a_connection_byte_by_byte() {
    let server = serve(|_| (), hello);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
        let mut client = with(&server, &config, "localhost");
        let super::client::Secure { conn, sock } = &mut client.stream;
        conn.writer().write_all(request("GET", "/").as_bytes()).expect("room");
        while conn.is_handshaking() || conn.wants_write() {
            let mut bytes = Vec::new();
            while conn.wants_write() {
                conn.write_tls(&mut bytes).expect("to memory");
            }
            for byte in bytes {
                sock.write_all(&[byte]).expect("it reads");
            }
            if conn.is_handshaking() {
                conn.read_tls(sock).expect("it replies");
                conn.process_new_packets().expect("it agrees");
            }
        }
        assert_eq!(client.answer().text(), "hello", "{version:?}");
    }
}

/// As much as a handshake may have, and more.
#[test]
fn long_handshakes() {
    let server = serve(|_| (), hello);
    let padded = |padding| Hello { padding, ..Hello::default() };
    assert!(matches!(say(&server, &padded(60_000).records()), Reply::Certificate(_)));
    // What is in it fits, but not in so many records.
    let message = padded(12_000).message();
    let crumbs: Vec<u8> = message.chunks(1).flat_map(|piece| record(HANDSHAKE, 0x0301, piece)).collect();
    assert!(crumbs.len() > 64 << 10);
    let mut stream = connect(&server);
    let _ = stream.write_all(&crumbs);
    assert!(matches!(reply(&mut stream), Reply::Closed | Reply::Reset));
    // A message that announces more than it may have is refused before it has come.
    assert_eq!(say(&server, &record(HANDSHAKE, 0x0301, &[1, 0xff, 0xff, 0xff])), Reply::Closed);
}

/// Records that say nothing are counted, and so are warnings.
#[test]
fn floods_before_the_handshake() {
    let server = serve(|_| (), hello);
    for (name, one) in
        [("empty", record(HANDSHAKE, 0x0301, b"")), ("a warning", record(ALERT, 0x0303, &[1, 90]))]
    {
        let mut stream = connect(&server);
        let _ = stream.write_all(&one.repeat(100));
        assert!(matches!(reply(&mut stream), Reply::Alert(50) | Reply::Closed | Reply::Reset), "{name}");
    }
    assert_eq!(client(&server).get("/").text(), "hello");
}

#[test]
fn handshakes_that_are_broken_off() {
    let server = serve(|_| (), hello);
    let whole = Hello::default().records();
    for cut in 0..whole.len() {
        let mut stream = connect(&server);
        stream.write_all(&whole[..cut]).expect("it reads");
        stream.shutdown(Shutdown::Write).expect("open");
        assert_eq!(reply(&mut stream), Reply::Closed, "cut at {cut}");
    }
    // After the server's flight, and after the whole handshake.
    let mut stream = connect(&server);
    stream.write_all(&whole).expect("it reads");
    assert!(matches!(reply(&mut stream), Reply::Certificate(_)));
    drop(stream);
    let mut silent = client(&server);
    shake_hands(&mut silent);
    drop(silent);
    eventually("all have left", || server.monitor().counters().active_connections == 0);
    assert_eq!(server.monitor().counters().requests, 0);
    assert_eq!(client(&server).get("/").text(), "hello");
}
