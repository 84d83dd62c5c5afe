//! The shape of [`tls`](super::tls) where it is not compiled in: types that have no values.

use super::{HandshakeError, Stream};
use crate::message::TlsInfo;
use crate::sync::Arc;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;

#[derive(Clone, Debug)]
pub enum Tls {}

#[derive(Debug)]
pub enum TlsStream {}

impl Tls {
    pub(super) fn stream(&self, _: TcpStream) -> Stream {
        match *self {}
    }
}

impl TlsStream {
    pub(super) fn socket(&self) -> &Arc<TcpStream> {
        match *self {}
    }

    pub(super) fn taken(&self) -> u64 {
        match *self {}
    }

    pub(super) fn into_socket(self) -> Arc<TcpStream> {
        match self {}
    }

    pub(super) fn handshake(&mut self) -> Result<TlsInfo, HandshakeError> {
        match *self {}
    }

    pub(super) fn hold(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn send_file(&mut self, _: &File, _: u64, _: usize, _: &mut Vec<u8>) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn say_end(&mut self) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn break_off(&mut self) {
        match *self {}
    }

    pub(super) fn discard(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn reset(self) {
        match self {}
    }
}

impl Read for TlsStream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for TlsStream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}
