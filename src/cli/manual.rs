//! The manual page.

use super::Failure;
use super::command::{Detail, command};
use super::options::{Entry, table, variable};
use super::verbs::VERBS;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// The page, as roff.
pub(super) fn page() -> Result<String, Failure> {
    let mut page = Roff::new();
    page.control(
        "TH",
        ["SELVEDGE", "1", "", concat!("selvedge ", env!("CARGO_PKG_VERSION")), "User Commands"],
    );
    page.control("SH", ["NAME"]);
    page.text([roman("selvedge - a hardened HTTP/1.1 server on plain threads")]);
    page.control("SH", ["SYNOPSIS"]);
    for rest in [" [OPTIONS] [PATH]", " [OPTIONS] COMMAND"] {
        page.text([bold("selvedge"), roman(rest)]);
        page.control("br", []);
    }
    page.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut page, DESCRIPTION);
    page.control("SH", ["COMMANDS"]);
    for verb in VERBS {
        page.control("TP", []);
        page.text([bold(verb.name)]);
        page.text([roman(verb.about)]);
    }
    page.control("SH", ["OPTIONS"]);
    let mut text = page.to_roff();
    text += &options()?;
    let mut page = Roff::new();
    for (heading, parts) in SECTIONS {
        page.control("SH", [*heading]);
        for part in *parts {
            match part {
                Part::Text(text) => paragraphs(&mut page, text),
                Part::Term(term, text) => {
                    page.control("TP", []);
                    page.text([bold(*term)]);
                    page.text([roman(*text)]);
                }
                Part::Code(text) => {
                    page.control("PP", []);
                    page.control("EX", []);
                    text.lines().for_each(|line| {
                        page.text([roman(line)]);
                    });
                    page.control("EE", []);
                }
                Part::Variables => {
                    for entry in table().filter(Entry::has_flag) {
                        page.control("TP", []);
                        page.text([bold(variable(entry.name))]);
                        page.text([roman(entry.help)]);
                    }
                }
            }
        }
    }
    Ok(text + &page.to_roff())
}

fn paragraphs(page: &mut Roff, text: &str) {
    for paragraph in text.split("\n\n") {
        page.control("PP", []);
        page.text([roman(paragraph)]);
    }
}

/// Options, heading by heading.
fn options() -> Result<String, Failure> {
    let mut all = command(Detail::All);
    all.build();
    let mut headings: Vec<_> = all.get_arguments().map(|argument| argument.get_help_heading()).collect();
    headings.dedup();
    headings.sort_by_key(Option::is_some);
    headings.dedup();
    let mut text = String::new();
    for heading in headings {
        let of_heading = all.get_arguments().filter(|argument| argument.get_help_heading() == heading);
        let arguments = of_heading.map(|argument| argument.clone().help_heading(None));
        let some = Command::new("selvedge")
            .version("")
            .disable_help_flag(true)
            .disable_version_flag(true)
            .args(arguments);
        let mut section = Vec::new();
        let rendered = Man::new(some).render_options_section(&mut section);
        rendered.map_err(|error| Failure::start(format!("cannot make the manual: {error}")))?;
        let section = String::from_utf8_lossy(&section);
        // The page has one section for all of them.
        let heading = heading.map(|heading| format!(".SS {heading}")).unwrap_or_default();
        text += section.replacen(".SH OPTIONS", &heading, 1).trim_start();
    }
    Ok(text)
}

