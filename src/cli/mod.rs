//! The command line: from arguments to an exit code.
//!
//! [`run`] reads top-down as the program's life does: settings, log, server, banner, then a wait for the signal that
//! ends it. The exit codes are 0 for a clean end, 1 for a server that cannot start, 2 for a command line or an
//! environment that cannot be followed, and 3 when connections were cut.

mod accounts;
mod admin;
mod banner;
mod check;
mod colour;
mod command;
mod completions;
mod descriptors;
mod holder;
mod listeners;
mod log;
mod manual;
mod one_heap;
mod options;
mod print_config;
mod probe;
mod reload;
mod sandbox;
#[cfg(feature = "self-signed")]
mod self_signed;
mod serving;
mod signals;
mod site;
mod supervisor;
#[cfg(feature = "tls-rustls")]
mod tls;
#[cfg(not(feature = "tls-rustls"))]
#[path = "no_tls.rs"]
mod tls;
mod top;
mod verbs;

use self::command::Call;
use self::listeners::Listeners;
use self::log::Logs;
use self::options::{Environment, Options};
use self::reload::Reload;
use self::sandbox::Grants;
use self::serving::Serving;
use self::signals::Wish;
use self::supervisor::Supervisor;
use self::verbs::Run;
use crate::error::Error;
use crate::monitor::AlertCommand;
use crate::record::Escaped;
use ::log::{info, warn};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

/// The server cannot start.
const START: u8 = 1;
/// The arguments or the environment cannot be followed.
const USAGE: u8 = 2;
/// Connections were cut: the drain deadline came first, or a second signal did.
const CUT: u8 = 3;

/// The program: serves until a signal ends it, and says on standard error what went wrong, in a line each.
pub fn run() -> ExitCode {
    serve().unwrap_or_else(|failure| {
        failure.messages.iter().for_each(|message| say(format_args!("selvedge: {}", Escaped(message))));
        ExitCode::from(failure.code)
    })
}

/// What `print-config` makes of a file that holds these bytes, or what is wrong with them. Hidden: only the fuzzer, which
/// cannot start a program for each of a million files, calls it.
#[doc(hidden)]
pub fn config_of(bytes: &[u8]) -> Result<String, Vec<String>> {
    let text = Options::of_file(bytes).and_then(|options| print_config::text(&options));
    text.map_err(|failure| failure.messages)
}

fn serve() -> Result<ExitCode, Failure> {
    let environment = Environment::new(std::env::vars_os());
    let flags = match command::parse(std::env::args_os())? {
        Call::Serve(flags) => flags,
        Call::Print(text) => {
            let text =
                if colour::is_wanted(&io::stdout()) { text.ansi().to_string() } else { text.to_string() };
            return print(&text);
        }
        Call::Run(verb, flags, own) => {
            return match verb.run {
                Run::Alone(run) => run(&own),
                Run::Configured(run) => run(Options::load(&flags, &environment)?, &own),
            };
        }
    };
    // Before anything is read that can be read only once.
    one_heap::keep_to_one_heap();
    let options = Options::load(&flags, &environment)?;
    let reload = Reload::new(flags, environment, options.clone());
    let mut outside = Outside::of(&options)?;
    // From here on there are other threads, and all of them are in it.
    let sandbox = sandbox::enter(options.sandbox, &Grants::of(&options, &outside.listeners))?;
    let logs = Logs::start(&options)?;
    outside.log_files.clear();
    let ended = serve_logged(&options, reload, outside, &sandbox.report, &logs);
    // Before anything is said of a failure: what led to it comes first.
    logs.end();
    ended
}

/// What has to be there before the sandbox.
struct Outside {
    /// Held until the logs have started.
    log_files: Vec<File>,
    supervisor: Result<Supervisor, String>,
    listeners: Listeners,
    alert_command: Option<AlertCommand>,
}

