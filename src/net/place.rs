//! Where to listen, as it is written.

#[cfg(feature = "cli")]
use super::inherited;
use crate::error::Error;
use socket2::SockAddr;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// Bytes a path may have that a socket is bound to, its end not counted (`unix(7)`).
const MAX_PATH: usize = 107;

/// Where to listen.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    /// At the first of these that can be had.
    Tcp(Vec<SocketAddr>),
    /// In a file of this path.
    Unix(&'a Path),
    /// On a socket that somebody else has bound: its number, or its name.
    Passed(&'a str),
}

impl<'a> Place<'a> {
    /// Reads `host:port`, `unix:PATH` or `fd:N`. A host's addresses are looked up; nothing is opened.
    pub(crate) fn of(given: &'a str) -> Result<Self, Error> {
        let bad = |problem: &str| Err(bad_address(given, problem));
        match given.split_once(':') {
            Some(("unix", "")) => bad("a path must follow, as in unix:/run/selvedge.sock"),
            Some(("unix", path)) if path.starts_with('@') => {
                bad(&format!("an abstract name can only be passed, as fd:N; for a file write unix:./{path}"))
            }
            Some(("unix", path)) if path.len() > MAX_PATH && SockAddr::unix(path).is_err() => {
                bad(&format!("a path of {} bytes, and {MAX_PATH} are the most a socket can have", path.len()))
            }
            Some(("unix", path)) => Ok(Place::Unix(Path::new(path))),
            Some(("fd", "")) => bad("the number or the name of a socket must follow, as in fd:3"),
            Some(("fd", socket)) if is_number(socket) && socket.parse::<i32>().is_err() => {
                bad("no descriptor has such a number")
            }
            Some(("fd", socket)) => Ok(Place::Passed(socket)),
            _ => match given.to_socket_addrs() {
                Ok(addresses) => Ok(Place::Tcp(addresses.collect())),
                Err(problem) => {
                    bad(&format!("{problem}; write HOST:PORT, as in 127.0.0.1:8000 or [::1]:8000"))
                }
            },
        }
    }
}

/// Whether a socket that is to be passed is here already, in this process, or what is missing.
#[cfg(feature = "cli")]
pub(crate) fn is_passed(socket: &str) -> Result<(), String> {
    let number = inherited::passed().and_then(|passed| inherited::number(socket, &passed))?;
    inherited::take(number).map(drop).map_err(|problem| problem.to_string())
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn bad_address(given: &str, problem: &str) -> Error {
    Error::Address { given: given.into(), problem: problem.into() }
}
