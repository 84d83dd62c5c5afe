//! A directory, served: files with preconditions, ranges and codings, and listings.
//!
//! | what | where |
//! |---|---|
//! | the path of a request, decoded and judged | [`Below`] |
//! | opening what is below the root, and nothing else | [`root`] |
//! | validators and preconditions (RFC 9110 §8.8, §13) | [`validators`], [`preconditions`] |
//! | ranges (RFC 9110 §14) | [`ranges`] |
//! | content codings and their weights (RFC 9110 §12.5.3) | [`accept`] |
//!
//! These are functions over bytes and values, of use without the rest.

pub mod accept;
mod bounds;
mod gzip;
mod kind;
mod listing;
mod page;
mod path;
pub mod preconditions;
pub mod ranges;
mod represent;
pub mod root;
pub mod validators;
mod variants;

#[cfg(feature = "cli")]
pub(crate) use bounds::Bounds;
pub use path::Below;

use super::location::push_encoded;
use super::{Handler, Plan};
use crate::clock::Clock;
use crate::error::Error;
use crate::message::{Body, Request, Response};
use crate::threads::Budget;
use accept::names_html;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER, VARY};
use http::{HeaderValue, Method, StatusCode};
use kind::Kind;
use listing::{Listing, Order};
use represent::{Asked, Representation};
use root::{Miss, Opened, Root};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use variants::Barred;

/// What answers for whatever is not there in a single-page application.
const SPA: &[u8] = b"index.html";

/// What an answer varies by that may be another for who accepts HTML, and be in another coding.
const BOTH: &str = "Accept, Accept-Encoding";

/// Serves the files below a directory, to GET and HEAD.
///
/// ```
/// use selvedge::{Files, HeaderValue, Server};
///
/// let files = Files::open("src")?.with_listing(true).with_cache_control(HeaderValue::from_static("max-age=60"));
/// let server = Server::builder().bind("127.0.0.1:0")?.serve(files)?;
/// # let _ = server;
/// # Ok::<(), selvedge::Error>(())
/// ```
///
/// **What is served.** Regular files, whatever bytes are in their names, control characters excepted. Names that begin with a dot are not there for
/// clients, `.well-known` (RFC 8615) excepted. Symbolic links are refused unless [followed](Files::with_follow_links), and
/// then lead nowhere but below the directory; on Linux the kernel sees to both while it resolves the path, so that nothing
/// can be exchanged in between. What is not there, refused or not readable is 404, all alike.
///
/// **How.** A path that ends with `/` is a directory's and gets its [index](Files::with_index), or its listing, if there is
/// to be one; a directory's path without it is redirected (301). Preconditions are evaluated and ranges are sent as RFC 9110
/// has them. Where a file of text has a sibling `.br`, `.zst` or `.gz` that is no older, a client that accepts that coding
/// gets the sibling's bytes; what is no text is the same for all. The kernel sends files from its own memory: to change
/// one, rename another over it ([`Body::file`]).
///
/// **How many at once.** A request in flight, of which there are `max_in_flight`, is one that opens files or reads a
/// directory, which may wait for a disk. Sending does not count: a slow reader holds its connection and nothing else.
#[derive(Debug)]
pub struct Files {
    root: Root,
    index: Vec<Vec<u8>>,
    listing: bool,
    spa: bool,
    not_found: Option<Vec<u8>>,
    gzip: bool,
    bounds: bounds::Bounds,
    cache_control: Option<HeaderValue>,
    clock: Clock,
    /// How far the date is ahead of the clock's: nothing, but in tests.
    ahead: Duration,
}

/// Where a request leads.
enum Found {
    /// To a file, which was found at this path below the root.
    File(Vec<u8>, File, Metadata),
    /// To a directory that is to be listed.
    Directory(File),
    /// To a directory whose path it did not end with `/`.
    Elsewhere,
}

