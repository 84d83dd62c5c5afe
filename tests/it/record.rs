//! One record is one line, whatever is in it.

use proptest::prelude::*;
use selvedge::monitor::{Access, LogFormat};
use selvedge::record::{Escaped, Utc, push_clf, push_escaped, push_json, push_number, push_utc};
use selvedge::{ClientCertificate, RequestId, StatusCode, TlsInfo, Version};
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

fn escaped(text: &[u8]) -> String {
    let mut line = Vec::new();
    push_escaped(&mut line, text);
    assert_eq!(Escaped(text).to_string().as_bytes(), line, "both ways show the same");
    String::from_utf8(line).expect("UTF-8")
}

fn json(text: &[u8]) -> String {
    let mut line = Vec::new();
    push_json(&mut line, text);
    String::from_utf8(line).expect("UTF-8")
}

/// Whether a line stays one, on every screen and in every reader.
fn is_one_line(text: &str) -> bool {
    let turns = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| c.is_control() || turns(c))
}

/// What was escaped; the inverse, written without regard to how it was done.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.next().expect("something after a backslash") {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'x' => {
                let digits: String = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
            }
            'u' => {
                let digits: String =
                    rest.by_ref().skip_while(|c| *c == '{').take_while(|c| *c != '}').collect();
                let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).expect("a character");
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => bytes.push(other as u8),
        }
    }
    bytes
}

