//! How a server ends, and what it has counted.

use crate::support::{Broken, Client, Gate, PATIENCE, builder, eventually, ms, post, request, serve};
use selvedge::clock::Clock;
use selvedge::monitor::Monitor;
use selvedge::threads::Phase;
use selvedge::{Body, Config, Request, Response, Server};
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

const NEVER: Duration = Duration::from_secs(60);

fn gated(configure: impl FnOnce(&mut Config)) -> (Server, Gate) {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let handler = move |request: &mut Request| {
        if request.path() == "/busy" {
            at_gate.pass();
        }
        request.body().len().to_string()
    };
    (serve(configure, handler), gate)
}

fn draining(server: &Server) -> bool {
    !server.monitor().is_ready()
}

#[test]
fn what_is_being_served_is_finished() {
    let (server, gate) = gated(|_| ());
    let mut idle = Client::connect(&server);
    assert_eq!(idle.get("/").status, 200);
    let mut silent = Client::connect(&server);
    let mut half = Client::connect(&server);
    half.send("GET / HT");
    let mut sending = Client::connect(&server);
    sending.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(sending.answer().status, 100);
    let mut busy = Client::connect(&server);
    busy.send(request("GET", "/busy") + &request("GET", "/never"));
    gate.wait_for(1);
    eventually("all are here", || server.monitor().counters().active_connections == 5);

    thread::scope(|scope| {
        let first = scope.spawn(|| server.shutdown(NEVER));
        // Those who are between requests are sent home at once.
        idle.expect_end();
        silent.expect_end();
        assert_eq!(half.last_answer().status, 503);
        assert!(draining(&server));
        // A second call waits for the first; so does whoever only waits.
        let second = scope.spawn(|| server.shutdown(NEVER));
        let waits = scope.spawn(|| server.wait());
        // The others are answered, and told that it was the last time.
        let answer = sending.ask("0123456789");
        assert_eq!((answer.text(), answer.closes()), ("10", true));
        sending.expect_end();
        assert!(!first.is_finished() && !second.is_finished() && !waits.is_finished());
        gate.open(1);
        assert!(busy.answer().closes());
        busy.expect_end();

        let report = first.join().expect("it returns");
        assert_eq!((report.finished, report.cut.len()), (5, 0), "{report}");
        assert!(report.took < PATIENCE, "{report}");
        let again = second.join().expect("it returns");
        assert_eq!((again.finished, again.cut.len()), (0, 0));
        waits.join().expect("it returns");
    });
    // Nobody listens any more.
    let address = server.local_addr().expect("it had one");
    eventually("it does not listen", || std::net::TcpStream::connect(address).is_err());
}

#[test]
fn what_is_not_done_in_time_is_cut_and_named() {
    let (server, gate) = gated(|_| ());
    let mut sending = Client::connect(&server);
    sending.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(sending.answer().status, 100);
    let mut busy = Client::connect(&server);
    busy.send(request("GET", "/busy"));
    gate.wait_for(1);
    let began = Instant::now();
    let report = server.shutdown(ms(100));
    assert!(began.elapsed() >= ms(100), "{:?}", began.elapsed());
    assert_eq!((report.finished, report.cut.len()), (0, 2), "{report}");
    for (client, phase) in [(&sending, Phase::Body), (&busy, Phase::Handling)] {
        let peer = client.stream.local_addr().ok();
        let cut = report.cut.iter().find(|cut| cut.peer == peer).expect("it is named");
        assert_eq!(cut.phase, phase);
        assert!(
            report.to_string().contains(&format!("{} was cut, {phase} for", peer.expect("one"))),
            "{report}"
        );
    }
    sending.expect_end();
    busy.expect_end();
    gate.open(1);
}

/// Gives a little, and waits at a gate before it gives more.
struct Waiting {
    gate: Gate,
    begun: bool,
}

impl Read for Waiting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.begun, true) {
            self.gate.pass();
        }
        (&b"part"[..]).read(buffer)
    }
}

/// Where the end of a connection is that of the body (RFC 9112 §8), one that is cut ends with a reset: while its client does
/// not read, and while there is nothing to be read.
#[test]
fn bodies_that_end_with_the_connection_are_not_cut_to_wholes() {
    for stalls in [false, true] {
        let gate = Gate::default();
        let at_gate = gate.clone();
        let handler = move |_: &mut Request| {
            let waiting = Waiting { gate: at_gate.clone(), begun: false };
            Response::text(if stalls { Body::reader(waiting) } else { Body::reader(io::repeat(b'x')) })
        };
        let server = serve(|_| (), handler);
        let mut client = Client::connect(&server);
        client.send("GET / HTTP/1.0\r\n\r\n");
        assert!(client.stream.peek(&mut [0]).is_ok(), "it has begun");
        if stalls {
            gate.wait_for(1);
        }
        let report = server.shutdown(ms(100));
        assert_eq!(report.cut.len(), 1, "{report}");
        gate.open(1);
        assert_eq!(client.read(false), Err(Broken::Reset), "{stalls}");
    }
}

