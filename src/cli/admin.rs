//! The listener for those who watch over the server.

use super::Failure;
use super::log::Logs;
use super::options::Options;
use crate::net::Listener;
use crate::server::{Admin, Server};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of a token's file that are read: more than a token has.
const MAX_FILE: u64 = 4096;

/// Starts it, if there is a listener for it.
pub(super) fn start(
    server: &Server,
    options: &Options,
    listener: Option<Listener>,
    logs: &Logs,
) -> Result<Option<Server>, Failure> {
    let token_file = options.admin_token_file.as_deref();
    let Some(listener) = listener else {
        return match token_file {
            Some(_) => {
                Err(Failure::usage("--admin-token-file without --admin; give an address with --admin ADDR"))
            }
            None => Ok(None),
        };
    };
    let mut admin = Admin::with_journals(server, logs.journals().to_vec())?;
    if let Some(path) = token_file {
        admin = admin.token(&token(path)?)?;
    }
    Ok(Some(admin.serve_on(listener)?))
}

/// The token in a file: its one line.
pub(super) fn token(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
    read.map_err(|error| {
        Failure::start(format!("cannot read --admin-token-file '{}': {error}", path.display()))
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned().into())
}
