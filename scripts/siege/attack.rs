//! The attackers: a few threads that sweep over thousands of nonblocking sockets.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::request;
use crate::options::{Options, Scenario};
use crate::target::Peak;

/// Each attacker acts once in this time.
const SWEEP: Duration = Duration::from_millis(500);
/// A sweep is spread over as many slices, as attackers that know nothing of each other would be.
const SLICES: usize = 50;
const THREADS: usize = 2;
/// On loopback a connection stands at once or the server's backlog is full; then the sweep must not wait for it.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(20);
/// Connects that may run into that timeout in a sweep that is not spread.
const STALLS_IN_A_BURST: usize = 10;

pub struct Army {
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<()>>,
}

/// Shared by the attacking threads and whoever watches them.
#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    /// Threads that have swept over all of their attackers at least once.
    in_place: AtomicUsize,
    /// Connections open now, as far as the last sweep could tell.
    connected: AtomicUsize,
    /// Connections made in all.
    connects: AtomicUsize,
}

impl Army {
    /// Starts the attack of a scenario; `page` is what slow readers ask for.
    pub fn start(scenario: Scenario, addr: SocketAddr, page: &str, options: &Options) -> Self {
        let tally = Arc::new(Tally::default());
        let mut threads = Vec::new();
        let slices = if options.burst { 1 } else { SLICES };
        let mut launch = |work: Box<dyn FnOnce(&Tally) + Send>| {
            let tally = Arc::clone(&tally);
            threads.push(thread::spawn(move || work(&tally)));
        };
        match scenario {
            Scenario::Calm | Scenario::Overload => {}
            Scenario::Flood => {
                let rate = options.clients;
                launch(Box::new(move |tally| flood(addr, rate, tally)));
            }
            _ => {
                for thread in 0..THREADS {
                    let attackers = (thread..options.clients)
                        .step_by(THREADS)
                        .map(|number| Attacker::new(Script::of(scenario, number / THREADS, addr, page)))
                        .collect();
                    launch(Box::new(move |tally| sweep(addr, attackers, slices, tally)));
                }
            }
        }
        Self { tally, threads }
    }

    /// Returns when every attacker has had its turn to connect, or was given up for now.
    pub fn wait_until_in_place(&self) {
        let patience = Instant::now() + 10 * SWEEP;
        while self.tally.in_place.load(Relaxed) < self.threads.len() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn connects(&self) -> usize {
        self.tally.connects.load(Relaxed)
    }

    pub fn sample_into(&self, peak: &mut Peak) {
        peak.attackers.push(self.tally.connected.load(Relaxed));
    }

    /// Ends the attack and closes its connections.
    pub fn disband(self) {
        self.tally.stop.store(true, Relaxed);
        for thread in self.threads {
            thread.join().expect("an attacker does not panic");
        }
    }
}

/// What an attacker sends: `lead` once, then `tail` over and over; `first` bytes of it on connecting, `step` bytes
/// a sweep from then on.
struct Script {
    lead: Vec<u8>,
    tail: Vec<u8>,
    first: usize,
    step: usize,
    /// Whether it reads what the server says (and so learns at once that it was thrown out).
    reads: bool,
}

impl Script {
    fn of(scenario: Scenario, number: usize, addr: SocketAddr, page: &str) -> Self {
        let quiet = Self { lead: Vec::new(), tail: Vec::new(), first: 0, step: 0, reads: true };
        let get = |path| request("GET", path, addr, "").into_bytes();
        match scenario {
            Scenario::SlowHead => {
                // Every other one begins with most of a head, the rest drip from the first letter on.
                let mut lead = get("/");
                lead.truncate(lead.len() - 2);
                lead.extend_from_slice(b"X-Slow: ");
                let first = if number.is_multiple_of(2) { lead.len() } else { 1 };
                Self { lead, tail: b"a".into(), first, step: 1, ..quiet }
            }
            Scenario::SlowBody => {
                let fields = "Content-Type: application/json\r\nContent-Length: 100000\r\n";
                let lead = request("POST", "/", addr, fields).into_bytes();
                Self { first: lead.len(), lead, tail: b" ".into(), step: 1, ..quiet }
            }
            Scenario::SlowRead => {
                let tail = get(page);
                Self { first: 12 * tail.len(), step: tail.len(), tail, reads: false, ..quiet }
            }
            Scenario::Idle => {
                let lead = get("/");
                Self { first: lead.len(), lead, ..quiet }
            }
            Scenario::Handshake => {
                let lead = half_a_client_hello();
                let first = if number.is_multiple_of(2) { lead.len() } else { 1 };
                Self { first, lead, tail: b"Z".into(), step: 1, ..quiet }
            }
            Scenario::Tls => {
                let lead = half_a_client_hello();
                Self { first: lead.len(), lead, ..quiet }
            }
            Scenario::Mute | Scenario::Calm | Scenario::Flood | Scenario::Overload => quiet,
        }
    }

