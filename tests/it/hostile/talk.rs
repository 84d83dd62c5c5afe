//! A whole connection in memory: bytes in, bytes out, and what the server made of them on the way.

use super::model::{Content, Framing, Message};
use crate::support::{Answer, Broken, Client};
use selvedge::clock::Clock;
use selvedge::server::Builder;
use selvedge::{CloseReason, Config, Exchange, Guard, Refusal, Response, Server, Stream};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// What the server did with a request, in the order in which it did it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The handler was called, and had this of the body.
    Handled { body: Body },
    /// It was answered.
    Sealed { method: String, path: String, status: u16, refusal: Option<Refusal> },
}

/// What a handler had of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Whole(Vec<u8>),
    /// It stopped reading, or could not go on.
    Begun(Vec<u8>),
}

/// What was said on a connection, by the server.
pub struct Talk {
    pub events: Vec<Event>,
    /// Final answers, one for each that was sealed.
    pub answers: Vec<Answer>,
    /// How many interim answers came before each of them, and one more number for those after the last.
    pub interim: Vec<usize>,
    /// Where the answers end and another protocol begins.
    pub upgraded: Option<Vec<u8>>,
    pub reason: CloseReason,
}

thread_local! {
    static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
}

/// For handlers: notes what they are given.
pub fn note(event: Event) {
    EVENTS.with_borrow_mut(|events| events.push(event));
}

/// Sees every answer.
pub struct Witness;

impl Guard for Witness {
    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        let request = exchange.request();
        note(Event::Sealed {
            method: request.method().to_string(),
            path: request.path().to_owned(),
            status: response.status().as_u16(),
            refusal: exchange.refusal(),
        });
    }
}

/// A server without listeners, on a clock that stands still, with what [`talk`] needs.
pub fn builder(config: Config) -> Builder {
    Server::builder().config(config).clock(Clock::manual()).guard(Witness)
}

/// Says all of `input`, in pieces that end at `cuts` or as the server asks for it, and then nothing more. The answers must
/// be whole, well framed and sealed, and one for each request.
pub fn talk(server: &Server, input: &[u8], cuts: &[usize], peer: Option<SocketAddr>) -> Talk {
    EVENTS.take();
    let said = Arc::new(Mutex::new(Vec::new()));
    let duplex = Duplex { input: input.into(), at: 0, cuts: cuts.into(), said: said.clone() };
    let reason = server.serve_connection(Stream::other(duplex), peer);
    assert_ne!(reason, CloseReason::Panicked, "a bug of ours");
    let output = said.lock().expect("whole").clone();
    let events = EVENTS.take();

    let mut client = Client::over(io::Cursor::new(output));
    let (mut answers, mut interim, mut upgraded) = (Vec::new(), vec![0], None);
    for event in &events {
        let Event::Sealed { method, status, .. } = event else { continue };
        assert!(upgraded.is_none(), "an answer after the protocol was changed");
        loop {
            let answer = client.read(method == "HEAD");
            let answer = answer.unwrap_or_else(|broken| panic!("{broken:?} instead of {event:?}"));
            if answer.status == 100 {
                *interim.last_mut().expect("one") += 1;
                continue;
            }
            assert_eq!(answer.status, *status, "not the answer that was sealed");
            if answer.status == 101 {
                upgraded = Some(client.rest());
            }
            answers.push(answer);
            interim.push(0);
            break;
        }
    }
    while upgraded.is_none() {
        match client.read(false) {
            Ok(answer) if answer.status == 100 => *interim.last_mut().expect("one") += 1,
            Ok(answer) => panic!("an answer that nobody sealed: {answer:?}"),
            Err(broken) => {
                assert_eq!(broken, Broken::Ended, "half an answer at the end");
                break;
            }
        }
    }
    Talk { events, answers, interim, upgraded, reason }
}

