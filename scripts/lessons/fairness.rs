//! Busy connections that are never idle, and visitors who wait for a thread.

mod stage;

use selvedge::{Config, Request, Server};
use stage::client::Client;
use stage::naive::{page, read_head, small_pool};
use stage::{Stage, Verdict};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 2;
/// Clients who ask again and again on one connection, and those who connect, ask once, and leave.
const BUSY: usize = 2;
const VISITORS: usize = 3;
/// How long a visitor rests between two visits.
const REST: Duration = Duration::from_millis(30);
/// How long the lesson watches.
const SHOW: Duration = Duration::from_millis(1500);
/// Of this one line of the picture has so many.
const COLUMNS: usize = 50;

// show: naive
fn serve(mut stream: &TcpStream) {
    let mut requests = BufReader::new(stream);
    while read_head(&mut requests).is_some() {
        work();
        stream.write_all(&page("done\n")).ok();
    }
}
// end

/// What a request costs.
fn work() {
    thread::sleep(Duration::from_millis(2));
}

/// When each of a client's requests was answered.
struct Seen {
    name: String,
    busy: bool,
    answers: Vec<Duration>,
}

fn main() -> ExitCode {
    let stage = Stage::open("fairness");
    stage.say(
        "Keep-alive lets a client ask many times on one connection, which saves both sides work. No attack is needed for this \
         lesson: two busy clients are enough, for they never leave.",
    );

    stage.part("The naive way");
    stage.say(&format!(
        "A pool of {THREADS} threads, each with a connection until its client goes. A request takes 2 ms of work:"
    ));
    stage.code(include_str!("stage/naive.rs"), "pool");
    stage.code(include_str!("fairness.rs"), "naive");
    stage.say(
        "Python's `ThreadPoolExecutor` with a handler that loops over `handle_one_request` is the same. Two clients are busy; \
         three visitors come for one answer each, rest for 30 ms, and come again. The higher a column, the more answers in \
         these 30 ms:",
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || small_pool(&listener, THREADS, serve));
    let naive = watch(address);
    show(&stage, &naive);
    stage.part("Why");
    stage.say(
        "The thread belongs to the connection, and the connection to whoever came first. Nothing is slow here, nothing is idle, \
         and no timeout would ever find anything to end.",
    );

    stage.part("What selvedge does");
    stage.code(include_str!("fairness.rs"), "ours");
    let server = our_server();
    let ours = watch(server.local_addr().expect("it listens on TCP"));
    show(&stage, &ours);
    stage.say(
        "As long as there are seats for all, a connection is kept as long as it likes. While others wait for a seat, a \
         connection has had its fair share after so many answers; the next one says `Connection: close`, and its seat goes to \
         the first in the lobby. The busy client connects again and queues like everybody else: it loses a little, and nobody \
         starves. (By default there are 1,024 seats, and the share is 100.)",
    );

    let least =
        |all: &[Seen]| all.iter().filter(|seen| !seen.busy).map(|seen| seen.answers.len()).min().unwrap_or(0);
    let busiest =
        |all: &[Seen]| all.iter().filter(|seen| seen.busy).map(|seen| seen.answers.len()).max().unwrap_or(0);
    stage.end(&Verdict {
        naive_fell: naive.iter().all(|seen| seen.busy || seen.answers.is_empty()) && busiest(&naive) > 0,
        naive: format!("a busy client had {} answers, each visitor none", busiest(&naive)),
        ours_held: least(&ours) > 0,
        ours: format!("a busy client had {} answers, each visitor at least {}", busiest(&ours), least(&ours)),
        read: ("src/server/answer.rs", "`keeps`: whether a connection will have another request"),
    })
}

fn our_server() -> Server {
    // show: ours
    let config = Config {
        max_connections: THREADS,
        fair_share: 20, // answers, then it gives way to who waits
        ..Config::default()
    };
    // end
    let builder = Server::builder().config(config).bind("127.0.0.1:0").expect("a free port");
    let handler = |_: &mut Request| {
        work();
        "done\n"
    };
    builder.serve(handler).expect("threads")
}

/// Busy clients, and a moment later visitors.
fn watch(server: SocketAddr) -> Vec<Seen> {
    let began = Instant::now();
    thread::scope(|scope| {
        let busy = (1..=BUSY).map(|number| (format!("busy {number}"), true));
        let visitors = (1..=VISITORS).map(|number| (format!("visitor {number}"), false));
        let clients: Vec<_> = busy
            .chain(visitors)
            .map(|(name, busy)| {
                scope.spawn(move || {
                    // The busy ones are there first.
                    thread::sleep(if busy { Duration::ZERO } else { 3 * REST });
                    Seen { name, busy, answers: come_and_ask(server, began, busy) }
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("no lesson panics")).collect()
    })
}

fn come_and_ask(server: SocketAddr, began: Instant, busy: bool) -> Vec<Duration> {
    let mut answers = Vec::new();
    // The busy ones stay a little longer, so that nobody is served because the show is over.
    let until = if busy { SHOW + 10 * REST } else { SHOW };
    let left = || until.checked_sub(began.elapsed()).filter(|left| *left > Duration::from_millis(1));
    while let Some(patience) = left() {
        let Ok(mut client) = Client::connect(server, patience) else { continue };
        while left().is_some() {
            let Ok(answer) = client.get("/") else { break };
            let now = began.elapsed();
            if answer.status == 200 && now < SHOW {
                answers.push(now);
            }
            if !busy {
                thread::sleep(REST);
            }
            if !busy || answer.closes() {
                break;
            }
        }
    }
    answers
}

fn show(stage: &Stage, all: &[Seen]) {
    const HEIGHTS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = |seen: &Seen| {
        let mut counts = [0_usize; COLUMNS];
        for answer in &seen.answers {
            let at = answer.as_micros() as usize * COLUMNS / SHOW.as_micros() as usize;
            counts[at.min(COLUMNS - 1)] += 1;
        }
        counts
    };
    stage.line("");
    for seen in all {
        let drawn: String = columns(seen).iter().map(|count| HEIGHTS[(*count).min(8)]).collect();
        let count = format!("{:>4} answers", seen.answers.len());
        let count = if seen.answers.is_empty() { stage.bad(&count) } else { count };
        stage.show([format!("{:<9}  {drawn}{count}", seen.name)]);
    }
    stage.show([format!("{:<9}  0{:>width$}", "", "1.5 s", width = COLUMNS - 1)]);
    stage.line("");
}
