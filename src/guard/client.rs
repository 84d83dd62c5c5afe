//! Who is asking, when others ask on their behalf.
//!
//! The article takes the client's address from `X-Forwarded-For` whoever sends it, so that everybody is whoever they
//! say, and every limit is off for the price of one field. Here the peer is the client, unless the peer is a proxy the
//! operator trusts; then one field, the one the operator names, is read from its end towards its beginning, because
//! every proxy appends: the first address that is not a trusted proxy's is the client's. What stands before it was said
//! by the client itself.

use super::{Exchange, Guard};
use crate::config::{AddressSource, Network};
use crate::error::Refusal;
use crate::http1::split_unquoted;
use crate::message::{ClientKey, Request};
use std::net::{IpAddr, SocketAddr};

/// Proxies on the way that are walked back at most. More are not believed.
const MAX_HOPS: usize = 32;

/// Finds the client behind trusted proxies, and takes away what others claim about it: fields that say where a request
/// comes from reach handlers only if a trusted proxy sent them.
///
/// Over a Unix socket the peer is trusted, because only programs that the file's permissions admit can connect there. At most
/// 32 proxies are walked back. Every server has one, made from [`Config::client_ip_from`](crate::Config::client_ip_from) and
/// [`Config::trusted_proxies`](crate::Config::trusted_proxies).
///
/// ```
/// use selvedge::{AddressSource, ClientIdentity};
///
/// let identity = ClientIdentity::new(AddressSource::XForwardedFor, vec!["10.0.0.0/8".parse()?]);
/// # let _ = identity;
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    source: AddressSource,
    trusted: Vec<Network>,
}

/// Fields that say where a request comes from. Those that begin with `x-forwarded-` are meant too.
const CLAIMS: [&str; 4] = ["forwarded", "x-real-ip", "x-client-ip", "true-client-ip"];

impl ClientIdentity {
    /// Reads `source` when the peer is in one of the `trusted` networks.
    pub fn new(source: AddressSource, trusted: Vec<Network>) -> Self {
        ClientIdentity { source, trusted }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// The client's address as the trusted proxies tell it; `None` if there is none to be had.
    fn find(&self, request: &Request) -> Option<IpAddr> {
        let peer = request.peer().map(|peer| peer.ip());
        let hops: Vec<Hop<'_>> = match self.source {
            AddressSource::Peer => return peer,
            // It has no quotes: one in it must not hide a comma.
            AddressSource::XForwardedFor => values(request, "x-forwarded-for")
                .flat_map(|value| value.split(|&byte| byte == b','))
                .map(Hop)
                .collect(),
            AddressSource::Forwarded => values(request, "forwarded").flat_map(elements).map(for_of).collect(),
        };
        let mut client = peer;
        for hop in hops.iter().rev().take(MAX_HOPS) {
            // An address that cannot be read, or hides itself, ends the walk at the last one that was known.
            let Some(address) = hop.address() else { break };
            client = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    /// Whether the proxy next to us had the request over TLS: the last word of X-Forwarded-Proto, or of `proto` in
    /// Forwarded. `None` if it does not say.
    fn says_secure(&self, request: &Request) -> Option<bool> {
        let scheme = match self.source {
            AddressSource::Peer => return None,
            AddressSource::XForwardedFor => {
                values(request, "x-forwarded-proto").last()?.rsplit(|&byte| byte == b',').next()?.trim_ascii()
            }
            AddressSource::Forwarded => {
                parameter(values(request, "forwarded").flat_map(elements).last()?, b"proto")?
            }
        };
        Some(scheme.eq_ignore_ascii_case(b"https"))
    }
}

impl Guard for ClientIdentity {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        let request = exchange.request_mut();
        let trusted =
            self.source != AddressSource::Peer && request.peer().is_none_or(|peer| self.trusts(peer.ip()));
        if trusted {
            // What a client left open would swallow what a proxy appends.
            if self.source == AddressSource::Forwarded && !values(request, "forwarded").all(is_closed) {
                return Err(Refusal::FORWARDED);
            }
            if let Some(address) = self.find(request) {
                request.client = ClientKey::from(address);
                request.client_address = Some(address);
            }
            if let Some(secure) = self.says_secure(request) {
                request.secure = secure;
            }
        } else {
            request.forget_fields(is_claim);
        }
        Ok(())
    }
}

/// The values of a request's fields of this name.
fn values<'a>(request: &'a Request, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let fields = request.head.fields(request.input.message());
    fields.filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
}

fn is_claim(name: &[u8]) -> bool {
    const PREFIX: &[u8] = b"x-forwarded-";
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
        || CLAIMS.iter().any(|claim| name.eq_ignore_ascii_case(claim.as_bytes()))
}

/// One proxy's word on where it had the request from.
struct Hop<'a>(&'a [u8]);

impl Hop<'_> {
    /// The address, with or without a port, which may be hidden (RFC 7239 §6); IPv6 bare or in brackets. `unknown` and
    /// `_hidden` have none.
    fn address(&self) -> Option<IpAddr> {
        let text = std::str::from_utf8(self.0).ok()?.trim_matches([' ', '\t']);
        let is_hidden = |port: &str| {
            port.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) && port.len() > 1
        };
        let text = match text.rsplit_once(':') {
            Some((node, port)) if port.starts_with('_') && is_hidden(port) => node,
            _ => text,
        };
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        bare.parse::<IpAddr>()
            .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
            .map(|address| address.to_canonical())
            .ok()
    }
}

/// Whether every quoted string of a field ends within it, and begins and ends where a value does (RFC 7239 §4).
fn is_closed(value: &[u8]) -> bool {
    let (mut quoted, mut escaped, mut before) = (false, false, b',');
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' if !quoted && before != b'=' => return false,
            b'"' if quoted && !matches!(value.get(at + 1), None | Some(b',' | b';' | b' ' | b'\t')) => {
                return false;
            }
            b'"' => quoted = !quoted,
            _ => {}
        }
        before = byte;
    }
    !quoted
}

/// The elements of a Forwarded field; empty ones are none (RFC 9110 §5.6.1.2).
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split_unquoted(value, b',').filter(|element| !element.trim_ascii().is_empty())
}

/// The `for` parameter of an element of Forwarded (RFC 7239 §4), without its quotes; empty if there is none.
fn for_of(element: &[u8]) -> Hop<'_> {
    Hop(parameter(element, b"for").unwrap_or_default())
}

/// A parameter of an element of Forwarded, without its quotes. Neither a node name nor a scheme has anything in it that
/// would have to be escaped.
fn parameter<'a>(element: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let value = split_unquoted(element, b';').find_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        name.eq_ignore_ascii_case(wanted).then_some(value)
    })?;
    Some(value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value))
}
