//! The program as it is run: what it says, where, and with which exit code.
#![cfg(feature = "cli")]

mod admin;
mod commands;
mod file;
#[cfg(target_os = "linux")]
mod inherited;
mod logs;
mod options;
mod probe;
#[cfg(feature = "self-signed")]
mod redirect;
mod reload;
mod restart;
#[cfg(target_os = "linux")]
mod sandbox;
mod socket_files;
#[cfg(target_os = "linux")]
mod supervisor;
mod terminal;
#[cfg(feature = "tls-rustls")]
mod tls;

use rustix::process::{Pid, Signal, kill_process};
use selvedge::config::{Config, SETTINGS};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_selvedge");

/// The program, in an environment without settings.
pub fn program(arguments: &[&str]) -> Command {
    command(PROGRAM, arguments)
}

/// The program, with the limits on open files that `ulimit` sets.
pub fn limited(ulimit: &str, arguments: &[&str]) -> Command {
    let script = format!("ulimit {ulimit} && exec {PROGRAM} \"$@\"");
    command("sh", &[&["-c", &script, "sh"], arguments].concat())
}

pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SELVEDGE_")) {
        command.env_remove(name);
    }
    command
}

pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

/// Runs the program with what it cannot follow; it ends with `code` and one line on standard error that has `says`
/// in it.
fn check(arguments: &[&str], environment: &[(&str, &str)], code: i32, says: &str) {
    let output = program(arguments).envs(environment.iter().copied()).output().expect("the program runs");
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    let at = format!("{arguments:?} {environment:?}: '{error}'");
    assert_eq!(output.status.code(), Some(code), "{at}");
    assert!(error.starts_with("selvedge: ") && error.lines().count() == 1 && error.ends_with('\n'), "{at}");
    assert!(error.contains(says), "{at} does not say '{says}'");
    assert!(output.stdout.is_empty(), "{at}");
}

#[test]
fn refused() {
    let long_path = format!("unix:/{}", "x".repeat(107));
    let rows: &[(&[&str], i32, &str)] = &[
        (&["--zzz"], 2, "unexpected argument '--zzz'; see 'selvedge --help'"),
        (&["--max-bodi", "1"], 2, "unexpected argument '--max-bodi'; a similar one is '--max-body'; see"),
        (&["--two\nlines"], 2, r"unexpected argument '--two\nlines'"),
        (&[".", "."], 2, "unexpected argument '.'"),
        (&["--max-body"], 2, "a value is required for '--max-body <SIZE>'"),
        (&["--max-body", "1", "--max-body", "2"], 2, "'--max-body <SIZE>' cannot be used multiple times"),
        (&["--max-body", "1GB"], 2, "bad value for --max-body: '1GB' is not a size; write 512, 256KiB, 1MiB"),
        (&["--max-body", "-1"], 2, "bad value for --max-body: '-1' is not a size"),
        (&["--max-body=0"], 2, "permitted: 1 to 1024GiB"),
        (&["--max-body=1GiB"], 2, "bad value for --max-body: 1GiB is more than --max-buffered, 256MiB"),
        (&["--keep-alive", "15"], 2, "write 10s or 500ms"),
        (
            &["--log-level", "loud"],
            2,
            "--log-level: 'loud' is no level; permitted: error, warn, info, debug, trace",
        ),
        (&["--bind", ""], 2, "bad value for --bind: an empty address"),
        (&["--bind", "nowhere"], 2, "bad address 'nowhere'"),
        (
            &["--bind", "unix:@name"],
            2,
            "an abstract name can only be passed, as fd:N; for a file write unix:./@name",
        ),
        (&["--bind", &long_path], 2, "a path of 108 bytes, and 107 are the most a socket can have"),
        (
            &["--bind", "unix:x", "--bind", "unix:x"],
            2,
            "--bind unix:x and --bind unix:x are one address; name it once",
        ),
        (
            &["--bind", "[::1]:8", "--admin", "[0::1]:8"],
            2,
            "--bind [::1]:8 and --admin [0::1]:8 are one address; name it once",
        ),
        (
            &["--allow-host", "*.example.org"],
            2,
            "bad value for --allow-host: '*.example.org' has a '*', and names are compared whole; write each of them",
        ),
        (&["--allow-host", "*"], 2, "'*' has a '*', and names are compared whole"),
        (
            &["--allow-host", "example.org."],
            2,
            "'example.org.' ends with a dot; write it without: example.org",
        ),
        (
            &["--allow-host", ".example.org"],
            2,
            "'.example.org' is no host; write example.org or [::1], without a port",
        ),
        (&["--allow-host", "a b"], 2, "'a b' is no host"),
        (&["--allow-host", "::1"], 2, "'::1' is no host; write example.org or [::1]"),
        (&["--allow-host", "[::1"], 2, "'[::1' is no host"),
        (
            &["--allow-host", "ä.example"],
            2,
            "'ä.example' is not ASCII; write its name in DNS, as xn--bcher-kva.example",
        ),
        (
            &["--header", "ETag: \"x\""],
            2,
            "bad value for --header: 'etag' is about one answer, and this would be in all",
        ),
        (&["--header", "Content-Encoding: gzip"], 2, "'content-encoding' is about one answer"),
        (&["--header", "Date: today"], 2, "bad value for --header: 'date' is the server's own; leave it out"),
        (&["--header", "X-Request-Id: 1"], 2, "'x-request-id' is the server's own"),
        (&["--header", "content-length: 1"], 2, "'content-length' is the server's own"),
        (&["--header", "Connection: close"], 2, "'connection' is the server's own"),
        (
            &["--no-header", "Date"],
            2,
            "bad value for --no-header: 'date' is the server's own, and in every answer",
        ),
        (&["--header", "Transfer-Encoding: chunked"], 2, "'transfer-encoding' is the server's own"),
        (&["--log-file", "/no/such/directory/log"], 1, "cannot open the log file '/no/such/directory/log'"),
    ];
    for (arguments, code, says) in rows {
        check(arguments, &[], *code, says);
    }
}

