//! A directory, served.
#![cfg(feature = "files")]

pub mod coding;
mod listing;
mod paths;
mod preconditions;
mod race;
mod ranges;
mod sending;
mod site;

use crate::support::{Answer, Client};
use selvedge::{Files, Server};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Long enough ago for a file to be settled.
const LONG_AGO: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn long_ago() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// A directory of its own, that is gone when the test is over.
struct Site(PathBuf);

impl Site {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("site-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("a place to write");
        Site(path)
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// Writes a file that nobody has touched since.
    fn with(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a place to write");
        std::fs::write(&path, content).expect("a place to write");
        self.touch(path, long_ago());
    }

    fn touch(&self, path: impl AsRef<Path>, modified: SystemTime) {
        let file = File::options().write(true).open(self.path(path)).expect("it is there");
        file.set_modified(modified).expect("a time");
    }

    /// Its files, an hour after they were written: that they have just been changed does not show.
    fn files(&self) -> Files {
        Files::open(&self.0).expect("a directory").ahead(Duration::from_secs(3600))
    }

    fn serve(&self) -> Server {
        serve(self.files())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn serve(files: Files) -> Server {
    crate::support::serve(|config| config.max_path = 4096, files)
}

/// Bytes of which no two neighbourhoods are alike.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

/// GET, or another method, with fields.
#[track_caller]
fn ask(client: &mut Client, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in fields {
        request.extend([name, ": ", value, "\r\n"]);
    }
    client.send(request + "\r\n");
    client.read(method == "HEAD").expect("an answer")
}

fn etag(answer: &Answer) -> &str {
    answer.field("etag").expect("a tag")
}
