//! Requests that cost the server far more than their sender.

mod stage;

use selvedge::{Request, Server, StatusCode, check_json};
use stage::child::{self, Child};
use stage::client::Client;
use stage::naive::page;
use stage::picture::{Side, bytes, cut, table};
use stage::{Stage, Verdict};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// What a container might give a server.
const MEMORY: u64 = 512 << 20;
/// What one attack sends at the most.
const MOST: u64 = 700 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

// show: length
fn read_length(length: usize, from: &mut impl Read) -> Vec<u8> {
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok();
    body
}
// end

// show: json
fn skip_value(text: &mut &[u8]) {
    while let Some((first, rest)) = text.split_first() {
        *text = rest;
        match first {
            b'[' => skip_value(text), // a list in a list
            b']' => return,
            _ => {}
        }
    }
}
// end

// show: chunks
fn read_chunks(from: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(size @ 1..) = read_chunk_size(from) {
        let mut chunk = vec![0; size];
        from.read_exact(&mut chunk).ok();
        body.append(&mut chunk);
        from.read_line(&mut String::new()).ok(); // the line's end
    }
    body
}
// end

// show: ours
fn answer(request: &mut Request) -> StatusCode {
    match check_json(request.body(), 64) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}
// end

#[derive(Clone, Copy)]
enum Attack {
    Length,
    Brackets,
    Chunks,
}

/// What one attack did to one server.
struct Outcome {
    sent: u64,
    status: Option<u16>,
    /// What the server's memory grew by.
    grew: u64,
    /// How it ended, if it did.
    ended: Option<String>,
}

fn main() -> ExitCode {
    if let Some(role) = child::role() {
        return run_child(&role);
    }
    let stage = Stage::open("memory");
    stage.say(
        "A server has to keep what its clients send. What if they announce more than they have, or never stop? Each \
         server here is a process of its own that may have 512 MiB, so that what kills it does not kill the lesson.",
    );
    let mut rows = Vec::new();
    let mut outcomes = Vec::new();

    stage.part("First attack: a number");
    stage.say("The head of a request announces four thousand million bytes, and that is all of it:");
    stage.show([stage.dim("POST / HTTP/1.1 ⏎  Host: localhost ⏎  Content-Length: 4000000000 ⏎  ⏎")]);
    stage.say("The naive server believes it, before the first byte has come:");
    stage.code(include_str!("memory.rs"), "length");
    outcomes.push(attack(&stage, Attack::Length, "a length of 4 GB", &mut rows));
    stage.say(
        "In Rust a failed allocation ends the process; no `catch_unwind` helps, and all other clients go with it. (Where there \
         is no limit, Linux promises more than it has, and kills somebody when it is used.) Selvedge \
         answers 413 by the number alone, and of a body that is within the limit it takes memory for what has come, not for \
         what is announced.",
    );

    stage.part("Second attack: brackets");
    stage.say("A million times `[`, which is within every limit on the size. A parser that calls itself for what is nested:");
    stage.code(include_str!("memory.rs"), "json");
    outcomes.push(attack(&stage, Attack::Brackets, "a million brackets", &mut rows));
    stage.say(
        "Each call takes a piece of the thread's stack, and its end cannot be caught either. (Python counts its calls and \
         raises RecursionError, if you remember to catch it.) Selvedge counts brackets in a loop before it parses anything; past \
         64 the text is refused:",
    );
    stage.code(include_str!("memory.rs"), "ours");

    stage.part("Third attack: no end");
    stage.say(
        "A body may come in chunks, each with its own size, and ends with one of size zero. This one does not end:",
    );
    stage.code(include_str!("memory.rs"), "chunks");
    outcomes.push(attack(&stage, Attack::Chunks, "chunks without an end", &mut rows));
    stage.say(
        "Selvedge's decoder keeps nothing: it says where in its input the data is, and how much may yet come. What is kept is \
         drawn from a budget that all requests share, so that many bodies within the limit are not too much together either.",
    );

    stage.part("All three");
    stage.line("");
    let sides = [Side::Left, Side::Right, Side::Left, Side::Left];
    stage.show(table(sides, ["attack", "sent", "naive", "selvedge"], &rows));

    let killed = outcomes.iter().filter(|(naive, _)| naive.ended.is_some()).count();
    let held = outcomes.iter().filter(|(_, ours)| ours.ended.is_none() && ours.grew < 16 << 20);
    let refused = held.filter(|(_, ours)| matches!(ours.status, Some(400 | 413))).count();
    let grew = outcomes.iter().map(|(_, ours)| ours.grew).max().unwrap_or(0);
    stage.end(&Verdict {
        naive_fell: killed == outcomes.len(),
        naive: format!("killed by {killed} of {} attacks, one client each", outcomes.len()),
        ours_held: refused == outcomes.len(),
        ours: format!("{refused} of {} refused, for {} at the most", outcomes.len(), bytes(grew)),
        read: ("src/http1/body.rs", "`decode`: takes the framing off a body, and holds none of it"),
    })
}

