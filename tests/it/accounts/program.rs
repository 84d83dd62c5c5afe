//! The program: whom it lets in, and what it says about that.
#![cfg(feature = "cli")]

use super::line;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SELVEDGE_")) {
        command.env_remove(name);
    }
    command
}

fn hash(input: &[u8]) -> Output {
    let mut child = program(&["hash-password"]).spawn().expect("it runs");
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn check(input: &[u8], code: i32, says: &str) {
    let output = hash(input);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(format!("{out}{error}").starts_with(says), "{out}{error}");
    assert_eq!((out.lines().count(), error.lines().count()), if code == 0 { (1, 0) } else { (0, 1) });
    assert!(!format!("{out}{error}").contains("swordfish"), "the password is not shown");
}

#[test]
fn hashes_one_line() {
    let long = "x".repeat(1025);
    let rows: &[(&[u8], i32, &str)] = &[
        (b"swordfish\n", 0, "$argon2id$v=19$m=19456,t=2,p=1$"),
        (b"swordfish", 0, "$argon2id$v=19$m=19456,t=2,p=1$"),
        (b"swordfish\r\n", 0, "$argon2id$v=19$m=19456,t=2,p=1$"),
        (b"", 2, "selvedge: no password on standard input"),
        (b"\n", 2, "selvedge: no password on standard input"),
        (b"swordfish\nagain\n", 2, "selvedge: more than one line on standard input"),
        (long.as_bytes(), 2, "selvedge: a password of more than 1024 bytes"),
        (b"\xff\n", 1, "selvedge: cannot read the password: "),
    ];
    for (input, code, says) in rows {
        check(input, *code, says);
    }
}

/// The program, ended when dropped.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it and returns its address and the line about the demo user.
fn serve(arguments: &[&str]) -> (Serving, String, Option<String>) {
    let mut serving =
        Serving(program(&[&["--bind", "127.0.0.1:0"], arguments].concat()).spawn().expect("it runs"));
    let error = serving.0.stderr.take().expect("piped");
    let (mut address, mut demo) = (None, None);
    for line in BufReader::new(error).lines().map(|line| line.expect("UTF-8")) {
        if let Some((_, after)) = line.rsplit_once("http://") {
            address = Some(after.trim_end_matches('/').to_owned());
        }
        // The last line of the banner, but for that of the demo user.
        if line.contains("selvedge --help") && !arguments.is_empty() {
            break;
        }
        if line.contains("user demo") {
            demo = Some(line);
            break;
        }
    }
    (serving, address.expect("the banner has it"), demo)
}

fn log_in(address: &str, body: &str) -> u16 {
    use std::io::Read;
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}",
        body.len()
    );
    let kind = "Content-Type: application/x-www-form-urlencoded";
    stream.write_all(format!("{head}\r\n{kind}\r\n\r\n{body}").as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer[9..12].parse().expect("a status")
}

#[test]
fn a_demo_user_whose_password_is_told_once() {
    let (_serving, address, demo) = serve(&[]);
    let demo = demo.expect("a line about the demo user");
    let (_, password) = demo.split_once("password ").expect("it is there");
    let (password, _) = password.split_once(';').expect("it ends there");
    assert_eq!(password.len(), 22);
    assert_eq!(log_in(&address, &format!("username=demo&password={password}")), 200);
    assert_eq!(log_in(&address, "username=demo&password=demo"), 401);
}

fn users(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::write(&path, text).expect("a place to write");
    path
}

#[test]
fn users_of_a_file() {
    let made = String::from_utf8(hash(b"swordfish\n").stdout).expect("UTF-8");
    let path = users("users", &format!("{}bob:{made}", line("ada", "right")));
    let (_serving, address, _) = serve(&["--users", path.to_str().expect("UTF-8")]);
    for (body, status) in [
        ("username=ada&password=right", 200),
        ("username=bob&password=swordfish", 200),
        ("username=demo&password=demo", 401),
    ] {
        assert_eq!(log_in(&address, body), status, "{body}");
    }
    let _ = std::fs::remove_file(path);
}

/// The access log says who is logged in, whether by a session or with each request, and nothing of who only says so.
#[test]
fn users_in_the_access_log() {
    let path = users("logged-users", &line("ada", "right"));
    let log = users("users-access-log", "");
    let arguments = ["--users", path.to_str().expect("UTF-8"), "--access-log", log.to_str().expect("UTF-8")];
    let form = |body: &str| {
        let kind = "Content-Type: application/x-www-form-urlencoded";
        format!("POST /login HTTP/1.1\r\nHost: h\r\n{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let basic = |word: &str| format!("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {word}\r\n\r\n");
    let folder: &[&str] = &[env!("CARGO_TARGET_TMPDIR")];
    for (more, request, user) in [
        (&[][..], form("username=ada&password=right"), "ada"),
        (&[][..], form("username=ada&password=wrong"), "-"),
        (folder, basic("YWRhOnJpZ2h0"), "ada"),
        (folder, basic("YWRhOndyb25n"), "-"),
    ] {
        std::fs::write(&log, "").expect("a place to write");
        let (mut serving, address, _) = serve(&[&arguments[..], more].concat());
        let mut stream = std::net::TcpStream::connect(address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        stream.shutdown(std::net::Shutdown::Write).expect("a socket");
        std::io::copy(&mut stream, &mut std::io::sink()).expect("it answers");
        let id = rustix::process::Pid::from_child(&serving.0);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
        serving.0.wait().expect("it ends");
        let said = std::fs::read_to_string(&log).expect("UTF-8");
        assert!(said.starts_with(&format!("127.0.0.1 - {user} [")), "{request}: {said}");
    }
    let _ = (std::fs::remove_file(path), std::fs::remove_file(log));
}

#[test]
fn files_that_are_none() {
    let path = users("bad-users", "ada:swordfish\n");
    let shown = path.to_str().expect("UTF-8");
    for (file, says) in [
        (shown, format!("selvedge: --users: {shown}:1: not a hash as `selvedge hash-password` prints it\n")),
        (
            "/no/such/file",
            "selvedge: --users: cannot read /no/such/file: No such file or directory (os error 2)\n".into(),
        ),
    ] {
        let output = program(&["--bind", "127.0.0.1:0", "--users", file]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stderr), says);
    }
    let _ = std::fs::remove_file(&path);
}
