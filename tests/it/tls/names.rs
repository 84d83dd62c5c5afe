//! Which certificate a client gets, and which requests it may make with it.

use super::client::{Offer, connect, with};
use super::pki::{Folder, Issued, Kind, authority, localhost};
use super::raw::{ECDSA_SCHEMES, ECDSA_SUITES, Hello, RSA_SCHEMES, RSA_SUITES, Reply, reply};
use super::serve_with;
use rustls::pki_types::ServerName;
use selvedge::{CertificateFiles, Profile, Request, Tls, TlsSettings};
use std::io::Write;
use std::sync::Arc;

/// TLS with all of these, the first for who asks for none of them.
fn load(folder: &Folder, all: &[&Issued]) -> Tls {
    let files = |(number, issued): (usize, &&Issued)| issued.files(folder, &number.to_string());
    let certificates: Vec<CertificateFiles> = all.iter().enumerate().map(files).collect();
    Tls::load(TlsSettings { certificates, client_ca: None, profile: Profile::Intermediate }).expect("usable")
}

#[test]
fn certificates_by_name() {
    let folder = Folder::new("names");
    let issue = |names: &[&str]| authority().issue(names, |_| ());
    let default = issue(&["default.example"]);
    let one = issue(&["one.example", "Two.Example"]);
    let wild = issue(&["*.wild.example"]);
    let exact = issue(&["exact.wild.example"]);
    let tls = load(&folder, &[&default, &one, &wild, &exact]);
    let server = serve_with(&tls, |_| (), |_: &mut Request| "hello");
    let rows: &[(Option<&str>, &Issued)] = &[
        (None, &default),
        (Some("default.example"), &default),
        (Some("unknown.example"), &default),
        (Some("example"), &default),
        (Some("one.example"), &one),
        (Some("ONE.example"), &one),
        (Some("one.example."), &one),
        (Some("two.example"), &one),
        (Some("sub.one.example"), &default),
        (Some("a.wild.example"), &wild),
        (Some("A.WILD.EXAMPLE."), &wild),
        (Some("exact.wild.example"), &exact),
        (Some("wild.example"), &default),
        (Some("a.b.wild.example"), &default),
        (Some("a.exact.wild.example"), &default),
    ];
    for (name, expected) in rows {
        let mut stream = connect(&server);
        let hello = Hello { name: name.map(str::as_bytes), ..Hello::default() };
        stream.write_all(&hello.records()).expect("it reads");
        assert_eq!(reply(&mut stream), Reply::Certificate(expected.certificate.to_vec()), "{name:?}");
    }
}

/// What is no name is refused or as good as none; nobody gets another's certificate with it.
#[test]
fn names_that_are_none() {
    let server = serve_with(&super::pki::tls(), |_| (), |_: &mut Request| "hello");
    let names: &[&[u8]] = &[
        b"",
        b".",
        b"..",
        b".localhost",
        b"*.localhost",
        b"local host",
        b"127.0.0.1",
        b"::1",
        b"\xff",
        b"a\0b",
    ];
    for name in names {
        let mut stream = connect(&server);
        let hello = Hello { name: Some(name), ..Hello::default() };
        stream.write_all(&hello.records()).expect("it reads");
        match reply(&mut stream) {
            Reply::Certificate(certificate) => {
                assert_eq!(
                    certificate,
                    localhost(Kind::Ecdsa).certificate.to_vec(),
                    "{}",
                    name.escape_ascii()
                );
            }
            // illegal_parameter, decode_error
            Reply::Alert(47 | 50) => {}
            other => panic!("{}: {other:?}", name.escape_ascii()),
        }
    }
}

