//! A directory that is exchanged with a link out of the root, again and again, while a file below it is asked for.

use super::{Site, serve};
use crate::support::{Client, PATIENCE};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use selvedge::Files;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// How often each side of the race has to be seen.
const SEEN: usize = 300;

fn nothing_leaks(configure: impl FnOnce(Files) -> Files) {
    let outside = Site::new().with("file", "outside");
    let site = Site::new().with("www/dir/file", "inside");
    let target = format!("../../{}", outside.0.file_name().expect("a name").display());
    std::os::unix::fs::symlink(target, site.path("www/link")).expect("a link");
    assert_eq!(std::fs::read(site.path("www/link/file")).expect("the link leads there"), b"outside");
    let server = serve(configure(Files::open(site.path("www")).expect("a directory")));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (directory, link) = (site.path("www/dir"), site.path("www/link"));
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &directory, CWD, &link, RenameFlags::EXCHANGE).expect("both are there");
            }
        });
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(&server);
                    let (mut inside, mut refused) = (0, 0);
                    let deadline = Instant::now() + 2 * PATIENCE;
                    while inside < SEEN || refused < SEEN {
                        let answer = client.get("/dir/file");
                        match (answer.status, answer.text()) {
                            (200, "inside") => inside += 1,
                            (404, _) => refused += 1,
                            other => return Err(format!("{other:?}")),
                        }
                        if Instant::now() > deadline {
                            return Err(format!("{inside} served, {refused} refused"));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        let seen: Vec<_> = clients.into_iter().map(|client| client.join().expect("it ends")).collect();
        over.store(true, Ordering::Relaxed);
        assert!(seen.iter().all(Result::is_ok), "{seen:?}");
    });
}

#[test]
fn nothing_leaks_where_no_link_is_followed() {
    nothing_leaks(|files| files);
}

#[test]
fn nothing_leaks_where_links_are_followed() {
    nothing_leaks(|files| files.with_follow_links(true));
}

#[test]
fn nothing_leaks_without_openat2() {
    nothing_leaks(Files::walking);
}
