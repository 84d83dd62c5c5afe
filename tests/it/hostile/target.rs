//! Targets of requests and the paths in them: what is accepted has no control character, no escape that is none, no segment
//! that climbs, and means the same to whoever decodes it.

use super::model::Message;
use super::talk::{builder, talk};
use selvedge::{Config, Request, Server};
use std::sync::OnceLock;

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let config = Config { max_path: 100, ..Config::default() };
        let text = |request: &mut Request| {
            // What is built from it for handlers is the same again.
            let (uri, path) = (request.uri().clone(), request.path().to_owned());
            let all = request.query().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
            if path != "*" {
                assert_eq!(uri.path_and_query().map_or("", |both| both.as_str()), all);
            }
            all
        };
        builder(config).serve(text).expect("it starts")
    })
}

pub fn check(target: &[u8]) {
    let request = [b"OPTIONS ", target, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    let talk = talk(server(), &request, &[], None);
    talk.follow(&request, |_, _, _| ());
    let handled = talk.answers.first().filter(|answer| answer.status == 200);
    #[cfg(feature = "files")]
    below(target);
    let Some(answer) = handled else { return };
    // Whoever puts spaces into a target can make more than one request of it.
    let Some(message) = Message::read(&request) else { panic!("accepted {}", target.escape_ascii()) };
    let path = message.path();
    assert!(path.len() <= 100 && answer.body.starts_with(path));
    let decoded = decode(path).unwrap_or_else(|| panic!("accepted {}", path.escape_ascii()));
    assert!(!decoded.iter().any(u8::is_ascii_control), "{}", path.escape_ascii());
    let mut segments = decoded.split(|byte| matches!(byte, b'/' | b'\\'));
    assert!(!segments.any(|segment| segment == b".."), "{}", path.escape_ascii());
}

/// What names a file is what remains when escapes are decoded once, and nothing that leads elsewhere.
#[cfg(feature = "files")]
fn below(path: &[u8]) {
    use selvedge::service::files::Below;
    let Some(below) = Below::decode(path) else { return };
    let decoded = decode(path).unwrap_or_else(|| panic!("served {}", path.escape_ascii()));
    let names = decoded.strip_prefix(b"/").expect("it begins at the root");
    assert_eq!(below.is_directory(), path.ends_with(b"/"));
    assert_eq!(
        below.as_bytes(),
        if below.is_directory() { names.strip_suffix(b"/").unwrap_or(names) } else { names }
    );
    let mut count = 0;
    for name in below.names() {
        count += 1;
        assert!(!name.is_empty() && !name.contains(&b'/') && !name.contains(&0));
        assert!(!name.starts_with(b".") || name == b".well-known", "hidden: {}", name.escape_ascii());
    }
    // A slash that was not one when the path was cut must not have become one.
    let segments = path.split(|&byte| byte == b'/').skip(1).count();
    assert_eq!(count, segments - usize::from(below.is_directory()));
}

/// A text without its escapes; `None` if one of them is none.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut parts = text.split(|&byte| byte == b'%');
    decoded.extend_from_slice(parts.next()?);
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        decoded.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        decoded.extend_from_slice(&part[2..]);
    }
    Some(decoded)
}
