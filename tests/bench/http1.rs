//! Heads in, heads out.

use crate::timing::report;
use selvedge::http1::encode::{Length, Outgoing, Persistence};
use selvedge::http1::{Head, Limits, Parser, encode};
use selvedge::{HeaderMap, StatusCode};

pub const BROWSER: &[u8] = b"GET /index.html?q=1 HTTP/1.1\r\nHost: example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Connection: keep-alive\r\nCookie: theme=dark; consent=1\r\nUpgrade-Insecure-Requests: 1\r\n\r\n";
pub const BARE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

pub fn run(rounds: usize) {
    for (name, message) in [("parse a bare head", BARE), ("parse a browser's head, 8 fields", BROWSER)] {
        let mut parser = Parser::new(Limits::default());
        let mut head = Head::default();
        report(name, rounds, 100_000, || {
            parser.reset();
            parser.parse(message, &mut head).is_ok()
        });
    }
    let (mut out, fields) = (Vec::new(), HeaderMap::new());
    report("encode a head", rounds, 100_000, || {
        out.clear();
        let answer = Outgoing {
            status: StatusCode::OK,
            content_type: None,
            fields: Some(&fields),
            length: Length::Known(1166),
            persistence: Persistence::Implied,
            date: b"Sun, 06 Nov 1994 08:49:37 GMT",
            request_id: 7,
            standing: None,
        };
        encode::head(&mut out, &answer);
        out.len()
    });
}
