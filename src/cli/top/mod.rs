//! `selvedge top`: the live board in a terminal.

mod client;
mod screen;
mod terminal;

use self::client::Client;
use self::screen::Screen;
use self::terminal::{Event, Terminal};
use super::Failure;
use super::options::Options;
use crate::clock::Clock;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(1);
/// Columns and rows of a snapshot that goes to no terminal.
const SNAPSHOT: (usize, usize) = (110, 40);

/// Adds the arguments of its own.
pub(super) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("once").long("once").action(ArgAction::SetTrue).help("Print what there is now, and end"),
        )
        .after_help(
            "--admin ADDR says whom to ask, with --admin-token-file if he wants one. Q or Ctrl-C ends it.",
        )
}

/// Asks the server behind `--admin`, and shows what it says.
pub(super) fn run(options: &Options, own: &ArgMatches) -> Result<ExitCode, Failure> {
    let address = options.admin.as_deref().ok_or_else(|| {
        Failure::usage("which server? give the address of its admin listener with --admin ADDR")
    })?;
    let token = options.admin_token_file.as_deref().map(super::admin::token).transpose()?;
    let address = address.strip_prefix("http://").map_or(address, |rest| rest.trim_end_matches('/'));
    let mut client = Client::new(address, token);
    if own.get_flag("once") || !io::stdout().is_terminal() {
        return once(&mut client);
    }
    watch(&mut client, address)
}

fn once(client: &mut Client) -> Result<ExitCode, Failure> {
    let mut screen = Screen::default();
    screen.update(&client.ask(0, SNAPSHOT.1)?);
    // Who closes the pipe has read enough.
    let _ = io::stdout().write_all(screen.snapshot(SNAPSHOT).as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn watch(client: &mut Client, address: &str) -> Result<ExitCode, Failure> {
    let mut screen = Screen::default();
    // What is wrong from the start is said where it stays.
    screen.update(&client.ask(0, SNAPSHOT.1)?);
    let failed = |error: io::Error| Failure::start(format!("cannot use this terminal: {error}"));
    let terminal = Terminal::enter().map_err(failed)?;
    let clock = Clock::system();
    loop {
        let size = Terminal::size();
        Terminal::show(&screen.frame(size)).map_err(failed)?;
        let due = clock.now().after(EVERY);
        loop {
            match terminal.wait(due.since(clock.now())) {
                Some(Event::Quit) => return Ok(ExitCode::SUCCESS),
                Some(Event::Resized) => {
                    Terminal::show(&screen.frame(Terminal::size())).map_err(failed)?;
                }
                None => break,
            }
        }
        match client.ask(screen.last(), size.1) {
            Ok(board) => screen.update(&board),
            Err(problem) => screen.lose(address, &problem.messages.join("; ")),
        }
    }
}
