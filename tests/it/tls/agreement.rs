//! What client and server agree on.

use super::client::{Offer, library, outcome, with};
use super::pki::{Folder, Kind, authority, localhost};
use super::{serve, serve_with};
use crate::support::request;
use rustls::AlertDescription::{self, HandshakeFailure, NoApplicationProtocol, ProtocolVersion};
use rustls::crypto::SupportedKxGroup;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedCipherSuite};
use selvedge::{Profile, Request, Server, Tls};
use std::sync::Arc;

/// Says what was agreed on.
fn describe(request: &mut Request) -> String {
    let tls = request.tls().expect("it came over TLS");
    let resumed = if tls.resumed { " again" } else { "" };
    format!("{tls}{resumed}")
}

/// What a client with this offer is told, or the alert it gets.
fn ask(server: &Server, offer: &Offer<'_>) -> Result<String, AlertDescription> {
    ask_again(server, &Arc::new(offer.config()))
}

fn ask_again(server: &Server, config: &Arc<ClientConfig>) -> Result<String, AlertDescription> {
    let mut client = with(server, config, "localhost");
    match outcome(&mut client, &request("GET", "/")) {
        Ok(answer) => Ok(answer.text().to_owned()),
        Err(rustls::Error::AlertReceived(alert)) => Err(alert),
        Err(problem) => panic!("{problem}"),
    }
}

#[test]
fn versions() {
    let intermediate = serve(|_| (), describe);
    let modern = serve_with(&localhost(Kind::Ecdsa).tls(Profile::Modern), |_| (), describe);
    let rows: &[(&Server, &[_], Result<&str, AlertDescription>)] = &[
        (&intermediate, &[&TLS13, &TLS12], Ok("TLSv1.3 ")),
        (&intermediate, &[&TLS13], Ok("TLSv1.3 ")),
        (&intermediate, &[&TLS12], Ok("TLSv1.2 ")),
        (&modern, &[&TLS13, &TLS12], Ok("TLSv1.3 ")),
        (&modern, &[&TLS13], Ok("TLSv1.3 ")),
        (&modern, &[&TLS12], Err(ProtocolVersion)),
    ];
    for (server, versions, expected) in rows {
        let got = ask(server, &Offer { versions, ..Offer::default() });
        assert_eq!(got.as_ref().map(|text| &text[..8]), expected.as_ref().map(|text| *text), "{versions:?}");
    }
}

#[test]
fn groups() {
    use library::kx_group::{SECP256R1, SECP384R1, X25519};

    type Row<'a> = (&'a [&'static dyn SupportedKxGroup], Result<&'a str, AlertDescription>);

    let server = serve(|_| (), describe);
    let rows: &[Row<'_>] = &[
        #[cfg(feature = "tls")]
        (&[library::kx_group::X25519MLKEM768], Ok("X25519MLKEM768")),
        #[cfg(feature = "tls")]
        (&[library::kx_group::X25519MLKEM768, X25519, SECP256R1], Ok("X25519MLKEM768")),
        // No round trip is spent on what a client has not begun.
        #[cfg(feature = "tls")]
        (&[X25519, library::kx_group::X25519MLKEM768], Ok("X25519")),
        #[cfg(feature = "tls")]
        (&[library::kx_group::MLKEM768], Err(HandshakeFailure)),
        (&[X25519], Ok("X25519")),
        (&[SECP256R1], Ok("secp256r1")),
        (&[SECP384R1], Ok("secp384r1")),
    ];
    for (groups, expected) in rows {
        let got = ask(&server, &Offer { groups, versions: &[&TLS13], ..Offer::default() });
        let got = got.as_ref().map(|text| text.rsplit(' ').next().expect("a group"));
        assert_eq!(got, expected.as_ref().map(|group| *group), "{groups:?}");
        // 1.2 has the older ones.
        if let Ok(group @ ("X25519" | "secp256r1" | "secp384r1")) = expected {
            let text =
                ask(&server, &Offer { groups, versions: &[&TLS12], ..Offer::default() }).expect("agreed");
            assert!(text.ends_with(group), "{text}");
        }
    }
}

