//! TLS by the program: which options go together, what it says of certificates, and that it speaks it.

use super::{Serving, check, program};
use crate::support::{Answer, Client};
use crate::tls::client::{Offer, Secure, library, over};
use crate::tls::forger::Forger;
use crate::tls::pki::{Folder, Kind, authority, lasts, localhost};
use crate::tls::raw::{ALERT, DATA, Hello};
use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};
use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

/// Any free port, without limits on how often one client may ask.
const UNLIMITED: [&str; 4] = ["--bind", "127.0.0.1:0", "--rate-limit", "off"];

/// Certificate and key of localhost, in files.
fn files(folder: &Folder) -> [String; 2] {
    let files = localhost(Kind::Ecdsa).files(folder, "localhost");
    [files.certificate, files.key].map(|path| path.to_str().expect("UTF-8").to_owned())
}

fn socket(address: &str) -> TcpStream {
    Client::tcp(TcpStream::connect(address).expect("it listens")).stream
}

fn connect(serving: &Serving, offer: &Offer<'_>) -> Client<Secure> {
    Client::over(over(socket(&serving.address), &Arc::new(offer.config()), "localhost"))
}

fn get(serving: &Serving, path: &str) -> Answer {
    connect(serving, &Offer::default()).get(path)
}

#[test]
fn options_that_do_not_go_together() {
    let rows: &[(&[&str], &str)] = &[
        (&["--tls-cert", "a"], "--tls-cert without --tls-key; give both"),
        (&["--tls-key", "a"], "--tls-key without --tls-cert; give both"),
        (
            &["--tls-self-signed", "--tls-cert", "a", "--tls-key", "b"],
            "--tls-self-signed with --tls-cert; give one of them",
        ),
        (&["--tls-self-signed", "--tls-key", "b"], "--tls-key without --tls-cert; give both"),
        (
            &["--tls-client-ca", "a"],
            "--tls-client-ca without --tls-cert; give the server's own certificate too",
        ),
        (&["--tls-self-signed", "--tls-client-ca", "a"], "--tls-client-ca without --tls-cert"),
        (
            &["--redirect-http", "127.0.0.1:0"],
            "--redirect-http without --tls-cert; there is no HTTPS to redirect to",
        ),
        (
            &["--tls-cert", "a", "--tls-key", "b", "--redirect-http", "unix:/run/x"],
            "--redirect-http with a Unix socket, which no browser uses; give HOST:PORT",
        ),
        (
            &["--tls-profile", "modern"],
            "--tls-profile modern without --tls-cert; there is no TLS to choose versions of",
        ),
        (
            &["--tls-profile", "old"],
            "bad value for --tls-profile: 'old' is no profile; permitted: intermediate, modern",
        ),
        (&["--tls-cert", ""], "bad value for --tls-cert: "),
        (&["--tls-self-signed=perhaps"], "--tls-self-signed"),
    ];
    for (arguments, says) in rows {
        check(arguments, &[], 2, says);
    }
    let socket = format!("unix:{}", super::scratch("plain-socket").display());
    for (arguments, says) in [
        (
            &["--tls-cert", "a", "--tls-key", "b"][..],
            "--tls-cert, and Unix sockets alone, where no TLS is spoken; give",
        ),
        (
            &["--tls-self-signed"],
            "--tls-self-signed, and Unix sockets alone, where no TLS is spoken; give --bind HOST:PORT",
        ),
    ] {
        check(&[&["--bind", &*socket], arguments].concat(), &[], 2, says);
        let output =
            program(&["check", "--bind", &*socket]).args(arguments).output().expect("the program runs");
        let found = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{found}");
        assert!(found.contains(&format!("error: {says}")), "{found}");
    }
    let variables: &[(&[(&str, &str)], &str)] = &[
        (&[("SELVEDGE_TLS_CERT", "a")], "--tls-cert without --tls-key; give both"),
        (&[("SELVEDGE_TLS_SELF_SIGNED", "maybe")], "bad value for SELVEDGE_TLS_SELF_SIGNED: "),
        (&[("SELVEDGE_TLS_PROFILE", "")], "bad value for SELVEDGE_TLS_PROFILE: "),
    ];
    for (environment, says) in variables {
        check(&[], environment, 2, says);
    }
}

