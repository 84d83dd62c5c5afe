//! What the machine itself makes a client wait: as many clients of a server that does nothing but answer, in the same time.
//!
//! On a machine that others use too, everybody waits for a core now and then, whatever the server is worth. These clients wait
//! as long for theirs as the legitimate ones do, and so tell how much of a latency is the server's.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::client::Tls;
use crate::paced::{Paced, spawn_small};

/// Requests a second: enough for a p99 in a few seconds, too few to be felt.
const RATE: u32 = 100;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Starts the server, which ends with the program, and its clients, who speak TLS where the legitimate ones do.
pub fn ask(tls: Option<Tls>) -> io::Result<Paced> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let config = tls.map(|_| server_config()).transpose()?;
    spawn_small(move || {
        for stream in listener.incoming().flatten() {
            let config = config.clone();
            // A client that goes away ends its own thread, nothing else.
            spawn_small(move || serve(stream, config));
        }
    });
    Ok(Paced::start(addr, RATE, tls))
}

/// A thread for each connection, and nothing parsed.
fn serve(stream: TcpStream, config: Option<Arc<ServerConfig>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match config {
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            converse(StreamOwned::new(connection, stream))
        }
        None => converse(stream),
    }
}

fn converse(mut stream: impl Read + Write) -> io::Result<()> {
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

fn server_config() -> io::Result<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)
        });
    config.map(Arc::new).map_err(io::Error::other)
}
