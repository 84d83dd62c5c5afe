//! A whole site, fetched through its listings.

use super::listing::links;
use super::{Site, pattern, serve};
use crate::support::Client;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

const NAMES: &[&[u8]] = &[
    b"plain.txt",
    b"with spaces and  more",
    b"100%25%",
    b"a#b?c&d=e;f",
    b"quotes\"'`",
    b"<b>&amp;</b",
    b"back\\slash",
    b"colon:and@at",
    b"~tilde!$()*+,[]{}|^",
    b"..double",
    b"-dash",
    b"\xff\xfe\x80 not UTF-8",
    "Ünïcöde – 日本語 🧵".as_bytes(),
    "e\u{301} and \u{e9}".as_bytes(),
    "\u{202e}right to left".as_bytes(),
];

/// Below `path`, by what their links lead to.
fn fetch(client: &mut Client, path: &str, found: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    let page = client.get(path);
    assert_eq!(page.status, 200, "{path}");
    for link in links(&page).into_iter().filter(|link| link != "../") {
        let path = format!("{path}{link}");
        if link.ends_with('/') {
            fetch(client, &path, found);
        } else {
            let answer = client.get(&path);
            assert_eq!(answer.status, 200, "{path}");
            found.insert(percent_encoding::percent_decode_str(&path[1..]).collect(), answer.body);
        }
    }
}

#[test]
fn a_whole_site() {
    let site = Site::new();
    let mut written = BTreeMap::new();
    for (at, directory) in NAMES.iter().enumerate().filter(|(_, name)| !name.starts_with(b".")) {
        for (also_at, name) in NAMES.iter().enumerate() {
            let hidden = name.starts_with(b".");
            let path = [directory, *name].join(&b'/');
            let content = pattern((at * NAMES.len() + also_at) * 131);
            site.write(OsStr::from_bytes(&path), &content);
            if !hidden {
                written.insert(path, content);
            }
        }
    }
    for (name, length) in [("16K", 16 << 10), ("16K+1", (16 << 10) + 1), ("1M", 1 << 20), ("empty", 0)] {
        site.write(name, pattern(length));
        written.insert(name.into(), pattern(length));
    }
    let server = serve(site.files().with_listing(true));
    let mut found = BTreeMap::new();
    fetch(&mut Client::connect(&server), "/", &mut found);
    assert!(found.keys().eq(written.keys()), "{:?}", found.keys());
    assert!(found == written);
}