impl Outside {
    fn of(options: &Options) -> Result<Self, Failure> {
        // A slip in the name of a command is not to be taken for a port that is in use.
        options.path.as_deref().map_or(Ok(()), site::exists)?;
        let log_files = log::hold(options)?;
        descriptors::keep_to_ourselves();
        let supervisor = Supervisor::from_environment();
        let listeners = Listeners::open(options)?;
        let alert_command = options.alert_command.clone().map(AlertCommand::new);
        let alert_command = alert_command.transpose().map_err(Error::Threads)?;
        Ok(Outside { log_files, supervisor, listeners, alert_command })
    }
}

fn serve_logged(
    options: &Options,
    mut reload: Reload,
    outside: Outside,
    sandbox: &str,
    logs: &Logs,
) -> Result<ExitCode, Failure> {
    let Outside { supervisor, mut listeners, alert_command, .. } = outside;
    let config = &options.config;
    if !options.unknown.is_empty() {
        warn!("no setting has the name of these variables: {}", options.unknown.join(", "));
    }

    let supervisor = supervisor.unwrap_or_else(|problem| {
        warn!("{problem}");
        Supervisor::default()
    });
    if let Some(left) = listeners::unused(options) {
        warn!("{left}");
    }
    // Listened for before there is a server, so that a signal during the start is not lost.
    let signals = signals::listen(logs.clone(), alert_command.clone())?;
    let shortage = descriptors::raise(config, &listeners);
    let admin = listeners.admin.take();
    let (serving, lines) = Serving::start(options, listeners, logs, alert_command.as_ref())?;
    // Dropped after the last answer: how a shutdown goes on can be watched.
    let admin = admin::start(&serving.server, options, admin, logs)?;
    signals.tell_threads_of(&serving.server);
    logs.say(&banner::text(options, serving.server.addresses(), shortage));
    for address in admin.iter().flat_map(admin::Watch::addresses) {
        logs.say(&banner::admin(address));
    }
    // Not into the log: that is kept.
    for line in lines {
        logs.say(&line);
    }

    info!("sandbox: {sandbox}");
    supervisor.watch(serving.server.monitor().clone()).map_err(Error::Threads)?;
    let status = banner::status(serving.server.addresses());
    supervisor.ready(&status);
    let reason = loop {
        match signals.wait() {
            Wish::Reload => supervisor.reloading(&status, || reload.again(&serving, admin.as_ref())),
            Wish::End(reason) => break reason,
        }
    };
    let patience = reload.current().config.drain_timeout;
    let what = format!("{reason}: finishing requests for at most {patience:?}");
    supervisor.stopping(&what, patience);
    info!("{what}");
    let report = serving.server.shutdown(patience);
    // Its lines are several, and a record is one.
    report.to_string().lines().for_each(|line| info!("{}", line.trim_start()));
    if let Some(command) = alert_command {
        command.end();
    }
    Ok(if report.cut.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CUT) })
}

/// Why the program ends before it has served: lines for the operator, and the exit code.
#[derive(Debug)]
struct Failure {
    code: u8,
    messages: Vec<String>,
}

impl Failure {
    fn start(message: impl Into<String>) -> Self {
        Failure::start_all(vec![message.into()])
    }

    fn start_all(messages: Vec<String>) -> Self {
        Failure { code: START, messages }
    }

    fn usage(message: impl Into<String>) -> Self {
        Failure { code: USAGE, messages: vec![message.into()] }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Address { .. } | Error::Setting { .. } => Failure::usage(error.to_string()),
            Error::Bind { ref address, ref source } if source.kind() == io::ErrorKind::AddrInUse => {
                let holder = holder::of(address).map(|holder| format!(" (it is {holder})"));
                Failure::start(format!("{error}{}", holder.unwrap_or_default()))
            }
            _ => Failure::start(error.to_string()),
        }
    }
}

/// Writes a text to standard output. Whoever reads may stop when he has read enough.
fn print(text: &str) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::start(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Writes a line to standard error in one piece. A closed one is no reason to stop serving.
fn say(line: impl Display) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