    /// `count` bytes of the script from `position` on.
    fn bytes(&self, position: usize, count: usize) -> Vec<u8> {
        self.lead
            .iter()
            .chain(self.tail.iter().cycle())
            .skip(self.skipped(position))
            .take(count)
            .copied()
            .collect()
    }

    /// The same place in the script, without walking through every repetition of `tail` before it.
    fn skipped(&self, position: usize) -> usize {
        match position.checked_sub(self.lead.len()) {
            Some(past) if !self.tail.is_empty() => self.lead.len() + past % self.tail.len(),
            _ => position,
        }
    }
}

/// A record of 512 bytes is announced, a hundred arrive.
fn half_a_client_hello() -> Vec<u8> {
    let mut bytes = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    bytes.resize(100, 0x5a);
    bytes
}

struct Attacker {
    script: Script,
    stream: Option<TcpStream>,
    /// How far it is in its script on this connection.
    sent: usize,
}

impl Attacker {
    fn new(script: Script) -> Self {
        Self { script, stream: None, sent: 0 }
    }

    /// One turn: notice a close, take the next step of the script, or connect anew if `may_connect`.
    fn act(&mut self, addr: SocketAddr, may_connect: bool, tally: &Tally) -> io::Result<()> {
        let alive = self.stream.is_some() && self.listens() && self.send(self.script.step);
        if alive {
            return Ok(());
        }
        if self.stream.take().is_some() {
            tally.connected.fetch_sub(1, Relaxed);
        }
        if may_connect {
            let stream = TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
            self.sent = 0;
            tally.connected.fetch_add(1, Relaxed);
            tally.connects.fetch_add(1, Relaxed);
            // A failure shows at the next turn.
            self.send(self.script.first);
        }
        Ok(())
    }

    /// Reads away what has come; false when the server has closed.
    fn listens(&mut self) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| self.script.reads) else { return true };
        let mut heard = [0; 4096];
        loop {
            match stream.read(&mut heard) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Sends up to `count` further bytes; false when the connection is broken.
    fn send(&mut self, count: usize) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| count > 0) else { return true };
        match stream.write(&self.script.bytes(self.sent, count)) {
            Ok(sent) => {
                self.sent += sent;
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// One attacking thread: all its attackers, slice by slice, once per `SWEEP`.
fn sweep(addr: SocketAddr, mut attackers: Vec<Attacker>, slices: usize, tally: &Tally) {
    let slice_time = SWEEP / slices as u32;
    let mut due = Instant::now();
    let mut first_sweep = true;
    for slice in (0..slices).cycle() {
        if tally.stop.load(Relaxed) {
            return;
        }
        // After a few stalled connects the others of this slice wait for the next sweep.
        let mut stalls_left = (STALLS_IN_A_BURST / slices).max(1);
        let range = slice * attackers.len() / slices..(slice + 1) * attackers.len() / slices;
        for attacker in &mut attackers[range] {
            if attacker.act(addr, stalls_left > 0, tally).is_err() {
                stalls_left -= 1;
            }
        }
        if first_sweep && slice + 1 == slices {
            first_sweep = false;
            tally.in_place.fetch_add(1, Relaxed);
        }
        // A sweep that fell behind goes on from where it is rather than catching up in a rush.
        due = (due + slice_time).max(Instant::now().checked_sub(slice_time).unwrap_or(due));
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Connects and closes `rate` times a second, in small steps.
fn flood(addr: SocketAddr, rate: usize, tally: &Tally) {
    const TICK: Duration = Duration::from_millis(5);
    let ticks_per_second = Duration::from_secs(1).div_duration_f64(TICK);
    let per_tick = rate as f64 / ticks_per_second;
    let (mut owed, mut due) = (0.0, Instant::now());
    tally.in_place.fetch_add(1, Relaxed);
    while !tally.stop.load(Relaxed) {
        owed += per_tick;
        while owed >= 1.0 {
            owed -= 1.0;
            match TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT) {
                Ok(stream) => drop(stream),
                Err(_) => break,
            }
            tally.connects.fetch_add(1, Relaxed);
        }
        due += TICK;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
