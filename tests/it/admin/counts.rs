//! What is counted, and that it stays bounded whatever clients send.

use crate::support::{Client, eventually, ms, post, request, serve};
use selvedge::clock::Tick;
use selvedge::monitor::metrics::{BOUNDS_MICROS, Buckets};
use selvedge::threads::{Board, LABEL_BYTES, Tenant};
use selvedge::{Refusal, Request, Response, StatusCode};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn answers(server: &selvedge::Server, method: &str, status: u16) -> u64 {
    let totals = server.monitor().totals();
    totals.answers.iter().find(|(known, code, _)| (*known, *code) == (method, status)).map_or(0, |it| it.2)
}

#[test]
fn answers_by_method_and_status() {
    let server = serve(
        |config| config.max_body = 8,
        |request: &mut Request| {
            let status = request.query_value("status").and_then(|text| text.parse().ok()).unwrap_or(200);
            Response::new(StatusCode::from_u16(status).expect("a status"))
        },
    );
    let mut client = Client::connect(&server);
    let rows: &[(&str, u16, (&str, u16))] = &[
        ("GET", 200, ("GET", 200)),
        ("GET", 404, ("GET", 404)),
        ("PUT", 201, ("PUT", 201)),
        ("HEALTH", 503, ("HEALTH", 503)),
        // What is not well known is one kind.
        ("BREW", 418, ("other", 418)),
        ("get", 200, ("other", 200)),
    ];
    for (method, status, _) in rows {
        assert_eq!(client.ask(request(method, &format!("/?status={status}"))).status, *status);
    }
    eventually("all were counted", || server.monitor().counters().requests == rows.len() as u64);
    for (method, status, counted) in rows {
        let expected = rows.iter().filter(|row| row.2 == *counted).count() as u64;
        assert_eq!(answers(&server, counted.0, counted.1), expected, "{method} {status}");
    }
    let totals = server.monitor().totals();
    assert_eq!(totals.requests(), rows.len() as u64);
    assert_eq!((totals.duration.count(), totals.queue_wait.count()), (6, 6));
    assert!(totals.received > 6 * 30 && totals.sent > 6 * 100, "{totals:?}");

    assert_eq!(client.ask(post("/", "too long a body")).status, 413);
    eventually("it was refused", || server.monitor().totals().refused() == 1);
    let totals = server.monitor().totals();
    let refused = totals.refusals.iter().find(|(reason, _)| *reason == Refusal::BODY_TOO_LARGE.reason);
    assert_eq!(refused, Some(&(Refusal::BODY_TOO_LARGE.reason, 1)));
    assert_eq!(totals.duration.count(), 6, "to say no takes no time that matters");
    eventually("its connection was closed", || server.monitor().totals().closed("refused") == 1);
}

/// Of what no method was read nobody knows that it was GET.
#[test]
fn requests_without_a_method() {
    let rows: &[(&str, &str, u16)] = &[
        ("(GET) / HTTP/1.1\r\n", "other", 400),
        ("\r\n\0", "other", 400),
        ("GE", "other", 408),
        ("GET ", "GET", 408),
        ("POST / HTTP/3.0\r\n", "POST", 505),
    ];
    for (sent, method, status) in rows {
        let server = serve(|config| config.header_timeout = ms(100), |_: &mut Request| "");
        let mut client = Client::connect(&server);
        client.send(sent);
        assert_eq!(client.answer().status, *status, "{sent:?}");
        eventually("it was counted", || server.monitor().counters().requests == 1);
        assert_eq!(answers(&server, method, *status), 1, "{sent:?}: {:?}", server.monitor().totals());
    }
}

