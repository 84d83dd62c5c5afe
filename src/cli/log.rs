//! The logs: the operator's, to standard error and to a file at once, and the access log.
//!
//! ```text
//! 2026-01-31T12:00:00.123Z worker-7 INFO  message
//! {"time":"2026-01-31T12:00:00.123Z","thread":"worker-7","level":"INFO","message":"message"}
//! ```
//!
//! Each outlet has a [`Journal`] of its own, so that one that has stopped, a terminal on hold or a full disk, holds up
//! neither the other nor anybody who serves.

use super::Failure;
use super::options::Options;
use crate::clock::Clock;
use crate::monitor::{AccessLog, Journal, LogFormat, Outlet};
use crate::record::{Utc, push_escaped, push_json};
use crate::sync;
use log::{Level, LevelFilter};
use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

/// How long the end of the program waits for its logs to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// All logs of the program.
#[derive(Clone)]
pub(super) struct Logs {
    /// Standard error first.
    journals: Vec<Journal>,
    pub(super) access: Option<AccessLog>,
}

impl Logs {
    /// Opens the logs. From here on every record goes to standard error, and to the end of the log file if there is one.
    /// A panic is such a record too.
    pub(super) fn start(options: &Options) -> Result<Logs, Failure> {
        let open = |outlet: Outlet, name| {
            Journal::open(outlet.clone(), name).map_err(|error| log_failed(&outlet, &error))
        };
        let mut journals = vec![open(Outlet::Stderr, "standard error")?];
        if let Some(path) = &options.log_file {
            journals.push(open(Outlet::File(path.clone()), "the log file")?);
        }
        let access = options.access_log.clone().map(|outlet| {
            let opened = AccessLog::open(outlet.clone(), options.log_format);
            opened.map_err(|error| access_log_failed(&outlet, &error))
        });
        let logs = Logs { journals, access: access.transpose()? };
        start(options.log_level, options.log_format, logs.journals.clone())?;
        Ok(logs)
    }

    /// Opens the files again.
    pub(super) fn reopen(&self) {
        self.all().for_each(Journal::reopen);
    }

    /// The end: says what was lost, and waits for what is still to be written, but not for an outlet that has stopped.
    pub(super) fn end(&self) {
        if let Some(access) = &self.access {
            access.journal().flush(LAST_WORDS);
        }
        for journal in self.all().filter(|journal| journal.dropped() > 0) {
            log::warn!("{} has lost {} of its lines in all", journal.name(), journal.dropped());
        }
        for journal in &self.journals {
            journal.flush(LAST_WORDS);
        }
    }

    /// The operator's log.
    pub(super) fn journals(&self) -> &[Journal] {
        &self.journals
    }

    fn all(&self) -> impl Iterator<Item = &Journal> {
        self.journals.iter().chain(self.access.iter().map(AccessLog::journal))
    }

    /// Says something on standard error that is no record, in its turn.
    pub(super) fn say(&self, text: &str) {
        if let Some(journal) = self.journals.first() {
            journal.push(format!("{text}\n").as_bytes());
        }
    }
}

/// Opens the files, to be held until the [`Logs`] have started: who reads a pipe must not see an end in between. That a file
/// cannot be opened should be said before anything is done that others notice, and a [`Journal`] begins with a thread.
pub(super) fn hold(options: &Options) -> Result<Vec<File>, Failure> {
    let log = options.log_file.clone().map(Outlet::File);
    let log = log.map(|outlet| outlet.open().map_err(|error| log_failed(&outlet, &error)));
    let access_log = options.access_log.as_ref().filter(|outlet| matches!(outlet, Outlet::File(_)));
    let access_log =
        access_log.map(|outlet| outlet.open().map_err(|error| access_log_failed(outlet, &error)));
    log.into_iter().chain(access_log).collect()
}

fn log_failed(outlet: &Outlet, error: &io::Error) -> Failure {
    Failure::start(match outlet {
        Outlet::File(path) => {
            format!("cannot open the log file '{}': {error}; choose another with --log-file", path.display())
        }
        _ => format!("cannot start the log: {error}"),
    })
}

fn access_log_failed(outlet: &Outlet, error: &io::Error) -> Failure {
    let name = match outlet {
        Outlet::File(path) => path.display().to_string(),
        _ => "-".to_owned(),
    };
    Failure::start(format!("cannot open the access log '{name}': {error}; choose another with --access-log"))
}

fn start(level: Level, format: LogFormat, journals: Vec<Journal>) -> Result<(), Failure> {
    let clock = Clock::system();
    let fan = Fan { journals, format, clock: clock.clone() };
    env_logger::Builder::new()
        // What is logged can change; it is kept in one place, `log`'s own.
        .filter_level(LevelFilter::Trace)
        .target(env_logger::Target::Pipe(Box::new(fan)))
        .format(move |out, record| {
            let message = record.args().to_string();
            out.write_all(&line(format, &clock, record.level(), &message))
        })
        .try_init()
        .map_err(|_| Failure::start("a log was started before"))?;
    log::set_max_level(level.to_level_filter());
    std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    Ok(())
}

/// One record, whatever is in it.
fn line(format: LogFormat, clock: &Clock, level: Level, message: &str) -> Vec<u8> {
    let thread = sync::current();
    let thread = thread.name().unwrap_or("unnamed").as_bytes();
    let now = Utc(clock.date());
    let mut line = Vec::with_capacity(128);
    // Writing to memory does not fail.
    if format == LogFormat::Json {
        let _ = write!(line, "{{\"time\":\"{now}\",\"thread\":");
        push_json(&mut line, thread);
        let _ = write!(line, ",\"level\":\"{level}\",\"message\":");
        push_json(&mut line, message.as_bytes());
        line.push(b'}');
    } else {
        let _ = write!(line, "{now} ");
        push_escaped(&mut line, thread);
        let _ = write!(line, " {level:<5} ");
        push_escaped(&mut line, message.as_bytes());
    }
    line.push(b'\n');
    line
}

/// Hands each record to every journal, and waits for none. What one of them drops the others are told, once a minute.
struct Fan {
    journals: Vec<Journal>,
    format: LogFormat,
    clock: Clock,
}

impl Write for Fan {
    /// A whole record: that is how `env_logger` writes to a pipe.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        for (number, journal) in self.journals.iter().enumerate() {
            if journal.push(record) || self.journals.len() == 1 {
                continue;
            }
            if let Some(loss) = journal.report() {
                let warning = line(self.format, &self.clock, Level::Warn, &loss);
                for (_, other) in self.journals.iter().enumerate().filter(|(other, _)| *other != number) {
                    other.push(&warning);
                }
            }
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
