//! Colour, where a person looks and has nothing against it.

use std::io::IsTerminal;

/// Whether what is written to `stream` may be coloured: it is a terminal that can, and `NO_COLOR` is not set.
pub(super) fn is_wanted(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    stream.is_terminal() && !refused && !dumb
}
