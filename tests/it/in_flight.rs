//! Which requests are handled, and when: memory for bodies, permits for handlers, time for both ends.

use crate::admission::{assert_overload, busy, gated};
use crate::support::{
    Broken, Client, Gate, PATIENCE, builder, eventually, ms, post, request, serve, stream_from,
};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType, connect, socket};
use selvedge::clock::Clock;
use selvedge::monitor::Monitor;
use selvedge::service::{Health, Ready};
use selvedge::{
    Body, Config, Exchange, Guard, Refusal, Request, Response, Router, SecurityHeaders, Server, StatusCode,
    Streaming,
};
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// For all bodies together no more than for one.
fn little_memory(config: &mut Config) {
    config.max_body = 100_000;
    config.max_buffered = 100_000;
}

#[test]
fn bodies_share_a_budget() {
    let server = serve(little_memory, |request: &mut Request| request.body().len().to_string());
    let mut clients = [(); 2].map(|()| Client::connect(&server));
    for client in &mut clients {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 80000\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(client.answer().status, 100);
        client.send("x".repeat(50_000));
        client.stream.set_read_timeout(Some(ms(5))).expect("a socket");
    }
    // There is no room for both.
    let mut refused = 0;
    eventually("one is refused", || {
        refused = 1 - refused;
        clients[refused].stream.peek(&mut [0]).is_ok()
    });
    for client in &clients {
        client.stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    }
    assert_overload(&clients[refused].last_answer(), true);
    assert_eq!(clients[1 - refused].ask("x".repeat(30_000)).text(), "80000");
    // All of it is given back, and one that fits is never refused.
    let all = "x".repeat(100_000);
    let mut client = Client::connect(&server);
    for _ in 0..2 {
        assert_eq!(client.ask(post("/", &all)).text(), "100000");
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(client.ask(format!("{head}186a0\r\n{all}\r\n0\r\n\r\n")).text(), "100000");
    }
}

/// Sends a body of so many bytes, but for the last ten, from 127.0.0.`last`; returns when they have come.
fn begin_body(server: &Server, last: u8, bytes: usize) -> Client {
    let mut client = client_from(server, last);
    let length = bytes + 10;
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 100);
    client.send("x".repeat(bytes));
    let here = format!("127.0.0.{last}:");
    let come = format!("  {bytes} bytes");
    eventually("it has come", || {
        server.threads().to_string().lines().any(|line| line.contains(&here) && line.contains(&come))
    });
    client
}

fn client_from(server: &Server, last: u8) -> Client {
    Client::tcp(stream_from(server, last))
}

/// A body whose length nobody knows is kept as long as there is room for what has come of it, though not for twice as much.
#[test]
fn the_last_of_the_memory_is_of_use() {
    let server = serve(little_memory, |request: &mut Request| request.body().len().to_string());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut before = begin_body(&server, 1, 60_000);
    for (bytes, status) in [(10_000, 200), (39_000, 200), (39_990, 200), (39_991, 503), (39_990, 200)] {
        let body = "x".repeat(bytes);
        let mut client = client_from(&server, 2);
        client.send_regardless(format!("{head}{bytes:x}\r\n{body}\r\n0\r\n\r\n"));
        assert_eq!(client.answer().status, status, "{bytes}");
    }
    assert_eq!(before.ask("x".repeat(10)).text(), "60010");
}

