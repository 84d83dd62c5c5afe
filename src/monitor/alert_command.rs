//! A program that is told of alerts.
//!
//! It is run directly, never by a shell, so nothing in an alert can be a command; it gets the alert as JSON on its
//! standard input, so nothing in an alert can be an argument either. One runs at a time, on a thread of its own, behind
//! a bounded queue, and one that does not end is killed with all it has started. So a broken program costs alerts, and
//! nothing else.

use super::alerts::{Alert, AlertSink};
use crate::clock::Clock;
use crate::sync::{Arc, AtomicU64, Builder, Mutex, Ordering, Receiver, Sender, bounded, sleep};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Alerts that wait for the program, at most.
const QUEUE: usize = 64;
/// How long the program may run.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(10);
/// What a service manager has told this process alone.
const NOT_FOR_OTHERS: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
/// Address space for the thread's stack.
const STACK: usize = 128 << 10;

/// Runs a program for each alert: an [`AlertSink`].
///
/// The alert comes as one line of JSON on its standard input; what it prints is thrown away. What it starts in its turn and does
/// not wait for is left to process 1, as always. Where that is the server itself, in a container, it needs `--init`: another's
/// children are not waited for here.
#[derive(Clone, Debug)]
pub struct AlertCommand(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    queue: Sender<Alert>,
    running: Arc<Running>,
    dropped: Arc<AtomicU64>,
}

/// What is running, for who ends it.
#[derive(Debug, Default)]
struct Running {
    /// Written by the thread that runs it, which holds the lock for as long as a program takes to start: who ends it all
    /// waits for that, and nobody else is here.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The process group of the program, as long as it has not been waited for.
    group: Option<Pid>,
    /// No other is started.
    over: bool,
}

impl AlertCommand {
    /// Starts the thread that will run `program`: a path, or a name that is looked for in `PATH`.
    pub fn new(program: impl Into<OsString>) -> io::Result<Self> {
        AlertCommand::with_patience(program, PATIENCE)
    }

    /// The same, with another bound on how long a run may take than ten seconds.
    pub fn with_patience(program: impl Into<OsString>, patience: Duration) -> io::Result<Self> {
        let (queue, alerts) = bounded(QUEUE);
        let desk = Desk { queue, running: Arc::default(), dropped: Arc::new(AtomicU64::new(0)) };
        let runner = Runner {
            program: program.into(),
            patience,
            clock: Clock::system(),
            running: desk.running.clone(),
            dropped: desk.dropped.clone(),
        };
        let run = move || runner.run(&alerts);
        Builder::new().name("alert-command".into()).stack_size(STACK).spawn(run)?;
        Ok(AlertCommand(Arc::new(desk)))
    }

    /// Ends it: kills the program if it is running, so that it does not outlive its server, and starts no other.
    pub fn end(&self) {
        let mut state = self.0.running.state.lock();
        state.over = true;
        state.kill();
    }
}

impl AlertSink for AlertCommand {
    fn alert(&self, alert: &Alert) {
        if self.0.queue.try_send(alert.clone()).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Runner {
    program: OsString,
    patience: Duration,
    clock: Clock,
    running: Arc<Running>,
    dropped: Arc<AtomicU64>,
}

impl Runner {
    fn run(&self, alerts: &Receiver<Alert>) {
        while let Ok(alert) = alerts.recv() {
            let program = self.program.to_string_lossy();
            let ended = self.run_once(&alert);
            if self.running.state.lock().over {
                return;
            }
            match ended {
                Ok(Some(status)) if status.success() => {}
                Ok(Some(status)) => log::warn!("the alert command '{program}' failed: {status}"),
                Ok(None) => {
                    log::warn!("the alert command '{program}' was killed: it ran for {:?}", self.patience);
                }
                Err(problem) => log::error!("cannot run the alert command '{program}': {problem}"),
            }
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                log::warn!("{dropped} alerts did not reach the alert command: it is too slow");
            }
        }
    }

    /// Runs the program to its end, or kills it; `None` if it was killed.
    fn run_once(&self, alert: &Alert) -> io::Result<Option<ExitStatus>> {
        let mut child = {
            let mut state = self.running.state.lock();
            if state.over {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let child = self.start()?;
            state.group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            child
        };
        // A pipe takes far more than this without being read. Who does not want to read it need not.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all((alert.to_json() + "\n").as_bytes()));
        let ended = self.wait(&mut child);
        if !matches!(ended, Ok(Some(_))) {
            let mut state = self.running.state.lock();
            state.kill();
            state.group = None;
            drop(state);
            child.wait()?;
        }
        ended
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        for name in NOT_FOR_OTHERS {
            command.env_remove(name);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own: it is killed with what it has started, and not by a Ctrl-C that is meant for the server.
            .process_group(0)
            .spawn()
    }

    /// Waits for the end, looking again and again: no other way to wait so long and no longer needs no signal handler.
    fn wait(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let deadline = self.clock.now().after(self.patience);
        loop {
            // Under the lock: the group must not be killed when its number may be somebody else's already.
            let mut state = self.running.state.lock();
            let ended = child.try_wait()?;
            if ended.is_some() {
                state.group = None;
                return Ok(ended);
            }
            drop(state);
            if self.clock.now() >= deadline {
                return Ok(None);
            }
            sleep(LOOK);
        }
    }
}

impl State {
    fn kill(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
