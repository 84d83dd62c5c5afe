//! The bytes of a connection that have arrived and not been used up.

/// A buffer that begins with the message at hand. It lives as long as its connection, grows to what a message needs, up
/// to a bound, and shrinks back when the connection falls idle.
///
/// Offsets into [`message`](Buffer::message) stay valid while more arrives.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// Bytes a fresh buffer has room for: the heads of nearly all requests.
const INITIAL: usize = 2048;

impl Buffer {
    /// An empty buffer, without memory until something arrives.
    pub fn new() -> Self {
        Buffer::default()
    }

    /// All that has arrived, from the first byte of the message at hand.
    pub fn message(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether nothing has arrived.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room for at least one more byte, and where there is none, for twice as many as before. `None` when `bound` bytes
    /// have arrived and not been used up.
    pub fn room(&mut self, bound: usize) -> Option<&mut [u8]> {
        let held = self.end - self.start;
        if held >= bound {
            return None;
        }
        if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, held);
            }
            if self.end == self.bytes.len() {
                self.bytes.resize((self.bytes.len() * 2).max(INITIAL), 0);
            }
        }
        let last = self.bytes.len().min(self.start + bound);
        Some(&mut self.bytes[self.end..last])
    }

    /// Notes that `count` bytes have been put into the room.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Puts bytes in that have arrived elsewhere.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.truncate(self.end);
        self.bytes.extend_from_slice(bytes);
        self.end = self.bytes.len();
    }

    /// The message at hand took `count` bytes; the next begins after them.
    pub fn advance(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Throws away all but the first `count` bytes of the message at hand.
    pub fn truncate(&mut self, count: usize) {
        self.end = (self.start + count).min(self.end);
    }

    /// Gives back memory that an unusually large message took. Only an empty buffer shrinks.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.bytes.len() > INITIAL {
            self.bytes.truncate(INITIAL);
            self.bytes.shrink_to_fit();
        }
    }
}
