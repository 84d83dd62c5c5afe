//! The cookie: strict in what is read, fixed in what is written.

use http::HeaderValue;

/// Bytes of all Cookie fields of a request together; past it none is looked at.
const MAX_BYTES: usize = 8 << 10;
/// Cookies of a request; past it none is looked at.
const MAX_COOKIES: usize = 64;

/// What a request's Cookie fields say about one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    /// There is no such cookie.
    Absent,
    /// There is one, with this value.
    One(&'a [u8]),
    /// There are several, or so many cookies that none was looked at. Which of them is the browser's own and which was
    /// planted by a neighbour nobody can tell, so none counts.
    Ambiguous,
}

/// Looks for the cookie called `name` in the values of a request's Cookie fields, of which a gateway may have made several
/// (RFC 9113 §8.2.3). Names are compared as they are, with their case. A pair without `=` is a value without a name
/// (RFC 6265bis §5.6) and nobody's.
///
/// ```
/// use selvedge::guard::session::{Presented, find_cookie};
///
/// let fields = [&b"theme=dark; sid=abc"[..]];
/// assert_eq!(find_cookie(fields, "sid"), Presented::One(b"abc"));
/// assert_eq!(find_cookie([&b"sid=abc; sid=abc"[..]], "sid"), Presented::Ambiguous);
/// ```
pub fn find_cookie<'a>(fields: impl IntoIterator<Item = &'a [u8]>, name: &str) -> Presented<'a> {
    let (mut bytes, mut cookies) = (0_usize, 0_usize);
    let mut found = Presented::Absent;
    for field in fields {
        bytes = bytes.saturating_add(field.len());
        if bytes > MAX_BYTES {
            return Presented::Ambiguous;
        }
        for pair in field.split(|&byte| byte == b';') {
            cookies += 1;
            if cookies > MAX_COOKIES {
                return Presented::Ambiguous;
            }
            let mut halves = pair.splitn(2, |&byte| byte == b'=');
            let (Some(given), Some(value)) = (halves.next(), halves.next()) else { continue };
            if given.trim_ascii() != name.as_bytes() {
                continue;
            }
            found = match found {
                Presented::Absent => Presented::One(value.trim_ascii()),
                _ => return Presented::Ambiguous,
            };
        }
    }
    found
}

/// What the cookie is called and what goes with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CookieStyle {
    pub(super) name: &'static str,
    attributes: &'static str,
}

impl CookieStyle {
    pub(super) const STRICT: CookieStyle =
        CookieStyle { name: "__Host-sid", attributes: "; Path=/; Secure; HttpOnly; SameSite=Lax" };
    pub(super) const INSECURE: CookieStyle =
        CookieStyle { name: "sid", attributes: "; Path=/; HttpOnly; SameSite=Lax" };

    /// Sets the cookie until the browser is closed; the server knows when it is over.
    pub(super) fn set(self, id: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("{}={id}{}", self.name, self.attributes)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Deletes the cookie.
    pub(super) fn delete(self) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{}={}; Max-Age=0", self.name, self.attributes)).ok()
    }
}
