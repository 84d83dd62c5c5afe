//! A rate limit that several threads ask at once, from more addresses than it can remember.

mod stage;

use selvedge::RateLimit;
use selvedge::clock::{Clock, Tick};
use selvedge::monitor::resources::Usage;
use stage::machine::at_once;
use stage::picture::{Side, bar, bytes, table, thousands};
use stage::{Stage, Verdict};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const LIMIT: usize = 30;
const MINUTE: Duration = Duration::from_secs(60);
/// Threads on which each client asks as often as its limit.
const THREADS: usize = 4;
/// Clients at a time.
const CLIENTS: u32 = 500;
/// How long the lesson waits for luck.
const PATIENCE: Duration = Duration::from_secs(8);
/// Requests of one household, each from another of its addresses.
const DISGUISES: u64 = 10_000;
/// Clients for the memory, and how often it is looked at on the way.
const CROWD: u32 = 400_000;
const LOOKS: u32 = 4;

type Times = Mutex<HashMap<IpAddr, Vec<Instant>>>;

// show: naive
fn admit(table: &Times, client: IpAddr) -> bool {
    let now = Instant::now();
    let known = table.lock().unwrap().get(&client).cloned();
    let mut times = known.unwrap_or_default();
    times.retain(|time| now - *time < MINUTE);
    if times.len() >= LIMIT {
        return false;
    }
    times.push(now);
    table.lock().unwrap().insert(client, times);
    true
}
// end

fn main() -> ExitCode {
    let stage = Stage::open("limiter");
    stage.say(
        "Thirty requests a minute for each client, no more. The attacker wants more: he sends many at the same moment, \
         he changes his address, and he brings a crowd.",
    );

    stage.part("The naive way");
    stage.say("A table from addresses to the times of their requests. Every access is under a lock:");
    stage.code(include_str!("limiter.rs"), "naive");
    stage.say(
        "In Python it would be a dictionary of lists, `times[ip] = [t for t in times[ip] if …]` and then `append`: the \
         same steps, with the same gap between them.",
    );

    stage.part("First attack: all at once");
    stage.say(&format!(
        "Each client sends {} requests on {THREADS} threads. {LIMIT} of them should be admitted. These are the clients \
         that were admitted most often:",
        LIMIT * THREADS
    ));
    let naive = race_naive();
    let limit = RateLimit::per_minute(LIMIT as u32);
    let clock = Clock::system();
    let ours = race(|client| limit.check(client.into(), clock.now()).is_ok());
    show_worst(&stage, "naive", &naive);
    show_worst(&stage, "selvedge", &ours);
    stage.say(
        "A thread takes its copy of the list and is put to sleep. Meanwhile the others fill the list to its end. It \
         wakes up, adds one to the old copy and puts that back: what the others wrote is gone, and the counting \
         begins again. This is called a lost update. `RateLimit` looks and counts in one step, under the lock of \
         the part of its table where the client is.",
    );

    stage.part("Second attack: one client, many addresses");
    let (naive_disguised, ours_disguised) = disguise();
    stage.say(&format!(
        "With IPv6 a household has as many addresses as there are numbers of 64 bits, all of which begin alike. One \
         household sends {} requests, each from another address:",
        thousands(DISGUISES)
    ));
    stage.show(table(
        [Side::Left, Side::Right, Side::Left],
        ["", "admitted", "what counts as one client"],
        &[
            ["naive".into(), stage.bad(&thousands(naive_disguised)), "an address".into()],
            ["selvedge".into(), stage.good(&thousands(ours_disguised)), "the first 64 bits of it".into()],
        ],
    ));

    stage.part("Third attack: a crowd");
    stage.say(
        "Requests from ever more networks. Nobody ever takes a client out of the naive table that does not come back:",
    );
    let (naive_grew, ours_grew) = crowd();
    show_memory(&stage, &naive_grew, &ours_grew);
    stage.say(
        "A table for the attacker's addresses is memory the attacker gives out. Selvedge has room for 131,072 clients; \
         then somebody makes way who is not at his limit. Who is at it stays, or a crowd could set him free.",
    );

    let (worst, ours_worst) = (most(&naive), most(&ours));
    let ours_late = ours_grew[LOOKS as usize - 1].saturating_sub(ours_grew[LOOKS as usize / 2 - 1]);
    let naive_late = naive_grew[LOOKS as usize - 1].saturating_sub(naive_grew[LOOKS as usize / 2 - 1]);
    stage.end(&Verdict {
        naive_fell: worst > LIMIT && naive_disguised == DISGUISES && naive_late > 10_000_000,
        naive: format!("{worst} admitted instead of {LIMIT}; {} in disguise", thousands(naive_disguised)),
        ours_held: ours.iter().all(|admitted| *admitted == LIMIT)
            && ours_disguised == LIMIT as u64
            && ours_late < naive_late / 4,
        ours: format!("{ours_worst} admitted, of each of {CLIENTS} clients; {ours_disguised} in disguise"),
        read: ("src/threads/table.rs", "`upsert`: look and act under one lock; `dispensable` makes way"),
    })
}

