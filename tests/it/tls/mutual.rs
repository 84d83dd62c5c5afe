//! Certificates of clients: who gets in with which, and who the server then takes them for.

use super::client::{Offer, outcome, with};
use super::pki::{Authority, Folder, Issued, Kind, authority, localhost, settings};
use super::serve_with;
use crate::support::{eventually, request};
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, SerialNumber};
use rustls::AlertDescription::{
    self, BadCertificate, CertificateExpired, CertificateRequired, CertificateUnknown, HandshakeFailure,
    UnknownCA, UnsupportedCertificate,
};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use selvedge::{Exchange, Guard, Refusal, Request, Response, Server, StatusCode, Tls};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Who came, as guards and handlers see it.
fn subject(request: &Request) -> String {
    let tls = request.tls().expect("it came over TLS");
    tls.client.as_ref().map_or("nobody".to_owned(), |client| format!("{} #{}", client.subject, client.serial))
}

/// Says whom it saw.
struct Saw;

impl Guard for Saw {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        let subject = subject(exchange.request());
        exchange.request_mut().extensions_mut().insert(subject);
        Ok(())
    }

    fn seal(&self, _: &Exchange, _: &mut Response) {}
}

/// A server that lets in who has a certificate of the tests' authority.
fn server(folder: &Folder) -> (Server, Tls) {
    let mut settings = settings(folder);
    settings.client_ca = Some(folder.write("authorities.pem", &authority().pem));
    let tls = Tls::load(settings).expect("usable");
    let handler = |request: &mut Request| {
        let by_guard = request.extensions().and_then(|extensions| extensions.get::<String>()).cloned();
        assert_eq!(by_guard, Some(subject(request)));
        let resumed = if request.tls().is_some_and(|tls| tls.resumed) { " again" } else { "" };
        subject(request) + resumed
    };
    let builder = Server::builder().guard(Saw).bind_tls("127.0.0.1:0", &tls).expect("a free port");
    (builder.serve(handler).expect("it starts"), tls)
}

fn person(configure: impl FnOnce(&mut CertificateParams)) -> Issued {
    authority().issue(&[], |parameters| {
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        parameters.serial_number = Some(SerialNumber::from(vec![0x0a, 0xff]));
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "alice");
        configure(parameters);
    })
}

/// What comes of a request with this certificate.
fn ask(
    server: &Server,
    version: &'static SupportedProtocolVersion,
    certificate: Option<&Issued>,
) -> Result<String, AlertDescription> {
    let config = Offer { versions: &[version], certificate, ..Offer::default() }.config();
    let mut client = with(server, &Arc::new(config), "localhost");
    match outcome(&mut client, &request("GET", "/")) {
        Ok(answer) => Ok(answer.text().to_owned()),
        Err(rustls::Error::AlertReceived(alert)) => Err(alert),
        Err(problem) => panic!("{problem}"),
    }
}

