//! A budget of bytes that many threads draw from.

use crate::sync::{Arc, AtomicUsize, Ordering};

/// A number of bytes to be had in all. Drawn in pieces, given back by drop.
///
/// ```
/// use selvedge::threads::Budget;
///
/// let budget = Budget::new(10);
/// let mut share = budget.share();
/// assert!(share.draw(8));
/// assert!(!share.draw(8), "only two are left");
/// drop(share);
/// assert_eq!(budget.left(), 10);
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    /// Bytes not drawn. Written by every share; a plain count, so no order with other memory is needed.
    left: Arc<AtomicUsize>,
    total: usize,
}

/// What one holder has drawn from a [`Budget`].
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    drawn: usize,
}

impl Budget {
    /// A budget of `bytes` bytes.
    pub fn new(bytes: usize) -> Self {
        Budget { left: Arc::new(AtomicUsize::new(bytes)), total: bytes }
    }

    /// A share that has drawn nothing yet.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), drawn: 0 }
    }

    /// Bytes there are in all.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Bytes nobody has drawn.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Bytes it has drawn.
    pub fn drawn(&self) -> usize {
        self.drawn
    }

    /// Draws `bytes` more, all of them or none.
    #[must_use]
    pub fn draw(&mut self, bytes: usize) -> bool {
        self.draw_up_to(bytes, bytes).is_some()
    }

    /// Draws `most` bytes more, or as many as are left, if that is `least` at the least; says how many.
    pub fn draw_up_to(&mut self, least: usize, most: usize) -> Option<usize> {
        let rest = |left: usize| (left >= least).then(|| left - left.min(most));
        let before = self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).ok()?;
        let drawn = before.min(most);
        self.drawn += drawn;
        Some(drawn)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.drawn, Ordering::Relaxed);
    }
}
