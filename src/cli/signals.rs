//! Signals, taken off their handlers by a thread of their own.
//!
//! The first SIGTERM or SIGINT asks for the end and leaves time for requests being served; the second does not wait
//! for them. SIGUSR1 opens the logs again, after they have been moved away. SIGUSR2 logs what every thread is doing. SIGHUP would end a process that does not
//! catch it, in the middle of a request, because a terminal was closed or a script took the program for another.

use super::log::Logs;
use super::{CUT, Failure};
use crate::error::Error;
use crate::monitor::AlertCommand;
use crate::server::{Server, Threads};
use crate::sync::{Arc, Builder, OnceLock, Receiver, bounded};
use log::{info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator;

/// The wish to end, once it is there, and whose threads are told of.
pub(super) struct Signals {
    asked: Receiver<&'static str>,
    /// Set once there is a server.
    threads: Arc<OnceLock<Threads>>,
}

/// Starts to listen, for the `logs` too; an end at once ends the alert command.
pub(super) fn listen(logs: Logs, alert_command: Option<AlertCommand>) -> Result<Signals, Failure> {
    let mut signals = iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])
        .map_err(|error| Failure::start(format!("cannot listen for signals: {error}")))?;
    let (ask, asked) = bounded(1);
    let threads: Arc<OnceLock<Threads>> = Arc::default();
    let told = threads.clone();
    let mut draining = false;
    let listen = move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => info!("SIGHUP: ignored, there is nothing to read again"),
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
                    let _ = ask.try_send(name);
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

    /// Waits for the first signal that ends the program, and names it.
    pub(super) fn wait(&self) -> &'static str {
        self.asked.recv().unwrap_or("the end of the signals thread")
    }
}
