//! Certificates and keys: which can be used, what is said of the others, and how they are replaced and end.

use super::client::{Offer, client, outcome, shake_hands, with};
use super::pki::{Authority, DAY, Folder, Issued, Kind, authority, lasts, localhost, settings};
use super::serve_with;
use crate::support::{eventually, request};
use rustls::AlertDescription;
use selvedge::clock::Clock;
use selvedge::monitor::Alert;
use selvedge::net::Listener;
use selvedge::server::Admin;
use selvedge::{CertificateFiles, Profile, Request, Server, Tls, TlsSettings};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

/// Loads a certificate and a key from files of this content, and says what is wrong with them.
fn problem_of(folder: &Folder, certificate: &str, key: &str) -> Option<String> {
    let settings = TlsSettings::new(folder.write("chain.pem", certificate), folder.write("key.pem", key));
    let problem = Tls::load(settings).err()?.to_string();
    Some(problem.replace(&folder.path("").display().to_string(), ""))
}

#[test]
fn what_cannot_be_loaded() {
    const NO_CERTIFICATE: &str =
        "TLS: chain.pem: no certificate in it; what is wanted begins with -----BEGIN CERTIFICATE-----";
    const NO_KEY: &str =
        "TLS: key.pem: no private key in it; what is wanted begins with -----BEGIN PRIVATE KEY-----";
    const ENCRYPTED: &str =
        "TLS: key.pem: the private key is encrypted; decrypt it with 'openssl pkey -in FILE -out FILE'";
    let folder = Folder::new("errors");
    let issued = authority().issue(&["localhost"], |_| ());
    let (pem, key) = (&issued.pem, issued.key.serialize_pem());
    let other = authority().issue(&["localhost"], |_| ());
    let expired = authority().issue(&["localhost"], |parameters| {
        (parameters.not_before, parameters.not_after) =
            (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 2, 3));
    });
    let future = authority().issue(&["localhost"], |parameters| {
        (parameters.not_before, parameters.not_after) =
            (rcgen::date_time_ymd(2120, 1, 1), rcgen::date_time_ymd(2121, 2, 3));
    });
    let cut = &pem[..pem.len() / 2];
    let garbled = pem.replacen("MI", "AA", 1);
    let rows: &[(&str, &str, &str)] = &[
        ("", &key, NO_CERTIFICATE),
        ("hello\n", &key, NO_CERTIFICATE),
        (&key, &key, NO_CERTIFICATE),
        (pem, "", NO_KEY),
        (pem, pem, NO_KEY),
        (cut, &key, "TLS: chain.pem: not PEM: section end \"CERTIFICATE\" missing"),
        ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", &key, "TLS: chain.pem: not PEM: "),
        (&garbled, &key, "TLS: chain.pem: certificate 1 in it is malformed: "),
        (&format!("{pem}{garbled}"), &key, "TLS: chain.pem: certificate 2 in it is malformed: "),
        (
            pem,
            &other.key.serialize_pem(),
            "TLS: key.pem: the key does not belong to the certificate in chain.pem",
        ),
        // The chain in the wrong order.
        (
            &format!("{}{pem}", authority().pem),
            &key,
            "TLS: key.pem: the key does not belong to the certificate in chain.pem",
        ),
        (
            pem,
            &format!("{key}{}", other.key.serialize_pem()),
            "TLS: key.pem: more than one private key in it; leave the one that belongs to the certificate",
        ),
        (
            &expired.pem,
            &expired.key.serialize_pem(),
            "TLS: chain.pem: the certificate expired at 2021-02-03T00:00:00.000Z",
        ),
        (
            &future.pem,
            &future.key.serialize_pem(),
            "TLS: chain.pem: the certificate is not valid before 2120-01-01T00:00:00.000Z",
        ),
        (
            pem,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "TLS: key.pem: the key cannot be used: ",
        ),
        (
            pem,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            ENCRYPTED,
        ),
        (
            pem,
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
            ENCRYPTED,
        ),
        (
            &" ".repeat((1 << 20) + 1),
            &key,
            "TLS: chain.pem: more than 1 MiB, which no certificate or key has",
        ),
    ];
    for (certificate, key, expected) in rows {
        let problem = problem_of(&folder, certificate, key).expect("it cannot be used");
        assert!(problem.starts_with(expected), "'{problem}' instead of '{expected}'");
        assert_eq!(problem.lines().count(), 1, "{problem}");
    }
    assert_eq!(problem_of(&folder, pem, &key), None);
    // One file with everything in it, and what others put before and between.
    let both = format!("comment\r\n{key}{pem}{}", authority().pem).replace('\n', "\r\n");
    assert_eq!(problem_of(&folder, &both, &both), None);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new("unreadable");
    let files = localhost(Kind::Ecdsa).files(&folder, "localhost");
    let missing = folder.path("missing.pem");
    let directory = folder.path("");
    let rows = [
        (&missing, &files.key, &missing, "No such file or directory"),
        (&files.certificate, &missing, &missing, "No such file or directory"),
        (&directory, &files.key, &directory, "Is a directory"),
    ];
    for (certificate, key, named, says) in rows {
        let problem =
            Tls::load(TlsSettings::new(certificate, key)).expect_err("it cannot be read").to_string();
        assert!(
            problem.starts_with(&format!("TLS: {}: cannot be read: {says}", named.display())),
            "{problem}"
        );
    }
    let mut settings = TlsSettings::new(&files.certificate, &files.key);
    settings.client_ca = Some(missing.clone());
    let problem = Tls::load(settings.clone()).expect_err("it cannot be read").to_string();
    assert!(problem.starts_with(&format!("TLS: {}: cannot be read: ", missing.display())), "{problem}");
    settings.client_ca = Some(folder.write("empty.pem", ""));
    let problem = Tls::load(settings).expect_err("nobody in it").to_string();
    assert!(problem.contains("empty.pem: no certificate in it"), "{problem}");
    let none = TlsSettings { certificates: Vec::new(), ..TlsSettings::new("", "") };
    let problem = Tls::load(none).expect_err("no certificate").to_string();
    assert_eq!(problem, "TLS: no certificate; give one with --tls-cert and --tls-key");
}

