//! The table of options. Each is written once, here or with the limits of `config`; its flag, its variable, its key in a
//! file, help, manual page, completions and `print-config` are made from that.
//!
//! A new one is a field of [`Options`] with its default, and two lines below:
//!
//! ```text
//! "name-in-kebab-case", the.field.of.Options: how it is written, "VALUE-NAME",
//!     "Help of half a line, without a full stop";
//! ```

use super::Options;
use super::form::{Form, Kind, LogOutlet, One, PathPairs, Switch, Word, directory, file, program};
use super::unix::{Owner, read_mode};
use crate::cli::sandbox::Mode;
use crate::config::{AddressSource, Network, SETTINGS, Setting, host};
use crate::http1::is_owned;
use crate::monitor::LogFormat;
use clap::ValueHint;
use http::{HeaderName, HeaderValue, header};
use log::Level;
use std::ffi::OsString;

/// Something that can be said about how to serve.
#[derive(Clone)]
pub(in crate::cli) struct Entry {
    /// Its name in kebab case, which is its flag without the dashes and its key in a file.
    pub(in crate::cli) name: &'static str,
    pub(in crate::cli) short: Option<char>,
    /// What stands for its value in a usage line.
    pub(in crate::cli) value_name: &'static str,
    pub(in crate::cli) help: &'static str,
    /// The heading it stands under.
    pub(in crate::cli) heading: &'static str,
    pub(in crate::cli) kind: Kind,
    /// What a shell offers for its value.
    pub(in crate::cli) hint: ValueHint,
    /// What can be written, if these are a few words.
    pub(in crate::cli) words: Vec<&'static str>,
    access: Access,
}

#[derive(Clone, Copy)]
enum Access {
    Limit(&'static Setting),
    Own { show: fn(&Options) -> Vec<OsString>, set: fn(&mut Options, Vec<OsString>) -> Result<(), String> },
}

/// Every option, in the order in which they are shown.
pub(in crate::cli) fn table() -> impl Iterator<Item = Entry> {
    own().into_iter().chain(SETTINGS.iter().map(Entry::from))
}

/// The option of that name.
pub(in crate::cli) fn entry(name: &str) -> Option<Entry> {
    table().find(|entry| entry.name == name)
}

impl Entry {
    /// Its values, as they would be written.
    pub(in crate::cli) fn show(&self, options: &Options) -> Vec<OsString> {
        match self.access {
            Access::Limit(setting) => vec![(setting.show)(&options.config).into()],
            Access::Own { show, .. } => show(options),
        }
    }

    /// Whether it can be given as a flag or a variable.
    pub(in crate::cli) fn has_flag(&self) -> bool {
        !matches!(self.kind, Kind::Tables(_))
    }

    /// Whether it is a limit of `config`.
    pub(in crate::cli) fn is_limit(&self) -> bool {
        matches!(self.access, Access::Limit(_))
    }

    /// Whether it can be written `off`.
    pub(in crate::cli) fn can_be_off(&self) -> bool {
        self.value_name.ends_with("|off")
    }

    /// Takes the values: as many as there are for a list, one for all others.
    pub(in crate::cli) fn set(&self, options: &mut Options, values: Vec<OsString>) -> Result<(), String> {
        match self.access {
            Access::Limit(setting) => values
                .into_iter()
                .try_for_each(|value| (setting.set)(&mut options.config, &super::form::text(value)?)),
            Access::Own { set, .. } => set(options, values),
        }
    }
}

impl From<&'static Setting> for Entry {
    fn from(setting: &'static Setting) -> Self {
        Entry {
            name: setting.name,
            short: None,
            value_name: setting.value_name,
            help: setting.help,
            heading: setting.group.title(),
            kind: Kind::Single,
            hint: ValueHint::Other,
            words: Vec::new(),
            access: Access::Limit(setting),
        }
    }
}

macro_rules! options {
    ($($heading:tt {
        $($name:literal $($short:literal)?, $($field:ident).+: $form:expr, $value_name:literal, $help:literal;)*
    })*) => {
        fn own() -> Vec<Entry> {
            vec![$($(Entry {
            name: $name,
            short: None $(.or(Some($short)))?,
            value_name: $value_name,
            help: $help,
            heading: $heading,
            kind: $form.kind(),
            hint: $form.hint(),
            words: $form.words(),
            access: Access::Own {
                show: |options| $form.show(&options.$($field).+),
                set: |options, values| {
                    options.$($field).+ = $form.read(values)?;
                    Ok(())
                },
            },
        },)*)*]
        }
    };
}

/// What is served, which is the one argument without a flag.
pub(in crate::cli) const PATH: &str = "path";
/// The heading of what is said about a directory.
pub(in crate::cli) const DIRECTORY: &str = "A directory";

