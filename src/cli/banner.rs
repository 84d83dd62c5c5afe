//! What the program says when it has started.

use crate::config::{Config, SETTINGS};
use crate::net::Address;
use crate::record::Escaped;
use std::fmt::Write;

/// The limits worth a word at the start, as they are shown: a line each.
const SHOWN: [&[&str]; 3] = [
    &["max-connections", "max-connections-per-client", "max-in-flight", "rate-limit"],
    &["max-body", "max-path", "max-head", "max-buffered"],
    &["header-timeout", "body-timeout", "keep-alive", "handler-timeout"],
];

/// The addresses, the main limits and how to change them, and what the operator should know about both: which
/// addresses other machines can reach (those that are not loopback), and a `shortage` of the system's.
pub(super) fn text(config: &Config, listening: &[(String, bool)], shortage: Option<String>) -> String {
    let mut text = String::new();
    for (address, _) in listening {
        let _ = writeln!(text, "selvedge {} listening on {}", env!("CARGO_PKG_VERSION"), Escaped(address));
    }
    for names in SHOWN {
        let limits: Vec<_> = names.iter().map(|name| format!("{name} {}", value(config, name))).collect();
        let _ = writeln!(text, "  {}", limits.join(", "));
    }
    text += "  change a limit with its flag: selvedge --help";
    for (address, _) in listening.iter().filter(|(_, loopback)| !loopback) {
        let _ = write!(
            text,
            "\nwarning: other machines can reach {}, and nothing is encrypted; put a TLS gateway in front of it, \
             or use --bind 127.0.0.1:PORT",
            Escaped(address)
        );
    }
    if let Some(shortage) = shortage {
        let _ = write!(text, "\nwarning: {shortage}");
    }
    text
}

/// Where the board is.
pub(super) fn admin(address: &Address) -> String {
    match address {
        Address::Tcp(_) | Address::Tls(_) => {
            format!("  the live board: {}/board", Escaped(&address.to_string()))
        }
        Address::Unix(_) => format!("  health, metrics and the board on {}", Escaped(&address.to_string())),
    }
}

/// A setting's value as it would be written.
pub(super) fn value(config: &Config, name: &str) -> String {
    SETTINGS
        .iter()
        .find(|setting| setting.name == name)
        .map(|setting| (setting.show)(config))
        .unwrap_or_default()
}