/// What holds memory and does not move gives way to what does, and where all move, the client that holds most to one that
/// holds little; among equals the one who comes later is refused.
#[test]
fn bodies_give_way_when_memory_is_short() {
    for (name, held, silent, wanted, (first, second)) in [
        ("a stalled one", 50_000, 3000, 50_000, (408, 200)),
        ("one that rests", 50_000, 1000, 50_000, (200, 503)),
        ("a large one that moves", 80_000, 0, 25_000, (408, 200)),
        ("one of the same kind", 60_000, 0, 45_000, (200, 503)),
        ("a stalled one, for much", 50_000, 3000, 99_000, (408, 200)),
    ] {
        let clock = Clock::manual();
        let builder = builder(little_memory);
        let length = |request: &mut Request| request.body().len().to_string();
        let server = builder.clock(clock.clone()).serve(length).expect("it starts");
        let mut before = begin_body(&server, 1, held);
        clock.advance(ms(silent));
        let mut after = client_from(&server, 2);
        let answer = after.ask(post("/", &"y".repeat(wanted)));
        assert_eq!(answer.status, second, "{name}: the second");
        before.send_regardless("x".repeat(10));
        assert_eq!(before.answer().status, first, "{name}: the first");
        drop((before, after));
        let all = "z".repeat(100_000);
        eventually("all is given back", || Client::connect(&server).ask(post("/", &all)).status == 200);
    }
}

/// However fast a body began, it may pause for ten seconds and no longer.
#[test]
fn fast_bodies_may_pause_for_a_while() {
    for (pause, status) in [(9_000, 200), (10_100, 408)] {
        let clock = Clock::manual();
        let builder = builder(|_| ()).clock(clock.clone());
        let server =
            builder.serve(|request: &mut Request| request.body().len().to_string()).expect("it starts");
        let mut client = begin_body(&server, 1, 500_000);
        clock.advance(ms(pause));
        if status == 200 {
            // The watchdog has looked meanwhile; if not, this only shows less.
            std::thread::sleep(ms(120));
            client.send("x".repeat(10));
        }
        assert_eq!(client.answer().status, status, "after {pause} ms");
    }
}

/// A minimum rate that is raised is for the bodies that begin then: what has come of others was measured by the one before.
#[test]
fn bodies_that_have_begun_keep_their_minimum_rate() {
    let clock = Clock::manual();
    let length = |request: &mut Request| request.body().len().to_string();
    let server = builder(|_| ()).clock(clock.clone()).serve(length).expect("it starts");
    let mut client = begin_body(&server, 1, 500_000);
    clock.advance(ms(9_000));
    let config = Config { min_rate: Some(5_000), ..Config::default() };
    server.renew(Server::builder().config(config), length).expect("it is renewed");
    // The watchdog has looked meanwhile; if not, this only shows less.
    std::thread::sleep(ms(120));
    client.send_regardless("x".repeat(10));
    assert_eq!(client.answer().text(), "500010");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 510\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    client.send("x".repeat(500));
    eventually("it has come", || server.threads().to_string().contains("  500 bytes"));
    clock.advance(ms(9_000));
    assert_eq!(client.answer().status, 408, "it began with the new one");
}

#[test]
fn so_many_requests_are_handled_at_once() {
    let (server, gate) = gated(|config| {
        config.max_in_flight = 1;
        config.max_queued = 1;
        config.queue_wait = ms(200);
    });
    let mut handled = busy(&server, &gate, 1);
    let began = Instant::now();
    let mut queued = Client::connect(&server);
    queued.send(request("GET", "/queued"));
    eventually("it waits", || server.monitor().counters().active_connections == 2);
    let mut overflow = Client::connect(&server);
    // Which of the two is in the queue is not seen from outside; the one that is not is refused at once.
    overflow.send(request("GET", "/overflow"));
    let mut refused: Vec<_> =
        [&mut queued, &mut overflow].map(|client| (client.answer(), began.elapsed())).into();
    refused.sort_by_key(|(_, after)| *after);
    for (answer, _) in &refused {
        assert_overload(answer, false);
    }
    assert!(refused[1].1 >= ms(200), "{refused:?}");
    // Both connections go on.
    gate.open(1);
    assert_eq!(handled[0].answer().text(), "/busy");
    assert_eq!(queued.get("/").status, 200);
    assert_eq!(overflow.get("/").status, 200);
}