#[test]
fn escapes() {
    for (text, shown, as_json) in [
        ("plain, ümlaut, 日本", "plain, ümlaut, 日本", "plain, ümlaut, 日本"),
        ("two\r\nlines\t", r"two\r\nlines\t", r"two\r\nlines\t"),
        ("\u{1b}[31mred\0\u{7f}", r"\u{1b}[31mred\u{0}\u{7f}", r"\u001b[31mred\u0000\u007f"),
        ("\u{2028}\u{202e}\u{85}\u{2066}", r"\u{2028}\u{202e}\u{85}\u{2066}", r"\u2028\u202e\u0085\u2066"),
        (r#""quoted" \n"#, r#"\"quoted\" \\n"#, r#"\"quoted\" \\n"#),
        (
            "\u{200b}\u{2027}\u{2030}é\u{a0}",
            "\u{200b}\u{2027}\u{2030}é\u{a0}",
            "\u{200b}\u{2027}\u{2030}é\u{a0}",
        ),
        ("", "", ""),
    ] {
        assert_eq!(escaped(text.as_bytes()), shown);
        assert_eq!(json(text.as_bytes()), format!("\"{as_json}\""));
    }
    assert_eq!(escaped(b"\xff\xc2 \xe2\x80"), r"\xff\xc2 \xe2\x80");
    assert_eq!(json(b"\xffa"), r#""\\xffa""#);
    assert_eq!(json(br"\xffa"), json(b"\xffa"), "what is read from JSON is the text, if there is one");
    assert_ne!(escaped(br"\xffa"), escaped(b"\xffa"));
}

#[test]
fn moments() {
    for (millis, shown, clf) in [
        (0, "1970-01-01T00:00:00.000Z", "01/Jan/1970:00:00:00 +0000"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z", "28/Feb/2000:23:59:59 +0000"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z", "29/Feb/2000:00:00:00 +0000"),
        (951_868_800_000, "2000-03-01T00:00:00.000Z", "01/Mar/2000:00:00:00 +0000"),
        (1_769_860_800_123, "2026-01-31T12:00:00.123Z", "31/Jan/2026:12:00:00 +0000"),
        (1_798_761_599_000, "2026-12-31T23:59:59.000Z", "31/Dec/2026:23:59:59 +0000"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "01/Mar/2100:00:00:00 +0000"),
    ] {
        let moment = UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!(Utc(moment).to_string(), shown);
        let mut line = Vec::new();
        push_clf(&mut line, moment);
        assert_eq!(line, clf.as_bytes());
        line.clear();
        push_utc(&mut line, moment);
        assert_eq!(line, shown.as_bytes());
    }
}

#[test]
fn numbers() {
    for (number, width) in [(0, 1), (0, 0), (7, 3), (1234, 2), (u64::MAX, 1), (u64::MAX, 99), (5, 20)] {
        let mut line = Vec::new();
        push_number(&mut line, number, width);
        let width = width.clamp(1, 20);
        assert_eq!(String::from_utf8(line).expect("digits"), format!("{number:0width$}"));
    }
}

/// Somebody asked for `target`, with that as user agent and referer too.
fn access(target: &[u8]) -> Access<'_> {
    let peer: SocketAddr = "[2001:db8::7]:4321".parse().expect("an address");
    Access {
        time: UNIX_EPOCH + Duration::from_millis(1_769_860_800_123),
        client: Some(peer.ip()),
        peer: Some(peer),
        user: None,
        request: Some(("GET", target, Some(Version::HTTP_11))),
        status: StatusCode::OK,
        bytes: 1234,
        duration: Duration::from_micros(1_000_123),
        id: RequestId::default(),
        user_agent: Some(target),
        referer: None,
        tls: None,
    }
}

fn line(format: LogFormat, access: &Access<'_>) -> String {
    let mut line = Vec::new();
    format.push(access, &mut line);
    String::from_utf8(line).expect("UTF-8")
}

#[test]
fn access_records() {
    let known = access(b"/a?b=\"c\"");
    let refused = Access {
        client: None,
        peer: None,
        request: None,
        status: StatusCode::BAD_REQUEST,
        user_agent: None,
        ..known
    };
    let alice = ClientCertificate { subject: "CN=a\"lice".into(), serial: "01".into(), der: Vec::new() };
    let mut tls = TlsInfo::default();
    (tls.version, tls.group, tls.client) = ("TLSv1.3", Some("X25519"), Some(alice));
    let encrypted = Access { tls: Some(&tls), ..refused };
    let incomplete = Access { request: Some(("POST", b"/", None)), ..refused };
    let ada = Access { user: Some("Ada \"\n Lovelace"), ..incomplete };
    let empty = Access { user: Some(""), ..incomplete };
    let behind = Access { client: Some("192.0.2.7".parse().expect("an address")), ..known };
    for (access, format, expected) in [
        (
            known,
            LogFormat::Text,
            r#"2001:db8::7 - - [31/Jan/2026:12:00:00 +0000] "GET /a?b=\"c\" HTTP/1.1" 200 1234 "-" "/a?b=\"c\"" [2001:db8::7]:4321 1.000123 0000000000000000 -"#,
        ),
        (
            refused,
            LogFormat::Text,
            r#"local - - [31/Jan/2026:12:00:00 +0000] "-" 400 1234 "-" "-" local 1.000123 0000000000000000 -"#,
        ),
        (
            incomplete,
            LogFormat::Text,
            r#"local - - [31/Jan/2026:12:00:00 +0000] "POST /" 400 1234 "-" "-" local 1.000123 0000000000000000 -"#,
        ),
        (
            incomplete,
            LogFormat::Json,
            r#"{"time":"2026-01-31T12:00:00.123Z","client":"local","peer":null,"user":null,"method":"POST","target":"/","version":null,"status":400,"bytes":1234,"duration_us":1000123,"request_id":"0000000000000000","user_agent":null,"referer":null,"tls":null,"group":null}"#,
        ),
        (
            encrypted,
            LogFormat::Text,
            r#"local - CN=a\"lice [31/Jan/2026:12:00:00 +0000] "-" 400 1234 "-" "-" local 1.000123 0000000000000000 TLSv1.3/X25519"#,
        ),
        (
            encrypted,
            LogFormat::Json,
            r#"{"time":"2026-01-31T12:00:00.123Z","client":"local","peer":null,"user":null,"method":null,"target":null,"version":null,"status":400,"bytes":1234,"duration_us":1000123,"request_id":"0000000000000000","user_agent":null,"referer":null,"tls":"TLSv1.3","group":"X25519","client_certificate":"CN=a\"lice"}"#,
        ),
        (
            ada,
            LogFormat::Text,
            r#"local - Ada\x20\"\n\x20Lovelace [31/Jan/2026:12:00:00 +0000] "POST /" 400 1234 "-" "-" local 1.000123 0000000000000000 -"#,
        ),
        (
            empty,
            LogFormat::Text,
            r#"local - - [31/Jan/2026:12:00:00 +0000] "POST /" 400 1234 "-" "-" local 1.000123 0000000000000000 -"#,
        ),
        (
            ada,
            LogFormat::Json,
            r#"{"time":"2026-01-31T12:00:00.123Z","client":"local","peer":null,"user":"Ada \"\n Lovelace","method":"POST","target":"/","version":null,"status":400,"bytes":1234,"duration_us":1000123,"request_id":"0000000000000000","user_agent":null,"referer":null,"tls":null,"group":null}"#,
        ),
        (
            behind,
            LogFormat::Json,
            r#"{"time":"2026-01-31T12:00:00.123Z","client":"192.0.2.7","peer":"[2001:db8::7]:4321","user":null,"method":"GET","target":"/a?b=\"c\"","version":"1.1","status":200,"bytes":1234,"duration_us":1000123,"request_id":"0000000000000000","user_agent":"/a?b=\"c\"","referer":null,"tls":null,"group":null}"#,
        ),
        (
            refused,
            LogFormat::Json,
            r#"{"time":"2026-01-31T12:00:00.123Z","client":"local","peer":null,"user":null,"method":null,"target":null,"version":null,"status":400,"bytes":1234,"duration_us":1000123,"request_id":"0000000000000000","user_agent":null,"referer":null,"tls":null,"group":null}"#,
        ),
    ] {
        assert_eq!(line(format, &access), format!("{expected}\n"));
    }
    // No record is longer than its texts may be, and the cut is shown.
    for format in [LogFormat::Text, LogFormat::Json] {
        let long = line(format, &access(&vec![0xff; 100_000]));
        assert!(long.len() < 12_000 && long.contains(r"xff…"), "{}", long.len());
    }
}

/// Bytes that are likely to do harm, among others.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<Vec<u8>>(),
        any::<String>().prop_map(String::into_bytes),
        any::<char>().prop_map(|c| c.to_string().into_bytes()),
        prop::sample::select(vec![
            "\n",
            "\r\n",
            "\u{1b}[2J",
            "\"",
            "\\",
            "\u{2028}",
            "\u{202e}",
            "\u{2069}",
            "\u{9b}"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// What is escaped is one line, and nothing else would be shown the same: it can be read back.
    #[test]
    fn nothing_forges_a_line(text in hostile()) {
        let shown = escaped(&text);
        prop_assert!(is_one_line(&shown), "{shown:?}");
        prop_assert_eq!(unescaped(&shown), text);
    }

    /// Neither quote can be closed from within, in either format.
    #[test]
    fn nothing_forges_a_record(text in hostile()) {
        for format in [LogFormat::Text, LogFormat::Json] {
            let record = line(format, &access(&text));
            let body = record.strip_suffix('\n').expect("it ends with its line");
            prop_assert!(is_one_line(body), "{body:?}");
            let bare = body.replace(r"\\", "").replace(r#"\""#, "");
            let expected = line(format, &access(b"/")).matches('"').count();
            prop_assert_eq!(bare.matches('"').count(), expected, "{}", body);
        }
    }

    /// A JSON record is JSON, and what was UTF-8 comes back.
    #[cfg(feature = "json")]
    #[test]
    fn json_records_are_json(text in any::<String>(), bytes in hostile()) {
        prop_assert_eq!(selvedge::check_json(line(LogFormat::Json, &access(&bytes)).as_bytes(), 2), Ok(()));
        let string: String = serde_json::from_str(&json(text.as_bytes())).expect("a JSON string");
        prop_assert_eq!(string, text);
    }
}