impl Files {
    /// Opens the directory, which from then on is the one served, even if another takes its name.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let directory = directory.as_ref();
        let root = Root::open(directory)
            .map_err(|source| Error::Directory { path: directory.to_owned(), source })?;
        Ok(Files {
            root,
            index: vec![b"index.html".to_vec()],
            listing: false,
            spa: false,
            not_found: None,
            gzip: false,
            bounds: bounds::Bounds::default(),
            cache_control: None,
            clock: Clock::system(),
            ahead: Duration::ZERO,
        })
    }

    /// Whether a directory without an index is answered with a page of what is in it; otherwise it is 404. Off by default.
    ///
    /// The page sorts by `?sort=name|size|time&order=asc|desc`, lists 5,000 entries at most, and says if there are more.
    /// Pages of more than 100 entries that are being made have 128 MiB of memory, all together, and large ones that are on
    /// their way 64 MiB, of which one client has a quarter at most; past it 503.
    ///
    /// The page's stylesheet and icon have the paths `/.selvedge/listing.css` and `/.selvedge/icon.svg`, which no file can
    /// have.
    #[must_use]
    pub fn with_listing(mut self, listing: bool) -> Self {
        self.listing = listing;
        self
    }

    /// Whether symbolic links are followed to what is below the directory; absolute ones, and those that lead out of it, are
    /// refused all the same. Off by default, and always where there is no `openat2` (Linux before 5.6, other systems).
    #[must_use]
    pub fn with_follow_links(mut self, follow: bool) -> Self {
        self.root = self.root.with_follow_links(follow);
        self
    }

    /// Whether `/index.html` answers, with 200, requests for what is not there that accept `text/html` by name, as
    /// single-page applications with paths of their own want it. Off by default.
    #[must_use]
    pub fn with_spa(mut self, spa: bool) -> Self {
        self.spa = spa;
        self
    }

    /// A file below the directory that is sent with 404. Where it is not there, the server's own text is.
    #[must_use]
    pub fn with_not_found(mut self, file: impl AsRef<Path>) -> Self {
        let path = file.as_ref().as_os_str().as_bytes();
        self.not_found = Some(path.strip_prefix(b"/").unwrap_or(path).to_vec());
        self
    }

    /// Whether text of a kilobyte or more that has no compressed sibling is compressed while it is sent, for clients that
    /// accept gzip. Such answers have no ranges. At most 32 answers are compressed at once, and 8 of one client, others go
    /// out as they are, or are 503 to those who exclude that. Off by default.
    #[must_use]
    pub fn with_gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// The Cache-Control field (RFC 9111 §5.2) of answers with 200, 206 and 304. None by default.
    #[must_use]
    pub fn with_cache_control(mut self, value: HeaderValue) -> Self {
        self.cache_control = Some(value);
        self
    }

    /// The files that answer for their directory; the first that is there does. `index.html` by default.
    #[must_use]
    pub fn with_index<N: AsRef<OsStr>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.index = names.into_iter().map(|name| name.as_ref().as_bytes().to_vec()).collect();
        self
    }

    /// Never uses `openat2`.
    #[doc(hidden)]
    #[must_use]
    pub fn walking(mut self) -> Self {
        self.root = self.root.walking();
        self
    }

    /// Takes it to be so much later, when files have been left alone for longer.
    #[doc(hidden)]
    #[must_use]
    pub fn ahead(mut self, span: Duration) -> Self {
        self.ahead = span;
        self
    }

    /// Has so many bytes for listings that are being made.
    #[doc(hidden)]
    #[must_use]
    pub fn making(mut self, bytes: usize) -> Self {
        self.bounds.making = Budget::new(bytes);
        self
    }

    /// Keeps within these bounds, together with whoever has them too, such as the one that it takes the place of.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(crate) fn within(mut self, bounds: &Bounds) -> Self {
        self.bounds = bounds.clone();
        self
    }

    fn answer(&self, request: &Request) -> Response {
        let asked = Asked::of(request);
        if self.listing
            && let Some(asset) = page::asset(request.path())
        {
            return asset.answer(&asked);
        }
        let Some(below) = Below::decode(request.path().as_bytes()) else { return self.not_found() };
        match self.find(&below) {
            Ok(Found::File(path, file, metadata)) => {
                match self.choose(&asked, request.client(), &path, file, &metadata) {
                    Ok(representation) => representation.answer(&asked),
                    Err(barred) => without(barred, request),
                }
            }
            Ok(Found::Directory(directory)) => self.list(request, &asked, &below, directory),
            Ok(Found::Elsewhere) => moved(&below, request.query()),
            Err(Miss::Absent | Miss::Refused) => self.missing(request, &asked),
            Err(Miss::Busy) => {
                log::warn!("request {}: no descriptor or memory to open its file with", request.id());
                busy()
            }
            Err(Miss::Failed) => {
                log::error!("request {}: its file could not be opened", request.id());
                Response::problem(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    fn find(&self, below: &Below) -> Result<Found, Miss> {
        if !below.is_directory() {
            let path = below.as_bytes();
            return match self.root.open_below(path) {
                Ok(Opened::File(file, metadata)) => Ok(Found::File(path.to_vec(), file, metadata)),
                Ok(Opened::Directory(_)) => Ok(Found::Elsewhere),
                // One that may not be read may have an index all the same.
                Err(Miss::Refused) if self.root.has_directory(path) => Ok(Found::Elsewhere),
                Err(miss) => Err(miss),
            };
        }
        for name in &self.index {
            let path = below.join(name);
            match self.root.open_below(&path) {
                Ok(Opened::File(file, metadata)) => return Ok(Found::File(path, file, metadata)),
                Ok(Opened::Directory(_)) | Err(Miss::Absent) => {}
                Err(miss) => return Err(miss),
            }
        }
        match self.listing.then(|| self.root.open_below(below.as_bytes())) {
            Some(Ok(Opened::Directory(directory))) => Ok(Found::Directory(directory)),
            Some(Err(miss)) => Err(miss),
            Some(Ok(Opened::File(..))) | None => Err(Miss::Absent),
        }
    }

    fn list(&self, request: &Request, asked: &Asked<'_>, below: &Below, directory: File) -> Response {
        let order = Order::of(request);
        // Held until the page is made and has drawn what it takes. Sending may take longer.
        let mut share = self.bounds.making.share();
        match Listing::read(&self.root, below, directory, &mut share) {
            Ok(None) => busy(),
            Ok(Some(mut listing)) => {
                listing.sort(order);
                let page = self.page(asked, request.client(), page::render(below, &listing, order));
                page.map_or_else(busy, |representation| representation.answer(asked))
            }
            Err(problem) => {
                log::warn!("request {}: its directory could not be read: {problem}", request.id());
                Response::problem(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// Nothing is there, or nothing that clients may have: they cannot tell which.
    fn missing(&self, request: &Request, asked: &Asked<'_>) -> Response {
        if self.spa
            && names_html(request.header_values("accept"))
            && let Ok(Opened::File(file, metadata)) = self.root.open_below(SPA)
        {
            return match self.choose(asked, request.client(), SPA, file, &metadata) {
                Ok(chosen) => Representation { vary: Some(BOTH), ..chosen }.answer(asked),
                Err(barred) => without(barred, request),
            };
        }
        self.not_found()
    }

    fn not_found(&self) -> Response {
        if let Some(path) = &self.not_found
            && let Ok(Opened::File(file, metadata)) = self.root.open_below(path)
        {
            let mut response = Response::new(StatusCode::NOT_FOUND);
            response.headers_mut().insert(CONTENT_TYPE, Kind::of(path).value);
            if self.spa {
                response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
            }
            return response.with_body(Body::file_range(file, 0, metadata.len()));
        }
        Response::problem(StatusCode::NOT_FOUND)
    }
}

impl Handler for Files {
    fn handle(&self, request: &mut Request) -> Response {
        if is_served(request.method()) {
            return self.answer(request);
        }
        Response::problem(StatusCode::METHOD_NOT_ALLOWED)
            .with_header(ALLOW, HeaderValue::from_static("GET, HEAD"))
    }

    fn plan(&self, request: &Request) -> Plan {
        // Nobody wants the body, so nobody waits for it, and who asks whether to send it is told not to. The answer to other
        // methods is known.
        Plan { instant: !is_served(request.method()), streams: true, ..Plan::default() }
    }
}

fn busy() -> Response {
    Response::problem(StatusCode::SERVICE_UNAVAILABLE).with_header(RETRY_AFTER, HeaderValue::from_static("1"))
}

/// The answer where there is no representation for this client.
fn without(barred: Barred, request: &Request) -> Response {
    let mut response = match barred {
        Barred::NotAccepted => Response::problem(StatusCode::NOT_ACCEPTABLE),
        Barred::Busy => busy(),
    };
    // Its text depends on Accept, and that it is sent at all on Accept-Encoding.
    response.spell_out_problem(request);
    response.with_header(VARY, HeaderValue::from_static(BOTH))
}

fn is_served(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// To the same path with a `/` behind it. Made from the decoded names, so that there is one `/` at its beginning and a
/// browser cannot read a host into it.
fn moved(below: &Below, query: Option<&str>) -> Response {
    let mut location = below.to_directory_url();
    if let Some(query) = query {
        location.push('?');
        push_encoded(&mut location, query);
    }
    Response::new(StatusCode::MOVED_PERMANENTLY).with_header(LOCATION, location)
}
