//! A response, as handlers make it and guards seal it.

use super::Body;
use crate::http1::StandingFields;
use crate::sync::Arc;
use http::header::{CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::cell::OnceCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

/// A response: status, fields and body.
///
/// The server owns the framing: Content-Length, Transfer-Encoding, Connection and Date are written by it, and ignored
/// here.
///
/// ```
/// use selvedge::{Response, StatusCode};
///
/// let response = Response::text("made").with_status(StatusCode::CREATED).with_header("location", "/things/7");
/// assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
/// ```
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    /// The media type, as long as there is no map: most responses have no other field.
    content_type: Option<HeaderValue>,
    /// The fields, once they have been changed. In a box, because responses are moved about.
    headers: Option<Box<HeaderMap>>,
    /// A map with `content_type`, for those who look before anything is changed.
    shown: OnceCell<Box<HeaderMap>>,
    body: Body,
    pub(crate) standing: Option<Arc<StandingFields>>,
    pub(crate) upgrade: Option<UpgradeHandler>,
    pub(crate) close: bool,
}

impl Response {
    /// A response without fields or body.
    pub fn new(status: StatusCode) -> Self {
        Response {
            status,
            content_type: None,
            headers: None,
            shown: OnceCell::new(),
            body: Body::empty(),
            standing: None,
            upgrade: None,
            close: false,
        }
    }

    /// 200 with `body` of the media type `content_type`.
    ///
    /// # Panics
    ///
    /// If `content_type` cannot be the value of a field.
    pub fn with_type(content_type: &'static str, body: impl Into<Body>) -> Self {
        Response::of(HeaderValue::from_static(content_type), body)
    }

    fn of(content_type: HeaderValue, body: impl Into<Body>) -> Self {
        let mut response = Response::new(StatusCode::OK);
        response.content_type = Some(content_type);
        response.body = body.into();
        response
    }

    /// 200 with plain text.
    pub fn text(text: impl Into<Body>) -> Self {
        const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
        Response::of(TEXT, text)
    }

    /// 200 with HTML.
    pub fn html(html: impl Into<Body>) -> Self {
        const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
        Response::of(HTML, html)
    }

