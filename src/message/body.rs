//! The body of a response.

use bytes::Bytes;
use std::fs::File;
use std::io::{self, Read};

/// The body of a response: what is sent, and how its length is known.
///
/// ```
/// use selvedge::Body;
///
/// let text = Body::from("hello");
/// let stream = Body::reader(std::io::repeat(b'x'));
/// assert_eq!(text.len(), Some(5));
/// assert_eq!(stream.len(), None);
/// ```
#[derive(Debug, Default)]
pub struct Body(Content);

/// What kinds of body there are, for the one place that sends them.
#[derive(Default)]
pub(crate) enum Content {
    #[default]
    Empty,
    /// The fixed text for the response's status, made when it is sent.
    Problem,
    Bytes(Bytes),
    File {
        file: File,
        offset: u64,
        len: u64,
    },
    Parts {
        file: File,
        parts: Vec<Part>,
        len: u64,
    },
    Reader {
        reader: Box<dyn Read + Send>,
        len: Option<u64>,
    },
}

/// A part of a body that is made of bytes and of ranges of one file: see [`Body::parts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These bytes.
    Bytes(Bytes),
    /// `len` bytes of the file, from `offset` on.
    File {
        /// Where in the file they begin.
        offset: u64,
        /// How many they are.
        len: u64,
    },
}

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Body(Content::Empty)
    }

    /// The whole of a file, from its beginning; on Linux it never passes through this process's memory.
    ///
    /// A file that is cut short while it is being sent ends the connection: the client sees that the body is incomplete.
    /// What is on its way is the file's own memory, so whoever writes into the file changes what arrives: files are to be
    /// replaced, by renaming another one, not overwritten.
    pub fn file(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Body::file_range(file, 0, len))
    }

    /// `len` bytes of a file, from `offset` on.
    pub fn file_range(file: File, offset: u64, len: u64) -> Self {
        Body(Content::File { file, offset, len })
    }

    /// Bytes and ranges of `file` in turn, as of `multipart/byteranges` (RFC 9110 §14.6). The ranges are sent as those of
    /// [`file_range`](Body::file_range) are.
    ///
    /// ```
    /// use selvedge::{Body, Part};
    ///
    /// let file = std::fs::File::open("Cargo.toml")?;
    /// let parts = vec![Part::Bytes("the first line: ".into()), Part::File { offset: 0, len: 9 }];
    /// assert_eq!(Body::parts(file, parts).len(), Some(25));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn parts(file: File, parts: Vec<Part>) -> Self {
        let len = parts.iter().fold(0, |len: u64, part| len.saturating_add(part.len()));
        Body(Content::Parts { file, parts, len })
    }

    /// Whatever `reader` gives until it ends, sent as it comes: chunked (RFC 9112 §7.1), or until the connection closes
    /// for a client of HTTP/1.0. It is read by the connection's thread after the handler has returned, and without a place
    /// among the requests in flight. Nobody can end a `read` that takes longer than
    /// [`handler_timeout`](crate::Config::handler_timeout), but it counts as a stuck handler until it returns, so who waits
    /// for events gives something now and then. An error before the first byte is answered with 500; a later one ends the
    /// connection without the last chunk, so that the client knows.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Body(Content::Reader { reader: Box::new(reader), len: None })
    }

    /// The first `len` bytes of `reader`, sent with a Content-Length. A reader that ends early has failed, as one of
    /// [unknown length](Body::reader) does by an error.
    pub fn sized_reader(reader: impl Read + Send + 'static, len: u64) -> Self {
        Body(Content::Reader { reader: Box::new(reader), len: Some(len) })
    }

    /// Length in bytes, where it is known beforehand.
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Content::Empty => Some(0),
            Content::Problem => None,
            Content::Bytes(bytes) => Some(bytes.len() as u64),
            Content::File { len, .. } | Content::Parts { len, .. } => Some(*len),
            Content::Reader { len, .. } => *len,
        }
    }

    /// Whether it is known to be empty.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The bytes, if they are in memory.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Content::Empty => Some(&[]),
            Content::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn problem() -> Self {
        Body(Content::Problem)
    }

    pub(crate) fn is_problem(&self) -> bool {
        matches!(self.0, Content::Problem)
    }

    pub(crate) fn into_content(self) -> Content {
        self.0
    }
}

impl Part {
    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::File { len, .. } => *len,
        }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Empty => f.write_str("Empty"),
            Content::Problem => f.write_str("Problem"),
            Content::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Content::File { offset, len, .. } => write!(f, "File({offset}+{len})"),
            Content::Parts { parts, len, .. } => write!(f, "Parts({} of {len})", parts.len()),
            Content::Reader { len, .. } => write!(f, "Reader({len:?})"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body(if bytes.is_empty() { Content::Empty } else { Content::Bytes(bytes) })
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}