/// Clients each ask on all threads: how often each was admitted.
fn race(admit: impl Fn(IpAddr) -> bool + Sync) -> Vec<usize> {
    let admitted: Vec<Vec<usize>> = at_once(THREADS, |_| {
        let ask = |client| (0..LIMIT).filter(|_| admit(Ipv4Addr::from_bits(client).into())).count();
        (0..CLIENTS).map(ask).collect()
    });
    (0..CLIENTS as usize).map(|client| admitted.iter().map(|of_thread| of_thread[client]).sum()).collect()
}

/// The same until one of them was admitted too often.
fn race_naive() -> Vec<usize> {
    let began = Instant::now();
    loop {
        let times = Times::default();
        let admitted = race(|client| admit(&times, client));
        if most(&admitted) > LIMIT || began.elapsed() > PATIENCE {
            return admitted;
        }
    }
}

fn most(admitted: &[usize]) -> usize {
    admitted.iter().copied().max().unwrap_or(0)
}

/// How many requests of one household are admitted.
fn disguise() -> (u64, u64) {
    let household: u128 = Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, 0).to_bits();
    let addresses =
        || (0..DISGUISES).map(|number| IpAddr::from(Ipv6Addr::from_bits(household + u128::from(number))));
    let times = Times::default();
    let limit = RateLimit::per_minute(LIMIT as u32);
    let naive = addresses().filter(|address| admit(&times, *address)).count();
    let ours = addresses().filter(|address| limit.check((*address).into(), Tick::default()).is_ok()).count();
    (naive as u64, ours as u64)
}

/// Bytes that a crowd has cost, naive and ours, each time somebody looked.
fn crowd() -> (Vec<u64>, Vec<u64>) {
    let network = |number: u32| {
        IpAddr::from(Ipv6Addr::from_bits(u128::from(0x2001_0db8_0000_0000 + u64::from(number)) << 64))
    };
    let limit = RateLimit::per_minute(LIMIT as u32);
    let ours = grow(|number| limit.check(network(number).into(), Tick::default()).is_ok());
    let times = Times::default();
    let naive = grow(|number| admit(&times, network(number)));
    (naive, ours)
}

fn grow(ask: impl Fn(u32) -> bool) -> Vec<u64> {
    let memory = || Usage::now().map_or(0, |usage| usage.memory);
    let before = memory();
    let look = |part| {
        let admitted = (part * (CROWD / LOOKS)..(part + 1) * (CROWD / LOOKS)).filter(|number| ask(*number));
        assert_eq!(admitted.count() as u32, CROWD / LOOKS, "each asks once");
        memory().saturating_sub(before)
    };
    (0..LOOKS).map(look).collect()
}

fn show_worst(stage: &Stage, name: &str, admitted: &[usize]) {
    const WORST: usize = 3;
    let mut sorted = admitted.to_vec();
    sorted.sort_unstable_by(|one, other| other.cmp(one));
    let too_often = admitted.iter().filter(|admitted| **admitted > LIMIT).count();
    stage.show([format!("{name}: {too_often} of {CLIENTS} clients over the limit")]);
    for admitted in sorted.into_iter().take(WORST) {
        let within = bar(admitted.min(LIMIT) as u64, (LIMIT * THREADS) as u64, 60);
        let beyond = bar(admitted.saturating_sub(LIMIT) as u64, (LIMIT * THREADS) as u64, 60);
        stage.show([format!(
            "{admitted:>5}  {}{}",
            stage.good(&within),
            stage.bad(&beyond.replace('█', "▒"))
        )]);
    }
    stage.line("");
}

fn show_memory(stage: &Stage, naive: &[u64], ours: &[u64]) {
    let all = naive.iter().chain(ours).copied().max().unwrap_or(1);
    for (name, grew) in [("naive", naive), ("selvedge", ours)] {
        for (number, memory) in (1..).zip(grew) {
            let clients = thousands(u64::from(CROWD / LOOKS) * number);
            let bar = bar(*memory, all, 32);
            stage.show([format!("{name:<8}  {clients:>7} networks  {:>8}  {bar}", bytes(*memory))]);
        }
        stage.line("");
    }
}
