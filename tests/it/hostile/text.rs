//! What a client sends, in a log, in HTML and in a field: nothing in it ends a line, a string or a text.

use selvedge::record::{Escaped, push_escaped, push_json};
use selvedge::sanitize::{escape_header, escape_html, strip};
use selvedge::{HeaderValue, sanitize};

pub fn check(bytes: &[u8]) {
    let line = Escaped(bytes).to_string();
    let mut pushed = Vec::new();
    push_escaped(&mut pushed, bytes);
    assert_eq!(pushed, line.as_bytes());
    is_harmless(&line);
    assert!(!line.replace("\\\\", "").replace("\\\"", "").contains('"'), "a quote by itself: {line}");

    let mut json = Vec::new();
    push_json(&mut json, bytes);
    is_harmless(str::from_utf8(&json).expect("UTF-8"));
    #[cfg(feature = "json")]
    {
        let value: String = serde_json::from_slice(&json).expect("a JSON string");
        assert!(str::from_utf8(bytes).is_err() || value.as_bytes() == bytes, "{value:?}");
    }

    let Ok(text) = str::from_utf8(bytes) else { return };
    let html = escape_html(text);
    assert!(!html.contains(['<', '>', '"', '\'']));
    let parts = html.split('&').skip(1);
    let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    assert!(parts.into_iter().all(|part| entities.iter().any(|entity| part.starts_with(entity))), "{html}");
    let back = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    assert_eq!(back.replace("&amp;", "&"), text);
    let header = escape_header(text);
    assert!(HeaderValue::from_str(&header).is_ok() || !header.is_ascii(), "{header:?}");
    assert!(HeaderValue::from_bytes(header.as_bytes()).is_ok(), "{header:?}");
    let stripped = strip(text, 10);
    assert!(stripped.chars().count() <= 10 && sanitize::escape_html(&stripped) == stripped);
}

/// A line that drives no terminal and shows its characters in their order.
fn is_harmless(line: &str) {
    let harmful = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!line.contains(harmful), "{line:?}");
}
