//! The command line, made from the tables of options and commands.

use super::Failure;
use super::options::{Entry, Flags, Kind, Options, PATH, entry, joined, table};
use super::verbs::{Run, VERBS, Verb};
use clap::builder::{OsStringValueParser, PossibleValue, StyledStr, TypedValueParser};
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What the program was asked to do.
pub(super) enum Call {
    /// Serve.
    Serve(Flags),
    /// Run a command.
    Run(&'static Verb, Flags, ArgMatches),
    /// Print this, the help or the version, and be done.
    Print(StyledStr),
}

/// How much of the help is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What most people need.
    Some,
    /// Every option, under headings.
    All,
}

/// The flag for the file of options.
const CONFIG: &str = "config";

/// The options most people need, which are what `-h` shows.
const COMMON: &[&str] = &[
    PATH,
    "listing",
    "spa",
    "bind",
    "tls-cert",
    "tls-key",
    "header",
    "trusted-proxy",
    "client-ip-from",
    "users",
    "admin",
    "log-file",
    "access-log",
    "max-connections",
    "rate-limit",
    "max-body",
];

/// Reads arguments, the program's own name first.
pub(super) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Call, Failure> {
    let arguments: Vec<_> = arguments.collect();
    let detail =
        if arguments.iter().any(|argument| argument == "--help") { Detail::All } else { Detail::Some };
    let matches = match command(detail).try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if error.exit_code() == 0 => return Ok(Call::Print(error.render())),
        Err(error) => return Err(usage(&error, &arguments)),
    };
    let mut flags = flags(&matches);
    let Some((name, own)) = matches.subcommand() else { return Ok(Call::Serve(flags)) };
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else { return Ok(Call::Serve(flags)) };
    match verb.run {
        // What stands behind the command counts more than what stands before it.
        Run::Configured(_) => {
            let after = self::flags(own);
            flags.config = after.config.or(flags.config);
            flags.given.extend(after.given);
        }
        Run::Alone(_) => {
            let config = flags.config.map(|_| CONFIG);
            if let Some(given) = flags.given.first().map(|(name, _)| *name).or(config) {
                let given = if given == PATH { "PATH".to_owned() } else { format!("--{given}") };
                return Err(Failure::usage(format!("{name} takes no {given}; see 'selvedge {name} --help'")));
            }
            flags = Flags::default();
        }
    }
    Ok(Call::Run(verb, flags, own.clone()))
}

fn flags(matches: &ArgMatches) -> Flags {
    let given = table().filter(Entry::has_flag).filter_map(|entry| {
        let values = matches.get_many::<OsString>(entry.name)?;
        Some((entry.name, values.cloned().collect()))
    });
    Flags { config: matches.get_one::<OsString>(CONFIG).map(PathBuf::from), given: given.collect() }
}

/// The whole command line.
pub(super) fn command(detail: Detail) -> Command {
    let commands = VERBS.iter().map(|verb| {
        let command = (verb.arguments)(Command::new(verb.name).about(verb.about));
        match verb.run {
            Run::Configured(_) => with_options(command, detail),
            Run::Alone(_) => command.arg(help("Print this")),
        }
    });
    let more = if detail == Detail::All { ALL_IS_SHOWN } else { SOME_IS_SHOWN };
    with_options(Command::new("selvedge"), detail)
        .bin_name("selvedge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A hardened HTTP/1.1 server on plain threads: serves a directory, or its built-in application")
        .override_usage("selvedge [OPTIONS] [PATH]\n       selvedge [OPTIONS] <COMMAND>")
        .after_help(more)
        .subcommands(commands)
        .subcommand_value_name("COMMAND")
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version"),
        )
}

