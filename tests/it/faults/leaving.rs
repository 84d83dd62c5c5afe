//! Clients that leave, in every phase: those who are there are served on, and nothing is kept of those who are gone.

use super::leave::{Leaving, Paths, Phase, Visit, body_of};
use crate::cli::{Serving, program, scratch};
use crate::support::{Client, eventually};
use rustix::process::Signal;
use std::fs;
use std::net::SocketAddr;

const OPTIONS: [&str; 6] = ["--bind", "127.0.0.1:0", "--rate-limit", "off", "--throttle", "off"];
const WAYS: [Leaving; 2] = [Leaving::Reset, Leaving::HalfClose];
const ROUNDS: usize = 5;

fn address(serving: &Serving) -> SocketAddr {
    serving.address.parse().expect("an address")
}

/// Descriptors of the program.
fn descriptors(serving: &Serving) -> usize {
    fs::read_dir(format!("/proc/{}/fd", serving.child.id())).expect("it runs").count()
}

/// Leaves in each of `phases`, both ways. Who half-closes after a request gets all of its answer, and who breaks off gets
/// no success.
fn check(serving: &Serving, paths: &Paths, phases: &[Phase]) {
    let before = descriptors(serving);
    for _ in 0..ROUNDS {
        for &phase in phases {
            for way in WAYS {
                let visit = Visit::begin(address(serving), paths, phase).expect("it serves");
                let told = visit.leave(way).unwrap_or_else(|problem| panic!("{phase:?}, {way:?}: {problem}"));
                assert_told(phase, way, &told);
            }
        }
    }
    eventually("all descriptors are back", || descriptors(serving) <= before);
}

fn assert_told(phase: Phase, way: Leaving, told: &[u8]) {
    let at = || format!("{phase:?}, {way:?}: {}", String::from_utf8_lossy(&told[..told.len().min(200)]));
    if phase.is_answered() && way == Leaving::HalfClose {
        let (length, body) = body_of(told).unwrap_or_else(|| panic!("{}", at()));
        assert!(told.starts_with(b"HTTP/1.1 200 ") && body.len() == length, "{}", at());
    } else if !phase.is_answered() {
        assert!(!told.starts_with(b"HTTP/1.1 2"), "{}", at());
    }
}

fn end(serving: Serving) {
    serving.signal(Signal::TERM);
    let rest = serving.end(0);
    assert!(!rest.contains("panic") && rest.contains(", 0 cut"), "{rest}");
}

#[test]
fn the_application() {
    let serving = Serving::start(&mut program(&OPTIONS));
    assert_eq!(Client::to(address(&serving)).get("/healthz").status, 200);
    let paths = Paths { small: "/", slow: "/long-running?ms=5", large: "" };
    let phases: Vec<_> = Phase::ALL.into_iter().filter(|phase| *phase != Phase::LargeAnswer).collect();
    check(&serving, &paths, &phases);
    end(serving);
}

/// Files leave by the kernel's own means, and a client that goes meanwhile is noticed there.
#[test]
fn a_directory() {
    let folder = scratch("left-directory");
    fs::create_dir_all(&folder).expect("a place to write");
    fs::write(folder.join("small"), "small").expect("a place to write");
    fs::write(folder.join("large"), vec![b'x'; 16 << 20]).expect("a place to write");
    let serving = Serving::start(program(&OPTIONS).arg(folder.to_str().expect("UTF-8")));
    assert_eq!(Client::to(address(&serving)).get("/small").status, 200);
    let paths = Paths { small: "/small", slow: "/small", large: "/large" };
    check(&serving, &paths, &[Phase::SmallAnswer, Phase::LargeAnswer, Phase::Idle]);
    end(serving);
    let _ = fs::remove_dir_all(folder);
}

/// One is handled at a time: the first leaves satisfied, the second while it is handled, the third while it waits.
#[test]
fn the_queue() {
    let serving = Serving::start(program(&OPTIONS).args(["--max-in-flight", "1", "--queue-wait", "30s"]));
    let before = descriptors(&serving);
    let paths = Paths { small: "/", slow: "/long-running?ms=50", large: "" };
    let ask = || Visit::begin(address(&serving), &paths, Phase::Handling).expect("it serves");
    for way in WAYS {
        for _ in 0..ROUNDS {
            let [mut first, second, third] = [ask(), ask(), ask()];
            first.hear().expect("an answer");
            for left in [third, second, first] {
                let told = left.leave(way).expect("it was served");
                assert!(way == Leaving::Reset || told.starts_with(b"HTTP/1.1 200 "));
            }
        }
        // The permits are back.
        assert_eq!(Client::to(address(&serving)).get("/").status, 200);
    }
    eventually("all descriptors are back", || descriptors(&serving) <= before);
    end(serving);
}

#[cfg(feature = "self-signed")]
#[test]
fn over_tls() {
    let serving = Serving::start(program(&OPTIONS).arg("--tls-self-signed"));
    let paths = Paths { small: "/", slow: "/", large: "" };
    // Once for what the first handshake needs.
    let _ =
        Visit::begin(address(&serving), &paths, Phase::Handshake).map(|visit| visit.leave(Leaving::Reset));
    check(&serving, &paths, &[Phase::Accepted, Phase::Handshake, Phase::Head]);
    end(serving);
}