/// What cannot be used keeps the program from starting: one line that names the file.
#[test]
fn files_that_cannot_be_used() {
    let folder = Folder::new("program-files");
    let [certificate, key] = &files(&folder);
    let text = |name: &str, content: &str| folder.write(name, content).to_str().expect("UTF-8").to_owned();
    let (empty, other) = (text("empty", ""), authority().issue(&["localhost"], |_| ()));
    let other = text("other.key", &other.key.serialize_pem());
    let expired = authority().issue(&["localhost"], |parameters| {
        (parameters.not_before, parameters.not_after) =
            (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 2, 3));
    });
    let (old, old_key) = (text("old.pem", &expired.pem), text("old.key", &expired.key.serialize_pem()));
    let rows: &[(&str, &str, &str, String)] = &[
        ("/no/such", key, "", "/no/such: cannot be read: No such file".into()),
        (certificate, "/no/such", "", "/no/such: cannot be read: No such file".into()),
        (&empty, key, "", format!("{empty}: no certificate in it")),
        (certificate, &empty, "", format!("{empty}: no private key in it")),
        (certificate, certificate, "", format!("{certificate}: no private key in it")),
        (
            certificate,
            &other,
            "",
            format!("{other}: the key does not belong to the certificate in {certificate}"),
        ),
        (&old, &old_key, "", format!("{old}: the certificate expired at 2021-02-03T00:00:00.000Z")),
        (certificate, key, "/no/such", "/no/such: cannot be read: No such file".into()),
        (certificate, key, &empty, format!("{empty}: no certificate in it")),
    ];
    for (certificate, key, authorities, says) in rows {
        let mut arguments = vec!["--bind", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
        if !authorities.is_empty() {
            arguments.extend(["--tls-client-ca", authorities]);
        }
        check(&arguments, &[], 1, &format!("selvedge: TLS: {says}"));
    }
}

/// The certificate that is served is the one whose fingerprint is shown; nobody is told to insist on it.
#[cfg(feature = "self-signed")]
#[test]
fn self_signed() {
    use crate::tls::raw::{Reply, reply};
    use std::fmt::Write as _;

    let mut serving = Serving::start(program(&["--bind", "127.0.0.1:0"]).arg("--tls-self-signed"));
    serving.read_to("its SHA-256 fingerprint is");
    let shown = serving.read_to(":").trim().to_owned();
    let mut stream = socket(&serving.address);
    stream.write_all(&Hello::default().records()).expect("it reads");
    let Reply::Certificate(certificate) = reply(&mut stream) else { panic!("no certificate") };
    let suite = library::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13().expect("it is of 1.3");
    let digest = suite.common.hash_provider.hash(&certificate);
    let fingerprint = digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{}{byte:02X}", if text.is_empty() { "" } else { ":" });
        text
    });
    assert_eq!(shown, fingerprint);

    let mut config = Offer::default().config();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.into()).expect("it can be trusted");
    config = rustls::ClientConfig::builder_with_provider(config.crypto_provider().clone())
        .with_safe_default_protocol_versions()
        .expect("they are there")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    for name in ["localhost", "127.0.0.1", "::1"] {
        let answer = Client::over(over(socket(&serving.address), &config, name)).get("/");
        assert_eq!((answer.status, answer.field("strict-transport-security")), (200, None), "{name}");
    }
    serving.signal(Signal::TERM);
    serving.end(0);
}

