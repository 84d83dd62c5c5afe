//! The bodies of errors: fixed text for each status, with the request's id to find it in the log by.

use super::accept::names_html;
use super::{Body, Request, RequestId, Response};
use crate::http1::{members, reason_phrase};
use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

impl Response {
    /// The answer to a request that failed with `status`: a fixed text, as HTML for those who ask for it and as
    /// `application/problem+json` (RFC 9457) for everybody else. Nothing of what went wrong gets into it but the status.
    ///
    /// ```
    /// use selvedge::{Response, StatusCode};
    ///
    /// let response = Response::problem(StatusCode::NOT_FOUND);
    /// assert_eq!(response.status(), StatusCode::NOT_FOUND);
    /// ```
    pub fn problem(status: StatusCode) -> Self {
        let mut response = Response::new(status);
        *response.body_mut() = Body::problem();
        response
    }

    /// Writes the text of a problem, once it is known who asked.
    pub(crate) fn spell_out_problem(&mut self, request: &Request) {
        let title = reason_phrase(self.status()).unwrap_or("Error");
        let (kind, text) = if names_html(request.header_values(ACCEPT.as_str())) {
            ("text/html; charset=utf-8", html(self.status(), title, request.id()))
        } else {
            ("application/problem+json", json(self.status(), title, request.id()))
        };
        self.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        depend_on_accept(self.headers_mut());
        *self.body_mut() = text.into();
    }
}

/// Adds Accept to what the answer depends on, unless that is all or Accept already (RFC 9110 §12.5.5).
fn depend_on_accept(fields: &mut HeaderMap) {
    const OURS: HeaderValue = HeaderValue::from_static("Accept");
    let said = fields.get_all(VARY).iter().flat_map(|line| members(line.as_bytes()));
    let said: Vec<&[u8]> = said.filter(|name| !name.is_empty()).collect();
    if said.iter().any(|name| *name == b"*" || name.eq_ignore_ascii_case(OURS.as_bytes())) {
        return;
    }
    let list = [&said[..], &[OURS.as_bytes()]].concat().join(&b", "[..]);
    // What was made of values is one.
    fields.insert(VARY, HeaderValue::from_bytes(&list).unwrap_or(OURS));
}

fn html(status: StatusCode, title: &str, id: RequestId) -> String {
    let code = status.as_u16();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{code} {title}</title>\n\
         <h1>{code} {title}</h1>\n<p>Request <code>{id}</code></p>\n</html>\n"
    )
}

fn json(status: StatusCode, title: &str, id: RequestId) -> String {
    let code = status.as_u16();
    format!("{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{code},\"request_id\":\"{id}\"}}\n")
}
