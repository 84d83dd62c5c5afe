//! What is watched: who asks too often, and what the process has.

use crate::support::{Client, PATIENCE, builder};
use proptest::prelude::*;
use selvedge::clock::{Clock, Tick};
use selvedge::monitor::resources::{Pressure, Step, group_limit, limit, parse_status};
use selvedge::monitor::{Alert, AlertSink, Alerts, HitKind, Hitters, Monitor, SavedHits};
use selvedge::service::Health;
use selvedge::{ClientKey, Method, Router, StatusCode};
use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, UNIX_EPOCH};

fn at(seconds: u64) -> Tick {
    Tick::from_micros(seconds * 1_000_000)
}

fn kind(client: u32) -> HitKind {
    let client = ClientKey::from(std::net::IpAddr::from(Ipv4Addr::from_bits(client)));
    HitKind::new(client, &Method::GET, StatusCode::OK)
}

/// Hits `count` times at `second`; returns the alerts.
fn hit(hitters: &Hitters, count: usize, second: u64) -> Vec<u32> {
    (0..count).filter_map(|_| hitters.hit(kind(1), at(second))).collect()
}

#[test]
fn one_alert_a_minute() {
    type Row = (&'static [(usize, u64)], &'static [u32]);
    let rows: &[Row] = &[
        (&[(100, 0)], &[]),
        (&[(101, 0)], &[101]),
        (&[(1000, 0), (1000, 59)], &[101]),
        // At 60 the hits of second 0 are out of the window.
        (&[(1000, 0), (1000, 60)], &[101, 101]),
        (&[(100, 0), (1, 49)], &[101]),
        (&[(100, 0), (100, 60), (100, 120)], &[]),
        (&[(60, 55), (60, 65)], &[101]),
        // The window moves in steps of ten seconds, and never covers more than sixty.
        (&[(100, 9), (1, 59)], &[101]),
        (&[(100, 9), (1, 60)], &[]),
        (&[(101, 0), (50, 61), (51, 100)], &[101, 101]),
    ];
    for (hits, expected) in rows {
        let hitters = Hitters::new(100);
        let alerts: Vec<_> = hits.iter().flat_map(|(count, second)| hit(&hitters, *count, *second)).collect();
        assert_eq!(alerts, *expected, "{hits:?}");
    }
}

#[test]
fn methods_are_folded() {
    let name = |method: &str| {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        HitKind::new(ClientKey::LOCAL, &method, StatusCode::NOT_FOUND).method()
    };
    for (method, counted) in
        [("GET", "GET"), ("HEALTH", "HEALTH"), ("BREW", "OTHER"), ("get", "OTHER"), ("OTHER", "OTHER")]
    {
        assert_eq!(name(method), counted);
    }
}

/// Whoever asks more often than one in a thousand is noticed, however many others come by; and no place is added.
#[test]
fn a_crowd_hides_nobody() {
    let hitters = Hitters::new(100);
    let mut alerts = 0;
    for round in 0..200_u32 {
        alerts += usize::from(hitters.hit(kind(1), at(0)).is_some());
        for stranger in 0..200 {
            assert_eq!(
                hitters.hit(kind(1000 + round * 200 + stranger), at(0)),
                None,
                "nobody is accused in vain"
            );
        }
    }
    assert_eq!(alerts, 1);
    assert_eq!(hitters.len(), 1024);
}

proptest! {
    /// Nobody is accused of more than he did in the last minute, whatever it was.
    #[test]
    fn no_count_is_too_high(steps in prop::collection::vec((0..40_u32, 0..8_u64, 1..40_usize), 0..200)) {
        let hitters = Hitters::new(20);
        let mut seen: HashMap<u32, Vec<u64>> = HashMap::new();
        let mut now = 0;
        for (client, pause, count) in steps {
            now += pause;
            for _ in 0..count {
                let times = seen.entry(client).or_default();
                times.push(now);
                let exact = times.iter().filter(|then| now - **then < 60).count();
                if let Some(count) = hitters.hit(kind(client), at(now)) {
                    prop_assert!(count > 20 && count as usize <= exact, "{} and {}", count, exact);
                }
            }
        }
    }
}

