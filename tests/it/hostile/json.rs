//! JSON: accepted is what RFC 8259 defines, to the depth that is permitted, and nothing else.

use selvedge::{JsonError, check_json};

pub fn check(text: &[u8]) {
    let depth = read(text);
    for max in [0, 1, 2, 5, 100, usize::MAX] {
        let found = check_json(text, max);
        match depth {
            Some(depth) if depth > max => assert_eq!(found, Err(JsonError::TooDeep)),
            Some(_) => assert_eq!(found, Ok(()), "with {max}"),
            // Why it is refused is another question; brackets that do not match may well be too many.
            None => assert!(found.is_err(), "with {max}"),
        }
    }
    // What is accepted, others can read. They have numbers that are too large, and halves of characters.
    if let (Some(0..=100), Err(problem)) = (depth, serde_json::from_slice::<serde_json::Value>(text)) {
        let problem = problem.to_string();
        let known = [
            "number out of range",
            "surrogate",
            "unexpected end of hex escape",
            "invalid unicode code point",
        ];
        assert!(known.iter().any(|known| problem.contains(known)), "{problem}");
    }
}

/// How deep a JSON text is nested; `None` if it is none.
fn read(text: &[u8]) -> Option<usize> {
    let mut rest = blank(str::from_utf8(text).ok()?.as_bytes());
    // What is open, and the depth there has been.
    let (mut open, mut deepest) = (Vec::new(), 0);
    loop {
        // A value begins here.
        match *rest.first()? {
            bracket @ (b'[' | b'{') => {
                open.push(bracket);
                deepest = deepest.max(open.len());
                rest = blank(&rest[1..]);
                let closes = if bracket == b'[' { b']' } else { b'}' };
                if *rest.first()? != closes {
                    rest = if bracket == b'{' { key(rest)? } else { rest };
                    continue;
                }
            }
            _ => rest = blank(scalar(rest)?),
        }
        // It has ended; so may what holds it.
        loop {
            rest = match (open.last(), rest.first()) {
                (None, None) => return Some(deepest),
                (Some(b'['), Some(b',')) => {
                    rest = blank(&rest[1..]);
                    break;
                }
                (Some(b'{'), Some(b',')) => {
                    rest = key(blank(&rest[1..]))?;
                    break;
                }
                (Some(b'['), Some(b']')) | (Some(b'{'), Some(b'}')) => {
                    open.pop();
                    blank(&rest[1..])
                }
                _ => return None,
            };
        }
    }
}

/// What follows a key and its colon.
fn key(text: &[u8]) -> Option<&[u8]> {
    let rest = blank(string(text.strip_prefix(b"\"")?)?);
    Some(blank(rest.strip_prefix(b":")?))
}

/// What follows a value that holds no others.
fn scalar(text: &[u8]) -> Option<&[u8]> {
    let words = [&b"true"[..], b"false", b"null"];
    if let Some(word) = words.iter().find(|word| text.starts_with(word)) {
        return Some(&text[word.len()..]);
    }
    match text.strip_prefix(b"\"") {
        Some(text) => string(text),
        None => number(text),
    }
}

fn number(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    rest = match rest {
        [b'0', rest @ ..] => rest,
        _ => digits(rest)?,
    };
    if let Some(decimals) = rest.strip_prefix(b".") {
        rest = digits(decimals)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        rest = digits(match exponent {
            [b'+' | b'-', exponent @ ..] => exponent,
            _ => exponent,
        })?;
    }
    Some(rest)
}

fn digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| &text[count..])
}

/// What follows a string that has begun.
fn string(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'u', rest @ ..] => {
                let (digits, rest) = rest.split_at_checked(4)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(rest)?
            }
            [b'\\', escaped, rest @ ..] => b"\"\\/bfnrt".contains(escaped).then_some(rest)?,
            [byte, rest @ ..] if *byte >= b' ' => rest,
            _ => return None,
        }
    }
}

fn blank(text: &[u8]) -> &[u8] {
    let count = text.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
    &text[count..]
}
