//! Where requests end: `cargo run --example boundaries`, which reads connections from standard input, each a length of four
//! bytes (the highest first) and as many bytes, and says of each in a line of JSON which requests were made on it, with their
//! bodies in hexadecimal, and how it ended. `scripts/differential` compares that with what others say.

use selvedge::{CloseReason, Config, Exchange, Guard, Request, Response, Server, Stream};
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// What has been seen of the connection at hand.
type Seen = Arc<Mutex<Log>>;

#[derive(Default)]
struct Log {
    /// What the handler was given, for the answer that follows.
    body: Option<Vec<u8>>,
    requests: Vec<String>,
    /// Status and reason of the refusal that ended it.
    refused: Option<(u16, &'static str)>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seen = Seen::default();
    let for_handler = seen.clone();
    let handler = move |request: &mut Request| {
        with(&for_handler, |log| log.body = Some(request.body().to_vec()));
        "served"
    };
    let config = Config { max_path: 8 << 10, ..Config::default() };
    let server = Server::builder().config(config).guard(Witness(seen.clone())).serve(handler)?;

    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut len = [0; 4];
    while input.read_exact(&mut len).is_ok() {
        let mut bytes = vec![0; u32::from_be_bytes(len) as usize];
        input.read_exact(&mut bytes)?;
        let reason = server.serve_connection(Stream::other(Connection(Cursor::new(bytes))), None);
        let log = with(&seen, std::mem::take);
        let end = match (log.refused, reason) {
            (Some((status, reason)), _) => format!("\"refused\",\"status\":{status},\"reason\":\"{reason}\""),
            // The client's own wish, or that of HTTP/1.0.
            (None, CloseReason::Finished) => "\"closed\"".into(),
            (None, _) => "\"open\"".into(),
        };
        writeln!(output, "{{\"requests\":[{}],\"end\":{end}}}", log.requests.join(","))?;
    }
    Ok(())
}

/// Sees what becomes of every request.
struct Witness(Seen);

impl Guard for Witness {
    fn seal(&self, exchange: &Exchange, _: &mut Response) {
        let request = exchange.request();
        with(&self.0, |log| {
            let body = log.body.take();
            if let Some(refusal) = exchange.refusal().filter(|refusal| refusal.close) {
                log.refused = Some((refusal.status.as_u16(), refusal.reason));
                return;
            }
            // Of a request that a guard has refused, such as for its path, the body was not kept.
            let body = body.map_or("null".into(), |body| format!("\"{}\"", hexadecimal(&body)));
            let target = match request.query() {
                Some(query) => format!("{}?{query}", request.path()),
                None => request.path().to_owned(),
            };
            // Neither has a quote or a backslash in it.
            log.requests.push(format!("[\"{}\",\"{target}\",{body}]", request.method()));
        });
    }
}

fn with<T>(seen: &Seen, look: impl FnOnce(&mut Log) -> T) -> T {
    look(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// What a client sends, and nowhere for what it is answered.
struct Connection(Cursor<Vec<u8>>);

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
