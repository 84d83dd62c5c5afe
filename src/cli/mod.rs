//! The command line: from arguments to an exit code.
//!
//! [`run`] reads top-down as the program's life does: settings, log, server, banner, then a wait for the signal that
//! ends it. The exit codes are 0 for a clean end, 1 for a server that cannot start, 2 for a command line or an
//! environment that cannot be followed, and 3 when connections were cut.

mod accounts;
mod admin;
mod banner;
mod command;
mod descriptors;
mod log;
mod options;
#[cfg(feature = "self-signed")]
mod self_signed;
mod signals;
#[cfg(feature = "tls-rustls")]
mod tls;
#[cfg(not(feature = "tls-rustls"))]
#[path = "no_tls.rs"]
mod tls;
mod top;
mod verbs;

use self::command::Call;
use self::log::Logs;
use self::options::Options;
use self::verbs::Run;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::guard::Csrf;
use crate::monitor::{AlertCommand, Monitor};
use crate::net::Tls;
use crate::record::Escaped;
use crate::server::{Builder, Server};
use crate::service::{HttpsOnly, Router, article, with_accounts};
use crate::sync::Arc;
use ::log::{info, warn};
use http::header::STRICT_TRANSPORT_SECURITY;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// The server cannot start.
const START: u8 = 1;
/// The arguments or the environment cannot be followed.
const USAGE: u8 = 2;
/// Connections were cut: the drain deadline came first, or a second signal did.
const CUT: u8 = 3;

/// The program: serves until a signal ends it, and says on standard error what went wrong, in one line.
pub fn run() -> ExitCode {
    serve().unwrap_or_else(|failure| {
        say(format_args!("selvedge: {}", Escaped(&failure.message)));
        ExitCode::from(failure.code)
    })
}

fn serve() -> Result<ExitCode, Failure> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| options::is_ours(name))
        .collect();
    let options = match command::parse(std::env::args_os())? {
        Call::Serve(flags) => Options::load(&flags, &environment)?,
        Call::Print(text) => {
            let _ = io::stdout().write_all(text.as_bytes());
            return Ok(ExitCode::SUCCESS);
        }
        Call::Run(verb, flags, own) => {
            return match verb.run {
                Run::Alone(run) => run(&own),
                Run::Configured(run) => run(Options::load(&flags, &environment)?, &own),
            };
        }
    };
    let logs = Logs::start(&options)?;
    let ended = serve_logged(options, &logs);
    // Before anything is said of a failure: what led to it comes first.
    logs.end();
    ended
}

fn serve_logged(options: Options, logs: &Logs) -> Result<ExitCode, Failure> {
    let secured = tls::load(&options)?;
    let mut headers = options.security_headers();
    if secured.provisional {
        // A browser that was told to insist on HTTPS gives nobody the choice to trust the certificate all the same.
        headers = headers.without(&STRICT_TRANSPORT_SECURITY);
    }
    let redirect = options.redirect_http.clone();
    let config = options.config;
    if !options.unknown.is_empty() {
        warn!("no setting has the name of these variables: {}", options.unknown.join(", "));
    }

    let alert_command = options.alert_command.map(AlertCommand::new).transpose().map_err(Error::Threads)?;
    // Listened for before there is a server, so that a signal during the start is not lost.
    let signals = signals::listen(logs.clone(), alert_command.clone())?;
    let shortage = descriptors::raise(&config);
    let (login, demo) = accounts::login(options.users.as_deref())?;
    let sessions = accounts::sessions(options.insecure_cookies);
    let application =
        |monitor: &Monitor| with_accounts(article::application(monitor), Arc::new(login), &sessions);
    let mut builder = Server::builder()
        .security_headers(headers)
        .guard(sessions.clone())
        .guard(Csrf::new(sessions.clone()));
    if let Some(log) = logs.access.clone() {
        builder = builder.access_log(log);
    }
    if let Some(command) = alert_command.clone() {
        builder = builder.alert_sink(command);
    }
    let server = start(config.clone(), builder, secured.tls.as_ref(), redirect, application)?;
    // Dropped after the last answer: how a shutdown goes on can be watched.
    let admin = admin::start(&server, options.admin.as_deref(), options.admin_token_file.as_deref(), logs)?;
    signals.tell_threads_of(&server);
    let listening: Vec<_> = server.addresses().iter().map(|at| (at.to_string(), at.is_local())).collect();
    logs.say(&banner::text(&config, &listening, shortage));
    for address in admin.iter().flat_map(Server::addresses) {
        logs.say(&banner::admin(address));
    }
    // Not into the log: that is kept.
    for line in [secured.line, demo].into_iter().flatten() {
        logs.say(&line);
    }

    let reason = signals.wait();
    info!("{reason}: finishing requests for at most {}", banner::value(&config, "drain-timeout"));
    let report = server.shutdown(config.drain_timeout);
    info!("{report}");
    if let Some(command) = alert_command {
        command.end();
    }
    Ok(if report.cut.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CUT) })
}

/// The built-in application behind the limits of `config`.
fn start(
    config: Config,
    mut builder: Builder,
    tls: Option<&Tls>,
    redirect: Option<String>,
    application: impl FnOnce(&Monitor) -> Router,
) -> Result<Server, Error> {
    let monitor = Monitor::new(Clock::system());
    let application = application(&monitor);
    let mut port = None;
    for address in &config.bind {
        let listener = tls::listen(address, tls)?;
        port = port.or(listener.address().tcp().map(|address| address.port()));
        builder = builder.listener(listener);
    }
    builder = builder.monitor(monitor).config(config);
    match redirect {
        Some(address) => builder.bind(&address)?.serve(HttpsOnly::new(port.unwrap_or(443), application)),
        None => builder.serve(application),
    }
}

/// Why the program ends before it has served: one line for the operator, and the exit code.
#[derive(Debug)]
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn start(message: impl Into<String>) -> Self {
        Failure { code: START, message: message.into() }
    }

    fn usage(message: impl Into<String>) -> Self {
        Failure { code: USAGE, message: message.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Address { .. } | Error::Setting { .. } => Failure::usage(error.to_string()),
            _ => Failure::start(error.to_string()),
        }
    }
}

/// Writes a line to standard error in one piece. A closed one is no reason to stop serving.
fn say(line: impl Display) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
