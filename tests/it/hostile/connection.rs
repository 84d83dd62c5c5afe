//! Whole connections: whatever comes in, what goes out is one well-framed and sealed answer for each request and nothing
//! besides, and handlers get what was sent to them. An echo would show a request that was smuggled.

use super::cuts;
use super::talk::{Body, Event, builder, note, talk};
use selvedge::{Config, Exchange, Guard, Handler, HeaderValue, Plan, Refusal, Request, Response};
use selvedge::{Server, StatusCode};
use std::io::{Cursor, Read};
use std::sync::OnceLock;

/// Limits that are within reach.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let config = Config {
            max_body: 300,
            max_path: 40,
            max_request_line: 120,
            max_head: 400,
            max_headers: 8,
            ..Config::default()
        };
        builder(config).guard(Forbid).serve(Echo).expect("it starts")
    })
}

pub fn check(input: &[u8]) {
    let whole = talk(server(), input, &[], None);
    whole.follow(input, |message, content, answer| {
        let kind = kind(message.path());
        let echo =
            content.map(|content| [message.method, b" ", message.path(), b" ", &content.data].concat());
        match (answer.status, echo) {
            (200, _) if message.method == b"HEAD" => {}
            (200, Some(echo)) if kind != b'p' && kind != b'i' => assert_eq!(answer.body, echo),
            (200, _) => assert!(answer.body.starts_with(message.method)),
            (101, _) => assert!(kind == b'u' && message.method == b"GET" && message.minor > 0),
            (204 | 205 | 304, _) => assert!(answer.body.is_empty() && matches!(kind, b'2' | b'3' | b'5')),
            _ => {}
        }
    });
    if let Some(rest) = &whole.upgraded {
        assert!(input.ends_with(rest), "the other protocol got something else");
    }
    let each: Vec<_> = (1..input.len()).collect();
    for (name, cuts) in [("byte by byte", each), ("in pieces", cuts(input))] {
        let other = talk(server(), input, &cuts, None);
        assert_eq!(other.events, whole.events, "{name}");
        assert_eq!(other.essence(), whole.essence(), "{name}");
        assert_eq!((other.reason, &other.upgraded), (whole.reason, &whole.upgraded), "{name}");
    }
}

/// What is done with a request: the first letter of its path.
fn kind(path: &[u8]) -> u8 {
    path.get(1).copied().unwrap_or_default()
}

/// Answers with method, path and body, in as many ways as there are.
struct Echo;

impl Handler for Echo {
    fn handle(&self, request: &mut Request) -> Response {
        let kind = kind(request.path().as_bytes());
        let most = match kind {
            b'i' => 0,
            b'p' => 3,
            _ => u64::MAX,
        };
        let mut body = Vec::new();
        let read = request.body_reader().take(most).read_to_end(&mut body);
        let whole = read.is_ok() && most == u64::MAX;
        note(Event::Handled {
            body: if whole { Body::Whole(body.clone()) } else { Body::Begun(body.clone()) },
        });
        let echo = format!("{} {} ", request.method(), request.path()).into_bytes();
        let echo = [echo, body].concat();
        let len = echo.len() as u64;
        match kind {
            b'2' => Response::text(echo).with_status(StatusCode::NO_CONTENT),
            b'3' => Response::text(echo).with_status(StatusCode::NOT_MODIFIED),
            b'5' => Response::text(echo).with_status(StatusCode::RESET_CONTENT),
            b'4' => Response::problem(StatusCode::NOT_FOUND),
            b'c' => Response::text(echo).closing(),
            b'r' => Response::text(selvedge::Body::reader(Cursor::new(echo))),
            b'z' => Response::text(selvedge::Body::sized_reader(Cursor::new(echo), len)),
            b'h' => Response::text(echo)
                .with_header("content-length", "0")
                .with_header("transfer-encoding", "chunked")
                .with_header("connection", "close"),
            b'u' => Response::upgrade(HeaderValue::from_static("echo"), |mut stream| {
                let (mut said, mut client) = (Vec::new(), &mut stream);
                let _ = client.read_to_end(&mut said);
                let _ = std::io::Write::write_all(&mut client, &said);
            }),
            // Without the hook that reports panics, which the fuzzer takes for its own.
            b'x' => std::panic::resume_unwind(Box::new("a panic of the handler")),
            _ => Response::text(echo),
        }
    }

    fn plan(&self, request: &Request) -> Plan {
        let streams = matches!(kind(request.path().as_bytes()), b's' | b'i' | b'p');
        Plan { streams, ..Plan::default() }
    }
}

/// Refuses what begins with `/f`, whose body is then not read.
struct Forbid;

impl Guard for Forbid {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        match kind(exchange.request().path().as_bytes()) {
            b'f' => Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden")),
            _ => Ok(()),
        }
    }
}
