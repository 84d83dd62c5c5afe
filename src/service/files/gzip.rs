//! Compression while sending, in bounded memory and by a bounded number of threads.

use super::bounds::Portion;
use flate2::Compression;
use flate2::read::GzEncoder;
use std::io::{self, ErrorKind, Read};

/// Answers compressed at once. Each takes a third of a megabyte and as much of a processor as it gets; past the limit,
/// answers go out as they are.
pub(super) const MAX_AT_ONCE: usize = 32;
/// Bytes below which nothing is gained: what fits into one packet does so uncompressed, too.
pub(super) const MIN_LENGTH: u64 = 1024;
/// Most of what the best level saves, at a fraction of its time.
const LEVEL: Compression = Compression::new(4);

/// What `length` bytes of a reader become. Fails if there are fewer: half a file, well compressed, would look whole.
pub(super) struct Gzip<R> {
    encoder: GzEncoder<Exactly<R>>,
    /// Held for as long as it compresses.
    _place: Portion,
}

impl<R: Read> Gzip<R> {
    pub(super) fn new(reader: R, length: u64, place: Portion) -> Self {
        Gzip { encoder: GzEncoder::new(Exactly { reader, left: length }, LEVEL), _place: place }
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.encoder.read(buffer)
    }
}

struct Exactly<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.reader.read(&mut buffer[..most])?;
        if count == 0 && most > 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file has become shorter"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
