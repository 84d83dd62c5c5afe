//! Clients that never finish their requests, against three ways of giving threads to connections.

mod stage;

use selvedge::server::Threads;
use selvedge::{Config, Request, Router, Server};
use stage::child::{self, Child};
use stage::client::Client;
use stage::naive::{serve, small_pool};
use stage::picture::{Side, bytes, cut, short, table};
use stage::slow::SlowClients;
use stage::{Stage, Verdict};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Slow clients, more of them every time somebody looks.
const CROWDS: [usize; 4] = [0, 100, 200, 300];
/// Honest visitors each time.
const VISITS: usize = 6;
/// How long one waits for a server that will not come to him; and for one that will, on a machine that may be busy.
const NAIVE_WAIT: Duration = Duration::from_millis(100);
const OUR_WAIT: Duration = Duration::from_secs(5);
/// What a container might give each server. A thread reserves 2 MiB of it.
const MEMORY: u64 = 512 << 20;
const SEATS: usize = 64;
/// Threads of the small pool.
const POOL: usize = 8;

// show: unbounded
fn thread_each(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || serve(&stream));
    }
}
// end

/// What was seen with one crowd.
struct Look {
    served: [bool; VISITS],
    slowest: Duration,
    taken: Option<child::Taken>,
}

fn main() -> ExitCode {
    if let Some(role) = child::role() {
        return run_child(&role);
    }
    let stage = Stage::open("exhaustion");
    stage.say(
        "A request that is sent one byte at a time costs its sender next to nothing. What does it cost the server? \
         Three servers, each in a process of its own with 512 MiB, meet up to 300 clients who never finish what they \
         say. After each hundred, six honest visitors come and want a page.",
    );

    stage.part("The naive way: a thread for each connection");
    stage.code(include_str!("exhaustion.rs"), "unbounded");
    stage.say(
        "(`serve` reads a request, answers it, and reads the next one.) This is Python's `ThreadingMixIn`, and the server of \
         many a first chapter.",
    );
    let (each, last_words) = besiege("thread each", NAIVE_WAIT, None);
    show(&stage, &each);
    stage.say(
        "Each slow client has a thread of his own, and so nobody is in anybody's way, until the threads run out. Then \
         `thread::spawn` panics, in the loop that accepts connections, and that was the server:",
    );
    let told = last_words.lines().filter(|line| line.starts_with("exit") || line.starts_with("failed"));
    stage.show(told.map(|line| stage.dim(&cut(line, stage::WIDTH - 4))));

    stage.part("The other naive way: a small pool");
    stage.code(include_str!("stage/naive.rs"), "pool");
    let (pool, _) = besiege("small pool", NAIVE_WAIT, None);
    show(&stage, &pool);
    stage.say(
        "Now nothing grows but the queue. Eight slow clients have all eight threads, and everybody else waits behind \
         them, for ever: no line of this program ever ends a request that does not end. A timeout for each `read` would \
         not help, as every byte begins it anew.",
    );

    stage.part("What selvedge does");
    let board = OnceLock::<String>::new();
    let (ours, _) = besiege("selvedge", OUR_WAIT, Some(&board));
    show(&stage, &ours);
    let slowest = ours.iter().map(|look| look.slowest).max().unwrap_or_default();
    stage.say(&format!(
        "There are {SEATS} seats, a thread each, and one table, the board, on which every thread writes what it is doing, \
         since when, and until when it may. When all seats are taken and somebody new comes, the board tells who deserves \
         his seat least: who has said nothing whole for 50 ms. His socket is shut down, which wakes the thread that \
         waits for him, and the thread takes the newcomer. Nobody who is being served ever makes way. The slowest of \
         the honest visitors waited {}. (One address may have a quarter of the seats at the most; here that is off, as \
         all come from this machine.) The board at its fullest, as `GET /board` printed it:",
        short(slowest)
    ));
    let board: Vec<_> = board.get().into_iter().flat_map(|text| text.lines()).collect();
    let (asking, others): (Vec<&str>, Vec<&str>) =
        board.into_iter().partition(|line| line.contains("handling"));
    let some = others.iter().take(1).chain(&asking).chain(others.iter().skip(1).take(5));
    stage.show(some.map(|line| stage.dim(&cut(line, stage::WIDTH - 4))));
    stage.say("There is a deadline for a whole head, too, ten seconds unless you say otherwise; it has not even been needed.");

    let served = |looks: &[Look], at: usize| looks[at].served.iter().filter(|served| **served).count();
    let last = CROWDS.len() - 1;
    let naive_fell = served(&each, last) == 0
        && served(&pool, last) == 0
        && served(&each, 0) + served(&pool, 0) == 2 * VISITS;
    let all = ours.iter().flat_map(|look| look.served).filter(|served| *served).count();
    let threads = ours.iter().filter_map(|look| look.taken).map(|taken| taken.threads).max().unwrap_or(0);
    stage.end(&Verdict {
        naive_fell,
        naive: format!(
            "{} and {} of {VISITS} visitors served among {} slow clients",
            served(&each, last),
            served(&pool, last),
            CROWDS[last]
        ),
        ours_held: all == VISITS * CROWDS.len() && threads < SEATS as u64 * 2,
        ours: format!("{all} of {} served, with {threads} threads at the most", VISITS * CROWDS.len()),
        read: ("src/threads/eviction.rs", "whose seat is taken back, and why nobody honest loses his"),
    })
}

