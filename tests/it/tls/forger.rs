//! A client that has shaken hands honestly, and then sends any record it likes under the right key.

use super::client::{Offer, Secure, connect, over, shake_hands};
use super::raw::HANDSHAKE;
use crate::support::Client;
use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion,
};
use selvedge::Server;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

pub struct Forger {
    sealer: Box<dyn MessageEncrypter>,
    sequence: u64,
    pub socket: TcpStream,
}

impl Forger {
    pub fn connect(server: &Server, version: &'static SupportedProtocolVersion) -> Self {
        let config = Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
        let mut client = Client::over(over(connect(server), &config, "localhost"));
        shake_hands(&mut client);
        Forger::take(client.stream)
    }

    pub fn take(stream: Secure) -> Self {
        let Secure { conn, sock } = stream;
        let suite = conn.negotiated_cipher_suite().expect("agreed");
        let (sequence, secrets) = conn.dangerous_extract_secrets().expect("it is idle").tx;
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("another cipher")
        };
        let sealer = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => {
                let (fixed, explicit) = iv.as_ref().split_at(4);
                suite.aead_alg.encrypter(key, fixed, explicit)
            }
        };
        let mut forger = Forger { sealer, sequence: 0, socket: sock };
        // Some ciphers insist on being used in order from the beginning.
        while forger.sequence < sequence {
            forger.record(HANDSHAKE, b"said already");
        }
        forger
    }

    /// A record of `kind`, sealed as the next one.
    pub fn record(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ: ContentType::from(kind),
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(body),
        };
        self.sequence += 1;
        self.sealer.encrypt(message, self.sequence - 1).expect("sealed").encode()
    }

    pub fn send_regardless(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    pub fn send(&mut self, kind: u8, body: &[u8]) {
        let record = self.record(kind, body);
        self.socket.write_all(&record).expect("it reads");
    }

    /// Waits for the end, whatever comes before it, and however it comes.
    pub fn read_to_end(&mut self) {
        let ended = self.socket.read_to_end(&mut Vec::new());
        assert!(!ended.is_err_and(|problem| problem.kind() == ErrorKind::WouldBlock), "it is still there");
    }
}
