//! What is secure and what is not: schemes, Strict-Transport-Security, cookies, and plain HTTP that points to HTTPS.

use super::client::client;
use super::pki::tls;
use crate::support::{Client, request};
use http::header::STRICT_TRANSPORT_SECURITY;
use selvedge::config::{AddressSource, Network};
use selvedge::{
    Config, Handler, HeaderValue, HttpsOnly, Method, Plan, Request, Response, Router, SecurityHeaders,
    Server, Validate,
};

const HSTS: &str = "strict-transport-security";
const YEAR: Option<&str> = Some("max-age=31536000");

/// A server that speaks TLS on its first address and plain HTTP on its second.
fn both(
    headers: SecurityHeaders,
    configure: impl FnOnce(&mut Config),
    handler: impl selvedge::Handler,
) -> (Server, std::net::SocketAddr) {
    let mut config = Config::default();
    configure(&mut config);
    let server = Server::builder()
        .config(config)
        .security_headers(headers)
        .guard(Validate::new(255).allow_methods([Method::GET, Method::HEAD, Method::POST]))
        .bind_tls("127.0.0.1:0", &tls())
        .and_then(|builder| builder.bind("127.0.0.1:0"))
        .and_then(|builder| builder.serve(handler))
        .expect("it starts");
    let plain = server.addresses()[1].tcp().expect("it has one");
    (server, plain)
}

