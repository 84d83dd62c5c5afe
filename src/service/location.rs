//! Where answers send their clients.

use std::fmt::Write;

/// Appends a part of a target as a reference may have it (RFC 9110 §10.2.2, RFC 3986 §3.3–3.4). What some clients send as it is,
/// and a `%` that escapes nothing, is encoded.
pub(super) fn push_encoded(location: &mut String, part: &str) {
    for (at, octet) in part.bytes().enumerate() {
        let is_escape = || {
            let digits = part.as_bytes().get(at + 1..at + 3);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        let stands = match octet {
            b'%' => is_escape(),
            _ => octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&octet),
        };
        if stands {
            location.push(char::from(octet));
        } else {
            // Writing to memory does not fail.
            let _ = write!(location, "%{octet:02X}");
        }
    }
}
