//! A representation, as much of it as is asked for: 200, 206, 304, 412 or 416.

use super::accept::Coding;
use super::preconditions::{Conditions, Verdict, evaluate, permits_ranges};
use super::ranges::{Selection, select};
use super::validators::Validators;
use crate::message::{Body, Part, Request, Response};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::fmt::Write;
use std::fs::File;
use std::ops::Range;

/// What of a request's head decides how it is answered, collected in one pass over the fields.
#[derive(Default)]
pub(super) struct Asked<'r> {
    pub(super) conditions: Conditions<'r>,
    pub(super) accept_encoding: Vec<&'r [u8]>,
    range: Vec<&'r [u8]>,
    is_get: bool,
}

impl<'r> Asked<'r> {
    pub(super) fn of(request: &'r Request) -> Self {
        let mut asked = Asked { is_get: *request.method() == Method::GET, ..Asked::default() };
        let conditions = &mut asked.conditions;
        for (name, value) in request.head.fields(request.input.message()) {
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
            match name.len() {
                5 if is("range") => asked.range.push(value),
                8 if is("if-match") => conditions.if_match.push(value),
                8 if is("if-range") => conditions.if_range.push(value),
                13 if is("if-none-match") => conditions.if_none_match.push(value),
                15 if is("accept-encoding") => asked.accept_encoding.push(value),
                17 if is("if-modified-since") => conditions.if_modified_since.push(value),
                19 if is("if-unmodified-since") => conditions.if_unmodified_since.push(value),
                _ => {}
            }
        }
        asked
    }
}

/// One representation of what was asked for.
pub(super) struct Representation {
    pub(super) content: Content,
    /// For Content-Type.
    pub(super) kind: HeaderValue,
    pub(super) coding: Option<Coding>,
    pub(super) validators: Validators,
    /// What other requests for the same target could get another representation by.
    pub(super) vary: Option<&'static str>,
    pub(super) cache_control: Option<HeaderValue>,
}

pub(super) enum Content {
    /// A file of this length, of which ranges can be sent.
    File(File, u64),
    /// Anything else.
    Body(Body),
}

impl Representation {
    /// The answer to GET or HEAD, preconditions and ranges considered.
    pub(super) fn answer(self, asked: &Asked<'_>) -> Response {
        match evaluate(&asked.conditions, &self.validators) {
            Verdict::Failed => return self.problem(StatusCode::PRECONDITION_FAILED),
            Verdict::NotModified => return self.not_modified(),
            Verdict::Proceed => {}
        }
        let Content::File(_, len) = self.content else { return self.whole(StatusCode::OK) };
        // Only GET has ranges (RFC 9110 §14.2); a field that comes twice is none.
        let [range] = asked.range[..] else { return self.whole(StatusCode::OK) };
        if !asked.is_get || !permits_ranges(&asked.conditions, &self.validators) {
            return self.whole(StatusCode::OK);
        }
        match select(range, len) {
            Selection::Whole => self.whole(StatusCode::OK),
            Selection::Ranges(ranges) => self.partial(len, &ranges),
            Selection::Unsatisfiable => {
                let mut response = self.problem(StatusCode::RANGE_NOT_SATISFIABLE);
                put(response.headers_mut(), CONTENT_RANGE, &format!("bytes */{len}"));
                response
            }
        }
    }

    /// None of it, for which another one may have been the better choice.
    fn problem(&self, status: StatusCode) -> Response {
        let mut response = Response::problem(status);
        if let Some(vary) = self.vary {
            response.headers_mut().insert(VARY, HeaderValue::from_static(vary));
        }
        response
    }

    /// All of it.
    pub(super) fn whole(self, status: StatusCode) -> Response {
        let mut response = Response::new(status);
        let headers = response.headers_mut();
        self.describe(headers);
        headers.insert(CONTENT_TYPE, self.kind);
        *response.body_mut() = match self.content {
            Content::File(file, len) => Body::file_range(file, 0, len),
            Content::Body(body) => body,
        };
        response
    }

    fn partial(self, len: u64, ranges: &[Range<u64>]) -> Response {
        let boundary = if ranges.len() > 1 { boundary() } else { Some(String::new()) };
        // Without random numbers a part could hold what ends it.
        let Some(boundary) = boundary else { return self.whole(StatusCode::OK) };
        let mut response = Response::new(StatusCode::PARTIAL_CONTENT);
        let headers = response.headers_mut();
        self.describe(headers);
        let Content::File(file, _) = self.content else { return response };
        if let [range] = ranges {
            headers.insert(CONTENT_TYPE, self.kind);
            put(headers, CONTENT_RANGE, &content_range(range, len));
            return response.with_body(Body::file_range(file, range.start, range.end - range.start));
        }
        put(headers, CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
        response.with_body(Body::parts(file, parts(&boundary, &self.kind, ranges, len)))
    }

    /// Without what the client has already (RFC 9110 §15.4.5).
    fn not_modified(self) -> Response {
        let mut response = Response::new(StatusCode::NOT_MODIFIED);
        let headers = response.headers_mut();
        self.describe(headers);
        for name in [ACCEPT_RANGES, CONTENT_ENCODING, LAST_MODIFIED] {
            headers.remove(name);
        }
        response
    }

    /// The fields that do not depend on how much of it is sent.
    fn describe(&self, headers: &mut HeaderMap) {
        if let Some(tag) = &self.validators.tag {
            put(headers, ETAG, tag.as_str());
        }
        if let Some(date) = self.validators.modified.and_then(super::validators::Modified::to_value) {
            headers.insert(LAST_MODIFIED, date);
        }
        if let Some(coding) = self.coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        if matches!(self.content, Content::File(..)) {
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if let Some(vary) = self.vary {
            headers.insert(VARY, HeaderValue::from_static(vary));
        }
        if let Some(value) = &self.cache_control {
            headers.insert(CACHE_CONTROL, value.clone());
        }
    }
}

/// The body of `multipart/byteranges` (RFC 9110 §14.6).
fn parts(boundary: &str, kind: &HeaderValue, ranges: &[Range<u64>], len: u64) -> Vec<Part> {
    let kind = kind.to_str().unwrap_or("application/octet-stream");
    let mut parts = Vec::with_capacity(2 * ranges.len() + 1);
    for (at, range) in ranges.iter().enumerate() {
        let line_end = if at == 0 { "" } else { "\r\n" };
        let range_line = content_range(range, len);
        let head =
            format!("{line_end}--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {range_line}\r\n\r\n");
        parts.push(Part::Bytes(head.into()));
        parts.push(Part::File { offset: range.start, len: range.end - range.start });
    }
    parts.push(Part::Bytes(format!("\r\n--{boundary}--\r\n").into()));
    parts
}

fn content_range(range: &Range<u64>, len: u64) -> String {
    // Never empty: its last byte is the one before its end.
    format!("bytes {}-{}/{len}", range.start, range.end.saturating_sub(1))
}

/// Nobody can have written into a file what is drawn now.
fn boundary() -> Option<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    let mut text = String::with_capacity(2 * random.len());
    for byte in random {
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

/// What we write into fields is ASCII.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