#[test]
fn who_gets_in() {
    type Row<'a> = (&'a str, Option<&'a Issued>, Result<&'a str, &'a [AlertDescription]>);

    let folder = Folder::new("mutual");
    let (server, _) = server(&folder);
    let alice = person(|_| ());
    let rows: &[Row<'_>] = &[
        ("alice", Some(&alice), Ok("CN=alice #0aff")),
        // handshake_failure is 1.2's word for it.
        ("nobody", None, Err(&[CertificateRequired, HandshakeFailure])),
        ("a stranger's", Some(&Authority::new("Another").issue(&[], |_| ())), Err(&[UnknownCA])),
        (
            "one of an authority that only has the name",
            Some(&Authority::new("Authority of the tests").issue(&[], |_| ())),
            Err(&[UnknownCA, BadCertificate, AlertDescription::DecryptError]),
        ),
        (
            "expired",
            Some(&person(|parameters| {
                (parameters.not_before, parameters.not_after) =
                    (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
            })),
            Err(&[CertificateExpired]),
        ),
        (
            "not yet valid",
            Some(&person(|parameters| {
                (parameters.not_before, parameters.not_after) =
                    (rcgen::date_time_ymd(2120, 1, 1), rcgen::date_time_ymd(2121, 1, 1));
            })),
            Err(&[BadCertificate, CertificateExpired]),
        ),
        (
            "a server's",
            Some(&person(|parameters| {
                parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            })),
            Err(&[UnsupportedCertificate, BadCertificate, CertificateUnknown]),
        ),
        ("the server's own", Some(localhost(Kind::Ecdsa)), Ok("CN=rcgen self signed cert #")),
    ];
    for (name, certificate, expected) in rows {
        for version in [&TLS12, &TLS13] {
            match (ask(&server, version, *certificate), expected) {
                (Ok(text), Ok(subject)) => assert!(text.starts_with(subject), "{name}, {version:?}: {text}"),
                (Err(alert), Err(alerts)) => {
                    assert!(alerts.contains(&alert), "{name}, {version:?}: {alert:?}");
                }
                (got, _) => panic!("{name}, {version:?}: {got:?}"),
            }
        }
    }
    eventually("nobody else was served", || server.monitor().counters().requests == 4);
}

/// A subject is written so that no part of it can be taken for another (RFC 4514 §2.4).
#[test]
fn subjects() {
    let folder = Folder::new("subjects");
    let (server, _) = server(&folder);
    let rows: &[(&[(DnType, DnValue)], &str)] = &[
        (
            &[(DnType::OrganizationName, "Example".into()), (DnType::CommonName, "alice".into())],
            "CN=alice,O=Example",
        ),
        (&[(DnType::CommonName, "alice,O=Example".into())], r"CN=alice\,O=Example"),
        (&[(DnType::CommonName, "alice+O=Example".into())], r"CN=alice\+O=Example"),
        (&[(DnType::CommonName, r#"a"b\c<d>e;f"#.into())], r#"CN=a\"b\\c\<d\>e\;f"#),
        (&[(DnType::CommonName, " alice ".into())], r"CN=\ alice\ "),
        (&[(DnType::CommonName, "#alice".into())], r"CN=\#alice"),
        (&[(DnType::CommonName, "a\0b\nc\x7f".into())], r"CN=a\00b\0ac\7f"),
        (&[(DnType::CommonName, "zoë 日本".into())], "CN=zoë 日本"),
        (&[(DnType::CommonName, "".into())], "CN="),
        (
            &[(DnType::CommonName, DnValue::PrintableString("alice".try_into().expect("printable")))],
            "CN=alice",
        ),
        // What is no text is written as it is in the certificate.
        (
            &[(DnType::CommonName, DnValue::BmpString("alice".try_into().expect("it has no more")))],
            "2.5.4.3=#1e0a0061006c006900630065",
        ),
        (&[(DnType::CustomDnType(vec![1, 2, 3, 4]), "alice".into())], "1.2.3.4=#0c05616c696365"),
        (&[], ""),
    ];
    for (parts, expected) in rows {
        let issued = person(|parameters| {
            parameters.distinguished_name = DistinguishedName::new();
            for (kind, value) in *parts {
                parameters.distinguished_name.push(kind.clone(), value.clone());
            }
        });
        assert_eq!(ask(&server, &TLS13, Some(&issued)), Ok(format!("{expected} #0aff")), "{parts:?}");
    }
    let serials: &[(&[u8], &str)] = &[
        (&[1], "01"),
        (&[0x80], "80"),
        (&[0, 1], "01"),
        (&[0x7f; 20], "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f"),
    ];
    for (serial, expected) in serials {
        let issued =
            person(|parameters| parameters.serial_number = Some(SerialNumber::from(serial.to_vec())));
        assert_eq!(ask(&server, &TLS13, Some(&issued)), Ok(format!("CN=alice #{expected}")));
    }
    // A number no certificate has: who it is cannot be told, so nobody is let in.
    let odd = person(|parameters| parameters.serial_number = Some(SerialNumber::from(vec![0x7f; 40])));
    let config = Offer { certificate: Some(&odd), ..Offer::default() }.config();
    let mut client = with(&server, &Arc::new(config), "localhost");
    assert!(outcome(&mut client, &request("GET", "/")).is_err());
}

/// Who resumes a session is who began it, and an authority that is no longer trusted ends all of its sessions.
#[test]
fn sessions_of_clients() {
    let folder = Folder::new("sessions");
    for version in [&TLS12, &TLS13] {
        let (server, tls) = server(&folder);
        let alice = person(|_| ());
        let config =
            Arc::new(Offer { versions: &[version], certificate: Some(&alice), ..Offer::default() }.config());
        let ask = || outcome(&mut with(&server, &config, "localhost"), &request("GET", "/"));
        let text = |expected: &str| assert_eq!(ask().expect("it is let in").text(), expected, "{version:?}");
        text("CN=alice #0aff");
        text("CN=alice #0aff again");
        let mut stricter = settings(&folder);
        stricter.client_ca = Some(folder.write("others.pem", &Authority::new("Another").pem));
        tls.replace(stricter).expect("usable");
        let refused = ask();
        assert!(matches!(refused, Err(rustls::Error::AlertReceived(UnknownCA))), "{version:?}: {refused:?}");
    }
}

/// A session does not outlive the certificate it was begun with.
#[test]
fn sessions_that_are_too_old() {
    let folder = Folder::new("old-sessions");
    let (server, _) = server(&folder);
    let alice =
        person(|parameters| parameters.not_after = (SystemTime::now() + Duration::from_secs(3)).into());
    let configs = [&TLS12, &TLS13].map(|version| {
        Arc::new(Offer { versions: &[version], certificate: Some(&alice), ..Offer::default() }.config())
    });
    let ask = |config| outcome(&mut with(&server, config, "localhost"), &request("GET", "/"));
    for config in &configs {
        assert_eq!(ask(config).expect("it is let in").text(), "CN=alice #0aff");
        assert_eq!(ask(config).expect("it is let in").text(), "CN=alice #0aff again");
    }
    eventually("it has ended", || configs.iter().all(|config| ask(config).is_err()));
}

/// Without authorities nobody is asked for a certificate.
#[test]
fn nobody_is_asked() {
    let server = serve_with(
        &super::pki::tls(),
        |_| (),
        |request: &mut Request| {
            if subject(request) == "nobody" { StatusCode::OK } else { StatusCode::FORBIDDEN }
        },
    );
    let alice = person(|_| ());
    let config = Offer { certificate: Some(&alice), ..Offer::default() }.config();
    let mut client = with(&server, &Arc::new(config), "localhost");
    assert_eq!(client.get("/").status, 200);
}
