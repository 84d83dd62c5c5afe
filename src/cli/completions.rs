//! What shells need to complete arguments.

use super::Failure;
use super::command::{Detail, command};
use super::options::{Kind, table};
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
    let script = String::from_utf8(script).map_err(|_| Failure::start("the completions are not UTF-8"))?;
    Ok(match shell {
        Shell::Bash => bash(script),
        Shell::Zsh => zsh(script),
        Shell::Fish => fish(script),
        _ => script,
    })
}

/// The options whose value stands in the same word or not at all, which the generator does not know.
fn switches() -> impl Iterator<Item = &'static str> {
    table().filter(|entry| entry.kind == Kind::Switch).map(|entry| entry.name)
}

/// Leaves out what the word behind a switch would be completed with.
fn bash(mut script: String) -> String {
    const END: &str = "                    ;;\n";
    for name in switches() {
        let start = format!("                --{name})\n");
        while let Some(at) = script.find(&start) {
            let Some(length) = script[at..].find(END) else { break };
            script.replace_range(at..at + length + END.len(), "");
        }
    }
    script
}

fn zsh(script: String) -> String {
    switches().fold(script, |script, name| script.replace(&format!("'--{name}=["), &format!("'--{name}=-[")))
}

fn fish(mut script: String) -> String {
    for name in switches() {
        // In the list of all options, and where its words are.
        script = script.replacen(&format!(" {name}= "), &format!(" '{name}=?' "), 1);
        let lines = script.lines().map(|line| {
            let is_of_it = line.contains(&format!(" -l {name} "));
            (if is_of_it { line.replace(" -r -f -a ", " -f -a ") } else { line.to_owned() }) + "\n"
        });
        script = lines.collect();
    }
    // An option that waits for its value is not there to be understood yet.
    let understood = "    argparse -s (__fish_selvedge_global_optspecs) -- $cmd 2>/dev/null\n";
    let or_with_one = "    or argparse -s (__fish_selvedge_global_optspecs) -- $cmd x 2>/dev/null\n";
    script = script.replace(understood, &format!("{understood}{or_with_one}"));
    let shells = SHELLS.map(|(name, _)| name).join(" ");
    script
        + &format!(
            "complete -c selvedge -n \"__fish_selvedge_using_subcommand completions\" -f -a \"{shells}\"\n"
        )
}
