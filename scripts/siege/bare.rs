//! What the machine itself makes a client wait: as many clients of a server that does nothing but answer, in the same time.
//!
//! On a machine that others use too, everybody waits for a core now and then, whatever the server is worth. These clients wait
//! as long for theirs as the legitimate ones do, and so tell how much of a latency is the server's.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use crate::paced::{Paced, spawn_small};

/// Requests a second: enough for a p99 in a few seconds, too few to be felt.
const RATE: u32 = 100;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A thread for each connection, and nothing parsed.
#[derive(Clone, Copy)]
pub struct Bare(SocketAddr);

impl Bare {
    /// Starts the server; it ends with the program.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        spawn_small(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away ends its own thread, nothing else.
                spawn_small(move || converse(stream));
            }
        });
        Ok(Self(addr))
    }

    /// Starts its clients.
    pub fn ask(self) -> Paced {
        Paced::start(self.0, RATE, None)
    }
}

fn converse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            count => filled += count,
        }
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            stream.write_all(ANSWER)?;
            filled = 0;
        }
    }
}
