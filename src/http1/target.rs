//! The request target (RFC 9112 §3.2) and the authority in it or in Host (RFC 9110 §7.2).

use super::Span;
use super::octets::{REG_NAME, run};
use crate::error::Refusal;
use http::Method;
use http::uri::Scheme;
use std::net::Ipv6Addr;

/// The parts of a request target.
pub(super) struct Target {
    pub(super) scheme: Option<Scheme>,
    pub(super) path: Span,
    pub(super) query: Option<Span>,
    pub(super) authority: Option<Span>,
}

/// Takes the target in `start..end` of the buffer apart. Its octets have been checked, its form has not.
pub(super) fn parse(method: &Method, buffer: &[u8], start: usize, end: usize) -> Result<Target, Refusal> {
    if method == Method::CONNECT {
        return Err(Refusal::NOT_A_PROXY);
    }
    let target = buffer.get(start..end).unwrap_or_default();
    if target == b"*" && method == Method::OPTIONS {
        return Ok(Target { scheme: None, path: Span::new(start, end), query: None, authority: None });
    }
    if target.starts_with(b"/") {
        let (path, query) = split_query(target, start)?;
        return Ok(Target { scheme: None, path, query, authority: None });
    }

    let mut schemes = [("http://", Scheme::HTTP), ("https://", Scheme::HTTPS)].into_iter();
    let scheme = schemes.find(|(prefix, _)| starts_with_ignore_case(target, prefix));
    let (prefix, scheme) = scheme.ok_or(Refusal::TARGET)?;
    let skip = prefix.len();
    let after_scheme = &target[skip..];
    let length =
        after_scheme.iter().position(|octet| matches!(octet, b'/' | b'?')).unwrap_or(after_scheme.len());
    let (authority, rest) = after_scheme.split_at(length);
    if !is_authority(authority) {
        return Err(Refusal::TARGET);
    }
    let from = start + skip;
    let (mut path, query) = split_query(rest, from + length)?;
    if path.is_empty() {
        // An empty path is `/` (RFC 9110 §4.2.3); the last octet of the scheme's `//` is one to point to.
        path = Span::new(from - 1, from);
    }
    Ok(Target { scheme: Some(scheme), path, query, authority: Some(Span::new(from, from + length)) })
}

/// Whether this is `uri-host [ ":" port ]` (RFC 9110 §7.2) with a host that is not empty. Commas, which RFC 3986 would
/// allow, are how two Host lines look after a gateway has joined them.
pub(super) fn is_authority(octets: &[u8]) -> bool {
    if let Some(literal) = octets.strip_prefix(b"[") {
        let Some(end) = literal.iter().position(|&octet| octet == b']') else { return false };
        let address = str::from_utf8(&literal[..end]).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
        return address.is_some() && is_port(&literal[end + 1..]);
    }
    let (host, port) = octets.split_at(registered_name(octets));
    !host.is_empty() && is_port(port)
}

/// The path and the query. A backtick, which a query may have, is encoded in a path by whoever follows a rule at all; and
/// as there is no place for it in a path of `http::Uri`, what is made of one would be another than the path itself.
fn split_query(octets: &[u8], start: usize) -> Result<(Span, Option<Span>), Refusal> {
    let mark = octets.iter().position(|&octet| octet == b'?');
    let (path, end) = (&octets[..mark.unwrap_or(octets.len())], start + octets.len());
    if path.contains(&b'`') {
        return Err(Refusal::TARGET);
    }
    let query = mark.map(|mark| Span::new(start + mark + 1, end));
    Ok((Span::new(start, start + path.len()), query))
}

fn starts_with_ignore_case(octets: &[u8], prefix: &str) -> bool {
    octets.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// How many octets at the start are a registered name (RFC 3986 §3.2.2).
fn registered_name(octets: &[u8]) -> usize {
    let mut rest = octets;
    loop {
        rest = &rest[run(rest, REG_NAME)..];
        match rest {
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = after;
            }
            _ => return octets.len() - rest.len(),
        }
    }
}

/// Whether this is nothing, or a colon and a port that exists; the digits may be absent (RFC 3986 §3.2.3).
fn is_port(octets: &[u8]) -> bool {
    match octets {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            let value = digits.iter().try_fold(0_u16, |value, digit| match digit {
                b'0'..=b'9' => value.checked_mul(10)?.checked_add(u16::from(digit - b'0')),
                _ => None,
            });
            value.is_some()
        }
        _ => false,
    }
}
