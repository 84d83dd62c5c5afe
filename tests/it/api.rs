//! The library as an embedder uses it: router, guards, limits of handlers and of rates.

use crate::support::{Answer, Broken, Client, builder, ms, post, request, serve};
use selvedge::clock::Clock;
use selvedge::monitor::Monitor;
use selvedge::service::Health;
use selvedge::{
    AddressSource, Config, Exchange, Guard, Handler, HeaderName, HeaderValue, Method, Plan, RateLimit,
    Refusal, Request, Response, Router, SecurityHeaders, Server, StatusCode,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What handlers may read instead of the path is the same: a guard that looks at the one and a handler that looks at the
/// other see no difference.
#[test]
fn uris() {
    let server = serve(
        |config| {
            (config.max_head, config.max_request_line) = (1 << 20, 64 << 10);
            config.max_path = 64 << 10;
        },
        |request: &mut Request| request.uri().to_string(),
    );
    let mut client = Client::connect(&server);
    let long = format!("/{}?{}", "a".repeat(40_000), "b".repeat(25_000));
    for path in ["/", "//a", "/[]{}|^:@?[]{}|^`", "/?", "/%2e?a?b", &long] {
        assert_eq!(client.get(path).text(), path);
    }
}

/// A library's server listens where it is told to, and by that it is judged whose word counts there.
#[test]
fn where_it_listens_is_what_counts() {
    let config = |addresses: &[&str]| Config {
        bind: addresses.iter().map(|&address| address.into()).collect(),
        client_ip_from: AddressSource::XForwardedFor,
        ..Config::default()
    };
    let folder = std::env::temp_dir().join(format!("selvedge-where-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a place to write");
    let unix = format!("unix:{}", folder.join("socket").display());
    let rows: &[(&[&str], &[&str], bool)] = &[
        (&[], &[&unix], true),
        (&["127.0.0.1:8000"], &[&unix, "127.0.0.1:0"], true),
        // Whoever brings connections may bring them from a Unix socket.
        (&["127.0.0.1:8000"], &[], true),
        (&[&unix], &["127.0.0.1:0"], false),
    ];
    for (told, addresses, starts) in rows {
        let builder = Server::builder().config(config(told));
        let builder =
            addresses.iter().fold(builder, |builder, address| builder.bind(address).expect("it is free"));
        let started = builder.serve(|_: &mut Request| "");
        let problem = started.as_ref().err().map(ToString::to_string);
        assert_eq!(problem.is_none(), *starts, "{told:?} {addresses:?} {problem:?}");
        assert!(problem.is_none_or(|problem| problem.contains("--client-ip-from: nobody is trusted")));
        let Ok(server) = started else { continue };
        let renewed = server.renew(Server::builder().config(config(&[])), |_: &mut Request| "");
        assert!(renewed.is_ok(), "{addresses:?}: {renewed:?}");
    }
    let server = serve(|_| (), |_: &mut Request| "");
    let renewed = server.renew(Server::builder().config(config(&[&unix])), |_: &mut Request| "");
    assert!(renewed.is_err_and(|problem| problem.to_string().contains("nobody is trusted")));
    std::fs::remove_dir_all(&folder).expect("ours");
}

#[test]
fn router() {
    let router = Router::new()
        .get("/", |_: &mut Request| "root")
        .post("/", |request: &mut Request| request.body().to_ascii_uppercase().escape_ascii().to_string())
        .get("/replaced", |_: &mut Request| "first")
        .get("/replaced", |_: &mut Request| "last")
        .on(Method::HEAD, "/head", |_: &mut Request| Response::new(StatusCode::NO_CONTENT))
        .on(Method::DELETE, "/thing", |_: &mut Request| (StatusCode::ACCEPTED, "gone"))
        .on_any_path(Method::from_bytes(b"PING").expect("a token"), |_: &mut Request| "pong");
    let server = serve(|_| (), router);
    let mut client = Client::connect(&server);
    for (method, path, status, text, allow) in [
        ("GET", "/", 200, "root", None),
        ("GET", "/?q=/replaced", 200, "root", None),
        ("GET", "/replaced", 200, "last", None),
        ("DELETE", "/thing", 202, "gone", None),
        ("PING", "/", 200, "pong", None),
        ("PING", "/nowhere", 200, "pong", None),
        ("OPTIONS", "/", 204, "", Some("GET, POST, PING, HEAD, OPTIONS")),
        ("OPTIONS", "/thing", 204, "", Some("DELETE, PING, OPTIONS")),
        ("OPTIONS", "*", 204, "", None),
    ] {
        let answer = client.ask(request(method, path));
        assert_eq!((answer.status, answer.text()), (status, text), "{method} {path}");
        assert_eq!(answer.field("allow"), allow, "{method} {path}");
    }
    for (method, path, status, allow) in [
        ("GET", "/nowhere", 404, None),
        ("GET", "//", 404, None),
        ("GET", "/%72eplaced", 404, None),
        ("OPTIONS", "/nowhere", 404, None),
        ("PUT", "/", 405, Some("GET, POST, PING, HEAD, OPTIONS")),
        ("get", "/", 405, Some("GET, POST, PING, HEAD, OPTIONS")),
        ("GET", "/thing", 405, Some("DELETE, PING, OPTIONS")),
    ] {
        let answer = client.ask(request(method, path));
        assert_eq!((answer.status, answer.field("allow")), (status, allow), "{method} {path}");
    }
    assert_eq!(client.ask(post("/", "hello")).text(), "HELLO");
    // HEAD goes to GET, where it has no handler of its own.
    for (path, status, length) in [("/", 200, Some("4")), ("/head", 204, None), ("/thing", 405, Some("97"))] {
        client.send(request("HEAD", path));
        let answer = client.answer_to_head();
        assert_eq!((answer.status, answer.field("content-length")), (status, length), "{path}");
    }
}

/// Where GET is answered whatever the path, every path is known, and to HEAD too.
#[test]
fn routes_for_any_path() {
    let head = |status| move |_: &mut Request| Response::new(status);
    let router = Router::new()
        .get("/a", |_: &mut Request| "never")
        .post("/a", |_: &mut Request| "posted")
        .on(Method::OPTIONS, "/b", head(StatusCode::ACCEPTED))
        .on(Method::HEAD, "/b", head(StatusCode::ACCEPTED))
        .on_any_path(Method::GET, |request: &mut Request| request.path().to_owned())
        .on_any_path(Method::DELETE, |_: &mut Request| "gone");
    let server = serve(|_| (), router);
    let mut client = Client::connect(&server);
    let rows: &[(&str, &str, u16, Option<&str>)] = &[
        ("GET", "/nowhere", 200, None),
        ("HEAD", "/nowhere", 200, None),
        ("HEAD", "/a", 200, None),
        ("HEAD", "/b", 200, None),
        ("DELETE", "/nowhere", 200, None),
        ("POST", "/a", 200, None),
        ("PUT", "/nowhere", 405, Some("GET, DELETE, HEAD, OPTIONS")),
        ("OPTIONS", "/nowhere", 204, Some("GET, DELETE, HEAD, OPTIONS")),
        ("PUT", "/a", 405, Some("GET, POST, DELETE, HEAD, OPTIONS")),
        ("OPTIONS", "/b", 202, None),
        ("PUT", "/b", 405, Some("OPTIONS, HEAD, GET, DELETE")),
    ];
    for (method, path, status, allow) in rows {
        client.send(request(method, path));
        let answer = if *method == "HEAD" { client.answer_to_head() } else { client.answer() };
        assert_eq!((answer.status, answer.field("allow")), (*status, *allow), "{method} {path}");
    }
    // What is no GET makes no path known.
    let server = serve(|_| (), Router::new().on_any_path(Method::POST, |_: &mut Request| "posted"));
    assert_eq!(Client::connect(&server).get("/nowhere").status, 404);
}

#[test]
fn a_handler_sets_its_own_limit() {
    struct Larger;
    impl Handler for Larger {
        fn handle(&self, request: &mut Request) -> Response {
            Response::text(request.body().len().to_string())
        }
        fn plan(&self, request: &Request) -> Plan {
            let max_body = (request.path() == "/large").then_some(100);
            Plan { max_body, ..Plan::default() }
        }
    }
    let server = serve(|config| config.max_body = 10, Larger);
    for (path, length, status) in [("/", 10, 200), ("/", 11, 413), ("/large", 100, 200), ("/large", 101, 413)]
    {
        let answer = Client::connect(&server).ask(post(path, &"x".repeat(length)));
        assert_eq!(answer.status, status, "{path} {length}");
    }
}

/// Writes its name where it is asked, on the way in and on the way out.
struct Named(&'static str, Arc<Mutex<Vec<String>>>);

impl Guard for Named {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        self.1.lock().expect("whole").push(format!("{} in", self.0));
        let mut seen = exchange.request().extensions().and_then(|all| all.get::<String>()).cloned();
        seen.get_or_insert_default().push_str(self.0);
        exchange.request_mut().extensions_mut().insert(seen.unwrap_or_default());
        match exchange.request().header("x-refused-by") {
            Some(name) if name == self.0.as_bytes() => {
                let refusal = Refusal::new(StatusCode::IM_A_TEAPOT, "the secret cause");
                Err(refusal.retry_after(Duration::from_millis(1500)))
            }
            _ => Ok(()),
        }
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        self.1.lock().expect("whole").push(format!("{} out", self.0));
        let told = exchange.refusal().map_or("none", |refusal| refusal.reason);
        response.headers_mut().insert("x-sealed", HeaderValue::from_static(self.0));
        response.headers_mut().insert("x-refusal", HeaderValue::from_static(told));
    }
}

#[test]
fn guards_admit_in_order_and_seal_everything() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let named = |name| Named(name, order.clone());
    let server = builder(|config| config.header_timeout = ms(100))
        .guard(named("a"))
        .guard(named("b"))
        .security_headers(
            SecurityHeaders::new()
                .with(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
        )
        .serve(|request: &mut Request| {
            request.extensions().and_then(|all| all.get::<String>()).cloned().unwrap_or_default()
        })
        .expect("it starts");
    let passed = |answer: &Answer| {
        assert_eq!(answer.field("x-sealed"), Some("a"), "{answer:?}");
        std::mem::take(&mut *order.lock().expect("whole")).join(", ")
    };
    let mut client = Client::connect(&server);
    let answer = client.get("/");
    assert_eq!(answer.text(), "ab");
    assert_eq!(passed(&answer), "a in, b in, b out, a out");

    let refused_by = |name: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nX-Refused-By: {name}\r\n\r\n");
    for (name, way) in [("a", "a in, b out, a out"), ("b", "a in, b in, b out, a out")] {
        let answer = client.ask(refused_by(name));
        assert_eq!((answer.status, answer.field("retry-after")), (418, Some("2")));
        assert_eq!(answer.field("x-refusal"), Some("the secret cause"));
        assert!(!answer.text().contains("secret"));
        assert_eq!(passed(&answer), way);
    }
    // What no guard let in, all of them seal.
    for (sent, status) in
        [("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HT", 408), ("GET /.. HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    {
        let answer = Client::connect(&server).ask(sent);
        assert_eq!(answer.status, status);
        assert_eq!(passed(&answer), "b out, a out");
    }
}

#[test]
fn a_guard_that_panics_costs_no_seat() {
    struct Panics;
    impl Guard for Panics {
        fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
            if exchange.request().path() == "/panic" {
                std::panic::resume_unwind(Box::new("the secret cause"));
            }
            Ok(())
        }
    }
    let server = builder(|config| config.max_connections = 1).guard(Panics).serve(|_: &mut Request| "hello");
    let server = server.expect("it starts");
    for _ in 0..3 {
        let mut client = Client::connect(&server);
        client.send(request("GET", "/panic"));
        match client.read(false) {
            Ok(answer) => assert_eq!(answer.status, 500),
            broken => assert_eq!(broken, Err(Broken::Ended)),
        }
        assert_eq!(Client::connect(&server).get("/").status, 200);
    }
}

#[test]
fn rates_are_exact() {
    let clock = Clock::manual();
    let router = Router::new()
        .get("/", |_: &mut Request| "hello")
        .get("/healthz", Health(Monitor::new(clock.clone())))
        .on_any_path(Method::from_bytes(b"HEALTH").expect("a token"), Health(Monitor::new(clock.clone())));
    let server = builder(|_| ())
        .clock(clock.clone())
        .guard(RateLimit::new(3, Duration::from_secs(60)))
        .serve(router)
        .expect("it starts");
    let mut client = Client::connect(&server);
    let mut allowed = |expected: u16, wait: &str| {
        let answer = client.get("/");
        assert_eq!(answer.status, expected);
        let wait = (expected == 429).then_some(wait);
        assert_eq!(answer.field("retry-after"), wait);
        let left = wait.map(|wait| format!("\"default\";r=0;t={wait}"));
        assert_eq!(answer.field("ratelimit"), left.as_deref());
        assert_eq!(answer.field("ratelimit-policy"), wait.map(|_| "\"default\";q=3;w=60"));
        assert!(!answer.closes());
        // Whoever watches over the server is not limited, and does not count.
        assert_eq!(client.get("/healthz").status, 200);
        assert_eq!(client.ask(request("HEALTH", "/any")).status, 200);
    };
    allowed(200, "");
    clock.advance(Duration::from_secs(10));
    allowed(200, "");
    allowed(200, "");
    allowed(429, "50");
    clock.advance(Duration::from_millis(49_500));
    allowed(429, "1");
    // The window slides: the first falls out of it, then the others together.
    clock.advance(Duration::from_millis(500));
    allowed(200, "");
    allowed(429, "10");
    clock.advance(Duration::from_secs(10));
    allowed(200, "");
    allowed(200, "");
    allowed(429, "50");
    assert_eq!(server.monitor().counters().refused, 4);
}

/// What the other guards owe a response is owed all the same.
#[test]
fn a_seal_that_panics() {
    struct Panics;
    impl Guard for Panics {
        fn seal(&self, _: &Exchange, _: &mut Response) {
            std::panic::resume_unwind(Box::new("the secret cause"));
        }
    }
    let server = builder(|_| ()).guard(Panics).serve(|_: &mut Request| "hello").expect("it starts");
    let answer = Client::connect(&server).get("/");
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    assert!(answer.field("content-security-policy").is_some());
}

/// A seat that was not taken by the acceptor is passed on, too.
#[test]
fn the_seat_of_a_stream_that_was_handed_in() {
    let server = builder(|config| {
        config.max_connections = 1;
        config.seat_wait = std::time::Duration::from_secs(4);
    })
    .serve(|_: &mut Request| "hello")
    .expect("it starts");
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let mut first = Client::unix(ours);
    std::thread::scope(|scope| {
        scope.spawn(|| server.serve_connection(theirs, None));
        assert_eq!(first.get("/").status, 200);
        let mut next = Client::connect(&server);
        assert_eq!(next.get("/").text(), "hello");
        drop(first);
    });
}

/// Memory that was drawn for a body comes back, however the body ends.
#[test]
fn the_budget_comes_back() {
    let server = builder(|config| (config.max_body, config.max_buffered) = (100_000, 100_000))
        .serve(|request: &mut Request| request.body().len().to_string())
        .expect("it starts");
    let all = "x".repeat(100_000);
    let half =
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n{}", &all[..5000]);
    for (rest, ends) in [("\r\nfffff\r\n", false), ("\r\ng\r\n", false), ("", true)] {
        let mut client = Client::connect(&server);
        client.send(format!("{half}{rest}"));
        if ends {
            client.stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        }
        assert!(client.answer().status >= 400, "{rest:?}");
        let whole = Client::connect(&server).ask(crate::support::post("/", &all));
        assert_eq!(whole.text(), "100000", "after {rest:?}");
    }
}
