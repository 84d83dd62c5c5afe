//! Guards: who the client is, which requests are let in, and how refusals grow.

mod policy;

use crate::support::{Client, Gate, builder, eventually, ms, request, serve};
use proptest::prelude::*;
use selvedge::clock::{Clock, Tick};
use selvedge::config::{AddressSource, Network, Rate};
use selvedge::guard::{Barred, Census};
use selvedge::monitor::Monitor;
use selvedge::sanitize::{escape_header, escape_html, strip};
use selvedge::service::Health;
use selvedge::{ClientKey, Exchange, Guard, RateLimit, Refusal, Request, Router, StatusCode, Throttle};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn key(address: &str) -> ClientKey {
    address.parse::<IpAddr>().expect("an address").into()
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().expect("a network")).collect()
}

/// What a request with `fields` from 127.0.0.1 is found to come from, and how many fields about that reach the handler.
fn check_identity(source: AddressSource, trusted: &[&str], fields: &str, client: &str, left: usize) {
    let handler = |request: &mut Request| {
        let claims = request.headers().keys().filter(|name| name.as_str().contains("forwarded")).count();
        let address = request.client_address().expect("a TCP peer");
        format!("{address} {} {claims}", request.client())
    };
    let configure = |config: &mut selvedge::Config| {
        config.client_ip_from = source;
        config.trusted_proxies = networks(trusted);
    };
    let builder = builder(configure);
    let builder = if trusted.is_empty() {
        // There must be somebody who can be asked: who comes another way.
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guards-{}", std::process::id()));
        builder.bind(&format!("unix:{}", path.display())).expect("a place to listen")
    } else {
        builder
    };
    let server = builder.serve(handler).expect("it starts");
    let mut connection = Client::connect(&server);
    let answer = connection.ask(format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
    let key = key(client);
    assert_eq!(answer.text(), format!("{client} {key} {left}"), "{source:?} {trusted:?} {fields:?}");
    // What one request said does not stick to the connection.
    let answer = connection.get("/");
    assert_eq!(answer.text(), "127.0.0.1 127.0.0.1 0", "after {fields:?}");
}

#[test]
fn the_client_behind_proxies() {
    use AddressSource::{Forwarded, Peer, XForwardedFor};
    const LOOPBACK: &[&str] = &["127.0.0.0/8"];
    const CHAIN: &[&str] = &["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"];
    let rows: &[(AddressSource, &[&str], &str, &str, usize)] = &[
        (Peer, &[], "", "127.0.0.1", 0),
        // Spoofed: nobody is trusted, or not this peer; the claims do not reach the handler.
        (Peer, LOOPBACK, "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1", 0),
        (XForwardedFor, &["10.0.0.0/8"], "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1", 0),
        (XForwardedFor, &[], "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n", "127.0.0.1", 0),
        (Forwarded, &["127.0.0.2"], "Forwarded: for=192.0.2.1\r\n", "127.0.0.1", 0),
        // One proxy.
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1", 1),
        (XForwardedFor, LOOPBACK, "X-FORWARDED-FOR:192.0.2.1\r\n", "192.0.2.1", 1),
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1", 1),
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1", 1),
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: [2001:db8::7]:443\r\n", "2001:db8::7", 1),
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: [2001:db8::7]\r\n", "2001:db8::7", 1),
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7", 1),
        // Walked from the right: what stands left of the first stranger was said by the stranger.
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n", "192.0.2.1", 1),
        (XForwardedFor, CHAIN, "X-Forwarded-For: 203.0.113.9, 192.0.2.1, 10.1.2.3\r\n", "192.0.2.1", 1),
        (XForwardedFor, CHAIN, "X-Forwarded-For: 192.0.2.1, 2001:db8::5, 10.1.2.3\r\n", "192.0.2.1", 1),
        (XForwardedFor, CHAIN, "X-Forwarded-For: 10.0.0.1, 10.1.2.3\r\n", "10.0.0.1", 1),
        // Two lines are one list.
        (XForwardedFor, CHAIN, "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.1.2.3\r\n", "192.0.2.1", 1),
        // What cannot be read ends the walk.
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: 192.0.2.1, nonsense\r\n", "127.0.0.1", 1),
        (XForwardedFor, CHAIN, "X-Forwarded-For: 192.0.2.1,, 10.1.2.3\r\n", "10.1.2.3", 1),
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: 192.0.2.1/24\r\n", "127.0.0.1", 1),
        (XForwardedFor, LOOPBACK, "X-Forwarded-For:\r\n", "127.0.0.1", 1),
        // The other field is nobody's word.
        (XForwardedFor, LOOPBACK, "Forwarded: for=192.0.2.1\r\n", "127.0.0.1", 1),
        (Forwarded, LOOPBACK, "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1", 1),
        // RFC 7239.
        (Forwarded, LOOPBACK, "Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43\r\n", "192.0.2.60", 1),
        (Forwarded, LOOPBACK, "Forwarded: For=\"[2001:db8:cafe::17]:4711\"\r\n", "2001:db8:cafe::17", 1),
        (Forwarded, LOOPBACK, "Forwarded: by=1.2.3.4; FOR=\"192.0.2.43:47011\"\r\n", "192.0.2.43", 1),
        (Forwarded, LOOPBACK, "Forwarded: for = 192.0.2.7;x =\"\"\r\n", "192.0.2.7", 1),
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: \", 192.0.2.7\r\n", "192.0.2.7", 1),
        (XForwardedFor, LOOPBACK, "X-Forwarded-For: \"9.9.9.9, 192.0.2.7\r\n", "192.0.2.7", 1),
        (Forwarded, CHAIN, "Forwarded: for=192.0.2.43, for=10.1.2.3\r\n", "192.0.2.43", 1),
        (Forwarded, LOOPBACK, "Forwarded: for=192.0.2.43, for=unknown\r\n", "127.0.0.1", 1),
        (Forwarded, CHAIN, "Forwarded: for=_hidden, for=10.1.2.3\r\n", "10.1.2.3", 1),
        (Forwarded, LOOPBACK, "Forwarded: by=\"a,for=203.0.113.9\";for=192.0.2.1\r\n", "192.0.2.1", 1),
        (Forwarded, LOOPBACK, "Forwarded: by=\"a\\\",for=203.0.113.9\";for=192.0.2.1\r\n", "192.0.2.1", 1),
        (Forwarded, LOOPBACK, "Forwarded: proto=https\r\n", "127.0.0.1", 1),
        (Forwarded, LOOPBACK, "Forwarded: for=\"192.0.2.1:_port\"\r\n", "192.0.2.1", 1),
        (Forwarded, LOOPBACK, "Forwarded: for=\"[2001:db8::7]:_p\"\r\n", "2001:db8::7", 1),
        (Forwarded, LOOPBACK, "Forwarded: for=\"192.0.2.1:_\"\r\n", "127.0.0.1", 1),
        (Forwarded, LOOPBACK, "Forwarded: for=\"192.0.2.1:\"\r\n", "127.0.0.1", 1),
        // Empty members of a list are none.
        (Forwarded, LOOPBACK, "Forwarded: for=192.0.2.1 , ,\r\nForwarded:\r\n", "192.0.2.1", 1),
        (Forwarded, LOOPBACK, "Forwarded: for=192.0.2.1, proto=http\r\n", "127.0.0.1", 1),
    ];
    for (source, trusted, fields, client, left) in rows {
        check_identity(*source, trusted, fields, client, *left);
    }
}