/// What is not wrong enough to refuse it.
#[test]
fn warnings() {
    let folder = Folder::new("warnings");
    let middle = Authority::new("Another");
    let own = authority().issue(&["localhost"], |_| ());
    let nameless = authority().issue(&[], |_| ());
    let alone = "the certificates of its issuer are missing";
    let rows: &[(&Issued, String, u32, &[&str])] = &[
        (&own, format!("{}{}", own.pem, authority().pem), 0o600, &[]),
        (&own, format!("{}{}", own.pem, authority().pem), 0o640, &[]),
        (
            &own,
            format!("{}{}", own.pem, authority().pem),
            0o644,
            &["everybody on this machine can read the key"],
        ),
        (&own, own.pem.clone(), 0o600, &[alone]),
        (&own, format!("{}{}", own.pem, middle.pem), 0o600, &["the chain is out of order"]),
        (
            &nameless,
            format!("{}{}", nameless.pem, authority().pem),
            0o600,
            &["the certificate has no DNS name"],
        ),
        (&own, own.pem.clone(), 0o604, &[alone, "everybody on this machine can read the key"]),
    ];
    for (issued, chain, mode, expected) in rows {
        let files = issued.files(&folder, "one");
        fs::write(&files.certificate, chain).expect("written");
        fs::set_permissions(&files.key, fs::Permissions::from_mode(*mode)).expect("our own file");
        let tls = Tls::load(TlsSettings::new(files.certificate, files.key)).expect("usable");
        let warnings = tls.identities().remove(0).warnings;
        assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
        for (warning, expected) in warnings.iter().zip(*expected) {
            assert!(warning.starts_with(expected), "{warning}");
        }
    }
    // One's own authority needs no other.
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let tls =
        Tls::from_der(vec![made.cert.der().to_vec()], made.signing_key.serialize_der(), Profile::Modern);
    assert!(tls.expect("usable").identities()[0].warnings.is_empty());
}

/// A server with these settings on a clock of its own, and what its alerts say.
fn watched(settings: TlsSettings) -> (Server, Clock, Tls, mpsc::Receiver<String>) {
    let tls = Tls::load(settings).expect("usable");
    let (server, clock, told) = watched_tls(&tls);
    (server, clock, tls, told)
}

fn watched_tls(tls: &Tls) -> (Server, Clock, mpsc::Receiver<String>) {
    let clock = Clock::manual();
    let (tell, told) = mpsc::channel();
    let server = Server::builder()
        .clock(clock.clone())
        .alert_sink(move |alert: &Alert| drop(tell.send(alert.to_json())))
        .bind_tls("127.0.0.1:0", tls)
        .expect("a free port")
        .serve(|_: &mut Request| "hello")
        .expect("it starts");
    (server, clock, told)
}

/// The certificate that new connections get.
fn served(server: &Server) -> Vec<u8> {
    let mut client = client(server);
    shake_hands(&mut client);
    client.stream.conn.peer_certificates().expect("it has one")[0].to_vec()
}

fn told(alerts: &mpsc::Receiver<String>) -> String {
    alerts.recv_timeout(Duration::from_secs(5)).expect("an alert")
}

