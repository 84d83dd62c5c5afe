//! All integration tests, in one binary.

mod accounts;
mod admin;
mod admission;
mod alert_command;
mod anchors;
mod answers;
mod api;
mod article;
mod body;
mod buffer;
mod cli;
mod connection;
mod elsewhere;
mod encode;
mod ends;
mod errors;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod faults;
mod files;
mod guards;
mod head;
mod heartbeat;
mod hostile;
mod house;
mod in_flight;
mod lessons;
mod monitor;
mod passed;
mod record;
mod renew;
mod settings;
mod streaming;
mod support;
mod threads;
mod tls;
mod units;
