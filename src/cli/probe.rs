//! `selvedge probe URL`: asks a server once and says by its exit code whether the answer was a 2xx. For containers, which
//! have no other client on board to ask for their health.
//!
//! The client is as strict as the server: what is no whole head within its bounds is no answer, and nothing is followed.

use super::Failure;
use crate::config::read_time;
use crate::net::Stream;
use crate::record::Escaped;
use crate::sync::{Builder, bounded};
use clap::{Arg, ArgMatches, Command};
use http::{StatusCode, Uri};
use std::fmt::Display;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How long it may take in all.
const TIMEOUT: &str = "2s";
/// Bytes of an answer's head, interim answers included.
const MAX_HEAD: usize = 32 << 10;
/// Fields of a head.
const MAX_FIELDS: usize = 100;

/// The command's own arguments.
pub(super) fn arguments(command: Command) -> Command {
    let timeout = Arg::new("timeout").long("timeout").value_name("TIME");
    let host = Arg::new("host").long("host").value_name("NAME");
    command
        .arg(timeout.default_value(TIMEOUT).hide_default_value(true).help("How long it may take in all [2s]"))
        .arg(host.help("The Host that is asked for, if not that of the URL"))
        .arg(
            Arg::new("url").value_name("URL").required(true).help("http://HOST:PORT/PATH or unix:FILE:/PATH"),
        )
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Exit status: 0 if the answer was a 2xx, 1 otherwise. Redirects are not followed.
In a container: HEALTHCHECK CMD [\"selvedge\", \"probe\", \"http://127.0.0.1:9000/healthz\"]
with --admin 127.0.0.1:9000, or --admin unix:FILE and unix:FILE:/healthz
";

/// Asks, and says in a line what came of it.
pub(super) fn run(own: &ArgMatches) -> Result<ExitCode, Failure> {
    let text = |name| own.get_one::<String>(name).map_or("", String::as_str);
    let url = text("url").to_owned();
    let failed = |problem: String| Failure::start(format!("{url}: {problem}"));
    let timeout = read_time(text("timeout"))
        .map_err(|problem| Failure::usage(format!("bad value for --timeout: {problem}")))?;
    let target = Target::read(&url, own.get_one("host").cloned()).map_err(failed)?;
    let status = within(timeout, move || target.ask()).map_err(failed)?;
    match StatusCode::from_u16(status) {
        Ok(known) if known.is_success() => {
            let _ = std::io::stdout().write_all(format!("{}: {known}\n", Escaped(&url)).as_bytes());
            Ok(ExitCode::SUCCESS)
        }
        Ok(known) if known.is_redirection() => Err(failed(format!("{known}, which is not followed"))),
        Ok(known) => Err(failed(known.to_string())),
        Err(_) => Err(failed(format!("{status} is no status"))),
    }
}

/// Runs `work` on a thread of its own, which is left behind when the time is up: neither the look-up of a name nor the
/// wait for a Unix socket's backlog can be given up in any other way.
fn within(
    timeout: Duration,
    work: impl FnOnce() -> Result<u16, String> + Send + 'static,
) -> Result<u16, String> {
    let (tell, told) = bounded(1);
    let run = move || {
        let _ = tell.try_send(work());
    };
    Builder::new().name("probe".into()).spawn(run).map_err(|problem| cannot("start a thread", &problem))?;
    told.recv_timeout(timeout).unwrap_or_else(|_| Err(format!("no answer within {timeout:?}")))
}

/// What is asked, and where.
#[derive(Debug)]
struct Target {
    place: Place,
    host: String,
    path: String,
}

#[derive(Debug)]
enum Place {
    /// `host:port`.
    Tcp(String),
    Unix(PathBuf),
}

impl Target {
    fn read(url: &str, host: Option<String>) -> Result<Self, String> {
        let (place, default_host, path) = match url.strip_prefix("unix:") {
            Some("") => return Err("a path must follow, as in unix:/run/selvedge.sock:/healthz".into()),
            Some(rest) => {
                let (file, path) = rest.split_once(":/").unwrap_or((rest, ""));
                (Place::Unix(file.into()), "localhost".to_owned(), format!("/{path}"))
            }
            None => read_http(url)?,
        };
        let host = host.unwrap_or(default_host);
        // What is asked must be the one request that is meant.
        if [&host, &path].iter().any(|text| text.bytes().any(|byte| !byte.is_ascii_graphic())) {
            return Err("a space, a control or a character beyond ASCII; write it as %20".into());
        }
        Ok(Target { place, host, path })
    }

    /// The status of the answer.
    fn ask(&self) -> Result<u16, String> {
        let mut stream = self.place.connect().map_err(|problem| cannot("connect", &problem))?;
        let Target { host, path, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: selvedge-probe/{version}\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n"
        );
        exchange(&mut stream, request.as_bytes())
    }
}

fn read_http(url: &str) -> Result<(Place, String, String), String> {
    const PERMITTED: &str = "write http://HOST:PORT/PATH or unix:FILE:/PATH";
    let uri: Uri = url.parse().map_err(|_| format!("no URL; {PERMITTED}"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err("https needs TLS, which the probe does not speak; ask a port without it".into());
        }
        _ => return Err(format!("no address the probe knows; {PERMITTED}")),
    }
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| format!("no host; {PERMITTED}"))?;
    if authority.contains('@') {
        return Err("a name or password in the URL, which the probe does not send".into());
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok((
        Place::Tcp(format!("{host}:{}", uri.port_u16().unwrap_or(80))),
        authority.to_owned(),
        path.to_owned(),
    ))
}

impl Place {
    fn connect(&self) -> std::io::Result<Stream> {
        match self {
            Place::Tcp(address) => TcpStream::connect(address).map(Stream::from),
            Place::Unix(file) => UnixStream::connect(file).map(Stream::from),
        }
    }
}

/// Sends the request and reads the head of its answer.
fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> Result<u16, String> {
    stream.write_all(request).map_err(|problem| cannot("send the request", &problem))?;
    let (mut input, mut block) = (Vec::new(), [0; 4096]);
    loop {
        let count = match stream.read(&mut block) {
            Ok(0) if input.is_empty() => return Err("the connection ended without an answer".into()),
            Ok(0) => return Err("the connection ended in the middle of an answer's head".into()),
            Ok(count) => count,
            Err(problem) if problem.kind() == ErrorKind::Interrupted => continue,
            Err(problem) => return Err(cannot("read the answer", &problem)),
        };
        input.extend_from_slice(&block[..count]);
        if let Some(status) = final_status(&input)? {
            return Ok(status);
        }
        if input.len() > MAX_HEAD {
            return Err(format!("the head of its answer is longer than {MAX_HEAD} bytes"));
        }
    }
}

/// The status of the first answer in `input` that is not an interim one, if its head is complete.
fn final_status(mut input: &[u8]) -> Result<Option<u16>, String> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let parsed = head.parse(input).map_err(|problem| format!("no answer in HTTP/1.1: {problem}"))?;
        match (parsed, head.code) {
            (httparse::Status::Partial, _) => return Ok(None),
            (httparse::Status::Complete(length), Some(100 | 102..=199)) => {
                input = input.get(length..).unwrap_or_default();
            }
            (httparse::Status::Complete(_), code) => return Ok(code),
        }
    }
}

fn cannot(what: &str, problem: &impl Display) -> String {
    format!("cannot {what}: {problem}")
}
