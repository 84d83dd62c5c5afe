//! Where lines are written: a file, standard output or standard error, each with a thread of its own.
//!
//! The article logs from the thread that serves: `logging` holds a lock while it writes, so one full pipe behind standard
//! error stops every worker, one after the other, and with them the server. Here nobody who serves writes. Lines go
//! through a bounded [`Spool`] to a thread that may wait for a slow reader for as long as it likes; what does not fit
//! meanwhile is dropped and counted, and the count is logged once a minute. A full disk costs the lines, not the
//! requests.

use crate::clock::Clock;
use crate::sync::{Arc, Builder, sleep};
use crate::threads::{Order, Spool};
use socket2::SockRef;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes that wait to be written, at most.
const CAPACITY: usize = 1 << 20;
/// How long the writer rests after a batch: a busy server wakes it a few hundred times a second, not for every line.
const REST: Duration = Duration::from_millis(4);
/// Address space for the writer's stack.
const STACK: usize = 128 << 10;

/// Where a [`Journal`] goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlet {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The end of a file, which is made if there is none.
    File(PathBuf),
}

/// Lines to an [`Outlet`], in the order in which they are pushed. Nobody who pushes waits. Dropping the last handle lets
/// the writer finish and end.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    spool: Arc<Spool>,
    name: &'static str,
    clock: Clock,
}

impl Journal {
    /// Opens the outlet and starts the writer. `name` is what the journal is called when it loses something, as in "the
    /// access log".
    pub fn open(outlet: Outlet, name: &'static str) -> io::Result<Self> {
        let (spool, clock) = (Arc::new(Spool::new(CAPACITY)), Clock::system());
        let file = outlet.open()?;
        let mut writer =
            Writer { spool: spool.clone(), outlet, file, name, clock: clock.clone(), torn: false };
        Builder::new().name("journal".into()).stack_size(STACK).spawn(move || writer.run())?;
        Ok(Journal(Arc::new(Desk { spool, name, clock })))
    }

    /// Adds a line, which ends with a line feed; false if it was dropped.
    pub fn push(&self, line: &[u8]) -> bool {
        self.0.spool.push(line)
    }

    /// How many lines were dropped since the last report, in a sentence, if a report is due: for who finds the writer too
    /// busy to say so itself.
    pub fn report(&self) -> Option<String> {
        self.0.spool.report(self.0.clock.now()).map(|count| loss(count, self.0.name))
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Lines dropped since the beginning.
    pub fn dropped(&self) -> u64 {
        self.0.spool.dropped()
    }

    /// Opens the file again, by its name: the one it was opened as may have been moved away.
    pub fn reopen(&self) {
        self.0.spool.reopen();
    }

    /// Waits until everything is written, at most for `patience`; says whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        let clock = &self.0.clock;
        self.0.spool.flush(clock.instant(clock.now().after(patience)))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.spool.close();
    }
}

impl Outlet {
    /// Opens it. A pipe that nobody reads is an error, and not waited for.
    pub(crate) fn open(&self) -> io::Result<File> {
        // The descriptors are our own: a writer that is held up must not hold a lock of the standard library's.
        match self {
            Outlet::Stdout => io::stdout().as_fd().try_clone_to_owned().map(File::from),
            Outlet::Stderr => io::stderr().as_fd().try_clone_to_owned().map(File::from),
            Outlet::File(path) => open_end(path),
        }
    }
}

fn open_end(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let opened = options.append(true).create(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = opened.map_err(|problem| {
        let is_pipe = || fs::metadata(path).is_ok_and(|data| data.file_type().is_fifo());
        if problem.raw_os_error() == Some(libc::ENXIO) && is_pipe() {
            return io::Error::other("it is a pipe, and nobody reads it");
        }
        problem
    })?;
    // The writer may wait. This is no socket, but the mode is every descriptor's.
    SockRef::from(&file).set_nonblocking(false)?;
    Ok(file)
}

/// The thread that writes.
struct Writer {
    spool: Arc<Spool>,
    outlet: Outlet,
    file: File,
    name: &'static str,
    clock: Clock,
    /// The last line was cut short: the next one begins with a line feed.
    torn: bool,
}

impl Writer {
    fn run(&mut self) {
        let mut batch = Vec::new();
        loop {
            match self.spool.take(&mut batch, self.clock.instant(self.spool.report_due())) {
                Order::Write => {
                    let lost = self.write(&batch);
                    if lost > 0 {
                        self.spool.lose(lost);
                    }
                    sleep(REST);
                }
                Order::Reopen => self.reopen(),
                Order::Nothing => {}
                Order::End => return,
            }
            if let Some(count) = self.spool.report(self.clock.now()) {
                log::warn!("{}", loss(count, self.name));
            }
        }
    }

    fn reopen(&mut self) {
        let opened = self.outlet.open();
        let opened = opened.map(|file| (self.file, self.torn) = (file, false));
        if let Err(problem) = opened {
            log::warn!("cannot open {} again: {problem}; writing on to the old file", self.name);
        }
    }

    /// Writes what it can, and counts the lines it cannot.
    fn write(&mut self, batch: &[u8]) -> u64 {
        if self.torn {
            self.torn = self.file.write_all(b"\n").is_err();
        }
        let mut rest = if self.torn { &[] } else { batch };
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => break,
                Ok(count) => rest = &rest[count..],
                Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let lost = if self.torn { batch } else { rest };
        self.torn |= lost.len() < batch.len() && !batch[..batch.len() - lost.len()].ends_with(b"\n");
        lost.split(|&byte| byte == b'\n').skip(1).count() as u64
    }
}

fn loss(count: u64, name: &str) -> String {
    format!("{name} has lost {count} of its lines: its reader is too slow, or its disk full")
}
