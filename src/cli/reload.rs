//! SIGHUP: everything is read again, and takes effect without costing a connection. What is wrong changes nothing.

use super::admin::Watch;
use super::options::{Environment, Flags, Options, entry};
use super::serving::Serving;
use super::{Failure, START};
use crate::config::FIXED;
use log::{error, info, warn};

/// Options that hold for as long as the program runs, besides the settings that are [`FIXED`].
const FIXED_TOO: [&str; 13] = [
    "bind",
    "unix-mode",
    "unix-owner",
    "redirect-http",
    "tls-self-signed",
    "insecure-cookies",
    "admin",
    "admin-token-file",
    "log-file",
    "log-format",
    "access-log",
    "alert-command",
    "sandbox",
];

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

    /// What is in effect.
    pub(super) fn current(&self) -> &Options {
        &self.current
    }

    /// Reads everything again and applies it, or says why not.
    pub(super) fn again(&mut self, serving: &Serving, admin: Option<&Watch>) {
        let applied = self.load().and_then(|new| {
            let next = takes(&self.current, &new);
            let renewal = admin.map(Watch::renewal).transpose()?;
            serving.renew(&next)?;
            renewal.map_or(Ok(()), |renew| renew())?;
            Ok((new, next))
        });
        match applied {
            Ok((new, next)) => {
                log::set_max_level(next.log_level.to_level_filter());
                report(&self.current, &new);
                self.current = next;
            }
            Err(failure) => {
                failure.messages.iter().for_each(|message| error!("SIGHUP: nothing is changed: {message}"));
                if failure.messages.iter().any(|message| message.contains("(os error 13)")) {
                    warn!("SIGHUP: what is in another directory than before needs a restart: see --sandbox");
                }
            }
        }
    }

    fn load(&self) -> Result<Options, Failure> {
        can_be_read_again(&self.current)?;
        let new = Options::load(&self.flags, &self.environment)?;
        can_be_read_again(&new)?;
        Ok(new)
    }
}

/// A pipe can be read once, and whoever opens it waits for somebody who writes to it.
fn can_be_read_again(options: &Options) -> Result<(), Failure> {
    let Some(path) = options.read_again().find(|path| path.exists() && !path.is_file()) else {
        return Ok(());
    };
    let message = format!("{} is no file that can be read again", path.display());
    Err(Failure { code: START, messages: vec![message] })
}

fn is_fixed(name: &str) -> bool {
    FIXED.contains(&name) || FIXED_TOO.contains(&name)
}

/// The new options, but what cannot change as it was.
fn takes(old: &Options, new: &Options) -> Options {
    let mut next = new.clone();
    for change in new.changes(old).iter().filter(|change| is_fixed(change.name)) {
        // What was shown can be read.
        let _ = entry(change.name).map(|entry| entry.set(&mut next, entry.show(old)));
    }
    next
}

/// Logs every change. The files that options name were read again too, whether their names have changed or not.
fn report(old: &Options, new: &Options) {
    let changes = new.changes(old);
    if changes.is_empty() {
        info!("SIGHUP: all options are as they were; the files they name were read again");
    }
    for change in changes {
        // An empty list is shown as nothing.
        let [from, to] = [&change.from, &change.to].map(|text| if text.is_empty() { "none" } else { text });
        let name = change.name;
        if is_fixed(name) {
            warn!("SIGHUP: {name} stays {from}; {to} takes effect with a restart");
        } else {
            info!("SIGHUP: {name} is now {to}; it was {from}");
        }
    }
}
