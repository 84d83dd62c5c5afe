//! The command line, made from the tables of options and commands.

use super::Failure;
use super::options::{Entry, Flags, Kind, Options, table};
use super::verbs::{Run, VERBS, Verb};
use clap::builder::{OsStringValueParser, PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::{OsStr, OsString};

/// What the program was asked to do.
pub(super) enum Call {
    /// Serve.
    Serve(Flags),
    /// Run a command.
    Run(&'static Verb, Flags, ArgMatches),
    /// Print this, the help or the version, and be done.
    Print(String),
}

/// Reads arguments, the program's own name first.
pub(super) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Call, Failure> {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if error.exit_code() == 0 => return Ok(Call::Print(error.render().to_string())),
        Err(error) => return Err(usage(&error)),
    };
    let mut flags = flags(&matches);
    let Some((name, own)) = matches.subcommand() else { return Ok(Call::Serve(flags)) };
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else { return Ok(Call::Serve(flags)) };
    match verb.run {
        // What stands behind the command counts more than what stands before it.
        Run::Configured(_) => flags.0.extend(self::flags(own).0),
        Run::Alone(_) => {
            if let Some((flag, _)) = flags.0.first() {
                return Err(Failure::usage(format!(
                    "{name} takes no --{flag}; see 'selvedge {name} --help'"
                )));
            }
        }
    }
    Ok(Call::Run(verb, flags, own.clone()))
}

fn flags(matches: &ArgMatches) -> Flags {
    let given = table().filter_map(|entry| {
        let values = matches.get_many::<OsString>(entry.name)?;
        Some((entry.name, values.cloned().collect()))
    });
    Flags(given.collect())
}

/// The whole command line.
fn command() -> Command {
    let commands = VERBS.iter().map(|verb| {
        let command = (verb.arguments)(Command::new(verb.name).about(verb.about));
        match verb.run {
            Run::Configured(_) => with_options(command),
            Run::Alone(_) => command,
        }
    });
    with_options(Command::new("selvedge"))
        .bin_name("selvedge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A hardened HTTP/1.1 server on plain threads: serves the built-in application")
        .after_help(AFTER_HELP)
        .subcommands(commands)
        .disable_help_subcommand(true)
}

fn with_options(command: Command) -> Command {
    let defaults = Options::default();
    command.args(table().map(|entry| argument(&entry, &defaults)))
}

fn argument(entry: &Entry, defaults: &Options) -> Arg {
    let default: Vec<_> = entry.show(defaults).iter().map(|value| value.display().to_string()).collect();
    let help = match &*default.join(", ") {
        "" => entry.help.to_owned(),
        default => format!("{} [{default}]", entry.help),
    };
    let argument = Arg::new(entry.name)
        .long(entry.name)
        .short(entry.short)
        .value_name(entry.value_name)
        .value_parser(Texts(entry.words.clone()))
        .value_hint(entry.hint)
        .hide_possible_values(true)
        .allow_negative_numbers(true)
        .help_heading(entry.heading)
        .help(help);
    match entry.kind {
        Kind::Single => argument,
        Kind::List(_) => argument.action(ArgAction::Append),
        Kind::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("on"),
    }
}

/// Takes any text: what is wrong with one is said by the option itself, wherever it comes from. The words that are
/// right are for completions.
#[derive(Clone)]
struct Texts(Vec<&'static str>);

impl TypedValueParser for Texts {
    type Value = OsString;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OsString, clap::Error> {
        OsStringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        if self.0.is_empty() {
            return None;
        }
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

const AFTER_HELP: &str = "\
Defaults are in brackets. SIZE is written 512, 256KiB, 1MiB, 1GiB; TIME 500ms, 10s, 2m, 1h.
Each flag is also a variable: --max-body is SELVEDGE_MAX_BODY, and the flag is the stronger.
SELVEDGE_BIND and its like take several values, with commas between them; SELVEDGE_HEADER takes one.
SIGUSR1 opens the log files again, after they have been moved away.
SIGUSR2 logs what every thread is doing.
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
