//! Who is refused, makes room, or is sent home over TLS: each is told, as far as there is time for it.

use super::client::{Offer, Secure, client, connect, over, shake_hands, with};
use super::raw::{DATA, Hello};
use super::serve;
use crate::admission::assert_overload;
use crate::support::{Broken, Client, Gate, PATIENCE, eventually, ms, request, stream_from};
use rustls::version::{TLS12, TLS13};
use selvedge::{Config, Request, Server};
use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const NEVER: Duration = Duration::from_secs(60);
/// Handshakes spoken at once with who is refused.
const BUDGET: usize = 32;

/// Every path waits at the gate but `/`.
fn gated(configure: impl FnOnce(&mut Config)) -> (Server, Gate) {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let server = serve(configure, move |request: &mut Request| {
        if request.path() != "/" {
            at_gate.pass();
        }
        request.path().to_owned()
    });
    (server, gate)
}

fn busy(server: &Server, gate: &Gate) -> Client<Secure> {
    let mut client = client(server);
    client.send(request("GET", "/busy"));
    gate.wait_for(1);
    client
}

/// A server of one seat, which is taken, and of no other place.
fn full() -> (Server, Client<Secure>, Client, Gate) {
    let (server, gate) = gated(|config| {
        config.max_connections = 1;
        config.max_waiting = 1;
        config.max_connections_per_client = None;
        config.seat_wait = NEVER;
    });
    let busy = busy(&server, &gate);
    let waiting = Client::tcp(connect(&server));
    eventually("it waits", || server.monitor().counters().accepted == 2);
    (server, busy, waiting, gate)
}

#[test]
fn refusals_arrive() {
    let (server, mut busy, _waiting, gate) = full();
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
        let mut client = with(&server, &config, "localhost");
        client.send(request("POST", "/"));
        let answer = client.last_answer();
        assert_overload(&answer, true);
        assert_eq!(answer.field("strict-transport-security"), Some("max-age=31536000"), "{version:?}");
    }
    assert_eq!(server.monitor().counters().resets, 0);
    gate.open(1);
    assert_eq!(busy.answer().text(), "/busy");
}

#[test]
fn too_many_of_one_client() {
    let (server, gate) = gated(|config| config.max_connections_per_client = Some(1));
    let mut busy = busy(&server, &gate);
    assert_overload(&client(&server).last_answer(), true);
    gate.open(1);
    assert_eq!(busy.answer().text(), "/busy");
}

