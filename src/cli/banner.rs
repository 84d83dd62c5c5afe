//! What the program says when it has started.

use super::colour;
use super::options::Options;
use crate::config::{Config, SETTINGS};
use crate::net::Address;
use crate::record::Escaped;
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The limits worth a word at the start, as they are shown: a line each.
const SHOWN: [&[&str]; 3] = [
    &["max-connections", "max-connections-per-client", "max-in-flight", "rate-limit"],
    &["max-body", "max-path", "max-head", "max-buffered"],
    &["header-timeout", "body-timeout", "keep-alive", "handler-timeout"],
];
/// Addresses of this machine that are shown.
const MAX_ADDRESSES: usize = 8;

/// The addresses, what is served there, the main limits and how to change them, and what the operator should know: which
/// addresses other machines can reach (those that are not loopback), and a `shortage` of the system's.
pub(super) fn text(options: &Options, listening: &[Address], shortage: Option<String>) -> String {
    let paint = Paint(colour::is_wanted(&io::stderr()));
    let mut text = String::new();
    for address in listening {
        let shown = paint.url(&url(address));
        let _ = writeln!(text, "selvedge {} listening on {shown}", env!("CARGO_PKG_VERSION"));
        for (whom, at) in reached_at(address) {
            let _ = writeln!(text, "  {whom}: {}", paint.url(&url(&address.at(at))));
        }
    }
    let _ = match &options.path {
        Some(path) => {
            writeln!(text, "  serving the directory {}", Escaped(path.as_os_str().as_encoded_bytes()))
        }
        None => writeln!(text, "  serving the built-in application; a directory: selvedge PATH"),
    };
    for names in SHOWN {
        let limits: Vec<_> =
            names.iter().map(|name| format!("{name} {}", value(&options.config, name))).collect();
        let _ = writeln!(text, "  {}", limits.join(", "));
    }
    text += "  change a limit with its flag: selvedge --help";
    let plain = |address: &&Address| matches!(address, Address::Tcp(_)) && options.redirect_http.is_none();
    for address in listening.iter().filter(|address| !address.is_local()).filter(plain) {
        let _ = write!(
            text,
            "\n{} other machines can reach {}, and nothing is encrypted; use --tls-cert and --tls-key, \
             put a TLS gateway in front of it, or use --bind 127.0.0.1:PORT",
            paint.warning(),
            url(address)
        );
    }
    if let Some(shortage) = shortage {
        let _ = write!(text, "\n{} {shortage}", paint.warning());
    }
    text
}

/// Where it listens, for the service manager.
pub(super) fn status(listening: &[Address]) -> String {
    let addresses: Vec<_> = listening.iter().map(url).collect();
    format!("listening on {}", addresses.join(" and "))
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

/// The address in one line, to click on if it is one of the web.
fn url(address: &Address) -> String {
    let slash = if address.tcp().is_some() { "/" } else { "" };
    Escaped(&format!("{address}{slash}")).to_string()
}

/// Where a server that listens on all addresses of the machine is reached, and by whom: nobody can click on 0.0.0.0.
fn reached_at(address: &Address) -> Vec<(&'static str, SocketAddr)> {
    let Some(all) = address.tcp() else { return Vec::new() };
    if !all.ip().is_unspecified() {
        return Vec::new();
    }
    let here: IpAddr = if all.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let others = if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip());
    let others =
        others.filter(|ip| !ip.is_loopback() && !is_link_local(ip) && (ip.is_ipv4() || all.is_ipv6()));
    let others = others.map(|ip| ("from others", ip)).take(MAX_ADDRESSES);
    let reached = [("from this machine", here)].into_iter().chain(others);
    reached.map(|(whom, ip)| (whom, SocketAddr::new(ip, all.port()))).collect()
}

/// Addresses that only mean something together with an interface.
fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Colours, or none.
struct Paint(bool);

impl Paint {
    fn url(&self, text: &str) -> String {
        if self.0 { format!("\x1b[1;36m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn warning(&self) -> &'static str {
        if self.0 { "\x1b[1;33mwarning:\x1b[0m" } else { "warning:" }
    }
}