/// A quote that a client left open would swallow what the proxy appends.
#[test]
fn open_quotes() {
    use AddressSource::{Forwarded, Peer, XForwardedFor};
    let nobody: &[&str] = &["192.0.2.0/24"];
    let loopback: &[&str] = &["127.0.0.0/8"];
    for (source, trusted, field, status) in [
        (Forwarded, loopback, "Forwarded: for=9.9.9.9;x=\", for=192.0.2.7;proto=http", 400),
        (Forwarded, loopback, "Forwarded: for=9.9.9.9;x\", for=192.0.2.7;y=\"", 400),
        (Forwarded, loopback, "Forwarded: for=9.9.9.9;x=\"a\"b, for=192.0.2.7", 400),
        (Forwarded, loopback, "Forwarded: x=\"\r\nForwarded: for=192.0.2.7", 400),
        (Forwarded, loopback, "Forwarded: x=\"a\\\"\";for=192.0.2.7", 200),
        // Nobody reads it.
        (Forwarded, nobody, "Forwarded: x=\"", 200),
        (XForwardedFor, loopback, "Forwarded: x=\"", 200),
        (Peer, loopback, "Forwarded: x=\"", 200),
    ] {
        let configure = |config: &mut selvedge::Config| {
            config.client_ip_from = source;
            config.trusted_proxies = networks(trusted);
        };
        let server = builder(configure).serve(|_: &mut Request| "ok").expect("it starts");
        let mut client = Client::connect(&server);
        let answer = client.ask(format!("GET / HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n"));
        assert_eq!(answer.status, status, "{source:?} {trusted:?} {field:?}");
        assert_eq!(client.get("/").status, 200, "after {field:?}");
    }
}

