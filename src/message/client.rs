//! What counts as one client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What counts as one client, for limits: one IPv4 address, one IPv6 /64 (what a household or a server is given), or
/// everybody on a Unix socket. IPv4 addresses mapped into IPv6 are the IPv4 addresses they are, and so are those behind a
/// translator with the prefix known to all, `64:ff9b::/96` (RFC 6052 §2.1). One with an operator's own prefix cannot be told
/// from other IPv6: all who come through it are the client of their /64.
///
/// ```
/// use selvedge::ClientKey;
///
/// let key = |text: &str| ClientKey::from(text.parse::<std::net::IpAddr>().unwrap());
/// assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
/// assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
/// assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
/// assert_eq!(key("64:ff9b::192.0.2.7"), key("192.0.2.7"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(u64);

/// Above an IPv4 address: a prefix that no routed IPv6 network has.
const IPV4: u64 = 0x0000_ffff_0000_0000;
/// What stands before an IPv4 address that was translated into IPv6: `64:ff9b::/96`.
const TRANSLATED: u128 = 0x0064_ff9b << 64;

impl ClientKey {
    /// Whoever connects over a Unix socket.
    pub const LOCAL: ClientKey = ClientKey(u64::MAX);

    /// The key that is this number.
    pub(crate) const fn from_u64(key: u64) -> Self {
        ClientKey(key)
    }

    /// The key as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    fn of_ipv4(address: u32) -> Self {
        ClientKey(IPV4 | u64::from(address))
    }
}

impl From<IpAddr> for ClientKey {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => ClientKey::of_ipv4(address.into()),
            IpAddr::V6(address) => match u128::from(address) {
                translated if translated >> 32 == TRANSLATED => ClientKey::of_ipv4(translated as u32),
                // The last prefix of all is multicast and nobody's address; it must not pass for the local ones.
                address => ClientKey(((address >> 64) as u64).min(u64::MAX - 1)),
            },
        }
    }
}

impl From<Option<std::net::SocketAddr>> for ClientKey {
    fn from(peer: Option<std::net::SocketAddr>) -> Self {
        peer.map_or(ClientKey::LOCAL, |peer| peer.ip().into())
    }
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == ClientKey::LOCAL {
            f.write_str("local")
        } else if self.0 >> 32 == IPV4 >> 32 {
            write!(f, "{}", Ipv4Addr::from(self.0 as u32))
        } else {
            write!(f, "{}/64", Ipv6Addr::from(u128::from(self.0) << 64))
        }
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