/// Told to those who came over TLS, whatever they are answered, and to nobody else (RFC 6797 §7.2).
#[test]
fn strict_transport_security() {
    let other = HeaderValue::from_static("max-age=60; includeSubDomains");
    let rows: &[(SecurityHeaders, Option<&str>)] = &[
        (SecurityHeaders::new(), YEAR),
        (SecurityHeaders::new().without(&STRICT_TRANSPORT_SECURITY), None),
        (
            SecurityHeaders::new().with(STRICT_TRANSPORT_SECURITY, other),
            Some("max-age=60; includeSubDomains"),
        ),
    ];
    for (headers, expected) in rows {
        let handler = Router::new().get("/", |_: &mut Request| "hello").get("/panic", panic);
        let (server, plain) = both(headers.clone(), |_| (), handler);
        let requests: &[(&str, u16)] = &[
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
            ("GET / HTTP/1.0\r\n\r\n", 200),
            ("GET /missing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            ("PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
            ("GET /../ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("nonsense\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n", 413),
            ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 505),
            ("GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n", 500),
        ];
        for (request, status) in requests {
            let answer = client(&server).ask(request);
            assert_eq!((answer.status, answer.field(HSTS)), (*status, *expected), "{request}");
            let answer = Client::to(plain).ask(request);
            assert_eq!((answer.status, answer.field(HSTS)), (*status, None), "{request}");
        }
    }
}

fn panic(_: &mut Request) -> Response {
    std::panic::resume_unwind(Box::new("as it was told"))
}

/// How a request came: to us, or to a trusted proxy that says so in the one field it is asked in.
#[test]
fn schemes_behind_proxies() {
    use AddressSource::{Forwarded, Peer, XForwardedFor};
    const TRUSTED: &str = "127.0.0.0/8";
    const OTHERS: &str = "10.0.0.0/8";
    let rows: &[(AddressSource, &str, &str, &str, &str)] = &[
        // Nobody says anything: over TLS, and not.
        (Peer, TRUSTED, "", "https", "http"),
        (XForwardedFor, TRUSTED, "", "https", "http"),
        (Forwarded, TRUSTED, "", "https", "http"),
        // Nobody is believed.
        (Peer, TRUSTED, "X-Forwarded-Proto: https\r\n", "https", "http"),
        (Peer, TRUSTED, "X-Forwarded-Proto: http\r\n", "https", "http"),
        (XForwardedFor, OTHERS, "X-Forwarded-Proto: https\r\n", "https", "http"),
        (XForwardedFor, OTHERS, "X-Forwarded-Proto: http\r\n", "https", "http"),
        (Forwarded, OTHERS, "Forwarded: proto=https\r\n", "https", "http"),
        // The proxy is.
        (XForwardedFor, TRUSTED, "X-Forwarded-Proto: https\r\n", "https", "https"),
        (XForwardedFor, TRUSTED, "x-forwarded-proto:HTTPS\r\n", "https", "https"),
        (XForwardedFor, TRUSTED, "X-Forwarded-Proto: http\r\n", "http", "http"),
        (XForwardedFor, TRUSTED, "X-Forwarded-Proto: https, http\r\n", "http", "http"),
        (XForwardedFor, TRUSTED, "X-Forwarded-Proto: http, https\r\n", "https", "https"),
        (XForwardedFor, TRUSTED, "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", "http", "http"),
        (XForwardedFor, TRUSTED, "X-Forwarded-Proto: httpss\r\n", "http", "http"),
        (XForwardedFor, TRUSTED, "X-Forwarded-Proto:\r\n", "http", "http"),
        (Forwarded, TRUSTED, "Forwarded: for=192.0.2.1;proto=https\r\n", "https", "https"),
        (Forwarded, TRUSTED, "Forwarded: proto=\"https\"; for=192.0.2.1\r\n", "https", "https"),
        (Forwarded, TRUSTED, "Forwarded: proto=https, proto=http\r\n", "http", "http"),
        (Forwarded, TRUSTED, "Forwarded: PROTO = https\r\n", "https", "https"),
        // In the field that is asked for, and only where it says something.
        (XForwardedFor, TRUSTED, "Forwarded: proto=https\r\n", "https", "http"),
        (Forwarded, TRUSTED, "X-Forwarded-Proto: https\r\n", "https", "http"),
        (Forwarded, TRUSTED, "Forwarded: proto=http, for=192.0.2.1\r\n", "https", "http"),
        (Forwarded, TRUSTED, "Forwarded: by=\"proto=http\"\r\n", "https", "http"),
    ];
    for (source, trusted, fields, over_tls, over_plain) in rows {
        let configure = |config: &mut Config| {
            config.client_ip_from = *source;
            config.trusted_proxies = vec![trusted.parse::<Network>().expect("a network")];
        };
        let handler = |request: &mut Request| {
            assert_eq!(request.is_secure(), request.scheme() == http::uri::Scheme::HTTPS);
            request.scheme().to_string()
        };
        let (server, plain) = both(SecurityHeaders::new(), configure, handler);
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        let mut secure = client(&server);
        let mut plain = Client::to(plain);
        for (answer, expected) in [(secure.ask(&request), over_tls), (plain.ask(&request), over_plain)] {
            assert_eq!(answer.text(), *expected, "{source:?} {trusted} {fields}");
            assert_eq!(
                answer.field(HSTS),
                YEAR.filter(|_| *expected == "https"),
                "{source:?} {trusted} {fields}"
            );
        }
        // What one request said does not stick to the connection.
        assert_eq!((secure.get("/").text(), plain.get("/").text()), ("https", "http"));
    }
}

/// A target that says `https` is for nobody who could have been read along with (RFC 9110 §7.4). One that says `http` has nothing
/// against being more secure than that.
#[test]
fn schemes_of_absolute_targets() {
    use AddressSource::{Peer, XForwardedFor};
    let rows: &[(AddressSource, &str, &str, u16, u16)] = &[
        // Over TLS, and not.
        (Peer, "/", "", 200, 200),
        (Peer, "http://localhost/", "", 200, 200),
        (Peer, "https://localhost/", "", 200, 421),
        (Peer, "HTTPS://localhost?q", "", 200, 421),
        (Peer, "/https://localhost/", "", 200, 200),
        (Peer, "https://localhost/", "X-Forwarded-Proto: https\r\n", 200, 421),
        // To a proxy that is trusted, and says so.
        (XForwardedFor, "https://localhost/", "X-Forwarded-Proto: https\r\n", 200, 200),
        (XForwardedFor, "https://localhost/", "X-Forwarded-Proto: http\r\n", 421, 421),
        (XForwardedFor, "https://localhost/", "", 200, 421),
    ];
    for (source, target, fields, over_tls, over_plain) in rows {
        let configure = |config: &mut Config| {
            config.client_ip_from = *source;
            config.trusted_proxies = vec!["127.0.0.0/8".parse::<Network>().expect("a network")];
        };
        let (server, plain) = both(SecurityHeaders::new(), configure, |_: &mut Request| "in");
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        let statuses = (client(&server).ask(&request).status, Client::to(plain).ask(&request).status);
        assert_eq!(statuses, (*over_tls, *over_plain), "{target} {fields}");
    }
}

/// Plain requests are pointed to HTTPS or refused; those that came over TLS are served.
#[test]
fn plain_http_is_pointed_to_https() {
    /// Method, target, fields, status, and the location for a server on port 443.
    type Row = (&'static str, &'static str, &'static str, u16, Option<&'static str>);
    let rows: &[Row] = &[
        ("GET", "/", "Host: a.example", 308, Some("https://a.example/")),
        ("HEAD", "/", "Host: a.example", 308, Some("https://a.example/")),
        ("GET", "/a/b?c=d&e", "Host: a.example", 308, Some("https://a.example/a/b?c=d&e")),
        ("GET", "/?", "Host: a.example", 308, Some("https://a.example/?")),
        ("GET", "/a|b?c=|{}%zz", "Host: a.example", 308, Some("https://a.example/a%7Cb?c=%7C%7B%7D%25zz")),
        ("GET", "/%0d%0aSet-Cookie:x", "Host: a.example", 400, None),
        ("GET", "/a%20b", "Host: a.example", 308, Some("https://a.example/a%20b")),
        ("GET", "//other.example/", "Host: a.example", 308, Some("https://a.example//other.example/")),
        ("GET", "/", "Host: a.example:80", 308, Some("https://a.example/")),
        ("GET", "/", "Host: a.example:8080", 308, Some("https://a.example/")),
        ("GET", "/", "Host: A.Example.", 308, Some("https://A.Example./")),
        ("GET", "/", "Host: [2001:db8::1]", 308, Some("https://[2001:db8::1]/")),
        ("GET", "/", "Host: [2001:db8::1]:80", 308, Some("https://[2001:db8::1]/")),
        ("GET", "/", "Host: 192.0.2.1:80", 308, Some("https://192.0.2.1/")),
        ("GET", "http://b.example/x?y", "Host: b.example", 308, Some("https://b.example/x?y")),
        ("GET", "/", "Host:", 400, None),
        ("GET", "/", "Host: :80", 400, None),
        ("POST", "/", "Host: a.example", 400, None),
        ("PUT", "/", "Host: a.example", 400, None),
        ("DELETE", "/", "Host: a.example", 400, None),
        ("OPTIONS", "*", "Host: a.example", 400, None),
        ("get", "/", "Host: a.example", 400, None),
    ];
    for port in [443, 8443] {
        let handler = HttpsOnly::new(port, |request: &mut Request| request.scheme().to_string());
        let server = Server::builder()
            .bind_tls("127.0.0.1:0", &tls())
            .and_then(|builder| builder.bind("127.0.0.1:0"))
            .and_then(|builder| builder.serve(handler))
            .expect("it starts");
        let plain = server.addresses()[1].tcp().expect("it has one");
        for (method, target, fields, status, location) in rows {
            let mut client = Client::to(plain);
            client.send(format!("{method} {target} HTTP/1.1\r\n{fields}\r\n\r\n"));
            let answer = if *method == "HEAD" { client.answer_to_head() } else { client.answer() };
            let at = format!("{method} {target} {fields}: {answer:?}");
            assert_eq!(answer.status, *status, "{at}");
            let on_port = |location: &str| {
                let (host, path) = location["https://".len()..].split_once('/').expect("a path");
                let port = if port == 443 { "" } else { ":8443" };
                format!("https://{host}{port}/{path}")
            };
            let expected = location.map(on_port);
            assert_eq!(answer.field("location").map(str::to_owned), expected, "{at}");
            assert_eq!(answer.field(HSTS), None, "{at}");
        }
        // Without a host there is nowhere to point to.
        assert_eq!(Client::to(plain).ask("GET / HTTP/1.0\r\n\r\n").status, 400);
        assert_eq!(Client::to(plain).ask("GET / HTTP/1.0\r\nHost: a\r\n\r\n").status, 308);
        // Who points nowhere asks for no body either.
        let asks = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
        assert_eq!(Client::to(plain).ask(asks).status, 400);
        assert_eq!(client(&server).get("/").text(), "https");
        assert_eq!(client(&server).ask(request("POST", "/")).text(), "https");
    }
}

/// Whom a proxy had over TLS the handler serves like all others: with their bodies, and as many at once as it serves of them.
#[test]
fn https_by_way_of_a_proxy() {
    struct Planned;
    impl Handler for Planned {
        fn handle(&self, request: &mut Request) -> Response {
            Response::text(format!("{} bytes", request.body().len()))
        }

        fn plan(&self, request: &Request) -> Plan {
            assert!(request.is_secure(), "it is not asked of others");
            Plan { max_body: Some(5), ..Plan::default() }
        }
    }
    let configure = |config: &mut Config| {
        config.client_ip_from = AddressSource::XForwardedFor;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    };
    let (_server, plain) = both(SecurityHeaders::new(), configure, HttpsOnly::new(443, Planned));
    for (fields, body, expected) in [
        ("X-Forwarded-Proto: https\r\n", "hello", (200, Some("5 bytes"))),
        ("X-Forwarded-Proto: https\r\n", "hello!", (413, None)),
        ("X-Forwarded-Proto: http\r\n", "hello", (400, None)),
        ("", "hello", (400, None)),
    ] {
        let length = body.len();
        let answer = Client::to(plain)
            .ask(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}"));
        let text = answer.text();
        assert_eq!((answer.status, expected.1.map(|_| text)), expected, "{fields}{body}");
    }
}
