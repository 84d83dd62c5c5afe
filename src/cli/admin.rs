//! The listener for those who watch over the server.

use super::Failure;
use super::log::Logs;
use super::options::Options;
use crate::server::{Admin, Server};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of a token's file that are read: more than a token has.
const MAX_FILE: u64 = 4096;

/// Starts it, if an address is given.
pub(super) fn start(server: &Server, options: &Options, logs: &Logs) -> Result<Option<Server>, Failure> {
    let token_file = options.admin_token_file.as_deref();
    let Some(address) = &options.admin else {
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
    let started = admin.serve(address).map_err(|error| {
        // What is said of an address that is taken is said of the one that is served.
        let mut failure = Failure::from(error);
        failure.messages.iter_mut().for_each(|message| *message = message.replace("--bind", "--admin"));
        failure
    });
    started.map(Some)
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
