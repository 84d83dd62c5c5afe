//! Records of TLS, byte by byte, for what no library would send.

use std::io::Read;
use std::net::TcpStream;

pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const DATA: u8 = 23;

/// Suites of TLS 1.2, all with ECDSA, and all with RSA.
pub const ECDSA_SUITES: &[u16] = &[0xc02b, 0xc02c, 0xcca9];
pub const RSA_SUITES: &[u16] = &[0xc02f, 0xc030, 0xcca8];

/// Schemes of signatures: with ECDSA, and with RSA.
pub const ECDSA_SCHEMES: &[u16] = &[0x0403];
pub const RSA_SCHEMES: &[u16] = &[0x0804, 0x0401];

/// A `ClientHello` of TLS 1.2 or older, to which a server replies in the clear.
pub struct Hello<'a> {
    pub version: u16,
    pub suites: &'a [u16],
    pub schemes: &'a [u16],
    pub name: Option<&'a [u8]>,
    /// Bytes of an extension nobody knows.
    pub padding: usize,
}

impl Default for Hello<'_> {
    fn default() -> Self {
        Hello {
            version: 0x0303,
            suites: ECDSA_SUITES,
            schemes: ECDSA_SCHEMES,
            name: Some(b"localhost"),
            padding: 0,
        }
    }
}

impl Hello<'_> {
    /// The message, in as few records as it fits in.
    pub fn records(&self) -> Vec<u8> {
        let message = self.message();
        message.chunks(1 << 14).flat_map(|piece| record(HANDSHAKE, 0x0301, piece)).collect()
    }

    pub fn message(&self) -> Vec<u8> {
        let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        let mut extensions = Vec::new();
        let mut extend = |kind: u16, body: Vec<u8>| {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(sized(2, &body));
        };
        if let Some(name) = self.name {
            extend(0, sized(2, &[&[0], &sized(2, name)[..]].concat()));
        }
        // secp256r1, uncompressed.
        extend(10, sized(2, &words(&[0x0017])));
        extend(11, sized(1, &[0]));
        extend(13, sized(2, &words(self.schemes)));
        if self.padding > 0 {
            extend(0xfafa, vec![0; self.padding]);
        }
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.extend(sized(1, &[]));
        body.extend(sized(2, &words(self.suites)));
        body.extend(sized(1, &[0]));
        body.extend(sized(2, &extensions));
        [&[1], &sized(3, &body)[..]].concat()
    }
}

/// `body` behind its length in so many bytes.
fn sized(bytes: usize, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_be_bytes();
    [&length[length.len() - bytes..], body].concat()
}

pub fn record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    [&[kind], &version.to_be_bytes()[..], &sized(2, body)].concat()
}

/// How a server replies to a hello of TLS 1.2.
#[derive(Debug, PartialEq)]
pub enum Reply {
    /// With a certificate, in DER.
    Certificate(Vec<u8>),
    /// With a fatal alert.
    Alert(u8),
    /// By closing in good order, without TLS.
    Closed,
    /// In plain text.
    Plain(String),
    /// With a reset.
    Reset,
}

pub fn reply(stream: &mut TcpStream) -> Reply {
    let mut handshake = Vec::new();
    loop {
        let mut header = [0; 5];
        match stream.read(&mut header[..1]) {
            Ok(0) => return Reply::Closed,
            Ok(_) => {}
            Err(_) => return Reply::Reset,
        }
        if header[0] == b'H' {
            let mut text = b"H".to_vec();
            stream.read_to_end(&mut text).expect("closed in good order");
            return Reply::Plain(String::from_utf8(text).expect("text"));
        }
        stream.read_exact(&mut header[1..]).expect("a record");
        let mut body = vec![0; usize::from(header[3]) << 8 | usize::from(header[4])];
        stream.read_exact(&mut body).expect("all of it");
        match header[0] {
            ALERT => {
                assert_eq!(body[0], 2, "only what is fatal is said before the handshake is over");
                return Reply::Alert(body[1]);
            }
            HANDSHAKE => handshake.extend(body),
            other => panic!("a record of type {other}"),
        }
        if let Some(certificate) = first_certificate(&handshake) {
            return Reply::Certificate(certificate);
        }
    }
}

/// The server's own certificate, once the message with it is complete.
fn first_certificate(mut messages: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | usize::from(byte));
    loop {
        let (kind, length) = (messages.first()?, number(messages.get(1..4)?));
        let body = messages.get(4..4 + length)?;
        if *kind == 11 {
            return body.get(6..6 + number(&body[3..6])).map(<[u8]>::to_vec);
        }
        messages = &messages[4 + length..];
    }
}
