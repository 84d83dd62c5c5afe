//! SIGHUP: the file is read again. What is wrong in it changes nothing.

use super::options::{Environment, Flags, Options, entry};
use super::{Failure, START};
use log::{error, info, warn};

/// What can change while the server runs, and how it takes effect. All else needs a restart.
const LIVE: &[Live] =
    &[Live { name: "log-level", take: |options| log::set_max_level(options.log_level.to_level_filter()) }];

struct Live {
    name: &'static str,
    take: fn(&Options),
}

/// What is needed to read everything again.
pub(super) struct Reload {
    flags: Flags,
    environment: Environment,
    /// What is in effect.
    current: Options,
}

impl Reload {
    pub(super) fn new(flags: Flags, environment: Environment, current: Options) -> Self {
        Reload { flags, environment, current }
    }

    /// Reads everything again and applies it, or says why not.
    pub(super) fn again(&mut self) {
        match self.load() {
            Ok(new) => self.current = apply(&self.current, &new),
            Err(failure) => {
                failure.messages.iter().for_each(|message| error!("SIGHUP: nothing is changed: {message}"));
            }
        }
    }

    fn load(&self) -> Result<Options, Failure> {
        // A pipe can be read once, and waits for whoever would write to it.
        if let Some(path) = self.current.file.as_ref().filter(|path| path.exists() && !path.is_file()) {
            let message = format!("the configuration {} is no file that can be read again", path.display());
            return Err(Failure { code: START, messages: vec![message] });
        }
        Options::load(&self.flags, &self.environment)
    }
}

/// Puts in effect what can be, and logs every change. Returns what is in effect then.
fn apply(old: &Options, new: &Options) -> Options {
    let mut current = old.clone();
    let changes = new.changes(old);
    if changes.is_empty() {
        info!("SIGHUP: all options are as they were");
    }
    for change in changes {
        let (name, from, to) = (change.name, &change.from, &change.to);
        match LIVE.iter().find(|live| live.name == name) {
            Some(live) => {
                (live.take)(new);
                // What was shown can be read.
                let _ = entry(name).map(|entry| entry.set(&mut current, entry.show(new)));
                info!("SIGHUP: {name} is now {to}; it was {from}");
            }
            None => warn!("SIGHUP: {name} stays {from}; {to} takes effect with a restart"),
        }
    }
    current
}
