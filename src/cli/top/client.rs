//! Asks an admin listener, over TCP or a Unix socket.

use super::super::Failure;
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a server may take for each step.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer.
const MAX_ANSWER: u64 = 8 << 20;
/// Fields of an answer.
const MAX_FIELDS: usize = 64;

pub(super) struct Client {
    address: String,
    token: Option<Zeroizing<String>>,
}

impl Client {
    pub(super) fn new(address: &str, token: Option<Zeroizing<String>>) -> Self {
        Client { address: address.to_owned(), token }
    }

    /// The board, with what has happened after sample `since`, and so many connections in words.
    pub(super) fn ask(&mut self, since: u64, rows: usize) -> Result<Value, Failure> {
        let host = if self.address.starts_with("unix:") { "localhost" } else { &self.address };
        let mut request = Zeroizing::new(format!(
            "GET /board.json?since={since}&rows={rows} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        ));
        if let Some(token) = &self.token {
            request.push_str("Authorization: Bearer ");
            request.push_str(token);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let answer = self.exchange(request.as_bytes()).map_err(|error| {
            Failure::start(format!(
                "cannot ask {}: {error}; is --admin the address of a server's admin listener?",
                self.address
            ))
        })?;
        let body = self.body(&answer)?;
        serde_json::from_slice(body).map_err(|_| self.other())
    }

    fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        if let Some(path) = self.address.strip_prefix("unix:") {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            return converse(stream, request);
        }
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return converse(stream, request);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The body of a good answer.
    fn body<'a>(&self, answer: &'a [u8]) -> Result<&'a [u8], Failure> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(length)) = head.parse(answer) else { return Err(self.other()) };
        match head.code {
            Some(200) => Ok(&answer[length..]),
            Some(401) => Err(Failure::start(format!(
                "{} wants another token; give it with --admin-token-file FILE",
                self.address
            ))),
            Some(code) => Err(Failure::start(format!("{} answers with status {code}", self.address))),
            None => Err(self.other()),
        }
    }

    fn other(&self) -> Failure {
        Failure::start(format!("{} is no admin listener of selvedge", self.address))
    }
}

fn converse(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}
