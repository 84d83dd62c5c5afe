//! Legitimate clients: requests at a steady pace, whatever the server does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::{Client, Failure, TIMEOUT, Tls};
use crate::figures;

/// Keep-alive connections, one thread each.
const CONNECTIONS: u32 = 50;

/// Over TLS every so many requests a client opens a new connection: a handshake is a part of what clients notice.
const FRESH_EVERY: usize = 10;

/// Enough for a client that keeps its buffer on the heap.
pub const STACK: usize = 128 * 1024;

pub struct Paced {
    window: Arc<OnceLock<Window>>,
    threads: Vec<JoinHandle<Vec<Sample>>>,
}

/// Requests due in it are measured.
#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    until: Instant,
}

/// One request: when it was due, how long after that the answer was complete.
struct Sample {
    due: Instant,
    latency: Duration,
    outcome: Result<bool, Failure>,
}

/// What the clients saw of the measured time.
pub struct Seen {
    pub sent: usize,
    pub retried: usize,
    /// Of the good answers, sorted.
    pub latencies: Vec<Duration>,
    pub failures: BTreeMap<Failure, usize>,
}

impl Paced {
    /// Starts asking for `/`, `rate` times a second in all, the connections evenly out of step.
    /// Over TLS, some of them on fresh connections.
    pub fn start(addr: SocketAddr, rate: u32, tls: Option<Tls>) -> Self {
        let period = Duration::from_secs(1) * CONNECTIONS / rate;
        let start = Instant::now() + Duration::from_millis(50);
        let window = Arc::new(OnceLock::new());
        let threads = (0..CONNECTIONS)
            .map(|number| {
                let window = Arc::clone(&window);
                let first = start + period * number / CONNECTIONS;
                spawn_small(move || {
                    ask_steadily(Client::new(addr, "/", tls), number as usize, (first, period), &window)
                })
            })
            .collect();
        Self { window, threads }
    }

    /// From now on requests count; gives the end of the measurement.
    pub fn measure_for(&self, time: Duration) -> Instant {
        let from = Instant::now();
        self.window.get_or_init(|| Window { from, until: from + time }).until
    }

    /// Waits for the last answers.
    pub fn finish(self) -> Seen {
        let mut seen = Seen { sent: 0, retried: 0, latencies: Vec::new(), failures: BTreeMap::default() };
        let window = self.window.get().copied();
        for thread in self.threads {
            let samples = thread.join().expect("a client does not panic");
            let measured = |sample: &Sample| window.is_some_and(|window| sample.due >= window.from);
            samples.into_iter().filter(measured).for_each(|sample| seen.add(&sample));
        }
        seen.latencies.sort_unstable();
        seen
    }
}

impl Seen {
    pub fn ok_percent(&self) -> f64 {
        figures::percent(self.latencies.len(), self.sent)
    }

    pub fn p99_ms(&self) -> f64 {
        figures::quantile_ms(&self.latencies, 0.99)
    }

    pub fn mean(&self) -> Duration {
        self.latencies.iter().sum::<Duration>()
            / u32::try_from(self.latencies.len().max(1)).unwrap_or(u32::MAX)
    }

    fn add(&mut self, sample: &Sample) {
        self.sent += 1;
        match sample.outcome {
            Ok(retried) => {
                self.retried += usize::from(retried);
                self.latencies.push(sample.latency);
            }
            Err(failure) => *self.failures.entry(failure).or_default() += 1,
        }
    }
}

/// One client. Late requests are sent at once, never skipped: the schedule does not wait for the server.
fn ask_steadily(
    mut client: Client,
    number: usize,
    (first, period): (Instant, Duration),
    window: &OnceLock<Window>,
) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut due = first;
    loop {
        let until = window.get().map(|window| window.until);
        if until.is_some_and(|until| due >= until) {
            return samples;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let outcome = if until.is_some_and(|until| Instant::now() > until + TIMEOUT) {
            Err(Failure::NeverSent)
        } else {
            match client.get() {
                Ok(answer) if answer.status == 200 => Ok(answer.retried),
                Ok(answer) => Err(Failure::Status(answer.status)),
                Err(failure) => Err(failure),
            }
        };
        if client.speaks_tls() && (samples.len() + number).is_multiple_of(FRESH_EVERY) {
            client.hang_up();
        }
        samples.push(Sample { due, latency: due.elapsed(), outcome });
        due += period;
    }
}

pub fn spawn_small<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread can be started")
}
