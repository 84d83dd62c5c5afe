//! Who is there: tokens, passwords, sessions, and requests that other sites forged.
#![cfg(feature = "auth")]

mod compare;
mod cookie;
mod csrf;
mod login;
mod memory;
mod passwords;
mod program;
mod tokens;
mod wire;

use selvedge::ClientKey;
use selvedge::clock::Tick;
use std::net::IpAddr;
use std::time::Duration;

const fn at(seconds: u64) -> Tick {
    Tick::from_micros(seconds * 1_000_000)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A client of its own for each number.
fn client(number: u32) -> ClientKey {
    ClientKey::from(IpAddr::from(number.to_be_bytes()))
}

/// `name:password` as a line of a credentials file, hashed as cheaply as can be.
pub fn line(name: &str, password: &str) -> String {
    use argon2_params::PARAMS;
    format!("{name}:{}\n", argon2_params::hash(password, PARAMS))
}

/// A hash that costs next to nothing: 8 KiB, one pass.
mod argon2_params {
    use argon2::{Algorithm, Argon2, Params, Version};
    use base64ct::{Base64Unpadded, Encoding};

    pub const PARAMS: (u32, u32, u32) = (8, 1, 1);

    pub fn hash(password: &str, (m, t, p): (u32, u32, u32)) -> String {
        let params = Params::new(m, t, p, Some(32)).expect("possible");
        let (salt, mut hash) = (b"salt of the test", [0; 32]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(password.as_bytes(), salt, &mut hash).expect("possible");
        let (salt, hash) = (Base64Unpadded::encode_string(salt), Base64Unpadded::encode_string(&hash));
        format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}")
    }
}
