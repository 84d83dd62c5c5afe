//! The command `check`: whether everything is there to serve, without serving.
//!
//! The options themselves have been read by then. What they name is looked at here, in one list of checks, each of which
//! says what it has found.

use super::Failure;
use super::admin::TOKEN_ALONE;
use super::options::Options;
use crate::error::Error;
use crate::guard::auth::Accounts;
use crate::monitor::Outlet;
use crate::net::{Place, is_passed};
use crate::record::Escaped;
#[cfg(feature = "tls-rustls")]
use crate::record::Utc;
use crate::server::Admin;
use crate::service::files::root::{Opened, Root};
use rustix::fs::{Access, access};
use std::fmt;
use std::net::ToSocketAddrs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Days before a certificate's end that its operator had better renew it.
#[cfg(feature = "tls-rustls")]
const SOON: u64 = 21;

/// Every check.
const CHECKS: &[fn(&Options) -> Vec<Finding>] =
    &[file, variables, addresses, socket_owner, directory, users, admin, logs, alert_command, tls];

/// What a check has found: one line.
pub(super) enum Finding {
    /// It is as it should be.
    Fine(String),
    /// It works, and is perhaps not what is wanted.
    Warning(String),
    /// It does not work.
    Error(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, text) = match self {
            Finding::Fine(text) => ("ok", text),
            Finding::Warning(text) => ("warning", text),
            Finding::Error(text) => ("error", text),
        };
        write!(f, "{kind}: {}", Escaped(text))
    }
}

/// Prints all findings, and fails if one of them is an error.
pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let findings: Vec<_> = CHECKS.iter().flat_map(|check| check(options)).collect();
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    super::print(&(lines.join("\n") + "\n"))?;
    let fails = findings.iter().any(|finding| matches!(finding, Finding::Error(_)));
    Ok(if fails { ExitCode::from(super::START) } else { ExitCode::SUCCESS })
}

fn file(options: &Options) -> Vec<Finding> {
    let file = options.file.as_ref();
    file.map(|path| Finding::Fine(format!("configuration {} is read", path.display()))).into_iter().collect()
}

fn variables(options: &Options) -> Vec<Finding> {
    let unknown = options.unknown.iter();
    unknown.map(|variable| Finding::Warning(format!("no option has the variable {variable}"))).collect()
}

/// Addresses can be understood; whether they are free shows at the start.
fn addresses(options: &Options) -> Vec<Finding> {
    let bind = options.config.bind.iter().map(|address| ("--bind", address));
    let given = bind.chain(options.redirect_http.iter().map(|address| ("--redirect-http", address)));
    let found = given.map(|(flag, address)| listened(flag, address));
    found.chain(super::listeners::named_twice(options).map(Finding::Error)).collect()
}

fn listened(flag: &str, address: &str) -> Finding {
    let found = match Place::of(address) {
        Ok(Place::Tcp(_)) => Ok(()),
        Ok(Place::Unix(path)) => can_be_socket(path),
        // It is there or not when the server starts.
        Ok(Place::Passed(socket)) => match is_passed(socket) {
            Ok(()) => Ok(()),
            Err(missing) => {
                return Finding::Warning(format!(
                    "{flag} {address}: {missing}; a server needs it at its start"
                ));
            }
        },
        Err(Error::Address { problem, .. }) => Err(problem),
        Err(other) => Err(other.to_string()),
    };
    match found {
        Ok(()) => Finding::Fine(format!("{flag} {address}")),
        Err(problem) => Finding::Error(format!("{flag} {address}: {problem}")),
    }
}

/// Whether a socket can be made there, or replaced.
fn can_be_socket(path: &Path) -> Result<(), String> {
    match std::fs::symlink_metadata(path) {
        Ok(data) if !data.file_type().is_socket() => {
            Err("there is a file, and it is no socket; choose another path".into())
        }
        _ => writable_folder(path),
    }
}

fn socket_owner(options: &Options) -> Vec<Finding> {
    let Some(owner) = &options.unix_owner else { return Vec::new() };
    vec![match owner.find() {
        Ok(_) => Finding::Fine(format!("--unix-owner {owner}")),
        Err(problem) => Finding::Error(format!("--unix-owner {owner}: {problem}")),
    }]
}

fn directory(options: &Options) -> Vec<Finding> {
    let Some(path) = &options.path else { return Vec::new() };
    let found = super::site::look(path).and_then(|()| {
        let Some(page) = &options.not_found else { return Ok(()) };
        let root =
            Root::open(path).map_err(|error| error.to_string())?.with_follow_links(options.follow_links);
        match root.open_below(page.trim_start_matches('/').as_bytes()) {
            Ok(Opened::File(..)) => Ok(()),
            _ => Err(format!("--not-found {page}: no such file that can be read below {}", path.display())),
        }
    });
    match found {
        Ok(()) => {
            let index = super::site::without_index(options, path).map(Finding::Warning);
            let fine = Finding::Fine(format!("directory {}", path.display()));
            [fine].into_iter().chain(index).collect()
        }
        Err(problem) => vec![Finding::Error(problem)],
    }
}