/// Whether the request came over TLS is for the last proxy to say.
#[test]
fn what_the_proxy_had_over_tls() {
    use AddressSource::{Forwarded, Peer, XForwardedFor};
    for (source, fields, secure) in [
        (XForwardedFor, "", false),
        (XForwardedFor, "X-Forwarded-Proto: https\r\n", true),
        (XForwardedFor, "x-forwarded-proto: HTTPS\r\n", true),
        (XForwardedFor, "X-Forwarded-Proto: http\r\n", false),
        (XForwardedFor, "X-Forwarded-Proto: http, https\r\n", true),
        (XForwardedFor, "X-Forwarded-Proto: https, http\r\n", false),
        (XForwardedFor, "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", false),
        (XForwardedFor, "Forwarded: proto=https\r\n", false),
        (Forwarded, "Forwarded: for=192.0.2.1;proto=https\r\n", true),
        (Forwarded, "Forwarded: Proto=\"HTTPS\"\r\n", true),
        (Forwarded, "Forwarded: proto=https, for=192.0.2.1\r\n", false),
        (Forwarded, "Forwarded: proto=http, proto=https\r\n", true),
        (Forwarded, "Forwarded: proto=https,\r\nForwarded: ,\r\n", true),
        (Forwarded, "X-Forwarded-Proto: https\r\n", false),
        (Peer, "X-Forwarded-Proto: https\r\nForwarded: proto=https\r\n", false),
    ] {
        let configure = |config: &mut selvedge::Config| {
            config.client_ip_from = source;
            config.trusted_proxies = networks(&["127.0.0.0/8"]);
        };
        let server = serve(configure, |request: &mut Request| request.is_secure().to_string());
        let answer = Client::connect(&server).ask(format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
        assert_eq!(answer.text(), secure.to_string(), "{source:?} {fields:?}");
    }
}

/// Who is refused, longest first, and no more names than anybody reads.
#[test]
fn a_census_of_who_is_refused() {
    let throttle = Throttle::new(1, Duration::from_secs(60));
    // Guards can be shared.
    let limit = Arc::new(RateLimit::new(1, Duration::from_secs(60)));
    let clients: Vec<_> = (1..=20).map(|number| key(&format!("192.0.2.{number}"))).collect();
    for (client, second) in
        clients.iter().zip([5, 1, 3, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
    {
        limit.check(*client, at(second)).expect("the first");
    }
    for second in [19, 19, 20, 20] {
        throttle.strike(clients[0], at(second));
    }
    for _ in 0..2 {
        throttle.strike(clients[1], at(20));
    }
    throttle.strike(clients[2], at(20));
    let at_once = |now| {
        let mut census = Census::default();
        throttle.report(now, &mut census);
        limit.report(now, &mut census);
        census
    };
    let census = at_once(at(20));
    let longest = |named: &[usize], left: &[u64]| -> Vec<_> {
        named.iter().zip(left).map(|(client, left)| (clients[*client], Duration::from_secs(*left))).collect()
    };
    assert_eq!((census.rate_limited.count, census.throttled.count), (20, 2));
    let latest: Vec<_> = (8..20).rev().collect();
    let left: Vec<_> = (49..=60).rev().collect();
    assert_eq!(census.rate_limited.longest, longest(&latest, &left));
    assert_eq!(census.throttled.longest, longest(&[0, 1], &[2, 1]));
    assert_eq!(at_once(at(22)).throttled.count, 0, "the while of the last one is over");
    let later = at_once(at(65));
    assert_eq!((later.rate_limited.count, later.throttled.count), (15, 0), "their time is over");
    // Of those who are refused for as long as others, the first ones are named.
    let mut alike = Barred::default();
    for client in &clients {
        alike.add(*client, Duration::from_secs(1));
    }
    assert_eq!(alike.longest, longest(&(0..12).collect::<Vec<_>>(), &[1; 12]));
}

#[test]
fn networks_hold_what_begins_alike() {
    let rows = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.9.9.9/8", "10.0.0.1", true),
        ("0.0.0.0/0", "203.0.113.1", true),
        ("0.0.0.0/0", "::1", false),
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.0/31", "::ffff:192.0.2.1", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::", false),
        ("::/0", "2001:db8::1", true),
        ("::1", "::1", true),
        ("::ffff:192.0.2.1", "192.0.2.1", true),
        ("::ffff:192.0.2.1", "192.0.2.2", false),
        ("::ffff:10.0.0.0/104", "10.9.9.9", true),
        ("::ffff:10.0.0.0/104", "::ffff:10.9.9.9", true),
        ("::ffff:10.0.0.0/104", "11.0.0.1", false),
        ("::ffff:0.0.0.0/96", "203.0.113.1", true),
    ];
    for (network, address, held) in rows {
        let network: Network = network.parse().expect("a network");
        assert_eq!(network.contains(address.parse().expect("an address")), held, "{network} {address}");
        assert_eq!(network.to_string().parse(), Ok(network), "it comes back");
    }
    for text in [
        "",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10.0.0/8",
        "::/129",
        "10.0.0.0/8/8",
        "localhost",
        "::ffff:10.0.0.0/95",
        "::ffff:10.0.0.0/8",
    ] {
        assert!(text.parse::<Network>().is_err_and(|problem| problem.contains("10.0.0.0/8")), "{text}");
    }
}

fn at(seconds: u64) -> Tick {
    Tick::from_micros(seconds * 1_000_000)
}

#[test]
fn refusals_grow_and_decay() {
    let throttle = Throttle::new(2, Duration::from_secs(60));
    let (client, other) = (key("192.0.2.1"), key("192.0.2.2"));
    let wait = |now| throttle.check(client, now).err().map(|wait| wait.as_secs());
    let strikes = |now, count| {
        for _ in 0..count {
            throttle.strike(client, now);
        }
    };
    assert_eq!(wait(at(0)), None);
    strikes(at(0), 2);
    assert_eq!(wait(at(0)), None, "as often as is allowed");
    strikes(at(1), 1);
    assert_eq!((wait(at(1)), wait(at(2))), (Some(1), None), "the first while");
    assert_eq!(throttle.check(other, at(1)), Ok(()), "another client");
    strikes(at(1), 1000);
    assert_eq!((wait(at(1)), wait(at(2))), (Some(1), None), "what comes meanwhile does not count");
    strikes(at(2), 3);
    assert_eq!((wait(at(2)), wait(at(3))), (Some(2), Some(1)), "twice as long");
    strikes(at(4), 3);
    assert_eq!(wait(at(4)), Some(4), "and again");
    // A quiet window after its end takes a step back, and two of them two.
    strikes(at(8 + 60), 3);
    assert_eq!(wait(at(8 + 60)), Some(4));
    strikes(at(72 + 120), 3);
    assert_eq!(wait(at(72 + 120)), Some(2));
    strikes(at(100_000), 3);
    assert_eq!(wait(at(100_000)), Some(1), "forgotten");
}

/// It is any window in which no more are allowed, not the one that began with the first of them.
#[test]
fn strikes_count_in_any_window() {
    // When they fall, and how many of them, one after another, until the last one has the client refused.
    let rows: [(&[u64], usize); 5] = [
        (&[0, 59, 59, 59, 59, 59, 59, 59, 59, 59, 60, 60], 12),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 59], 11),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 60, 60], 12),
        (&[0, 50, 50, 50, 100, 100, 100, 100, 100, 100, 109, 109], 12),
        (&[0, 6, 12, 18, 24, 30, 36, 42, 48, 54, 60, 66, 72, 78, 84, 90, 95], 17),
    ];
    for (times, refused_at) in rows {
        let throttle = Throttle::new(10, Duration::from_secs(60));
        let strike = |second: &u64| throttle.strike(ClientKey::LOCAL, at(1000 + second));
        let refused = times.iter().position(|second| !strike(second).is_zero());
        assert_eq!(refused.map(|before| before + 1), Some(refused_at), "{times:?}");
    }
}