impl Talk {
    /// What must be the same however the bytes came: everything but times and numbers that are drawn.
    pub fn essence(&self) -> Vec<Answer> {
        let plain = |answer: &Answer| {
            let id = answer.field("x-request-id").unwrap_or_default();
            let body = String::from_utf8_lossy(&answer.body).replace(id, "ID").into_bytes();
            let fields = answer.fields.iter().filter(|(name, _)| name != "date" && name != "x-request-id");
            Answer { status: answer.status, fields: fields.cloned().collect(), body }
        };
        self.answers.iter().map(plain).collect()
    }

    /// Goes through `input` with the model: there is one answer for each of its requests, in their order, and for nothing
    /// else; what handlers got is what was sent; after what ends the connection nothing more is answered; and before that
    /// no whole request is left without an answer. `check` is shown each request that was understood, with its body if
    /// that is whole, and its answer.
    pub fn follow(&self, input: &[u8], mut check: impl FnMut(&Message<'_>, Option<&Content<'_>>, &Answer)) {
        let (mut rest, mut handled, mut number) = (input, None, 0);
        for event in &self.events {
            let (method, path, refusal) = match event {
                Event::Handled { body } => {
                    assert!(handled.replace(body).is_none(), "handled twice");
                    continue;
                }
                Event::Sealed { method, path, refusal, .. } => (method, path, refusal),
            };
            let (answer, interim) = (&self.answers[number], self.interim[number]);
            number += 1;
            let is_last = number == self.answers.len();
            let ends = answer.closes() || answer.status == 101;
            assert!(is_last || !ends, "an answer after the end: {:?}", self.answers);

            let message = Message::read(rest);
            let closing = refusal.is_some_and(|refusal| refusal.close);
            assert!(!closing || answer.closes(), "a refusal that leaves the connection open: {answer:?}");
            let body = handled.take();
            if closing && body.is_none() {
                assert!(interim <= 1, "asked for twice");
                continue;
            }
            let message = message.unwrap_or_else(|| panic!("{answer:?} to what is no request"));
            assert_eq!((method.as_bytes(), path.as_bytes()), (message.method, message.path()));
            rest = &rest[message.len..];
            let content = message.content(rest);
            match (body, &content) {
                (Some(Body::Whole(body)), Some(content)) => assert_eq!(*body, content.data, "another body"),
                (Some(Body::Whole(body)), None) => panic!("handled {body:?}, which was not sent"),
                (Some(Body::Begun(body)), Some(content)) => assert!(content.data.starts_with(body)),
                _ => {}
            }
            let may_ask = message.lists("expect", "100-continue") && message.minor > 0;
            assert!(interim <= usize::from(may_ask), "asked for a body: {interim} of {message:?}");
            // A client that waits to be asked for its body may send it unasked, or not at all: nobody could tell.
            let has_body = !matches!(message.framing, Framing::None | Framing::Length(0));
            let is_left = refusal.is_some() || matches!(body, Some(Body::Begun(_)));
            assert!(
                ends || !(is_left && may_ask && has_body),
                "goes on behind what may be a body: {message:?}"
            );
            check(&message, content.as_ref(), answer);
            assert!(content.is_some() || is_last, "went on after a body without an end");
            rest = content.map_or(&[], |content| &rest[content.len..]);
            if ends {
                return;
            }
        }
        let ended = self.answers.last().is_some_and(Answer::closes);
        let unanswered =
            Message::read(rest).filter(|message| message.content(&rest[message.len..]).is_some());
        assert!(ended || unanswered.is_none(), "without an answer: {unanswered:?}");
    }
}

/// What a client sends and what it is answered.
struct Duplex {
    input: Vec<u8>,
    at: usize,
    cuts: Vec<usize>,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Read for Duplex {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.cuts.iter().copied().find(|&cut| cut > self.at).unwrap_or(self.input.len());
        let count = (&self.input[self.at..next.min(self.input.len())]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

impl Write for Duplex {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.said.lock().expect("whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
