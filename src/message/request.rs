//! A request, as guards and handlers see it.

use super::{ClientKey, TlsInfo};
use crate::http1::{Buffer, Head};
use crate::sync::Arc;
use crate::threads::Share;
use http::uri::Scheme;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use std::any::Any;
use std::cell::OnceCell;
use std::fmt;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

/// A request: its head, where it came from, and its body.
///
/// The head stays in the bytes it arrived in; [`path`](Request::path), [`header`](Request::header) and their like read it
/// there. [`headers`](Request::headers) and [`uri`](Request::uri) build the `http` crate's types when first asked.
///
/// ```
/// use selvedge::{Request, Response};
///
/// fn greet(request: &mut Request) -> Response {
///     let agent = String::from_utf8_lossy(request.header("user-agent").unwrap_or(b"nobody")).into_owned();
///     let client = request.client_address().map_or("a Unix socket".to_owned(), |address| address.to_string());
///     let (method, path, bytes) = (request.method(), request.path(), request.body().len());
///     Response::text(format!("{method} {path} with {bytes} bytes, by {agent} at {client}\n"))
/// }
/// # let _ = selvedge::Router::new().get("/", greet);
/// ```
pub struct Request {
    pub(crate) input: Buffer,
    pub(crate) head: Head,
    pub(crate) id: RequestId,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) client: ClientKey,
    pub(crate) client_address: Option<IpAddr>,
    /// What the connection's handshake agreed on.
    pub(crate) tls: Option<Arc<TlsInfo>>,
    /// Whether nobody between the client and here could read along.
    pub(crate) secure: bool,
    pub(crate) incoming: Incoming,
    headers: OnceCell<HeaderMap>,
    uri: OnceCell<Uri>,
    extensions: Option<Box<Extensions>>,
}

/// A request's name in the log, in error bodies and in the `X-Request-Id` field: unique in one run of the server, and
/// unlikely to occur in another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestId(pub(crate) u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The body of a request, as far as it has come.
#[derive(Default)]
pub(crate) enum Incoming {
    #[default]
    None,
    Buffered {
        bytes: Vec<u8>,
        trailers: Option<HeaderMap>,
        /// Held for as long as the bytes are.
        _share: Share,
    },
    Streamed(Box<dyn Source>),
}

/// A body that is read from the connection while the handler runs.
pub(crate) trait Source: Read + Send {
    /// For the connection, to take back what it lent.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;

    /// The trailer section, once the body has been read to its end.
    fn trailers(&self) -> Option<&HeaderMap>;
}

impl Request {
    /// A request of which nothing has arrived.
    pub(crate) fn blank(peer: Option<SocketAddr>, client: ClientKey) -> Self {
        Request {
            input: Buffer::new(),
            head: Head::default(),
            id: RequestId::default(),
            peer,
            client,
            client_address: peer.map(|peer| peer.ip()),
            tls: None,
            secure: false,
            incoming: Incoming::None,
            headers: OnceCell::new(),
            uri: OnceCell::new(),
            extensions: None,
        }
    }

    /// Takes out the fields with names that `named` knows, as if they had not been sent.
    pub(crate) fn forget_fields(&mut self, named: impl Fn(&[u8]) -> bool) {
        let message = self.input.message();
        self.head.fields.retain(|field| !named(field.name.of(message)));
        self.headers.take();
    }

    /// Forgets everything of the request but the bytes of the buffer, and its head, which the parser clears when it begins
    /// the next.
    pub(crate) fn clear(&mut self) {
        self.client = self.peer.into();
        self.client_address = self.peer.map(|peer| peer.ip());
        self.secure = self.tls.is_some();
        self.incoming = Incoming::None;
        self.headers.take();
        self.uri.take();
        self.extensions = None;
    }

    /// The method (RFC 9110 §9).
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// HTTP/1.0 or HTTP/1.1.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The path of the target, still percent-encoded; `*` for `OPTIONS *`.
    pub fn path(&self) -> &str {
        // The parser has let nothing but ASCII into a target.
        std::str::from_utf8(self.path_octets()).unwrap_or_default()
    }

    /// The same as bytes.
    pub(crate) fn path_octets(&self) -> &[u8] {
        self.head.path.of(self.input.message())
    }

