//! The loop that accepts connections, and never ends before the server does.

use super::admission::Admission;
use crate::clock::Tick;
use crate::error::Refusal;
use crate::net::Listener;
use crate::sync::{Arc, Builder, sleep};
use crate::threads::Hold;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// The first pause after an error, doubled by each that follows, up to the longest. The longest is below a second, so
/// that service is back within a second of the cause's end.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);
/// How often errors are logged.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// Address space for the thread's stack.
const STACK: usize = 128 << 10;

pub(super) struct Acceptor {
    listener: Arc<Listener>,
    admission: Arc<Admission>,
    /// A descriptor to let go when there is no other, so that a connection can at least be refused.
    spare: Option<File>,
    pause: Duration,
    logged: Option<Tick>,
    /// Tells that this listener is still open.
    _open: Hold,
}

impl Acceptor {
    /// Starts the thread, which holds `open` until its listener is closed.
    pub(super) fn spawn(listener: Arc<Listener>, admission: Arc<Admission>, open: Hold) -> io::Result<()> {
        let mut acceptor =
            Acceptor { listener, admission, spare: spare(), pause: PAUSE, logged: None, _open: open };
        let name = acceptor.admission.shared.thread_name("acceptor");
        Builder::new().name(name).stack_size(STACK).spawn(move || acceptor.run()).map(drop)
    }

    fn run(&mut self) {
        let (monitor, standing) =
            (self.admission.shared.monitor.clone(), self.admission.shared.standing.clone());
        let pulse = monitor.acceptor.join(monitor.now());
        let shared = self.listener.is_shared();
        while !standing.is_draining() {
            // Nobody may ever connect; all else that happens here ends soon.
            pulse.rest();
            let accepted = self.listener.accept();
            pulse.beat(monitor.now());
            match accepted {
                // Who comes after the end has begun is no guest any more. Of a socket that others hold too, nobody else
                // knows of this connection now.
                Ok((stream, peer)) if standing.is_draining() && !shared => {
                    self.admission.refuse(stream, peer, Refusal::DRAINING, None);
                }
                Ok((stream, peer)) => {
                    monitor.note_accept(true);
                    self.pause = PAUSE;
                    self.admission.admit(stream, peer);
                }
                Err(_) if standing.is_draining() => {}
                Err(problem) => {
                    monitor.note_accept(false);
                    self.recover(&problem);
                }
            }
        }
        // What waits at a socket that others hold too is left to them.
        if !shared {
            self.empty_backlog();
        }
        pulse.rest();
    }

    fn recover(&mut self, problem: &io::Error) {
        // The client went away while it waited: nothing is wrong here.
        if matches!(
            problem.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
        ) {
            return;
        }
        let clock = &self.admission.shared.clock;
        let now = clock.now();
        if self.logged.is_none_or(|last| now.since(last) >= LOG_EVERY) {
            log::warn!("cannot accept: {problem}; trying again");
            self.logged = Some(now);
        }
        if self.admission.evict_one() {
            self.pause = PAUSE;
        }
        self.refuse_with_spare();
        sleep(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Out of descriptors, the spare one makes room for one connection, which is told so instead of being left to wait.
    fn refuse_with_spare(&mut self) {
        if self.spare.take().is_some()
            && let Ok((stream, peer)) = self.listener.accept_now()
        {
            self.admission.refuse(stream, peer, Refusal::NO_DESCRIPTOR, None);
        }
        self.spare = spare();
    }

    /// Who has connected before the listener closes is told, not reset.
    fn empty_backlog(&self) {
        while let Ok((stream, peer)) = self.listener.accept_now() {
            self.admission.refuse(stream, peer, Refusal::DRAINING, None);
        }
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}