/// What can be used takes the place of what was there, for new connections; what cannot leaves it there, and is told of.
#[test]
fn reloading() {
    let folder = Folder::new("reload");
    let settings = settings(&folder);
    let files = settings.certificates[0].clone();
    let (server, _, _, alerts) = watched(settings);
    let mut open = client(&server);
    assert_eq!(open.get("/").text(), "hello");
    let before = served(&server);

    let new = authority().issue(&["localhost"], |_| ());
    let rows: &[(&str, &dyn Fn(), &str)] = &[
        (
            "half a pair",
            &|| fs::write(&files.certificate, &new.pem).expect("written"),
            "the key does not belong",
        ),
        ("nothing", &|| fs::write(&files.certificate, "").expect("written"), "no certificate in it"),
        ("no file", &|| fs::remove_file(&files.certificate).expect("it is there"), "cannot be read"),
    ];
    for (name, spoil, says) in rows {
        spoil();
        let problem = server.reload_certificates().expect_err(name).to_string();
        let json = told(&alerts);
        assert!(problem.contains(says) && json.contains(says), "{name}: {problem} and {json}");
        assert!(
            json.starts_with("{\"alert\":\"certificate\",\"time\":\"2")
                && json.ends_with("; the certificates of before stay in use\"}")
        );
        assert!(served(&server) == before, "{name}");
    }
    fs::write(&files.certificate, &new.pem).expect("written");
    fs::write(&files.key, new.key.serialize_pem()).expect("written");
    server.reload_certificates().expect("usable");
    assert!(served(&server) == new.certificate.to_vec());
    // Who was there before is served as before.
    assert_eq!(open.get("/").text(), "hello");
    assert!(alerts.try_recv().is_err());
}

/// Files that change are noticed within a minute, also those that changed before the server began; once each.
#[test]
fn changed_files() {
    let folder = Folder::new("changed");
    let tls = Tls::load(settings(&folder)).expect("usable");
    let replace = |with: &Issued| {
        with.files(&folder, "localhost");
    };
    let second = authority().issue(&["localhost"], |_| ());
    replace(&second);
    let (server, clock, alerts) = watched_tls(&tls);
    eventually("it is noticed at the start", || served(&server) == second.certificate.to_vec());

    let third = authority().issue(&["localhost", "and.another.name"], |_| ());
    replace(&third);
    clock.advance(Duration::from_secs(60));
    eventually("it is noticed in a minute", || served(&server) == third.certificate.to_vec());

    // What was read again already is not read once more: that would end all sessions.
    replace(&second);
    tls.reload().expect("usable");
    let config = Arc::new(Offer::default().config());
    assert_eq!(with(&server, &config, "localhost").get("/").text(), "hello");
    clock.advance(Duration::from_secs(60));
    // As often as it would have been noticed.
    std::thread::sleep(Duration::from_millis(600));
    let mut again = with(&server, &config, "localhost");
    shake_hands(&mut again);
    assert_eq!(again.stream.conn.handshake_kind(), Some(rustls::HandshakeKind::Resumed));

    folder.write("localhost.key", "nothing");
    for _ in 0..3 {
        clock.advance(Duration::from_secs(60));
    }
    assert!(told(&alerts).contains("no private key in it"));
    let fourth = authority().issue(&["localhost"], |_| ());
    replace(&fourth);
    clock.advance(Duration::from_secs(60));
    eventually("it is well again", || served(&server) == fourth.certificate.to_vec());
    assert!(alerts.try_recv().is_err(), "it was told of once");
}

#[test]
fn other_settings() {
    let folder = Folder::new("other");
    let tls = Tls::load(settings(&folder)).expect("usable");
    let server = serve_with(&tls, |_| (), |_: &mut Request| "hello");
    let other = authority().issue(&["localhost"], |_| ()).files(&folder, "other");
    assert!(tls.replace(TlsSettings::new(&other.certificate, "/no/such/file")).is_err());
    assert!(served(&server) == localhost(Kind::Ecdsa).certificate.to_vec());
    let replacement = TlsSettings::new(&other.certificate, &other.key);
    tls.replace(TlsSettings { profile: Profile::Modern, ..replacement }).expect("usable");
    assert!(served(&server) == tls_certificate(&other));
    // They are what is read again.
    tls.reload().expect("usable");
    assert!(served(&server) == tls_certificate(&other));
    let old = Offer { versions: &[&rustls::version::TLS12], ..Offer::default() };
    let refused = outcome(&mut with(&server, &Arc::new(old.config()), "localhost"), &request("GET", "/"));
    assert!(matches!(refused, Err(rustls::Error::AlertReceived(AlertDescription::ProtocolVersion))));
    // What came from memory has nothing to be read again.
    let fixed = super::pki::tls();
    let server = serve_with(&fixed, |_| (), |_: &mut Request| "hello");
    server.reload_certificates().expect("nothing to do");
    assert!(served(&server) == localhost(Kind::Ecdsa).certificate.to_vec());
}

