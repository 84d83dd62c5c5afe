//! Two locks taken in two orders, and a lock that is held while a client takes its time.

mod stage;

use bytes::Bytes;
use selvedge::clock::Tick;
use selvedge::threads::{Entry, Table};
use selvedge::{Request, Response, Router, Server};
use stage::client::{Client, request};
use stage::interleave::{Step, every_order};
use stage::picture::thousands;
use stage::{Stage, Verdict};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Transfers in each direction, where they can be made.
const TRANSFERS: u64 = 100_000;
/// Nothing has moved for so long: then it never will.
const STANDSTILL: Duration = Duration::from_millis(500);
/// How long the lesson waits for a deadlock, or for the end.
const PATIENCE: Duration = Duration::from_secs(8);

/// More than a socket holds for a client that does not read.
const REPORT: usize = 32 << 20;
/// Honest requests, before the slow client comes and after.
const VISITS: usize = 12;
/// How long one waits for its answer: the machine may be busy, so who must be served is waited for longer.
const NAIVE_WAIT: Duration = Duration::from_millis(100);
const OUR_WAIT: Duration = Duration::from_secs(5);

// show: transfer
fn transfer(from: &Mutex<i64>, to: &Mutex<i64>, amount: i64) {
    let mut from = from.lock().unwrap();
    let mut to = to.lock().unwrap();
    *from -= amount;
    *to += amount;
}
// end

// show: report
struct State {
    visits: u64,
    report: Bytes,
}

fn answer(state: &Mutex<State>, path: &str, mut to: &TcpStream) {
    let mut state = state.lock().unwrap();
    state.visits += 1;
    let visits = state.visits.to_string();
    let body: &[u8] = match path {
        "/report" => &state.report,
        _ => visits.as_bytes(),
    };
    to.write_all(&head(body.len())).ok();
    to.write_all(body).ok();
}
// end

fn main() -> ExitCode {
    let stage = Stage::open("deadlock");
    stage.say(
        "A lock that is never given back is not a slow server but a dead one: no error, no load, no line in the log. There \
         are two ways to get there.",
    );
    let (moved, ours_moved, stood_still, right) = first(&stage);
    let (naive, ours) = second(&stage);
    let served = |answered: &[bool]| answered.iter().filter(|answered| **answered).count();
    stage.end(&Verdict {
        naive_fell: stood_still && served(&naive) == 0,
        naive: format!(
            "deadlock after {} transfers; {} of {VISITS} visitors served",
            thousands(moved),
            served(&naive)
        ),
        ours_held: right && served(&ours) == VISITS,
        ours: format!(
            "all {} transfers; {} of {VISITS} visitors served",
            thousands(ours_moved),
            served(&ours)
        ),
        read: ("src/threads/table.rs", "one lock at a time, and what runs under it can wait for nothing"),
    })
}