#[test]
fn requests_are_handled_in_the_order_they_came() {
    const COUNT: usize = 5;
    let gate = Gate::default();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (at_gate, seen) = (gate.clone(), order.clone());
    let handler = move |request: &mut Request| {
        seen.lock().expect("whole").push(request.path().to_owned());
        at_gate.pass();
        "done"
    };
    let server = serve(
        |config| {
            config.max_in_flight = 1;
            config.queue_wait = ms(5000);
        },
        handler,
    );
    let mut clients: Vec<_> = (0..COUNT).map(|_| Client::connect(&server)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(request("GET", &format!("/{number}")));
        // No counter shows the queue; this is ample for one to be read and the next not.
        std::thread::sleep(ms(20));
    }
    gate.open(COUNT);
    for client in &mut clients {
        assert_eq!(client.answer().text(), "done");
    }
    let expected: Vec<_> = (0..COUNT).map(|number| format!("/{number}")).collect();
    assert_eq!(*order.lock().expect("whole"), expected);
}

/// A server of one permit with health checks, a page that waits, and one whose answer is larger than any buffer.
fn one_permit(configure: impl FnOnce(&mut Config)) -> (Server, Gate) {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let monitor = Monitor::new(Clock::system());
    let router = Router::new()
        .get("/healthz", Health(monitor.clone()))
        .get("/readyz", Ready(monitor.clone()))
        .get("/", |_: &mut Request| "hello")
        .post("/", |request: &mut Request| request.body().len().to_string())
        .get("/large", |_: &mut Request| Response::text(Body::from(vec![b'x'; 20 << 20])))
        .get("/endless", |_: &mut Request| Response::text(Body::reader(io::repeat(b'x'))))
        .get("/busy", move |_: &mut Request| {
            at_gate.pass();
            "waited"
        });
    let configure = |config: &mut Config| {
        config.max_in_flight = 1;
        config.max_queued = 0;
        configure(config);
    };
    (builder(configure).monitor(monitor).serve(router).expect("it starts"), gate)
}