/// Of two certificates of one name each client gets the one it understands, whether it asks for the name or not.
#[test]
fn certificates_of_two_kinds() {
    let folder = Folder::new("kinds");
    let rsa = authority().issue_with(Kind::Rsa, &["localhost"], |_| ());
    let ecdsa = authority().issue_with(Kind::Ecdsa, &["localhost"], |_| ());
    let tls = load(&folder, &[&ecdsa, &rsa]);
    let server = serve_with(&tls, |_| (), |_: &mut Request| "hello");
    let both_suites = [RSA_SUITES, ECDSA_SUITES].concat();
    let both_schemes = [RSA_SCHEMES, ECDSA_SCHEMES].concat();
    let rows: &[(&[u16], &[u16], Option<&Issued>)] = &[
        (ECDSA_SUITES, ECDSA_SCHEMES, Some(&ecdsa)),
        (RSA_SUITES, RSA_SCHEMES, Some(&rsa)),
        (&both_suites, &both_schemes, Some(&ecdsa)),
        // In 1.2 the suite has a say too.
        (RSA_SUITES, &both_schemes, Some(&rsa)),
        (ECDSA_SUITES, &both_schemes, Some(&ecdsa)),
        (RSA_SUITES, ECDSA_SCHEMES, None),
    ];
    for (suites, schemes, expected) in rows {
        for name in [Some(&b"localhost"[..]), Some(b"unknown.example"), None] {
            let mut stream = connect(&server);
            let hello = Hello { suites, schemes, name, ..Hello::default() };
            stream.write_all(&hello.records()).expect("it reads");
            let expected = match expected {
                Some(issued) => Reply::Certificate(issued.certificate.to_vec()),
                None => Reply::Alert(40),
            };
            assert_eq!(reply(&mut stream), expected, "{suites:x?} {schemes:x?} {name:?}");
        }
    }
}

/// A request is for the server its connection was opened for, or it is misdirected; the connection stays usable.
#[test]
fn hosts_and_server_names() {
    let names = ["localhost", "a.example", "b.example", "xn--bcher-kva.example"];
    let tls = authority().issue(&names, |parameters| {
        parameters.subject_alt_names.push(rcgen::SanType::IpAddress([127, 0, 0, 1].into()));
    });
    let server = serve_with(
        &tls.tls(Profile::Intermediate),
        |_| (),
        |request: &mut Request| {
            request.tls().and_then(|tls| tls.server_name.as_deref()).unwrap_or("-").to_owned()
        },
    );
    let rows: &[(&str, &str, u16)] = &[
        ("a.example", "a.example", 200),
        ("a.example", "A.Example", 200),
        ("a.example", "a.example.", 200),
        ("a.example", "a.example:8443", 200),
        ("a.example", "a.example.:8443", 200),
        ("a.example", "b.example", 421),
        ("a.example", "example", 421),
        ("a.example", "x.a.example", 421),
        ("a.example", "a.example..", 421),
        ("a.example", "127.0.0.1", 421),
        ("a.example", "[::1]", 421),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", 200),
        // Who asked for no name may name any host.
        ("127.0.0.1", "127.0.0.1", 200),
        ("127.0.0.1", "a.example", 200),
    ];
    let config = Arc::new(Offer::default().config());
    for (name, host, status) in rows {
        let mut client = with(&server, &config, name);
        let answer = client.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(answer.status, *status, "{name} and {host}");
        let is_name = matches!(ServerName::try_from(*name), Ok(ServerName::DnsName(_)));
        if *status == 200 {
            assert_eq!(answer.text(), if is_name { name } else { "-" });
        }
        assert_eq!(answer.field("strict-transport-security"), Some("max-age=31536000"), "{answer:?}");
        let own = if is_name { name } else { &"any" };
        let again = client.ask(format!("GET / HTTP/1.1\r\nHost: {own}\r\n\r\n"));
        assert_eq!(again.status, 200, "{name} after {host}");
        // The target's own host counts, as everywhere; HTTP/1.0 need not say any.
        let absolute = client.ask(format!("GET http://{own}/ HTTP/1.1\r\nHost: {own}\r\n\r\n"));
        assert_eq!(absolute.status, 200, "{name}");
        assert_eq!(client.ask("GET / HTTP/1.0\r\n\r\n").status, 200, "{name}");
    }
}
