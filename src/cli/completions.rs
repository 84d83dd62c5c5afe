//! What shells need to complete arguments.

use super::Failure;
use super::command::{Detail, command};
use clap::{Arg, ArgMatches, Command};
use clap_complete::{Shell, generate};

/// Shells whose completions are seen to work.
const SHELLS: [(&str, Shell); 3] = [("bash", Shell::Bash), ("zsh", Shell::Zsh), ("fish", Shell::Fish)];

/// The argument that names the shell.
pub(super) fn argument(command: Command) -> Command {
    let shell =
        Arg::new("shell").value_name("SHELL").required(true).value_parser(SHELLS.map(|(name, _)| name));
    command.arg(shell.hide_possible_values(true).help("bash, zsh or fish"))
}

/// The script for the shell that was named.
pub(super) fn text(own: &ArgMatches) -> Result<String, Failure> {
    let named = own.get_one::<String>("shell").map_or("", String::as_str);
    let shell = SHELLS.iter().find(|(name, _)| *name == named).map_or(Shell::Bash, |(_, shell)| *shell);
    let mut script = Vec::new();
    generate(shell, &mut command(Detail::All), "selvedge", &mut script);
    String::from_utf8(script).map_err(|_| Failure::start("the completions are not UTF-8"))
}
