//! A short text that one thread writes and any other may read, without a lock.

use crate::sync::{AtomicU64, Ordering, fence};

/// Bytes of a label; what is longer is cut.
pub const LABEL_BYTES: usize = 8 * WORDS;
const WORDS: usize = if cfg!(loom) { 2 } else { 12 };
/// The low bits of the state hold the length, the others count writes: odd while one is going on.
const LENGTH_BITS: u32 = 8;
/// How often a reader tries: the writer writes a few dozen nanoseconds in thousands, so once is the rule.
const TRIES: usize = 4;

/// A sequence lock over plain atomic words: the one writer counts up before and after it writes, and a reader whose count
/// has changed meanwhile knows that what it read is of two texts. To write takes a few stores and waits for nobody.
#[derive(Debug)]
pub(super) struct LabelCell {
    /// Written by the one writer, before and after the words.
    state: AtomicU64,
    /// Written by the one writer.
    words: [AtomicU64; WORDS],
}

impl LabelCell {
    pub(super) fn new() -> Self {
        LabelCell { state: AtomicU64::new(0), words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Puts the pieces, one after the other, in the place of what was there. Only one thread may write.
    pub(super) fn write(&self, pieces: [&[u8]; 3]) {
        let mut text = [0; LABEL_BYTES];
        let mut length = 0;
        for piece in pieces {
            let fits = piece.len().min(LABEL_BYTES - length);
            text[length..length + fits].copy_from_slice(&piece[..fits]);
            length += fits;
        }
        let count = (self.state.load(Ordering::Relaxed) >> LENGTH_BITS).wrapping_add(1);
        self.state.store(count << LENGTH_BITS, Ordering::Relaxed);
        // The words come after the odd count, for every reader that sees one of them.
        fence(Ordering::Release);
        for (word, bytes) in self.words.iter().zip(text.as_chunks::<8>().0).take(length.div_ceil(8)) {
            word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
        }
        self.state.store((count.wrapping_add(1) << LENGTH_BITS) | length as u64, Ordering::Release);
    }

    /// The text; `None` if it was being written whenever it was looked at.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        (0..TRIES).find_map(|_| self.read_once())
    }

    fn read_once(&self) -> Option<Vec<u8>> {
        let before = self.state.load(Ordering::Acquire);
        if (before >> LENGTH_BITS) % 2 == 1 {
            return None;
        }
        let length = (before & ((1 << LENGTH_BITS) - 1)) as usize;
        let words = self.words.iter().take(length.div_ceil(8));
        let mut text: Vec<u8> = words.flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
        text.truncate(length);
        fence(Ordering::Acquire);
        (self.state.load(Ordering::Relaxed) == before).then_some(text)
    }
}