/// Two locks: how many transfers were made, naive and ours, whether the naive ones came to a standstill, and whether ours
/// were all made and right.
fn first(stage: &Stage) -> (u64, u64, bool, bool) {
    stage.part("The first way: two locks");
    stage.say("Money goes from one account to another, so both are locked. What could be more careful?");
    stage.code(include_str!("deadlock.rs"), "transfer");
    stage.say("One thread transfers from A to B, another one from B to A.");
    let accounts = Arc::new([Mutex::new(0), Mutex::new(0)]);
    let (moved, stood_still) = {
        let (watched, accounts) = (accounts.clone(), accounts.clone());
        let all_locked = move || watched.iter().all(|account| account.try_lock().is_err());
        contest(u64::MAX / 2, move |me| transfer(&accounts[me], &accounts[1 - me], 1), all_locked)
    };
    if stood_still {
        stage.show([format!("after {} transfers nothing moves any more:", thousands(moved))]);
        stage.line("");
        stage.show([
            "          holds ┌─────┐ waits for".to_owned(),
            "       ┌───────▶│  A  │◀──────────┐".to_owned(),
            "       │        └─────┘           │".to_owned(),
            format!("   {}                   {}", stage.bad("thread 1"), stage.bad("thread 2")),
            "       │        ┌─────┐           │".to_owned(),
            "       └───────▶│  B  │◀──────────┘".to_owned(),
            "      waits for └─────┘ holds".to_owned(),
        ]);
    }
    stage.say(
        "Nobody can break this circle: a thread cannot be killed, and a lock cannot be taken away from it. (That nothing has \
         moved for half a second is how this lesson found out.) Was that bad luck? Here are all orders in which two \
         threads can take their steps, lock, lock, and give back:",
    );
    let crossed = every_order(&Locks::default, &[&A_THEN_B, &B_THEN_A]);
    let in_order = every_order(&Locks::default, &[&A_THEN_B, &A_THEN_B]);
    let stuck = |runs: &[stage::interleave::Run<Locks>]| runs.iter().filter(|run| run.stuck).count();
    stage.show([
        format!(
            "one A then B, the other B then A   {} orders, {} end in a deadlock",
            crossed.len(),
            stage.bad(&stuck(&crossed).to_string())
        ),
        format!(
            "both A then B                      {} orders, {} end in a deadlock",
            in_order.len(),
            stage.good(&stuck(&in_order).to_string())
        ),
    ]);
    stage.say(
        "So one cure is an order that everybody keeps to, and in a large program somebody will not. The better cure is \
         never to hold two. That is what selvedge does everywhere: a `Table` lends one entry at a time to a function that \
         is over at once, and what has to change in two places is put into an order that is right at every moment in \
         between (a session's old id dies before the new one lives):",
    );
    stage.code(include_str!("deadlock.rs"), "table");
    let table = Arc::new(Table::new(1024, 16));
    let (ours, _) = {
        let table = table.clone();
        contest(TRANSFERS, move |me| move_one(&table, me, 1 - me), || false)
    };
    let sum: i64 = [0, 1]
        .iter()
        .filter_map(|key| table.get(key, Tick::default(), |account: &mut Account| account.0))
        .sum();
    stage.say(&format!(
        "The same two threads: {} transfers, and the sum of both accounts is {sum}.",
        thousands(ours)
    ));
    let right = ours == 2 * TRANSFERS && sum == 0;
    (moved, ours, stood_still, right)
}

// show: table
fn move_one(accounts: &Table<usize, Account>, from: usize, to: usize) {
    let now = Tick::default();
    let open = || Account(0);
    accounts.upsert(from, now, open, |account| account.0 -= 1).ok();
    accounts.upsert(to, now, open, |account| account.0 += 1).ok();
}
// end

struct Account(i64);

impl Entry for Account {
    fn expires(&self) -> Tick {
        Tick::NEVER
    }
}