/// Only a window in which nothing counted takes a step back, however many do in which little did.
#[test]
fn steps_back_need_quiet() {
    // A strike every so many seconds for a quarter of an hour, and the while after that.
    for (every, then) in [(7, 64), (30, 64), (59, 64), (60, 1), (899, 1)] {
        let (throttle, mut now) = (Throttle::new(10, Duration::from_secs(60)), at(0));
        let until_refused = |now| {
            (0..).find_map(|_| {
                let wait = throttle.strike(ClientKey::LOCAL, now);
                (!wait.is_zero()).then_some(wait)
            })
        };
        for level in 0..6 {
            let wait = until_refused(now).expect("a while");
            assert_eq!(wait.as_secs(), 1 << level);
            now = now.after(wait);
        }
        for _ in 0..900 / every {
            now = now.after(Duration::from_secs(every));
            assert!(throttle.strike(ClientKey::LOCAL, now).is_zero(), "every {every} s");
        }
        assert_eq!(until_refused(now), Some(Duration::from_secs(then)), "every {every} s");
    }
}

/// What a guard throws away when memory is short sets nobody free before his time.
#[test]
fn a_sweep_sets_nobody_free() {
    let (throttle, limit) =
        (Throttle::new(1, Duration::from_secs(10)), RateLimit::new(1, Duration::from_secs(10)));
    let client = key("192.0.2.1");
    throttle.strike(client, at(0));
    throttle.strike(client, at(0));
    limit.check(client, at(0)).expect("the first");
    let sweep = |now| [&throttle as &dyn Guard, &limit].iter().for_each(|guard| guard.sweep(now));
    for (now, refused, limited) in [(0, 1, 10), (1, 0, 9), (9, 0, 1)] {
        sweep(at(now));
        assert_eq!(
            throttle.check(client, at(now)).err(),
            (refused > 0).then(|| Duration::from_secs(refused))
        );
        assert_eq!(limit.check(client, at(now)).err(), Some(Duration::from_secs(limited)), "{now}");
    }
    // What it did is remembered still: the next time it is refused for longer.
    throttle.strike(client, at(9));
    throttle.strike(client, at(9));
    assert_eq!(throttle.check(client, at(9)).err(), Some(Duration::from_secs(2)));
    // What is over for good takes no memory any more.
    let held = || [format!("{throttle:?}"), format!("{limit:?}")].map(|shown| shown.ends_with("len: 1 } }"));
    assert_eq!(held(), [true, true]);
    sweep(at(1000));
    assert_eq!(held(), [false, false], "{throttle:?} {limit:?}");
}

