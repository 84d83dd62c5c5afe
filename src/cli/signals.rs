//! Signals, taken off their handlers by a thread of their own.
//!
//! The first SIGTERM or SIGINT asks for the end and leaves time for requests being served; the second does not wait
//! for them. SIGUSR1 opens the logs again, after they have been moved away. SIGHUP reads the options again.

use super::log::Logs;
use super::reload::Reload;
use super::supervisor::Supervisor;
use super::{CUT, Failure};
use crate::error::Error;
use crate::monitor::AlertCommand;
use crate::sync::{Builder, Receiver, bounded};
use log::{info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator;

/// The wish to end, once it is there.
pub(super) struct Signals(Receiver<&'static str>);

/// Starts to listen, for the `logs` too; an end at once ends the alert command.
pub(super) fn listen(
    logs: Logs,
    alert_command: Option<AlertCommand>,
    mut reload: Reload,
    supervisor: Supervisor,
) -> Result<Signals, Failure> {
    let mut signals = iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])
        .map_err(|error| Failure::start(format!("cannot listen for signals: {error}")))?;
    let (ask, asked) = bounded(1);
    let mut draining = false;
    let listen = move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => supervisor.reloading(|| reload.again()),
                SIGUSR1 => {
                    logs.reopen();
                    info!("SIGUSR1: the log files are opened again");
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
    Ok(Signals(asked))
}

impl Signals {
    /// Waits for the first signal that ends the program, and names it.
    pub(super) fn wait(&self) -> &'static str {
        self.0.recv().unwrap_or("the end of the signals thread")
    }
}