#[test]
fn refused_by_environment() {
    let rows: &[(&str, &str, i32, &str)] = &[
        ("SELVEDGE_MAX_BODY", "much", 2, "bad value for SELVEDGE_MAX_BODY: 'much' is not a size"),
        ("SELVEDGE_MAX_BODY", "", 2, "bad value for SELVEDGE_MAX_BODY: '' is not a size"),
        ("SELVEDGE_RATE_LIMIT", "0", 2, "bad value for SELVEDGE_RATE_LIMIT: '0' is not a rate; write 30/60s"),
        ("SELVEDGE_LOG_LEVEL", "loud", 2, "bad value for SELVEDGE_LOG_LEVEL: "),
        ("SELVEDGE_LOG_FILE", "/no/such/directory/log", 1, "cannot open the log file"),
        ("SELVEDGE_BIND", "127.0.0.1:0,", 2, "bad value for SELVEDGE_BIND: an empty address"),
    ];
    for (name, value, code, says) in rows {
        check(&[], &[(name, value)], *code, says);
    }
}

#[test]
fn occupied_port() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let says = format!("cannot listen on {address}: another program has that port");
    check(&["--bind", &address], &[], 1, &says);
    check(&["--bind", "127.0.0.1:0", "-b", &address], &[], 1, &says);
    check(&[], &[("SELVEDGE_BIND", &address)], 1, &says);
}

