//! What the naive servers have in common: they wait for whatever a client may send.

use crossbeam_channel::unbounded;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

// show: pool
/// So many threads, each with one connection after the other, and a queue for everybody else.
pub fn small_pool(listener: &TcpListener, threads: usize, serve: fn(&TcpStream)) {
    let (queue, waiting) = unbounded::<TcpStream>();
    for _ in 0..threads {
        let waiting = waiting.clone();
        thread::spawn(move || {
            waiting.iter().for_each(|stream| serve(&stream));
        });
    }
    for stream in listener.incoming().flatten() {
        queue.send(stream).unwrap();
    }
}
// end

/// Serves requests until the client has had enough.
pub fn serve(mut stream: &TcpStream) {
    let mut requests = BufReader::new(stream);
    while let Some(path) = read_head(&mut requests) {
        if stream.write_all(&page(&path)).is_err() {
            return;
        }
    }
}

/// The path that is asked for, once the head is complete.
pub fn read_head(from: &mut impl BufRead) -> Option<String> {
    let mut lines = from.lines().map_while(Result::ok);
    let first = lines.next()?;
    lines.find(String::is_empty)?;
    first.split(' ').nth(1).map(str::to_owned)
}

pub fn page(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
