//! A one-time ticket, shown by several threads at once.

mod stage;

use selvedge::clock::Clock;
use selvedge::guard::auth::{Secret, TokenStore, Uses};
use stage::interleave::{Run, Step, every_order};
use stage::machine::at_once;
use stage::picture::{Timeline, left, thousands};
use stage::{Stage, Verdict};
use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const TICKET: u64 = 4711;
/// Threads that show it.
const THREADS: usize = 4;
/// Tickets at a time.
const BATCH: u64 = 10_000;
/// How long the lesson waits for luck.
const PATIENCE: Duration = Duration::from_secs(10);

// show: naive
fn redeem(tickets: &Mutex<HashSet<u64>>, ticket: u64) -> bool {
    if is_valid(tickets, ticket) {
        strike_out(tickets, ticket);
        return true;
    }
    false
}

fn is_valid(tickets: &Mutex<HashSet<u64>>, ticket: u64) -> bool {
    tickets.lock().unwrap().contains(&ticket)
}

fn strike_out(tickets: &Mutex<HashSet<u64>>, ticket: u64) {
    tickets.lock().unwrap().remove(&ticket);
}
// end

/// What one thread did with a ticket.
struct Attempt {
    from: Instant,
    to: Instant,
    got_in: bool,
}

fn main() -> ExitCode {
    let stage = Stage::open("race");
    stage.say(
        "A link that resets a password, a voucher, a ticket: it must be good for one use. The attacker has one, \
         and shows it several times at the same moment.",
    );

    stage.part("The naive way");
    stage.say("Look whether the ticket is good, then strike it out. Every access is under a lock:");
    stage.code(include_str!("race.rs"), "naive");
    stage.say(
        "Rust compiles it without a word, and rightly: there is no data race in it, every access is locked. Python's \
         `if ticket in tickets: tickets.remove(ticket)` is the same, and its interpreter lock makes each of the two \
         steps whole, as ours does. Now four threads all show the first ticket, then all the second, and so on, until two of \
         them get in with the same one:",
    );
    let naive = catch_naive();
    if let Some((ticket, attempts)) = &naive {
        show_attempts(&stage, *ticket, attempts);
    }

    stage.part("Why");
    stage.say(
        "The lock is given back between the two steps, and another thread can stand in that gap. Whether one does is \
         luck, so a test that runs the code a few times proves nothing. Instead of trying our luck, let us try every \
         order in which two threads can take their two steps. There are six:",
    );
    let orders = every_order(&Shared::new, &[&NAIVE, &NAIVE]);
    show_orders(&stage, &orders);
    let bad = orders.iter().filter(|run| run.end.guests() > 1).count();
    if let Some(run) = orders.iter().find(|run| run.end.guests() > 1) {
        stage.say("Take the first that went wrong, step by step:");
        show_steps(&stage, run);
    }
    let three = every_order(&Shared::new, &[&NAIVE, &NAIVE, &NAIVE]);
    let bad_of_three = three.iter().filter(|run| run.end.guests() > 1).count();
    stage.say(&format!(
        "With three threads {bad_of_three} of {} orders are bad. That it usually works is the machine being fast, \
         not the code being right.",
        three.len()
    ));

    stage.say(
        "The cure is to look and act in one step, under one lock, so that there is no gap to stand in. Here it is a line: \
         `tickets.lock().unwrap().remove(&ticket)` takes the ticket out and says whether it was there.",
    );

    stage.part("What selvedge does");
    stage.say("A token has an owner and an end besides, and still all of it is decided in one step:");
    stage.function(include_str!("../../src/guard/auth/tokens.rs"), "pub fn check_at");
    let (most, all) = race_ours();
    let ours = every_order(&Store::new, &[&OURS, &OURS, &OURS]);
    let ours_bad = ours.iter().filter(|run| run.end.got_in != 1).count();
    stage.say(&format!(
        "The same four threads with {} tickets of the real `TokenStore`: {} got in, never more than {most} with one \
         ticket. And every order of three threads that take it in one step: {} of them, {ours_bad} bad. (Is it truly \
         one step? `tests/loom/tokens.rs` tries every order of what happens inside of it.)",
        thousands(BATCH),
        thousands(all as u64),
        ours.len()
    ));

    let shown = |(ticket, attempts): &(u64, Vec<Attempt>)| {
        let guests = attempts.iter().filter(|attempt| attempt.got_in).count();
        format!("{guests} of {THREADS} threads got in with ticket {}", thousands(*ticket))
    };
    stage.end(&Verdict {
        naive_fell: naive.is_some() && bad == 4,
        naive: naive.as_ref().map_or_else(|| "nobody was caught in the gap this time".into(), shown),
        ours_held: most == 1 && all as u64 == BATCH && ours_bad == 0,
        ours: format!("{} tickets, {} guests, {most} with each", thousands(BATCH), thousands(all as u64)),
        read: ("src/guard/auth/tokens.rs", "`check_at`: alive, and spent by that, under one lock"),
    })
}

