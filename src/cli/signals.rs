//! Signals, taken off their handlers by a thread of their own.
//!
//! The first SIGTERM or SIGINT asks for the end and leaves time for requests being served; the second does not wait
//! for them. SIGUSR1 opens the logs again, after they have been moved away. SIGUSR2 logs what every thread is doing. SIGHUP
//! reads the options again.

use super::log::Logs;
use super::{CUT, Failure};
use crate::error::Error;
use crate::monitor::AlertCommand;
use crate::server::{Server, Threads};
use crate::sync::{Arc, Builder, OnceLock, Receiver, bounded};
use log::{info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator;

/// Wishes that wait to be granted; more of them say nothing new.
const WAITING: usize = 4;

/// What signals ask of the program, in their order, and whose threads are told of.
pub(super) struct Signals {
    asked: Receiver<Wish>,
    /// Set once there is a server.
    threads: Arc<OnceLock<Threads>>,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To read the options again.
    Reload,
    /// To end; the name of who asks.
    End(&'static str),
}

/// Starts to listen, for the `logs` too; an end at once ends the alert command.
pub(super) fn listen(logs: Logs, alert_command: Option<AlertCommand>) -> Result<Signals, Failure> {
    let mut signals = iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])
        .map_err(|error| Failure::start(format!("cannot listen for signals: {error}")))?;
    let (ask, asked) = bounded(WAITING);
    let threads: Arc<OnceLock<Threads>> = Arc::default();
    let told = threads.clone();
    let mut draining = false;
    let listen = move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => drop(ask.try_send(Wish::Reload)),
                SIGUSR1 => {
                    logs.reopen();
                    info!("SIGUSR1: the log files are opened again");
                }
                SIGUSR2 => {
                    let text = told.get().map(ToString::to_string).unwrap_or_default();
                    text.lines().for_each(|line| info!("{line}"));
                }
                end => {
                    let name = if end == SIGINT { "SIGINT" } else { "SIGTERM" };
                    if draining {
                        warn!("{name} again: ending at once");
                        alert_command.iter().for_each(AlertCommand::end);
                        logs.end();
                        std::process::exit(CUT.into());
                    }
                    draining = true;
                    // There is room, but for reloads that are still to be granted: then it waits for one of them.
                    let _ = ask.send(Wish::End(name));
                }
            }
        }
    };
    Builder::new().name("signals".into()).spawn(listen).map_err(Error::Threads)?;
    Ok(Signals { asked, threads })
}

impl Signals {
    /// From now on SIGUSR2 tells what the threads of `server` are doing.
    pub(super) fn tell_threads_of(&self, server: &Server) {
        let _ = self.threads.set(server.threads());
    }

    /// Waits for the next wish.
    pub(super) fn wait(&self) -> Wish {
        self.asked.recv().unwrap_or(Wish::End("the end of the signals thread"))
    }
}