#[test]
fn version() {
    for flag in ["-V", "--version"] {
        let output = program(&[flag]).output().expect("the program runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(output.stdout, concat!("selvedge ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
    }
}

/// Help has every setting with its value's name, its help and its default, on lines that fit a terminal.
#[test]
fn help() {
    let output = program(&["--help"]).output().expect("the program runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<_> = help.lines().collect();
    for setting in SETTINGS {
        let default = match setting.name {
            // The built-in application's, where the library has none.
            "rate-limit" => "30/60s".to_owned(),
            "throttle" => "10/60s".to_owned(),
            _ => (setting.show)(&Config::default()),
        };
        let flag = format!("--{} <{}>", setting.name, setting.value_name);
        let line = lines.iter().find(|line| line.trim_start().starts_with(&flag));
        let line = line.unwrap_or_else(|| panic!("no {flag} in help:\n{help}"));
        assert!(line.contains(&format!("{} [{default}", setting.help)) && line.ends_with(']'), "{line}");
        assert!(
            lines.contains(&format!("{}:", setting.group.title()).as_str()),
            "no heading for {}",
            setting.name
        );
    }
    for flag in
        ["-b, --bind <ADDR>", "--log-file <FILE|off>", "--log-level <LEVEL>", "-h, --help", "-V, --version"]
    {
        assert!(help.contains(flag), "no {flag} in help:\n{help}");
    }
    assert!(lines.iter().all(|line| line.len() <= 100), "{help}");
}

/// A program that serves, until it is told otherwise or dropped.
pub struct Serving {
    pub child: Child,
    /// Its standard error; closed when this is `None`.
    pub error: Option<BufReader<ChildStderr>>,
    /// The first address of the banner, without the scheme.
    pub address: String,
}

impl Serving {
    pub fn start(command: &mut Command) -> Serving {
        let mut child = command.spawn().expect("the program runs");
        let error = child.stderr.take().map(BufReader::new);
        let mut serving = Serving { child, error, address: String::new() };
        let line = serving.read_to("listening on http");
        let (_, address) = line.rsplit_once("://").expect("it was found there");
        serving.address = address.trim_end().trim_end_matches('/').replace("0.0.0.0", "127.0.0.1");
        serving.read_to("selvedge --help");
        serving
    }

    /// Reads standard error up to and with the line that has `text` in it, and returns that.
    pub fn read_to(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let read = self.error.as_mut().expect("open").read_line(&mut line).expect("UTF-8");
            assert_ne!(read, 0, "standard error ends without '{text}':\n{seen}");
            if line.contains(text) {
                return line;
            }
            seen += &line;
        }
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("it is there");
    }

    /// A connection in the middle of a request: its body has been asked for and does not come.
    fn half_a_request(&self) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
                    Expect: 100-continue\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut answer = [0; 25];
        stream.read_exact(&mut answer).expect("it answers");
        assert_eq!(answer, *b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
    }

    /// Waits for the end, and expects it with `code`; returns what was left on standard error.
    pub fn end(mut self, code: i32) -> String {
        let mut rest = String::new();
        self.error.as_mut().expect("open").read_to_string(&mut rest).expect("UTF-8");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(code), "{status}: {rest}");
        rest
    }
}

/// Starts the program, wherever it listens, and returns what it has said up to the end of its banner.
pub fn begin(command: &mut Command) -> (Serving, String) {
    let mut child = command.spawn().expect("the program runs");
    let mut error = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut seen = String::new();
    while !seen.contains("selvedge --help") {
        let read = error.read_line(&mut seen).expect("UTF-8");
        assert_ne!(read, 0, "standard error ends without a banner:\n{seen}");
    }
    (Serving { child, error: Some(error), address: String::new() }, seen)
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Any free port.
pub const ANY: [&str; 2] = ["--bind", "127.0.0.1:0"];

#[test]
fn ends_by_either_signal() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let serving = Serving::start(&mut program(&ANY));
        TcpStream::connect(&serving.address).expect("the banner has the real port");
        serving.signal(signal);
        let rest = serving.end(0);
        assert!(rest.contains(&format!("{name}: finishing requests for at most 30s")), "{rest}");
    }
}

