//! The loop that accepts connections, and never ends before the server does.

use super::admission::Admission;
use crate::clock::Tick;
use crate::error::Refusal;
use crate::net::Listener;
use crate::sync::{Arc, Builder, sleep};
use crate::threads::Hold;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// The first pause after an error, doubled by each that follows, up to the longest. The longest is below a second, so
/// that service is back within a second of the cause's end.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);
/// The wait for somebody who has been told to go, so that his descriptor is free: most are gone sooner.
const TO_LEAVE: Duration = Duration::from_millis(1);
/// How many such waits there are in a row before who comes is refused. Together they are longer than who says nothing is left
/// alone.
const MAX_WAITS: u32 = 100;
/// Descriptors that are to be free for the file of who has been accepted, those of others, and the next connection.
pub(super) const HEADROOM: usize = 4;
/// The longest while the spare descriptor is with somebody who has been refused, who gives it back soon.
const SPARE_PAUSE: Duration = Duration::from_millis(20);
/// How long after a shortage each connection is looked after like that: it costs a dozen system calls.
const WARY: Duration = Duration::from_secs(10);
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
    /// Waits for somebody to leave since there was room last.
    waits: u32,
    /// Until when descriptors count as short.
    wary_until: Option<Tick>,
    logged: Option<Tick>,
    /// Tells that this listener is still open.
    _open: Hold,
}

impl Acceptor {
    /// Starts the thread, which holds `open` until its listener is closed.
    pub(super) fn spawn(listener: Arc<Listener>, admission: Arc<Admission>, open: Hold) -> io::Result<()> {
        let mut acceptor = Acceptor {
            listener,
            admission,
            spare: open_spare().ok(),
            pause: PAUSE,
            waits: 0,
            wary_until: None,
            logged: None,
            _open: open,
        };
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
                    if self.make_headroom() {
                        self.admission.admit(stream, peer);
                    } else {
                        self.admission.refuse(stream, peer, Refusal::NO_DESCRIPTOR, None);
                    }
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
        self.warn(&format_args!("cannot accept: {problem}; trying again"));
        // Who is next is served if he waits a moment: only where nobody goes he is told that there is no room.
        if is_shortage(problem) {
            self.wary_until = Some(self.now().after(WARY));
            if self.make_way() {
                return;
            }
        }
        self.refuse_with_spare();
        let longest = if self.spare.is_some() { LONGEST_PAUSE } else { SPARE_PAUSE };
        sleep(self.pause.min(longest));
        self.pause = (self.pause * 2).min(longest);
    }

    /// Has some descriptors free for the request of who has been accepted, if any can be had; false if he has the last of all.
    fn make_headroom(&mut self) -> bool {
        if self.wary_until.is_none_or(|until| until <= self.now()) {
            return true;
        }
        while let Err(problem) = self.find_headroom()
            && is_shortage(&problem)
        {
            self.wary_until = Some(self.now().after(WARY));
            self.warn(&format_args!("no descriptors to spare: {problem}; closing whom it hurts least"));
            if !self.make_way() {
                // It is needed to refuse the next with.
                return self.spare.is_some();
            }
        }
        self.waits = 0;
        true
    }

    fn find_headroom(&mut self) -> io::Result<()> {
        let spare = match self.spare.take() {
            Some(spare) => spare,
            None => open_spare()?,
        };
        let copies: io::Result<Vec<_>> = (0..HEADROOM).map(|_| spare.try_clone()).collect();
        self.spare = Some(spare);
        copies.map(drop)
    }

    /// Has somebody leave and gives him the time to; says whether to wait is still worth it.
    fn make_way(&mut self) -> bool {
        self.admission.make_way();
        let waits = self.waits < MAX_WAITS;
        if waits {
            self.waits += 1;
            sleep(TO_LEAVE);
        }
        waits
    }

    fn warn(&mut self, text: &fmt::Arguments<'_>) {
        let now = self.now();
        if self.logged.is_none_or(|last| now.since(last) >= LOG_EVERY) {
            log::warn!("{text}");
            self.logged = Some(now);
        }
    }

    fn now(&self) -> Tick {
        self.admission.shared.clock.now()
    }

    /// Out of descriptors, the spare one makes room for one connection, which is told so instead of being left to wait.
    fn refuse_with_spare(&mut self) {
        if self.spare.take().is_some()
            && let Ok((stream, peer)) = self.listener.accept_now()
        {
            self.admission.refuse(stream, peer, Refusal::NO_DESCRIPTOR, None);
        }
        self.spare = open_spare().ok();
    }

    /// Who has connected before the listener closes is told, not reset.
    fn empty_backlog(&self) {
        while let Ok((stream, peer)) = self.listener.accept_now() {
            self.admission.refuse(stream, peer, Refusal::DRAINING, None);
        }
    }
}

/// Whether somebody's end would help: there are too few descriptors, or too little of the kernel's memory.
fn is_shortage(problem: &io::Error) -> bool {
    matches!(problem.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

fn open_spare() -> io::Result<File> {
    File::open("/dev/null")
}
