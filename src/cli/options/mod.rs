//! Everything that can be said about how to serve, and who has said it: a flag is stronger than a variable, a variable
//! than the file, and the file than the default.

mod environment;
mod file;
mod form;
mod table;
mod unix;

pub(super) use self::environment::{Environment, variable};
pub(super) use self::form::Kind;
pub(super) use self::table::{DIRECTORY, Entry, PATH, entry, table};

use self::unix::Owner;
use super::sandbox::Mode;
use super::{Failure, listeners};
use crate::config::{Config, Rate};
use crate::error::Error;
use crate::guard::SecurityHeaders;
use crate::monitor::{LogFormat, Outlet};
use crate::net::SocketFile;
use http::{HeaderName, HeaderValue};
use log::Level;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that can be said about how to serve.
#[derive(Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct Options {
    pub(super) config: Config,
    /// The directory that is served; without one, the built-in application is.
    pub(super) path: Option<PathBuf>,
    /// Whether directories are listed; this and the next ones are for a directory.
    pub(super) listing: bool,
    /// Whether what is not there is answered with the index.
    pub(super) spa: bool,
    /// The page for what is not there.
    pub(super) not_found: Option<String>,
    pub(super) follow_links: bool,
    pub(super) gzip: bool,
    pub(super) cache_control: Option<HeaderValue>,
    /// The mode of a Unix socket's file.
    pub(super) unix_mode: u32,
    /// Its owner, if it is another than who runs the program.
    pub(super) unix_owner: Option<Owner>,
    /// The server's certificate and its key.
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    /// More certificates and their keys, by the names they are for.
    pub(super) tls_certificates: Vec<(PathBuf, PathBuf)>,
    /// Authorities of clients' certificates.
    pub(super) tls_client_ca: Option<PathBuf>,
    /// Whether TLS 1.3 alone is spoken.
    pub(super) tls_modern: bool,
    pub(super) tls_self_signed: bool,
    /// Where plain HTTP is sent to HTTPS.
    pub(super) redirect_http: Option<String>,
    /// Fields that are added to the standing ones.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Standing fields that are left out.
    pub(super) no_headers: Vec<HeaderName>,
    /// The credentials file.
    pub(super) users: Option<PathBuf>,
    /// Whether session cookies are for plain HTTP.
    pub(super) insecure_cookies: bool,
    /// Where those who watch over it are answered.
    pub(super) admin: Option<String>,
    /// What they have to show, in a file.
    pub(super) admin_token_file: Option<PathBuf>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) log_level: Level,
    pub(super) log_format: LogFormat,
    pub(super) access_log: Option<Outlet>,
    pub(super) alert_command: Option<PathBuf>,
    /// Whether only what is needed can be opened once it serves.
    pub(super) sandbox: Mode,

    /// The file they were read from, if there is one.
    pub(super) file: Option<PathBuf>,
    /// Files in which the values of variables stand.
    pub(super) value_files: Vec<PathBuf>,
    /// Who has said what; what nobody has said is the default.
    origins: BTreeMap<&'static str, Origin>,
    /// What looks like options in the environment and is none, with what it may have been meant to be.
    pub(super) unknown: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            // The library leaves both to its user; see also `settle`.
            config: Config {
                rate_limit: Some(per_minute(30)),
                throttle: Some(per_minute(10)),
                ..Config::default()
            },
            path: None,
            listing: false,
            spa: false,
            not_found: None,
            follow_links: false,
            gzip: false,
            cache_control: None,
            unix_mode: SocketFile::default().mode,
            unix_owner: None,
            tls_cert: None,
            tls_key: None,
            tls_certificates: Vec::new(),
            tls_client_ca: None,
            tls_modern: false,
            tls_self_signed: false,
            redirect_http: None,
            headers: Vec::new(),
            no_headers: Vec::new(),
            users: None,
            insecure_cookies: false,
            admin: None,
            admin_token_file: None,
            log_file: None,
            log_level: Level::Info,
            log_format: LogFormat::Text,
            access_log: None,
            alert_command: None,
            sandbox: Mode::Auto,
            file: None,
            value_files: Vec::new(),
            origins: BTreeMap::new(),
            unknown: Vec::new(),
        }
    }
}

fn per_minute(count: u32) -> Rate {
    Rate { count, span: Duration::from_secs(60) }
}

/// Who has said something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The file, in this line.
    File(PathBuf, usize),
    /// A variable of the environment.
    Variable(String),
    /// The command line: a flag, or the argument without one.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(PATH) => f.write_str("PATH"),
            Origin::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// What was said on the command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    /// The file to read.
    pub(super) config: Option<PathBuf>,
    /// Options and their values; of two for one option the later counts.
    pub(super) given: Vec<(&'static str, Vec<OsString>)>,
}

/// An option that is not what it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) name: &'static str,
    pub(super) from: String,
    pub(super) to: String,
}

impl Options {
    /// Reads all there is, from the weakest to the strongest. It can be done again, and then finds what has changed since.
    pub(super) fn load(flags: &Flags, environment: &Environment) -> Result<Self, Failure> {
        let file = flags.config.clone().or_else(|| environment.config());
        let mut options = Options { file, ..Options::default() };
        if let Some(path) = options.file.clone() {
            file::read(&mut options, &path)?;
        }
        environment.read(&mut options)?;
        for (name, values) in &flags.given {
            let set = entry(name).map_or(Ok(()), |entry| entry.set(&mut options, values.clone()));
            set.map_err(|problem| {
                Failure::usage(format!("bad value for {}: {problem}", Origin::Flag(name)))
            })?;
            options.origins.insert(name, Origin::Flag(name));
        }
        listeners::adopt(&mut options)?;
        options.settle();
        options.validate()?;
        Ok(options)
    }

