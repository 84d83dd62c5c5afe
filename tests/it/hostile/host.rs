//! Who is asked, in Host and in an absolute target: a list of hosts lets nobody else in, however it is spelt.

use super::model::trimmed;
use super::talk::{builder, talk};
use selvedge::{Config, Request, Server};
use std::net::Ipv6Addr;
use std::sync::OnceLock;

const ALLOWED: [&str; 2] = ["example.org", "[::1]"];

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let config = Config { allow_hosts: ALLOWED.map(String::from).into(), ..Config::default() };
        let who = |request: &mut Request| request.authority().unwrap_or_default().to_owned();
        builder(config).serve(who).expect("it starts")
    })
}

pub fn check(host: &[u8]) {
    // Whoever writes lines writes more than a host; that is for other targets.
    if host.contains(&b'\n') {
        return;
    }
    let named = [b"GET / HTTP/1.1\r\nHost: ", host, b"\r\n\r\n"].concat();
    let absolute = [b"GET http://", host, b"/ HTTP/1.1\r\nHost: example.org\r\n\r\n"].concat();
    for (request, is_absolute) in [(named, false), (absolute, true)] {
        let talk = talk(server(), &request, &[], None);
        talk.follow(&request, |_, _, _| ());
        // What has been understood is let in or not.
        let answer = talk.answers.first().filter(|answer| matches!(answer.status, 200 | 421));
        // What follows a slash or a question mark is no more of the target's host.
        if is_absolute && host.iter().any(|byte| matches!(byte, b'/' | b'?')) {
            continue;
        }
        let Some(answer) = answer else { continue };
        let authority = str::from_utf8(if is_absolute { host } else { trimmed(host) }).expect("ASCII");
        let (name, port) = parts(authority).unwrap_or_else(|| panic!("accepted {authority}"));
        assert!(port.is_empty() || port.parse::<u16>().is_ok(), "accepted {authority}");
        assert!(is_host(name), "accepted {authority}");
        let is_allowed = ALLOWED.iter().any(|allowed| allowed.eq_ignore_ascii_case(name));
        assert_eq!(answer.status == 200, is_allowed, "{authority}");
        assert!(!is_allowed || answer.body == authority.as_bytes(), "{answer:?}");
    }
}

/// The name, with its brackets, and the port.
fn parts(authority: &str) -> Option<(&str, &str)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (name, rest) = authority.split_at(end);
    Some((name, if rest.is_empty() { "" } else { rest.strip_prefix(':')? }))
}

fn is_host(name: &str) -> bool {
    if let Some(literal) = name.strip_prefix('[') {
        return literal.strip_suffix(']').is_some_and(|literal| literal.parse::<Ipv6Addr>().is_ok());
    }
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%".contains(&byte);
    !name.is_empty() && name.bytes().all(is_known) && super::target::decode(name.as_bytes()).is_some()
}