/// The servers, in processes of their own.
fn run_child(role: &str) -> ExitCode {
    if role == "selvedge" {
        let server = our_server();
        child::settle(server.local_addr().expect("it listens on TCP"), Some(MEMORY));
        server.wait();
        return ExitCode::SUCCESS;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    child::settle(listener.local_addr().expect("an address"), Some(MEMORY));
    match role {
        "thread each" => thread_each(&listener),
        _ => small_pool(&listener, POOL, serve),
    }
    ExitCode::SUCCESS
}

fn our_server() -> Server {
    // Here all come from one address; otherwise one client has a quarter of the seats at the most.
    let config = Config { max_connections: SEATS, max_connections_per_client: None, ..Config::default() };
    let threads = Arc::new(OnceLock::<Threads>::new());
    let board = threads.clone();
    let router = Router::new()
        .get("/", |_: &mut Request| "hello\n")
        .get("/board", move |_: &mut Request| board.get().map_or_else(String::new, Threads::to_string));
    let builder = Server::builder().config(config).bind("127.0.0.1:0").expect("a free port");
    let server = builder.serve(router).expect("threads");
    let _ = threads.set(server.threads());
    server
}

/// A server and its crowds: what was seen each time, and what it said at its end, if it came to one.
fn besiege(role: &str, patience: Duration, board: Option<&OnceLock<String>>) -> (Vec<Look>, String) {
    let mut server = Child::start(role);
    let crowd = SlowClients::against(server.address);
    let looks = CROWDS
        .iter()
        .map(|&count| {
            crowd.grow_to(count);
            let taken = server.taken();
            let patience = if count == 0 { OUR_WAIT } else { patience };
            let visits = [(); VISITS].map(|()| visit(server.address, patience));
            let slowest = visits.iter().flatten().copied().max().unwrap_or_default();
            Look { served: visits.map(|visit| visit.is_some()), slowest, taken }
        })
        .collect();
    if let Some(board) = board {
        let asked = Client::connect(server.address, patience).and_then(|mut client| client.get("/board"));
        let _ = board.set(asked.map_or_else(|problem| problem.to_string(), |answer| answer.body));
    }
    (looks, server.ended().unwrap_or_default())
}

/// How long an honest visitor waited for his page, if he got one.
fn visit(server: SocketAddr, patience: Duration) -> Option<Duration> {
    let began = Instant::now();
    let answer = Client::connect(server, patience).and_then(|mut client| client.get("/"));
    answer.is_ok_and(|answer| answer.status == 200).then(|| began.elapsed())
}

fn show(stage: &Stage, looks: &[Look]) {
    let mark = |served: bool| if served { stage.good("●") } else { stage.bad("✗") };
    let rows: Vec<_> = CROWDS
        .iter()
        .zip(looks)
        .map(|(crowd, look)| {
            let (threads, memory) = match look.taken {
                Some(taken) => (taken.threads.to_string(), bytes(taken.memory)),
                None => (stage.bad("gone"), String::new()),
            };
            [crowd.to_string(), threads, memory, look.served.map(mark).join(" ")]
        })
        .collect();
    let headings = ["slow clients", "threads", "memory", "honest visitors"];
    stage.line("");
    stage.show(table([Side::Right, Side::Right, Side::Right, Side::Left], headings, &rows));
}
