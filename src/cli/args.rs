//! Arguments and environment, made from the table of settings.
//!
//! A setting named `max-body` is the flag `--max-body` and the variable `SELVEDGE_MAX_BODY`; the flag is the stronger
//! of the two. Both end in the same function, so they permit and refuse the same values.

use super::Failure;
use crate::config::{Config, Rate, SETTINGS};
use crate::guard::SecurityHeaders;
use crate::monitor::{LogFormat, Outlet};
use ::log::Level;
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, Command, value_parser};
use http::{HeaderName, HeaderValue};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

/// What the program was asked to do.
pub(super) enum Invocation {
    /// Serve.
    Serve(Box<Options>),
    /// Read a password and print its hash.
    HashPassword,
    /// Print this, the help or the version, and be done.
    Print(String),
}

/// Everything that can be said about how to serve.
pub(super) struct Options {
    pub(super) config: Config,
    pub(super) headers: SecurityHeaders,
    pub(super) log_file: Option<PathBuf>,
    pub(super) log_level: Level,
    /// The credentials file.
    pub(super) users: Option<PathBuf>,
    /// Whether session cookies are for plain HTTP.
    pub(super) insecure_cookies: bool,
    pub(super) log_format: LogFormat,
    pub(super) access_log: Option<Outlet>,
    pub(super) alert_command: Option<OsString>,
    /// Variables that look like settings and are none.
    pub(super) unknown: Vec<String>,
}

/// Reads arguments and environment, the program's own name first among the former.
pub(super) fn parse(
    arguments: impl Iterator<Item = OsString>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Invocation, Failure> {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if error.exit_code() == 0 => return Ok(Invocation::Print(error.render().to_string())),
        Err(error) => return Err(usage(&error)),
    };
    if matches.subcommand_name() == Some("hash-password") {
        return Ok(Invocation::HashPassword);
    }
    let mut variables: BTreeMap<String, OsString> = environment
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();

    let mut options = Options::default();
    for name in names() {
        let variable = variable(name);
        if let Some(value) = variables.remove(&variable) {
            options.set(name, split(name, value)).map_err(|problem| bad(&variable, &problem))?;
        }
    }
    for name in names() {
        if let Some(values) = matches.get_many::<OsString>(name) {
            let values = values.cloned().collect();
            options.set(name, values).map_err(|problem| bad(&format!("--{name}"), &problem))?;
        }
    }
    options.config.validate()?;
    options.unknown = variables.into_keys().collect();
    Ok(Invocation::Serve(Box::new(options)))
}

const PREFIX: &str = "SELVEDGE_";

fn variable(name: &str) -> String {
    PREFIX.to_owned() + &name.replace('-', "_").to_uppercase()
}

/// A variable holds one value, or, where a flag may be repeated, several with commas between them.
fn split(name: &str, value: OsString) -> Vec<OsString> {
    match value.to_str() {
        // A field's value may have commas of its own.
        Some(text) if LISTS.contains(&name) && name != "header" => {
            text.split(',').map(OsString::from).collect()
        }
        _ => vec![value],
    }
}

/// Flags that may be repeated.
const LISTS: [&str; 5] = ["bind", "allow-host", "trusted-proxy", "header", "no-header"];

/// Every name that is a flag and a variable.
fn names() -> impl Iterator<Item = &'static str> {
    LISTS
        .into_iter()
        .chain(["client-ip-from", "users", "insecure-cookies"])
        .chain(["log-file", "log-level", "log-format", "access-log", "alert-command"])
        .chain(SETTINGS.iter().map(|setting| setting.name))
}

impl Default for Options {
    fn default() -> Self {
        // The library leaves rate limiting to its user; the built-in application has the article's.
        let rate_limit = Some(Rate { count: 30, span: Duration::from_secs(60) });
        let throttle = Some(Rate { count: 10, span: Duration::from_secs(60) });
        let config = Config { rate_limit, throttle, ..Config::default() };
        Options {
            config,
            headers: SecurityHeaders::new(),
            log_file: None,
            log_level: Level::Info,
            users: None,
            insecure_cookies: false,
            log_format: LogFormat::Text,
            access_log: None,
            alert_command: None,
            unknown: Vec::new(),
        }
    }
}

