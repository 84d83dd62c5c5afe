//! Panics, resets and half-closes by the thousand, and what they leave behind: nothing may.

use super::leave::{Leaving, Paths, Phase, Visit, body_of};
use super::server::LISTENING;
use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// At once.
const CLIENTS: usize = 8;
/// Of each kind before anything is measured: threads, buffers and tables that any use would leave.
const WARM_UP: usize = 800;
/// How long threads that nobody needs may take to leave.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of memory that may come and go between two looks.
pub const BAND: u64 = 4 << 20;

const PATHS: Paths = Paths { small: "/small", slow: "/slow", large: "/large" };
/// Where the server panics, and what is to be told then.
const PANICS: [(&str, &str); 4] =
    [("/handler", "500"), ("/guard", "500"), ("/seal", "500"), ("/body", "200")];

/// What is done.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Panic,
    Leave(Leaving),
}

pub const DEEDS: [Deed; 3] = [Deed::Panic, Deed::Leave(Leaving::Reset), Deed::Leave(Leaving::HalfClose)];

/// What a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub threads: usize,
    pub descriptors: usize,
    pub memory: u64,
}

/// What has become of so many deeds.
#[derive(Debug)]
pub struct Row {
    pub deed: Deed,
    pub count: usize,
    pub took: Duration,
    /// What was not answered as it should have been.
    pub failures: Vec<String>,
    pub before: Usage,
    pub after: Usage,
}

impl Row {
    pub fn is_good(&self) -> bool {
        let Usage { threads, descriptors, memory } = self.before;
        self.failures.is_empty()
            && self.after.threads <= threads
            && self.after.descriptors <= descriptors
            && self.after.memory <= memory + BAND
    }
}

/// Starts `server`, and does `count` of each deed to it.
pub fn run(server: &mut Command, count: usize) -> io::Result<Vec<Row>> {
    let mut server = Server::start(server)?;
    let fresh = server.usage()?;
    for deed in DEEDS {
        let failures = do_often(server.address, deed, WARM_UP);
        if let Some(failure) = failures.into_iter().next() {
            return Err(io::Error::other(format!("{deed:?}: {failure}")));
        }
    }
    let mut before = server.settle(fresh)?;
    let mut rows = Vec::new();
    for deed in DEEDS {
        let began = Instant::now();
        let failures = do_often(server.address, deed, count);
        let took = began.elapsed();
        let after = server.settle(fresh)?;
        rows.push(Row { deed, count, took, failures, before, after });
        before = after;
    }
    server.end()?;
    Ok(rows)
}

fn do_often(address: SocketAddr, deed: Deed, count: usize) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let one = || {
        let mut failures = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return failures;
            }
            if let Err(failure) = once(address, deed, number) {
                failures.push(failure);
            }
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one)).collect();
        clients.into_iter().flat_map(|client| client.join().expect("it does not panic")).collect()
    })
}

fn once(address: SocketAddr, deed: Deed, number: usize) -> Result<(), String> {
    match deed {
        Deed::Panic => {
            let (path, status) = PANICS[number % PANICS.len()];
            let told = ask(address, path).map_err(|problem| format!("{path}: {problem}"))?;
            // An answer that breaks off must not look whole.
            let torn = path != "/body" || !told.ends_with(b"0\r\n\r\n");
            let good = told.starts_with(format!("HTTP/1.1 {status} ").as_bytes()) && torn;
            if good { Ok(()) } else { Err(format!("{path}: {}", beginning(&told))) }
        }
        Deed::Leave(leaving) => {
            let phase = Phase::ALL[number % Phase::ALL.len()];
            let told = Visit::begin(address, &PATHS, phase).and_then(|visit| visit.leave(leaving));
            let told = told.map_err(|problem| format!("{phase:?}: {problem}"))?;
            let whole = || body_of(&told).is_some_and(|(length, body)| length == body.len());
            let good = match (phase.is_answered(), leaving) {
                (true, Leaving::HalfClose) => told.starts_with(b"HTTP/1.1 200 ") && whole(),
                (true, Leaving::Reset) => true,
                (false, _) => !told.starts_with(b"HTTP/1.1 2"),
            };
            if good { Ok(()) } else { Err(format!("{phase:?}: {}", beginning(&told))) }
        }
    }
}

fn ask(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut told = Vec::new();
    stream.read_to_end(&mut told)?;
    Ok(told)
}

fn beginning(told: &[u8]) -> String {
    told[..told.len().min(60)].escape_ascii().to_string()
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(command: &mut Command) -> io::Result<Server> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        while !line.contains(LISTENING) {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                return Err(io::Error::other("the server did not start"));
            }
        }
        let address = line.rsplit_once(LISTENING).and_then(|(_, address)| address.trim().parse().ok());
        let address = address.ok_or_else(|| io::Error::other(line.clone()))?;
        // It may go on to say something.
        thread::spawn(move || io::copy(&mut said, &mut io::sink()));
        Ok(Server { child, address })
    }

    fn usage(&self) -> io::Result<Usage> {
        let process = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{process}/status"))?;
        let number = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let (Some(memory), Some(threads)) = (number("VmRSS:"), number("Threads:")) else {
            return Err(io::Error::other("the server has ended"));
        };
        let descriptors = fs::read_dir(format!("{process}/fd"))?.count();
        Ok(Usage { threads: threads as usize, descriptors, memory: memory * 1024 })
    }

    /// Waits until it has no more threads and descriptors than when it was `fresh`, or for as long as anybody would.
    fn settle(&self, fresh: Usage) -> io::Result<Usage> {
        let until = Instant::now() + PATIENCE;
        loop {
            let usage = self.usage()?;
            let settled = usage.threads <= fresh.threads && usage.descriptors <= fresh.descriptors;
            if settled || Instant::now() > until {
                return Ok(usage);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(&mut self) -> io::Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deed = match self.deed {
            Deed::Panic => "panics",
            Deed::Leave(Leaving::Reset) => "resets",
            Deed::Leave(Leaving::HalfClose) => "half-closes",
        };
        let Row { count, before, after, failures, took, .. } = self;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "| {count} {deed} | {:.0} s | {} | {} → {} | {} → {} | {:.1} → {:.1} | {} |",
            took.as_secs_f64(),
            failures.len(),
            before.threads,
            after.threads,
            before.descriptors,
            after.descriptors,
            mib(before.memory),
            mib(after.memory),
            if self.is_good() { "ok" } else { "FAIL" }
        )
    }
}
