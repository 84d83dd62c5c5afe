//! Two readers of the same bytes, who disagree on where a request ends.

mod stage;

use selvedge::http1::{Head, Limits, Parser};
use selvedge::{Request, Router, Server};
use stage::client::Client;
use stage::picture::{Side, left, table};
use stage::{Stage, Verdict};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
/// What is to be smuggled past the gateway.
const SMUGGLED: &str = "GET /admin HTTP/1.1\r\nHost: shop\r\n\r\n";

// show: gateway
/// Bytes of the body: what the first Content-Length says.
fn gateway(head: &str, _: &[u8]) -> usize {
    for line in head.split("\r\n") {
        let line = line.to_lowercase();
        if let Some(length) = line.strip_prefix("content-length: ") {
            return length.parse().unwrap_or(0);
        }
    }
    0
}
// end

// show: application
/// Bytes of the body: all chunks, or what the last Content-Length says.
fn application(head: &str, rest: &[u8]) -> usize {
    let mut length = 0;
    for line in head.lines() {
        let (name, value) = line.split_once(':').unwrap_or_default();
        // The way CGI and WSGI write names.
        let name = name.trim().to_uppercase().replace('-', "_");
        if name == "TRANSFER_ENCODING" && value.contains("chunked") {
            return end_of_chunks(rest);
        }
        if name == "CONTENT_LENGTH" {
            length = digits(value.trim()).unwrap_or(0);
        }
    }
    length
}
// end

/// A way to say something that is read in two ways.
struct Trick {
    name: &'static str,
    /// The fields, where `{length}` stands for the length of all that follows the head.
    fields: &'static str,
    /// What comes before the smuggled request.
    before: &'static str,
}

const TRICKS: [Trick; 7] = [
    Trick {
        name: "length and chunks",
        fields: "Content-Length: {length}\r\nTransfer-Encoding: chunked",
        before: "0\r\n\r\n",
    },
    Trick { name: "two lengths", fields: "Content-Length: {length}\r\nContent-Length: 0", before: "" },
    Trick { name: "a signed length", fields: "Content-Length: +{length}", before: "" },
    Trick {
        name: "unknown coding",
        fields: "Content-Length: {length}\r\nTransfer-Encoding: xchunked",
        before: "0\r\n\r\n",
    },
    Trick {
        name: "space before :",
        fields: "Content-Length: {length}\r\nTransfer-Encoding : chunked",
        before: "0\r\n\r\n",
    },
    Trick { name: "field in disguise", fields: "Content-Length: {length}\r\nContent_Length: 0", before: "" },
    Trick {
        name: "half a line break",
        fields: "Content-Length: {length}\r\nX: y\nContent-Length: 0",
        before: "",
    },
];

fn main() -> ExitCode {
    let stage = Stage::open("smuggling");
    stage.say(
        "In front of an application stands a gateway that lets nobody ask for /admin. Requests go through both on one \
         connection, one after the other, so both must know where each of them ends. The attacker sends a request that \
         ends in one place for the one, and in another for the other.",
    );

    stage.part("The naive way");
    stage.say("The gateway, written by one team, and the application, written by another one:");
    stage.code(include_str!("smuggling.rs"), "gateway");
    stage.code(include_str!("smuggling.rs"), "application");
    stage.say(
        "Each does something sensible with what it gets. Here is what the attacker sends, and what each of them takes it for:",
    );
    let bytes = TRICKS[0].bytes();
    show_bytes(&stage, &bytes);
    stage.say(
        "The gateway has seen one request, for /search, and lets it pass. The application has seen two, and the second was \
         never checked by anybody. Its answer goes to whoever asks next on that connection.",
    );

    stage.part("Why");
    stage.say(
        "HTTP has several ways to say where a message ends, and each reader that is kind to a strange one is a reader that can \
         be told something else than its neighbour. Seven ways to say it, all read in two ways by these two:",
    );
    let server = Watched::start();
    let results: Vec<_> = TRICKS.iter().map(|trick| try_out(trick, &server)).collect();
    let rows: Vec<_> = results.iter().map(|result| result.row(&stage)).collect();
    stage.show(table([Side::Left; 3], ["trick", "seen as", "selvedge"], &rows));

    stage.part("What selvedge does");
    stage.say(
        "It is not kind. Whatever two readers could take in two ways is refused, and the connection is closed, as nobody can \
         tell any more where the next request begins. What is refused is never repaired, passed on or guessed at:",
    );
    stage.function(include_str!("../../src/http1/framing.rs"), "pub(super) fn framing");
    stage.say(&format!(
        "All {} went to a real server: one answer each, 400, then the end. /admin was asked for {} times.",
        TRICKS.len(),
        server.reached.load(Ordering::Relaxed)
    ));

    let smuggled = results.iter().filter(|result| result.smuggled()).count();
    let refused = results.iter().filter(|result| result.is_refused()).count();
    stage.end(&Verdict {
        naive_fell: smuggled == TRICKS.len(),
        naive: format!("{smuggled} of {} requests brought another one past the gateway", TRICKS.len()),
        ours_held: refused == TRICKS.len() && server.reached.load(Ordering::Relaxed) == 0,
        ours: format!("{refused} of {} refused, with 400 and the end of the connection", TRICKS.len()),
        read: ("src/http1/framing.rs", "`framing`: how a body is delimited, and what is refused"),
    })
}