/// Two threads act, each so often, until they are done or nothing moves: how often they did, and whether it came to a
/// standstill. A busy machine may stop both for a while; `is_stuck` says whether that is all.
fn contest(
    most: u64,
    act: impl Fn(usize) + Send + Sync + 'static,
    is_stuck: impl Fn() -> bool,
) -> (u64, bool) {
    let act = Arc::new(act);
    // Threads that are there, and what they have done.
    let (there, moved) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    for me in 0..2 {
        let (act, there, moved) = (act.clone(), there.clone(), moved.clone());
        // A thread in a deadlock is never joined; it ends with the process.
        thread::spawn(move || {
            there.fetch_add(1, Ordering::AcqRel);
            while there.load(Ordering::Acquire) < 2 {
                thread::yield_now();
            }
            for _ in (0..most).take_while(|_| began.elapsed() < PATIENCE) {
                act(me);
                moved.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (mut before, mut since) = (0, Instant::now());
    loop {
        thread::sleep(Duration::from_millis(10));
        let now = moved.load(Ordering::Relaxed);
        if now != before {
            (before, since) = (now, Instant::now());
        }
        let stuck = since.elapsed() > STANDSTILL && is_stuck();
        if stuck || now == 2 * most || began.elapsed() > PATIENCE {
            return (now, stuck);
        }
    }
}

/// Who holds A and B.
#[derive(Default)]
struct Locks([Option<usize>; 2]);

const LOCK_A: Step<Locks> = Step { name: "lock A", take: |locks, me| locks.lock(0, me) };
const LOCK_B: Step<Locks> = Step { name: "lock B", take: |locks, me| locks.lock(1, me) };
const GIVE_BACK: Step<Locks> = Step {
    name: "give back",
    take: |locks, _| {
        *locks = Locks::default();
        true
    },
};
const A_THEN_B: [Step<Locks>; 3] = [LOCK_A, LOCK_B, GIVE_BACK];
const B_THEN_A: [Step<Locks>; 3] = [LOCK_B, LOCK_A, GIVE_BACK];

impl Locks {
    fn lock(&mut self, which: usize, me: usize) -> bool {
        let free = self.0[which].is_none();
        if free {
            self.0[which] = Some(me);
        }
        free
    }
}

/// A lock held across a socket: which visitors were served meanwhile, naive and ours.
fn second(stage: &Stage) -> (Vec<bool>, Vec<bool>) {
    stage.part("The second way: a lock, and somebody who takes his time");
    stage.say("A server counts its visitors, and has a long report to give out:");
    stage.code(include_str!("deadlock.rs"), "report");
    stage.say(
        "Somebody asks for the report and does not read it. `write_all` waits for him, and everybody else waits for the \
         lock. (In Python: `with lock: self.wfile.write(report)`.) Each mark is a visitor who only wants the small page:",
    );
    let (before, naive) = visit(naive_server(), NAIVE_WAIT);
    show_visits(stage, "naive", &before, &naive);
    let server = our_server();
    let (before, ours) = visit(server.local_addr().expect("it listens on TCP"), OUR_WAIT);
    show_visits(stage, "selvedge", &before, &ours);
    stage.say(
        "A handler of selvedge's never sees the socket. It takes what it needs out of the lock, here a pointer, gives the \
         lock back by returning, and the server writes afterwards:",
    );
    stage.code(include_str!("deadlock.rs"), "handler");
    stage.say(
        "The same holds the other way round: the server holds no lock of its own while it runs your code. A handler that \
         never returns costs one thread and is told of; it cannot make anybody else wait.",
    );
    drop(server);
    (naive, ours)
}

fn head(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

fn fresh_state() -> State {
    State { visits: 0, report: vec![b'x'; REPORT].into() }
}

fn naive_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let state = Arc::new(Mutex::new(fresh_state()));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = state.clone();
            thread::spawn(move || {
                let lines: Vec<_> = BufReader::new(&stream)
                    .lines()
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .collect();
                let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
                answer(&state, path, &stream);
            });
        }
    });
    address
}

fn our_server() -> Server {
    let state = Arc::new(Mutex::new(fresh_state()));
    let counted = state.clone();
    // show: handler
    let report = move |_: &mut Request| {
        let report = state.lock().unwrap().report.clone();
        Response::with_type("text/plain", report)
    };
    // end
    let visits = move |_: &mut Request| {
        let mut state = counted.lock().unwrap();
        state.visits += 1;
        state.visits.to_string()
    };
    let router = Router::new().get("/report", report).get("/", visits);
    Server::builder().bind("127.0.0.1:0").and_then(|builder| builder.serve(router)).expect("a free port")
}

/// Visitors one after the other, then the slow one, then visitors again: who was served.
fn visit(server: SocketAddr, patience: Duration) -> (Vec<bool>, Vec<bool>) {
    let visit = |_| Client::connect(server, patience).and_then(|mut client| client.get("/")).is_ok();
    let before = (0..VISITS).map(visit).collect();
    let mut slow = Client::connect(server, OUR_WAIT).expect("a listening server");
    slow.stream.write_all(request("/report").as_bytes()).expect("it reads");
    // Its answer has begun when something of it is here.
    let _ = slow.stream.peek(&mut [0]);
    (before, (0..VISITS).map(visit).collect())
}

fn show_visits(stage: &Stage, name: &str, before: &[bool], after: &[bool]) {
    let mark = |served: &bool| if *served { stage.good("●") } else { stage.bad("✗") };
    let marks = |visits: &[bool]| visits.iter().map(mark).collect::<Vec<_>>().join(" ");
    stage.show([format!("{name:<9}  {}  │  {}", marks(before), marks(after))]);
}
