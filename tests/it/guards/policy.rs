//! What a request must look like to be let in: its host, its method, its path; and what every answer says to browsers.

use crate::support::{Client, builder, post, serve};
use http::HeaderValue;
use http::header::{SERVER, X_FRAME_OPTIONS};
use selvedge::{Method, Request, Router, SecurityHeaders, Validate};

/// The status of a request under a policy of two hosts and two methods.
#[test]
fn hosts_and_methods_on_lists() {
    let policy = Validate::new(255)
        .allow_hosts(["Example.org", "[::1]", "127.0.0.1"])
        .allow_methods([Method::GET, Method::POST]);
    let server = builder(|_| ()).guard(policy).serve(|_: &mut Request| "in").expect("it starts");
    let rows = [
        ("GET", "example.org", 200),
        ("GET", "EXAMPLE.ORG:8000", 200),
        ("GET", "[::1]", 200),
        ("GET", "[::1]:80", 200),
        ("GET", "127.0.0.1:1", 200),
        ("GET", "example.org.evil.example", 421),
        ("GET", "evil.example", 421),
        ("GET", "example.org.", 421),
        ("GET", "[::2]", 421),
        ("POST", "example.org", 200),
        ("DELETE", "example.org", 405),
        ("get", "example.org", 405),
    ];
    for (method, host, status) in rows {
        let answer = Client::connect(&server).ask(format!("{method} / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(answer.status, status, "{method} {host}");
        assert_eq!(answer.field("allow"), (status == 405).then_some("GET, POST"), "{method} {host}");
    }
    // A server that speaks no TLS at all has nothing that `https` names.
    for (target, status) in [("http://example.org/", 200), ("https://example.org/", 421)] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: example.org\r\n\r\n");
        assert_eq!(Client::connect(&server).ask(request).status, status, "{target}");
    }
    let unnamed = Client::connect(&server).ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(unnamed.status, 421, "no host is on no list");
    // Where a handler refuses a method that is on the list, it says itself which it takes.
    let policy = Validate::new(255).allow_methods([Method::GET, Method::POST]);
    let router = Router::new().get("/", |_: &mut Request| "in");
    let server = builder(|_| ()).guard(policy).serve(router).expect("it starts");
    let answer = Client::connect(&server).ask(post("/", "x"));
    assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn paths_that_climb_or_are_none() {
    let server = serve(|config| config.max_path = 20, |_: &mut Request| "in");
    for (path, status) in [
        ("/a..b", 200),
        ("/...", 200),
        ("/./a/", 200),
        ("/%2e", 200),
        ("/%41%20%80%fF", 200),
        ("/%2e.%2e", 200),
        ("/..", 400),
        ("/../a", 400),
        ("/a/..", 400),
        ("/a/../b", 400),
        ("/%2e%2E/a", 400),
        ("/.%2e", 400),
        ("/a%2f..%2fb", 400),
        ("/a%5c..%5Cb", 400),
        ("/%00", 400),
        ("/%1f", 400),
        ("/%7F", 400),
        ("/a%", 400),
        ("/a%4", 400),
        ("/%4g", 400),
        ("/%g4", 400),
    ] {
        assert_eq!(Client::connect(&server).get(path).status, status, "{path}");
    }
    for (length, status) in [(20, 200), (21, 400)] {
        let path = "/".repeat(length);
        for path in [path.clone(), format!("{path}?the-query-is-no-part-of-it")] {
            assert_eq!(Client::connect(&server).get(&path).status, status, "{path}");
        }
    }
}

/// The answer of a server with these fields, as text: the client of the tests wants the usual ones.
fn answer(headers: SecurityHeaders) -> String {
    let builder = builder(|_| ()).security_headers(headers);
    let server = builder.serve(|_: &mut Request| "in").expect("it starts");
    let mut client = Client::connect(&server);
    client.send("GET / HTTP/1.0\r\n\r\n");
    String::from_utf8(client.rest()).expect("ASCII")
}

#[test]
fn fields_for_browsers() {
    let mine = HeaderValue::from_static("mine");
    let lines = ["\r\nServer: server\r\n", "\r\nServer: mine\r\n", "\r\nX-Frame-Options: DENY\r\n"];
    for (headers, expected) in [
        (SecurityHeaders::new(), [true, false, true]),
        (SecurityHeaders::none(), [false, false, false]),
        (SecurityHeaders::none().with(SERVER, mine.clone()), [false, true, false]),
        (SecurityHeaders::new().with(SERVER, mine), [false, true, true]),
        (SecurityHeaders::new().without(&X_FRAME_OPTIONS), [true, false, false]),
    ] {
        let answer = answer(headers);
        assert_eq!(lines.map(|line| answer.contains(line)), expected, "{answer}");
    }
}
