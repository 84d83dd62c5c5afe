//! Answers: whatever handlers put into one, it is read as one message that says what they said, framed once.

use super::model::{self, Framing, trimmed};
use arbitrary::{Result, Unstructured};
use selvedge::http1::encode::{self, Length, Outgoing, Persistence, StandingFields};
use selvedge::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Names that the server has its own mind about, and others.
const NAMES: [&str; 13] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "upgrade",
    "date",
    "x-request-id",
    "host",
    "server",
    "set-cookie",
    "trailer",
    "x",
];

/// Those of them that handlers have no say about.
const OWNED: usize = 6;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

pub fn check(bytes: &[u8]) {
    // What the bytes do not suffice for is no answer.
    let _ = answer(&mut Unstructured::new(bytes));
}

fn answer(choices: &mut Unstructured<'_>) -> Result<()> {
    let status = StatusCode::from_u16(choices.int_in_range(100..=999)?).expect("three digits");
    let (fields, standing, trailers) = (map(choices)?, map(choices)?, map(choices)?);
    let lengths = [
        Length::None,
        Length::Known(u64::from(choices.arbitrary::<u16>()?)),
        Length::Chunked,
        Length::UntilClose,
    ];
    let length = *choices.choose(&lengths)?;
    let all = [Persistence::Implied, Persistence::KeepAlive, Persistence::Close, Persistence::Upgrade];
    let persistence = *choices.choose(&all)?;
    let data = choices.bytes(choices.len())?;

    let lines = standing.iter().map(|(name, value)| (name.clone(), value.clone()));
    let mut out = Vec::new();
    encode::head(
        &mut out,
        &Outgoing {
            status,
            content_type: None,
            fields: Some(&fields),
            length,
            persistence,
            date: DATE,
            request_id: 7,
            standing: Some(&StandingFields::new(lines)),
        },
    );
    let (line, rest) = model::line(&out).expect("a status line");
    assert_eq!(line.get(..13), Some(format!("HTTP/1.1 {} ", status.as_str()).as_bytes()));
    let (found, rest) = model::fields(rest).expect("fields");
    assert!(rest.is_empty(), "more than one head: {}", out.escape_ascii());
    let values = |name: &str| {
        let named = found.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| *value).collect::<Vec<_>>()
    };

    // How it is framed is said once, by the server.
    let has_body = !status.is_informational() && !matches!(status.as_u16(), 204 | 304);
    let number = match length {
        Length::None => Some("0".to_owned()),
        Length::Known(length) => Some(length.to_string()),
        _ => None,
    };
    assert_eq!(values("content-length"), one(number.as_deref().filter(|_| has_body)));
    assert_eq!(
        values("transfer-encoding"),
        one((length == Length::Chunked && has_body).then_some("chunked"))
    );
    let stays = match persistence {
        _ if length == Length::UntilClose => Some("close"),
        Persistence::Implied | Persistence::Upgrade => None,
        Persistence::KeepAlive => Some("keep-alive"),
        Persistence::Close => Some("close"),
    };
    // What a client can change to, whoever asks it to.
    let offers =
        persistence == Persistence::Upgrade || status.as_u16() == 426 && fields.contains_key("upgrade");
    let options: Vec<_> = stays.into_iter().chain(offers.then_some("upgrade")).collect();
    let connection = options.join(", ");
    assert_eq!(values("connection"), one(Some(&*connection).filter(|_| !options.is_empty())));
    // All else is the handler's, and then what stands on every answer.
    for (at, name) in NAMES.iter().enumerate() {
        let given = |map: &HeaderMap| map.contains_key(*name);
        let source = match (*name, given(&fields)) {
            _ if at < OWNED && (*name != "upgrade" || !offers) => continue,
            (_, true) | ("upgrade", _) => &fields,
            ("date" | "x-request-id", false) => {
                assert_eq!(values(name).len(), 1, "{name}");
                continue;
            }
            (_, false) => &standing,
        };
        let said: Vec<_> = source.get_all(*name).iter().map(|value| trimmed(value.as_bytes())).collect();
        assert_eq!(values(name), said, "{name}");
    }
    let known = |name: &&[u8]| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    assert!(found.iter().map(|(name, _)| *name).all(|name| known(&name)), "fields from nowhere");

    // A body in chunks is what was put into it, and its trailers do not frame it.
    let mut body = Vec::new();
    data.chunks(1 + data.len() / 3).for_each(|piece| encode::chunk(&mut body, piece));
    encode::last_chunk(&mut body, Some(&trailers));
    let content = model::chunks(&body).expect("whole chunks");
    assert_eq!((content.len, &content.data[..]), (body.len(), data));
    let said = trailers.iter().filter(|(name, _)| NAMES[OWNED..].contains(&name.as_str()) && *name != "host");
    assert_eq!(content.trailers.len(), said.count(), "{}", body.escape_ascii());
    assert_eq!(model::framing(&content.trailers, b'1'), Some(Framing::None));
    Ok(())
}

fn one(value: Option<&str>) -> Vec<&[u8]> {
    value.map(str::as_bytes).into_iter().collect()
}

/// A few fields with such names, and values of whatever a value may hold.
fn map(choices: &mut Unstructured<'_>) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for _ in 0..choices.int_in_range(0..=4)? {
        let name = HeaderName::from_static(choices.choose(&NAMES)?);
        let len = choices.int_in_range(0..=12)?;
        if let Ok(value) = HeaderValue::from_bytes(choices.bytes(len)?) {
            map.append(name, value);
        }
    }
    Ok(map)
}
