//! The access log: a line for every answer.
//!
//! The article has no access log; what it logs of a request, it prints as it came and from the thread that serves. Here
//! a line is one line whatever the client sent ([`record`](crate::record)), and to write it is another thread's work
//! ([`Journal`]).

use super::journal::{Journal, Outlet};
use crate::message::{RequestId, TlsInfo};
use crate::record::{push_clf, push_escaped, push_json, push_number, push_utc};
use http::{StatusCode, Version};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

/// Bytes of a method, a target, a user agent or a referer that are written; the rest is left out, and `…` says so.
const MAX_TEXT: usize = 1024;

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people, and for programs that know the combined log format:
    ///
    /// ```text
    /// 192.0.2.7 - ada [31/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1234 "-" "curl/8" 192.0.2.7:4321 0.000123 0123456789abcdef
    /// ```
    ///
    /// Peer, duration in seconds, request id and the version and group of TLS stand behind what the combined format has.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What the access log says of one answer.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// When it was given.
    pub time: SystemTime,
    /// Who asked; `None` if nobody knows, as on a Unix socket.
    pub client: Option<IpAddr>,
    /// The other end of the connection; `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Who is logged in, or whose token it is, if a guard has found out.
    pub user: Option<&'a str>,
    /// Method and target, if they were read, and the version, if the whole request line was understood.
    pub request: Option<(&'a str, &'a [u8], Option<Version>)>,
    /// The status.
    pub status: StatusCode,
    /// Bytes of the body that were handed to the system, with the framing of chunks.
    pub bytes: u64,
    /// From the complete head to the last byte handed to the system.
    pub duration: Duration,
    /// The request's id.
    pub id: RequestId,
    /// The User-Agent field.
    pub user_agent: Option<&'a [u8]>,
    /// The Referer field.
    pub referer: Option<&'a [u8]>,
    /// What the TLS connection agreed on, if there is one.
    pub tls: Option<&'a TlsInfo>,
}

/// Where a server writes a line for every answer. Cloned to whoever is to [reopen](Journal::reopen) it.
///
/// ```no_run
/// use selvedge::monitor::{AccessLog, LogFormat, Outlet};
/// use selvedge::{Request, Server};
///
/// let log = AccessLog::open(Outlet::File("access.log".into()), LogFormat::Json)?;
/// let server = Server::builder().bind("127.0.0.1:8000")?.access_log(log).serve(|_: &mut Request| "hello")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AccessLog {
    journal: Journal,
    format: LogFormat,
}

impl AccessLog {
    /// Opens it.
    pub fn open(outlet: Outlet, format: LogFormat) -> io::Result<Self> {
        Ok(AccessLog { journal: Journal::open(outlet, "the access log")?, format })
    }

    /// Writes a record, for which it uses the memory of `line`. Never waits; a record the journal has no room for is
    /// dropped, which is logged once a minute.
    pub fn record(&self, access: &Access<'_>, line: &mut Vec<u8>) {
        line.clear();
        self.format.push(access, line);
        if !self.journal.push(line)
            && let Some(loss) = self.journal.report()
        {
            log::warn!("{loss}");
        }
    }

    /// The journal it is written to.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}

impl LogFormat {
    /// Appends a record, its line feed included.
    pub fn push(self, access: &Access<'_>, line: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = match self {
            LogFormat::Text => combined(access, line),
            LogFormat::Json => json(access, line),
        };
        line.push(b'\n');
    }
}

fn combined(access: &Access<'_>, line: &mut Vec<u8>) -> io::Result<()> {
    push_client(access, line)?;
    line.extend_from_slice(b" - ");
    let certificate = access.tls.and_then(|tls| tls.client.as_ref()).map(|client| &*client.subject);
    push_word(line, access.user.or(certificate).filter(|user| !user.is_empty()).unwrap_or("-"));
    line.extend_from_slice(b" [");
    push_clf(line, access.time);
    line.extend_from_slice(b"] \"");
    if let Some((method, target, version)) = access.request {
        push_cut(line, method.as_bytes());
        line.push(b' ');
        push_cut(line, target);
        line.extend_from_slice(match version {
            Some(Version::HTTP_10) => b" HTTP/1.0",
            Some(_) => b" HTTP/1.1",
            None => b"",
        });
    } else {
        line.push(b'-');
    }
    line.extend_from_slice(b"\" ");
    line.extend_from_slice(access.status.as_str().as_bytes());
    line.push(b' ');
    push_number(line, access.bytes, 1);
    for text in [access.referer, access.user_agent] {
        line.extend_from_slice(b" \"");
        push_cut(line, text.unwrap_or(b"-"));
        line.push(b'"');
    }
    match access.peer {
        Some(peer) => {
            line.push(b' ');
            push_peer(line, peer)?;
        }
        None => line.extend_from_slice(b" local"),
    }
    let Access { duration, id, .. } = access;
    line.push(b' ');
    push_number(line, duration.as_secs(), 1);
    line.push(b'.');
    push_number(line, duration.subsec_micros().into(), 6);
    write!(line, " {id}")?;
    match access.tls {
        Some(tls) => write!(line, " {}/{}", tls.version, tls.group.unwrap_or("-")),
        None => line.write_all(b" -"),
    }
}