proptest! {
    /// Connections that save up what they count accuse nobody of more than he did either, and once all have ended, all is
    /// counted.
    #[test]
    fn what_is_saved_up_is_not_lost(
        steps in prop::collection::vec((0..3_u32, 0..4_usize, 0..12_u64, 1..60_usize), 0..100),
    ) {
        let (exact, saving) = (Hitters::new(20), Hitters::new(20));
        let mut tallies: [SavedHits; 4] = Default::default();
        let mut seen: HashMap<u32, Vec<u64>> = HashMap::new();
        let mut now = 0;
        for (client, connection, pause, count) in steps {
            now += pause;
            for _ in 0..count {
                exact.hit(kind(client), at(now));
                let times = seen.entry(client).or_default();
                times.push(now);
                if let Some(count) = saving.hit_from(&mut tallies[connection], kind(client), at(now)) {
                    let most = times.iter().filter(|then| now - **then < 60).count();
                    prop_assert!(count > 20 && count as usize <= most, "{} and {}", count, most);
                }
            }
        }
        for tally in &mut tallies {
            saving.settle(tally, at(now));
        }
        prop_assert_eq!(saving.busiest(9, at(now)), exact.busiest(9, at(now)));
    }
}

/// One connection by itself: each alert comes with the hit it comes with if nothing is saved up.
#[test]
fn saving_up_delays_no_alert() {
    let (exact, saving) = (Hitters::new(100), Hitters::new(100));
    let mut tally = SavedHits::default();
    for step in 0..20_000 {
        let now = Tick::from_micros(step * 31_234);
        assert_eq!(saving.hit_from(&mut tally, kind(1), now), exact.hit(kind(1), now), "{now:?}");
    }
}

