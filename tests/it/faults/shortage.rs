//! Threads, memory and descriptors that are not to be had.

use crate::cli::{PROGRAM, Serving, command, limited};
use crate::support::{Client, post, request};
use rustix::process::{Signal, getuid};

const OPTIONS: [&str; 6] = ["--bind", "127.0.0.1:0", "--rate-limit", "off", "--throttle", "off"];
/// Any directory with a file in it.
const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

fn connect(serving: &Serving) -> Client {
    Client::to(serving.address.parse().expect("an address"))
}

/// Clients that ask and stay: each is served, or told that there is no room. Then they leave, and others are served.
fn check_served(serving: &Serving, count: usize) {
    let ask = |_| {
        let mut client = connect(serving);
        client.send_regardless(request("GET", "/healthz"));
        client
    };
    let mut clients: Vec<_> = (0..count).map(ask).collect();
    let statuses: Vec<_> =
        clients.iter_mut().map(|client| client.read(false).map(|answer| answer.status)).collect();
    assert!(statuses.iter().all(|status| matches!(status, Ok(200 | 503))), "{statuses:?}");
    assert!(statuses.contains(&Ok(200)), "{statuses:?}");
    drop(clients);
    for _ in 0..3 {
        assert_eq!(connect(serving).get("/healthz").status, 200);
    }
}

/// As a user of its own, who may have so many threads.
#[test]
fn fewer_threads_serve() {
    // Only root can become another user, and nobody else's threads can be counted on to stay as many as they are.
    if !getuid().is_root() {
        return;
    }
    for (threads, user) in [(10, 1), (14, 2), (30, 3)] {
        // The number of the user is this process's own.
        let user = (2 << 24) + 4 * std::process::id() + user;
        // By its descriptor it can be run by those, too, who cannot get to its folder.
        let script = format!(
            "exec 9<{PROGRAM}; exec prlimit --nproc={threads} setpriv --reuid={user} --regid={user} --clear-groups \
             /proc/self/fd/9 \"$@\""
        );
        let serving = Serving::start(&mut command("sh", &[&["-c", &script, "sh"], &OPTIONS[..]].concat()));
        check_served(&serving, 60);
        serving.signal(Signal::TERM);
        let rest = serving.end(0);
        let told = rest.matches("cannot start another worker thread").count();
        assert_eq!(told, 1, "{threads}: {rest}");
    }
}

/// Threads, connections and bodies want more than there is: some are refused, and nothing ends the process.
#[test]
fn little_address_space() {
    for kilobytes in [90_000, 120_000, 150_000, 200_000, 400_000] {
        let serving = Serving::start(&mut limited(&format!("-v {kilobytes}"), &OPTIONS));
        check_served(&serving, 200);
        // Bodies as large as permitted, all but their last byte.
        let body = post("/", &" ".repeat(1 << 20));
        let mut senders: Vec<_> = (0..60)
            .map(|_| {
                let mut client = connect(&serving);
                client.send_regardless(&body[..body.len() - 1]);
                client
            })
            .collect();
        let statuses: Vec<_> = senders
            .iter_mut()
            .map(|client| {
                client.send_regardless(" ");
                client.read(false).map(|answer| answer.status)
            })
            .collect();
        // 400 is what the application says to a body that is no JSON, 408 what one is told that stalls while others want its
        // memory.
        let served = |status: &Result<u16, _>| matches!(status, Ok(400 | 408 | 415 | 503));
        assert!(statuses.iter().all(served), "{kilobytes}: {statuses:?}");
        drop(senders);
        check_served(&serving, 200);
        serving.signal(Signal::TERM);
        serving.end(0);
    }
}

/// Of more connections than there are descriptors, those go that do without: who asks for a file is served, each time, in
/// between.
#[test]
fn few_descriptors_serve() {
    let idle = request("GET", "/healthz");
    for (said, answered) in [("", false), (&idle[..], true), ("BAD\r\n\r\n", true)] {
        let serving = Serving::start(&mut limited("-n 40", &[&OPTIONS[..], &[SITE]].concat()));
        let mut stay = Vec::new();
        let mut statuses = Vec::new();
        for number in 0..160 {
            let mut client = connect(&serving);
            client.send_regardless(said);
            // Who is not answered has been told to go.
            let _ = answered && client.read(false).is_ok();
            stay.push(client);
            if number % 8 == 7 {
                statuses.push(connect(&serving).try_get("/lib.rs"));
            }
        }
        assert!(statuses.iter().all(|status| *status == Some(200)), "{said:?}: {statuses:?}");
        drop(stay);
        serving.signal(Signal::TERM);
        serving.end(0);
    }
}
