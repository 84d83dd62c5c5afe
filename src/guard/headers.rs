//! Security headers on every response.
//!
//! The article sends five. We send the same with these differences: `X-XSS-Protection` is `0`, because the filter it
//! switched on was itself a hole (OWASP); `Strict-Transport-Security` only over TLS, where RFC 6797 §7.2 allows it; and
//! `Content-Security-Policy` closes what `default-src` leaves open.

use super::{Exchange, Guard};
use crate::http1::StandingFields;
use crate::message::Response;
use crate::sync::Arc;
use http::{HeaderName, HeaderValue, header};

/// Puts a fixed set of fields on every response. A response that has a field of that name keeps its own; of `Vary`, which is a
/// list of what responses depend on, both are sent.
///
/// The default set: `X-Content-Type-Options: nosniff`, `X-Frame-Options: DENY`, `X-XSS-Protection: 0`,
/// `Content-Security-Policy: default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none';
/// form-action 'self'`, and a `Server` field that says nothing; and to clients that came over TLS
/// `Strict-Transport-Security: max-age=31536000`.
///
/// ```
/// use selvedge::{HeaderName, HeaderValue, SecurityHeaders, Server};
///
/// let fields = SecurityHeaders::new()
///     .with(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"))
///     .without(&HeaderName::from_static("server"));
/// let builder = Server::builder().security_headers(fields);
/// # let _ = builder;
/// ```
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    fields: Vec<(HeaderName, HeaderValue)>,
    /// The fields as they are sent, made when they last changed: to clients over TLS, and to others.
    secure: Arc<StandingFields>,
    plain: Arc<StandingFields>,
}

impl SecurityHeaders {
    /// The default set.
    pub fn new() -> Self {
        let fields = [
            (header::SERVER, "server"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::X_XSS_PROTECTION, "0"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'",
            ),
            // A year, and not for hosts below this one, which may be others'.
            (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        ];
        SecurityHeaders::of(fields.map(|(name, value)| (name, HeaderValue::from_static(value))).into())
    }

    /// No fields at all.
    pub fn none() -> Self {
        SecurityHeaders::of(Vec::new())
    }

    /// The same set with `name` added, or changed if it was there.
    #[must_use]
    pub fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        let mut fields = self.without(&name).fields;
        fields.push((name, value));
        SecurityHeaders::of(fields)
    }

    /// The same set without `name`.
    #[must_use]
    pub fn without(mut self, name: &HeaderName) -> Self {
        self.fields.retain(|(present, _)| present != name);
        SecurityHeaders::of(self.fields)
    }

    fn of(fields: Vec<(HeaderName, HeaderValue)>) -> Self {
        let plain = fields.iter().filter(|(name, _)| name != header::STRICT_TRANSPORT_SECURITY).cloned();
        SecurityHeaders {
            plain: Arc::new(StandingFields::new(plain)),
            secure: Arc::new(StandingFields::new(fields.clone())),
            fields,
        }
    }
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        SecurityHeaders::new()
    }
}

impl Guard for SecurityHeaders {
    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        let block = if exchange.request().is_secure() { &self.secure } else { &self.plain };
        response.standing = Some(block.clone());
    }
}
