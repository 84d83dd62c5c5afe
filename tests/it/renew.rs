//! A server that is given new limits and another handler while it serves.

use crate::support::{Client, Gate, builder, ms, post, request, serve};
use selvedge::config::{FIXED, Rate, SETTINGS};
use selvedge::{Config, Request, SecurityHeaders, Server, StatusCode};
use std::time::Duration;

fn renewed(configure: impl FnOnce(&mut Config)) -> selvedge::server::Builder {
    let mut config = Config::default();
    configure(&mut config);
    Server::builder().config(config)
}

/// The connection stays; its next request meets what is new.
#[test]
fn an_open_connection_meets_the_new() {
    let server = serve(|_| {}, |_: &mut Request| "old");
    let mut client = Client::connect(&server);
    assert_eq!(client.get("/").text(), "old");

    let headers =
        SecurityHeaders::new().with("x-new".parse().expect("a name"), "yes".parse().expect("a value"));
    let builder = renewed(|config| (config.max_body, config.max_path, config.max_headers) = (4, 8, 2));
    server.renew(builder.security_headers(headers), |_: &mut Request| "new").expect("it is renewed");

    let answer = client.get("/");
    assert_eq!((answer.text(), answer.field("x-new")), ("new", Some("yes")));
    assert_eq!(client.get("/123456789").status, 400);
    assert_eq!(client.ask(post("/", "1234")).status, 200);
    let three = "GET / HTTP/1.1\r\nHost: localhost\r\nA: 1\r\nB: 2\r\n\r\n";
    assert_eq!(client.ask(three).status, 431);
    assert_eq!(Client::connect(&server).ask(post("/", "12345")).status, 413);
}

/// What has begun ends as it began.
#[test]
fn a_request_in_flight_keeps_the_old() {
    let gate = Gate::default();
    let inside = gate.clone();
    let slow = move |_: &mut Request| {
        inside.pass();
        "old"
    };
    let server = serve(|_| {}, slow);
    let mut client = Client::connect(&server);
    client.send(request("GET", "/"));
    gate.wait_for(1);
    server
        .renew(renewed(|config| config.handler_timeout = ms(1)), |_: &mut Request| "new")
        .expect("it is renewed");
    assert_eq!(Client::connect(&server).get("/").text(), "new");
    gate.open(1);
    assert_eq!(client.answer().text(), "old");
    assert_eq!(client.get("/").text(), "new");
}

/// Who has made as many requests as it may is not set free by a renewal of something else.
#[test]
fn a_rate_that_stays_goes_on() {
    let two = Rate { count: 2, span: Duration::from_secs(60) };
    let server = serve(|config| config.rate_limit = Some(two), |_: &mut Request| "");
    let mut client = Client::connect(&server);
    let statuses = |client: &mut Client| [0; 3].map(|_| client.get("/").status);
    assert_eq!(statuses(&mut client), [200, 200, 429]);

    server
        .renew(renewed(|config| config.rate_limit = Some(two)), |_: &mut Request| "")
        .expect("it is renewed");
    assert_eq!(statuses(&mut client), [429, 429, 429]);
    let three = Rate { count: 3, ..two };
    server
        .renew(renewed(|config| config.rate_limit = Some(three)), |_: &mut Request| "")
        .expect("it is renewed");
    assert_eq!(statuses(&mut client), [200, 200, 200]);
    server.renew(renewed(|config| config.rate_limit = None), |_: &mut Request| "").expect("it is renewed");
    assert_eq!(statuses(&mut client), [200, 200, 200]);
}

/// Nor does who is throttled get away by that.
#[test]
fn a_throttle_that_stays_goes_on() {
    let strict = |config: &mut Config| {
        config.throttle = Some(Rate { count: 2, span: Duration::from_secs(60) });
    };
    let server = serve(strict, |_: &mut Request| StatusCode::UNAUTHORIZED);
    let mut client = Client::connect(&server);
    let statuses = [0; 4].map(|_| client.get("/").status);
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    server.renew(renewed(strict), |_: &mut Request| "").expect("it is renewed");
    assert_eq!(client.get("/").status, 429);
}

/// Limits at odds with each other change nothing.
#[test]
fn nonsense_changes_nothing() {
    type Change = fn(&mut Config);

    let server = serve(|_| {}, |_: &mut Request| "old");
    let rows: &[(Change, &str)] = &[
        (|config| config.max_request_line = config.max_head + 1, "--max-request-line"),
        // Room that there is not, for it cannot grow any more.
        (
            |config| (config.max_body, config.max_buffered) = (512 << 20, 1 << 30),
            "--max-body: 512MiB is more than --max-buffered, 256MiB",
        ),
    ];
    for (change, says) in rows {
        let renewed = server.renew(renewed(change), |_: &mut Request| "new");
        let problem = renewed.expect_err("it is nonsense").to_string();
        assert!(problem.contains(says), "{problem}");
    }
    assert_eq!(Client::connect(&server).get("/").text(), "old");
}

/// Nobody waits in vain at an address that a renewal would not listen on.
#[test]
fn other_addresses_are_refused() {
    let server = serve(|_| {}, |_: &mut Request| "old");
    let problem = server.renew(builder(|_| {}), |_: &mut Request| "new").expect_err("it listens elsewhere");
    assert!(problem.to_string().contains("a server that runs listens where it has begun to"), "{problem}");
    assert_eq!(Client::connect(&server).get("/").text(), "old");
}

/// Many renewals under load, and not one request fails.
#[test]
fn no_request_is_lost() {
    let server = builder(|_| {}).serve(|_: &mut Request| "0").expect("it starts");
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(&server);
                    for _ in 0..500 {
                        assert_eq!(client.get("/").status, 200);
                    }
                })
            })
            .collect();
        let mut count = 0_u32;
        while clients.iter().any(|client| !client.is_finished()) {
            count += 1;
            let text = count.to_string();
            server.renew(renewed(|_| {}), move |_: &mut Request| text.clone()).expect("it is renewed");
        }
        assert!(count > 0);
    });
}

#[test]
fn fixed_settings_are_settings() {
    for name in FIXED {
        assert!(SETTINGS.iter().any(|setting| setting.name == name), "{name}");
    }
}
