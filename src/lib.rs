//! selvedge
#![cfg_attr(loom, allow(dead_code))]

pub mod clock;
pub mod config;
pub mod error;
pub(crate) mod sync;
pub mod threads;