/// Threads that show the same tickets one after the other, until two of them get in with one: which, and what each did
/// with it.
fn catch_naive() -> Option<(u64, Vec<Attempt>)> {
    let began = Instant::now();
    let mut first = 0;
    while began.elapsed() < PATIENCE {
        let batch = first..first + BATCH;
        let tickets = Mutex::new(batch.clone().collect());
        let mut attempts: Vec<Vec<Attempt>> = at_once(THREADS, |_| {
            let show = |ticket| {
                let from = Instant::now();
                let got_in = redeem(&tickets, ticket);
                Attempt { from, to: Instant::now(), got_in }
            };
            batch.clone().map(show).collect()
        });
        let guests = |at: usize| attempts.iter().filter(|all| all[at].got_in).count();
        if let Some(at) = (0..BATCH as usize).find(|at| guests(*at) > 1) {
            return Some((first + at as u64, attempts.iter_mut().map(|all| all.swap_remove(at)).collect()));
        }
        first += BATCH;
    }
    None
}

/// The same with the real store: how many got in with one ticket at the most, and with all of them together.
fn race_ours() -> (usize, usize) {
    let store = TokenStore::new(Clock::system());
    let issue = |_| store.issue("a guest", Duration::from_secs(60), Uses::Once).expect("there is room");
    let tickets: Vec<_> = (0..BATCH).map(issue).collect();
    let got_in: Vec<Vec<bool>> = at_once(THREADS, |_| {
        tickets.iter().map(|ticket| store.check(ticket.as_str().as_bytes()).is_some()).collect()
    });
    let guests = |at: usize| got_in.iter().filter(|all| all[at]).count();
    let each = (0..tickets.len()).map(guests);
    (each.clone().max().unwrap_or(0), each.sum())
}

/// What the threads of the scheduler share, and what each of them has found out.
struct Shared {
    tickets: Mutex<HashSet<u64>>,
    found_valid: [bool; 3],
    got_in: [bool; 3],
}

impl Shared {
    fn new() -> Self {
        Shared { tickets: Mutex::new(HashSet::from([TICKET])), found_valid: [false; 3], got_in: [false; 3] }
    }

    fn guests(&self) -> usize {
        self.got_in.iter().filter(|got_in| **got_in).count()
    }
}

/// `redeem`, cut where it gives its lock back.
const NAIVE: [Step<Shared>; 2] = [
    Step {
        name: "is_valid",
        take: |shared, me| {
            shared.found_valid[me] = is_valid(&shared.tickets, TICKET);
            true
        },
    },
    Step {
        name: "strike_out",
        take: |shared, me| {
            if shared.found_valid[me] {
                strike_out(&shared.tickets, TICKET);
                shared.got_in[me] = true;
            }
            true
        },
    },
];

/// The real store, with one ticket.
struct Store {
    tokens: TokenStore,
    ticket: Secret,
    got_in: usize,
}

impl Store {
    fn new() -> Self {
        let tokens = TokenStore::with_capacity(Clock::manual(), 1);
        let ticket = tokens.issue("a guest", Duration::from_secs(60), Uses::Once).expect("there is room");
        Store { tokens, ticket, got_in: 0 }
    }
}

/// It is not cut anywhere.
const OURS: [Step<Store>; 1] = [Step {
    name: "check",
    take: |shared, _| {
        shared.got_in += usize::from(shared.tokens.check(shared.ticket.as_str().as_bytes()).is_some());
        true
    },
}];

fn show_attempts(stage: &Stage, ticket: u64, attempts: &[Attempt]) {
    let first = attempts.iter().map(|attempt| attempt.from).min();
    let last = attempts.iter().filter(|attempt| attempt.got_in).map(|attempt| attempt.to).max();
    let (Some(first), Some(last)) = (first, last) else { return };
    // Who came much later stands at the end.
    let mut timeline = Timeline::new(Duration::ZERO, (last - first) * 3 / 2, 48);
    for (number, attempt) in attempts.iter().enumerate() {
        let remark = if attempt.got_in { stage.bad("got in") } else { "refused".to_owned() };
        timeline.lane(&format!("thread {}", number + 1), remark);
        timeline.span(attempt.from - first, attempt.to - first, '▓');
    }
    stage.show([format!("ticket {}", thousands(ticket))]);
    stage.line("");
    stage.show(timeline.lines());
    stage.say(
        "Where two bars overlap, two threads were at it at the same time. The system puts threads to sleep many times a \
         second, wherever they are; now and then it is there, and the gap stays open for long.",
    );
}

fn show_orders(stage: &Stage, orders: &[Run<Shared>]) {
    for (number, run) in (1..).zip(orders) {
        let steps: Vec<_> =
            run.steps(&[&NAIVE, &NAIVE]).map(|(thread, name)| format!("{}:{name}", thread + 1)).collect();
        let steps: String = steps.iter().map(|step| left(step, 14)).collect();
        let outcome = match run.end.guests() {
            1 => stage.good("✓ one gets in"),
            _ => stage.bad("✗ both do"),
        };
        stage.show([format!("{number}  {steps}{outcome}")]);
    }
}

fn show_steps(stage: &Stage, run: &Run<Shared>) {
    const COLUMN: usize = 30;
    stage.show([
        format!("{}thread 2", left("thread 1", COLUMN)),
        format!("{}────────", left("────────", COLUMN)),
    ]);
    for (thread, name) in run.steps(&[&NAIVE, &NAIVE]) {
        let text = match name {
            "is_valid" => "is_valid?  yes".to_owned(),
            _ => format!("strike_out, {}", stage.bad("gets in")),
        };
        stage.show([format!("{}{text}", " ".repeat(thread * COLUMN))]);
    }
}
