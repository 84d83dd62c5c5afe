//! SIGHUP: options that are read again.

use super::{ANY, Serving, program, scratch};
use rustix::process::Signal;
use std::fs;

/// Each step changes the file and sends the signal; then these lines follow one another in the log.
#[test]
fn the_file_is_read_again() {
    let file = scratch("reload.toml");
    let path = file.to_str().expect("UTF-8").to_owned();
    let error = format!("ERROR SIGHUP: nothing is changed: {path}");
    let steps: &[(&str, &[&str])] = &[
        ("log-level = 'info'\n", &["INFO  SIGHUP: all options are as they were"]),
        (
            "log-level = 'debug'\nkeep-alive = '5s'\nallow-host = ['a', 'b']\nmax-in-flight = 99\n",
            &[
                "INFO  SIGHUP: allow-host is now a, b; it was none\n",
                "INFO  SIGHUP: log-level is now debug; it was info",
                "WARN  SIGHUP: max-in-flight stays 100; 99 takes effect with a restart",
                "INFO  SIGHUP: keep-alive is now 5s; it was 15s",
            ],
        ),
        // What waits for a restart is told each time.
        (
            "log-level = 'debug'\nkeep-alive = '5s'\nmax-in-flight = 99\n",
            &[
                "INFO  SIGHUP: allow-host is now none; it was a, b\n",
                "WARN  SIGHUP: max-in-flight stays 100; 99 takes effect with a restart",
            ],
        ),
        (
            "keep-alive = '5x'\nmax-bodi = 1\n",
            &[
                ":1:14: bad value for keep-alive: '5x' is not a time",
                ":2:1: unknown key 'max-bodi'; a similar one is 'max-body'",
            ],
        ),
        ("keep-alive = \n", &[":1:14: "]),
        (
            "",
            &[
                "INFO  SIGHUP: log-level is now info; it was debug",
                "INFO  SIGHUP: keep-alive is now 15s; it was 5s",
            ],
        ),
        // The flag is stronger still.
        ("drain-timeout = '1s'\n", &["INFO  SIGHUP: all options are as they were"]),
    ];
    fs::write(&file, "").expect("a place to write");
    let mut serving = Serving::start(program(&ANY).args(["-c", &path, "--drain-timeout", "7s"]));
    for (text, expected) in steps {
        fs::write(&file, text).expect("a place to write");
        serving.signal(Signal::HUP);
        for expected in *expected {
            let expected =
                if expected.starts_with(':') { format!("{error}{expected}") } else { (*expected).to_owned() };
            let line = serving.read_to("SIGHUP");
            assert!(line.contains(&expected), "{text}: {line} does not say {expected}");
        }
    }
    fs::remove_file(&file).expect("it is there");
    serving.signal(Signal::HUP);
    serving.read_to("ERROR SIGHUP: nothing is changed: cannot read the configuration ");
    fs::create_dir(&file).expect("the name is free");
    serving.signal(Signal::HUP);
    serving.read_to(&format!("ERROR SIGHUP: nothing is changed: {path} is no file that can be read again"));
    serving.signal(Signal::TERM);
    serving.end(0);
    let _ = fs::remove_dir(file);
}

