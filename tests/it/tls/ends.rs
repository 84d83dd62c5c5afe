//! How connections end: in good order, so that the client knows that it has everything, or not.

use super::client::{Offer, client, over, send_close_notify, shake_hands};
use super::pki::tls;
use super::serve;
use crate::support::{Broken, Client, Gate, eventually};
use rustls::version::{TLS12, TLS13};
use selvedge::net::Listener;
use selvedge::{Body, CloseReason, Refusal, Request, Response, Server};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;

/// How a client ends what it says.
#[derive(Clone, Copy, Debug)]
enum How {
    /// In TLS' words.
    CloseNotify,
    /// By closing its side of the connection below, as anybody on the way could.
    Tcp,
    /// By leaving altogether.
    Gone,
}

/// What the server makes of it: the statuses of its answers, and why the connection ended.
type Row = (&'static str, &'static str, How, &'static [u16], CloseReason);

const INCOMPLETE: CloseReason = CloseReason::Refused(Refusal::BODY_INCOMPLETE.reason);
const WHOLE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const CLOSING: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const HALF_A_BODY: &str = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello";
const CHUNKS: &str = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

const ROWS: &[Row] = &[
    ("nothing", "", How::CloseNotify, &[], CloseReason::Client),
    ("nothing", "", How::Tcp, &[], CloseReason::Broken),
    ("nothing", "", How::Gone, &[], CloseReason::Broken),
    ("half a head", "GET / HT", How::CloseNotify, &[], CloseReason::Broken),
    ("half a head", "GET / HT", How::Tcp, &[], CloseReason::Broken),
    ("half a body", HALF_A_BODY, How::CloseNotify, &[400], INCOMPLETE),
    ("half a body", HALF_A_BODY, How::Tcp, &[], CloseReason::Broken),
    ("half a body", HALF_A_BODY, How::Gone, &[], CloseReason::Broken),
    ("a chunk", CHUNKS, How::CloseNotify, &[400], INCOMPLETE),
    ("a chunk", CHUNKS, How::Tcp, &[], CloseReason::Broken),
    ("a request", WHOLE, How::CloseNotify, &[200], CloseReason::Client),
    ("a request", WHOLE, How::Tcp, &[200], CloseReason::Broken),
    ("a last request", CLOSING, How::CloseNotify, &[200], CloseReason::Finished),
    ("a last request", CLOSING, How::Tcp, &[200], CloseReason::Finished),
];

#[test]
fn ends_of_what_a_client_says() {
    let server = Server::builder().serve(|_: &mut Request| "hello").expect("it starts");
    let listener = Listener::bind("127.0.0.1:0").expect("a free port").with_tls(&tls());
    let address = listener.address().tcp().expect("it has one");
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
        for (name, said, how, statuses, reason) in ROWS {
            let at = format!("{name}, then {how:?}, {version:?}");
            thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    let (stream, peer) = listener.accept().expect("a connection");
                    server.serve_connection(stream, peer)
                });
                let socket = Client::to(address).stream;
                let mut client = Client::over(over(socket, &config, "localhost"));
                shake_hands(&mut client);
                client.send(said);
                match how {
                    How::CloseNotify => send_close_notify(&mut client),
                    How::Tcp => client.stream.sock.shutdown(Shutdown::Write).expect("open"),
                    How::Gone => {
                        drop(client);
                        return assert_eq!(thread.join().expect("it returns"), *reason, "{at}");
                    }
                }
                for status in *statuses {
                    assert_eq!(client.read(false).map(|answer| answer.status), Ok(*status), "{at}");
                }
                assert_eq!(thread.join().expect("it returns"), *reason, "{at}");
                assert_eq!(client.read(false), Err(Broken::Ended), "{at}");
            });
        }
    }
}

/// Before the handshake is over there is nothing to end in good order.
#[test]
fn ends_before_the_beginning() {
    let server = Server::builder().serve(|_: &mut Request| "hello").expect("it starts");
    let listener = Listener::bind("127.0.0.1:0").expect("a free port").with_tls(&tls());
    let address = listener.address().tcp().expect("it has one");
    let hello = super::raw::Hello::default().records();
    let rows: &[(&[u8], CloseReason)] = &[
        (b"", CloseReason::Client),
        (&hello[..10], CloseReason::Handshake),
        (&hello, CloseReason::Handshake),
        (b"\x16\x03", CloseReason::Handshake),
        (b"get /", CloseReason::Handshake),
        (b"GET /", CloseReason::Refused(Refusal::PLAIN_HTTP.reason)),
    ];
    for (bytes, reason) in rows {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let (stream, peer) = listener.accept().expect("a connection");
                server.serve_connection(stream, peer)
            });
            let mut socket = Client::to(address).stream;
            socket.write_all(bytes).expect("it reads");
            socket.shutdown(Shutdown::Write).expect("open");
            assert_eq!(thread.join().expect("it returns"), *reason, "{}", bytes.escape_ascii());
        });
    }
}

/// Says what it has, and then fails if it is told to.
struct Few {
    left: usize,
    fails: bool,
}

impl Read for Few {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return if self.fails { Err(io::ErrorKind::Other.into()) } else { Ok(0) };
        }
        self.left -= 1;
        buffer[..5].copy_from_slice(b"hello");
        Ok(5)
    }
}

/// An answer that lasts until the connection closes is whole if TLS says so, and only if it is.
#[test]
fn answers_until_the_end() {
    let server = serve(
        |_| (),
        |request: &mut Request| {
            Response::new(selvedge::StatusCode::OK)
                .with_body(Body::reader(Few { left: 3, fails: request.path() == "/fails" }))
        },
    );
    for (path, whole) in [("/", true), ("/fails", false)] {
        for version in ["1.0", "1.1"] {
            let mut client = client(&server);
            client.send(format!("GET {path} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
            let answer = client.read(false);
            assert_eq!(answer.is_ok(), whole, "{path} {version}: {answer:?}");
            if whole {
                assert_eq!(answer.expect("it is").text(), "hellohellohello");
                client.expect_end();
            } else {
                // The end came without a word.
                assert_eq!(client.read(false), Err(Broken::Reset), "{path} {version}");
            }
        }
    }
}

/// A client that has nothing more to say may say so while it waits, and destroys nothing with it.
#[test]
fn a_late_close_notify_destroys_nothing() {
    let gate = Gate::default();
    let at_gate = gate.clone();
    // More than the client's window, less than the server's buffer.
    let body = "x".repeat(150 << 10);
    let server = serve(
        |_| (),
        move |_: &mut Request| {
            at_gate.pass();
            body.clone()
        },
    );
    for version in ["1.0", "1.1"] {
        let mut client = client(&server);
        client.send(format!("GET / HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        gate.wait_for(1);
        send_close_notify(&mut client);
        // The server takes no notice of it before it has answered.
        gate.open(1);
        eventually("it has answered", || server.monitor().counters().active_connections == 0);
        assert_eq!(client.last_answer().body.len(), 150 << 10);
    }
}
