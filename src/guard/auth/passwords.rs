//! Argon2id (RFC 9106), so many at once and in memory that is there already.

use crate::clock::Clock;
use crate::error::Error;
use crate::sync::{Arc, Mutex};
use crate::threads::{Permit, Semaphore};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64ct::{Base64Unpadded, Encoding};
use std::fmt;
use std::time::Duration;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Passwords hashed at once, each on a core and with a buffer of its own.
const AT_ONCE: usize = 2;
/// Logins that wait for one of those to end; past it 503.
const WAITING: usize = 16;
/// How long they wait.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a hash in a file may ask for: KiB of memory, passes, lanes.
const MAX_MEMORY: u32 = 64 << 10;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;
const SALT: usize = 16;
const HASH: usize = 32;

/// A password's hash with what made it.
#[derive(Clone)]
pub(super) struct Stored {
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// Hashes passwords: two at once, sixteen in the queue, a second of patience. What a hash needs in memory, 19 MiB with the
/// usual parameters, is taken once for each permit and kept: a flood of logins makes the process no larger than two.
#[derive(Debug)]
pub struct Hasher {
    permits: Arc<Semaphore>,
    /// Buffers nobody uses now; never more than there are permits, because who has one of those puts it back before he gives up
    /// the other. The lock is held to push or pop one.
    buffers: Mutex<Vec<Vec<Block>>>,
    clock: Clock,
}

/// Whose password is hashed next.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    hasher: &'a Hasher,
    _permit: Permit,
}

/// As many passwords are being hashed, and wait to be, as may; or there was no memory for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingBusy;

impl Stored {
    /// Whether both are of one password that was set once.
    pub(super) fn is(&self, other: &Stored) -> bool {
        self.salt == other.salt && self.hash == other.hash
    }
}

impl Hasher {
    /// Two at once, sixteen in the queue.
    pub fn new(clock: Clock) -> Self {
        Hasher::with_limits(clock, AT_ONCE, WAITING)
    }

    /// So many at once, so many in the queue.
    pub fn with_limits(clock: Clock, at_once: usize, waiting: usize) -> Self {
        let permits = Arc::new(Semaphore::new(at_once.max(1), waiting));
        Hasher { permits, buffers: Mutex::new(Vec::new()), clock }
    }

    /// The right to hash one password, after a wait if need be.
    pub(super) fn turn(&self) -> Result<Turn<'_>, HashingBusy> {
        let deadline = self.clock.instant(self.clock.now().after(PATIENCE));
        let permit = self.permits.acquire(deadline).map_err(|_| HashingBusy)?;
        Ok(Turn { hasher: self, _permit: permit })
    }

    fn verify(&self, stored: &Stored, password: &[u8]) -> Result<bool, HashingBusy> {
        let mut buffer = self.buffers.lock().pop().unwrap_or_default();
        let hashed = hash_into(&mut buffer, &stored.params, password, &stored.salt, stored.hash.len());
        // A buffer that was made for a larger hash than most is not kept from the next one, which may need it.
        self.buffers.lock().push(buffer);
        Ok(hashed?[..].ct_eq(&stored.hash).into())
    }
}

impl Turn<'_> {
    /// Whether `password` is the one that was stored; hashes it in any case.
    pub(super) fn verify(self, stored: &Stored, password: &[u8]) -> Result<bool, HashingBusy> {
        self.hasher.verify(stored, password)
    }
}

fn hash_into(
    buffer: &mut Vec<Block>,
    params: &Params,
    password: &[u8],
    salt: &[u8],
    len: usize,
) -> Result<Zeroizing<Vec<u8>>, HashingBusy> {
    let blocks = params.block_count();
    buffer.try_reserve_exact(blocks.saturating_sub(buffer.len())).map_err(|_| HashingBusy)?;
    buffer.resize(blocks.max(buffer.len()), Block::new());
    let mut hash = Zeroizing::new(vec![0; len]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    // It fails for nothing that `Stored::parse` lets through.
    argon2
        .hash_password_into_with_memory(password, salt, &mut hash, &mut buffer[..blocks])
        .map_err(|_| HashingBusy)?;
    Ok(hash)
}

impl Stored {
    /// Reads a PHC string. What is wrong with it is said without any of it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let parsed =
            PasswordHash::new(text).map_err(|_| "not a hash as `selvedge hash-password` prints it")?;
        if parsed.algorithm.as_str() != "argon2id" {
            return Err("a hash that is not argon2id");
        }
        if parsed.version != Some(0x13) {
            return Err("a hash that is not of version 19");
        }
        if parsed.params.iter().any(|(name, _)| !matches!(name.as_str(), "m" | "t" | "p")) {
            return Err("a hash with parameters other than m, t and p");
        }
        let params = Params::try_from(&parsed).map_err(|_| "a hash with impossible parameters")?;
        if params.m_cost() > MAX_MEMORY || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err("a hash that asks for more than 64 MiB of memory, 16 passes or 8 lanes");
        }
        let (Some(salt), Some(hash)) = (parsed.salt, parsed.hash) else {
            return Err("a hash without its salt or its result");
        };
        if salt.len() < argon2::MIN_SALT_LEN {
            return Err("a hash whose salt is shorter than 8 bytes");
        }
        Ok(Stored { params, salt: salt.to_vec(), hash: hash.as_bytes().to_vec() })
    }

    /// A hash no password has that costs what this one costs.
    pub(super) fn decoy(&self) -> Result<Self, Error> {
        let mut decoy = self.clone();
        getrandom::fill(&mut decoy.salt).map_err(|_| Error::Random)?;
        getrandom::fill(&mut decoy.hash).map_err(|_| Error::Random)?;
        Ok(decoy)
    }

    /// What a new hash costs: 19 MiB, two passes, one lane (OWASP's first choice).
    pub(super) fn usual() -> Self {
        Stored { params: Params::DEFAULT, salt: vec![0; SALT], hash: vec![0; HASH] }
    }
}

/// A new hash of `password` under a random salt, as a PHC string.
///
/// ```
/// let hash = selvedge::guard::auth::hash_password(b"correct horse battery staple")?;
/// assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
/// # Ok::<(), selvedge::Error>(())
/// ```
pub fn hash_password(password: &[u8]) -> Result<String, Error> {
    hash_with(&Stored::usual().params, password)
}

/// The same at the least cost there is, for what nobody has to remember: of 128 random bits no cost is needed to keep
/// guesses from succeeding.
pub(super) fn hash_secret(secret: &[u8]) -> Result<String, Error> {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None).map_err(|_| Error::Memory)?;
    hash_with(&params, secret)
}

fn hash_with(params: &Params, password: &[u8]) -> Result<String, Error> {
    let Stored { mut salt, .. } = Stored::usual();
    getrandom::fill(&mut salt).map_err(|_| Error::Random)?;
    let hash = hash_into(&mut Vec::new(), params, password, &salt, HASH).map_err(|_| Error::Memory)?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    let (salt, hash) = (Base64Unpadded::encode_string(&salt), Base64Unpadded::encode_string(&hash));
    Ok(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"))
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stored(…)")
    }
}

impl fmt::Display for HashingBusy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many passwords are being hashed")
    }
}

impl std::error::Error for HashingBusy {}
