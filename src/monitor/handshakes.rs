//! Handshakes of TLS, by what was agreed.

use crate::sync::Mutex;

/// Combinations that are told apart; versions and groups are the library's, so there are only so many.
const KINDS: usize = 64;

/// How often which handshake was completed, and why others failed. A handshake costs a hundred thousand times what this
/// lock does.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    completed: Mutex<Vec<(Agreed, u64)>>,
    failed: Mutex<Vec<(&'static str, u64)>>,
}

/// What a handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The protocol's version, as in `TLSv1.3`.
    pub version: &'static str,
    /// The group of the key exchange, as in `X25519MLKEM768`.
    pub group: &'static str,
    /// Whether an earlier session was gone on with.
    pub resumed: bool,
}

impl Handshakes {
    pub(crate) fn note(&self, agreed: Agreed) {
        count(&mut self.completed.lock(), agreed);
    }

    pub(crate) fn note_failure(&self, reason: &'static str) {
        count(&mut self.failed.lock(), reason);
    }

    pub(crate) fn completed(&self) -> Vec<(Agreed, u64)> {
        self.completed.lock().clone()
    }

    pub(crate) fn failed(&self) -> Vec<(&'static str, u64)> {
        self.failed.lock().clone()
    }
}

fn count<K: PartialEq>(counts: &mut Vec<(K, u64)>, key: K) {
    if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == key) {
        *count += 1;
    } else if counts.len() < KINDS {
        counts.push((key, 1));
    }
}