    /// The query of the target, after its `?`, still percent-encoded.
    pub fn query(&self) -> Option<&str> {
        std::str::from_utf8(self.head.query?.of(self.input.message())).ok()
    }

    /// The value of the first `name` in the query, still percent-encoded.
    pub fn query_value(&self, name: &str) -> Option<&str> {
        self.query()?.split('&').find_map(|pair| match pair.split_once('=') {
            Some((key, value)) if key == name => Some(value),
            None if pair == name => Some(""),
            _ => None,
        })
    }

    /// The authority asked for: the Host field's, or an absolute target's, which is the same (RFC 9112 §3.2).
    pub fn authority(&self) -> Option<&str> {
        std::str::from_utf8(self.head.authority?.of(self.input.message())).ok()
    }

    /// Path and query as a [`Uri`], the same to the letter.
    pub fn uri(&self) -> &Uri {
        self.uri.get_or_init(|| {
            let target = self.head.path.of(self.input.message());
            let mut text = target.to_vec();
            if let Some(query) = self.query() {
                text.push(b'?');
                text.extend_from_slice(query.as_bytes());
            }
            // It has a place for every path and query that the parser accepts, up to 65,534 bytes, and a request line has
            // no more than 64 KiB.
            Uri::try_from(text).unwrap_or_default()
        })
    }

    /// The value of the first field called `name`, in any case, without building the map of all.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.head.field(self.input.message(), name)
    }

    /// The values of all fields called `name`, in any case, in their order.
    pub fn header_values<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r [u8]> + 'r {
        let fields = self.head.fields(self.input.message());
        fields.filter(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// All fields. Built when first asked for.
    pub fn headers(&self) -> &HeaderMap {
        self.headers.get_or_init(|| {
            let mut map = HeaderMap::new();
            for (name, value) in self.head.fields(self.input.message()) {
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
                {
                    // Fails past 32,768 fields, which the limit on a head's fields forbids.
                    let _ = map.try_append(name, value);
                }
            }
            map
        })
    }

    /// The address at the other end of the connection; `None` on a Unix socket.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The client's address: the peer's, or what trusted proxies say it is. `None` if nobody knows.
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client_address
    }

    /// Whether the client came over TLS: to this server, or to a trusted proxy that says so.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The scheme of the request's URI (RFC 9110 §4.2).
    pub fn scheme(&self) -> Scheme {
        if self.secure { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// The TLS connection it came over, if this server ended it.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_deref()
    }

    /// What counts as one client.
    pub fn client(&self) -> ClientKey {
        self.client
    }

    /// The request's name in the log.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// The body, if it was read before the handler was called, which is the rule; empty if the handler streams it.
    pub fn body(&self) -> &[u8] {
        match &self.incoming {
            Incoming::Buffered { bytes, .. } => bytes,
            _ => &[],
        }
    }

    /// A reader over the body, streamed or not. One that was read beforehand begins anew with each reader; of a streamed one
    /// the next reader goes on where the last one stopped.
    ///
    /// A streamed body is read from the client as it is asked for, under the same limits as any other. An error means
    /// that it is incomplete, too large or too late: the client gets the server's answer to that, 400, 408, 413 or 503, in the
    /// place of the handler's, and the connection ends.
    pub fn body_reader(&mut self) -> impl Read + '_ {
        BodyReader { incoming: &mut self.incoming, at: 0 }
    }

    /// The trailer section (RFC 9110 §6.5), once the body has been read. Never merged into the fields of the head.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        match &self.incoming {
            Incoming::None => None,
            Incoming::Buffered { trailers, .. } => trailers.as_ref(),
            Incoming::Streamed(source) => source.trailers(),
        }
    }

    /// What guards have attached for handlers.
    pub fn extensions(&self) -> Option<&Extensions> {
        self.extensions.as_deref()
    }

    /// A place for guards to attach things to the request.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.extensions.get_or_insert_default()
    }
}

struct BodyReader<'a> {
    incoming: &'a mut Incoming,
    at: usize,
}

impl Read for BodyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.incoming {
            Incoming::None => Ok(0),
            Incoming::Buffered { bytes, .. } => {
                let count = (&bytes[self.at..]).read(buffer)?;
                self.at += count;
                Ok(count)
            }
            Incoming::Streamed(source) => source.read(buffer),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("method", self.method())
            .field("path", &self.path())
            .field("version", &self.version())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