fn run_child(role: &str) -> ExitCode {
    if role == "selvedge" {
        let server =
            Server::builder().bind("127.0.0.1:0").and_then(|builder| builder.serve(answer)).expect("a port");
        child::settle(server.local_addr().expect("it listens on TCP"), Some(MEMORY));
        server.wait();
        return ExitCode::SUCCESS;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    child::settle(listener.local_addr().expect("an address"), Some(MEMORY));
    for stream in listener.incoming().flatten() {
        thread::spawn(move || serve(&stream));
    }
    ExitCode::SUCCESS
}

fn serve(mut stream: &TcpStream) {
    let mut input = BufReader::new(stream);
    let head: Vec<_> =
        input.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let length = head.iter().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    let body = match length {
        Some(length) => read_length(length, &mut input),
        None => read_chunks(&mut input),
    };
    skip_value(&mut &body[..]);
    stream.write_all(&page("thank you\n")).ok();
}

fn read_chunk_size(from: &mut impl BufRead) -> Option<usize> {
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    usize::from_str_radix(line.trim(), 16).ok()
}

/// Does it to both, shows what became of the naive one, and adds a row to the table.
fn attack(stage: &Stage, attack: Attack, name: &str, rows: &mut Vec<[String; 4]>) -> (Outcome, Outcome) {
    let [naive, ours] = ["naive", "selvedge"].map(|role| strike(attack, role));
    let last_words = naive.ended.as_deref().unwrap_or("it stands");
    stage.line("");
    let told = last_words.lines().take_while(|line| !line.contains("backtrace"));
    let told = told.filter(|line| !line.trim().is_empty()).take(3);
    stage.show(told.map(|line| stage.dim(&cut(line, stage::WIDTH - 4))));
    let how = match &naive.ended {
        Some(_) if matches!(attack, Attack::Chunks) => format!("dead at {}", bytes(naive.grew)),
        Some(_) => "dead".to_owned(),
        None => format!("holds {}", bytes(naive.grew)),
    };
    let status = ours.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let cost = format!("{status}, for {}", bytes(ours.grew));
    rows.push([name.to_owned(), bytes(naive.sent), stage.bad(&how), stage.good(&cost)]);
    (naive, ours)
}

fn strike(attack: Attack, role: &str) -> Outcome {
    let mut server = Child::start(role);
    let mut client = Client::connect(server.address, PATIENCE).expect("a listening server");
    // It has begun to serve, and taken what it takes for that.
    let before = server.peak().unwrap_or(0);
    let mut output = client.stream.try_clone().expect("a descriptor");
    let sends = thread::spawn(move || send(attack, &mut output));
    // The naive server's peak is asked for while it lives.
    let watched = thread::scope(|scope| {
        let answers = scope.spawn(|| client.answer().ok());
        let mut peak = before;
        while !answers.is_finished() {
            peak = server.peak().unwrap_or(peak).max(peak);
            thread::sleep(Duration::from_millis(2));
        }
        (answers.join().expect("no lesson panics"), server.peak().unwrap_or(peak).max(peak))
    });
    drop(client);
    let (answer, peak) = watched;
    let sent = sends.join().expect("no lesson panics");
    Outcome {
        sent,
        status: answer.map(|answer| answer.status),
        grew: peak.saturating_sub(before),
        ended: if role == "naive" { server.wait_for_end() } else { server.ended() },
    }
}

/// Sends it, or as much of it as is taken; how much that was.
fn send(attack: Attack, to: &mut impl Write) -> u64 {
    let head =
        |framing: &str| format!("POST / HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n").into_bytes();
    let mut sent = 0;
    let mut offer = |bytes: &[u8]| {
        let taken = to.write_all(bytes).is_ok();
        sent += if taken { bytes.len() as u64 } else { 0 };
        taken
    };
    match attack {
        Attack::Length => drop(offer(&head("Content-Length: 4000000000"))),
        Attack::Brackets => {
            let _ = offer(&head("Content-Length: 1000000")) && offer(&vec![b'['; 1_000_000]);
        }
        Attack::Chunks => {
            let mut chunk = b"10000\r\n".to_vec();
            chunk.resize(chunk.len() + 0x10000, b'z');
            chunk.extend(b"\r\n");
            let mut taken = offer(&head("Transfer-Encoding: chunked"));
            let mut chunks = MOST / chunk.len() as u64;
            while taken && chunks > 0 {
                taken = offer(&chunk);
                chunks -= 1;
            }
        }
    }
    sent
}
