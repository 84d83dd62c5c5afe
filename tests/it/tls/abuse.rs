//! Clients that speak TLS well enough to do harm with it.

use super::client::{Offer, connect, over};
use super::forger::Forger;
use super::pki::{Folder, authority, settings};
use super::raw::{ALERT, DATA, HANDSHAKE, record};
use super::serve_with;
use crate::support::eventually;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use selvedge::{Request, Tls};
use std::io::Write;
use std::sync::Arc;

fn hello(_: &mut Request) -> &'static str {
    "hello"
}

/// What follows a `close_notify` is not looked at (RFC 8446 §6.1), not even where it comes in one go with the end of the
/// handshake, of which as much has come before as may be held.
#[test]
fn more_after_the_end() {
    let folder = Folder::new("more");
    let mut settings = settings(&folder);
    settings.client_ca = Some(folder.write("authority.pem", &authority().pem));
    let server = serve_with(&Tls::load(settings).expect("usable"), |_| (), hello);
    let names: Vec<String> = (0..668).map(|number| format!("{number:03}.a-long-name.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fat = authority().issue(&names, |_| ());
    let config =
        Arc::new(Offer { versions: &[&TLS13], certificate: Some(&fat), ..Offer::default() }.config());
    let super::client::Secure { mut conn, mut sock } = over(connect(&server), &config, "localhost");
    let mut bytes = Vec::new();
    while conn.is_handshaking() {
        while conn.wants_write() {
            conn.write_tls(&mut sock).expect("it reads");
        }
        conn.read_tls(&mut sock).expect("it replies");
        conn.process_new_packets().expect("it agrees");
    }
    conn.send_close_notify();
    while conn.wants_write() {
        conn.write_tls(&mut bytes).expect("to memory");
    }
    println!("{}", bytes.len());
    assert!((16_500..17_900).contains(&bytes.len()), "more than a record, less than two: {}", bytes.len());
    bytes.resize(bytes.len() + 8000, 0);
    sock.write_all(&bytes).expect("it reads");
    eventually("it has left", || server.monitor().counters().accepted == 1);
    eventually("it has left", || server.monitor().counters().active_connections == 0);
}

const WARNING: [u8; 2] = [1, 90];
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 1];
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Records a client sends after its handshake, so often, and whether a request after them is answered.
#[test]
fn records_after_the_handshake() {
    type Row<'a> = (&'static SupportedProtocolVersion, &'a str, u8, &'a [u8], usize, bool);

    let server = super::serve(|_| (), hello);
    let hello_again = super::raw::Hello::default().message();
    let rows: &[Row<'_>] = &[
        // What is permitted, and once too often.
        (&TLS13, "no data", DATA, b"", 32, true),
        (&TLS13, "no data", DATA, b"", 33, false),
        (&TLS12, "no data", DATA, b"", 32, true),
        (&TLS12, "no data", DATA, b"", 33, false),
        (&TLS12, "a warning", ALERT, &WARNING, 4, true),
        (&TLS12, "a warning", ALERT, &WARNING, 5, false),
        (&TLS13, "a warning", ALERT, &WARNING, 4, true),
        (&TLS13, "a warning", ALERT, &WARNING, 5, false),
        (&TLS12, "a wish to renegotiate", HANDSHAKE, &hello_again, 1, true),
        (&TLS12, "a wish to renegotiate", HANDSHAKE, &hello_again, 2, false),
        // What is not.
        (&TLS13, "a second hello", HANDSHAKE, &hello_again, 1, false),
        (&TLS13, "another warning", ALERT, &[1, 100], 1, false),
        (&TLS13, "a fatal alert", ALERT, &[2, 80], 1, false),
        (&TLS12, "a fatal alert", ALERT, &[2, 80], 1, false),
        (&TLS13, "a change of cipher", 20, &[1], 1, false),
        (&TLS12, "a change of cipher", 20, &[1], 1, false),
        (&TLS12, "a key update", HANDSHAKE, &KEY_UPDATE, 1, false),
        (&TLS13, "a finished", HANDSHAKE, &[20, 0, 0, 0], 1, false),
        (&TLS13, "a key update of two kinds", HANDSHAKE, &[24, 0, 0, 1, 2], 1, false),
        (&TLS13, "a certificate nobody asked for", HANDSHAKE, &[11, 0, 0, 4, 0, 0, 0, 0], 1, false),
        (&TLS13, "half a message, then data", HANDSHAKE, &KEY_UPDATE[..3], 1, false),
        (&TLS13, "a heartbeat", 24, &[1, 0, 0], 1, false),
        (&TLS13, "no message at all", HANDSHAKE, b"", 33, false),
        (&TLS13, "padding alone", 0, &[0; 100], 1, false),
    ];
    for (version, name, kind, body, count, answered) in rows {
        let at = format!("{name}, {count} times, {version:?}");
        let before = server.monitor().counters().requests;
        let mut forger = Forger::connect(&server, version);
        for _ in 0..*count {
            let record = forger.record(*kind, body);
            forger.send_regardless(&record);
        }
        let request = forger.record(DATA, REQUEST);
        forger.send_regardless(&request);
        forger.read_to_end();
        assert_eq!(server.monitor().counters().requests - before, u64::from(*answered), "{at}");
    }
    eventually("all have left", || server.monitor().counters().active_connections == 0);
}