/// HTTPS with files, plain HTTP that points to it, and an end in good order.
#[test]
fn https_and_a_redirect() {
    let folder = Folder::new("program");
    let [certificate, key] = &files(&folder);
    let mut started = program(&UNLIMITED);
    started.args(["--tls-cert", certificate, "--tls-key", key, "--redirect-http", "127.0.0.1:0"]);
    let mut child = started.spawn().expect("the program runs");
    let error = child.stderr.take().map(BufReader::new);
    let mut serving = Serving { child, error, address: String::new() };
    let mut listening = || {
        let line = serving.read_to("listening on ");
        line.trim_end().trim_end_matches('/').rsplit_once(' ').expect("an address").1.to_owned()
    };
    let (https, http) = (listening(), listening());
    serving.address = https.strip_prefix("https://").expect("the first").to_owned();
    let plain = http.strip_prefix("http://").expect("the second");
    let port = serving.address.rsplit_once(':').expect("a port").1.to_owned();

    let answer = get(&serving, "/");
    assert_eq!(answer.field("strict-transport-security"), Some("max-age=31536000"));
    let mut client = Client::tcp(socket(plain));
    let answer = client.get("/a?b");
    assert_eq!(answer.status, 308);
    assert_eq!(answer.field("location"), Some(format!("https://localhost:{port}/a?b").as_str()));
    assert_eq!(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status, 400);
    let answer = Client::tcp(socket(&serving.address)).get("/");
    assert!(answer.status == 400 && answer.text().contains("https://"), "{answer:?}");

    let mut idle = connect(&serving, &Offer::default());
    assert_eq!(idle.get("/").status, 200);
    serving.signal(Signal::TERM);
    idle.expect_end();
    serving.end(0);
}

#[test]
fn versions() {
    let folder = Folder::new("program-versions");
    let [certificate, key] = &files(&folder);
    for (profile, old) in [("intermediate", true), ("modern", false)] {
        let mut started = program(&UNLIMITED);
        let serving = Serving::start(started.args([
            "--tls-cert",
            certificate,
            "--tls-key",
            key,
            "--tls-profile",
            profile,
        ]));
        let speaks = |version| {
            let mut client = connect(&serving, &Offer { versions: &[version], ..Offer::default() });
            client.try_get("/") == Some(200)
        };
        assert_eq!((speaks(&TLS13), speaks(&TLS12)), (true, old), "{profile}");
    }
}

