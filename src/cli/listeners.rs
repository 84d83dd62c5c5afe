//! What is listened on: what the operator says, or else what a service manager has passed.

use super::Failure;
use super::options::Options;
use crate::net::{Listener, SocketFile, passed};
use std::net::SocketAddr;

/// The file of the admin listener, whoever may connect elsewhere: who can connect there sees what everybody asks for, and need
/// not have a token. Only who runs the server.
const ADMIN: SocketFile = SocketFile { mode: 0o600, owner: None, group: None };

/// Everything that is listened on.
pub(super) struct Listeners {
    /// Where requests are served.
    pub(super) main: Vec<Listener>,
    /// Where plain HTTP is sent to HTTPS.
    pub(super) redirect: Option<Listener>,
    /// Where those are answered who watch over the server.
    pub(super) admin: Option<Listener>,
}

impl Listeners {
    /// Listens everywhere.
    pub(super) fn open(options: &Options) -> Result<Self, Failure> {
        if let Some(problem) = named_twice(options) {
            return Err(Failure::usage(problem));
        }
        let file = options.socket_file()?;
        let bind = |at: &String| Listener::bind_with(at, &file);
        let main = options.config.bind.iter().map(bind).collect::<Result<_, _>>()?;
        let redirect = options.redirect_http.as_ref().map(bind).transpose()?;
        let admin = options.admin.as_ref().map(|at| Listener::bind_with(at, &ADMIN));
        let admin = admin.transpose().map_err(|error| {
            // What is said of an address that is taken is said of the one to serve on.
            let mut failure = Failure::from(error);
            failure.messages.iter_mut().for_each(|message| *message = message.replace("--bind", "--admin"));
            failure
        })?;
        Ok(Listeners { main, redirect, admin })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Listener> {
        self.main.iter().chain(&self.redirect).chain(&self.admin)
    }
}

/// What is wrong if an address is to be listened on twice, as far as the words tell: no host is looked up.
pub(super) fn named_twice(options: &Options) -> Option<String> {
    let bind = options.config.bind.iter().map(|address| ("--bind", address));
    let redirect = options.redirect_http.iter().map(|address| ("--redirect-http", address));
    let admin = options.admin.iter().map(|address| ("--admin", address));
    let given: Vec<_> = bind.chain(redirect).chain(admin).collect();
    let mut pairs = given.iter().enumerate().flat_map(|(place, one)| {
        given[place + 1..].iter().filter(|other| is_same(one.1, other.1)).map(move |other| (one, other))
    });
    let ((flag, address), (other_flag, other)) = pairs.next()?;
    Some(format!("{flag} {address} and {other_flag} {other} are one address; name it once"))
}

/// Port 0 is another each time.
fn is_same(one: &str, other: &str) -> bool {
    match (one.parse::<SocketAddr>(), other.parse::<SocketAddr>()) {
        (Ok(one), Ok(other)) => one == other && one.port() != 0,
        _ => one == other && (one.starts_with("unix:") || !one.ends_with(":0")),
    }
}

/// Without a word of the operator's on where to listen, the sockets that were passed take the place of the default.
pub(super) fn adopt(options: &mut Options) -> Result<(), Failure> {
    if options.origin("bind").is_some() {
        return Ok(());
    }
    let passed = passed().map_err(Failure::start)?;
    let elsewhere = |number: i32, name: &str| {
        let others = options.redirect_http.iter().chain(&options.admin);
        others.into_iter().any(|at| means(at, number, name))
    };
    let main: Vec<_> = passed
        .iter()
        .filter(|socket| !elsewhere(socket.number, &socket.name))
        .map(|socket| format!("fd:{}", socket.number))
        .collect();
    if !main.is_empty() {
        options.config.bind = main;
    }
    Ok(())
}

/// What to say of sockets that were passed and that nobody listens on, because the operator has said where to listen.
pub(super) fn unused(options: &Options) -> Option<String> {
    let given = || options.config.bind.iter().chain(&options.redirect_http).chain(&options.admin);
    let left: Vec<_> = passed()
        .unwrap_or_default()
        .into_iter()
        .filter(|socket| !given().any(|at| means(at, socket.number, &socket.name)))
        .map(|socket| format!("fd:{} ({})", socket.number, socket.name))
        .collect();
    (!left.is_empty()).then(|| {
        format!(
            "passed by the service manager and not listened on: {}; --bind says where, add it there or leave --bind out",
            left.join(", ")
        )
    })
}

/// Whether an address is this socket.
fn means(at: &str, number: i32, name: &str) -> bool {
    at.strip_prefix("fd:").is_some_and(|socket| socket == number.to_string() || socket == name)
}
