//! More requests than can be handled: a queue without an end, and one that is bounded.

mod stage;

use selvedge::{Config, Request, Server};
use stage::client::Client;
use stage::naive::{page, read_head, small_pool};
use stage::picture::{Side, bar, short, table};
use stage::{Stage, Verdict};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// Requests handled at once, and the work of one: so many a second can be done.
const WORKERS: usize = 2;
const WORK: Duration = Duration::from_millis(40);
const CAPACITY: u64 = 50;
/// What is offered, in percent of that.
const LOADS: [u64; 4] = [50, 100, 200, 500];
/// How long a client waits for his answer before he goes away.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long requests are sent that do not count, as a queue takes time to grow; and that do.
const WARM_UP: Duration = Duration::from_millis(800);
const COUNTED: Duration = Duration::from_millis(1200);

// show: naive
fn serve(mut stream: &TcpStream) {
    if read_head(&mut BufReader::new(stream)).is_some() {
        work();
        stream.write_all(&page("done\n")).ok();
    }
}
// end

fn work() {
    thread::sleep(WORK);
}

/// What became of a request, and when.
struct Fate {
    sent: Duration,
    took: Duration,
    status: Option<u16>,
}

/// What became of all requests at one load.
struct Outcome {
    load: u64,
    fates: Vec<Fate>,
}

fn main() -> ExitCode {
    let stage = Stage::open("overload");
    stage.say(&format!(
        "A server that can do {CAPACITY} requests a second is asked for more. Of course it cannot serve them all. But does it \
         still serve as many as it can? Each client waits {} and then goes away.",
        short(PATIENCE)
    ));

    stage.part("The naive way");
    stage.say("Two workers, and a queue for everybody else. No request is ever turned away:");
    stage.code(include_str!("stage/naive.rs"), "pool");
    stage.code(include_str!("overload.rs"), "naive");
    let naive = all_loads(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || small_pool(&listener, WORKERS, serve));
        (address, None)
    });
    stage
        .say("Answers that came in time, a second, at half the load it can bear, at all of it, and at more:");
    show(&stage, &naive);

    stage.part("Why");
    stage.say(
        "At twice the load every second of requests takes two seconds to do. The queue grows, and with it the wait, until each \
         request that comes to its turn is one whose client has gone. The workers are as busy as ever, and every answer is \
         thrown away. It does not get better when the load falls, either: first the old queue has to be worked off. Python's \
         `queue.Queue()` and `ThreadPoolExecutor` have no end, unless you give them one.",
    );

    stage.part("What selvedge does");
    stage.code(include_str!("overload.rs"), "ours");
    let ours = all_loads(|| {
        let server = our_server();
        (server.local_addr().expect("it listens on TCP"), Some(server))
    });
    show(&stage, &ours);
    let refusals = ours.iter().flat_map(|outcome| &outcome.fates).filter(|fate| fate.status == Some(503));
    let mut took: Vec<_> = refusals.map(|fate| fate.took).collect();
    took.sort_unstable();
    stage.say(&format!(
        "So many at once, so many in the queue, and no longer in it than a client would wait. Whoever is too much gets 503 with \
         Retry-After, and half of the refusals took no longer than {}: an answer that says come back later, and costs the \
         server next to nothing. Refusing early is what keeps it serving at full capacity.",
        took.get(took.len() / 2).map_or_else(String::new, |took| short(*took))
    ));

    let (worst, best) = (naive[3].goodput(), ours[3].goodput());
    stage.end(&Verdict {
        naive_fell: worst < CAPACITY / 4,
        naive: format!("{worst} of {CAPACITY} a second in time, at five times the load"),
        ours_held: best > CAPACITY / 2 && best > 2 * worst,
        ours: format!("{best} of {CAPACITY}, and 503 for the rest"),
        read: ("src/threads/semaphore.rs", "so many at once, so many in the queue, nobody waits for ever"),
    })
}

fn our_server() -> Server {
    // show: ours
    let config = Config {
        max_in_flight: 2,
        max_queued: 4,
        queue_wait: Duration::from_millis(200),
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

/// All loads at the same time, each on a server of its own: the work is waiting, so they are not in each other's way.
fn all_loads(start: impl Fn() -> (SocketAddr, Option<Server>) + Sync) -> Vec<Outcome> {
    thread::scope(|scope| {
        let start = &start;
        let loads = LOADS.map(|load| {
            scope.spawn(move || {
                // It ends when all have asked.
                let (server, _running) = start();
                Outcome { load, fates: offer(server, load * CAPACITY / 100) }
            })
        });
        loads.into_iter().map(|load| load.join().expect("no lesson panics")).collect()
    })
}

/// So many requests a second, whatever becomes of those before: clients do not wait for each other.
fn offer(server: SocketAddr, rate: u64) -> Vec<Fate> {
    let began = Instant::now();
    let pause = Duration::from_micros(1_000_000 / rate);
    let mut clients = Vec::new();
    let mut next = Duration::ZERO;
    while next < WARM_UP + COUNTED {
        thread::sleep(next.saturating_sub(began.elapsed()));
        clients.push(thread::spawn(move || {
            let sent = began.elapsed();
            let answer = Client::connect(server, PATIENCE).and_then(|mut client| client.get("/"));
            Fate {
                sent,
                took: began.elapsed().saturating_sub(sent),
                status: answer.ok().map(|answer| answer.status),
            }
        }));
        next += pause;
    }
    clients.into_iter().map(|client| client.join().expect("no lesson panics")).collect()
}

impl Outcome {
    /// How many a second became so, after the beginning.
    fn rate(&self, became: impl Fn(&Fate) -> bool) -> u64 {
        let counted = self.fates.iter().filter(|fate| fate.sent >= WARM_UP && became(fate)).count();
        counted as u64 * 1000 / COUNTED.as_millis() as u64
    }

    fn goodput(&self) -> u64 {
        self.rate(|fate| fate.status == Some(200))
    }
}

fn show(stage: &Stage, outcomes: &[Outcome]) {
    let rows: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let (good, load) = (outcome.goodput(), outcome.load);
            let bar = bar(good, CAPACITY, 25);
            let bar = if good < load.min(100) * CAPACITY / 200 { stage.bad(&bar) } else { stage.good(&bar) };
            [
                format!("{load} %"),
                good.to_string(),
                bar,
                outcome.rate(|fate| fate.status == Some(503)).to_string(),
                outcome.rate(|fate| fate.status.is_none()).to_string(),
            ]
        })
        .collect();
    let sides = [Side::Right, Side::Right, Side::Left, Side::Right, Side::Right];
    let full = format!("in time, {CAPACITY} is full");
    stage.line("");
    stage.show(table(sides, ["load", "", &full, "refused", "in vain"], &rows));
}