fn with_options(command: Command, detail: Detail) -> Command {
    let config = Arg::new(CONFIG)
        .short('c')
        .long(CONFIG)
        .value_name("FILE")
        .value_parser(OsStringValueParser::new())
        .value_hint(ValueHint::FilePath)
        .help("Read options from a TOML file; its keys are the names of the flags");
    let about_help = match detail {
        Detail::All => "Print this; -h prints less",
        Detail::Some => "Print this; --help prints all",
    };
    let (defaults, for_path) = (Options::default(), Options::default_for_path());
    let arguments = table().filter(Entry::has_flag).map(|entry| {
        let argument = argument(&entry, [&defaults, &for_path]);
        match detail {
            Detail::All => argument,
            Detail::Some => argument.help_heading(None).hide(!COMMON.contains(&entry.name)),
        }
    });
    command.arg(config).args(arguments).arg(help(about_help))
}

/// One rendering for both flags: clap's long one puts every option on several lines.
fn help(about: &'static str) -> Arg {
    Arg::new("help").short('h').long("help").action(ArgAction::HelpShort).help(about)
}

fn argument(entry: &Entry, defaults: [&Options; 2]) -> Arg {
    let argument = Arg::new(entry.name).value_parser(Texts(entry.words.clone())).value_hint(entry.hint);
    if entry.name == PATH {
        return argument.value_name("PATH").help(entry.help);
    }
    let [plain, for_path] = defaults.map(|defaults| joined(&entry.show(defaults)));
    let help = match &*plain {
        "" => entry.help.to_owned(),
        default if plain == for_path => format!("{} [{default}]", entry.help),
        default => format!("{} [{default}, PATH {for_path}]", entry.help),
    };
    let argument = argument
        .long(entry.name)
        .short(entry.short)
        .value_name(entry.value_name)
        .hide_possible_values(true)
        .allow_negative_numbers(true)
        .help_heading(entry.heading)
        .help(help);
    match entry.kind {
        Kind::List(_) => argument.action(ArgAction::Append),
        Kind::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("on"),
        Kind::Single | Kind::Tables(_) => argument,
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

const SOME_IS_SHOWN: &str = "\
Defaults are in brackets. All options: selvedge --help. The manual: selvedge man | man -l -
";

const ALL_IS_SHOWN: &str = "\
Defaults are in brackets. SIZE is written 512, 256KiB, 1MiB, 1GiB; TIME 500ms, 10s, 2m, 1h.
A flag is stronger than a variable, and a variable than the file: --max-body 4MiB on the command
line is SELVEDGE_MAX_BODY=4MiB in the environment and max-body = \"4MiB\" in the file.
The manual has signals, exit statuses, files and examples: selvedge man | man -l -
";

/// What clap found wrong, in one line that says what to do.
fn usage(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let context = |kind| error.get(kind).map(ToString::to_string);
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let problem = match error.kind() {
        ErrorKind::UnknownArgument => format!("unexpected argument '{argument}'"),
        ErrorKind::MissingRequiredArgument => format!("missing argument: {argument}"),
        _ => {
            let text = error.render().to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    };
    let hint = match (context(ContextKind::SuggestedArg), context(ContextKind::ValidValue)) {
        (Some(flag), _) => format!("; a similar one is '{flag}'"),
        (_, Some(values)) if !values.is_empty() => format!("; permitted: {values}"),
        _ if error.kind() == ErrorKind::UnknownArgument => match apart(arguments) {
            Some(together) => format!("; a switch takes its value as {together}"),
            None => String::new(),
        },
        _ => String::new(),
    };
    Failure::usage(format!("{problem}{hint}; see 'selvedge --help'"))
}

/// A switch with its value in the argument behind it, where it is taken for another: how both are written.
fn apart(arguments: &[OsString]) -> Option<String> {
    let pairs = arguments.windows(2).filter_map(|pair| Some((pair[0].to_str()?, pair[1].to_str()?)));
    let mut switched = pairs.filter(|(flag, value)| {
        let switch = flag.strip_prefix("--").and_then(entry);
        switch.is_some_and(|entry| entry.kind == Kind::Switch && entry.words.contains(value))
    });
    switched.next().map(|(flag, value)| format!("{flag}={value}"))
}