/// A seat has room for so many kinds of event; what comes beyond them is counted all the same.
#[test]
fn one_seat_meets_every_kind() {
    let server = serve(
        |_| (),
        |request: &mut Request| {
            let status = request.query_value("status").and_then(|text| text.parse().ok()).unwrap_or(200);
            Response::new(StatusCode::from_u16(status).expect("a status"))
        },
    );
    let mut client = Client::connect(&server);
    for _ in 0..3 {
        for status in 400..=417 {
            assert_eq!(client.ask(request("GET", &format!("/?status={status}"))).status, status);
        }
    }
    for status in [299, 420, 777, 999] {
        let last = format!("GET /?status={status} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut client = Client::connect(&server);
        client.send(last);
        let mut answer = String::new();
        client.stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    eventually("all were counted", || server.monitor().counters().requests == 3 * 18 + 4);
    for status in 400..=417 {
        assert_eq!(answers(&server, "GET", status), 3, "{status}");
    }
    assert_eq!(answers(&server, "GET", 0), 4, "those nobody registered are one");
}

/// A name, counts by bucket, what all took together, and what half and 99 of 100 take at most.
type Row<'a> = (&'a str, &'a [(usize, u64)], u64, Option<(u64, u64)>);

#[test]
fn quantiles() {
    const LAST: usize = BOUNDS_MICROS.len();
    let buckets = |counts: &[(usize, u64)], sum_micros| {
        let mut buckets = Buckets { sum_micros, ..Buckets::default() };
        for (bucket, count) in counts {
            buckets.counts[*bucket] = *count;
        }
        buckets
    };
    let rows: &[Row] = &[
        ("none", &[], 0, None),
        ("one", &[(0, 1)], 10, Some((10, 10))),
        ("one each", &[(0, 1), (5, 1)], 10 + 750, Some((10, 750))),
        ("spread over a bucket", &[(1, 100)], 100 * 35, Some((34, 49))),
        ("one that is longer", &[(0, 99), (9, 1)], 99 * 10 + 15_000, Some((10, 19))),
        ("two that are longer", &[(0, 98), (9, 2)], 98 * 10 + 2 * 15_000, Some((10, 12_500))),
        ("longer than the longest bound", &[(LAST, 5)], 60_000_000, Some((10_000_000, 10_000_000))),
        ("some of them", &[(7, 99), (LAST, 1)], 99 * 3_500 + 60_000_000, Some((3_500, 4_984))),
        ("very many", &[(0, u64::MAX / 2)], u64::MAX, Some((1, 8))),
        // What all of them took together says more than their buckets alone.
        ("just above a bound", &[(7, 1000)], 1000 * 2_100, Some((2_070, 2_436))),
        ("one of them", &[(12, 1)], 100_100, Some((100_069, 100_069))),
        ("at a bound", &[(7, 1000)], 1000 * 5_000, Some((5_000, 5_000))),
        ("just below one", &[(7, 1000)], 1000 * 4_900, Some((4_999, 5_000))),
        ("few, beside many short ones", &[(0, 900), (7, 100)], 900 * 15 + 100 * 2_100, Some((11, 2_522))),
        // Read while somebody counts, a sum may be short of its counts, or have too much.
        ("too little", &[(7, 1000)], 0, Some((2_000, 2_000))),
        ("too much", &[(7, 1000)], u64::MAX, Some((5_000, 5_000))),
    ];
    for (name, counts, sum, expected) in rows {
        let buckets = buckets(counts, *sum);
        assert_eq!(buckets.quantile(50).zip(buckets.quantile(99)), *expected, "{name}");
    }
    let (before, after) = (buckets(&[(3, 5)], 500), buckets(&[(3, 7), (4, 1)], 1000));
    assert_eq!(after.since(&before), buckets(&[(3, 2), (4, 1)], 500));
    assert_eq!(before.since(&after), Buckets::default(), "nothing goes below zero");
}

#[test]
fn labels_are_cut_and_never_torn() {
    let board = Arc::new(Board::new(1));
    let tenant = Tenant { peer: None, client: 0, lifeline: None };
    let occupant = board.sit(0, tenant, Tick::default(), Tick::NEVER);
    assert_eq!(board.label(0).as_deref(), Some(&b""[..]));
    occupant.note_request(b"GET", b"/");
    assert_eq!(board.label(0).as_deref(), Some(&b"GET /"[..]));
    let long = vec![b'x'; 4096];
    occupant.note_request(b"PUT", &long);
    assert_eq!(board.label(0), Some([b"PUT ", &long[..LABEL_BYTES - 4]].concat()));
    occupant.note_request(&long, b"/");
    assert_eq!(board.label(0), Some(long[..LABEL_BYTES].to_vec()));
    assert_eq!(board.label(1), None);

    let over = AtomicBool::new(false);
    let (short, long) = (&b"/aaaaaaa"[..], &[b'b'; 80][..]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..200_000 {
                occupant.note_request(b"GET", if round % 2 == 0 { short } else { long });
            }
            over.store(true, Ordering::Release);
        });
        let mut seen = 0;
        while !over.load(Ordering::Acquire) {
            let Some(label) = board.label(0) else { continue };
            let whole = [[b"GET ", short].concat(), [b"GET ", long].concat(), vec![b'x'; LABEL_BYTES]];
            assert!(whole.contains(&label), "{}", label.escape_ascii());
            seen += 1;
        }
        assert!(seen > 0);
    });
    drop(occupant);
    let tenant = Tenant { peer: None, client: 0, lifeline: None };
    let _next = board.sit(0, tenant, Tick::default(), Tick::NEVER);
    assert_eq!(board.label(0).as_deref(), Some(&b""[..]), "nothing of the last tenant");
}
