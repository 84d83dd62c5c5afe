//! What the monitor costs a request, in nanoseconds: `cargo bench --bench monitor`.

use selvedge::clock::{Clock, Tick};
use selvedge::monitor::{Access, AccessLog, Alerts, HitKind, LogFormat, Outlet};
use selvedge::threads::{Board, Tenant};
use selvedge::{ClientKey, Method, RequestId, StatusCode, Version};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

const ROUNDS: u32 = 1_000_000;

/// The best of five runs: what else the machine did is no cost of ours.
fn measure(name: &str, mut act: impl FnMut(u32)) {
    let run = |act: &mut dyn FnMut(u32)| {
        let start = Instant::now();
        (0..ROUNDS).for_each(&mut *act);
        start.elapsed() / ROUNDS
    };
    let best = (0..5).map(|_| run(&mut act)).min().unwrap_or_default();
    println!("{name:<44} {:>5} ns", best.as_nanos());
}

fn main() {
    let clock = Clock::system();
    let alerts = Alerts::start(Vec::new(), clock.clone()).expect("a thread");
    let client = |number: u32| ClientKey::from(IpAddr::from(Ipv4Addr::from_bits(number)));
    let kind = |number| HitKind::new(client(number), &Method::GET, StatusCode::OK);
    measure("alerts, one client", |_| alerts.note(kind(1), clock.now()));
    measure("alerts, a thousand clients", |round| alerts.note(kind(round % 1000), clock.now()));
    measure("alerts, every client a new one", |round| alerts.note(kind(round), clock.now()));
    measure("  of this, the clock", |_| {
        black_box(clock.now());
    });

    let board = Arc::new(Board::new(1));
    let tenant = Tenant { peer: None, client: 0, lifeline: None };
    let occupant = board.sit(0, tenant, Tick::default(), Tick::NEVER);
    for (name, path) in [("short", &b"/some/path"[..]), ("long", &[b'x'; 90])] {
        measure(&format!("what is asked for, a {name} path"), |_| {
            occupant.note_request(black_box(b"GET"), black_box(path));
        });
    }

    let peer: SocketAddr = "192.0.2.7:4321".parse().expect("an address");
    let access = Access {
        time: UNIX_EPOCH + Duration::from_millis(1_769_860_800_123),
        client: Some(peer.ip()),
        peer: Some(peer),
        user: None,
        request: Some(("GET", b"/some/path?with=query", Some(Version::HTTP_11))),
        status: StatusCode::OK,
        bytes: 1234,
        duration: Duration::from_micros(123),
        id: RequestId::default(),
        user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        referer: Some(b"https://example.org/"),
        tls: None,
    };
    let mut line = Vec::new();
    for (name, format) in [("text", LogFormat::Text), ("json", LogFormat::Json)] {
        measure(&format!("access log, {name}, formatting alone"), |_| {
            line.clear();
            format.push(black_box(&access), &mut line);
        });
        let log = AccessLog::open(Outlet::File("/dev/null".into()), format).expect("it opens");
        measure(&format!("access log, {name}, to /dev/null"), |_| log.record(black_box(&access), &mut line));
        println!("  {} lines were dropped", log.journal().dropped());
    }
}
