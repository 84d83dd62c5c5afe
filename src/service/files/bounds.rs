//! What all answers that are made of a directory may take, together.

use super::{gzip, listing, variants};
use crate::threads::Budget;

/// The budgets of a directory. Clones draw from the same ones: what is held of them outlives the [`Files`](super::Files)
/// that answered, so who takes its place goes on with them.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// How many more bytes listings may take while they are being made.
    pub(super) making: Budget,
    /// How many more bytes of listings may be on their way.
    pub(super) pages: Budget,
    /// How many more answers may be compressed now.
    pub(super) places: Budget,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            making: Budget::new(listing::MAX_IN_MAKING),
            pages: Budget::new(variants::MAX_PAGES),
            places: Budget::new(gzip::MAX_AT_ONCE),
        }
    }
}
