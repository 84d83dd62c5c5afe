//! All integration tests, in one binary.

mod body;
mod cli;
mod encode;
mod head;
mod house;
mod monitor;
mod record;
mod settings;
mod threads;