/// Where the chunks end, the last one included.
fn end_of_chunks(rest: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let line = rest[at..].split(|byte| *byte == b'\n').next().unwrap_or_default();
        let size =
            std::str::from_utf8(line).ok().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let size = size.unwrap_or(0);
        at = (at + line.len() + 1 + size + 2).min(rest.len());
        if size == 0 {
            return at;
        }
    }
}

fn digits(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Trick {
    fn bytes(&self) -> String {
        let body = format!("{}{SMUGGLED}", self.before);
        let fields = self.fields.replace("{length}", &body.len().to_string());
        format!("POST /search HTTP/1.1\r\nHost: shop\r\n{fields}\r\n\r\n{body}")
    }
}

/// Where each request begins and where its body does, as one of the naive readers sees it.
fn requests(bytes: &str, body_length: fn(&str, &[u8]) -> usize) -> Vec<(usize, usize)> {
    let mut seen = Vec::new();
    let mut at = 0;
    while let Some(end) = bytes[at..].find("\r\n\r\n") {
        let body = at + end + 4;
        seen.push((at, body));
        at = (body + body_length(&bytes[at..body], &bytes.as_bytes()[body..])).min(bytes.len());
    }
    seen
}

/// A server of ours that knows how often it was asked for what it should not be.
struct Watched {
    server: Server,
    reached: Arc<AtomicUsize>,
}

impl Watched {
    fn start() -> Self {
        let reached = Arc::new(AtomicUsize::new(0));
        let counter = reached.clone();
        let router = Router::new().post("/search", |_: &mut Request| "nothing found\n").get(
            "/admin",
            move |_: &mut Request| {
                counter.fetch_add(1, Ordering::Relaxed);
                "the keys to everything\n"
            },
        );
        let server =
            Server::builder().bind("127.0.0.1:0").and_then(|builder| builder.serve(router)).expect("a port");
        Watched { server, reached }
    }
}

struct Tried {
    name: &'static str,
    gateway: usize,
    application: usize,
    /// What our parser says of it.
    reason: Option<&'static str>,
    /// What our server answered, before the connection ended.
    statuses: Vec<u16>,
}

fn try_out(trick: &Trick, server: &Watched) -> Tried {
    let bytes = trick.bytes();
    let parsed = Parser::new(Limits::default()).parse(bytes.as_bytes(), &mut Head::default());
    let address = server.server.local_addr().expect("it listens on TCP");
    let mut client = Client::connect(address, PATIENCE).expect("it listens");
    let _ = client.stream.write_all(bytes.as_bytes());
    let mut statuses = Vec::new();
    while let Ok(answer) = client.answer() {
        statuses.push(answer.status);
    }
    Tried {
        name: trick.name,
        gateway: requests(&bytes, gateway).len(),
        application: requests(&bytes, application).len(),
        reason: parsed.err().map(|refusal| refusal.reason),
        statuses,
    }
}

impl Tried {
    fn smuggled(&self) -> bool {
        (self.gateway, self.application) == (1, 2)
    }

    fn is_refused(&self) -> bool {
        self.reason.is_some() && self.statuses == [400]
    }

    fn row(&self, stage: &Stage) -> [String; 3] {
        let statuses: Vec<_> = self.statuses.iter().map(u16::to_string).collect();
        let ours = format!("{} {}", statuses.join(" "), self.reason.unwrap_or("accepted"));
        let seen = format!("{} or {}", self.gateway, stage.bad(&self.application.to_string()));
        [self.name.to_owned(), seen, stage.good(&ours)]
    }
}

fn show_bytes(stage: &Stage, bytes: &str) {
    let [front, back] = [gateway, application].map(|reader| requests(bytes, reader));
    let says = |seen: &[(usize, usize)], at: usize| -> String {
        let of = |place: Option<usize>| place.map_or(0, |place| place + 1);
        let starts = of(seen.iter().position(|(start, _)| *start == at));
        let body = of(seen.iter().position(|(_, body)| *body == at));
        match (starts, body) {
            (0, 0) => "│".to_owned(),
            (0, number) => format!("│ body of {number}"),
            (number, _) => format!("┌ request {number}"),
        }
    };
    stage.line("");
    stage.show([format!("{}{}application", left("", 32), left("gateway", 18))]);
    let mut at = 0;
    for line in bytes.split_inclusive("\r\n") {
        let text = line.trim_end();
        let text = if text.is_empty() { "⏎" } else { text };
        let (front, back) = (says(&front, at), says(&back, at));
        let back = if back == "┌ request 2" { stage.bad(&back) } else { back };
        stage.show([format!("{}{}{back}", left(text, 32), left(&front, 18))]);
        at += line.len();
    }
}
