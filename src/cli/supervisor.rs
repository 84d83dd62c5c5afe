//! The service manager that has started the program, if one has: what it is told (`sd_notify(3)`), and that all is well
//! (`sd_watchdog_enabled(3)`).

use crate::clock::machine_micros;
use crate::monitor::Monitor;
use crate::sync::{Arc, Builder, sleep};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// What the end may take beyond the time that requests have: connections that were cut, last words, logs.
const AFTER_THE_DRAIN: Duration = Duration::from_secs(10);
/// How long a manager that does not read is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Address space for the thread's stack.
const STACK: usize = 128 << 10;

/// The line to the service manager; nobody may be at its other end.
#[derive(Clone, Debug, Default)]
pub(super) struct Supervisor(Option<Arc<UnixDatagram>>);

impl Supervisor {
    /// Opens the line that `NOTIFY_SOCKET` names. From then on it does not matter which files can be reached.
    pub(super) fn from_environment() -> Result<Self, String> {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(Supervisor::default()) };
        match open(&name) {
            Ok(socket) => Ok(Supervisor(Some(Arc::new(socket)))),
            Err(problem) => {
                Err(format!("cannot reach the service manager at '{}': {problem}", name.display()))
            }
        }
    }

    /// Requests are served.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nMAINPID={}\nSTATUS={status}", std::process::id()));
    }

    /// Runs `reload`, which reads something again while requests are served.
    pub(super) fn reloading(&self, status: &str, reload: impl FnOnce()) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reloading", machine_micros()));
        reload();
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The end has begun, and requests have `patience` to be finished.
    pub(super) fn stopping(&self, status: &str, patience: Duration) {
        let micros = patience.saturating_add(AFTER_THE_DRAIN).as_micros();
        self.tell(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={micros}\nSTATUS={status}"));
    }

    /// Tells again and again that all is well, if the manager wants to hear it, for as long as the threads live that
    /// nothing works without.
    pub(super) fn watch(&self, monitor: Monitor) -> io::Result<()> {
        let Some(span) = watchdog_span().filter(|_| self.0.is_some()) else { return Ok(()) };
        let watch = Watch { supervisor: self.clone(), monitor, span };
        Builder::new().name("supervisor".into()).stack_size(STACK).spawn(move || watch.run()).map(drop)
    }

    fn tell(&self, lines: &str) {
        let Some(socket) = &self.0 else { return };
        if let Err(problem) = socket.send(lines.as_bytes()) {
            log::warn!("cannot tell the service manager: {problem}");
        }
    }
}

fn open(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    match name.as_bytes().split_first() {
        #[cfg(target_os = "linux")]
        Some((b'@', name)) => {
            use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
            socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        }
        Some((b'/', _)) => socket.connect(name)?,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name")),
    }
    Ok(socket)
}

/// How often the manager wants to hear that all is well.
fn watchdog_span() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().ok());
    let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == Some(std::process::id().into()));
    let micros = number("WATCHDOG_USEC").flatten().filter(|micros| for_us && *micros > 0)?;
    Some(Duration::from_micros(micros))
}

struct Watch {
    supervisor: Supervisor,
    monitor: Monitor,
    span: Duration,
}

impl Watch {
    fn run(&self) {
        let mut was_well = true;
        loop {
            let silent = self.silent();
            if silent.is_empty() {
                self.supervisor.tell("WATCHDOG=1");
            } else if was_well {
                let silent = silent.join(" and ");
                log::error!(
                    "nothing was heard of the {silent} for {:?}: the service manager is told nothing either",
                    self.span
                );
            }
            was_well = silent.is_empty();
            sleep(self.span / 2);
        }
    }

    /// The threads that have not been heard of for as long as the manager would wait.
    fn silent(&self) -> Vec<&'static str> {
        let Monitor { acceptor, watchdog, .. } = &self.monitor;
        let now = self.monitor.now();
        [("acceptor", acceptor), ("watchdog", watchdog)]
            .into_iter()
            .filter(|(_, heart)| heart.since_last(now) >= self.span)
            .map(|(name, _)| name)
            .collect()
    }
}
