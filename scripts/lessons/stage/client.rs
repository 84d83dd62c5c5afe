//! A client that asks and reads answers, under a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connection to a server.
pub struct Client {
    pub stream: TcpStream,
    /// For each answer.
    patience: Duration,
    /// What has arrived and has not been read.
    input: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A request for a page, which keeps the connection.
pub fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

impl Client {
    pub fn connect(to: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Client { stream, patience, input: Vec::new() })
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.ask(&request(path))
    }

    pub fn ask(&mut self, request: &str) -> io::Result<Answer> {
        self.stream.write_all(request.as_bytes())?;
        self.answer()
    }

    /// The next answer.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let deadline = Instant::now() + self.patience;
        let end = loop {
            if let Some(at) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill(deadline)?;
        };
        let head = String::from_utf8_lossy(&self.input[..end]).into_owned();
        self.input.drain(..end);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut answer = Answer { status: status.unwrap_or(0), head, body: String::new() };
        let length = answer.field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while self.input.len() < length {
            self.fill(deadline)?;
        }
        let body: Vec<u8> = self.input.drain(..length).collect();
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Ok(answer)
    }

    fn fill(&mut self, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left))?;
        let mut block = [0; 16 << 10];
        match self.stream.read(&mut block)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.input.extend_from_slice(&block[..count]);
                Ok(())
            }
        }
    }
}

impl Answer {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether the server ends the connection with it.
    pub fn closes(&self) -> bool {
        self.field("connection").is_some_and(|option| option.eq_ignore_ascii_case("close"))
    }
}