    /// 200 with a value as JSON; 500 if the value cannot be JSON.
    #[cfg(feature = "json")]
    pub fn json(value: &impl serde::Serialize) -> Self {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        match serde_json::to_vec(value) {
            Ok(bytes) => Response::of(JSON, bytes),
            Err(_) => Response::problem(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// 101, and then `protocol` spoken by `speak` on the connection's thread, which ends when `speak` returns
    /// (RFC 9110 §7.8), and so does the connection. Only for GET in HTTP/1.1 that asks for this protocol, of this version if
    /// it has one, and whose body, if any, has been read to its end; others get 426, which says what to ask for. Once the server
    /// shuts down it is 503. The connection keeps its seat, and may be [silent](Upgraded::MAX_SILENCE) for five minutes.
    ///
    /// When the server shuts down, nothing more can be read of a connection over which nothing has moved for a second, as if
    /// its client had said all it wants: `speak` can say goodbye and return. If it does not, the connection is cut with all
    /// others when the time to finish is up.
    ///
    /// ```
    /// use selvedge::{HeaderValue, Request, Response, Router, Upgraded};
    ///
    /// let router = Router::new().get("/echo", |_: &mut Request| {
    ///     Response::upgrade(HeaderValue::from_static("echo"), |mut stream: Upgraded| {
    ///         let mut block = [0; 1024];
    ///         while let Ok(count @ 1..) = std::io::Read::read(&mut stream, &mut block) {
    ///             if std::io::Write::write_all(&mut stream, &block[..count]).is_err() {
    ///                 return;
    ///             }
    ///         }
    ///     })
    /// });
    /// # let _ = router;
    /// ```
    pub fn upgrade(protocol: HeaderValue, speak: impl FnOnce(Upgraded) + Send + 'static) -> Self {
        let mut response = Response::new(StatusCode::SWITCHING_PROTOCOLS);
        response.headers_mut().insert(UPGRADE, protocol);
        response.upgrade = Some(UpgradeHandler(Box::new(speak)));
        response
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with a field set, in the place of all of that name; a name or value that no field can have is left out and
    /// logged.
    #[must_use]
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => {
                self.headers_mut().insert(name, value);
            }
            _ => log::error!("a response's field was left out: its name or value is not valid in HTTP"),
        }
        self
    }

    /// The same with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The same, after which the connection closes.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields.
    pub fn headers(&self) -> &HeaderMap {
        let shown =
            || Box::new(self.content_type.iter().map(|value| (CONTENT_TYPE, value.clone())).collect());
        self.headers.as_ref().unwrap_or_else(|| self.shown.get_or_init(shown))
    }

    /// The fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.shown.take();
        let content_type = self.content_type.take().map(|value| (CONTENT_TYPE, value));
        self.headers.get_or_insert_with(|| Box::new(content_type.into_iter().collect()))
    }

    /// The media type or, once they have been changed, all fields, as they are kept: without building a map.
    pub(crate) fn fields(&self) -> (Option<&HeaderValue>, Option<&HeaderMap>) {
        (self.content_type.as_ref(), self.headers.as_deref())
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body, to be changed.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    pub(crate) fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }
}

/// What a handler may return: a [`Response`], text, a [`StatusCode`], a pair of a status and one of these, a `Result` of two of
/// them, or an [`http::Response`].
///
/// ```
/// use selvedge::{IntoResponse, StatusCode};
///
/// assert_eq!("hello".into_response().status(), StatusCode::OK);
/// assert_eq!((StatusCode::CREATED, "made").into_response().status(), StatusCode::CREATED);
/// assert_eq!(Err::<&str, _>(StatusCode::NOT_FOUND).into_response().status(), StatusCode::NOT_FOUND);
/// ```
pub trait IntoResponse {
    /// Makes the response.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for StatusCode {
    /// The status alone; errors with their fixed text.
    fn into_response(self) -> Response {
        if self.is_client_error() || self.is_server_error() {
            Response::problem(self)
        } else {
            Response::new(self)
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(response) => response.into_response(),
            Err(response) => response.into_response(),
        }
    }
}

impl<B: Into<Body>> IntoResponse for http::Response<B> {
    fn into_response(self) -> Response {
        let (parts, body) = self.into_parts();
        let mut response = Response::new(parts.status).with_body(body);
        *response.headers_mut() = parts.headers;
        response
    }
}

/// A connection that has left HTTP behind: reads first give what the client sent right after its request.
///
/// Its protocol has to see to what HTTP did before: how much is read into memory, how long a message may take, what may be asked
/// how often. The server only ends what is silent, and all of it with the function that speaks, other handles included.
pub struct Upgraded {
    transport: Box<dyn Transport>,
    unread: Vec<u8>,
    at: usize,
}

/// What an upgraded connection runs on.
pub trait Transport: Read + Write + Send {
    /// A second handle on the same connection, so that one thread can read while another writes.
    fn try_clone(&self) -> io::Result<Box<dyn Transport>>;

    /// Lets nothing move for `span` from now on, and from whatever moves, before the connection is ended.
    fn set_max_silence(&self, span: Duration);
}

impl Upgraded {
    /// How long nothing may move in either direction before the connection is ended, unless the protocol [says](
    /// Upgraded::set_max_silence) something else: five minutes.
    pub const MAX_SILENCE: Duration = Duration::from_secs(5 * 60);

    pub(crate) fn new(transport: Box<dyn Transport>, unread: Vec<u8>) -> Self {
        Upgraded { transport, unread, at: 0 }
    }

    /// A second handle on the same connection, so that one thread can read while another writes. What was sent right
    /// after the request stays with this one. `Unsupported` over TLS, where what one thread reads may have to be answered
    /// in the middle of what the other writes.
    pub fn try_clone(&self) -> io::Result<Upgraded> {
        Ok(Upgraded::new(self.transport.try_clone()?, Vec::new()))
    }

    /// Lets nothing move in either direction for `span`, instead of for [`MAX_SILENCE`](Upgraded::MAX_SILENCE), before the
    /// connection is ended. What is written into the buffers of a client that is gone moves too: a protocol that wants to know
    /// whether anybody is there has to ask.
    pub fn set_max_silence(&self, span: Duration) {
        self.transport.set_max_silence(span);
    }
}

impl Read for Upgraded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let unread = self.unread.get(self.at..).unwrap_or_default();
        if unread.is_empty() {
            return self.transport.read(buffer);
        }
        let count = (&*unread).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

impl Write for Upgraded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.transport.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.transport.flush()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("unread", &(self.unread.len() - self.at)).finish_non_exhaustive()
    }
}

pub(crate) struct UpgradeHandler(pub(crate) Box<dyn FnOnce(Upgraded) + Send>);

impl fmt::Debug for UpgradeHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradeHandler")
    }
}