fn json(access: &Access<'_>, line: &mut Vec<u8>) -> io::Result<()> {
    line.extend_from_slice(b"{\"time\":\"");
    push_utc(line, access.time);
    line.extend_from_slice(b"\",\"client\":\"");
    push_client(access, line)?;
    line.extend_from_slice(b"\",\"peer\":");
    match access.peer {
        Some(peer) => {
            line.push(b'"');
            push_peer(line, peer)?;
            line.push(b'"');
        }
        None => line.extend_from_slice(b"null"),
    }
    push_member(line, "user", access.user.map(str::as_bytes));
    let (method, target, version) = access.request.map_or((None, None, None), |(method, target, version)| {
        let version = version.map(|version| if version == Version::HTTP_10 { "1.0" } else { "1.1" });
        (Some(method.as_bytes()), Some(target), version)
    });
    push_member(line, "method", method);
    push_member(line, "target", target);
    push_member(line, "version", version.map(str::as_bytes));
    let Access { status, bytes, duration, id, .. } = access;
    line.extend_from_slice(b",\"status\":");
    line.extend_from_slice(status.as_str().as_bytes());
    line.extend_from_slice(b",\"bytes\":");
    push_number(line, *bytes, 1);
    line.extend_from_slice(b",\"duration_us\":");
    push_number(line, u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), 1);
    write!(line, ",\"request_id\":\"{id}\"")?;
    push_member(line, "user_agent", access.user_agent);
    push_member(line, "referer", access.referer);
    push_member(line, "tls", access.tls.map(|tls| tls.version.as_bytes()));
    push_member(line, "group", access.tls.and_then(|tls| tls.group).map(str::as_bytes));
    if let Some(client) = access.tls.and_then(|tls| tls.client.as_ref()) {
        push_member(line, "client_certificate", Some(client.subject.as_bytes()));
    }
    line.push(b'}');
    Ok(())
}

/// The client's address: the peer's, unless the client is somebody else.
fn push_client(access: &Access<'_>, line: &mut Vec<u8>) -> io::Result<()> {
    match access.client {
        Some(client) => push_ip(line, client),
        None => line.write_all(b"local"),
    }
}

fn push_peer(line: &mut Vec<u8>, peer: SocketAddr) -> io::Result<()> {
    if peer.is_ipv6() {
        return write!(line, "{peer}");
    }
    push_ip(line, peer.ip())?;
    line.push(b':');
    push_number(line, peer.port().into(), 1);
    Ok(())
}

fn push_ip(line: &mut Vec<u8>, address: IpAddr) -> io::Result<()> {
    let IpAddr::V4(address) = address else { return write!(line, "{address}") };
    for (number, octet) in address.octets().into_iter().enumerate() {
        if number > 0 {
            line.push(b'.');
        }
        push_number(line, octet.into(), 1);
    }
    Ok(())
}

fn push_member(line: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
    match value {
        // The quotes are the string's own.
        Some(value) if value.len() > MAX_TEXT => {
            push_json(line, &value[..MAX_TEXT]);
            line.pop();
            line.extend_from_slice("…\"".as_bytes());
        }
        Some(value) => push_json(line, value),
        None => line.extend_from_slice(b"null"),
    }
}

/// What stands between spaces has none.
fn push_word(line: &mut Vec<u8>, text: &str) {
    let shown = &text.as_bytes()[..text.len().min(MAX_TEXT)];
    for (number, word) in shown.split(|&byte| byte == b' ').enumerate() {
        if number > 0 {
            line.extend_from_slice(br"\x20");
        }
        push_escaped(line, word);
    }
    if text.len() > MAX_TEXT {
        line.extend_from_slice("…".as_bytes());
    }
}

fn push_cut(line: &mut Vec<u8>, text: &[u8]) {
    push_escaped(line, &text[..text.len().min(MAX_TEXT)]);
    if text.len() > MAX_TEXT {
        line.extend_from_slice("…".as_bytes());
    }
}
