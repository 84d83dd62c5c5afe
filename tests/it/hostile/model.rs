//! Requests as RFC 9112 has them, read by somebody who knows nothing of ours: all bytes at once, line by line, and
//! without a thought for speed. What the server takes for a request, this must take for the same one.

/// A request whose end is certain.
#[derive(Debug, PartialEq)]
pub struct Message<'b> {
    pub method: &'b [u8],
    pub target: &'b [u8],
    /// The digit after `HTTP/1.`.
    pub minor: u8,
    /// Names as they were sent, values without the white space around them.
    pub fields: Vec<(&'b [u8], &'b [u8])>,
    pub framing: Framing,
    /// Bytes of the head, an empty line before it included.
    pub len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// A body without its framing.
#[derive(Debug, PartialEq)]
pub struct Content<'b> {
    pub data: Vec<u8>,
    pub trailers: Vec<(&'b [u8], &'b [u8])>,
    /// Bytes that it took.
    pub len: usize,
}

impl<'b> Message<'b> {
    /// The head that `bytes` begin with. `None` if it is not all there, or could be read in two ways.
    pub fn read(bytes: &'b [u8]) -> Option<Message<'b>> {
        let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
        let (line, rest) = line(&bytes[skipped..])?;
        let [method, target, version] = line.split(|&byte| byte == b' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] = *version else { return None };
        let is_target = !target.is_empty() && target.iter().all(u8::is_ascii_graphic);
        if !is_token(method) || !is_target {
            return None;
        }
        let (fields, rest) = fields(rest)?;
        let framing = framing(&fields, minor)?;
        Some(Message { method, target, minor: minor - b'0', fields, framing, len: bytes.len() - rest.len() })
    }

    /// The values of a field.
    pub fn values(&self, name: &str) -> Vec<&'b [u8]> {
        let named = self.fields.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| *value).collect()
    }

    /// Whether a list of tokens has this one.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        let values = self.values(name);
        let mut members = values.iter().flat_map(|value| value.split(|&byte| byte == b','));
        members.any(|member| trimmed(member).eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Whether its client lets the connection go on.
    pub fn persists(&self) -> bool {
        !self.lists("connection", "close") && (self.minor > 0 || self.lists("connection", "keep-alive"))
    }

    /// What is asked for, without the query.
    pub fn path(&self) -> &'b [u8] {
        let target = self.target;
        if target.starts_with(b"/") || target == b"*" {
            return target.split(|&byte| byte == b'?').next().unwrap_or_default();
        }
        let after_scheme = target.windows(3).position(|three| three == b"://").map_or(0, |at| at + 3);
        let rest = &target[after_scheme..];
        let end = rest.iter().position(|&byte| byte == b'?').unwrap_or(rest.len());
        match rest[..end].iter().position(|&byte| byte == b'/') {
            Some(start) => &rest[start..end],
            None => b"/",
        }
    }

    /// The body, which `bytes` begin with. `None` if it is not all there, or could be read in two ways.
    pub fn content(&self, bytes: &'b [u8]) -> Option<Content<'b>> {
        match self.framing {
            Framing::None => Some(Content { data: Vec::new(), trailers: Vec::new(), len: 0 }),
            Framing::Length(length) => {
                let len = usize::try_from(length).ok()?;
                Some(Content { data: bytes.get(..len)?.to_vec(), trailers: Vec::new(), len })
            }
            Framing::Chunked => chunks(bytes),
        }
    }
}

/// A body in chunks (RFC 9112 §7.1).
pub fn chunks(bytes: &[u8]) -> Option<Content<'_>> {
    let (mut data, mut rest) = (Vec::new(), bytes);
    loop {
        let (line, after) = line(rest)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at(digits);
        if !(1..=16).contains(&digits) || !is_extension(extension) {
            return None;
        }
        let size = u64::from_str_radix(str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            let (trailers, rest) = fields(after)?;
            return Some(Content { data, trailers, len: bytes.len() - rest.len() });
        }
        let (chunk, after) = after.split_at_checked(usize::try_from(size).ok()?)?;
        data.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n")?;
    }
}

/// Nothing, or `;` and a name, and whatever a field's value may have.
fn is_extension(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b';', rest @ ..] => {
            let name = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
            name.is_some_and(|byte| is_token(&[*byte]))
        }
        _ => false,
    }
}

pub fn framing(fields: &[(&[u8], &[u8])], minor: u8) -> Option<Framing> {
    let of = |name: &str| {
        let named = fields.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| *value).collect::<Vec<_>>()
    };
    match (&of("transfer-encoding")[..], &of("content-length")[..]) {
        ([], []) => Some(Framing::None),
        ([], [digits]) if digits.iter().all(u8::is_ascii_digit) && digits.len() < 20 => {
            str::from_utf8(digits).ok()?.parse().ok().map(Framing::Length)
        }
        ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") && minor > b'0' => Some(Framing::Chunked),
        _ => None,
    }
}

/// Field lines up to an empty one, and what follows it.
#[allow(clippy::type_complexity, reason = "two things that come together once")]
pub fn fields(bytes: &[u8]) -> Option<(Vec<(&[u8], &[u8])>, &[u8])> {
    let (mut fields, mut rest) = (Vec::new(), bytes);
    loop {
        let (line, after) = line(rest)?;
        rest = after;
        if line.is_empty() {
            return Some((fields, rest));
        }
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = (&line[..colon], trimmed(&line[colon + 1..]));
        if !is_token(name) {
            return None;
        }
        fields.push((name, value));
    }
}

/// A line without its CRLF, and what follows it. It may hold neither of the two by itself, nor any other control character
/// than HT.
pub fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let line = &bytes[..end];
    let is_clean = line.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control());
    is_clean.then_some((line, &bytes[end + 2..]))
}

/// Without the white space around it (RFC 9110 §5.6.3).
pub fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
