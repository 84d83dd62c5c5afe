//! A directory on the wire: whatever is asked for and how, what comes is a part of the file that has that name, is the part
//! that the answer says it is, and is never what is not served.

use super::model::Message;
use super::talk::{builder, talk};
use crate::support::Answer;
use selvedge::{Config, Files, Server};
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

/// In no file that is served.
const SECRET: &str = "ThisIsNotServed";

struct Site {
    server: Server,
    text: Vec<u8>,
    page: &'static str,
}

fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        let folder = folder();
        let root = folder.join("root");
        fs::create_dir_all(root.join("d")).expect("a place to write");
        let text: Vec<u8> =
            (0..3000_u32).map(|at| b'a' + (at.wrapping_mul(0x9e37) >> 7) as u8 % 26).collect();
        let page = "<p>page</p>";
        for (name, content) in [
            ("root/t.txt", &text[..]),
            ("root/e", b""),
            ("root/.hidden", SECRET.as_bytes()),
            ("root/d/index.html", page.as_bytes()),
            ("root/d/.git", SECRET.as_bytes()),
            ("outside", SECRET.as_bytes()),
        ] {
            fs::write(folder.join(name), content).expect("a place to write");
            let file = fs::File::options().write(true).open(folder.join(name)).expect("it is there");
            file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).expect("a time");
        }
        std::os::unix::fs::symlink("../outside", root.join("link")).expect("a link");
        let files = Files::open(&root).expect("a directory").with_listing(true).with_gzip(true);
        let server = builder(Config::default()).serve(files).expect("it starts");
        Site { server, text, page }
    })
}

/// Where tests may write, or the fuzzer, which takes away what it leaves there.
fn folder() -> PathBuf {
    let temporary = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    temporary.join(format!("hostile-{}", std::process::id()))
}

/// Takes away what was written, after the last check.
#[cfg(test)]
pub fn leave() {
    let _ = fs::remove_dir_all(folder());
}

/// `bytes` are a path and field lines.
pub fn check(bytes: &[u8]) {
    let site = site();
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let path = lines.next().unwrap_or_default();
    let mut request = [b"GET ", path, b" HTTP/1.1\r\nHost: h\r\n"].concat();
    for line in lines.filter(|line| !line.is_empty()) {
        request.extend([line, b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    let talk = talk(&site.server, &request, &[], None);
    talk.follow(&request, |message, _, answer| one(site, message, answer));
}

fn one(site: &Site, message: &Message<'_>, answer: &Answer) {
    let body = String::from_utf8_lossy(&answer.body);
    assert!(!body.contains(SECRET), "{body}");
    let is_listing = answer.status == 200 && body.starts_with("<!DOCTYPE html>");
    assert!(!is_listing || !(body.contains(".hidden") || body.contains(".git<")), "{body}");
    if matches!(answer.status, 304 | 412) || message.method != b"GET" {
        return;
    }
    // A slash that is escaped ends no name.
    let names = message.path().split(|&byte| byte == b'/').map(super::target::decode);
    let names = names.collect::<Option<Vec<_>>>().unwrap_or_default();
    let names: Vec<_> = names.iter().map(Vec::as_slice).collect();
    let content: &[u8] = match names[..] {
        [b"", b"t.txt"] => &site.text,
        [b"", b"e"] => b"",
        [b"", b"d", b"" | b"index.html"] => site.page.as_bytes(),
        _ => return assert!(!body.contains(site.page) && answer.status != 206, "{answer:?}"),
    };
    match answer.status {
        200 => match answer.field("content-encoding") {
            None => assert_eq!(answer.body, content),
            Some(coding) => assert_eq!((coding, inflate(&answer.body)), ("gzip", content.to_vec())),
        },
        206 => match answer.field("content-range") {
            Some(range) => assert_eq!(answer.body, part(range, content)),
            None => parts(answer, content),
        },
        416 => assert_eq!(answer.field("content-range"), Some(&*format!("bytes */{}", content.len()))),
        // Neither gzip nor the file as it is, or a request that is refused for another reason.
        406 | 400 | 413 | 417 | 431 | 501 => {}
        status => panic!("{status}: {answer:?}"),
    }
}

/// What a Content-Range means.
fn part<'c>(range: &str, content: &'c [u8]) -> &'c [u8] {
    let (range, len) = range.strip_prefix("bytes ").and_then(|range| range.split_once('/')).expect("a range");
    let (first, last) = range.split_once('-').expect("two ends");
    assert_eq!(len, content.len().to_string());
    let [first, last]: [usize; 2] = [first, last].map(|end| end.parse().expect("a number"));
    &content[first..=last]
}

/// Every part of `multipart/byteranges` (RFC 9110 §14.6) is what it says.
fn parts(answer: &Answer, content: &[u8]) {
    let kind = answer.field("content-type").unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("parts");
    let text = std::str::from_utf8(&answer.body).expect("all is text");
    let text = text.strip_suffix(&format!("\r\n--{boundary}--\r\n")).expect("an end");
    let text = format!("\r\n{text}");
    let mut count = 0;
    for one in text.split(&format!("\r\n--{boundary}\r\n")).skip(1) {
        let (head, data) = one.split_once("\r\n\r\n").expect("a head");
        let range = head.lines().find_map(|line| line.strip_prefix("Content-Range: ")).expect("a range");
        assert_eq!(data.as_bytes(), part(range, content));
        count += 1;
    }
    assert!((2..=64).contains(&count), "{count} parts");
}

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    plain
}
