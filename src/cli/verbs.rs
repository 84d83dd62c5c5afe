//! What the program does besides serving: a command each, and everything about it in one place.

use super::options::Options;
use super::{Failure, accounts, top};
use clap::{ArgMatches, Command};
use std::process::ExitCode;

/// A command.
pub(super) struct Verb {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Adds arguments of its own.
    pub(super) arguments: fn(Command) -> Command,
    pub(super) run: Run,
}

/// How a command is run, with the arguments of its own.
pub(super) enum Run {
    /// It has to do with serving: it takes every option too, and they are read first.
    Configured(fn(Options, &ArgMatches) -> Result<ExitCode, Failure>),
    /// It has nothing to do with serving.
    Alone(fn(&ArgMatches) -> Result<ExitCode, Failure>),
}

/// Every command, in the order in which they are shown.
pub(super) static VERBS: &[Verb] = &[
    Verb {
        name: "hash-password",
        about: "Read a password from standard input and print its hash, for a line of --users",
        arguments: |command| command,
        run: Run::Alone(|_| accounts::hash().map(|()| ExitCode::SUCCESS)),
    },
    Verb {
        name: "top",
        about: "Show the live board of the server behind --admin in this terminal",
        arguments: top::arguments,
        run: Run::Configured(|options, own| top::run(&options, own)),
    },
];
