//! The cryptography: which library, and what of it.

#[cfg(not(any(feature = "tls", feature = "tls-ring")))]
compile_error!(
    "the feature 'tls-rustls' is what 'tls' and 'tls-ring' have in common; switch on one of those"
);

use super::Profile;
use crate::sync::Arc;
#[cfg(feature = "tls")]
use rustls::crypto::aws_lc_rs as library;
#[cfg(not(feature = "tls"))]
use rustls::crypto::ring as library;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::server::ProducesTickets;
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

/// All of the suites are ECDHE with authenticated encryption. AES-128 comes first: it is as safe against anybody as the
/// key exchange is, and the fastest. The client's order counts, because a client without AES in hardware knows that.
static CIPHER_SUITES: &[SupportedCipherSuite] = &[
    library::cipher_suite::TLS13_AES_128_GCM_SHA256,
    library::cipher_suite::TLS13_AES_256_GCM_SHA384,
    library::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    library::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    library::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    library::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    library::cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    library::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    library::cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// The groups of the key exchange; ring has no post-quantum one.
static GROUPS: &[&dyn SupportedKxGroup] = &[
    #[cfg(feature = "tls")]
    library::kx_group::X25519MLKEM768,
    library::kx_group::X25519,
    library::kx_group::SECP256R1,
    library::kx_group::SECP384R1,
];

/// Always named, never the process' default: what one server speaks must not depend on what else is linked.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: CIPHER_SUITES.to_vec(),
        kx_groups: GROUPS.to_vec(),
        ..library::default_provider()
    }
}

pub(super) fn versions(profile: Profile) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match profile {
        Profile::Intermediate => &BOTH,
        Profile::Modern => &BOTH[..1],
    }
}

/// Tickets under keys that are made here and changed every six hours.
pub(super) fn ticketer() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    library::Ticketer::new()
}
