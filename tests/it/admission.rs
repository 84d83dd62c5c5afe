//! Who gets a seat and who makes room: nobody's slowness costs anybody else a place.

use crate::support::{Answer, Client, Gate, eventually, ms, post, request, serve};
use selvedge::{Config, Refusal, Request, Router, Server};
use std::time::Instant;

/// Every path waits at the gate but `/`, which is answered at once.
pub fn gated(configure: impl FnOnce(&mut Config)) -> (Server, Gate) {
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

/// Connections whose requests are being handled.
pub fn busy(server: &Server, gate: &Gate, count: usize) -> Vec<Client> {
    let clients = (0..count)
        .map(|_| {
            let mut client = Client::connect(server);
            client.send(request("GET", "/busy"));
            client
        })
        .collect();
    gate.wait_for(count);
    clients
}

/// A connection between requests.
pub fn idle(server: &Server) -> Client {
    let mut client = Client::connect(server);
    assert_eq!(client.get("/").status, 200);
    client
}

#[track_caller]
pub fn assert_overload(answer: &Answer, closes: bool) {
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")), "{answer:?}");
    assert_eq!(answer.closes(), closes, "{answer:?}");
}

#[test]
fn a_client_has_so_many_connections() {
    let server = serve(|config| config.max_connections_per_client = Some(3), |_: &mut Request| "hello");
    let mut clients: Vec<_> = (0..3).map(|_| idle(&server)).collect();
    for _ in 0..2 {
        let mut refused = Client::connect(&server);
        assert_overload(&refused.last_answer(), true);
    }
    // The others are none the worse, and one that leaves makes room.
    assert!(clients.iter_mut().all(|client| client.get("/").status == 200));
    clients.pop();
    eventually("a place is free", || Client::connect(&server).try_get("/") == Some(200));
    assert!(clients.iter_mut().all(|client| client.get("/").status == 200));
}

#[test]
fn the_longest_idle_makes_room() {
    let (server, gate) = gated(|config| config.max_connections = 3);
    let mut first = idle(&server);
    let mut second = idle(&server);
    let busy = busy(&server, &gate, 1);
    // Nobody is suspect, so it is the one that has been idle longest, though it came first.
    assert_eq!(first.get("/").status, 200);
    let mut newcomer = idle(&server);
    second.expect_end();
    assert_eq!(first.get("/").status, 200);
    assert_eq!(newcomer.get("/").status, 200);
    eventually("it was counted", || server.monitor().counters().evicted == 1);
    gate.open(1);
    for mut client in busy {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn one_newcomer_costs_one_seat() {
    const SEATS: usize = 4;
    const NEWCOMERS: usize = 30;
    let (server, _) = gated(|config| config.max_connections = SEATS);
    let mut clients: Vec<_> = (0..SEATS + NEWCOMERS).map(|_| idle(&server)).collect();
    let evicted = server.monitor().counters().evicted;
    assert_eq!(evicted, NEWCOMERS as u64, "made room for {NEWCOMERS}");
    let left = clients.iter_mut().filter_map(|client| client.try_get("/")).count();
    assert_eq!(left, SEATS);
}

/// One was refused for `this`, and nobody for `that`, which looks the same to who is refused.
#[track_caller]
fn assert_refused(server: &Server, this: Refusal, that: Refusal) {
    let count = |refusal: Refusal| {
        let refusals = server.monitor().totals().refusals;
        refusals.iter().find(|(reason, _)| *reason == refusal.reason).map_or(0, |(_, count)| *count)
    };
    eventually("it is counted", || count(this) + count(that) > 0);
    assert_eq!((count(this), count(that)), (1, 0), "{}", this.reason);
}

#[test]
fn suspects_make_room_first() {
    let (server, _) = gated(|config| config.max_connections = 3);
    let mut idle_one = idle(&server);
    let mut silent = Client::connect(&server);
    let mut half = Client::connect(&server);
    half.send("GET / HT");
    eventually("they sit", || server.monitor().counters().active_connections == 3);
    // Honest clients speak within 50 ms.
    std::thread::sleep(ms(80));
    let mut others = [idle(&server), idle(&server)];
    // The one that said nothing is told nothing; of the other two, neither is the idle one.
    silent.expect_end();
    assert_eq!(half.last_answer().status, 408);
    assert_refused(&server, Refusal::HEAD_EVICTED, Refusal::HEAD_TIMEOUT);
    assert_eq!(idle_one.get("/").status, 200);
    assert!(others.iter_mut().all(|client| client.get("/").status == 200));
}

#[test]
fn slow_bodies_make_room() {
    let (server, gate) = gated(|config| {
        config.max_connections = 2;
        config.seat_wait = ms(2000);
    });
    let _busy = busy(&server, &gate, 1);
    let mut slow = Client::connect(&server);
    slow.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx");
    assert_eq!(idle(&server).get("/").status, 200);
    assert_eq!(slow.last_answer().status, 408);
    assert_refused(&server, Refusal::BODY_EVICTED, Refusal::BODY_TIMEOUT);
    gate.open(1);
}

/// Who has his answer, and goes on sending a body that nobody wants, is between requests.
#[test]
fn bodies_that_nobody_wants_make_room() {
    let router = Router::new().get("/", |_: &mut Request| "hello");
    let configure = |config: &mut Config| {
        config.max_connections = 1;
        config.seat_wait = ms(2000);
    };
    let server = serve(configure, router);
    for (path, status) in [("/", 405), ("/none", 404)] {
        let mut sender = Client::connect(&server);
        sender.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nx"));
        assert_eq!(sender.answer().status, status);
        sender.send("x".repeat(10_000));
        assert_eq!(idle(&server).get("/").status, 200, "{path}");
        sender.expect_end();
    }
    eventually("they were counted", || server.monitor().counters().evicted >= 2);
}

#[test]
fn requests_being_handled_are_left_alone() {
    let (server, gate) = gated(|config| {
        config.max_connections = 2;
        config.max_waiting = 1;
        config.seat_wait = ms(150);
    });
    let handled = busy(&server, &gate, 2);
    let began = Instant::now();
    let mut waiting = Client::connect(&server);
    waiting.send(request("GET", "/"));
    // The lobby is full: refused at once, and the answer arrives though nothing that was sent is read.
    let mut one_too_many = Client::connect(&server);
    one_too_many.send(post("/", &"x".repeat(10_000)));
    assert_overload(&one_too_many.last_answer(), true);
    assert!(began.elapsed() < ms(150), "{:?}", began.elapsed());
    // Its place is waited out.
    assert_overload(&waiting.last_answer(), true);
    assert!(began.elapsed() >= ms(150), "{:?}", began.elapsed());
    gate.open(2);
    for mut client in handled {
        assert_eq!(client.answer().text(), "/busy");
    }
    assert_eq!(server.monitor().counters().evicted, 0);
}

#[test]
fn who_leaves_calls_the_next_in() {
    let (server, gate) = gated(|config| config.max_connections = 1);
    let mut first = busy(&server, &gate, 1);
    let mut next: Vec<_> = (0..3).map(|_| Client::connect(&server)).collect();
    for (number, client) in next.iter_mut().enumerate() {
        client.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    }
    gate.open(1);
    assert_eq!(first[0].answer().text(), "/busy");
    for (number, client) in next.iter_mut().enumerate() {
        gate.wait_for(1);
        gate.open(1);
        assert_eq!(client.last_answer().text(), format!("/{number}"));
    }
}

/// Who was refused has had his share of a seat for which others wait.
#[test]
fn the_share_of_who_is_refused() {
    let (server, gate) = gated(|config| {
        config.max_connections = 1;
        config.seat_wait = ms(5000);
    });
    let mut client = Client::connect(&server);
    client.send([request("GET", "/busy"), request("GET", "/%00"), request("GET", "/")].concat());
    gate.wait_for(1);
    let mut other = Client::connect(&server);
    other.send(request("GET", "/"));
    eventually("it waits", || server.monitor().counters().accepted == 2);
    gate.open(1);
    assert!(!client.answer().closes(), "the first of many");
    let refused = client.answer();
    assert_eq!((refused.status, refused.closes()), (400, true));
    client.expect_end();
    assert_eq!(other.answer().status, 200);
}

#[test]
fn a_connection_has_its_share_while_others_wait() {
    let (server, gate) = gated(|config| {
        config.max_connections = 1;
        config.max_waiting = 1;
        config.fair_share = 3;
        config.seat_wait = ms(5000);
    });
    let mut client = Client::connect(&server);
    // Nobody waits: there is no share.
    for _ in 0..2 {
        assert!(!client.get("/").closes());
    }
    client.send(request("GET", "/busy"));
    gate.wait_for(1);
    let mut other = Client::connect(&server);
    other.send(request("GET", "/"));
    // It waits: the next is told that there is no more room.
    assert_overload(&Client::connect(&server).last_answer(), true);
    gate.open(1);
    let answer = client.answer();
    assert!(answer.closes(), "the third of three: {answer:?}");
    client.expect_end();
    assert_eq!(other.answer().status, 200);
    assert_eq!(server.monitor().counters().evicted, 0);
}