    /// What a file that holds these bytes says, and nobody else.
    pub(super) fn of_file(bytes: &[u8]) -> Result<Self, Failure> {
        let mut options = Options::default();
        file::take(&mut options, Path::new("file"), bytes.to_vec())?;
        Ok(options)
    }

    /// The defaults of a server of files.
    pub(super) fn default_for_path() -> Self {
        let mut options = Options { path: Some(PathBuf::new()), ..Options::default() };
        options.settle();
        options
    }

    /// Who has said this; nobody, if it is the default.
    pub(super) fn origin(&self, name: &str) -> Option<&Origin> {
        self.origins.get(name)
    }

    /// The files that are read again with the options: their own, and those that they name.
    pub(super) fn read_again(&self) -> impl Iterator<Item = &PathBuf> {
        let Options { file, value_files, users, tls_cert, tls_key, tls_client_ca, admin_token_file, .. } =
            self;
        let certificates = self.tls_certificates.iter().flat_map(|(certificate, key)| [certificate, key]);
        let certificates = certificates.chain(tls_cert).chain(tls_key).chain(tls_client_ca);
        file.iter().chain(value_files).chain(users).chain(admin_token_file).chain(certificates)
    }

    /// How the files of Unix sockets are made.
    pub(super) fn socket_file(&self) -> Result<SocketFile, Failure> {
        let found = self.unix_owner.as_ref().map_or(Ok((None, None)), Owner::find);
        let (owner, group) = found
            .map_err(|problem| self.failure("unix-owner", |it| format!("bad value for {it}: {problem}")))?;
        Ok(SocketFile { mode: self.unix_mode, owner, group })
    }

    /// The fields on every response.
    pub(super) fn security_headers(&self) -> SecurityHeaders {
        let headers = self.headers.iter().cloned();
        let with = headers.fold(SecurityHeaders::new(), |all, (name, value)| all.with(name, value));
        self.no_headers.iter().fold(with, SecurityHeaders::without)
    }

    /// What is other than it was in `old`.
    pub(super) fn changes(&self, old: &Options) -> Vec<Change> {
        let changes = table().map(|entry| Change {
            name: entry.name,
            from: joined(&entry.show(old)),
            to: joined(&entry.show(self)),
        });
        changes.filter(|change| change.from != change.to).collect()
    }

    /// Defaults that depend on something else. A page of a site is many requests, one of an application is few.
    fn settle(&mut self) {
        if self.path.is_some() && self.origin("rate-limit").is_none() {
            self.config.rate_limit = Some(per_minute(600));
        }
    }

    /// Whether all of it can be had together.
    fn validate(&self) -> Result<(), Failure> {
        let defaults = Options::default();
        let differs = |entry: &Entry| entry.show(self) != entry.show(&defaults);
        if self.path.is_none() {
            let lost = |entry: &Entry| entry.heading == DIRECTORY && entry.name != PATH && differs(entry);
            if let Some(entry) = table().find(lost) {
                return Err(self
                    .failure(entry.name, |it| format!("{it} is for a directory; name one: selvedge PATH")));
            }
        } else if self.insecure_cookies {
            let problem =
                |it: &str| format!("{it} is for the built-in application, and a directory is served");
            return Err(self.failure("insecure-cookies", problem));
        }
        if self.config.bind.is_empty() {
            let problem = "no address to listen on; give at least one, HOST:PORT or unix:PATH";
            return Err(self.failure("bind", |it| format!("bad value for {it}: {problem}")));
        }
        // A socket that somebody else has bound may be one of the kind.
        let may_be_unix = |address: &String| address.starts_with("unix:") || address.starts_with("fd:");
        let source = self.config.validate_source(self.config.bind.iter().any(may_be_unix));
        self.config.validate().and(source).map_err(|error| match error {
            Error::Setting { name, problem } => {
                self.failure(name, |it| format!("bad value for {it}: {problem}"))
            }
            other => other.into(),
        })
    }

    /// What is wrong with something that was said, by the name under which it was.
    fn failure(&self, name: &'static str, problem: impl Fn(&str) -> String) -> Failure {
        match self.origin(name) {
            Some(origin @ Origin::File(..)) => Failure::start(format!("{origin}: {}", problem(name))),
            Some(origin) => Failure::usage(problem(&origin.to_string())),
            None => Failure::usage(problem(&format!("--{name}"))),
        }
    }
}

/// Values in a line, for people.
pub(super) fn joined(values: &[OsString]) -> String {
    let values: Vec<_> = values.iter().map(|value| value.display().to_string()).collect();
    values.join(", ")
}

/// The name among `names` that is near to `given`: what was meant, perhaps.
pub(super) fn near<S: AsRef<str>>(given: &str, names: impl Iterator<Item = S>) -> Option<S> {
    let given = given.to_lowercase().replace('_', "-");
    let likeness = |name: &S| strsim::jaro(&given, &name.as_ref().to_lowercase().replace('_', "-"));
    let near = names.map(|name| (likeness(&name), name)).filter(|(likeness, _)| *likeness > NEAR);
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// How like one another names are that are near, from 0 to 1.
const NEAR: f64 = 0.8;

/// Reads a file to its end, if it has no more than `most` bytes.
pub(super) fn read_bounded(path: &OsStr, most: u64) -> std::io::Result<Vec<u8>> {
    use std::io::{Error, ErrorKind, Read};
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("more than {most} bytes")));
    }
    Ok(bytes)
}