#[test]
fn sinks_are_told_and_fenced() {
    let (tell, told) = mpsc::channel();
    let sinks: Vec<Box<dyn AlertSink>> = vec![
        Box::new(|_: &Alert| panic!("a sink with a fault")),
        Box::new(move |alert: &Alert| drop(tell.send(alert.to_json()))),
    ];
    let alerts = Alerts::start(sinks, Clock::manual()).expect("a thread");
    for _ in 0..1000 {
        alerts.note(kind(0x7f00_0001), at(5));
    }
    let patience = Duration::from_secs(20);
    let json = told.recv_timeout(patience).expect("an alert");
    assert!(json.contains(r#""client":"127.0.0.1","method":"GET","status":200,"count":101,"#), "{json}");
    drop(alerts);
    assert!(told.recv_timeout(patience).is_err(), "one alert, and the thread ends");
}

/// A sink that does not come back holds up nobody who raises an alert.
#[test]
fn a_stuck_sink_holds_up_nobody() {
    let (let_go, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let sink = move |_: &Alert| {
        let _ = held.lock().expect("not poisoned").recv();
    };
    let alerts = Alerts::start(vec![Box::new(sink)], Clock::manual()).expect("a thread");
    for _ in 0..10_000 {
        alerts.raise(Alert::Memory { at: UNIX_EPOCH, bytes: 2 << 30, limit: 1 << 30 });
    }
    drop(let_go);
}

#[test]
fn status_files() {
    for (status, expected) in [
        ("Name:\tx\nVmRSS:\t    4096 kB\nThreads:\t7\n", Some((4096 << 10, 7))),
        ("Name:\tVmRSS: 1\nVmRSS:\t1 kB\nThreads:\t1", Some((1024, 1))),
        ("Threads:\t7\n", None),
        ("VmRSS:\tmuch kB\nThreads:\t7\n", None),
        ("VmRSS:\t18446744073709551615 kB\nThreads:\t7\n", None),
        ("", None),
    ] {
        assert_eq!(parse_status(status), expected, "{status:?}");
    }
}

#[test]
fn control_groups() {
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<u64>, Option<u64>);

    const MIB: u64 = 1 << 20;
    let v2 = "0::/a/b\n";
    let v1 = "5:cpu,cpuacct:/\n4:memory:/a/b\n0::/\n";
    let rows: &[Row] = &[
        ("", &[], None, Some(1024 * MIB)),
        (v2, &[], None, Some(1024 * MIB)),
        (v2, &[("a/b/memory.max", "max\n")], None, Some(1024 * MIB)),
        (v2, &[("a/b/memory.max", "104857600\n")], Some(100 * MIB), Some(80 * MIB)),
        // A group above binds too.
        (
            v2,
            &[("a/b/memory.max", "max\n"), ("a/memory.max", "104857600\n")],
            Some(100 * MIB),
            Some(80 * MIB),
        ),
        // The path is the host's: the mount is ours.
        (v2, &[("memory.max", "104857600\n")], Some(100 * MIB), Some(80 * MIB)),
        (v2, &[("a/b/memory.max", "4294967296\n")], Some(4096 * MIB), Some(1024 * MIB)),
        (v1, &[("memory/a/b/memory.limit_in_bytes", "104857600\n")], Some(100 * MIB), Some(80 * MIB)),
        (v1, &[("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n")], None, Some(1024 * MIB)),
        ("4:memory:/../../..\n", &[("memory.max", "1\n")], None, Some(1024 * MIB)),
        ("nonsense\n0\n0:\n::::\n", &[], None, Some(1024 * MIB)),
    ];
    for (number, (groups, files, of_group, expected)) in rows.iter().enumerate() {
        let name = format!("groups-{number}-{}", std::process::id());
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a place to write");
            fs::write(path, text).expect("written");
        };
        write("proc/self/cgroup", groups);
        files.iter().for_each(|(path, text)| write(&format!("sys/fs/cgroup/{path}"), text));
        assert_eq!(group_limit(&root), *of_group, "row {number}");
        assert_eq!(limit(Some(1024 * MIB), &root), *expected, "row {number}");
        assert_eq!(limit(None, &root), None, "off is off");
        let _ = fs::remove_dir_all(root);
    }
}

#[test]
fn pressure() {
    use Step::{CloseIdle, CloseStalled, Refuse, Sweep, Well};
    let rows: &[&[(u64, u64, Step)]] = &[
        &[
            (0, 1000, Well),
            (250, 1001, Sweep),
            (500, 1001, Sweep),
            (1250, 1001, CloseIdle),
            (2250, 1001, CloseStalled),
            (3250, 1001, Refuse),
        ],
        // Once refused, refused until it is well below.
        &[
            (0, 2000, Sweep),
            (1000, 2000, CloseIdle),
            (2000, 2000, CloseStalled),
            (3000, 2000, Refuse),
            (9000, 901, Refuse),
            (9250, 899, Well),
        ],
        // A step that helped a little is not followed by another.
        &[(0, 1001, Sweep), (5000, 1000, Sweep), (9000, 950, Sweep), (9250, 1001, CloseIdle)],
        &[(0, 1001, Sweep), (250, 100, Well), (500, 1001, Sweep), (750, 1001, Sweep)],
        &[(0, u64::MAX, Sweep), (250, 0, Well)],
    ];
    for samples in rows {
        let mut pressure = Pressure::new(1000);
        for (millis, memory, expected) in *samples {
            let step = pressure.observe(*memory, Tick::from_micros(millis * 1000));
            assert_eq!(step, *expected, "{memory} at {millis} of {samples:?}");
        }
    }
}

/// To have asked for its health hides nothing that comes after it: not what is no request either.
#[test]
fn what_is_refused_after_a_probe_is_counted() {
    let (tell, told) = mpsc::channel();
    let health = Router::new().get("/healthz", Health(Monitor::new(Clock::system())));
    let server = builder(|_| ())
        .alert_sink(move |alert: &Alert| drop(tell.send(alert.to_json())))
        .serve(health)
        .expect("it starts");
    for _ in 0..101 {
        let mut client = Client::connect(&server);
        assert_eq!(client.get("/healthz").status, 200);
        client.send("GET / HTTP/9.9\r\n\r\n");
        assert_eq!(client.last_answer().status, 505);
    }
    let json = told.recv_timeout(PATIENCE).expect("an alert");
    assert!(json.contains(r#""method":"GET","status":505,"count":101,"#), "{json}");
}
