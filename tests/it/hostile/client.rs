//! Who is asking: whatever a client says about itself, what the trusted proxy next to us adds decides.

use super::talk::{builder, talk};
use crate::support::Answer;
use selvedge::{AddressSource, Config, Request, Server};
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

/// Servers that trust 10.0.0.0/8, by what they read.
fn servers() -> &'static [Server; 2] {
    static SERVERS: OnceLock<[Server; 2]> = OnceLock::new();
    SERVERS.get_or_init(|| {
        [AddressSource::XForwardedFor, AddressSource::Forwarded].map(|client_ip_from| {
            let trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
            let config = Config { client_ip_from, trusted_proxies, ..Config::default() };
            let who = |request: &mut Request| {
                let claims = request.headers().keys().filter(|name| is_claim(name.as_str())).count();
                format!("{:?} {} {claims}", request.client_address(), request.is_secure())
            };
            builder(config).serve(who).expect("it starts")
        })
    })
}

const PROXY: &str = "10.1.2.3";
const CLIENT: &str = "203.0.113.7";

/// What a client has put into the field, in any number of lines, follows a byte that says which field it is and whether the
/// proxy adds its word to the last line or in one of its own.
pub fn check(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let (server, name, word) = match choice % 2 {
        0 => (&servers()[0], "X-Forwarded-For", CLIENT.to_owned()),
        _ => (&servers()[1], "Forwarded", format!("for={CLIENT};proto=http")),
    };
    let joined = choice & 2 == 0;
    let mut request = b"GET / HTTP/1.1\r\nHost: h\r\n".to_vec();
    let mut lines = bytes.split(|&byte| byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let add = if joined && lines.peek().is_none() { format!(", {word}") } else { String::new() };
        request.extend([name.as_bytes(), b": ", line, add.as_bytes(), b"\r\n"].concat());
    }
    if !joined {
        request.extend(format!("{name}: {word}\r\n").into_bytes());
    }
    request.extend(b"\r\n");

    let Some((address, secure)) = ask(server, &request, PROXY) else { return };
    assert_eq!(address, Some(ip(CLIENT)), "what the proxy says counts");
    assert!(!secure, "it came over plain HTTP");
    // Who is not trusted has no say at all.
    assert_eq!(ask(server, &request, CLIENT), Some((Some(ip(CLIENT)), false)));
}

/// The address and whether it came over TLS, as handlers are told, if the request is handled.
fn ask(server: &Server, request: &[u8], peer: &str) -> Option<(Option<IpAddr>, bool)> {
    let talk = talk(server, request, &[], Some(SocketAddr::new(ip(peer), 1)));
    talk.follow(request, |_, _, _| ());
    let answer = talk.answers.first().filter(|answer| answer.status == 200)?;
    let text = Answer::text(answer);
    let (address, rest) = text.rsplit_once(' ').and_then(|(rest, claims)| {
        let (address, secure) = rest.rsplit_once(' ')?;
        Some((address, (secure, claims)))
    })?;
    assert!(ip(peer) == ip(PROXY) || rest.1 == "0", "claims of a stranger reach the handler");
    let address = address.strip_prefix("Some(").and_then(|address| address.strip_suffix(')'));
    Some((address.map(ip), rest.0 == "true"))
}

fn is_claim(name: &str) -> bool {
    name == "forwarded" || name.starts_with("x-forwarded-")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