/// What TLS agreed on stands in the access log, and who the client is.
#[test]
fn access_log() {
    let folder = Folder::new("program-log");
    let [certificate, key] = &files(&folder);
    let authorities = folder.write("authorities.pem", &authority().pem);
    let alice = authority().issue(&[], |parameters| {
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "a\"l\nice");
    });
    let log = folder.path("access.log");
    let path = log.to_str().expect("UTF-8");
    let group: &[&'static dyn rustls::crypto::SupportedKxGroup] = &[library::kx_group::X25519];
    let rows: &[(&str, bool, &'static rustls::SupportedProtocolVersion, &str)] = &[
        ("text", false, &TLS13, " TLSv1.3/X25519\n"),
        ("text", false, &TLS12, " TLSv1.2/X25519\n"),
        ("text", true, &TLS13, " TLSv1.3/X25519\n"),
        ("json", false, &TLS12, r#","tls":"TLSv1.2","group":"X25519"}"#),
        (
            "json",
            true,
            &TLS13,
            r#","tls":"TLSv1.3","group":"X25519","client_certificate":"CN=a\\\"l\\0aice"}"#,
        ),
    ];
    for (format, mutual, version, says) in rows {
        let _ = fs::remove_file(&log);
        let mut started = program(&UNLIMITED);
        started.args([
            "--tls-cert",
            certificate,
            "--tls-key",
            key,
            "--access-log",
            path,
            "--log-format",
            format,
        ]);
        if *mutual {
            started.arg("--tls-client-ca").arg(&authorities);
        }
        let serving = Serving::start(&mut started);
        let certificate = mutual.then_some(&alice);
        let offer = Offer { versions: &[version], groups: group, certificate, ..Offer::default() };
        assert_eq!(connect(&serving, &offer).get("/icon.svg").status, 200);
        serving.signal(Signal::TERM);
        serving.end(0);
        let text = fs::read_to_string(&log).expect("it was written");
        assert!(text.lines().count() == 1 && text.contains(says), "{format}: {text} does not say {says}");
    }
}

/// The banner warns of what others can read, and the log of what only this machine's others can.
#[test]
fn warnings() {
    let folder = Folder::new("program-warnings");
    let [certificate, key] = &files(&folder);
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).expect("our own file");
    let mut child = program(&["--bind", "0.0.0.0:0", "--tls-cert", certificate, "--tls-key", key])
        .spawn()
        .expect("the program runs");
    let error = child.stderr.take().map(BufReader::new);
    let mut serving = Serving { child, error, address: String::new() };
    serving.read_to("WARN  TLS: the certificates of its issuer are missing");
    serving.read_to(&format!("WARN  TLS: everybody on this machine can read the key {key}; chmod 600 it"));
    serving.read_to("listening on https://0.0.0.0:");
    serving.read_to("selvedge --help");
    serving.signal(Signal::TERM);
    let rest = serving.end(0);
    assert!(!rest.contains("warning: "), "{rest}");
}

/// Nothing that a client does writes to the log, unless the operator wants to hear all.
#[test]
fn clients_do_not_fill_the_log() {
    let folder = Folder::new("program-quiet");
    let [certificate, key] = &files(&folder);
    let serving = Serving::start(program(&UNLIMITED).args(["--tls-cert", certificate, "--tls-key", key]));
    let nonsense: &[&[u8]] =
        &[b"", b"nonsense", b"GET / HTTP/1.1\r\n\r\n", &Hello::default().records()[..30]];
    for bytes in nonsense {
        let mut stream = socket(&serving.address);
        stream.write_all(bytes).expect("it reads");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    for version in [&TLS12, &TLS13] {
        let mut client = connect(&serving, &Offer { versions: &[version], ..Offer::default() });
        crate::tls::client::shake_hands(&mut client);
        let mut forger = Forger::take(client.stream);
        for _ in 0..3 {
            forger.send(ALERT, &[1, 90]);
        }
        forger.send(22, &Hello::default().message());
        let rest = forger.record(DATA, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        forger.send_regardless(&rest);
        forger.read_to_end();
    }
    serving.signal(Signal::TERM);
    let rest = serving.end(0);
    let said: Vec<_> =
        rest.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
    assert!(said.iter().all(|line| line.contains("issuer are missing")), "{rest}");
}

/// With SIGHUP what cannot be used is told of at once, and once; what takes its place is judged at once too.
#[test]
fn certificates_are_read_again() {
    let folder = Folder::new("program-again");
    let [certificate, key] = &files(&folder);
    let mut serving = Serving::start(program(&UNLIMITED).args(["--tls-cert", certificate, "--tls-key", key]));
    let good = fs::read(certificate).expect("it is there");
    fs::write(certificate, "nothing").expect("ours");
    serving.signal(Signal::HUP);
    let problem = format!("{certificate}: no certificate in it");
    serving.read_to(&format!("WARN  alert: TLS: {problem}"));
    fs::write(certificate, good).expect("ours");
    serving.signal(Signal::HUP);
    serving.read_to("INFO  SIGHUP: all options are as they were");
    let next = authority().issue(&["localhost"], |parameters| lasts(parameters, -300, 6));
    next.files(&folder, "localhost");
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).expect("ours");
    serving.signal(Signal::HUP);
    serving.read_to(&format!("WARN  TLS: everybody on this machine can read the key {key}; chmod 600 it"));
    serving.read_to(&format!("{certificate}: the certificate ends in 6 days"));
    serving.signal(Signal::TERM);
    let rest = serving.end(0);
    assert!(!rest.contains("alert"), "{rest}");
}
