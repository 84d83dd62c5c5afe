//! What a request must look like to be let in: its path, its host, its method.
//!
//! The article refuses paths longer than 255 and those that contain the two characters `..`, which lets `%2e%2e` pass
//! and refuses `/a..b`. We decode once and judge segments.

use super::{Exchange, Guard};
use crate::error::Refusal;
use crate::message::Response;
use http::uri::Scheme;
use http::{HeaderValue, Method, StatusCode, header};

/// Refuses paths that are too long or that, decoded, climb or hold what no path may (400); absolute targets with `https` that
/// did not come over TLS, and hosts other than the one that the TLS connection was opened for (421); and, where there are lists,
/// hosts (421) and methods (405) that are not on them.
///
/// Every server has one, made from [`Config::max_path`](crate::Config::max_path) and
/// [`Config::allow_hosts`](crate::Config::allow_hosts); another one can be added.
///
/// ```
/// use selvedge::{Method, Validate};
///
/// let policy = Validate::new(255).allow_hosts(["example.org"]).allow_methods([Method::GET, Method::HEAD]);
/// # let _ = policy;
/// ```
#[derive(Clone, Debug)]
pub struct Validate {
    max_path: usize,
    /// In lower case; empty permits all.
    hosts: Vec<String>,
    /// Empty permits all.
    methods: Vec<Method>,
}

impl Validate {
    /// Paths of up to `max_path` bytes, as they are sent, without the query; any host and method.
    pub fn new(max_path: usize) -> Self {
        Validate { max_path, hosts: Vec::new(), methods: Vec::new() }
    }

    /// Only these hosts, compared without case and port; others get 421 (RFC 9110 §15.5.20). A page that makes a
    /// browser send requests to this server under another name (DNS rebinding) then gets nothing.
    #[must_use]
    pub fn allow_hosts<H: AsRef<str>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.hosts.extend(hosts.into_iter().map(|host| host.as_ref().to_ascii_lowercase()));
        self
    }

    /// Only these methods; others get 405 with Allow.
    #[must_use]
    pub fn allow_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods.extend(methods);
        self
    }

    /// A request of HTTP/1.0 may name no host at all; it is on no list then.
    fn permits_host(&self, authority: Option<&str>) -> bool {
        let host = authority.map(without_port).unwrap_or_default();
        self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

impl Guard for Validate {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        let request = exchange.request();
        let path = request.path_octets();
        if path.len() > self.max_path {
            return Err(Refusal::PATH_TOO_LONG);
        }
        if !is_safe(path) {
            return Err(Refusal::PATH);
        }
        // RFC 9110 §7.4. The other way round nothing is missing: who asks for an `http` resource wants no less than a server that
        // answers for the host (§4.2.1), and is served, as an absolute target has to be (RFC 9112 §3.2.2).
        if request.head.scheme == Some(Scheme::HTTPS) && !request.is_secure() {
            return Err(Refusal::NOT_SECURE);
        }
        let asked_for = request.tls().and_then(|tls| tls.server_name.as_deref());
        if asked_for.is_some_and(|name| is_other_host(name, request.authority())) {
            return Err(Refusal::OTHER_SERVER_NAME);
        }
        if !self.hosts.is_empty() && !self.permits_host(request.authority()) {
            return Err(Refusal::OTHER_HOST);
        }
        if !self.methods.is_empty() && !self.methods.contains(request.method()) {
            return Err(Refusal::OTHER_METHOD);
        }
        Ok(())
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        let refused = exchange.refusal().is_some_and(|refusal| refusal == Refusal::OTHER_METHOD);
        // Of two policies, the one that has a list refused it.
        if refused && !self.methods.is_empty() && response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let allow: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
            if let Ok(allow) = HeaderValue::from_str(&allow.join(", ")) {
                response.headers_mut().insert(header::ALLOW, allow);
            }
        }
    }
}

/// Whether a request is for another server than its TLS connection was opened for (RFC 9110 §7.4). One of HTTP/1.0 need not
/// say.
fn is_other_host(server_name: &str, authority: Option<&str>) -> bool {
    authority.is_some_and(|authority| {
        let host = without_port(authority);
        !host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case(server_name)
    })
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // The colons within brackets belong to an IPv6 address.
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

/// Whether every escape of `path` is one, none of them is a control character, and no segment is `..`.
///
/// A backslash separates segments too: on some systems, and to some programs behind us, it does.
fn is_safe(path: &[u8]) -> bool {
    let mut rest = path;
    let mut dots = Segment::Start;
    while let Some((byte, after)) = decode_first(rest) {
        rest = after;
        dots = match (byte, dots) {
            (0..=0x1f | 0x7f, _) | (b'/' | b'\\', Segment::TwoDots) => return false,
            (b'/' | b'\\', _) => Segment::Start,
            (b'.', Segment::Start) => Segment::OneDot,
            (b'.', Segment::OneDot) => Segment::TwoDots,
            _ => Segment::Other,
        };
    }
    rest.is_empty() && dots != Segment::TwoDots
}

/// What a segment of a path has been so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Start,
    OneDot,
    TwoDots,
    Other,
}

/// The first byte of a percent-encoded text and what follows; `None` at the end, or at an escape that is none.
fn decode_first(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'%', high, low, rest @ ..] => Some((hex(*high)? * 16 + hex(*low)?, rest)),
        [b'%', ..] | [] => None,
        [byte, rest @ ..] => Some((*byte, rest)),
    }
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}
