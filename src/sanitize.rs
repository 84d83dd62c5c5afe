//! Text from strangers, made harmless for the place it is put into.
//!
//! The article strips some characters from its input and cuts it to a length, once, for all purposes. What is harmless
//! depends on where it ends up, so what we recommend is escaping at that place; the stripping helper is kept beside it
//! for those who want the article's.

use std::borrow::Cow;

/// Escapes what has a meaning in HTML text and in quoted attributes.
///
/// ```
/// use selvedge::sanitize::escape_html;
///
/// assert_eq!(escape_html("<b title='x'>&\"</b>"), "&lt;b title=&#39;x&#39;&gt;&amp;&quot;&lt;/b&gt;");
/// assert_eq!(escape_html("plain"), "plain");
/// ```
pub fn escape_html(text: &str) -> Cow<'_, str> {
    replace(text, |char| match char {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    })
}

/// Replaces what no field value can hold (RFC 9110 §5.5), CR and LF above all, by spaces.
///
/// ```
/// use selvedge::sanitize::escape_header;
///
/// assert_eq!(escape_header("a\r\nSet-Cookie: b"), "a  Set-Cookie: b");
/// ```
pub fn escape_header(text: &str) -> Cow<'_, str> {
    replace(text, |char| (char.is_control() && char != '\t').then_some(" "))
}

/// The article's helper: without `<`, `>`, `"`, `'`, `&` and control characters, and cut to `max_chars` characters, never
/// within one. It loses what it strips and knows no context: prefer escaping.
///
/// ```
/// use selvedge::sanitize::strip;
///
/// assert_eq!(strip("<script>alert('é')</script>", 12), "scriptalert(");
/// ```
pub fn strip(text: &str, max_chars: usize) -> String {
    let harmless = |char: &char| !matches!(char, '<' | '>' | '"' | '\'' | '&') && !char.is_control();
    text.chars().filter(harmless).take(max_chars).collect()
}

fn replace(text: &str, replacement: impl Fn(char) -> Option<&'static str>) -> Cow<'_, str> {
    let Some(first) = text.find(|char| replacement(char).is_some()) else { return text.into() };
    let mut replaced = String::with_capacity(text.len() + 16);
    replaced.push_str(&text[..first]);
    for char in text[first..].chars() {
        match replacement(char) {
            Some(instead) => replaced.push_str(instead),
            None => replaced.push(char),
        }
    }
    replaced.into()
}
