//! The listener for those who watch over a server: who is answered, and what they are told.

#[cfg(feature = "json")]
mod board;
#[cfg(feature = "cli")]
mod browser;
mod counts;
#[cfg(feature = "metrics")]
mod exposition;

use crate::support::{Client, Gate, builder, eventually, ms, request, serve, stream_from};
use selvedge::clock::Clock;
use selvedge::server::Admin;
use selvedge::{Request, Server};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An admin listener on a free port of this machine.
pub fn admin(server: &Server) -> Server {
    Admin::of(server).and_then(|admin| admin.serve("127.0.0.1:0")).expect("it starts")
}

/// A gate, and a handler that waits at it.
pub fn gated() -> (Gate, impl Fn(&mut Request) -> &'static str) {
    let gate = Gate::default();
    let inside = gate.clone();
    let handler = move |_: &mut Request| {
        inside.pass();
        "passed"
    };
    (gate, handler)
}

fn hello() -> Server {
    serve(|_| (), |_: &mut Request| "hello")
}

/// A request with a Host field and perhaps another one.
fn from(method: &str, path: &str, host: &str, field: &str) -> String {
    let field = if field.is_empty() { String::new() } else { format!("{field}\r\n") };
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{field}\r\n")
}

#[test]
fn only_this_machine_is_answered_and_only_when_it_reads() {
    let server = hello();
    let admin = admin(&server);
    let rows: &[(&str, &str, &str, u16)] = &[
        ("GET", "localhost", "/healthz", 200),
        ("GET", "LOCALHOST:9000", "/healthz", 200),
        ("GET", "127.0.0.1:9000", "/healthz", 200),
        ("GET", "127.8.9.10", "/healthz", 200),
        ("GET", "[::1]:9000", "/healthz", 200),
        ("GET", "[::ffff:127.0.0.1]", "/healthz", 200),
        ("HEAD", "localhost", "/healthz", 200),
        // Names that anybody can point here.
        ("GET", "evil.example", "/healthz", 421),
        ("GET", "localhost.evil.example", "/healthz", 421),
        ("GET", "127.0.0.1.evil.example:9000", "/board.json", 421),
        ("GET", "192.0.2.7", "/healthz", 421),
        ("GET", "[2001:db8::1]", "/metrics", 421),
        ("GET", "0.0.0.0", "/healthz", 421),
        ("POST", "localhost", "/healthz", 405),
        ("OPTIONS", "localhost", "/board", 405),
        ("DELETE", "localhost", "/nothing", 405),
        ("GET", "localhost", "/nothing", 404),
        ("GET", "localhost", "/board.json/", 404),
        ("GET", "localhost", "/", 302),
    ];
    for (method, host, path, status) in rows {
        let mut client = Client::connect(&admin);
        client.send(from(method, path, host, ""));
        let answer = if *method == "HEAD" { client.answer_to_head() } else { client.answer() };
        assert_eq!(answer.status, *status, "{method} {path} of {host}");
        assert_eq!(answer.field("cross-origin-resource-policy"), Some("same-origin"), "{host}");
        assert_eq!(answer.field("allow"), (*status == 405).then_some("GET, HEAD"), "{method}");
    }
    let mut client = Client::connect(&admin);
    assert_eq!(client.ask("GET /healthz HTTP/1.0\r\n\r\n").status, 200, "no browser leaves the host out");
}

#[test]
fn pages() {
    let server = hello();
    let admin = admin(&server);
    for (path, kind, start) in [
        ("/board", "text/html; charset=utf-8", "<!doctype html>"),
        ("/board.css", "text/css; charset=utf-8", ":root"),
        ("/board.js", "text/javascript; charset=utf-8", "// Draws"),
        ("/icon.svg", "image/svg+xml", "<svg"),
        ("/threads", "text/plain; charset=utf-8", "0 of 1024 seats taken"),
    ] {
        let answer = Client::connect(&admin).get(path);
        assert_eq!((answer.status, answer.field("content-type")), (200, Some(kind)), "{path}");
        assert!(answer.text().starts_with(start), "{path}: {}", answer.text());
        // The policy forbids what is not ours and not in a file of its own.
        for forbidden in
            ["<style", "style=", "onclick", "http://www.google", "https://", "innerHTML", "eval("]
        {
            assert!(!answer.text().contains(forbidden), "{path} has {forbidden}");
        }
    }
}