/// Lets in who gets through its gate.
struct AtTheGate(Gate);

impl Guard for AtTheGate {
    fn admit(&self, _: &mut Exchange) -> Result<(), Refusal> {
        self.0.pass();
        Ok(())
    }
}

/// The same, and says that it takes its time.
struct TakesItsTime(AtTheGate);

impl Guard for TakesItsTime {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        self.0.admit(exchange)
    }

    fn may_wait(&self) -> bool {
        true
    }
}

/// Remembers that it was told to throw away what nobody needs.
struct Swept(Arc<AtomicBool>);

impl Guard for Swept {
    fn sweep(&self, _: Tick) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn guards_are_swept_when_memory_is_short() {
    // More than the server may have.
    let ballast = vec![1_u8; 24 << 20];
    let (swept, clock) = (Arc::new(AtomicBool::new(false)), Clock::manual());
    let builder = builder(|config| config.max_memory = Some(16 << 20)).clock(clock.clone());
    let server = builder.guard(Swept(swept.clone())).serve(|_: &mut Request| "in").expect("it starts");
    eventually("it is swept", || {
        clock.advance(ms(300));
        swept.load(Ordering::Relaxed)
    });
    assert!(ballast.iter().all(|byte| *byte == 1));
    drop(server);
}

/// A guard that takes its time is at work like a handler, and its client is not taken for one who is slow to send. Others are a
/// part of the head.
#[test]
fn who_waits_for_a_guard_is_not_slow() {
    for (phase, takes_its_time) in [("head", false), ("handling", true)] {
        let gate = Gate::default();
        let guard = AtTheGate(gate.clone());
        let guard: Arc<dyn Guard> =
            if takes_its_time { Arc::new(TakesItsTime(guard)) } else { Arc::new(guard) };
        let server = builder(|_| ()).guard(guard).serve(|_: &mut Request| "in").expect("it starts");
        let mut client = Client::connect(&server);
        client.send(request("GET", "/"));
        gate.wait_for(1);
        let threads = server.threads().to_string();
        assert!(threads.contains(&format!("seat 0     {phase} ")), "{phase}: {threads}");
        gate.open(1);
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn refusals_have_a_longest() {
    let throttle = Throttle::new(1, Duration::from_secs(60));
    let client = key("192.0.2.1");
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..100 {
        throttle.strike(client, now);
        throttle.strike(client, now);
        let wait = throttle.check(client, now).expect_err("it was refused twice");
        waits.push(wait.as_secs());
        now = now.after(wait);
    }
    assert_eq!(&waits[..12], &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    assert!(waits[12..].iter().all(|wait| *wait == 900));
    // And no more steps to take back than to that.
    for (quiet, wait) in [(1, 512), (2, 256), (9, 1)] {
        now = now.after(Duration::from_secs(60 * quiet));
        throttle.strike(client, now);
        let waits = throttle.strike(client, now);
        assert_eq!(waits.as_secs(), wait, "after {quiet} windows");
        now = now.after(waits);
    }
}

/// On the wire: past the limit 429, past as many of those as are allowed 429 at once, with the time to wait; then
/// service again.
#[test]
fn throttled_on_the_wire() {
    let clock = Clock::manual();
    let limits = |config: &mut selvedge::Config| {
        config.rate_limit = Some(Rate { count: 3, span: Duration::from_secs(1) });
        config.throttle = Some(Rate { count: 2, span: Duration::from_secs(60) });
    };
    let monitor = Monitor::new(clock.clone());
    let router = Router::new().get("/", |_: &mut Request| "in").get("/healthz", Health(monitor));
    let server = builder(limits).clock(clock.clone()).serve(router).expect("it starts");
    let mut client = Client::connect(&server);
    // A limit on what has not been reached says nothing.
    assert_eq!(client.get("/healthz").field("ratelimit"), None);
    let mut ask = |count: usize| {
        let mut answer = client.get("/");
        for _ in 1..count {
            answer = client.get("/");
        }
        (answer.status, answer.field("retry-after").map(str::to_owned))
    };
    let refused = |seconds: &str| (429, Some(seconds.to_owned()));
    // Three refusals are one too many; what is refused in the while that follows is told the longer wait and counts for
    // nothing, whoever refuses it.
    assert_eq!(ask(3), (200, None));
    assert_eq!(ask(2), refused("1"));
    assert_eq!(ask(1), refused("1"), "the first while begins");
    assert_eq!(ask(500), refused("1"));
    clock.advance(ms(1500));
    assert_eq!(ask(3), (200, None), "it was no longer for all that");
    assert_eq!(ask(2), refused("1"), "the limit's own");
    assert_eq!(ask(1), refused("2"), "the second while is twice as long as the limit's window");
    assert_eq!(ask(500), refused("2"));
    clock.advance(ms(500));
    assert_eq!(ask(1), refused("2"), "seconds that have begun count");
    clock.advance(ms(700));
    assert_eq!(ask(1), refused("1"), "the limit alone would be over");
    clock.advance(ms(1000));
    assert_eq!(ask(2), (200, None));
    assert_eq!(ask(500), refused("4"));
    assert_eq!(client.get("/healthz").status, 200, "probes pass");
}

/// What the limit is and when there is room again, told to who has come up against it: whole seconds, rounded up.
#[test]
fn the_limit_is_told() {
    for (count, span, after, policy, left) in [
        (1, ms(60_000), ms(0), "q=1;w=60", "t=60"),
        (2, ms(60_000), ms(500), "q=2;w=60", "t=60"),
        (1, ms(60_000), ms(1000), "q=1;w=60", "t=59"),
        (1, ms(1500), ms(100), "q=1;w=1", "t=2"),
    ] {
        let clock = Clock::manual();
        let limit = |config: &mut selvedge::Config| config.rate_limit = Some(Rate { count, span });
        let server = builder(limit).clock(clock.clone()).serve(|_: &mut Request| "in").expect("it starts");
        let mut client = Client::connect(&server);
        for _ in 0..count {
            let answer = client.get("/");
            assert_eq!(
                (answer.status, answer.field("ratelimit"), answer.field("ratelimit-policy")),
                (200, None, None)
            );
        }
        clock.advance(after);
        let answer = client.get("/");
        assert_eq!(answer.status, 429);
        assert_eq!(answer.field("ratelimit-policy"), Some(&*format!("\"default\";{policy}")));
        assert_eq!(answer.field("ratelimit"), Some(&*format!("\"default\";r=0;{left}")));
    }
}

/// Lets nobody in for five seconds.
struct TooMany;

impl Guard for TooMany {
    fn admit(&self, _: &mut Exchange) -> Result<(), Refusal> {
        Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many").retry_after(Duration::from_secs(5)))
    }
}

/// Who is refused for other reasons is not told of the limit, of which much is left.
#[test]
fn the_limit_is_told_of_itself_alone() {
    let limits = |config: &mut selvedge::Config| {
        config.rate_limit = Some(Rate { count: 3, span: Duration::from_secs(60) });
        config.throttle = Some(Rate { count: 1, span: Duration::from_secs(60) });
    };
    let builder = builder(limits).clock(Clock::manual()).guard(TooMany);
    let server = builder.serve(|_: &mut Request| "in").expect("it starts");
    let mut client = Client::connect(&server);
    // By the guard, twice, by the throttle, and by the limit.
    for (wait, left) in [("5", None), ("5", None), ("1", None), ("60", Some("\"default\";r=0;t=60"))] {
        let answer = client.get("/");
        assert_eq!((answer.status, answer.field("retry-after")), (429, Some(wait)));
        let policy = left.map(|_| "\"default\";q=3;w=60");
        assert_eq!((answer.field("ratelimit"), answer.field("ratelimit-policy")), (left, policy), "{wait}");
    }
}

thread_local! {
    /// A server behind proxies of 127.0.0.0/8 and 10.0.0.0/8, which says whom it takes for the client.
    static WALK: selvedge::Server = serve(
        |config| {
            config.client_ip_from = AddressSource::XForwardedFor;
            config.trusted_proxies = networks(&["127.0.0.0/8", "10.0.0.0/8"]);
        },
        |request: &mut Request| request.client_address().expect("a TCP peer").to_string(),
    );
}

/// A limit without bounds or locks, that can be read at a glance.
struct NaiveLimit(VecDeque<u64>);

impl NaiveLimit {
    fn admits(&mut self, now: u64, count: usize, span: u64) -> bool {
        self.0.retain(|admitted| now - admitted < span);
        let admits = self.0.len() < count;
        if admits {
            self.0.push_back(now);
        }
        admits
    }
}

proptest! {
    /// Whatever the times, the limit admits just what the naive one does: never more than so many in any window.
    #[test]
    fn the_rate_limit_is_exact(steps in prop::collection::vec(0_u64..400, 1..200), count in 1_u32..8) {
        let (span, client) = (1000, key("192.0.2.1"));
        let limit = RateLimit::new(count, Duration::from_micros(span));
        let mut naive = NaiveLimit(VecDeque::new());
        let mut now = 0;
        for step in steps {
            now += step;
            let admitted = limit.check(client, Tick::from_micros(now));
            prop_assert_eq!(admitted.is_ok(), naive.admits(now, count as usize, span), "at {}", now);
            if let Err(wait) = admitted {
                let later = now + u64::try_from(wait.as_micros()).expect("short");
                let oldest = *naive.0.front().expect("as many as are allowed");
                prop_assert_eq!(later, oldest + span, "the wait is to the moment it frees up");
            }
        }
    }

    /// Of a limit too large to keep every time, a part of 32 may come too late to be used, and never more than the limit is.
    #[test]
    fn large_limits_are_never_exceeded(
        steps in prop::collection::vec(0_u64..40, 1..600),
        count in 8_u32..300,
        span in prop::sample::select(vec![700_u64, 7_000_000_000_000]),
    ) {
        let (client, unit) = (key("192.0.2.1"), span / 700);
        let limit = RateLimit::new(count, Duration::from_micros(span));
        let (mut admitted, mut now) = (Vec::new(), 0);
        for step in steps {
            now += step * unit;
            let within = |span| admitted.iter().filter(|&&at| now - at < span).count() as u32;
            let in_window = within(span);
            let answer = limit.check(client, Tick::from_micros(now));
            if answer.is_ok() {
                admitted.push(now);
                prop_assert!(in_window < count, "{} of {} at {}", in_window + 1, count, now);
            } else {
                let late = if count <= 32 { 0 } else { count.div_ceil(32) };
                // Long spans are counted in units of a few milliseconds.
                prop_assert!(within(span + (span >> 28)) + late >= count, "{} of {} at {}", in_window, count, now);
            }
        }
    }

    /// Whatever proxies and strangers stand in the field, the client is the last address, from the right, up to which
    /// all are trusted; or the first that is not; and what cannot be read ends the walk.
    #[test]
    fn the_walk_believes_nobody_but_proxies(hops in prop::collection::vec(0_u8..4, 0..12), lines in 1_usize..3) {
        let texts: Vec<String> = hops.iter().enumerate().map(|(at, kind)| match kind {
            0 | 1 => format!("10.0.0.{at}"),
            2 => format!("192.0.2.{at}"),
            _ => "unknown".to_owned(),
        }).collect();
        let mut expected = "127.0.0.1".to_owned();
        for (kind, text) in hops.iter().zip(&texts).rev() {
            match kind {
                0 | 1 => expected.clone_from(text),
                2 => {
                    expected.clone_from(text);
                    break;
                }
                _ => break,
            }
        }
        let lists = texts.chunks(texts.len().div_ceil(lines).max(1)).map(|line| line.join(", "));
        let fields: String = lists.flat_map(|list| ["X-Forwarded-For: ".to_owned(), list, "\r\n".to_owned()]).collect();
        WALK.with(|server| {
            let mut client = Client::connect(server);
            let answer = client.ask(format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
            prop_assert_eq!(answer.text(), expected, "{}", fields);
            Ok(())
        })?;
    }

    /// A network holds an address just where their first bits agree.
    #[test]
    fn networks_and_masks_agree(address in any::<u32>(), other in any::<u32>(), prefix in 0_u32..=32) {
        let network: Network = format!("{}/{prefix}", IpAddr::from(address.to_be_bytes())).parse().expect("a network");
        let same = (0..prefix).all(|bit| (address ^ other) & (1 << (31 - bit)) == 0);
        prop_assert_eq!(network.contains(other.to_be_bytes().into()), same);
    }

    /// Escaped text has nothing left that a place could take for its own, and loses nothing.
    #[test]
    fn escaping_is_harmless_and_reversible(text in any::<String>()) {
        let html = escape_html(&text);
        prop_assert!(!html.contains(['<', '>', '"', '\'']));
        let back = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
        prop_assert_eq!(back.replace("&amp;", "&"), text.clone());
        let header = escape_header(&text);
        prop_assert!(!header.chars().any(|char| char.is_control() && char != '\t'));
        prop_assert!(selvedge::HeaderValue::from_str(&header).is_ok() || !header.is_ascii());
        let stripped = strip(&text, 20);
        prop_assert!(stripped.chars().count() <= 20 && !stripped.contains(['<', '>', '&', '\0', '\n']));
    }
}

/// Whoever comes at the very moment he is told to is admitted, but never too often, however long the window: also where it is
/// counted in units of more than a microsecond, or outlasts the clock.
#[test]
fn who_comes_back_at_once_is_admitted_as_often_as_he_may() {
    let client = key("192.0.2.1");
    let (hour, day) = (Duration::from_secs(3600), Duration::from_secs(24 * 60 * 60));
    for span in [Duration::from_secs(1), hour, day, 365 * day, Duration::MAX] {
        for count in [1, 2, 32, 33, 600] {
            let limit = RateLimit::new(count, span);
            let (mut admitted, mut now) = (Vec::new(), at(0).after(Duration::from_micros(1)));
            for _ in 0..4 * count {
                if let Err(wait) = limit.check(client, now) {
                    assert!(
                        wait <= span.saturating_add(span / (1 << 28)),
                        "{count} in {span:?}: told to wait for {wait:?}"
                    );
                    now = now.after(wait);
                    if now == Tick::NEVER {
                        break;
                    }
                    assert_eq!(
                        limit.check(client, now),
                        Ok(()),
                        "{count} in {span:?}: it is told to come then"
                    );
                }
                admitted.push(now);
                now = now.after(Duration::from_micros(1));
            }
            let expected = if span == Duration::MAX { count } else { 4 * count };
            assert_eq!(admitted.len(), expected as usize, "{count} in {span:?}");
            for window in admitted.windows(count as usize + 1) {
                let passed = window[count as usize].since(window[0]);
                assert!(passed >= span, "{count} in {span:?}: one more within {passed:?}");
            }
        }
    }
}

/// Threads read the clock one after the other and come to the table in another order.
#[test]
fn moments_out_of_order_lock_nobody_out() {
    let (client, span) = (key("192.0.2.1"), Duration::from_secs(60));
    let limit = RateLimit::new(600, span);
    let (later, earlier) = (at(100), at(100).before(Duration::from_micros(50)));
    for number in 0..600 {
        let now = if number < 19 { later } else { earlier };
        assert_eq!(limit.check(client, now), Ok(()), "{number}");
    }
    let wait = limit.check(client, later).expect_err("that was the last");
    let back = later.after(wait);
    let admitted = (0..600).filter(|_| limit.check(client, back).is_ok()).count();
    assert_eq!(admitted, 600, "all of those before are over");
}

/// 64 threads that try 10,000 times each are admitted exactly as often as one would be.
#[test]
fn many_threads_share_one_limit() {
    let limit = RateLimit::new(30, Duration::from_secs(60));
    let (client, now) = (key("192.0.2.1"), at(1));
    let admitted: usize = std::thread::scope(|scope| {
        let tries = || (0..10_000).filter(|_| limit.check(client, now).is_ok()).count();
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(tries)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(admitted, 30);
}

/// A client for each number.
fn stranger(number: u32) -> ClientKey {
    IpAddr::from((0x0a00_0000 | number).to_be_bytes()).into()
}

/// Which addresses are one client, and what it is called.
#[test]
fn clients() {
    for (address, client) in [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        // Behind a translator that uses the prefix known to all (RFC 6052 §2.1).
        ("64:ff9b::192.0.2.7", "192.0.2.7"),
        ("64:ff9b::192.0.2.8", "192.0.2.8"),
        ("64:ff9b::1:c000:207", "64:ff9b::/64"),
        // Behind one that does not.
        ("64:ff9b:1::192.0.2.7", "64:ff9b:1::/64"),
    ] {
        assert_eq!(key(address).to_string(), client, "{address}");
        assert_eq!(key(address) == key("192.0.2.7"), client == "192.0.2.7", "{address}");
    }
}

/// Twice as many strangers as are remembered do not set free who is limited, and are one client where they share a /64.
#[test]
fn strangers_free_nobody() {
    let limit = RateLimit::new(2, Duration::from_secs(60));
    let limited = key("192.0.2.1");
    assert!(limit.check(limited, at(1)).is_ok() && limit.check(limited, at(1)).is_ok());
    for number in 0..270_000 {
        assert!(limit.check(stranger(number), at(2)).is_ok(), "stranger {number}");
    }
    assert!(limit.check(limited, at(3)).is_err());
    assert!(limit.check(limited, at(61)).is_ok(), "the window is over");
    let neighbours = ["2001:db8::1", "2001:db8::2:3", "2001:db8::ffff:ffff:ffff:ffff"].map(key);
    assert_eq!(neighbours.map(|client| limit.check(client, at(4)).is_ok()), [true, true, false]);
}

/// Nor do they set free who is throttled, even if he would be forgotten before any of those who are not refused now.
#[test]
fn strangers_end_no_refusal() {
    let throttle = Throttle::new(0, Duration::from_secs(60));
    let refused = key("192.0.2.1");
    throttle.strike(refused, at(0));
    let is_in = |client: &ClientKey| !throttle.strike(*client, at(0)).is_zero();
    let strangers: Vec<_> = (0..80_000).map(stranger).filter(is_in).collect();
    assert_eq!(strangers.len() + 1, 65_536, "as many as are remembered");
    for now in [at(1), at(3)] {
        for client in &strangers {
            assert!(!throttle.strike(*client, now).is_zero());
        }
    }
    throttle.strike(refused, at(10));
    let let_in = (100_000..140_000).filter(|number| !throttle.strike(stranger(*number), at(10)).is_zero());
    assert!(let_in.count() > 30_000, "those who are not refused make room");
    assert_eq!(throttle.check(refused, at(11)), Err(Duration::from_secs(1)));
}
