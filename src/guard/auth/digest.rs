//! Secrets, and what of them is kept.

use crate::error::Error;
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::hash::{Hash, Hasher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Whether two texts are the same, without telling by the time it takes how much of them is.
///
/// What is compared are the SHA-256 of both, always all 32 bytes, so neither a common beginning nor a common length shows:
/// the time is that of hashing `presented`, which its sender knows, and that of hashing `expected`, which is the same
/// whoever asks. The latter does depend on how many blocks of 64 bytes `expected` fills; who wants to hide even that keeps
/// a [`Digest`] of it, as everything in this crate does, and asks [`Digest::matches`].
///
/// ```
/// use selvedge::guard::auth::equal;
///
/// assert!(equal(b"swordfish", b"swordfish"));
/// assert!(!equal(b"sword", b"swordfish"));
/// ```
pub fn equal(presented: &[u8], expected: &[u8]) -> bool {
    Digest::of(expected).matches(presented)
}

/// The SHA-256 of a secret: what is kept of it. Compares in constant time, and does not show itself.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `text`.
    pub fn of(text: &[u8]) -> Self {
        Digest(Sha256::digest(text).into())
    }

    /// A digest for another purpose than [`of`](Digest::of)'s, and for another than that of any other `purpose`: from one
    /// of them nothing follows for the others.
    pub fn derived(purpose: &'static str, text: &[u8]) -> Self {
        Digest(Sha256::new().chain_update(purpose).chain_update([0]).chain_update(text).finalize().into())
    }

    /// Whether this is the digest of `presented`, in a time that depends on the length of `presented` alone.
    pub fn matches(&self, presented: &[u8]) -> bool {
        *self == Digest::of(presented)
    }

    /// The digest itself, for a store outside of this process.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it would be written into a form or a field: 43 characters of base64url.
    pub fn to_base64url(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// 256 random bits, written as 43 characters of base64url. Wiped from memory when dropped, and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Characters of a secret.
    pub const LEN: usize = 43;

    /// A new one, from the system's random numbers.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|_| Error::Random)?;
        Ok(Secret(Base64UrlUnpadded::encode_string(&*bytes).into()))
    }

    /// A text of somebody else's that has the shape of a secret. Whether it ever was one is for a store to say.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let fits = text.len() == Self::LEN
            && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let text = std::str::from_utf8(text).ok().filter(|_| fits)?;
        Some(Secret(text.to_owned().into()))
    }

    /// The text, to be given to whom it is for, and to nobody else.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
