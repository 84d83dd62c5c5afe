//! `selvedge probe`: its exit code, and the line it says.

use super::admin::board;
use super::{ANY, Serving, begin, program, scratch};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

/// Runs the probe; it ends with `code` and one line, on standard output if all is well, that says `says`.
#[track_caller]
fn check(arguments: &[&str], code: i32, says: &str) {
    let output = program(&[&["probe"], arguments].concat()).output().expect("it runs");
    let (out, error) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
    let (out, error) = (out.expect("UTF-8"), error.expect("UTF-8"));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out}{error}");
    let (line, nothing) = if code == 0 { (out, error) } else { (error, out) };
    assert!(line.contains(says) && line.lines().count() == 1 && nothing.is_empty(), "{line}{nothing}");
}

#[test]
fn of_the_program() {
    let path = scratch("probe.sock");
    let unix = format!("unix:{}", path.display());
    let (_serving, seen) = begin(program(&ANY).args(["--bind", &unix, "--allow-host", "example.org"]));
    let http = seen
        .lines()
        .find_map(|line| line.split_once("listening on "))
        .expect("it is there")
        .1
        .trim_end_matches('/');
    let asked = |at: &str, path: &str| format!("{at}{path}");
    let host = ["--host", "example.org"];
    for (url, code, says) in [
        (asked(http, "/healthz"), 0, "/healthz: 200 OK"),
        (asked(http, ""), 0, ": 200 OK"),
        (asked(http, "/nothing?a=b"), 1, "/nothing?a=b: 404 Not Found"),
        (unix.clone(), 0, ": 200 OK"),
        (asked(&unix, ":/readyz"), 0, ":/readyz: 200 OK"),
        (asked(&unix, ":/nothing"), 1, ":/nothing: 404 Not Found"),
    ] {
        check(&[&host[..], &[&url]].concat(), code, says);
    }
    check(&[&asked(http, "/healthz")], 1, "421 Misdirected Request");
}

/// The container's own check is passed whatever it serves.
#[test]
fn of_the_container() {
    let recipe = include_str!("../../../scripts/container/Containerfile");
    let line = |start: &str| recipe.lines().find_map(|line| line.trim().strip_prefix(start)).expect(start);
    let admin = line("ENV SELVEDGE_ADMIN=");
    let arguments = line("CMD [\"/selvedge\", \"probe\", ").trim_end_matches(']').replace(['"', ','], "");
    assert!(arguments.contains(&format!("http://{admin}/")), "{arguments} does not ask {admin}");
    let served: &[&[(&str, &str)]] = &[
        &[],
        &[("SELVEDGE_PATH", env!("CARGO_TARGET_TMPDIR"))],
        #[cfg(feature = "self-signed")]
        &[("SELVEDGE_TLS_SELF_SIGNED", "true")],
    ];
    for environment in served {
        let mut command = program(&ANY);
        command.env("SELVEDGE_ADMIN", "127.0.0.1:0").envs(environment.iter().copied());
        let mut serving = Serving::start(&mut command);
        let arguments = arguments.replace(admin, &board(&mut serving));
        check(&arguments.split(' ').collect::<Vec<_>>(), 0, "/healthz: 200 OK");
    }
}

/// Answers one connection with `answer`, or with nothing for as long as the client waits.
fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/x", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut asked = vec![0; 1024];
        let count = stream.read(&mut asked).expect("a request");
        assert!(asked[..count].starts_with(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked:?}");
        assert!(asked[..count].ends_with(b"\r\nConnection: close\r\n\r\n"), "{asked:?}");
        if answer.is_empty() {
            let _ = stream.read(&mut asked);
        }
        let _ = stream.write_all(answer);
    });
    url
}

#[test]
fn of_others() {
    let long: &[u8] = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(70_000)).leak().as_bytes();
    let rows: &[(&[u8], i32, &str)] = &[
        (b"HTTP/1.1 204 No Content\r\n\r\n", 0, ": 204 No Content"),
        (b"HTTP/1.0 200\r\n\r\n", 0, ": 200 OK"),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 201 x\r\n\r\n",
            0,
            "201 Created",
        ),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", 1, "302 Found, which is not followed"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", 1, "500 Internal Server Error"),
        (b"HTTP/1.1 503 x\r\n\r\n", 1, "503 Service Unavailable"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 1, "101 Switching Protocols"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 1, "ended in the middle of an answer's head"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", 1, "ended in the middle of an answer's head"),
        (b"HTTP/2.0 200 OK\r\n\r\n", 1, "no answer in HTTP/1.1"),
        (b"SSH-2.0-OpenSSH\r\n", 1, "no answer in HTTP/1.1"),
        (b"HTTP/1.1 099 x\r\n\r\n", 1, "99 is no status"),
        (long, 1, "the head of its answer is longer than 32768 bytes"),
    ];
    for (answer, code, says) in rows {
        check(&[&answering(answer)], *code, says);
    }
    check(&["--timeout", "100ms", &answering(b"")], 1, "no answer within 100ms");
}

#[test]
fn of_nobody() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    for (url, says) in [
        (&*format!("http://{free}/"), "cannot connect: Connection refused"),
        ("unix:/no/such/socket", "cannot connect: No such file"),
        ("unix:", "a path must follow"),
        ("https://localhost/", "https needs TLS, which the probe does not speak"),
        ("ftp://localhost/", "no address the probe knows; write http://HOST:PORT/PATH or unix:FILE:/PATH"),
        ("localhost:8000", "write http://HOST:PORT/PATH"),
        ("http://", "no URL; write http://HOST:PORT/PATH"),
        ("http://name:word@localhost/", "a name or password in the URL"),
        ("unix:/x:/a b", "a space, a control or a character beyond ASCII"),
    ] {
        check(&[url], 1, says);
    }
}

#[test]
fn usage() {
    for (arguments, says) in [
        (&["probe"][..], "missing argument: <URL>"),
        (&["probe", "--timeout", "2", "http://localhost/"], "bad value for --timeout: '2' is not a time"),
        (&["probe", "--timeout", "0ms", "http://localhost/"], "permitted: 1ms to 1h"),
        (&["--bind", "127.0.0.1:0", "probe", "http://localhost/"], "probe takes no --bind"),
    ] {
        super::check(arguments, &[], 2, says);
    }
}