fn tls_certificate(files: &CertificateFiles) -> Vec<u8> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_file(&files.certificate).expect("a certificate").to_vec()
}

/// The operator is told 21, 7 and 1 days before the end, of each certificate; not for most of a certificate's life.
#[test]
fn notices_of_the_end() {
    let folder = Folder::new("notices");
    let rows: &[(i32, i32, Option<&str>)] = &[
        (-300, 22, None),
        (-300, 20, Some("20 days")),
        (-300, 7, Some("7 days")),
        (-300, 6, Some("6 days")),
        (-300, 1, Some("1 day")),
        (-300, 0, Some("less than a day")),
        // Short lives.
        (-1, 29, None),
        (-10, 10, None),
        (-1, 6, None),
        (-10, 6, Some("6 days")),
        (-5, 1, None),
        (0, 0, None),
        (-2, 0, Some("less than a day")),
    ];
    for (first, last, left) in rows {
        let issued = authority().issue(&["localhost"], |parameters| lasts(parameters, *first, *last));
        let files = issued.files(&folder, "short");
        let (server, _, tls, alerts) = watched(TlsSettings::new(&files.certificate, &files.key));
        if let Some(left) = left {
            let json = told(&alerts);
            let end = selvedge::record::Utc(tls.identities()[0].not_after);
            let says = format!("short.pem: the certificate ends in {left}, at {end}; renew it\"}}");
            assert!(json.ends_with(&says), "{json} does not say {says}");
        }
        drop(server);
        assert_eq!(
            alerts.recv_timeout(Duration::from_secs(5)),
            Err(RecvTimeoutError::Disconnected),
            "{first} to {last}"
        );
    }
}

/// A certificate is told of once; one that has taken its place by whatever way, anew.
#[test]
fn notices_of_the_next_certificate() {
    let folder = Folder::new("next");
    let issue = |days| {
        let issued = authority().issue(&["localhost"], |parameters| lasts(parameters, -300, days));
        let files = issued.files(&folder, "short");
        TlsSettings::new(&files.certificate, &files.key)
    };
    let first = issue(20);
    let (server, clock, tls, alerts) = watched(first.clone());
    assert!(told(&alerts).contains("ends in 20 days"));
    let next_look = || {
        clock.advance(Duration::from_secs(60));
        // As often as it would have been noticed.
        std::thread::sleep(Duration::from_millis(600));
    };
    tls.replace(first).expect("usable");
    next_look();
    server.reload_certificates().expect("usable");
    assert!(alerts.try_recv().is_err(), "it is as it was");
    tls.replace(issue(19)).expect("usable");
    next_look();
    assert!(told(&alerts).contains("ends in 19 days"));
    tls.replace(issue(300)).expect("usable");
    next_look();
    tls.replace(issue(18)).expect("usable");
    next_look();
    assert!(told(&alerts).contains("ends in 18 days"));
    assert!(alerts.try_recv().is_err());
}

/// The listener for those who watch over a server has certificates that end like any other.
#[test]
fn certificates_of_the_admin_listener() {
    let folder = Folder::new("admin");
    let tls = Tls::load(settings(&folder)).expect("usable");
    let (server, clock, _) = watched_tls(&super::pki::tls());
    let listener = Listener::bind("127.0.0.1:0").expect("a free port").with_tls(&tls);
    let admin = Admin::of(&server).and_then(|admin| admin.serve_on(listener)).expect("it starts");
    let next = authority().issue(&["localhost"], |_| ());
    next.files(&folder, "localhost");
    clock.advance(Duration::from_secs(60));
    eventually("it is noticed", || served(&admin) == next.certificate.to_vec());
}

/// It is told of once more when it has come.
#[test]
fn the_end_of_a_certificate() {
    let folder = Folder::new("end");
    let issued = authority().issue(&["localhost"], |parameters| {
        let now = SystemTime::now();
        (parameters.not_before, parameters.not_after) =
            ((now - DAY * 30).into(), (now + DAY / 86_400 * 2).into());
    });
    let files = issued.files(&folder, "short");
    let (server, clock, _, alerts) = watched(TlsSettings::new(&files.certificate, &files.key));
    assert!(told(&alerts).contains("ends in less than a day"));
    let mut json = Err(mpsc::TryRecvError::Empty);
    eventually("it ends", || {
        clock.advance(Duration::from_secs(60));
        json = alerts.try_recv();
        json.is_ok()
    });
    assert!(json.expect("told").contains("the certificate has ended, at 2"));
    let problem = server.reload_certificates().expect_err("it has ended").to_string();
    assert!(problem.contains("the certificate expired at 2"), "{problem}");
    assert!(told(&alerts).contains("the certificate expired at"));
}
