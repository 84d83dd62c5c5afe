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
const INITIAL: usize = 1024;
/// Bytes an empty buffer keeps, at most, where messages are larger than that.
const MOST_KEPT: usize = 4096;

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

    /// Room for at least `least` more bytes, or for as many as are left of `bound`, which is how many may have arrived
    /// and not been used up. `None` when so many have.
    pub fn room(&mut self, least: usize, bound: usize) -> Option<&mut [u8]> {
        let held = self.end - self.start;
        let least = least.min(bound.checked_sub(held).filter(|&left| left > 0)?);
        if self.bytes.len() - self.end < least {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
            if self.bytes.len() - held < least {
                self.bytes.resize((self.bytes.len() * 2).max(INITIAL).max(held + least), 0);
            }
        }
        let full = self.bytes.len().min(self.start + bound);
        Some(&mut self.bytes[self.end..full])
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

    /// Makes ready to wait for a message like the last one, of so many bytes: a small one can then be read at once, and what
    /// a large one took is given back. Only an empty buffer changes.
    pub fn fit(&mut self, message: usize) {
        let room = if message > MOST_KEPT { INITIAL } else { message.next_power_of_two().max(INITIAL) };
        if !self.is_empty() {
            return;
        }
        self.bytes.truncate(room);
        self.bytes.shrink_to(room);
        if room > INITIAL {
            self.bytes.resize(room, 0);
        }
    }
}
