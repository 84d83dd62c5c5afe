//! Clients that send one byte now and then, for ever: a thread of theirs keeps hundreds of them going.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Each sends a byte so often.
const PACE: Duration = Duration::from_millis(100);
/// How long the lesson waits until all of them have connected.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct SlowClients(Arc<State>);

#[derive(Default)]
struct State {
    wanted: AtomicUsize,
    /// How many have been connected, if only for a while.
    came: AtomicUsize,
    over: AtomicBool,
}

impl SlowClients {
    /// None yet.
    pub fn against(server: SocketAddr) -> Self {
        let state = Arc::new(State::default());
        let shared = state.clone();
        thread::spawn(move || {
            let mut clients: Vec<Option<TcpStream>> = Vec::new();
            while !shared.over.load(Ordering::Relaxed) {
                let began = Instant::now();
                clients.resize_with(shared.wanted.load(Ordering::Relaxed), || None);
                for client in &mut clients {
                    *client = client.take().filter(crawl).or_else(|| begin(server));
                }
                shared.came.store(clients.len(), Ordering::Relaxed);
                thread::sleep(PACE.saturating_sub(began.elapsed()));
            }
        });
        SlowClients(state)
    }

    /// Makes them so many, and waits until all have come, if they can.
    pub fn grow_to(&self, count: usize) {
        self.0.wanted.store(count, Ordering::Relaxed);
        let deadline = Instant::now() + PATIENCE;
        while self.0.came.load(Ordering::Relaxed) < count && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        // And a pace more, so that the server has seen all of them.
        thread::sleep(PACE);
    }
}

impl Drop for SlowClients {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

/// A request that will never be complete.
fn begin(server: SocketAddr) -> Option<TcpStream> {
    let mut client = TcpStream::connect_timeout(&server, PACE).ok()?;
    client.set_nonblocking(true).ok()?;
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").ok()?;
    Some(client)
}

/// Sends one more byte; false if the server has ended the connection.
fn crawl(client: &TcpStream) -> bool {
    let mut client = client;
    let open = match client.read(&mut [0; 512]) {
        Ok(_) => false,
        Err(problem) => problem.kind() == ErrorKind::WouldBlock,
    };
    open && client.write(b"z").is_ok()
}