impl Options {
    /// Takes the values given for a name: one, but for the lists, where the first takes the place of what was there
    /// before and the others join it.
    fn set(&mut self, name: &str, values: Vec<OsString>) -> Result<(), String> {
        for (index, value) in values.into_iter().enumerate() {
            if name == "log-file" {
                self.log_file = Some(value.into());
                continue;
            }
            if name == "users" {
                self.users = Some(value.into());
                continue;
            }
            if name == "access-log" {
                self.access_log = outlet(value)?;
                continue;
            }
            if name == "alert-command" {
                self.alert_command = Some(value).filter(|value| !value.is_empty());
                continue;
            }
            let value = value.into_string().map_err(|value| format!("'{}' is not UTF-8", value.display()))?;
            if name == "bind" {
                if value.is_empty() {
                    return Err("an empty address; write HOST:PORT or unix:PATH".into());
                }
                self.config.bind.truncate(index);
                self.config.bind.push(value);
            } else if name == "allow-host" {
                let without_brackets =
                    value.strip_prefix('[').map_or(&*value, |rest| rest.trim_end_matches(']'));
                if value.is_empty() || (value.contains(':') && without_brackets.parse::<Ipv6Addr>().is_err())
                {
                    return Err(format!("'{value}' is no host; write example.org or [::1], without a port"));
                }
                self.config.allow_hosts.truncate(index);
                self.config.allow_hosts.push(value);
            } else if name == "trusted-proxy" {
                self.config.trusted_proxies.truncate(index);
                self.config.trusted_proxies.push(value.parse()?);
            } else if name == "client-ip-from" {
                self.config.client_ip_from = value.parse()?;
            } else if name == "header" {
                let (name, value) = field(&value)?;
                self.headers = self.headers.clone().with(name, value);
            } else if name == "no-header" {
                let name = field_name(&value)?;
                self.headers = self.headers.clone().without(&name);
            } else if name == "log-level" {
                self.log_level = value.parse().map_err(|_| {
                    format!("'{value}' is no level; permitted: error, warn, info, debug, trace")
                })?;
            } else if name == "insecure-cookies" {
                self.insecure_cookies = match &*value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(format!("'{value}' is neither on nor off")),
                };
            } else if name == "log-format" {
                self.log_format = match &*value {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => return Err(format!("'{value}' is no format; permitted: text, json")),
                };
            } else if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
                (setting.set)(&mut self.config, &value)?;
            }
        }
        Ok(())
    }
}

fn field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("no colon; write 'Name: value'")?;
    let value =
        value.trim().parse().map_err(|_| "a character no field value can have; write 'Name: value'")?;
    Ok((field_name(name)?, value))
}

fn field_name(text: &str) -> Result<HeaderName, String> {
    text.trim().parse().map_err(|_| format!("'{text}' is no field name; write letters, digits and hyphens"))
}

/// Where an access log goes: a file, `-` for standard output, or nowhere.
fn outlet(value: OsString) -> Result<Option<Outlet>, String> {
    match value.to_str() {
        Some("off") => Ok(None),
        Some("-") => Ok(Some(Outlet::Stdout)),
        Some("") => Err("an empty name; write FILE, - for standard output, or off".into()),
        _ => Ok(Some(Outlet::File(value.into()))),
    }
}

fn bad(source: &str, problem: &str) -> Failure {
    Failure::usage(format!("bad value for {source}: {problem}"))
}

