//! Plain HTTP that points to HTTPS.

use super::{begin, program, scratch};
use crate::support::Client;
use rustix::process::Signal;
use std::fs;
use std::net::TcpStream;

/// Plain HTTP that points elsewhere points there before anybody is asked for a password, which would cross the network in
/// the clear.
#[test]
fn plain_http_asks_for_no_password() {
    let folder = scratch("redirected");
    fs::create_dir_all(&folder).expect("a place to write");
    let users = folder.join("users");
    fs::write(&users, crate::accounts::line("user", "right")).expect("a place to write");
    let served = folder.to_str().expect("UTF-8");
    let listening =
        ["--bind", "127.0.0.1:0", "--tls-self-signed", "--redirect-http", "127.0.0.1:0", "--users"];
    let (serving, banner) = begin(program(&listening).args([users.to_str().expect("UTF-8"), served]));
    let address = |scheme: &str| {
        let (_, rest) = banner.split_once(scheme).expect("it listens there");
        rest.split('/').next().expect("an address").to_owned()
    };
    let (plain, secure) = (address("http://"), address("https://"));
    // "dXNlcjpwYXNzd29yZA==" is a user's password; that it is wrong is not to be learned here either.
    for (method, fields, status) in [
        ("GET", "", 308),
        ("HEAD", "", 308),
        ("GET", "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n", 308),
        ("POST", "Content-Length: 0\r\n", 400),
        ("POST", "Content-Length: 0\r\nOrigin: http://elsewhere.example\r\n", 400),
    ] {
        let mut client = Client::tcp(TcpStream::connect(&plain).expect("it listens"));
        client.send(format!("{method} /a?b HTTP/1.1\r\nHost: {plain}\r\n{fields}\r\n"));
        let answer = if method == "HEAD" { client.answer_to_head() } else { client.answer() };
        assert_eq!(answer.status, status, "{method} {fields}");
        assert_eq!(answer.field("www-authenticate"), None, "{method} {fields}");
        let location = (status == 308).then(|| format!("https://{secure}/a?b"));
        assert_eq!(answer.field("location"), location.as_deref(), "{method} {fields}");
    }
    serving.signal(Signal::TERM);
    serving.end(0);
    let _ = fs::remove_dir_all(folder);
}