#[cfg(feature = "auth")]
#[test]
fn a_token_opens_to_every_host() {
    const TOKEN: &str = "correct-horse-battery";
    let server = hello();
    let admin = Admin::of(&server).and_then(|admin| admin.token(TOKEN)).expect("a token");
    let admin = admin.serve("0.0.0.0:0").expect("other machines may reach it now");
    let address = format!("127.0.0.1:{}", admin.local_addr().expect("TCP").port());
    for (field, status) in [
        ("", 401),
        ("Authorization: Bearer correct-horse-battery", 200),
        ("authorization: bearer correct-horse-battery", 200),
        ("Authorization: Bearer correct-horse-batterz", 401),
        ("Authorization: Bearer correct-horse-batter", 401),
        ("Authorization: Bearer ", 401),
        // Any name, and the token as the password: what a browser sends.
        ("Authorization: Basic bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", 200),
        ("Authorization: Basic OmNvcnJlY3QtaG9yc2UtYmF0dGVyeQ==", 200),
        ("Authorization: Basic Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5Om1l", 401),
        ("Authorization: Basic Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", 401),
        ("Authorization: Basic not base64", 401),
        ("Authorization: Bearer correct-horse-battery\r\nAuthorization: Bearer correct-horse-battery", 401),
    ] {
        let stream = std::net::TcpStream::connect(&address).expect("it listens");
        let answer = Client::tcp(stream).ask(from("GET", "/readyz", "watched.example", field));
        assert_eq!(answer.status, status, "{field}");
        let challenges: Vec<_> =
            answer.fields.iter().filter(|(name, _)| name == "www-authenticate").collect();
        assert_eq!(challenges.len(), if status == 401 { 2 } else { 0 }, "{field}");
    }
}

#[test]
fn other_machines_need_a_token() {
    let server = hello();
    let refused = Admin::of(&server).and_then(|admin| admin.serve("0.0.0.0:0"));
    let problem = refused.map(drop).expect_err("anybody could look").to_string();
    assert!(
        problem.contains("bad value for --admin: ") && problem.contains("--admin-token-file"),
        "{problem}"
    );
    #[cfg(feature = "auth")]
    for token in ["", "too-short", "with a space in it", "with-a-line\nbreak-in-it", &"x".repeat(1025)] {
        let refused = Admin::of(&server).and_then(|admin| admin.token(token));
        assert!(refused.is_err(), "{token:?}");
    }
}

#[test]
fn a_unix_socket_takes_any_host() {
    let server = hello();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("admin-{}.sock", std::process::id()));
    let admin = Admin::of(&server).and_then(|admin| admin.serve(&format!("unix:{}", path.display())));
    let _admin = admin.expect("it starts");
    let mut client = Client::unix(UnixStream::connect(&path).expect("it listens"));
    assert_eq!(client.ask(from("GET", "/healthz", "watched.example", "")).status, 200);
}

/// Whoever stays away between two questions gives his seat to the next.
#[test]
fn nobody_keeps_the_others_out() {
    let server = hello();
    let admin = admin(&server);
    let mut viewers: Vec<_> = (0..2).map(|_| Client::connect(&admin)).collect();
    for viewer in &mut viewers {
        assert_eq!(viewer.get("/board.json").status, 200);
    }
    let mute: Vec<_> = (0..4).map(|_| Client::connect(&admin)).collect();
    for _ in 0..8 {
        assert_eq!(Client::connect(&admin).get("/healthz").status, 200);
    }
    drop((viewers, mute));
}

/// One address that opens connections and says nothing leaves room for others, and, up to its bound, for who asks from there.
#[test]
fn silent_connections_leave_room() {
    let server = hello();
    // (silent connections of one address, the address that asks then)
    for (silent, asks) in [(23, 2), (100, 3)] {
        let admin = admin(&server);
        let flood: Vec<_> = (0..silent).map(|_| stream_from(&admin, 2)).collect();
        let answer = Client::tcp(stream_from(&admin, asks)).get("/healthz");
        assert_eq!(answer.status, 200, "{silent} silent ones, and 127.0.0.{asks}: {}", answer.text());
        drop(flood);
    }
}

