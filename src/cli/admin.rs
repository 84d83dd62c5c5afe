//! The listener for those who watch over the server.

use super::Failure;
use super::log::Logs;
use super::options::Options;
use crate::net::{Address, Listener};
use crate::server::{Admin, Server};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of a token's file that are read: more than a token has.
const MAX_FILE: u64 = 4096;
/// What is wrong with a token for nobody.
pub(super) const TOKEN_ALONE: &str = "--admin-token-file without --admin; give an address with --admin ADDR";

/// The listener, and what it goes on with when the token changes.
pub(super) struct Watch {
    server: Server,
    /// Without a token.
    admin: Admin,
    token_file: Option<PathBuf>,
}

/// Starts it, if there is a listener for it.
pub(super) fn start(
    server: &Server,
    options: &Options,
    listener: Option<Listener>,
    logs: &Logs,
) -> Result<Option<Watch>, Failure> {
    let token_file = options.admin_token_file.clone();
    let Some(listener) = listener else {
        return match token_file {
            Some(_) => Err(Failure::usage(TOKEN_ALONE)),
            None => Ok(None),
        };
    };
    let admin = Admin::with_journals(server, logs.journals().to_vec())?;
    let server = guarded(&admin, token_file.as_deref())?.serve_on(listener)?;
    Ok(Some(Watch { server, admin, token_file }))
}

impl Watch {
    /// Where it listens.
    pub(super) fn addresses(&self) -> &[Address] {
        self.server.addresses()
    }

    /// Reads the token again. It is asked for once what comes back is called.
    pub(super) fn renewal(&self) -> Result<impl FnOnce() -> Result<(), Failure>, Failure> {
        let admin = guarded(&self.admin, self.token_file.as_deref())?;
        Ok(move || Ok(admin.take_over(&self.server)?))
    }
}

/// What asks for the token in the file, if there is one.
fn guarded(admin: &Admin, token_file: Option<&Path>) -> Result<Admin, Failure> {
    let admin = admin.clone();
    match token_file {
        Some(path) => Ok(admin.token(&token(path)?)?),
        None => Ok(admin),
    }
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
