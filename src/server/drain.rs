//! How a server ends.

use super::Server;
use super::refuse::PeerName;
use crate::error::Refusal;
use crate::sync::Weak;
use crate::threads::{Claim, Phase};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// How long those whose connection was cut have to notice it, and to note what became of it.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// What became of the connections that were open when a shutdown began. Shown as a line, and one more for each that was cut.
#[derive(Clone, Debug, Default)]
#[must_use = "it says whose connections were cut"]
pub struct DrainReport {
    /// Connections that ended by themselves, idle ones included.
    pub finished: usize,
    /// Those that did not in time.
    pub cut: Vec<CutConnection>,
    /// How long it took.
    pub took: Duration,
}

/// A connection that was cut at the deadline.
#[derive(Clone, Copy, Debug)]
pub struct CutConnection {
    /// Who it was; `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// What it was doing.
    pub phase: Phase,
    /// For how long.
    pub since: Duration,
}

impl Server {
    /// Ends the server: listeners close, connections between requests are closed at once, requests being served are
    /// finished with `Connection: close`, and what is not done after `patience` is cut.
    ///
    /// A handler cannot be cut: one that is still running is reported, its thread is left alone, and its answer goes
    /// nowhere. If anybody is cut it takes up to a second longer than `patience`, in which the threads notice it and write to
    /// the access log what became of their requests: all of it where a handler is still running. A second call returns when the first one is done, with an empty report.
    pub fn shutdown(&self, patience: Duration) -> DrainReport {
        let shared = &self.admission.shared;
        // As soon as it is known that this is the end, who is idle is sent home.
        let open = shared.lobby.taken();
        if !shared.standing.drain() {
            self.wait();
            return DrainReport::default();
        }
        let began = shared.clock.now();
        let deadline = began.after(patience);
        for listener in self.listeners.iter().filter_map(Weak::upgrade) {
            listener.end(|stream, peer| self.admission.refuse(stream, peer, Refusal::DRAINING, None));
        }
        // Who was accepted from a socket that others go on to hold must still find the doors open.
        self.listening.wait_until_open(shared.clock.instant(began.after(LAST_GRACE)));
        self.admission.close();
        let mut cut = Vec::new();
        if !shared.lobby.wait_until_empty(shared.clock.instant(deadline)) {
            cut = self.cut_all();
            let grace = shared.clock.now().after(LAST_GRACE);
            shared.lobby.wait_until_empty(shared.clock.instant(grace));
        }
        self.admission.end_watch();
        // Last words are still being read, by those who were told to go.
        shared.farewells.wait_until_gone(&shared.clock, deadline);
        self.listening.wait_until_open(shared.clock.instant(shared.clock.now().after(LAST_GRACE)));
        *self.ended.lock() = true;
        self.end.notify_all();
        let took = shared.clock.now().since(began);
        DrainReport { finished: open.saturating_sub(cut.len()), cut, took }
    }

    fn cut_all(&self) -> Vec<CutConnection> {
        let board = &self.admission.shared.board;
        let now = self.admission.shared.clock.now();
        let mut cut = Vec::new();
        // A claim fails when its tenant goes on to the next phase in that moment; it is looked at again then.
        let mut again = true;
        while std::mem::take(&mut again) {
            for view in board.views().filter(|view| view.claim != Some(Claim::DrainDeadline)) {
                let peer = board.peer(view.number);
                if board.claim(&view, Claim::DrainDeadline) {
                    cut.push(CutConnection { peer, phase: view.phase, since: now.since(view.since) });
                } else {
                    again = true;
                }
            }
        }
        cut
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} finished, {} cut, in {:.1?}", self.finished, self.cut.len(), self.took)?;
        for CutConnection { peer, phase, since } in &self.cut {
            write!(f, "\n  {} was cut, {phase} for {since:.1?}", PeerName(*peer))?;
        }
        Ok(())
    }
}