options! {
    DIRECTORY {
        "path", path: directory(), "PATH|off",
            "Directory that is served, in place of the built-in application";
        "listing", listing: Switch, "on|off",
            "List directories that have no index.html";
        "spa", spa: Switch, "on|off",
            "Send browsers /index.html for what is not there";
        "not-found", not_found: One { read: name, show: String::clone }.or_off(), "FILE|off",
            "Page in PATH for what is not there";
        "follow-links", follow_links: Switch, "on|off",
            "Follow symbolic links to what is below PATH";
        "gzip", gzip: Switch, "on|off",
            "Compress texts for clients that take it";
        "cache-control", cache_control: One { read: field_value, show: show_value }.or_off(), "VALUE|off",
            "Cache-Control on files and listings";
    }
    "Listening" {
        "bind" 'b', config.bind: One { read: address, show: String::clone }.each(), "ADDR",
            "Listen on HOST:PORT, unix:PATH or fd:N, repeatable";
        "unix-mode", unix_mode: One { read: read_mode, show: |mode| format!("{mode:04o}") }, "MODE",
            "Who may connect to a Unix socket (not --admin's): its mode";
        "unix-owner", unix_owner: One { read: Owner::read, show: Owner::to_string }.or_off(), "OWNER|off",
            "Whose its file is: USER, USER:GROUP or :GROUP";
    }
    "TLS" {
        "tls-cert", tls_cert: file(), "FILE|off",
            "Certificate and chain in PEM; with it HTTPS is spoken";
        "tls-key", tls_key: file(), "FILE|off",
            "The certificate's private key in PEM";
        "tls-certificate", tls_certificates: PathPairs(&["cert", "key"]), "",
            "A certificate and its key, chosen by the name the client asks for";
        "tls-client-ca", tls_client_ca: file(), "FILE|off",
            "Authorities in PEM; clients need a certificate of theirs";
        "tls-profile", tls_modern: Word { what: "profile", words: PROFILES }, "PROFILE",
            "TLS 1.3 and 1.2: intermediate; 1.3 alone: modern";
        "tls-self-signed", tls_self_signed: Switch, "on|off",
            "A certificate made up at the start, for development";
        "redirect-http", redirect_http: One { read: address, show: String::clone }.or_off(), "ADDR|off",
            "Listen there for plain HTTP and send it to HTTPS";
    }
    "Clients and fields" {
        "allow-host", config.allow_hosts: One { read: host, show: String::clone }.each(), "NAME",
            "Host that is served, repeatable; with any, others get 421";
        "trusted-proxy", config.trusted_proxies: One { read: str::parse::<Network>, show: Network::to_string }.each(), "CIDR",
            "Peers whose word on the client's address counts, repeatable";
        "client-ip-from", config.client_ip_from: Word { what: "source of addresses", words: &AddressSource::ALL }, "SOURCE",
            "Where they say it: peer, x-forwarded-for or forwarded";
        "header", headers: One { read: field, show: show_field }.each_line(), "FIELD",
            "'Name: value' on every response; the last of a name counts";
        "no-header", no_headers: One { read: left_out, show: HeaderName::to_string }.each(), "NAME",
            "Standing field that is left out, repeatable";
    }
    "Accounts" {
        "users", users: file(), "FILE|off",
            "Who may log in, a line each: USER:HASH; see hash-password";
        "insecure-cookies", insecure_cookies: Switch, "on|off",
            "Session cookies for plain HTTP, where all can read them";
    }
    "Watching over it" {
        "admin", admin: One { read: address, show: String::clone }.or_off(), "ADDR|off",
            "Health, metrics and the live board, on their own listener";
        "admin-token-file", admin_token_file: file(), "FILE|off",
            "The token asked for there; needed off this machine";
    }
    "Logs and alerts" {
        "log-file", log_file: file(), "FILE|off",
            "Append the log to FILE, besides standard error";
        "log-level", log_level: Word { what: "level", words: LEVELS }, "LEVEL",
            "What is logged: error, warn, info, debug or trace";
        "log-format", log_format: Word { what: "format", words: FORMATS }, "FORMAT",
            "How both logs are written: text or json";
        "access-log", access_log: LogOutlet, "FILE|-|off",
            "A line for every answer, to FILE or standard output";
        "alert-command", alert_command: program(), "PROGRAM|off",
            "Run for each alert, with it as JSON on standard input";
    }
    "System" {
        "sandbox", sandbox: Word { what: "mode", words: &Mode::ALL }, "on|off|auto",
            "Open nothing but what is needed (Landlock); auto: if possible";
    }
}

/// The field with the number of a request.
const REQUEST_ID: &str = "x-request-id";

/// Whether it is the modern one.
const PROFILES: &[(&str, bool)] = &[("intermediate", false), ("modern", true)];

const LEVELS: &[(&str, Level)] = &[
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

fn address(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("an empty address; write HOST:PORT, unix:PATH or fd:N".into());
    }
    Ok(text.into())
}

/// A name that a client can ask for: what can never match is a slip.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("an empty name; write a file in PATH".into());
    }
    Ok(text.into())
}

fn field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("no colon; write 'Name: value'")?;
    let (name, value) = (field_name(name)?, field_value(value.trim())?);
    if is_servers(&name) {
        return Err(format!("'{name}' is the server's own; leave it out"));
    }
    if OF_ONE_ANSWER.contains(&name) {
        return Err(format!("'{name}' is about one answer, and this would be in all; leave it out"));
    }
    Ok((name, value))
}

/// Fields that are wrong in every answer but one.
const OF_ONE_ANSWER: [HeaderName; 8] = [
    header::ACCEPT_RANGES,
    header::ALLOW,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::TRAILER,
];

/// Whether the server writes it into its answers by itself.
fn is_servers(name: &HeaderName) -> bool {
    is_owned(name) || name == header::DATE || name.as_str() == REQUEST_ID
}

fn left_out(text: &str) -> Result<HeaderName, String> {
    let name = field_name(text)?;
    if is_servers(&name) {
        return Err(format!(
            "'{name}' is the server's own, and in every answer that needs it; leave this out"
        ));
    }
    Ok(name)
}

fn show_field((name, value): &(HeaderName, HeaderValue)) -> String {
    format!("{name}: {}", show_value(value))
}

fn field_value(text: &str) -> Result<HeaderValue, String> {
    text.parse().map_err(|_| "a character no field value can have; write printable ones".into())
}

fn show_value(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn field_name(text: &str) -> Result<HeaderName, String> {
    text.trim().parse().map_err(|_| format!("'{text}' is no field name; write letters, digits and hyphens"))
}
