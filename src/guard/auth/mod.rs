//! Who is asking: bearer tokens, passwords, and the throttle before both.
//!
//! # What the article does
//!
//! It keeps tokens in a dictionary under their own text and compares them in constant time, but their lengths first, checks
//! a token's time in one statement and deletes it in another, and takes the password of its one user from the source.
//! Nothing slows a guesser down.
//!
//! # What is wrong with it
//!
//! A comparison that ends at once where the lengths differ tells by its time how long the right token is. Between the
//! check and the deletion another thread of the server passes with the same single-use token. Whoever reads the memory of
//! the process, or a dump of it, has every token. A password in the source is in every copy of it, and a fast hash, or
//! none, is tried out offline a thousand million times a second.
//!
//! # What we do
//!
//! - [`TokenStore`]: 256 random bits, kept as their SHA-256 and compared as such, without a branch on what differs. Check,
//!   expiry and the end of a single-use token are one critical section.
//! - [`Accounts`]: a file of `user:$argon2id$…` lines, made with `selvedge hash-password`. A mistake in it is told by file
//!   and line, never by content.
//! - [`Login`]: hashes behind a [semaphore](crate::threads::Semaphore) of its own with one buffer for each permit, so that
//!   a flood of logins costs a fixed amount of memory and two cores, and the excess gets 503. An unknown user costs the
//!   same work and gets the same answer as a wrong password.
//! - [`Attempts`]: decides before anything is hashed. See there for why nobody can be locked out for ever.
//! - [`BearerAuth`] and [`BasicAuth`]: the guards. A form is the business of a handler that asks [`Login`].

#[cfg(not(loom))]
mod accounts;
#[cfg(not(loom))]
mod attempts;
#[cfg(not(loom))]
mod basic;
#[cfg(not(loom))]
mod bearer;
mod digest;
#[cfg(not(loom))]
mod login;
#[cfg(not(loom))]
mod passwords;
mod tokens;

#[cfg(not(loom))]
pub(crate) use basic::presented_token;
#[cfg(not(loom))]
pub(crate) use bearer::subject;
pub use digest::{Digest, Secret, equal};
pub use tokens::{TokenStore, TokensFull, Uses};
#[cfg(not(loom))]
pub use {
    accounts::{Accounts, AccountsError},
    attempts::Attempts,
    basic::BasicAuth,
    bearer::{BearerAuth, Subject},
    login::{Login, LoginError},
    passwords::{Hasher, HashingBusy, hash_password},
};