/// What is logged follows the level at once, both ways.
#[test]
fn the_level_of_the_log() {
    use std::io::{Read, Write};
    let file = scratch("level.toml");
    fs::write(&file, "").expect("a place to write");
    let mut serving = Serving::start(program(&ANY).args(["-c", file.to_str().expect("UTF-8")]));
    let refused = |serving: &Serving| {
        let mut stream = std::net::TcpStream::connect(&serving.address).expect("it listens");
        stream.write_all(b"GET /../ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("it reads");
        stream.read_to_string(&mut String::new()).expect("it answers");
    };
    fs::write(&file, "log-level = 'debug'").expect("a place to write");
    serving.signal(Signal::HUP);
    serving.read_to("log-level is now debug");
    refused(&serving);
    serving.read_to("DEBUG ");
    fs::write(&file, "log-level = 'info'").expect("a place to write");
    serving.signal(Signal::HUP);
    serving.read_to("log-level is now info");
    refused(&serving);
    serving.signal(Signal::TERM);
    let rest = serving.end(0);
    assert!(!rest.contains("DEBUG"), "{rest}");
    let _ = fs::remove_file(file);
}

/// A value that stands in a file of its own is read again too.
#[test]
fn values_in_files_are_read_again() {
    let file = scratch("reloaded-value");
    fs::write(&file, "7s\n").expect("a place to write");
    let mut serving = Serving::start(program(&ANY).env("SELVEDGE_KEEP_ALIVE_FILE", &file));
    fs::write(&file, "8s\n").expect("a place to write");
    serving.signal(Signal::HUP);
    serving.read_to("SIGHUP: keep-alive is now 8s; it was 7s");
    serving.signal(Signal::TERM);
    serving.end(0);
    let _ = fs::remove_file(file);
}

/// Whoever is gone, or has another password, is not logged in any longer; the others stay.
#[test]
fn sessions_of_accounts_that_end() {
    use crate::accounts::line;
    use crate::support::{Client, request};
    let file = scratch("reload-users");
    let write = |lines: [String; 2]| fs::write(&file, lines.concat()).expect("a place to write");
    fs::write(&file, ["ada", "bob", "eve"].map(|name| line(name, "before")).concat())
        .expect("a place to write");
    let mut serving = Serving::start(program(&ANY).args(["--users", file.to_str().expect("UTF-8")]));
    let address = serving.address.clone();
    let ask = |text: String| {
        let stream = std::net::TcpStream::connect(&address).expect("it listens");
        Client::tcp(stream).ask(text)
    };
    let cookies = ["ada", "bob", "eve"].map(|name| {
        let body = format!("username={name}&password=before");
        let fields = "Content-Type: application/x-www-form-urlencoded";
        let length = body.len();
        let answer = ask(format!(
            "POST /login HTTP/1.1\r\nHost: x\r\n{fields}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        let cookie = answer.field("set-cookie").expect("a session").to_owned();
        cookie.split(';').next().expect("a pair").to_owned()
    });
    let me = |cookie: &String| {
        ask(request("GET", "/me").replace("\r\n\r\n", &format!("\r\nCookie: {cookie}\r\n\r\n"))).status
    };
    assert_eq!(cookies.each_ref().map(me), [200, 200, 200]);
    serving.read_to("'ada' logged in from 127.0.0.1");
    write([line("ada", "before"), line("bob", "after")]);
    serving.signal(Signal::HUP);
    serving.read_to("'eve' is gone or has another password: 1 of its sessions ended");
    serving.read_to("SIGHUP: all options are as they were");
    assert_eq!(cookies.each_ref().map(me), [200, 401, 401]);
    // A pipe that nobody writes to is not waited for.
    fs::remove_file(&file).expect("it is there");
    let fifo = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, fifo, 0)
        .expect("the name is free");
    serving.signal(Signal::HUP);
    serving.read_to("is no file that can be read again");
    serving.signal(Signal::TERM);
    serving.end(0);
    let _ = fs::remove_file(file);
}

/// A login that began before its password was revoked, and whose body ends after that, gets no session.
#[test]
fn a_login_that_takes_longer_than_its_password() {
    use crate::accounts::line;
    use crate::support::Client;
    let file = scratch("revoked-users");
    fs::write(&file, line("ada", "before")).expect("a place to write");
    let mut serving = Serving::start(program(&ANY).args(["--users", file.to_str().expect("UTF-8")]));
    let mut client = Client::tcp(std::net::TcpStream::connect(&serving.address).expect("it listens"));
    let body = "username=ada&password=before";
    let fields = "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue";
    client.send(format!(
        "POST /login HTTP/1.1\r\nHost: x\r\n{fields}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    // From here on it is being served, by the rules of before.
    assert_eq!(client.answer().status, 100);
    fs::write(&file, line("ada", "after")).expect("a place to write");
    serving.signal(Signal::HUP);
    serving.read_to("SIGHUP: all options are as they were");
    client.send(body);
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("set-cookie")), (401, None));
    serving.signal(Signal::TERM);
    serving.end(0);
    let _ = fs::remove_file(file);
}

/// Who has to pause has to go on pausing, in the application and in a directory.
#[test]
fn pauses_outlive_a_reload() {
    use crate::accounts::line;
    use crate::support::Client;
    let file = scratch("reload-guessed");
    fs::write(&file, line("ada", "right")).expect("a place to write");
    let form = "username=ada&password=wrong";
    let login = format!(
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let basic = "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRhOndyb25n\r\n\r\n".to_owned();
    for (path, guess) in [(None, login), (Some(env!("CARGO_TARGET_TMPDIR")), basic)] {
        let arguments = ["--throttle", "off", "--users", file.to_str().expect("UTF-8")];
        let mut serving = Serving::start(program(&ANY).args(arguments).args(path));
        let address = serving.address.clone();
        let guess = || {
            let stream = std::net::TcpStream::connect(&address).expect("it listens");
            Client::tcp(stream).ask(&guess).status
        };
        assert_eq!([(); 5].map(|()| guess()), [401; 5], "{path:?}");
        serving.signal(Signal::HUP);
        serving.read_to("SIGHUP: all options are as they were");
        // A second may have passed, and two, but not each time as much as had to.
        assert!([(); 4].map(|()| guess()).contains(&429), "{path:?}");
        serving.signal(Signal::TERM);
        serving.end(0);
    }
    let _ = fs::remove_file(file);
}

/// What answers hold that are still being sent counts for the answers after a reload too.
#[test]
fn answers_on_their_way_count_after_a_reload() {
    use crate::files::coding::larger_than_buffers;
    use crate::support::{Client, stream_between};
    let folder = scratch("reload-site");
    fs::create_dir_all(&folder).expect("a place to write");
    fs::write(folder.join("large.txt"), larger_than_buffers()).expect("a place to write");
    let mut serving = Serving::start(program(&ANY).args(["--gzip=on"]).arg(&folder));
    let address = serving.address.parse().expect("an address");
    // Nothing but what is compressed: 503 where no more of that may be made.
    let asks = "GET /large.txt HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, identity;q=0\r\n\r\n";
    let status = |last| {
        let mut client = Client::tcp(stream_between(last, address));
        client.send(asks);
        (client.bytes(12)[9..].to_vec(), client)
    };
    // All 32 that there can be at once, by four clients that read no more of them.
    let slow: Vec<_> = (0..32).map(|at| status(2 + at % 4)).collect();
    assert!(slow.iter().all(|(status, _)| status == b"200"));
    for reloads in 0..2 {
        assert_eq!(status(1).0, b"503", "{reloads} reloads");
        serving.signal(Signal::HUP);
        serving.read_to("SIGHUP: all options are as they were");
    }
    assert_eq!(status(1).0, b"503");
    drop(slow);
    crate::support::eventually("there is room again", || status(1).0 == b"200");
    serving.signal(Signal::TERM);
    serving.end(0);
    let _ = fs::remove_dir_all(folder);
}

/// Options that can be had each by itself, and not with what stays until a restart: none of them takes effect, the
/// certificates neither.
#[cfg(feature = "tls-rustls")]
#[test]
fn nothing_by_halves() {
    use crate::tls::client::{Offer, over};
    use crate::tls::pki::{Folder, Kind, authority, localhost};
    let folder = Folder::new("halves");
    let first = localhost(Kind::Ecdsa).files(&folder, "first");
    let second = authority().issue(&["localhost"], |_| ()).files(&folder, "second");
    let file = folder.path("config.toml");
    let write = |files: &selvedge::CertificateFiles, more: &str| {
        let text = format!("{more}tls-cert = {:?}\ntls-key = {:?}\n", files.certificate, files.key);
        fs::write(&file, text).expect("a place to write");
    };
    write(&first, "");
    let mut serving = Serving::start(program(&ANY).args(["-c", file.to_str().expect("UTF-8")]));
    let address = serving.address.clone();
    let served = || {
        let socket = std::net::TcpStream::connect(&address).expect("it listens");
        let mut client =
            crate::support::Client::over(over(socket, &Offer::default().config().into(), "localhost"));
        assert_eq!(client.get("/").status, 200);
        client.stream.conn.peer_certificates().expect("one")[0].to_vec()
    };
    let before = served();
    write(&second, "max-buffered = '2GiB'\nmax-body = '1GiB'\n");
    serving.signal(Signal::HUP);
    serving.read_to(
        "SIGHUP: nothing is changed: bad value for --max-body: 1GiB is more than --max-buffered, 256MiB",
    );
    assert!(served() == before);
    write(&second, "");
    serving.signal(Signal::HUP);
    serving.read_to("SIGHUP: tls-cert is now ");
    assert!(served() != before);
}
