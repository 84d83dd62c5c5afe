//! Clients that speak TLS well enough to do harm with it.

use super::client::{Offer, connect, over};
use super::pki::{Folder, authority, settings};
use super::serve_with;
use crate::support::eventually;
use rustls::version::TLS13;
use selvedge::{Request, Tls};
use std::io::Write;
use std::sync::Arc;

fn hello(_: &mut Request) -> &'static str {
    "hello"
}

/// What follows a `close_notify` is not looked at (RFC 8446 §6.1), not even where it comes in one go with the end of the
/// handshake, of which as much has come before as may be held.
#[test]
fn more_after_the_end() {
    let folder = Folder::new("more");
    let mut settings = settings(&folder);
    settings.client_ca = Some(folder.write("authority.pem", &authority().pem));
    let server = serve_with(&Tls::load(settings).expect("usable"), |_| (), hello);
    let names: Vec<String> = (0..668).map(|number| format!("{number:03}.a-long-name.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fat = authority().issue(&names, |_| ());
    let config =
        Arc::new(Offer { versions: &[&TLS13], certificate: Some(&fat), ..Offer::default() }.config());
    let super::client::Secure { mut conn, mut sock } = over(connect(&server), &config, "localhost");
    let mut bytes = Vec::new();
    while conn.is_handshaking() {
        while conn.wants_write() {
            conn.write_tls(&mut sock).expect("it reads");
        }
        conn.read_tls(&mut sock).expect("it replies");
        conn.process_new_packets().expect("it agrees");
    }
    conn.send_close_notify();
    while conn.wants_write() {
        conn.write_tls(&mut bytes).expect("to memory");
    }
    println!("{}", bytes.len());
    assert!((16_500..17_900).contains(&bytes.len()), "more than a record, less than two: {}", bytes.len());
    bytes.resize(bytes.len() + 8000, 0);
    sock.write_all(&bytes).expect("it reads");
    eventually("it has left", || server.monitor().counters().accepted == 1);
    eventually("it has left", || server.monitor().counters().active_connections == 0);
}
