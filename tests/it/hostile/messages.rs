//! Well-formed requests, one behind the other: each is understood, whatever its method, its target, its fields, the way its
//! body is framed and the way it is cut, and answered with its echo.

use super::cuts;
use super::talk::{Body, Event, builder, note, talk};
use arbitrary::{Result, Unstructured};
use selvedge::{Config, Request, Response, Server};
use std::fmt::Write;
use std::io::Read;
use std::sync::OnceLock;

const METHODS: [&str; 6] = ["GET", "POST", "HEAD", "OPTIONS", "DELETE", "X-!#$%&'*+.^_`|~9"];
const TARGETS: [&str; 8] =
    ["/", "/a/b.c?d=e&f", "/%41%20~/;p=q", "http://h", "http://H:443/x", "http://h?q", "/a..b/...", "/?/../"];
const NAMES: [&str; 5] = ["Accept", "x-y", "COOKIE", "Via", "!#$%&'*+-.^_`|~09azAZ"];

/// A request as it is written, and as it is meant.
struct Made {
    bytes: Vec<u8>,
    head_only: bool,
    echo: Vec<u8>,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let echo = |request: &mut Request| {
            let mut body = Vec::new();
            request.body_reader().read_to_end(&mut body).expect("it is there");
            note(Event::Handled { body: Body::Whole(body.clone()) });
            let mut echo = format!("{} {}", request.method(), request.path());
            for (name, value) in request.trailers().into_iter().flatten() {
                let _ = write!(echo, " {name}={}", value.to_str().unwrap_or("?"));
            }
            Response::text([echo.into_bytes(), body].concat())
        };
        builder(Config::default()).serve(echo).expect("it starts")
    })
}

pub fn check(bytes: &[u8]) {
    let mut choices = Unstructured::new(bytes);
    let mut made = Vec::new();
    while made.len() < 8 && !choices.is_empty() {
        match request(&mut choices) {
            Ok(request) => made.push(request),
            Err(_) => break,
        }
    }
    let input = made.iter().map(|made| &made.bytes[..]).collect::<Vec<_>>().concat();
    for cuts in [Vec::new(), cuts(&input)] {
        let talk = talk(server(), &input, &cuts, None);
        talk.follow(&input, |_, _, _| ());
        assert_eq!(talk.answers.len(), made.len(), "{:?} for {}", talk.answers, input.escape_ascii());
        for (answer, made) in talk.answers.iter().zip(&made) {
            assert_eq!(answer.status, 200, "{}", made.bytes.escape_ascii());
            let expected = if made.head_only { &[] } else { &made.echo[..] };
            assert_eq!(answer.body, expected, "{}", made.bytes.escape_ascii());
        }
    }
}

fn request(choices: &mut Unstructured<'_>) -> Result<Made> {
    let method = *choices.choose(&METHODS)?;
    let target = *choices.choose(&TARGETS)?;
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n");
    if choices.ratio(1, 8)? {
        head.insert_str(0, "\r\n");
    }
    for _ in 0..choices.int_in_range(0..=3)? {
        let (before, after) = (*choices.choose(&["", " ", "\t", "  "])?, *choices.choose(&["", " ", "\t "])?);
        let name = choices.choose(&NAMES)?;
        let value = choices.choose(&["", "b", "b, c;d=\"e\"", "a:b", "\u{e9}", "x\ty"])?;
        let _ = write!(head, "{name}:{before}{value}{after}\r\n");
    }
    if choices.ratio(1, 4)? {
        head += "expect: 100-continue\r\n";
    }
    let len = choices.int_in_range(0..=200)?;
    let data = choices.bytes(usize::min(len, choices.len()))?;
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("/".into(), |(_, path)| format!("/{path}")),
        None => target.split('?').next().unwrap_or_default().to_owned(),
    };
    let mut echo = format!("{method} {path}");
    let (mut body, mut trailers) = (Vec::new(), "");
    match choices.int_in_range(0..=2)? {
        0 if data.is_empty() => {}
        0 | 1 => {
            let _ = write!(head, "content-length:{:03}\r\n", data.len());
            body.extend_from_slice(data);
        }
        _ => {
            head += "Transfer-Encoding: Chunked\r\n";
            let extension = *choices.choose(&["", ";a", ";a=b", "; a=\"b c\"", ";a;b=c"])?;
            let size = choices.int_in_range(1..=30)?;
            for piece in data.chunks(size) {
                body.extend(
                    format!("{:0width$X}{extension}\r\n", piece.len(), width = 1 + size % 8).into_bytes(),
                );
                body.extend([piece, b"\r\n"].concat());
            }
            trailers = choices.choose(&["", "digest: x\r\n", "a:b\r\nc: \t\r\n"])?;
            body.extend(format!("00{extension}\r\n{trailers}\r\n").into_bytes());
        }
    }
    for line in trailers.lines() {
        let (name, value) = line.split_once(':').expect("it is ours");
        let _ = write!(echo, " {name}={}", value.trim());
    }
    let bytes = [head.as_bytes(), b"\r\n", &body].concat();
    Ok(Made { bytes, head_only: method == "HEAD", echo: [echo.as_bytes(), data].concat() })
}
