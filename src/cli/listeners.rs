//! What is listened on: what the operator says, or else what a service manager has passed.

use super::Failure;
use super::options::Options;
use crate::net::{Listener, passed};

/// Without a word of the operator's on where to listen, the sockets that were passed take the place of the default.
pub(super) fn adopt(options: &mut Options) -> Result<(), Failure> {
    if options.origin("bind").is_some() {
        return Ok(());
    }
    let passed = passed().map_err(Failure::start)?;
    if !passed.is_empty() {
        options.config.bind = passed.iter().map(|socket| format!("fd:{}", socket.number)).collect();
    }
    Ok(())
}

/// Listens everywhere.
pub(super) fn open(options: &Options) -> Result<Vec<Listener>, Failure> {
    let file = options.socket_file()?;
    Ok(options.config.bind.iter().map(|at| Listener::bind_with(at, &file)).collect::<Result<_, _>>()?)
}

/// What to say of sockets that were passed and that nobody listens on, because the operator has said where to listen.
pub(super) fn unused(options: &Options) -> Option<String> {
    let wanted = |at: &str, number: i32, name: &str| {
        at.strip_prefix("fd:").is_some_and(|socket| socket == number.to_string() || socket == name)
    };
    let left: Vec<_> = passed()
        .unwrap_or_default()
        .into_iter()
        .filter(|socket| !options.config.bind.iter().any(|at| wanted(at, socket.number, &socket.name)))
        .map(|socket| format!("fd:{} ({})", socket.number, socket.name))
        .collect();
    (!left.is_empty()).then(|| {
        format!(
            "passed by the service manager and not listened on: {}; --bind says where, add it there or leave --bind out",
            left.join(", ")
        )
    })
}
