//! The limit of the model: one thread per connection, a fixed answer, nothing parsed.
//!
//! `bare_loop ADDR BODY_BYTES ANSWER_BYTES [close]` answers whatever ends in an empty line with `ANSWER_BYTES` in
//! all, `BODY_BYTES` of them body; with `close` every connection ends after its first answer.
//! No blocking server of this kind can be faster, so it is what `scripts/bench` compares with.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

const STACK: usize = 64 * 1024;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [addr, body, answer, rest @ ..] = args.as_slice() else { return usage() };
    let (Ok(body), Ok(answer)) = (body.parse(), answer.parse()) else { return usage() };
    let close = match rest {
        [] => false,
        [word] if word == "close" => true,
        _ => return usage(),
    };
    match serve(addr, &fixed_answer(body, answer, close).into(), close) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare_loop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(addr: &str, answer: &Arc<[u8]>, close: bool) -> io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    loop {
        let (stream, _) = listener.accept()?;
        let answer = Arc::clone(answer);
        // A client that goes away ends its own thread, nothing else.
        thread::Builder::new().stack_size(STACK).spawn(move || converse(stream, &answer, close))?;
    }
}

/// The whole life of a connection.
fn converse(mut stream: TcpStream, answer: &[u8], close: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            n => filled += n,
        }
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            stream.write_all(answer)?;
            filled = 0;
            if close {
                return Ok(());
            }
        }
    }
}

/// A header field makes up for the security headers that a real answer carries.
fn fixed_answer(body: usize, answer: usize, close: bool) -> Vec<u8> {
    let close = if close { "connection: close\r\n" } else { "" };
    let mut head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {body}\r\n{close}x-pad: ");
    let missing = answer.saturating_sub(head.len() + 4 + body);
    head.extend(std::iter::repeat_n('x', missing));
    head += "\r\n\r\n";
    head.extend(std::iter::repeat_n('x', body));
    head.into_bytes()
}

fn usage() -> ExitCode {
    eprintln!("usage: bare_loop ADDR BODY_BYTES ANSWER_BYTES [close]");
    ExitCode::from(2)
}