/// A part of a section.
enum Part {
    /// Paragraphs, with empty lines between them.
    Text(&'static str),
    /// A term and what it means.
    Term(&'static str, &'static str),
    /// Lines as they are.
    Code(&'static str),
    /// The variable of every option.
    Variables,
}

const DESCRIPTION: &str = "\
selvedge serves a directory, or without PATH its built-in application, over HTTP/1.1. Every connection has a thread of \
its own, and every limit a default that is on: how many connections there are and how many of one client, how long \
messages may take and how large they may be, how often a client may ask. What is over a limit is refused with an answer \
that says so.

Without options it listens on 127.0.0.1:8000, where only this machine reaches it.";

const SECTIONS: &[(&str, &[Part])] = &[
    (
        "VALUES",
        &[
            Part::Term("SIZE", "Bytes, or with a unit: 512, 256KiB, 1MiB, 1GiB."),
            Part::Term("TIME", "A whole number with a unit: 500ms, 10s, 2m, 1h."),
            Part::Term("N/TIME", "So many in any such time: 30/60s."),
            Part::Term(
                "off",
                "No limit, no file, none. Zero never means that. A file of that name is ./off.",
            ),
            Part::Term("on|off", "A switch: the flag alone is on, --flag=off is off."),
        ],
    ),
    (
        "CONFIGURATION FILE",
        &[
            Part::Text(
                "The file named with --config, or in SELVEDGE_CONFIG, is written in TOML. Its keys are the names of the \
                 flags without the dashes. A value is the same text as on the command line; a number or a size in bytes \
                 may stand without quotes. Options that may be repeated are arrays, switches are true or false, and what \
                 is absent is \"off\". Unknown keys, keys that stand twice and values that are not permitted are errors: \
                 the server does not start. The file has 1 MiB at most.",
            ),
            Part::Text(
                "Relative paths start in the directory in which the program was started, in the file as on the command \
                 line.",
            ),
            Part::Text(
                "selvedge print-config prints a whole file, with the options that are in effect and where they come from:",
            ),
            Part::Code(
                "bind = [\"127.0.0.1:8000\", \"unix:/run/selvedge.sock\"]\n\
                 max-connections = 2048\n\
                 max-body = \"4MiB\"\n\
                 keep-alive = \"5s\"\n\
                 rate-limit = \"off\"\n\
                 header = [\"Referrer-Policy: no-referrer\"]\n\
                 path = \"/srv/www\"\n\
                 listing = true",
            ),
            Part::Text(
                "Certificates for several names stand in tables, at the end of the file, because what follows a table \
                 belongs to it:",
            ),
            Part::Code(
                "[[tls-certificate]]\n\
                 cert = \"/etc/ssl/example.org.pem\"\n\
                 key = \"/etc/ssl/example.org.key\"",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            Part::Text(
                "Each option is also a variable. A flag is stronger than a variable, and a variable than the file. \
                 Variables for options that may be repeated have commas between their values, SELVEDGE_HEADER has line \
                 breaks; an empty one is an empty list. Switches are on or off.",
            ),
            Part::Term("SELVEDGE_CONFIG", "The configuration file."),
            Part::Variables,
            Part::Term(
                "SELVEDGE_..._FILE",
                "The same with _FILE at its end names a file in which the value stands, 64 KiB at most; a line end at its \
                 end is cut off. Options that are themselves paths have no such variable.",
            ),
            Part::Term("NO_COLOR", "If it is not empty, nothing is coloured."),
            Part::Term(
                "LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES",
                "Sockets that a service manager passes: they take the place of the default of --bind. With a --bind those \
                 it names are listened on, as fd:N or by their name as fd:NAME, and of others a warning is logged.",
            ),
            Part::Term(
                "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
                "Where a service manager is told of the start, of SIGHUP and of the end, and how often that all is well.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            Part::Term(
                "SIGTERM, SIGINT",
                "Listens no more, finishes the requests being served for at most --drain-timeout, and ends: up to a \
                 second later where requests had to be cut. A second one ends at once.",
            ),
            Part::Term(
                "SIGHUP",
                "Reads the configuration again, and the files it names: certificates, users, the token of --admin. What \
                 can change without a restart does, without costing a connection; each change is logged, and so is what \
                 needs a restart. Whose account is gone or has another password is logged out. If something is wrong, \
                 that is logged and nothing changes. Certificates are read again within a minute without it too.",
            ),
            Part::Term("SIGUSR1", "Opens the log files again, after they have been moved away."),
            Part::Term("SIGUSR2", "Logs what every thread is doing, a line each."),
        ],
    ),
    (
        "SANDBOX",
        &[
            Part::Text(
                "Before it serves, the program has the kernel permit it no more than it needs (Landlock, Linux 5.13): to read \
                 PATH and the directories of the configuration, --users and certificates, to make and add to files in the \
                 directories of the logs, and to remove the files of its Unix sockets. It cannot run programs and, from Linux \
                 6.7 on, neither listen on other TCP ports nor connect to any. What SIGHUP would have it read \
                 in another directory needs a restart.",
            ),
            Part::Text(
                "The thread that runs --alert-command is left out: that program may do what it could do without the server.",
            ),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            Part::Term("0", "A clean end; for check, all is well; for probe, a 2xx."),
            Part::Term(
                "1",
                "It cannot start, or the configuration file has an error; for check, something is missing.",
            ),
            Part::Term("2", "The command line or the environment cannot be followed."),
            Part::Term("3", "Connections were cut: the drain timeout came first, or a second signal did."),
        ],
    ),
    (
        "FILES",
        &[
            Part::Term(
                "--users FILE",
                "A line for each user, USER:HASH, where hash-password makes the hash; empty lines and those that begin \
                 with # are passed over. 4 MiB at most. Nobody but the server should be able to read it.",
            ),
            Part::Term(
                "--log-file, --access-log FILE",
                "Are made if they are not there, and added to. To rotate them, move them away and send SIGUSR1.",
            ),
        ],
    ),
    (
        "EXAMPLES",
        &[
            Part::Text("Serve the directory you are in, with listings, to this machine:"),
            Part::Code("selvedge --listing ."),
            Part::Text(
                "Serve a single-page application behind a gateway on the same machine that names the clients:",
            ),
            Part::Code(
                "selvedge --spa --bind unix:/run/selvedge.sock \\\n    \
                 --client-ip-from x-forwarded-for /srv/app",
            ),
            Part::Text("Write a configuration file, see whether it is right, and use it:"),
            Part::Code(
                "selvedge --max-body 4MiB print-config > selvedge.toml\n\
                 selvedge -c selvedge.toml check\n\
                 selvedge -c selvedge.toml",
            ),
            Part::Text("Add a user:"),
            Part::Code("echo \"ada:$(selvedge hash-password)\" >> users"),
        ],
    ),
    ("SEE ALSO", &[Part::Text("curl(1), nginx(8), systemd.socket(5)")]),
];