#[test]
fn health_is_answered_without_a_permit() {
    let (server, gate) = one_permit(|_| ());
    let mut handled = busy(&server, &gate, 1);
    let mut client = Client::connect(&server);
    assert_overload(&client.get("/"), false);
    assert!(client.get("/healthz").text().starts_with("{\"status\":\"healthy\""));
    assert_eq!(client.get("/readyz").text(), "{\"status\":\"ready\"}\n");
    // Neither does it take a permit to say that there is nothing.
    assert_eq!(client.get("/nothing").status, 404);
    assert_eq!(client.ask(request("DELETE", "/")).status, 405);
    gate.open(1);
    assert_eq!(handled[0].answer().text(), "waited");
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn slow_clients_hold_no_permit() {
    let (server, _) = one_permit(|_| ());
    let mut sender = Client::connect(&server);
    sender.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(sender.answer().status, 100);
    sender.send("hello");
    let mut reader = Client::connect(&server);
    reader.send(request("GET", "/large"));
    assert_eq!(reader.bytes(12), b"HTTP/1.1 200");
    // The one permit is free.
    let mut client = Client::connect(&server);
    assert_eq!(client.get("/").status, 200);
    assert_eq!(sender.ask("there").text(), "10");
}

#[test]
fn crawling_bodies_end() {
    let server = serve(
        |config| {
            config.min_rate = Some(1000);
            config.rate_grace = ms(200);
        },
        |request: &mut Request| request.body().len().to_string(),
    );
    let mut client = Client::connect(&server);
    client.stream.set_read_timeout(Some(ms(20))).expect("a socket");
    let began = Instant::now();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    let answer = loop {
        match client.read(false) {
            Err(Broken::TimedOut) => client.send_regardless("x"),
            answer => break answer,
        }
        assert!(began.elapsed() < ms(2000), "still served");
    };
    assert_eq!(answer.map(|answer| (answer.status, answer.closes())), Ok((408, true)));
    assert!(began.elapsed() >= ms(200), "{:?}", began.elapsed());
}

#[test]
fn bodies_have_a_deadline() {
    let server = serve(|config| config.body_timeout = ms(200), |_: &mut Request| "hello");
    let mut client = Client::connect(&server);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell");
    assert_eq!(client.last_answer().status, 408);
}

#[test]
fn answers_have_a_deadline() {
    let (server, _) = one_permit(|config| {
        config.write_timeout = ms(200);
        // 20 MB of answer would otherwise earn their reader hours.
        config.min_rate = Some(1 << 30);
    });
    let mut client = Client::connect(&server);
    client.send(request("GET", "/large"));
    // It has begun, and nothing more of it is read until it is over.
    assert!(client.stream.peek(&mut [0]).is_ok());
    eventually("it is cut", || server.monitor().counters().active_connections == 0);
    assert!(matches!(client.read(false), Err(Broken::Incomplete(_) | Broken::Reset)));
    // Where the end of the connection is that of the body, only a reset says that this is not.
    let mut old = Client::connect(&server);
    old.send("GET /endless HTTP/1.0\r\n\r\n");
    assert!(old.stream.peek(&mut [0]).is_ok());
    eventually("it is cut", || server.monitor().counters().active_connections == 0);
    assert_eq!(old.read(false), Err(Broken::Reset));
}

/// However much has been read of an answer, and however fast: who then reads nothing has as long as who never read anything, or
/// little longer.
#[test]
fn what_is_read_fast_buys_no_long_pause() {
    let clock = Clock::manual();
    let handler = |_: &mut Request| Response::text(Body::from(vec![b'x'; 32 << 20]));
    let server = builder(|_| ()).clock(clock.clone()).serve(handler).expect("it starts");
    let mut client = Client::connect(&server);
    client.send(request("GET", "/"));
    io::Read::read_exact(&mut client.stream, &mut vec![0; 24 << 20]).expect("it comes");
    let began = clock.now();
    eventually("it is cut", || {
        clock.advance(Duration::from_secs(30));
        std::thread::sleep(ms(5));
        server.monitor().counters().active_connections == 0
    });
    let (paused, write_timeout) = (clock.now().since(began), Config::default().write_timeout);
    assert!(paused >= write_timeout, "as long as others: {paused:?}");
    // At the minimum rate what was read takes fourteen hours.
    assert!(paused < Duration::from_secs(6 * 3600), "{paused:?}");
}

/// Without a minimum rate whatever is read buys the whole time again.
#[test]
fn without_a_rate_what_is_read_buys_time() {
    let clock = Clock::manual();
    let handler = |_: &mut Request| Response::text(Body::from(vec![b'x'; 64 << 20]));
    let server =
        builder(|config| config.min_rate = None).clock(clock.clone()).serve(handler).expect("it starts");
    let mut client = Client::connect(&server);
    client.send(request("GET", "/"));
    for _ in 0..3 {
        io::Read::read_exact(&mut client.stream, &mut vec![0; 16 << 20]).expect("it is not cut");
        let mut silent = Client::connect(&server);
        eventually("both are here", || server.monitor().counters().active_connections == 2);
        clock.advance(Config::default().write_timeout * 2 / 3);
        // Whoever ends this one has looked at the other, too.
        silent.expect_end();
        eventually("it has left", || server.monitor().counters().active_connections < 2);
    }
    assert_eq!(server.monitor().counters().active_connections, 1);
}

/// What clients hold by not reading it is theirs: where memory is short, that helps.
#[test]
fn answers_nobody_reads_go_when_memory_is_short() {
    let clock = Clock::manual();
    let handler = |_: &mut Request| Response::text(Body::from(vec![b'x'; 32 << 20]));
    let builder = builder(|config| config.max_memory = Some(16 << 20)).clock(clock.clone());
    let server = builder.serve(handler).expect("it starts");
    let mut client = Client::connect(&server);
    client.send(request("GET", "/"));
    assert!(client.stream.peek(&mut [0]).is_ok());
    let began = clock.now();
    eventually("it is cut", || {
        clock.advance(ms(100));
        std::thread::sleep(ms(5));
        server.monitor().counters().active_connections == 0
    });
    let deadline = Config::default().write_timeout;
    assert!(clock.now().since(began) < deadline, "long before its deadline");
    assert!(matches!(client.read(false), Err(Broken::Incomplete(_) | Broken::Reset)));
}

/// A socket that has room for next to nothing, connected to `server`.
fn narrow(server: &Server) -> TcpStream {
    let address = server.local_addr().expect("it listens");
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    set_socket_recv_buffer_size(&socket, 1).expect("a socket");
    connect(&socket, &address).expect("it listens");
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Who reads nothing, neither answers nor what asks for a body, is cut wherever there happens to be no more room.
#[test]
fn being_asked_for_a_body_has_a_deadline() {
    const ASKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    const STREAMED: &str =
        "POST /streamed HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    let clock = Clock::manual();
    let router = Router::new()
        .get("/fill", |request: &mut Request| {
            "x".repeat(request.query().and_then(|length| length.parse().ok()).unwrap_or(0))
        })
        .post("/", |_: &mut Request| StatusCode::NO_CONTENT)
        .post(
            "/streamed",
            Streaming(|request: &mut Request| {
                let _ = io::copy(&mut request.body_reader(), &mut io::sink());
                StatusCode::NO_CONTENT
            }),
        );
    let builder = builder(|config| config.min_rate = None).clock(clock.clone());
    let server = builder.security_headers(SecurityHeaders::none()).serve(router).expect("it starts");
    for asked in [ASKED, STREAMED] {
        // Nearly as much as is taken before a write waits, each a little more than the one before.
        let mut clients: Vec<_> = (0..60)
            .map(|number| {
                let mut stream = narrow(&server);
                stream
                    .write_all(request("GET", &format!("/fill?{}", 28_700 + 7 * number)).as_bytes())
                    .expect("room");
                stream
            })
            .collect();
        let answered = || server.monitor().counters().requests;
        let before = answered();
        for round in 0..60 {
            for client in &mut clients {
                let _ = client.write_all(asked.as_bytes());
            }
            std::thread::sleep(ms(1));
            for client in &mut clients {
                let _ = client.write_all(b"x");
            }
            if round == 0 {
                eventually("they are served", || answered() > before);
            }
        }
        // Each deadline in turn, until nobody is left.
        eventually("all have left", || {
            clock.advance(Duration::from_secs(1000));
            std::thread::sleep(ms(50));
            server.monitor().counters().active_connections == 0
        });
    }
}

/// Whoever has no room left for why he has to go does not hold the seat that somebody waits for.
#[test]
fn who_does_not_read_why_he_has_to_go() {
    const SEATS: usize = 80;
    let configure = |config: &mut Config| {
        (config.max_connections, config.max_connections_per_client) = (SEATS, None);
        (config.max_waiting, config.seat_wait) = (1, ms(10_000));
    };
    let handler = |request: &mut Request| {
        "x".repeat(request.query().and_then(|length| length.parse().ok()).unwrap_or(0))
    };
    let server = serve(configure, handler);
    // Each a little more than the one before: of one, the last answer takes just what room there was. Then half a head.
    let _full: Vec<_> = (0..SEATS)
        .map(|number| {
            let mut stream = narrow(&server);
            let text = request("GET", "/?27700") + &request("GET", "/").repeat(number) + "GET / HT";
            stream.write_all(text.as_bytes()).expect("room");
            stream
        })
        .collect();
    let _served: Vec<_> = (0..SEATS)
        .map(|number| {
            let mut client = Client::connect(&server);
            assert_eq!(client.get("/").status, 200, "newcomer {number}");
            client
        })
        .collect();
}

#[test]
fn others_stand_in_for_stuck_handlers() {
    const STUCK: Duration = ms(50);
    let (server, gate) = one_permit(|config| {
        config.max_connections = 2;
        config.max_stand_ins = 2;
        config.max_in_flight = 100;
        config.handler_timeout = STUCK;
        config.seat_wait = ms(5000);
    });
    // Both seats are stuck, and yet others are served, on two more.
    let mut stuck = busy(&server, &gate, 2);
    let ready = |server: &Server| Client::connect(server).get("/readyz").status;
    assert_eq!(Client::connect(&server).get("/").status, 200);
    assert_eq!(ready(&server), 200);
    // Past the bound the server says that it wants no more; a seat must be free to say so on.
    stuck.extend({
        let mut third = Client::connect(&server);
        third.send(request("GET", "/busy"));
        gate.wait_for(3);
        Some(third)
    });
    eventually("it is not ready", || !server.monitor().is_ready());
    assert_eq!(ready(&server), 503);
    gate.open(3);
    for client in &mut stuck {
        assert_eq!(client.answer().text(), "waited");
    }
    eventually("it is ready again", || server.monitor().is_ready());
    assert_eq!(ready(&server), 200);
}

/// A guard that waits for ever is as bad as a handler that does.
#[test]
fn guards_that_are_stuck() {
    struct Waits(Gate);
    impl Guard for Waits {
        fn may_wait(&self) -> bool {
            true
        }
        fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
            if exchange.request().path() == "/stuck" {
                self.0.pass();
            }
            Ok(())
        }
    }
    let gate = Gate::default();
    let configure = |config: &mut Config| {
        (config.max_connections, config.max_stand_ins, config.handler_timeout) = (1, 1, ms(50));
        config.seat_wait = ms(5000);
    };
    let server = builder(configure).guard(Waits(gate.clone()));
    let server = server.serve(|_: &mut Request| "served").expect("it starts");
    let mut stuck = Client::connect(&server);
    stuck.send(request("GET", "/stuck"));
    gate.wait_for(1);
    eventually("it is found", || server.monitor().stuck_handlers() == 1);
    assert_eq!(Client::connect(&server).get("/").text(), "served");
    gate.open(1);
    assert_eq!(stuck.answer().text(), "served");
}

/// A body that its reader does not get on with is the work of a handler, and counts as one that is stuck.
#[test]
fn readers_of_bodies_that_are_stuck() {
    let gate = Gate::default();
    let inside = gate.clone();
    let handler = move |request: &mut Request| {
        if request.path() != "/stuck" {
            return Response::text("served");
        }
        let (inside, mut left) = (inside.clone(), 3);
        let reader = std::iter::from_fn(move || {
            inside.pass();
            left -= 1;
            (left > 0).then_some(b'x')
        });
        Response::text(Body::reader(Bytewise(reader)))
    };
    let configure = |config: &mut Config| {
        (config.max_connections, config.max_stand_ins, config.handler_timeout) = (1, 1, ms(50));
        config.seat_wait = ms(5000);
    };
    let server = serve(configure, handler);
    let mut stuck = Client::connect(&server);
    stuck.send(request("GET", "/stuck"));
    gate.wait_for(1);
    eventually("it is found", || server.monitor().stuck_handlers() == 1);
    // Another seat stands in for it.
    assert_eq!(Client::connect(&server).get("/").text(), "served");
    // Each piece has that time again.
    gate.open(1);
    eventually("it is found again", || server.monitor().stuck_handlers() == 2);
    gate.open(2);
    assert_eq!(stuck.answer().text(), "xx");
}

/// Reads one byte at a time.
struct Bytewise<I>(I);

impl<I: Iterator<Item = u8>> io::Read for Bytewise<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.0.next();
        buffer.iter_mut().zip(next).for_each(|(place, byte)| *place = byte);
        Ok(usize::from(next.is_some()))
    }
}
