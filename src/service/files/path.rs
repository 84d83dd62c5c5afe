//! What the path of a request names below a root.
//!
//! The article looks for the two characters `..` in the path as it was sent, and opens what is left. Here each segment
//! is decoded once and judged by what it then is; nothing that could be read in two ways is repaired.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode, percent_encode};

/// A path below a root, decoded: names of any bytes but control characters and `/`, none of them empty, `.`, `..`, also between
/// backslashes, or hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Below {
    /// The names, with a `/` between them.
    names: Vec<u8>,
    directory: bool,
}

impl Below {
    /// Decodes the path of a target (RFC 3986 §3.3), without its query.
    ///
    /// `None` is for a path that is refused: it does not begin with `/`, has an empty segment before the last, an escape
    /// that is none, or a segment that is, decoded, `.` or `..`, has a control character or a `/` in it, or begins with a dot
    /// without being `.well-known` (RFC 8615).
    ///
    /// ```
    /// use selvedge::service::files::Below;
    ///
    /// let path = Below::decode(b"/notes/caf%C3%A9.txt").unwrap();
    /// assert_eq!(path.as_bytes(), "notes/café.txt".as_bytes());
    /// assert_eq!(Below::decode(b"/notes/%2e%2e/secrets"), None);
    /// assert_eq!(Below::decode(b"/.git/config"), None);
    /// ```
    pub fn decode(path: &[u8]) -> Option<Below> {
        let path = path.strip_prefix(b"/")?;
        let mut names = Vec::with_capacity(path.len());
        if path.is_empty() {
            return Some(Below { names, directory: true });
        }
        let without_slash = path.strip_suffix(b"/");
        for (at, segment) in without_slash.unwrap_or(path).split(|&byte| byte == b'/').enumerate() {
            if at > 0 {
                names.push(b'/');
            }
            let start = names.len();
            push_decoded(&mut names, segment)?;
            if !is_served(&names[start..]) {
                return None;
            }
        }
        Some(Below { names, directory: without_slash.is_some() })
    }

    /// The names, with a `/` between them and none around them; empty for the root itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.names
    }

    /// Whether the path ends with `/`, as those of directories do.
    pub fn is_directory(&self) -> bool {
        self.directory
    }

    /// The names from the root down.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// `name` in this directory.
    pub(super) fn join(&self, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::with_capacity(self.names.len() + 1 + name.len());
        path.extend_from_slice(&self.names);
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }

    /// The same as the path of a directory, encoded: it begins with one `/` and ends with one.
    pub(super) fn to_directory_url(&self) -> String {
        let mut url = String::from("/");
        for name in self.names() {
            url.extend(encode(name));
            url.push('/');
        }
        url
    }
}

/// Whether a file or directory of this name is there for clients at all. Whoever has one listed can ask for it: names that
/// [`Validate`](crate::guard::Validate) refuses are not.
pub(super) fn is_served(name: &[u8]) -> bool {
    let is_hidden = name.first().is_none_or(|&byte| byte == b'.') && name != b".well-known";
    let climbs = || name.split(|&byte| byte == b'\\').any(|part| part == b"..");
    !is_hidden && !name.iter().any(|&byte| byte.is_ascii_control() || byte == b'/') && !climbs()
}

/// A name as a segment of a path, safe wherever a link may stand: nothing is left that separates or has a meaning, colons
/// included, which would make a scheme of what is before them.
pub(super) fn encode(name: &[u8]) -> PercentEncode<'_> {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encode(name, ENCODED)
}

fn push_decoded(names: &mut Vec<u8>, segment: &[u8]) -> Option<()> {
    let is_escape = |digits: &[u8]| digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit);
    let well_formed = segment.split(|&byte| byte == b'%').skip(1).all(is_escape);
    names.extend(percent_decode(segment));
    well_formed.then_some(())
}
