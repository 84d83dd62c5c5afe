//! Which peers are trusted, what they are trusted to tell, and which hosts can be asked for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Where the client's address is read when the peer is a trusted proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressSource {
    /// Nowhere: the peer is the client.
    #[default]
    Peer,
    /// The `X-Forwarded-For` field.
    XForwardedFor,
    /// The `Forwarded` field (RFC 7239).
    Forwarded,
}

/// Bits before an IPv4 address that is mapped into IPv6 (RFC 4291 §2.5.5.2).
const MAPPED: u8 = 96;

/// Addresses that begin alike: `10.0.0.0/8`, `2001:db8::/32`, or one address. `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether `address` is in it. IPv4 addresses mapped into IPv6 are the IPv4 addresses they are.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differ = u32::from(ours) ^ u32::from(theirs);
                differ.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differ = u128::from(ours) ^ u128::from(theirs);
                differ.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("'{text}' is no network; write 10.0.0.0/8, 2001:db8::/32 or one address");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| problem())?;
        let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            // Rust reads a sign too.
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(problem)?
            }
            Some(_) => return Err(problem()),
        };
        // Mapped ones are the IPv4 addresses they are, as those are that will be looked for.
        let beyond = if address.is_ipv6() && address.to_canonical().is_ipv4() { MAPPED } else { 0 };
        let prefix = prefix.checked_sub(beyond).ok_or_else(|| {
            format!("'{text}' is IPv4 mapped into IPv6, and not all that begins like it is; write 10.0.0.0/8")
        })?;
        Ok(Network { address: address.to_canonical(), prefix }.masked())
    }
}

impl AddressSource {
    /// Every source, by its name.
    pub const ALL: [(&str, AddressSource); 3] = [
        ("peer", AddressSource::Peer),
        ("x-forwarded-for", AddressSource::XForwardedFor),
        ("forwarded", AddressSource::Forwarded),
    ];
}

impl FromStr for AddressSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = AddressSource::ALL.iter().find(|(name, _)| *name == text);
        known.map(|(_, source)| *source).ok_or_else(|| {
            format!("'{text}' is no source of addresses; permitted: peer, x-forwarded-for, forwarded")
        })
    }
}

impl Network {
    /// The same network by its first address.
    fn masked(self) -> Self {
        let prefix = u32::from(self.prefix);
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
                Ipv4Addr::from(u32::from(address) & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
                Ipv6Addr::from(u128::from(address) & mask).into()
            }
        };
        Network { address, ..self }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A host as requests name it, without its port.
pub(crate) fn host(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err(format!("'{text}' has a '*', and names are compared whole; write each of them"));
    }
    if !text.is_ascii() {
        return Err(format!("'{text}' is not ASCII; write its name in DNS, as xn--bcher-kva.example"));
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_name = |name: &str| name.split('.').all(is_label);
    if let Some(name) = text.strip_suffix('.').filter(|name| is_name(name)) {
        return Err(format!("'{text}' ends with a dot; write it without: {name}"));
    }
    let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if literal.map_or_else(|| is_name(text), |literal| literal.parse::<Ipv6Addr>().is_ok()) {
        return Ok(text.into());
    }
    Err(format!("'{text}' is no host; write example.org or [::1], without a port"))
}