/// Who does not shake hands, or badly, or in plain text, is not waited for long, and holds up nobody else.
#[test]
fn refused_clients_that_do_not_shake_hands() {
    let (server, _busy, _waiting, _gate) = full();
    let hello = Hello::default().records();
    let mut rude: Vec<_> =
        [&b""[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"nonsense", &hello[..10], &hello]
            .into_iter()
            .map(|bytes| {
                let mut stream = connect(&server);
                stream.write_all(bytes).expect("it reads");
                stream
            })
            .collect();
    assert_overload(&client(&server).last_answer(), true);
    for stream in &mut rude {
        let ended = stream.read_to_end(&mut Vec::new());
        assert!(!ended.is_err_and(|problem| problem.kind() == std::io::ErrorKind::WouldBlock), "still there");
    }
}

/// There is time for so many handshakes at once; who comes then is reset, and counted.
#[test]
fn past_the_budget_of_handshakes() {
    let (server, _busy, _waiting, _gate) = full();
    let silent: Vec<_> = (0..BUDGET).map(|_| connect(&server)).collect();
    eventually("they are refused", || server.monitor().counters().refused == BUDGET as u64);
    assert_eq!(server.monitor().counters().resets, 0);
    let mut client = client(&server);
    client.send_regardless(request("GET", "/"));
    assert_eq!(client.read(false), Err(Broken::Reset));
    let counters = server.monitor().counters();
    assert_eq!((counters.resets, counters.refused), (1, BUDGET as u64 + 1));
    // Its places are free again when they have left.
    drop(silent);
    eventually("there is time again", || {
        let mut client = super::client::client(&server);
        client.send_regardless(request("GET", "/"));
        client.read(false).is_ok_and(|answer| answer.status == 503)
    });
}

/// One client that opens more connections than it may has half of that time, and no more: others are still told.
#[test]
fn half_the_handshakes_are_for_others() {
    let (server, gate) = gated(|config| {
        config.max_connections = 1;
        config.max_waiting = 1;
        config.max_connections_per_client = Some(2);
        config.seat_wait = NEVER;
    });
    let _busy = busy(&server, &gate);
    let _waiting = Client::tcp(connect(&server));
    eventually("it waits", || server.monitor().counters().accepted == 2);
    let _silent: Vec<_> = (0..BUDGET).map(|_| connect(&server)).collect();
    eventually("they are refused", || server.monitor().counters().refused == BUDGET as u64);
    assert_eq!(server.monitor().counters().resets, BUDGET as u64 / 2);
    let config = Arc::new(Offer::default().config());
    let mut other = Client::over(over(stream_from(&server, 2), &config, "localhost"));
    other.send(request("GET", "/"));
    assert_overload(&other.last_answer(), true);
    gate.open(1);
}

/// Who has been told takes up no time any more, however long it stays.
#[test]
fn the_budget_is_for_handshakes_alone() {
    let (server, _busy, _waiting, _gate) = full();
    let told: Vec<_> = (0..BUDGET + 8)
        .map(|_| {
            let mut client = client(&server);
            assert_overload(&client.answer(), true);
            client
        })
        .collect();
    assert_eq!((told.len(), server.monitor().counters().resets), (BUDGET + 8, 0));
}

/// What is sent after a refusal is thrown away unseen, so much and no more.
#[test]
fn what_follows_a_refusal() {
    const MOST: usize = 32 << 20;
    let (server, _busy, _waiting, _gate) = full();
    for (version, junk) in [(&TLS12, b'x'), (&TLS13, b'x'), (&TLS13, DATA)] {
        let config = Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
        let mut refused = Client::over(over(connect(&server), &config, "localhost"));
        shake_hands(&mut refused);
        // It has shut its side: the words are out.
        let mut words = [0; 1 << 10];
        while !matches!(refused.stream.sock.read(&mut words), Ok(0)) {}
        let mut sent = 0;
        while sent < MOST && refused.stream.sock.write_all(&[junk; 1 << 14]).is_ok() {
            sent += 1 << 14;
        }
        assert!(sent < MOST, "it reads on and on");
        assert_overload(&client(&server).last_answer(), true);
    }
}

/// Seats are taken back from who speaks no TLS, or says nothing over it.
#[test]
fn who_makes_room() {
    /// How somebody sits, and what becomes of that.
    type Row = (&'static str, fn(&Server) -> Box<dyn FnOnce()>);

    let rows: &[Row] = &[
        ("silence", |server| {
            let mut stream = connect(server);
            Box::new(move || assert_eq!(stream.read(&mut [0]).expect("closed"), 0))
        }),
        ("half a handshake", |server| {
            let mut stream = connect(server);
            stream.write_all(&Hello::default().records()[..20]).expect("it reads");
            Box::new(move || assert_eq!(stream.read(&mut [0]).expect("closed"), 0))
        }),
        ("no request", |server| {
            let mut client = client(server);
            shake_hands(&mut client);
            Box::new(move || client.expect_end())
        }),
        ("an idle connection", |server| {
            let mut client = client(server);
            assert_eq!(client.get("/").status, 200);
            Box::new(move || client.expect_end())
        }),
    ];
    for (name, sit) in rows {
        let (server, _) = gated(|config| {
            config.max_connections = 1;
            config.seat_wait = PATIENCE;
        });
        let told = sit(&server);
        eventually("it sits", || server.monitor().counters().active_connections == 1);
        assert_eq!(client(&server).get("/").text(), "/", "{name}");
        told();
        assert_eq!(server.monitor().counters().evicted, 1, "{name}");
    }
}

/// Who is far away is silent for a round trip, in the middle of the handshake or after it, and is not taken for who says nothing.
#[test]
fn who_is_far_away_keeps_his_seat() {
    for (version, agrees) in [(&TLS13, false), (&TLS13, true), (&TLS12, true)] {
        let (server, _) = gated(|config| {
            config.max_connections = 2;
            config.seat_wait = PATIENCE;
        });
        let mut idle = client(&server);
        assert_eq!(idle.get("/").status, 200);
        let config = Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
        let mut distant = with(&server, &config, "localhost");
        if agrees {
            shake_hands(&mut distant);
        } else {
            let Secure { conn, sock } = &mut distant.stream;
            conn.write_tls(sock).expect("it reads");
        }
        // Longer than an honest client that is near would be silent.
        thread::sleep(ms(80));
        assert_eq!(client(&server).get("/").status, 200, "{version:?}");
        idle.expect_end();
        assert_eq!(distant.get("/").status, 200, "{version:?}");
    }
}

#[test]
fn the_end_of_a_server() {
    let (server, gate) = gated(|config| config.handshake_timeout = NEVER);
    let mut idle = client(&server);
    assert_eq!(idle.get("/").status, 200);
    let mut quiet = client(&server);
    shake_hands(&mut quiet);
    let mut half = client(&server);
    half.send("GET / HT");
    let mut sending = client(&server);
    sending.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(sending.answer().status, 100);
    let mut silent = connect(&server);
    let mut busy = busy(&server, &gate);
    eventually("all are here", || server.monitor().counters().active_connections == 6);
    thread::scope(|scope| {
        let ends = scope.spawn(|| server.shutdown(NEVER));
        idle.expect_end();
        quiet.expect_end();
        assert_eq!(half.last_answer().status, 503);
        assert_eq!(silent.read(&mut [0]).expect("closed"), 0);
        let answer = sending.ask("hello");
        assert_eq!((answer.text(), answer.closes()), ("/", true));
        sending.expect_end();
        assert!(!ends.is_finished());
        gate.open(1);
        assert!(busy.answer().closes());
        busy.expect_end();
        let report = ends.join().expect("it returns");
        assert_eq!((report.finished, report.cut.len()), (6, 0), "{report}");
        assert!(report.took < PATIENCE, "{report}");
    });
}

/// Who waits for a seat when the server ends is told; who is not done in time is cut.
#[test]
fn the_end_at_its_deadline() {
    let (server, mut busy, mut waiting, gate) = full();
    let mut end = Vec::new();
    thread::scope(|scope| {
        let ends = scope.spawn(|| server.shutdown(ms(200)));
        // It has not shaken hands, and does not: there is no way to tell it.
        assert!(
            !waiting
                .stream
                .read_to_end(&mut end)
                .is_err_and(|problem| problem.kind() == std::io::ErrorKind::WouldBlock)
        );
        let report = ends.join().expect("it returns");
        assert_eq!(report.cut.len(), 1, "{report}");
    });
    assert_eq!(busy.read(false), Err(Broken::Reset), "not in good order");
    gate.open(1);
}