#[test]
fn suites() {
    use library::cipher_suite as suite;
    let servers = [Kind::Ecdsa, Kind::Rsa]
        .map(|kind| serve_with(&localhost(kind).tls(Profile::Intermediate), |_| (), describe));
    let [ecdsa, rsa] = &servers;
    let rows: &[(&Server, SupportedCipherSuite, Result<&str, AlertDescription>)] = &[
        (ecdsa, suite::TLS13_AES_128_GCM_SHA256, Ok("TLSv1.3 TLS13_AES_128_GCM_SHA256")),
        (ecdsa, suite::TLS13_AES_256_GCM_SHA384, Ok("TLSv1.3 TLS13_AES_256_GCM_SHA384")),
        (ecdsa, suite::TLS13_CHACHA20_POLY1305_SHA256, Ok("TLSv1.3 TLS13_CHACHA20_POLY1305_SHA256")),
        (rsa, suite::TLS13_AES_128_GCM_SHA256, Ok("TLSv1.3 TLS13_AES_128_GCM_SHA256")),
        (
            ecdsa,
            suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            Ok("TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ),
        (
            ecdsa,
            suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            Ok("TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ),
        (
            ecdsa,
            suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            Ok("TLSv1.2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
        ),
        (
            rsa,
            suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            Ok("TLSv1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ),
        (
            rsa,
            suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            Ok("TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        ),
        (
            rsa,
            suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            Ok("TLSv1.2 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        ),
        (rsa, suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, Err(HandshakeFailure)),
        (ecdsa, suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, Err(HandshakeFailure)),
    ];
    for (server, suite, expected) in rows {
        let versions = [suite.version()];
        let got = ask(server, &Offer { suites: &[*suite], versions: &versions, ..Offer::default() });
        let got = got.as_ref().map(|text| text.rsplit_once(' ').expect("a group").0);
        assert_eq!(got, expected.as_ref().map(|text| *text), "{suite:?}");
    }
}

/// The client's order counts: one without AES in hardware knows what is fast there.
#[test]
fn the_client_chooses_the_suite() {
    use library::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256};
    let server = serve(|_| (), describe);
    let suites = [TLS13_CHACHA20_POLY1305_SHA256, TLS13_AES_128_GCM_SHA256];
    let text = ask(&server, &Offer { suites: &suites, versions: &[&TLS13], ..Offer::default() });
    assert!(text.is_ok_and(|text| text.contains("CHACHA20")));
}

#[test]
fn protocols() {
    type Row<'a> = (&'a [&'a str], Result<Option<&'a str>, AlertDescription>);

    let server = serve(|_| (), describe);
    let rows: &[Row<'_>] = &[
        (&[], Ok(None)),
        (&["http/1.1"], Ok(Some("http/1.1"))),
        (&["h2", "http/1.1"], Ok(Some("http/1.1"))),
        (&["h2"], Err(NoApplicationProtocol)),
        (&["http/1.0"], Err(NoApplicationProtocol)),
        (&["HTTP/1.1"], Err(NoApplicationProtocol)),
        (&["acme-tls/1"], Err(NoApplicationProtocol)),
    ];
    for (protocols, expected) in rows {
        for version in [&TLS12, &TLS13] {
            let offer = Offer { protocols, versions: &[version], ..Offer::default() };
            let mut client = with(&server, &Arc::new(offer.config()), "localhost");
            let got = match outcome(&mut client, &request("GET", "/")) {
                Ok(_) => Ok(client
                    .stream
                    .conn
                    .alpn_protocol()
                    .map(|name| std::str::from_utf8(name).expect("text"))),
                Err(rustls::Error::AlertReceived(alert)) => Err(alert),
                Err(problem) => panic!("{protocols:?}: {problem}"),
            };
            assert_eq!(&got, expected, "{protocols:?}, {version:?}");
        }
    }
}

/// A session is resumed for as long as the configuration lives, in both versions, and never with early data.
#[test]
fn resumption() {
    let folder = Folder::new("resumption");
    for version in [&TLS13, &TLS12] {
        let tls = Tls::load(super::pki::settings(&folder)).expect("usable");
        let server = serve_with(&tls, |_| (), describe);
        let mut config = Offer { versions: &[version], ..Offer::default() }.config();
        config.enable_early_data = true;
        let config = Arc::new(config);
        let again = |expected: bool| {
            let mut client = with(&server, &config, "localhost");
            assert!(client.stream.conn.early_data().is_none(), "no ticket admits early data");
            assert_eq!(client.get("/").text().ends_with(" again"), expected, "{version:?}");
        };
        again(false);
        again(true);
        again(true);
        server.reload_certificates().expect("they are still there");
        again(false);
        again(true);
    }
}

/// A ticket of one name is not taken for another: the names may have different owners.
#[test]
fn a_session_is_of_one_name() {
    let tls = authority().issue(&["a.example", "b.example"], |_| ()).tls(Profile::Intermediate);
    let server = serve_with(&tls, |_| (), describe);
    let config = Arc::new(Offer::default().config());
    let mut ask = |name: &str| {
        let mut client = with(&server, &config, name);
        client.ask(format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n")).text().ends_with(" again")
    };
    assert_eq!(
        ["a.example", "b.example", "a.example", "b.example"].map(&mut ask),
        [false, false, true, true]
    );
}
