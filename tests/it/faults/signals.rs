//! Signals while requests are being served.

use crate::cli::{ANY, Serving, limited, program, scratch};
use crate::support::{Broken, Client, request};
use rustix::process::Signal;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

const CLIENTS: usize = 8;
const RELOADS: usize = 100;
/// Requests answered before the signal, so that there is load.
const BEFORE: usize = 200;

fn served(arguments: &[&str]) -> Serving {
    Serving::start(program(&["--bind", "127.0.0.1:0", "--rate-limit", "off"]).args(arguments))
}

fn address(serving: &Serving) -> SocketAddr {
    serving.address.parse().expect("an address")
}

/// Half of the clients keep their connections. Both limits and what waits for a restart change with each reload.
#[test]
fn reloading_under_load() {
    let file = scratch("reloaded-under-load.toml");
    fs::write(&file, "").expect("a place to write");
    let mut serving = served(&["-c", file.to_str().expect("UTF-8")]);
    let address = address(&serving);
    let over = AtomicBool::new(false);
    let answered = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let over = &over;
                scope.spawn(move || {
                    let (mut client, mut count) = (Client::to(address), 0_usize);
                    while !over.load(Ordering::Relaxed) {
                        let path = if count % 10 == 9 { "/long-running?ms=3" } else { "/" };
                        assert_eq!(client.get(path).status, 200);
                        count += 1;
                        if number % 2 == 0 {
                            client = Client::to(address);
                        }
                    }
                    count
                })
            })
            .collect();
        for number in 0..RELOADS {
            fs::write(&file, format!("keep-alive = '{}s'\nmax-path = {}\n", 20 + number % 2, 255 - number))
                .expect("a place to write");
            serving.signal(Signal::HUP);
            serving.read_to("SIGHUP: keep-alive is now ");
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("no request fails")).sum::<usize>()
    });
    assert!(answered > RELOADS, "{answered}");
    serving.signal(Signal::TERM);
    serving.end(0);
    let _ = fs::remove_file(file);
}

/// Whoever has the beginning of an answer gets all of it; the others are told, or find the door closed.
#[test]
fn ending_under_load() {
    let serving = served(&[]);
    let address = address(&serving);
    let count = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let count = &count;
            scope.spawn(move || {
                loop {
                    let Ok(stream) = TcpStream::connect(address) else { return };
                    let mut client = Client::tcp(stream);
                    let path = if number % 2 == 0 { "/" } else { "/long-running?ms=5" };
                    loop {
                        client.send_regardless(request("GET", path));
                        match client.read(false) {
                            Ok(answer) => {
                                assert!(matches!(answer.status, 200 | 503), "{answer:?}");
                                count.fetch_add(1, Ordering::Relaxed);
                                if answer.closes() {
                                    break;
                                }
                            }
                            // Between two requests, or never accepted.
                            Err(Broken::Ended | Broken::Reset) => break,
                            Err(broken) => panic!("{broken:?}"),
                        }
                    }
                }
            });
        }
        while count.load(Ordering::Relaxed) < BEFORE {
            thread::yield_now();
        }
        serving.signal(Signal::TERM);
        let rest = serving.end(0);
        assert!(rest.contains(", 0 cut"), "{rest}");
    });
}

/// Its doors close all the same, and the file of a Unix socket goes with it.
#[test]
fn ending_without_descriptors() {
    const LIMIT: usize = 40;
    let path = scratch("doors.sock");
    let bind = format!("unix:{}", path.display());
    let arguments = ["--bind", "127.0.0.1:0", "--bind", &bind, "--rate-limit", "off"];
    let serving = Serving::start(&mut limited(&format!("-n {LIMIT}"), &arguments));
    let address = address(&serving);
    // Who is idle makes room for who comes, so that all is taken while both doors wait for somebody.
    let mut crowd = Vec::new();
    for _ in 0..LIMIT {
        crowd.push(Client::to(address));
        crowd.last_mut().map(|client| client.try_get("/"));
    }
    serving.signal(Signal::TERM);
    serving.end(0);
    assert!(!path.exists());
}

/// With connections open, so that the port has something of the first one's.
#[test]
fn killed_and_started_again() {
    let mut first = Serving::start(&mut program(&ANY));
    for _ in 0..3 {
        let address = address(&first);
        let mut client = Client::to(address);
        assert_eq!(client.get("/").status, 200);
        first.child.kill().expect("it runs");
        first.child.wait().expect("it ends");
        first = Serving::start(&mut program(&["--bind", &address.to_string()]));
        assert_eq!(Client::to(address).get("/").status, 200);
    }

    let path = scratch("killed.sock");
    let bind = format!("unix:{}", path.display());
    let arguments = ["--bind", &bind, "--bind", "127.0.0.1:0"];
    let start = || crate::cli::begin(&mut program(&arguments)).0;
    let mut serving = start();
    for _ in 0..3 {
        let mut client = Client::unix(UnixStream::connect(&path).expect("it listens"));
        assert_eq!(client.get("/").status, 200);
        serving.child.kill().expect("it runs");
        serving.child.wait().expect("it ends");
        assert!(path.exists(), "it could not take its file with it");
        serving = start();
    }
    let mut client = Client::unix(UnixStream::connect(&path).expect("it listens"));
    assert_eq!(client.get("/").status, 200);
}
