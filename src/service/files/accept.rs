//! What a client can read: content codings and media types, with their weights (RFC 9110 §12.4–12.5).

pub use crate::message::accept::names_html;
use crate::message::accept::weighted;

/// A content coding (RFC 9110 §8.4.1) that a file may be there in, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstd,
    /// Gzip (RFC 1952).
    Gzip,
}

impl Coding {
    const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// Its name in Content-Encoding.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What the names of files in it end with.
    pub fn suffix(self) -> &'static [u8] {
        match self {
            Coding::Brotli => b".br",
            Coding::Zstd => b".zst",
            Coding::Gzip => b".gz",
        }
    }
}

/// The codings a client accepts, by the weights of its Accept-Encoding fields in thousandths (RFC 9110 §12.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codings {
    /// In the order of [`Coding::ALL`].
    weights: [u16; 3],
    /// `None` if nothing is said of it: it may be sent, where nothing better can be.
    identity: Option<u16>,
}

impl Codings {
    /// Reads the values of all Accept-Encoding lines. Without any, and of a client that names none it knows, only what is
    /// not coded is wanted. Members with a weight that is none are left out.
    ///
    /// ```
    /// use selvedge::service::files::accept::{Coding, Codings};
    ///
    /// let codings = Codings::read([&b"gzip;q=0.8, br, identity;q=0"[..]]);
    /// assert_eq!(codings.ranked().collect::<Vec<_>>(), [Coding::Brotli, Coding::Gzip]);
    /// assert!(!codings.identity());
    /// ```
    pub fn read<'r>(lines: impl IntoIterator<Item = &'r [u8]>) -> Codings {
        let mut named = [None; 3];
        let (mut identity, mut others) = (None, None);
        for (name, weight) in lines.into_iter().flat_map(weighted) {
            let place = match () {
                () if name.eq_ignore_ascii_case(b"br") => &mut named[0],
                () if name.eq_ignore_ascii_case(b"zstd") => &mut named[1],
                // RFC 9110 §8.4.1.3.
                () if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => {
                    &mut named[2]
                }
                () if name.eq_ignore_ascii_case(b"identity") => &mut identity,
                () if name == b"*" => &mut others,
                () => continue,
            };
            *place = Some(weight);
        }
        let weights = named.map(|weight| weight.or(others).unwrap_or(0));
        Codings { weights, identity: identity.or(others.filter(|&weight| weight == 0)) }
    }

    /// Whether what is not coded may be sent.
    pub fn identity(&self) -> bool {
        self.identity != Some(0)
    }

    /// The codings to be preferred to none: by weight, and of the same weight the one that compresses best first.
    pub fn ranked(&self) -> impl Iterator<Item = Coding> + use<> {
        let Codings { weights, identity } = *self;
        let least = identity.unwrap_or(0).max(1);
        let mut order = [0, 1, 2];
        order.sort_by_key(|&at| std::cmp::Reverse(weights[at]));
        order.into_iter().filter(move |&at| weights[at] >= least).map(|at| Coding::ALL[at])
    }
}
