//! What the program writes and whom it tells: access log, log, alerts, memory.

use super::{PROGRAM, Serving, command, program, scratch};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::{Pid, Signal, test_kill_process};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// No limit on how often one client may ask.
const UNLIMITED: [&str; 4] = ["--bind", "127.0.0.1:0", "--rate-limit", "off"];

fn ask(serving: &Serving, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(&serving.address).expect("it listens");
    stream.write_all(request).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(serving: &Serving, path: &str) -> String {
    ask(serving, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
}

/// Asks `count` times on one connection, and reads all answers; returns how many there were.
fn ask_often(serving: &Serving, request: &str, count: usize) -> usize {
    let mut stream = TcpStream::connect(&serving.address).expect("it listens");
    let mut writer = stream.try_clone().expect("another handle");
    let requests = request.repeat(count);
    let write = thread::spawn(move || {
        writer.write_all(requests.as_bytes()).expect("it reads");
        writer.shutdown(Shutdown::Write).expect("still open");
    });
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).expect("it answers");
    write.join().expect("all was sent");
    String::from_utf8_lossy(&answers).matches("\r\nDate: ").count()
}

/// A script that is run for alerts, with a file beside it.
fn script(name: &str, text: &str) -> (PathBuf, PathBuf) {
    let (path, out) = (scratch(name), scratch(&format!("{name}-out")));
    let _ = fs::remove_file(&out);
    fs::write(&path, format!("#!/bin/sh\nout='{}'\n{text}\n", out.display())).expect("a place to write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
    (path, out)
}

/// Gives way until `done`, for what is not told to anybody.
fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::yield_now();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Every answer has its line, whatever was asked, and nothing that is asked makes another.
#[test]
fn access_log() {
    type Row<'a> = (&'a str, &'a [u8], &'a [&'a str]);

    let forged: &[u8] = b"GET /a?x=\"\\ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let agent: &[u8] =
        b"GET /b HTTP/1.0\r\nUser-Agent: \"\\ \xff \xc2\x9b2J\xe2\x80\xae\xe2\x80\xa8 127.0.0.1 - -\r\n\r\n";
    let split: &[u8] = b"GET /c HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a\n127.0.0.1 - -\r\n\r\n";
    let escape: &[u8] = b"GET /\x1b[2J HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let rows: &[Row] = &[
        (
            "text",
            b"GET /icon.svg?q HTTP/1.0\r\nReferer: r\r\nUser-Agent: u\r\n\r\n",
            &["] \"GET /icon.svg?q HTTP/1.0\" 200 166 \"r\" \"u\" 127.0.0.1:"],
        ),
        (
            "json",
            b"GET /icon.svg?q HTTP/1.0\r\nReferer: r\r\nUser-Agent: u\r\n\r\n",
            &[
                r#","method":"GET","target":"/icon.svg?q","version":"1.0","status":200,"bytes":166,"#,
                r#","user_agent":"u","referer":"r","tls":null,"group":null}"#,
            ],
        ),
        ("text", forged, &["\"-\" 400"]),
        (
            "text",
            agent,
            &[r#""GET /b HTTP/1.0" 404 "#, r#" "-" "\"\\ \xff \u{9b}2J\u{202e}\u{2028} 127.0.0.1 - -" 127"#],
        ),
        ("json", agent, &[r#""user_agent":"\"\\ \\xff \u009b2J\u202e\u2028 127.0.0.1 - -","#]),
        ("text", split, &["\"GET /c HTTP/1.1\" 400 "]),
        ("text", escape, &["\"-\" 400 "]),
        ("json", escape, &[r#""method":null,"target":null,"version":null,"status":400,"#]),
        // What was read of a request line, and no more.
        ("text", b"POST / HT\0\r\n\r\n", &["] \"POST /\" 400 "]),
        ("text", b"GET / HTTP/3.0\r\n\r\n", &["] \"GET /\" 505 "]),
        ("json", b"POST / HT\0\r\n\r\n", &[r#""method":"POST","target":"/","version":null,"status":400,"#]),
    ];
    for (number, (format, request, says)) in rows.iter().enumerate() {
        let path = scratch(&format!("access-{number}"));
        let _ = fs::remove_file(&path);
        let serving =
            Serving::start(program(&UNLIMITED).args(["--access-log", text(&path), "--log-format", format]));
        ask(&serving, request);
        serving.signal(Signal::TERM);
        serving.end(0);
        let log = fs::read_to_string(&path).expect("it was written, in UTF-8");
        assert!(log.lines().count() == 1 && log.ends_with('\n'), "{log}");
        assert!(log.chars().all(|c| c == '\n' || !c.is_control()), "{log:?}");
        for says in *says {
            assert!(log.contains(says), "row {number}: {log} does not say {says}");
        }
        let _ = fs::remove_file(path);
    }
}

#[test]
fn access_log_on_standard_output() {
    let mut serving = Serving::start(program(&UNLIMITED).args(["--access-log", "-"]));
    get(&serving, "/nothing");
    serving.signal(Signal::TERM);
    let mut log = String::new();
    let mut out = serving.child.stdout.take().expect("it is piped");
    out.read_to_string(&mut log).expect("UTF-8");
    assert!(log.contains("\"GET /nothing HTTP/1.1\" 404 ") && log.lines().count() == 1, "{log}");
    serving.end(0);
}

/// Files that were moved away are written no more once the signal has come.
#[test]
fn logs_are_opened_again() {
    let (access, log) = (scratch("reopened-access"), scratch("reopened-log"));
    let moved = |path: &Path| path.with_extension("1");
    let mut serving =
        Serving::start(program(&UNLIMITED).args(["--access-log", text(&access), "--log-file", text(&log)]));
    get(&serving, "/before");
    until("a record", || fs::read_to_string(&access).is_ok_and(|log| log.contains("/before")));
    for path in [&access, &log] {
        fs::rename(path, moved(path)).expect("it is there");
    }
    serving.signal(Signal::USR1);
    serving.read_to("SIGUSR1: the log files are opened again");
    get(&serving, "/after");
    serving.signal(Signal::TERM);
    serving.end(0);
    let read = |path: &Path| fs::read_to_string(path).expect("it is there");
    assert!(read(&moved(&access)).contains("/before") && !read(&moved(&access)).contains("/after"));
    assert!(read(&access).contains("/after") && !read(&access).contains("/before"));
    assert!(read(&log).contains("finishing requests") && !read(&moved(&log)).contains("finishing requests"));
    for path in [&access, &log] {
        let _ = (fs::remove_file(path), fs::remove_file(moved(path)));
    }
}

#[test]
fn a_full_disk_fails_no_request() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let full = ["--access-log", "/dev/full", "--log-file", "/dev/full"];
    let mut serving = Serving::start(program(&UNLIMITED).args(full));
    assert!(get(&serving, "/").starts_with("HTTP/1.1 200 "));
    serving.read_to("the access log has lost 1 of its lines");
    assert!(get(&serving, "/").starts_with("HTTP/1.1 200 "));
    serving.signal(Signal::TERM);
    let rest = serving.end(0);
    assert!(rest.contains("the access log has lost 2 of its lines in all"), "{rest}");
}

/// Nobody reads standard output, where the access log goes, nor standard error: every request is answered.
#[test]
fn slow_readers_hold_up_nobody() {
    let log = scratch("beside-a-stopped-pipe");
    let arguments = ["--access-log", "-", "--log-level", "debug", "--log-file", text(&log)];
    let mut serving = Serving::start(program(&UNLIMITED).args(arguments));
    // Each makes a record of 4 KB and more, and a line that says why it was refused.
    let agent = "\\".repeat(1000);
    let request = format!("GET /../ HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\nReferer: {agent}\r\n\r\n");
    assert_eq!(ask_often(&serving, &request, 1000), 1000);
    let short = "GET /../ HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(ask_often(&serving, short, 20_000), 20_000);
    // The file has what standard error has lost, and says that it has.
    serving.signal(Signal::TERM);
    assert_eq!(serving.child.wait().expect("it ends").code(), Some(0));
    let log_text = fs::read_to_string(&log).expect("it was written");
    assert_eq!(log_text.matches("unsafe path (400)").count(), 21_000);
    assert!(log_text.contains("standard error has lost ") && log_text.contains("the access log has lost "));
    let _ = fs::remove_file(log);
}

/// One alert for many requests, in the log and to the program, which gets it as JSON, and nothing of it as arguments.
#[test]
fn alerts_reach_the_program() {
    let (path, out) = script("alert-command", "{ echo \"$#\"; cat; } >\"$out\"; exit 7");
    let mut serving = Serving::start(program(&UNLIMITED).args(["--alert-command", text(&path)]));
    assert_eq!(ask_often(&serving, "BREW`id` /../ HTTP/1.1\r\nHost: a\r\n\r\n", 500), 500);
    serving.read_to("alerts WARN  alert: 127.0.0.1 made 101 OTHER requests answered 400 in a minute");
    serving.read_to("failed: exit status: 7");
    let told = fs::read_to_string(&out).expect("it was told");
    let (arguments, json) = told.split_once('\n').expect("two lines");
    assert_eq!(arguments, "0");
    let (before, after) =
        (json.find("\"time\":\"").expect("a time"), json.find("\",\"client\"").expect("a client"));
    assert_eq!(&json[..before], "{\"alert\":\"frequent-requests\",");
    let rest = "\",\"client\":\"127.0.0.1\",\"method\":\"OTHER\",\"status\":400,\"count\":101,\"window_seconds\":60}\n";
    assert_eq!(&json[after..], rest);
    serving.signal(Signal::TERM);
    let rest = serving.end(0);
    assert!(!rest.contains("alert"), "only one: {rest}");
    let _ = (fs::remove_file(path), fs::remove_file(out));
}

#[test]
fn an_alert_program_that_is_not_there() {
    let mut serving = Serving::start(program(&UNLIMITED).args(["--alert-command", "/no/such\nprogram"]));
    assert_eq!(ask_often(&serving, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200), 200);
    serving.read_to(r"cannot run the alert command '/no/such\nprogram': No such file");
    assert!(get(&serving, "/").starts_with("HTTP/1.1 200 "));
    serving.signal(Signal::TERM);
    serving.end(0);
}

/// It holds up neither requests nor the end, and does not outlive the server.
#[test]
fn an_alert_program_that_hangs() {
    let (path, out) =
        script("hanging-command", "echo $$ >\"$out.new\"; mv \"$out.new\" \"$out\"; exec sleep 1000");
    let serving = Serving::start(program(&UNLIMITED).args(["--alert-command", text(&path)]));
    for status in ["/", "/nothing"] {
        let request = format!("GET {status} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(ask_often(&serving, &request, 300), 300);
    }
    until("it runs", || out.exists());
    let id = fs::read_to_string(&out).expect("a process id").trim().parse().ok().and_then(Pid::from_raw);
    let id = id.expect("a process id");
    assert!(test_kill_process(id).is_ok(), "it hangs");
    assert!(get(&serving, "/").starts_with("HTTP/1.1 200 "));
    serving.signal(Signal::TERM);
    serving.end(0);
    until("it is gone", || is_gone(id));
    let _ = (fs::remove_file(path), fs::remove_file(out));
}

/// Whether a process has ended. In a container nobody may wait for it: then it stays as a zombie.
fn is_gone(id: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

/// Past the limit the server gives up idle connections, then those that stall, then new ones, and takes them again when memory
/// is back.
#[test]
fn memory_runs_out_and_comes_back() {
    let limits =
        ["--max-memory", "32MiB", "--max-body", "64MiB", "--max-buffered", "64MiB", "--min-rate", "off"];
    let mut serving = Serving::start(program(&UNLIMITED).args(limits));
    let health = get(&serving, "/healthz");
    for number in ["memory_bytes", "descriptors", "threads"] {
        let at = health.find(&format!("\"{number}\":")).unwrap_or_else(|| panic!("no {number} in {health}"));
        let value = &health[at + number.len() + 3..];
        assert!(value.starts_with(|c: char| ('1'..='9').contains(&c)), "{number}: {health}");
    }
    let mut idle = TcpStream::connect(&serving.address).expect("it listens");
    idle.write_all(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    let body = vec![b' '; 48 << 20];
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 60 << 20);
    let address = serving.address.clone();
    let begin = || {
        let mut large = TcpStream::connect(&address).expect("it listens");
        large.write_all(head.as_bytes()).and_then(|()| large.write_all(&body)).expect("it reads");
        large
    };
    let mut stalled = begin();
    serving.read_to("of memory, and 32 MiB are permitted");
    serving.read_to("closing idle connections");
    let mut answer = String::new();
    idle.read_to_string(&mut answer).expect("closed in good order");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    serving.read_to("closing what stalls");
    answer.clear();
    stalled.read_to_string(&mut answer).expect("closed in good order");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    serving.read_to("all is well again");
    // Who goes on sending does not stall.
    let large = begin();
    let mut sender = large.try_clone().expect("a socket");
    let sending = thread::spawn(move || {
        while sender.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    serving.read_to("refusing new connections");
    assert!(get(&serving, "/").starts_with("HTTP/1.1 503 "));
    large.shutdown(Shutdown::Both).expect("a socket");
    drop(large);
    sending.join().expect("no panic");
    serving.read_to("all is well again");
    let answer = get(&serving, "/");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn refused_settings() {
    let rows: &[(&[&str], i32, &str)] = &[
        (
            &["--access-log", "/no/such/directory/log"],
            1,
            "cannot open the access log '/no/such/directory/log'",
        ),
        (&["--access-log", ""], 2, "bad value for --access-log: an empty name"),
        (
            &["--log-format", "xml"],
            2,
            "bad value for --log-format: 'xml' is no format; permitted: text, json",
        ),
        (&["--max-memory", "1"], 2, "permitted: 16MiB to 1024GiB, or off"),
    ];
    for (arguments, code, says) in rows {
        super::check(arguments, &[], *code, says);
    }
}

/// A pipe with a name.
fn pipe(name: &str) -> PathBuf {
    let path = scratch(name);
    let _ = fs::remove_file(&path);
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a place to write");
    path
}

/// Whoever would wait for somebody at the other end of a pipe is told that there is nobody.
#[test]
fn pipes_that_nobody_reads() {
    let path = pipe("unread-pipe");
    let pipe = text(&path);
    let unread = "it is a pipe, and nobody reads it";
    let no_file = format!("cannot read {pipe}: it is no regular file");
    let rows: &[(&[&str], &str)] = &[
        (&["--access-log", pipe], &format!("cannot open the access log '{pipe}': {unread}; choose another")),
        (&["--log-file", pipe], &format!("cannot open the log file '{pipe}': {unread}; choose another")),
        (&["check", "--access-log", pipe], &format!("error: --access-log {pipe}: {unread}\n")),
        (&["check", "--log-file", pipe], &format!("error: --log-file {pipe}: {unread}\n")),
        (&["--users", pipe], &format!("selvedge: --users: {no_file}\n")),
        (&["check", "--users", pipe], &format!("error: --users: {no_file}\n")),
    ];
    for (arguments, says) in rows {
        // Who waits here does so for ever.
        let mut command = command("timeout", &[&["20", PROGRAM], *arguments].concat());
        let output = command.env("SELVEDGE_BIND", "127.0.0.1:0").output().expect("the program runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said} does not say {says}");
    }
    let _ = fs::remove_file(&path);
}

/// A reader has all from the start to the end, without an end in between. Its going away stops nobody.
#[test]
fn pipes_that_somebody_reads() {
    let (path, out) = (pipe("read-pipe"), scratch("read-pipe-out"));
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let kept = File::options().read(true).custom_flags(nonblocking).open(&path).expect("it is there");
    let to = File::create(&out).expect("a place to write");
    let mut reader = Command::new("cat").arg(&path).stdout(to).spawn().expect("cat is there");
    let mut serving = Serving::start(program(&UNLIMITED).args(["--access-log", text(&path)]));
    get(&serving, "/first");
    until("it is read", || fs::read_to_string(&out).is_ok_and(|log| log.contains("/first")));
    drop(kept);
    reader.kill().and_then(|()| reader.wait()).expect("it reads on");
    serving.signal(Signal::USR1);
    serving.read_to(
        "cannot open the access log again: it is a pipe, and nobody reads it; writing on to the old",
    );
    assert!(get(&serving, "/").starts_with("HTTP/1.1 200 "));
    serving.signal(Signal::TERM);
    serving.end(0);
    let _ = (fs::remove_file(path), fs::remove_file(out));
}

/// What is no file and can be written to is as good as one.
#[test]
fn devices() {
    for (device, lines) in [("/dev/null", 0), ("/dev/stdout", 1), ("/dev/fd/1", 1)] {
        let mut serving = Serving::start(program(&UNLIMITED).args(["--access-log", device]));
        get(&serving, "/nothing");
        serving.signal(Signal::TERM);
        let mut log = String::new();
        let mut out = serving.child.stdout.take().expect("it is piped");
        out.read_to_string(&mut log).expect("UTF-8");
        assert_eq!(log.matches("GET /nothing").count(), lines, "{device}: {log}");
        serving.end(0);
    }
}

/// A wrong password of a directory is a line of the log, as one of the application is; a request that names nobody is not,
/// and is told from it.
#[test]
fn passwords_of_a_directory() {
    let file = scratch("directory-users");
    fs::write(&file, crate::accounts::line("ada", "right")).expect("a place to write");
    let users = ["--users", file.to_str().expect("UTF-8"), "--throttle", "off", env!("CARGO_TARGET_TMPDIR")];
    let wrong = ": no login for 127.0.0.1: wrong name or password";
    for (level, field, status, says) in [
        ("debug", "", 401, ": no credentials (401)"),
        ("debug", "Authorization: Bearer x\r\n", 401, ": no credentials (401)"),
        ("debug", "Authorization: Basic !!!\r\n", 401, ": wrong name or password (401)"),
        ("info", "Authorization: Basic YWRhOndyb25n\r\n", 401, wrong),
        ("info", "Authorization: Basic Ym9iOnJpZ2h0\r\n", 401, wrong),
        ("info", "Authorization: Basic YWRhOnJpZ2h0\r\n", 404, ""),
    ] {
        let mut serving = Serving::start(program(&UNLIMITED).args(users).args(["--log-level", level]));
        let request = format!("GET /none HTTP/1.1\r\nHost: a\r\n{field}Connection: close\r\n\r\n");
        let answer = ask(&serving, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{field}: {answer}");
        let challenge = "www-authenticate: Basic realm=";
        assert_eq!(answer.to_lowercase().contains(&challenge.to_lowercase()), status == 401, "{answer}");
        if !says.is_empty() {
            let line = serving.read_to(says);
            assert!(
                line.contains(if says == wrong { " INFO  request " } else { " DEBUG request " }),
                "{line}"
            );
            assert!(!line.contains("ada") && !line.contains("bob"), "{line}");
        }
        serving.signal(Signal::TERM);
        let rest = serving.end(0);
        assert!(!rest.contains(wrong), "{field}: {rest}");
    }
    let _ = fs::remove_file(file);
}

/// An application without its page is told of at the start: whatever is asked for would be 404.
#[test]
fn an_application_without_its_page() {
    let folder = scratch("application");
    fs::create_dir_all(&folder).expect("a place to write");
    let path = folder.to_str().expect("UTF-8");
    let says = format!(" WARN  --spa, and no index.html that can be read in {path}\n");
    for (arguments, expected) in [(&["--spa", path][..], true), (&[path], false)] {
        let (_serving, seen) = super::begin(program(&super::ANY).args(arguments));
        assert_eq!(seen.contains(&says), expected, "{seen}");
    }
    fs::write(folder.join("index.html"), "").expect("written");
    let (_serving, seen) = super::begin(program(&super::ANY).args(["--spa", path]));
    assert!(!seen.contains("--spa"), "{seen}");
    let _ = fs::remove_dir_all(folder);
}
