//! The terminal: another screen for as long as this runs, and everything as it was afterwards, however it ends.

use crate::sync::{Builder, Receiver, Sender, bounded};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::{self, Read, Write};
use std::time::Duration;

/// Another screen, without a cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";
/// Where nothing is known of the terminal's size.
const USUAL: (usize, usize) = (80, 24);
/// Events that are waiting.
const QUEUE: usize = 16;

/// What somebody wants.
pub(super) enum Event {
    Quit,
    Resized,
}

/// Dropping it gives the terminal back.
pub(super) struct Terminal {
    before: Termios,
    events: Receiver<Event>,
}

impl Terminal {
    /// Takes the terminal behind standard input and output.
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let (sender, events) = bounded(QUEUE);
        listen_to_signals(before.clone(), sender.clone())?;
        listen_to_keys(sender)?;
        let at_panic = before.clone();
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave(&at_panic);
            report(panic);
        }));
        enter(&before)?;
        Ok(Terminal { before, events })
    }

    /// Columns and rows.
    pub(super) fn size() -> (usize, usize) {
        let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or(USUAL, |size| (size.ws_col.into(), size.ws_row.into()))
    }

    pub(super) fn show(frame: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    /// What somebody wants, if anybody does within `span`.
    pub(super) fn wait(&self, span: Duration) -> Option<Event> {
        self.events.recv_timeout(span).ok()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        leave(&self.before);
    }
}

fn enter(before: &Termios) -> io::Result<()> {
    let mut raw = before.clone();
    // Keys come as they are pressed; Ctrl-C and Ctrl-Z stay signals.
    raw.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
    tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
    let mut out = io::stdout().lock();
    out.write_all(ENTER)?;
    out.flush()
}

/// A terminal that is gone needs nothing.
fn leave(before: &Termios) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(LEAVE).and_then(|()| out.flush());
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
}

fn listen_to_keys(events: Sender<Event>) -> io::Result<()> {
    let listen = move || {
        for key in io::stdin().lock().bytes() {
            match key {
                Ok(b'q' | b'Q') | Err(_) => break,
                Ok(_) => {}
            }
        }
        let _ = events.send(Event::Quit);
    };
    Builder::new().name("keys".into()).spawn(listen).map(drop)
}

fn listen_to_signals(before: Termios, events: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH])?;
    let listen = move || {
        for signal in signals.forever() {
            let event = match signal {
                SIGTSTP => {
                    leave(&before);
                    let _ = emulate_default_handler(SIGTSTP);
                    continue;
                }
                SIGCONT => {
                    let _ = enter(&before);
                    Event::Resized
                }
                SIGWINCH => Event::Resized,
                _ => Event::Quit,
            };
            // A queue that is full has one of either already.
            let _ = events.try_send(event);
        }
    };
    Builder::new().name("signals".into()).spawn(listen).map(drop)
}
