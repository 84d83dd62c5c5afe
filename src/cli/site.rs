//! A directory that is served.

use super::Failure;
use super::options::{Options, near};
use super::verbs::VERBS;
use crate::clock::Clock;
use crate::guard::auth::{BasicAuth, Login};
use crate::service::Files;
use crate::service::files::Bounds;
use crate::service::files::root::{Opened, Root};
use crate::sync::Arc;
use log::warn;
use std::path::Path;

/// What answers with the files of the directory, and the guard that asks who is there, where not everybody is let in.
pub(super) fn service(
    options: &Options,
    path: &Path,
    bounds: &Bounds,
    login: Option<Arc<Login>>,
) -> Result<(Option<BasicAuth>, Files), Failure> {
    let files = files(options, path)?.within(bounds);
    let guard = login.map(|login| BasicAuth::new(login, REALM, Clock::system()));
    Ok((guard.transpose()?, files))
}

/// What browsers show to who is asked for a password.
const REALM: &str = "selvedge";

fn files(options: &Options, path: &Path) -> Result<Files, Failure> {
    exists(path)?;
    if let Some(warning) = without_index(options, path) {
        warn!("{warning}");
    }
    let Options { listing, follow_links, spa, gzip, .. } = *options;
    let mut files = Files::open(path)?.with_listing(listing).with_follow_links(follow_links);
    files = files.with_spa(spa).with_gzip(gzip);
    if let Some(page) = &options.not_found {
        files = files.with_not_found(page);
    }
    if let Some(value) = &options.cache_control {
        files = files.with_cache_control(value.clone());
    }
    Ok(files)
}

/// A warning about an application whose one page is not there: whatever is asked for would be 404.
pub(super) fn without_index(options: &Options, path: &Path) -> Option<String> {
    let root = Root::open(path).ok().filter(|_| options.spa)?.with_follow_links(options.follow_links);
    let is_there = matches!(root.open_below(b"index.html"), Ok(Opened::File(..)));
    (!is_there).then(|| format!("--spa, and no index.html that can be read in {}", path.display()))
}

/// Whether there is such a directory. A word that is none is perhaps a command, with a slip in it.
pub(super) fn exists(path: &Path) -> Result<(), Failure> {
    look(path).map_err(|problem| {
        let word = path.to_str().filter(|word| !word.contains('/') && !path.exists());
        let words = || VERBS.iter().map(|verb| verb.name).chain(FLAGS_TOO);
        match word.and_then(|word| near(word, words())) {
            Some(flag) if FLAGS_TOO.contains(&flag) => {
                Failure::usage(format!("{problem}; see 'selvedge --{flag}'"))
            }
            Some(verb) => Failure::usage(format!("{problem}; a similar command is '{verb}'")),
            None => Failure::start(problem),
        }
    })
}

/// Flags that are commands elsewhere.
const FLAGS_TOO: [&str; 2] = ["help", "version"];

/// Whether the directory is there and can be read, or what is in the way.
pub(super) fn look(path: &Path) -> Result<(), String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(data) if data.is_dir() => {
            std::fs::read_dir(path).map(|_| ()).map_err(|error| format!("cannot read '{shown}': {error}"))
        }
        Ok(_) => Err(format!("'{shown}' is not a directory; name the one it is in")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("no such directory '{shown}'"))
        }
        Err(error) => Err(format!("cannot look at '{shown}': {error}")),
    }
}
