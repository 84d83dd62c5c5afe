//! Everything that can be said about how to serve, and by whom it was said: a flag is stronger than a variable, and a
//! variable than the default.

mod environment;
mod form;
mod table;

pub(super) use self::environment::is_ours;
pub(super) use self::form::Kind;
pub(super) use self::table::{Entry, entry, table};

use super::Failure;
use crate::config::{Config, Rate};
use crate::guard::SecurityHeaders;
use crate::monitor::{LogFormat, Outlet};
use http::{HeaderName, HeaderValue};
use log::Level;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that can be said about how to serve.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) config: Config,
    /// The server's certificate and its key.
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
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

    /// Who has said what; what nobody has said is the default.
    pub(super) origins: BTreeMap<&'static str, Origin>,
    /// Variables that look like options and are none.
    pub(super) unknown: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        // The library leaves rate limiting to its user; the built-in application has the article's.
        let rate_limit = Some(Rate { count: 30, span: Duration::from_secs(60) });
        let throttle = Some(Rate { count: 10, span: Duration::from_secs(60) });
        Options {
            config: Config { rate_limit, throttle, ..Config::default() },
            tls_cert: None,
            tls_key: None,
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
            origins: BTreeMap::new(),
            unknown: Vec::new(),
        }
    }
}

/// Who has said something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A variable of the environment.
    Variable(String),
    /// A flag.
    Flag,
}

/// What was said on the command line: names and their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags(pub(super) Vec<(&'static str, Vec<OsString>)>);

impl Options {
    /// Reads all there is, from the weakest to the strongest. Can be done again: what can change meanwhile is read anew.
    pub(super) fn load(flags: &Flags, environment: &BTreeMap<String, OsString>) -> Result<Self, Failure> {
        let mut options = Options::default();
        environment::read(&mut options, environment)?;
        for (name, values) in &flags.0 {
            let set = entry(name).map_or(Ok(()), |entry| entry.set(&mut options, values.clone()));
            set.map_err(|problem| Failure::usage(format!("bad value for --{name}: {problem}")))?;
            options.origins.insert(name, Origin::Flag);
        }
        options.config.validate()?;
        Ok(options)
    }

    /// The fields on every response.
    pub(super) fn security_headers(&self) -> SecurityHeaders {
        let headers = self.headers.iter().cloned();
        let with = headers.fold(SecurityHeaders::new(), |all, (name, value)| all.with(name, value));
        self.no_headers.iter().fold(with, SecurityHeaders::without)
    }
}