/// A client may ask for new keys as often as it likes, if it says something in between; it is answered once, when there is
/// something to be answered with.
#[test]
fn key_updates() {
    let server = super::serve(|_| (), |request: &mut Request| request.body().len().to_string());
    let config = Arc::new(Offer { versions: &[&TLS13], ..Offer::default() }.config());
    for (each, said, answered) in [(32, "x", true), (33, "x", false), (32, "", false)] {
        let mut client = super::client::with(&server, &config, "localhost");
        client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n");
        for _ in 0..100 {
            for _ in 0..each {
                client.stream.conn.refresh_traffic_keys().expect("it may");
            }
            client.send_regardless(said);
        }
        let answer = client.read(false).map(|answer| answer.text().to_owned());
        assert_eq!(answer == Ok("100".into()), answered, "{each} for each '{said}': {answer:?}");
    }
}

/// What is not sealed with the right key ends the connection, with an alert and without an answer.
#[test]
fn forged_records() {
    type Row = (&'static str, fn(Vec<u8>) -> Vec<u8>);

    let server = super::serve(|_| (), hello);
    for version in [&TLS12, &TLS13] {
        let rows: &[Row] = &[
            ("a bit", |mut bytes| {
                *bytes.last_mut().expect("one") ^= 1;
                bytes
            }),
            ("the length", |mut bytes| {
                bytes[4] -= 1;
                bytes
            }),
            ("the type", |mut bytes| {
                bytes[0] = HANDSHAKE;
                bytes
            }),
            ("in plain text", |_| record(DATA, 0x0303, REQUEST)),
            ("nothing of it", |_| record(DATA, 0x0303, b"")),
            ("too long", |_| record(DATA, 0x0303, &vec![0; 0x4901])),
            ("of another version", |mut bytes| {
                bytes[1] = 5;
                bytes
            }),
            ("twice", |bytes| {
                // The first of them is answered, and nothing more.
                [&bytes[..], &bytes].concat()
            }),
        ];
        for (name, spoil) in rows {
            // In 1.3 the type within counts.
            if *name == "the type" && version.version == rustls::ProtocolVersion::TLSv1_3 {
                continue;
            }
            let mut forger = Forger::connect(&server, version);
            let request = forger.record(DATA, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let before = server.monitor().counters().requests;
            forger.send_regardless(&spoil(request));
            forger.read_to_end();
            let answered = server.monitor().counters().requests - before;
            assert!(answered == 0 || (answered == 1 && *name == "twice"), "{name}, {version:?}: {answered}");
        }
    }
}

/// A message of a handshake that is announced and never comes costs no more than what has come, and no longer than a head.
#[test]
fn half_a_message_after_the_handshake() {
    let server = super::serve(|config| config.header_timeout = crate::support::ms(200), hello);
    let mut forger = Forger::connect(&server, &TLS13);
    forger.send(HANDSHAKE, &[24, 0, 0xff, 0]);
    for _ in 0..3 {
        forger.send(HANDSHAKE, &[0; 1 << 14]);
    }
    forger.read_to_end();
    eventually("it has left", || server.monitor().counters().active_connections == 0);
}