fn users(options: &Options) -> Vec<Finding> {
    let Some(path) = &options.users else { return Vec::new() };
    let mut found = vec![match Accounts::load(path) {
        Ok(accounts) => Finding::Fine(format!("--users {}: {} may log in", path.display(), accounts.len())),
        Err(error) => Finding::Error(format!("--users: {error}")),
    }];
    found.extend(readable_by_others(path).map(Finding::Warning));
    found
}

fn admin(options: &Options) -> Vec<Finding> {
    let token_file = options.admin_token_file.as_ref();
    let Some(address) = &options.admin else {
        return token_file.map(|_| Finding::Error(TOKEN_ALONE.into())).into_iter().collect();
    };
    let reached = |address: &str| {
        let mut found = address.to_socket_addrs().into_iter().flatten();
        found.any(|at| !at.ip().to_canonical().is_loopback())
    };
    let mut found = vec![match listened("--admin", address) {
        Finding::Fine(_) if token_file.is_none() && reached(address) => Finding::Error(format!(
            "--admin {address}: other machines can reach it, and there is no token; give --admin-token-file"
        )),
        other => other,
    }];
    if let Some(path) = token_file {
        let token = super::admin::token(path).and_then(|token| Ok(Admin::token_fits(&token)?));
        found.push(match token {
            Ok(()) => Finding::Fine(format!("--admin-token-file {}", path.display())),
            Err(failure) => Finding::Error(format!(
                "--admin-token-file {}: {}",
                path.display(),
                failure.messages.join("; ")
            )),
        });
        found.extend(readable_by_others(path).map(Finding::Warning));
    }
    found
}

fn logs(options: &Options) -> Vec<Finding> {
    let log = options.log_file.as_ref().map(|path| ("--log-file", path));
    let access_log = match &options.access_log {
        Some(Outlet::File(path)) => Some(("--access-log", path)),
        _ => None,
    };
    let found = log.into_iter().chain(access_log).map(|(flag, path)| match writable(path) {
        Ok(()) => Finding::Fine(format!("{flag} {}", path.display())),
        Err(problem) => Finding::Error(format!("{flag} {}: {problem}", path.display())),
    });
    found.collect()
}

fn alert_command(options: &Options) -> Vec<Finding> {
    let Some(program) = &options.alert_command else { return Vec::new() };
    let shown = program.display();
    vec![if executable(program) {
        Finding::Fine(format!("--alert-command {shown}"))
    } else {
        Finding::Error(format!("--alert-command {shown}: no such program, or not executable"))
    }]
}

/// The certificates can be used, and for how long.
#[cfg(feature = "tls-rustls")]
fn tls(options: &Options) -> Vec<Finding> {
    let settings = match super::tls::settings(options) {
        Ok(Some(settings)) => settings,
        Ok(None) => return Vec::new(),
        Err(failure) => return failure.messages.into_iter().map(Finding::Error).collect(),
    };
    match crate::net::Tls::load(settings) {
        Err(problem) => vec![Finding::Error(problem.to_string())],
        Ok(tls) => tls.identities().into_iter().flat_map(certificate).collect(),
    }
}

#[cfg(feature = "tls-rustls")]
fn certificate(validity: crate::net::Validity) -> Vec<Finding> {
    let days = validity.left.as_secs() / (24 * 60 * 60);
    let (file, names) = (validity.file.display(), validity.names.join(", "));
    let text = format!("certificate {file} for {names}, until {} ({days} days)", Utc(validity.not_after));
    let soon = days < SOON;
    let found = if soon { Finding::Warning(text + ": renew it") } else { Finding::Fine(text) };
    [found].into_iter().chain(validity.warnings.into_iter().map(Finding::Warning)).collect()
}

#[cfg(not(feature = "tls-rustls"))]
fn tls(options: &Options) -> Vec<Finding> {
    super::tls::load(options)
        .err()
        .into_iter()
        .flat_map(|failure| failure.messages)
        .map(Finding::Error)
        .collect()
}

/// A warning about secrets in a file that others can read.
pub(super) fn readable_by_others(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let shown = path.display();
    (mode & 0o004 != 0).then(|| format!("everybody can read {shown} (mode {mode:o}); chmod o-r {shown}"))
}

/// Whether a file can be added to, or made. Nothing is.
fn writable(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(data) if data.is_dir() => Err("a directory".into()),
        Ok(_) => Outlet::File(path.into()).open().map(drop).map_err(|error| error.to_string()),
        Err(_) => writable_folder(path),
    }
}

/// Whether there can be a file of that path.
fn writable_folder(path: &Path) -> Result<(), String> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err(format!("no such directory {}", parent.display()));
    }
    access(parent, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("cannot write to {}: {}", parent.display(), std::io::Error::from(error)))
}

/// Whether a program is there: a path, or a name in `PATH`.
fn executable(program: &Path) -> bool {
    let can_run = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.components().count() > 1 || program.is_absolute() {
        return can_run(program);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).map(|folder: PathBuf| folder.join(program)).any(|path| can_run(&path))
}