fn command() -> Command {
    let defaults = Options::default();
    let flag = |name: &'static str, value_name: &'static str, help: &str, default: &str| {
        Arg::new(name)
            .long(name)
            .value_name(value_name)
            .value_parser(value_parser!(OsString))
            .allow_negative_numbers(true)
            .help(if default.is_empty() { help.to_owned() } else { format!("{help} [{default}]") })
    };
    let bind = "Listen on HOST:PORT or unix:PATH, repeatable";
    let level = "What is logged: error, warn, info, debug or trace";
    let from = "Where they say it: peer, x-forwarded-for or forwarded";
    let guards = [
        flag("allow-host", "NAME", "Host that is served, repeatable; with any, others get 421", ""),
        flag("trusted-proxy", "CIDR", "Peers whose word on the client's address counts, repeatable", ""),
        flag("client-ip-from", "SOURCE", from, "peer"),
        flag("header", "FIELD", "'Name: value' on every response, repeatable", ""),
        flag("no-header", "NAME", "Standing field that is left out, repeatable", ""),
    ]
    .map(|argument| {
        let repeatable = LISTS.contains(&argument.get_id().as_str());
        let action = if repeatable { ArgAction::Append } else { ArgAction::Set };
        argument.action(action).help_heading("Clients and fields")
    });
    let cookies = "Session cookies for plain HTTP, where all can read them";
    let own = [
        flag("bind", "ADDR", bind, &defaults.config.bind.join(", ")).short('b').action(ArgAction::Append),
        flag("log-file", "FILE", "Append the log to FILE, besides standard error", ""),
        flag("log-level", "LEVEL", level, &defaults.log_level.as_str().to_lowercase()),
        flag("users", "FILE", "Who may log in, a line each: USER:HASH; see hash-password", "")
            .help_heading("Accounts"),
        flag("insecure-cookies", "on|off", cookies, "off")
            .help_heading("Accounts")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("on"),
        flag("log-format", "FORMAT", "How both logs are written: text or json", "text"),
        flag("access-log", "FILE|-|off", "A line for every answer, to FILE or standard output", "off"),
        flag("alert-command", "PROGRAM", "Run for each alert, with it as JSON on standard input", ""),
    ];
    let hash_password = Command::new("hash-password")
        .about("Read a password from standard input and print its hash, for a line of --users");
    let table = SETTINGS.iter().map(|setting| {
        flag(setting.name, setting.value_name, setting.help, &(setting.show)(&defaults.config))
            .help_heading(setting.group.title())
    });
    Command::new("selvedge")
        .bin_name("selvedge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A hardened HTTP/1.1 server on plain threads: serves the built-in application")
        .after_help(AFTER_HELP)
        .subcommand(hash_password)
        .disable_help_subcommand(true)
        .args_conflicts_with_subcommands(true)
        .args(own)
        .args(guards)
        .args(table)
}

const AFTER_HELP: &str = "\
Defaults are in brackets. SIZE is written 512, 256KiB, 1MiB, 1GiB; TIME 500ms, 10s, 2m, 1h.
Each flag is also a variable: --max-body is SELVEDGE_MAX_BODY, and the flag is the stronger.
SELVEDGE_BIND and its like take several values, with commas between them; SELVEDGE_HEADER takes one.
SIGUSR1 opens the log files again, after they have been moved away.
SIGTERM or Ctrl-C finishes the requests being served and ends; a second one ends at once.
Exit status: 0 clean, 1 cannot start, 2 usage, 3 connections were cut.
";

/// What clap found wrong, in one line that says what to do.
fn usage(error: &clap::Error) -> Failure {
    let context = |kind| error.get(kind).map(ToString::to_string);
    let unknown = match error.kind() {
        ErrorKind::UnknownArgument => context(ContextKind::InvalidArg),
        ErrorKind::InvalidSubcommand => context(ContextKind::InvalidSubcommand),
        _ => None,
    };
    let problem = unknown.map_or_else(
        || {
            error
                .render()
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned()
        },
        |argument| format!("unexpected argument '{argument}'"),
    );
    let hint = context(ContextKind::SuggestedArg)
        .map(|flag| format!("; a similar one is '{flag}'"))
        .unwrap_or_default();
    Failure::usage(format!("{problem}{hint}; see 'selvedge --help'"))
}