/// What one of them does is its own affair: nobody waits for another's end, and ready is who serves.
#[test]
fn servers_that_share_a_monitor() {
    let monitor = Monitor::new(Clock::system());
    let shared =
        |text: &'static str| builder(|_| ()).monitor(monitor.clone()).serve(move |_: &mut Request| text);
    let [one, other, dropped] = ["one", "other", "dropped"].map(|text| shared(text).expect("it starts"));
    assert!(monitor.is_ready());
    let report = one.shutdown(NEVER);
    assert!(report.cut.is_empty() && report.took < PATIENCE, "{report}");
    assert!(monitor.is_ready(), "two of them serve");
    drop(dropped);
    let mut client = Client::connect(&other);
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!((answer.status, answer.text(), answer.closes()), (200, "other", false));
    }
    eventually("both are counted", || monitor.counters().requests == 2);
    let _ = other.shutdown(NEVER);
    client.expect_end();
    assert!(!monitor.is_ready());
    let next = shared("next").expect("it starts");
    assert!(monitor.is_ready());
    assert_eq!(Client::connect(&next).get("/").text(), "next");
}

/// What they have counted stays, and nothing else of them.
#[test]
fn servers_that_are_over() {
    const MANY: u64 = 20;
    let monitor = Monitor::new(Clock::system());
    let serve_one = || {
        let server = builder(|_| ()).monitor(monitor.clone()).serve(|_: &mut Request| "").expect("it starts");
        let mut client = Client::connect(&server);
        assert_eq!(client.get("/").status, 200);
        drop(server);
        client.expect_end();
    };
    serve_one();
    eventually("it is counted", || monitor.counters().active_connections == 0);
    let one = monitor.totals();
    (1..MANY).for_each(|_| serve_one());
    let mut served = MANY;
    // Some of their threads take a moment to end.
    eventually("most are forgotten as others start", || {
        serve_one();
        served += 1;
        let held = format!("{monitor:?}");
        let resting = held.matches(&u64::MAX.to_string()).count();
        held.matches("SeatCounts {").count() + resting <= served as usize / 2
    });
    eventually("all are counted", || monitor.counters().active_connections == 0);
    let all = monitor.totals();
    assert_eq!((one.answers, all.answers), (vec![("GET", 200, 1)], vec![("GET", 200, served)]));
    assert_eq!((all.received, all.sent), (one.received * served, one.sent * served));
    assert_eq!((all.duration.count(), all.queue_wait.count()), (served, served));
    let ended = |closes: Vec<(&str, u64)>| closes.into_iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!((ended(one.closes), ended(all.closes)), (1, served));
}

#[test]
fn dropping_it_ends_it() {
    let (server, _) = gated(|_| ());
    let mut idle = Client::connect(&server);
    assert_eq!(idle.get("/").status, 200);
    let address = server.local_addr().expect("it listens");
    drop(server);
    idle.expect_end();
    eventually("it does not listen", || std::net::TcpStream::connect(address).is_err());
}

/// Who connects while the server ends is not among those it reports.
#[test]
fn the_report_counts_connections() {
    for open in 0..20 {
        let (server, _) = gated(|_| ());
        let mut clients: Vec<_> = (0..open % 3).map(|_| Client::connect(&server)).collect();
        assert!(clients.iter_mut().all(|client| client.get("/").status == 200));
        let report = server.shutdown(NEVER);
        assert_eq!((report.finished, report.cut.len()), (clients.len(), 0), "{report}");
    }
}

#[test]
fn who_waits_for_a_seat_is_told() {
    let (server, gate) = gated(|config| {
        config.max_connections = 1;
        config.max_waiting = 1;
        config.seat_wait = NEVER;
    });
    let mut busy = Client::connect(&server);
    busy.send(request("GET", "/busy"));
    gate.wait_for(1);
    let mut waiting = Client::connect(&server);
    assert_eq!(Client::connect(&server).last_answer().status, 503);
    thread::scope(|scope| {
        let ends = scope.spawn(|| server.shutdown(NEVER));
        assert_eq!(waiting.last_answer().status, 503);
        gate.open(1);
        assert!(busy.answer().closes());
        assert!(ends.join().expect("it returns").cut.is_empty());
    });
}

#[test]
fn counters() {
    let (server, gate) = gated(|config| config.max_connections_per_client = Some(4));
    let counters = || server.monitor().counters();
    assert_eq!(counters(), selvedge::monitor::Counters::default());
    let mut client = Client::connect(&server);
    for _ in 0..3 {
        assert_eq!(client.get("/").status, 200);
    }
    eventually("three were counted", || counters().requests == 3);
    assert_eq!(client.ask(post("/..", "")).status, 400);
    let mut bad = Client::connect(&server);
    assert_eq!(bad.ask("\n").status, 400);
    let mut busy = Client::connect(&server);
    busy.send(request("GET", "/busy"));
    gate.wait_for(1);
    eventually("the bad one is gone", || counters().active_connections == 2);
    eventually("and counted", || (counters().requests, counters().refused) == (5, 2));
    let third = Client::connect(&server);
    let mut fourth = Client::connect(&server);
    assert_eq!(fourth.last_answer().status, 503);
    eventually("the third sits", || counters().active_connections == 3);
    let now = counters();
    assert_eq!((now.accepted, now.requests), (5, 5));
    assert_eq!((now.refused, now.panics, now.evicted, now.accept_errors), (3, 0, 0, 0));
    gate.open(1);
    assert_eq!(busy.answer().status, 200);
    drop((client, busy, third));
    eventually("all have left", || counters().active_connections == 0);
    assert!(server.monitor().uptime() > Duration::ZERO);
}
