//! What becomes of the requests that are being served when a server is told to stop.

mod stage;

use selvedge::{Request, Server};
use stage::child::{self, Child};
use stage::client::{Client, request};
use stage::naive::{page, read_head};
use stage::picture::{Timeline, short};
use stage::{Stage, Verdict};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

/// What a request costs.
const WORK: Duration = Duration::from_millis(300);
/// Requests before the stop, one so long after the other, and after it.
const BEFORE: usize = 8;
const PAUSE: Duration = Duration::from_millis(60);
const AFTER: usize = 2;
/// How long the requests have, once it has been said that the server is to stop.
const PATIENCE: Duration = Duration::from_secs(2);

// show: naive
fn run_naive(listener: TcpListener, stop: &Receiver<()>) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(&stream));
        }
    });
    stop.recv().ok();
}

fn serve(mut stream: &TcpStream) {
    let mut requests = BufReader::new(stream);
    while read_head(&mut requests).is_some() {
        work();
        stream.write_all(&page("done\n")).ok();
    }
}
// end

// show: ours
fn run_ours(server: &Server, stop: &Receiver<()>) {
    stop.recv().ok();
    let report = server.shutdown(PATIENCE);
    println!("{report}");
}
// end

fn work() {
    println!("it has begun");
    thread::sleep(WORK);
}

/// What a client saw.
struct Seen {
    name: String,
    from: Duration,
    to: Duration,
    status: Option<u16>,
}

struct Ending {
    stopped: Duration,
    seen: Vec<Seen>,
    last_words: String,
}

fn main() -> ExitCode {
    if let Some(role) = child::role() {
        return run_child(&role);
    }
    let stage = Stage::open("shutdown");
    stage.say(&format!(
        "Every update ends a server and begins another one. Requests take {} here, and when the {BEFORE}th has begun, the \
         server is told to stop, as by Ctrl-C or by systemd.",
        short(WORK)
    ));

    stage.part("The naive way");
    stage.code(include_str!("shutdown.rs"), "naive");
    stage.say("When it hears of the stop, it returns, `main` returns, and that is the end of the process:");
    let naive = watch("naive", false);
    show(&stage, &naive);

    stage.part("Why");
    stage.say(
        "A process does not wait for its threads: they end wherever they happen to be. Python's `ThreadingMixIn` with \
         `daemon_threads = True` does the same, and without it the process waits for all of them, also for the one whose \
         client never finishes: for ever. The right thing lies between: wait for those who are being served, for so long and no \
         longer.",
    );

    stage.part("What selvedge does");
    stage.code(include_str!("shutdown.rs"), "ours");
    stage.say(
        "The same requests, and one more client, who sends a body one byte at a time and will never be done:",
    );
    let ours = watch("selvedge", true);
    show(&stage, &ours);
    stage.say(
        "Listeners close, so that newcomers go elsewhere. Connections between requests are closed at once. Requests that are \
         being served get their answer, with `Connection: close`. Whoever is not done when the time is up is cut, and named in \
         the report, which said:",
    );
    stage.show(ours.last_words.lines().map(|line| stage.dim(line)));

    let (naive_lost, ours_lost) = (naive.lost(), ours.lost());
    let cut = ours.last_words.contains("1 cut");
    stage.end(&Verdict {
        naive_fell: naive_lost > 0,
        naive: format!("{naive_lost} of {BEFORE} requests lost"),
        ours_held: ours_lost == 0 && cut,
        ours: format!("{ours_lost} of {BEFORE} lost, and nobody can hold up the end"),
        read: ("src/server/drain.rs", "`shutdown`: who is waited for, and for how long"),
    })
}

fn run_child(role: &str) -> ExitCode {
    if role == "selvedge" {
        let handler = |_: &mut Request| {
            work();
            "done\n"
        };
        let server =
            Server::builder().bind("127.0.0.1:0").and_then(|builder| builder.serve(handler)).expect("a port");
        let stop = child::settle(server.local_addr().expect("it listens on TCP"), None);
        run_ours(&server, &stop);
    } else {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stop = child::settle(listener.local_addr().expect("an address"), None);
        run_naive(listener, &stop);
    }
    ExitCode::SUCCESS
}

/// Requests, the stop, and requests again.
fn watch(role: &str, with_slow_one: bool) -> Ending {
    let mut server = Child::start(role);
    let address = server.address;
    let began = Instant::now();
    let slow = with_slow_one.then(|| thread::spawn(move || ask_slowly(address, began)));
    let ask = |number: usize, at: Duration| {
        thread::spawn(move || {
            thread::sleep(at.saturating_sub(began.elapsed()));
            ask(format!("request {number}"), address, began)
        })
    };
    let mut clients: Vec<_> = (0..BEFORE).map(|number| ask(number + 1, PAUSE * number as u32)).collect();
    server.hear(BEFORE);
    let stopped = began.elapsed();
    server.stop();
    clients.extend((1..=AFTER).map(|number| ask(BEFORE + number, stopped + PAUSE * number as u32)));
    clients.extend(slow);
    let seen = clients.into_iter().map(|client| client.join().expect("no lesson panics")).collect();
    Ending { stopped, seen, last_words: server.last_words() }
}

fn ask(name: String, server: SocketAddr, began: Instant) -> Seen {
    let from = began.elapsed();
    let answer = Client::connect(server, 5 * PATIENCE).and_then(|mut client| client.get("/"));
    Seen { name, from, to: began.elapsed(), status: answer.ok().map(|answer| answer.status) }
}

/// Sends a body that will never be complete, until somebody ends it.
fn ask_slowly(server: SocketAddr, began: Instant) -> Seen {
    let from = began.elapsed();
    let head = request("/").replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 1000\r\n\r\n");
    if let Ok(mut client) = Client::connect(server, PATIENCE) {
        let mut sent = client.stream.write_all(head.as_bytes());
        while sent.is_ok() && began.elapsed() < 5 * PATIENCE {
            thread::sleep(Duration::from_millis(20));
            sent = client.stream.write_all(b"z");
        }
    }
    Seen { name: "slow body".into(), from, to: began.elapsed(), status: None }
}

impl Ending {
    /// Requests that had been sent whole before the stop, and have no answer.
    fn lost(&self) -> usize {
        self.seen.iter().take(BEFORE).filter(|seen| seen.status != Some(200)).count()
    }
}

fn show(stage: &Stage, ending: &Ending) {
    let end = ending.seen.iter().map(|seen| seen.to).max().unwrap_or_default();
    let mut timeline = Timeline::new(Duration::ZERO, end.max(WORK * 3), 44);
    timeline.rule(ending.stopped, "stop");
    for (number, seen) in ending.seen.iter().enumerate() {
        let is_slow = number >= BEFORE + AFTER;
        let remark = match seen.status {
            Some(200) => stage.good("answered"),
            _ if is_slow => "cut".into(),
            Some(503) => "503".into(),
            _ if number >= BEFORE => "not let in".into(),
            _ => stage.bad("lost"),
        };
        timeline.lane(&seen.name, remark).span(seen.from, seen.to, '▓');
        timeline.mark(seen.to, if seen.status == Some(200) { '●' } else { '✗' });
    }
    stage.line("");
    stage.show(timeline.lines());
}