/// All that is asked of it comes from tables that nobody holds while he waits.
#[test]
fn it_answers_while_every_seat_is_taken() {
    let (gate, handler) = gated();
    let server = serve(|config| (config.max_connections, config.max_waiting) = (2, 1), handler);
    let admin = admin(&server);
    let mut busy: Vec<_> = (0..2).map(|_| Client::connect(&server)).collect();
    for client in &mut busy {
        client.send(request("GET", "/"));
    }
    gate.wait_for(2);
    let _waiting = Client::connect(&server);
    for path in ["/healthz", "/board", "/board.json?rows=8&seat=0", "/threads"] {
        assert_eq!(Client::connect(&admin).get(path).status, 200, "{path}");
    }
    let answer = Client::connect(&admin).get("/readyz");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains(r#""status":"not ready","reasons":["no-seats"],"#), "{}", answer.text());
    gate.open(2);
    for client in &mut busy {
        assert_eq!(client.answer().status, 200);
    }
    eventually("it is ready", || Client::connect(&admin).get("/readyz").status == 200);
}

#[test]
fn readiness_says_why_not() {
    let (gate, handler) = gated();
    let configure = |config: &mut selvedge::Config| {
        (config.handler_timeout, config.max_stand_ins) = (ms(1), 0);
    };
    let server = serve(configure, handler);
    let admin = admin(&server);
    let readiness = || Client::connect(&admin).get("/readyz");
    let answer = readiness();
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with(r#"{"status":"ready","reasons":[],"uptime":"#), "{}", answer.text());
    let mut client = Client::connect(&server);
    client.send(request("GET", "/stuck"));
    gate.wait_for(1);
    eventually("the handler is stuck", || readiness().status == 503);
    let answer = readiness();
    assert!(answer.text().contains(r#""reasons":["stuck-handlers"]"#), "{}", answer.text());
    assert!(
        answer.text().contains(r#""stuck_handlers":1,"stuck_handlers_bearable":0,"#),
        "{}",
        answer.text()
    );

    // A handler that does not come back is the one thing a shutdown waits for here.
    std::thread::scope(|scope| {
        scope.spawn(|| server.shutdown(Duration::from_secs(5)));
        eventually("it drains", || readiness().text().contains(r#""reasons":["draining"#));
        assert_eq!(Client::connect(&admin).get("/healthz").status, 200, "to end is not to be unwell");
        gate.open(1);
    });
    assert_eq!(readiness().status, 503, "it goes on answering until it is dropped");
}

#[test]
fn health_is_that_of_the_threads() {
    let clock = Clock::manual();
    let server = builder(|_| ()).clock(clock.clone()).serve(|_: &mut Request| "hello").expect("it starts");
    let admin = admin(&server);
    let health = || Client::connect(&admin).get("/healthz");
    // One that has died in its work: it beats no more.
    drop(server.monitor().acceptor.join(clock.now()));
    clock.advance(Duration::from_secs(5));
    let answer = health();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(
        answer.text().starts_with(r#"{"status":"healthy","uptime":5.000,"active_connections":0,"#),
        "{}",
        answer.text()
    );
    clock.advance(ms(1));
    assert_eq!(health().status, 503);
    // The watchdog has a look soon, whatever the clock says.
    let silent = r#"{"status":"unhealthy","silent_threads":["acceptor"],"uptime":5.001,"#;
    eventually("only the dead one is silent", || health().text().starts_with(silent));
}

#[test]
fn threads_are_told_line_by_line() {
    let (gate, handler) = gated();
    let server = serve(|_| (), handler);
    let mut busy = Client::connect(&server);
    busy.send(request("GET", "/a/%20forged?secret=1"));
    gate.wait_for(1);
    let text = server.threads().to_string();
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    assert!(
        head.starts_with("1 of 1024 seats taken, 0 connections wait for one; 1 of 100 requests in flight"),
        "{head}"
    );
    let line = lines.next().unwrap_or_default();
    assert!(line.starts_with("worker-1         seat 0     handling "), "{line}");
    assert!(line.contains("  GET /a/%20forged  0 served"), "without the query: {line}");
    assert!(line.contains(" left  127.0.0.1:"), "{line}");
    if Path::new("/proc/self/task").exists() {
        // A thread has its name when it first runs.
        for name in ["acceptor ", "watchdog ", "farewell ", "resources "] {
            eventually(name, || server.threads().to_string().lines().any(|line| line.starts_with(name)));
        }
    }
    gate.open(1);
    assert_eq!(busy.answer().status, 200);
}
