//! Which of its representations a client gets (RFC 9110 §12.1): the file, a compressed one beside it, or one made now.

use super::Files;
use super::accept::{Coding, Codings};
use super::bounds::{Divided, Portion};
use super::gzip::{self, Gzip};
use super::kind::Kind;
use super::represent::{Asked, Content, Representation};
use super::root::Opened;
use super::validators::Validators;
use crate::message::{Body, ClientKey};
use http::HeaderValue;
use std::fs::{File, Metadata};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::MetadataExt;

/// Bytes of pages that are being sent, all together: clients that do not read them cost no more than this.
pub(super) const MAX_PAGES: usize = 64 << 20;
/// Bytes of a page that does not count.
const SMALL_PAGE: usize = 32 << 10;

/// A page that is being sent.
struct Page {
    html: Cursor<String>,
    /// Held for as long as the page is, unless that is small.
    _portion: Option<Portion>,
}

impl Read for Page {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.html.read(buffer)
    }
}

/// Why none of its representations is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barred {
    /// The client accepts none of them.
    NotAccepted,
    /// The only one it accepts cannot be made now: too many are being compressed.
    Busy,
}

impl Files {
    /// Chooses among the representations of the file at `path`.
    pub(super) fn choose(
        &self,
        asked: &Asked<'_>,
        client: ClientKey,
        path: &[u8],
        file: File,
        metadata: &Metadata,
    ) -> Result<Representation, Barred> {
        let kind = Kind::of(path);
        let (negotiated, now) = (kind.is_compressible(), self.clock.date() + self.ahead);
        let of = |content, coding: Option<Coding>, validators| Representation {
            content,
            kind: kind.value.clone(),
            coding,
            validators,
            vary: negotiated.then_some("Accept-Encoding"),
            cache_control: self.cache_control.clone(),
        };
        // What is not worth compressing is not negotiated: whatever a client accepts, it gets the file (RFC 9110 §12.4.1), and
        // one cached answer will do for all. A sibling of it is a download of its own.
        if !negotiated {
            let validators = Validators::of_file(metadata, now, "");
            return Ok(of(Content::File(file, metadata.len()), kind.coding, validators));
        }
        let codings = Codings::read(asked.accept_encoding.iter().copied());
        for coding in codings.ranked() {
            if let Some((sibling, its)) = self.sibling(path, coding, metadata) {
                let validators = Validators::of_file(&its, now, coding.name());
                return Ok(of(Content::File(sibling, its.len()), Some(coding), validators));
            }
        }
        let places = self.places_to_compress(codings, metadata.len());
        if let Some(place) = places.and_then(|places| places.draw(client, 1)) {
            let body = Body::reader(Gzip::new(file, metadata.len(), place));
            let validators = Validators::of_file(metadata, now, Coding::Gzip.name()).weakened();
            return Ok(of(Content::Body(body), Some(Coding::Gzip), validators));
        }
        if !codings.identity() {
            return Err(if places.is_some() { Barred::Busy } else { Barred::NotAccepted });
        }
        let validators = Validators::of_file(metadata, now, "");
        Ok(of(Content::File(file, metadata.len()), None, validators))
    }

    /// A page made for this answer; `None` if all such pages, or those of this client, have become too large together.
    pub(super) fn page(
        &self,
        asked: &Asked<'_>,
        client: ClientKey,
        mut html: String,
    ) -> Option<Representation> {
        // It may be read for minutes, and has grown by doubling.
        html.shrink_to_fit();
        let is_small = html.len() <= SMALL_PAGE;
        let portion = if is_small { None } else { Some(self.bounds.pages.draw(client, html.capacity())?) };
        let codings = Codings::read(asked.accept_encoding.iter().copied());
        let (len, validators) = (html.len() as u64, Validators::of_bytes(html.as_bytes()));
        let page = Page { html: Cursor::new(html), _portion: portion };
        let place = self.places_to_compress(codings, len).and_then(|places| places.draw(client, 1));
        let (coding, body) = match place {
            Some(place) => (Some(Coding::Gzip), Body::reader(Gzip::new(page, len, place))),
            None => (None, Body::sized_reader(page, len)),
        };
        Some(Representation {
            content: Content::Body(body),
            kind: HeaderValue::from_static("text/html; charset=utf-8"),
            coding,
            validators,
            vary: self.gzip.then_some("Accept-Encoding"),
            cache_control: self.cache_control.clone(),
        })
    }

    /// The file beside `path` that holds its content under `coding`, if that is no older.
    fn sibling(&self, path: &[u8], coding: Coding, original: &Metadata) -> Option<(File, Metadata)> {
        let path = [path, coding.suffix()].concat();
        let Ok(Opened::File(file, metadata)) = self.root.open_below(&path) else { return None };
        // Some tools copy the time of the original without its fraction of a second.
        let fraction = if metadata.mtime_nsec() == 0 { 0 } else { original.mtime_nsec() };
        let is_current = (metadata.mtime(), metadata.mtime_nsec()) >= (original.mtime(), fraction);
        (is_current && metadata.len() > 0).then_some((file, metadata))
    }

    /// Where compression is done, if that is on, wanted and worth it.
    fn places_to_compress(&self, codings: Codings, len: u64) -> Option<&Divided> {
        let is_wanted = codings.ranked().any(|coding| coding == Coding::Gzip);
        let is_worth_it = len >= gzip::MIN_LENGTH || !codings.identity();
        (self.gzip && is_wanted && is_worth_it).then_some(&self.bounds.places)
    }
}
