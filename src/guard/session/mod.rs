//! Sessions: who a browser is from one request to the next.
//!
//! # What the article does
//!
//! A dictionary of sessions, shared by the threads of a `ThreadingMixIn` server without a lock. Entries have no age, so
//! none ever goes. An id that comes in a cookie and is not known becomes the key of a new session. Nothing changes at login.
//! "Session fixation" is prevented by deleting the session when the same id comes from another address.
//!
//! # What is wrong with it
//!
//! The server that adopts an id lets an attacker choose it: he plants one in his victim's browser, waits for the login,
//! and shows the same one. Deleting the session when two addresses show it does not prevent that where both are behind
//! one proxy; it does give everybody who learns an id the means to log its owner out, and it throws out people whose
//! telephone changes networks. What never expires grows until memory ends, and what was stolen once is good for ever. Two
//! threads in a dictionary lose updates, and a login can be undone by the request beside it.
//!
//! # What we do
//!
//! - Ids are 256 bits from the system, minted by the server only. One it does not know is no session, and is never made
//!   into one (**strict mode**). They are kept under their SHA-256, so a dump of the store logs nobody in.
//! - **Renewal** at login and at every change of privilege: the old id is dead before the new one is alive, and of two
//!   requests that renew at once, one wins. A planted id is worth nothing after the login it was planted for.
//! - 30 minutes idle or 8 hours in all, and it is over, whatever the browser says.
//! - A user has eight sessions, the oldest makes way; the server has 16,384 with at most 4 KiB of data each, and one that is
//!   logged in never makes way for somebody else's: anonymous ones go first, and when there are none left in that
//!   sixteenth of all to which the new one belongs, a login is refused with 503.
//! - Logout kills the session first, then deletes the cookie and says `Clear-Site-Data: "cookies", "storage"`.
//! - The cookie is `__Host-sid; Path=/; Secure; HttpOnly; SameSite=Lax`. A request with two of them, as when a neighbouring
//!   domain has planted one, has no session.
//!
//! # Without TLS
//!
//! Browsers store a cookie that is `Secure`, and so one whose name begins with `__Host-`, only if it came over HTTPS, or,
//! with Chrome and Firefox, from `localhost`. Over plain HTTP from any other host nobody would ever be logged in. That is
//! the default all the same: such a cookie can be read by everybody on the way, and the usual reason that a server speaks
//! plain HTTP is a gateway that speaks HTTPS in front of it, for which all of this is right as it is.
//! [`Sessions::with_insecure_cookies`] (`--insecure-cookies`) is for the other reason, a network one trusts: then the
//! cookie is `sid`, without `Secure`. The two names are never mixed: a server that gives out `__Host-sid` does not look at
//! a `sid`, which anybody who can answer for the host in plain HTTP could have planted.

#[cfg(not(loom))]
mod cookie;
#[cfg(not(loom))]
mod guard;
mod memory;
mod store;

#[cfg(not(loom))]
pub use cookie::{Presented, find_cookie};
#[cfg(not(loom))]
pub(crate) use guard::user;
#[cfg(not(loom))]
pub use guard::{SessionError, Sessions};
pub use memory::MemoryStore;
pub use store::{Record, SessionLimits, SessionStore, StoreError};
