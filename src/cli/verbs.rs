//! What the program does besides serving: a command each, and everything about it in one place.

use super::options::Options;
use super::{Failure, accounts, check, completions, manual, print_config, probe, top};
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
        name: "check",
        about: "See whether everything is there to serve with these options, without serving",
        arguments: |command| command,
        run: Run::Configured(|options, _| check::run(&options)),
    },
    Verb {
        name: "print-config",
        about: "Print all options as they are in effect, as a file for --config",
        arguments: |command| command,
        run: Run::Configured(|options, _| super::print(&print_config::text(&options)?)),
    },
    Verb {
        name: "hash-password",
        about: "Read a password from standard input and print its hash, for a line of --users",
        arguments: |command| command,
        run: Run::Alone(|_| accounts::hash().map(|()| ExitCode::SUCCESS)),
    },
    Verb {
        name: "probe",
        about: "Ask a server once; succeed if its answer is a 2xx",
        arguments: probe::arguments,
        run: Run::Alone(probe::run),
    },
    Verb {
        name: "top",
        about: "Show the live board of the server behind --admin in this terminal",
        arguments: top::arguments,
        run: Run::Configured(|options, own| top::run(&options, own)),
    },
    Verb {
        name: "completions",
        about: "Print what a shell needs to complete arguments: bash, zsh or fish",
        arguments: completions::argument,
        run: Run::Alone(|own| super::print(&completions::text(own)?)),
    },
    Verb {
        name: "man",
        about: "Print the manual page; read it with: selvedge man | man -l -",
        arguments: |command| command,
        run: Run::Alone(|_| super::print(&manual::page()?)),
    },
];
