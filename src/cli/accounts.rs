//! Who may log in to the built-in application, and the command that makes a line of the file in which that stands.

use super::{Failure, check};
use crate::clock::Clock;
use crate::guard::auth::{Accounts, Login, Secret, hash_password};
use crate::sync::{Arc, Builder, Mutex};
use log::warn;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// The user there is when nobody says who there is.
const DEMO: &str = "demo";
/// Characters of its password: 132 random bits.
const DEMO_PASSWORD: usize = 22;
/// Bytes of a password that is read from standard input.
const MAX_PASSWORD: u64 = 1024;

/// The accounts of a file.
pub(super) fn load(path: &Path) -> Result<Accounts, Failure> {
    let accounts = Accounts::load(path).map_err(|error| Failure::start(format!("--users: {error}")))?;
    if let Some(warning) = check::readable_by_others(path) {
        warn!("--users: {warning}");
    }
    Ok(accounts)
}

/// Who may log in now, with all that is known of who has tried before.
pub(super) fn login(accounts: Arc<Accounts>, before: Option<&Login>) -> Arc<Login> {
    Arc::new(match before {
        Some(before) => before.renewed(accounts),
        None => Login::new(accounts, Clock::system()),
    })
}

/// A user whose password is made up, and told in the line that comes with it.
pub(super) fn demo() -> Result<(Accounts, String), Failure> {
    let secret = Secret::generate()?;
    let password = secret.as_str().get(..DEMO_PASSWORD).unwrap_or(secret.as_str());
    let accounts = Accounts::one_secret(DEMO, password.as_bytes())?;
    let line = format!("  user {DEMO}, for this run with the password {password}; others: --users FILE");
    Ok((accounts, line))
}

/// Reads a password from standard input, up to the end of its first line, and prints its hash.
pub(super) fn hash() -> Result<(), Failure> {
    let password = read_password()?;
    if password.is_empty() {
        return Err(Failure::usage("no password on standard input; write it there, in one line"));
    }
    let hash = hash_password(password.as_bytes())?;
    writeln!(io::stdout(), "{hash}")
        .map_err(|error| Failure::start(format!("cannot print the hash: {error}")))
}

fn read_password() -> Result<Zeroizing<String>, Failure> {
    let silence = Silence::begin();
    let mut text = Zeroizing::new(String::new());
    let mut input = io::stdin().lock().take(MAX_PASSWORD + 2);
    let read =
        if silence.is_some() { read_line(&mut input, &mut text) } else { input.read_to_string(&mut text) };
    drop(silence);
    read.map_err(|error| Failure::start(format!("cannot read the password: {error}")))?;
    let line = text.lines().next().unwrap_or_default();
    if line.len() as u64 > MAX_PASSWORD {
        return Err(Failure::usage("a password of more than 1024 bytes"));
    }
    if text.trim_end_matches(['\r', '\n']).len() > line.len() {
        return Err(Failure::usage("more than one line on standard input; a password is one"));
    }
    Ok(line.to_owned().into())
}

/// A terminal gives no end of file; a line is all.
fn read_line(input: &mut impl io::Read, text: &mut String) -> io::Result<usize> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut byte = [0];
    while input.read(&mut byte)? == 1 && byte != *b"\n" {
        bytes.push(byte[0]);
    }
    text.push_str(std::str::from_utf8(&bytes).map_err(|_| io::ErrorKind::InvalidData)?);
    Ok(text.len())
}

/// A terminal that does not show what is typed, until this is dropped or a signal ends or stops the program.
struct Silence {
    before: Termios,
    /// Whether it is still wanted.
    wanted: Arc<Mutex<bool>>,
}

impl Silence {
    fn begin() -> Option<Self> {
        let input = io::stdin();
        if !input.is_terminal() {
            return None;
        }
        let before = tcgetattr(&input).ok()?;
        let wanted = Arc::new(Mutex::new(true));
        heed_signals(before.clone(), wanted.clone()).ok()?;
        ask(&before);
        Some(Silence { before, wanted })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let mut wanted = self.wanted.lock();
        *wanted = false;
        show_again(&self.before);
    }
}

fn ask(before: &Termios) {
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &silent);
    // Not before: what is typed at the sight of it would be shown, and thrown away.
    let _ = io::stderr().write_all(b"Password: ");
}

/// What was typed of a line is thrown away, so that nobody else reads it.
fn show_again(before: &Termios) {
    let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
    let _ = io::stderr().write_all(b"\n");
}

/// From here on signals do what they do, with a terminal as it was `before`.
fn heed_signals(before: Termios, wanted: Arc<Mutex<bool>>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT])?;
    let listen = move || {
        for signal in signals.forever() {
            let wanted = wanted.lock();
            match signal {
                SIGCONT if *wanted => ask(&before),
                SIGCONT => {}
                _ => {
                    if *wanted {
                        show_again(&before);
                    }
                    let _ = emulate_default_handler(signal);
                }
            }
        }
    };
    Builder::new().name("signals".into()).spawn(listen).map(drop)
}