#[test]
fn cut_at_the_deadline() {
    let serving = Serving::start(program(&ANY).args(["--drain-timeout", "50ms"]));
    let _streams = [(); 2].map(|()| serving.half_a_request());
    serving.signal(Signal::TERM);
    let told = serving.end(3);
    for (says, times) in
        [(" main INFO  0 finished, 2 cut, in ", 1), (" main INFO  127.0.0.1:", 2), (" was cut, body for ", 2)]
    {
        assert_eq!(told.lines().filter(|line| line.contains(says)).count(), times, "{says} in {told}");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut serving = Serving::start(program(&ANY).args(["--drain-timeout", "1h", "--body-timeout", "1h"]));
    let _stream = serving.half_a_request();
    serving.signal(Signal::TERM);
    serving.read_to("finishing requests");
    serving.signal(Signal::INT);
    let rest = serving.end(3);
    assert!(rest.contains("SIGINT again: ending at once"), "{rest}");
}

#[test]
fn other_signals_are_survived_and_logged_twice() {
    let path = scratch("selvedge-log");
    std::fs::write(&path, "before\n").expect("a place to write");
    let file = path.to_str().expect("UTF-8");
    let mut serving = Serving::start(program(&ANY).args(["--log-file", file]));
    serving.signal(Signal::HUP);
    let seen = serving.read_to("SIGHUP: all options are as they were");
    serving.signal(Signal::USR1);
    serving.read_to("SIGUSR1: the log files are opened again");
    serving.signal(Signal::TERM);
    serving.end(0);

    let log = std::fs::read_to_string(&path).expect("it was written");
    assert!(log.starts_with("before\n") && log.contains(&seen), "{log}");
    let fields: Vec<_> = seen.split_whitespace().take(3).collect();
    let [moment, "main", "INFO"] = fields[..] else { panic!("{seen}") };
    let shape: String = moment.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    let _ = std::fs::remove_file(path);
}

/// Neither a closed standard error nor a full disk ends the program or changes how it ends.
#[test]
fn survives_what_cannot_be_logged() {
    let mut full = program(&ANY);
    if Path::new("/dev/full").exists() {
        full.args(["--log-file", "/dev/full"]);
    }
    let mut serving = Serving::start(&mut full);
    serving.signal(Signal::HUP);
    serving.read_to("SIGHUP: all options are as they were");
    serving.error = None;
    serving.signal(Signal::HUP);
    serving.signal(Signal::TERM);
    assert_eq!(serving.child.wait().expect("it ends").code(), Some(0));
}

/// Flags are stronger than variables, and variables than defaults.
#[test]
fn precedence() {
    let mut command = program(&ANY);
    command.envs([
        ("SELVEDGE_BIND", "127.0.0.1:1"),
        ("SELVEDGE_DRAIN_TIMEOUT", "7s"),
        ("SELVEDGE_MAX_BODDY", "1"),
    ]);
    let mut serving = Serving::start(&mut command);
    serving.signal(Signal::TERM);
    serving.read_to("for at most 7s");
    serving.end(0);

    let mut serving = Serving::start(command.args(["--drain-timeout", "8s", "-b", "127.0.0.1:0"]));
    serving.signal(Signal::TERM);
    serving.read_to("for at most 8s");
    serving.end(0);

    let mut child = command.args(["--log-level", "warn"]).spawn().expect("the program runs");
    let mut error = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    error.read_line(&mut line).expect("UTF-8");
    let _ = (child.kill(), child.wait());
    assert!(
        line.ends_with("main WARN  no setting has the name of these variables: SELVEDGE_MAX_BODDY (a similar one is SELVEDGE_MAX_BODY)\n"),
        "{line}"
    );
}

#[test]
fn warnings() {
    let few = ["--max-connections", "10", "--max-waiting", "10", "--bind"];
    let shortage = "512 open files are permitted and 3729 may be needed; raise it with ulimit -n 3729";
    // Who watches has seats and last words of his own.
    let watched = "512 open files are permitted and 4858 may be needed; raise it with ulimit -n 4858";
    for (mut command, says) in [
        (limited("-n 512", &ANY), Some(shortage)),
        (limited("-n 512", &[&ANY[..], &["--admin", "127.0.0.1:0"]].concat()), Some(watched)),
        // The soft limit alone is no shortage: it is raised.
        (limited("-S -n 512", &[&few[..], &["127.0.0.1:0"]].concat()), None),
        (
            limited("-S -n 512", &[&few[..], &["0.0.0.0:0"]].concat()),
            Some("other machines can reach http://0.0.0.0:"),
        ),
    ] {
        let serving = Serving::start(&mut command);
        serving.signal(Signal::TERM);
        let rest = serving.end(0);
        let warnings: Vec<_> = rest.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert_eq!(warnings.len(), usize::from(says.is_some()), "{rest}");
        assert!(says.is_none_or(|says| warnings[0].contains(says)), "{rest} does not say {says:?}");
    }
}
