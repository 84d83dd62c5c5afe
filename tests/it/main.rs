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
mod cli;
mod connection;
mod elsewhere;
mod encode;
mod ends;
mod errors;
mod guards;
mod head;
mod house;
mod in_flight;
mod monitor;
mod record;
mod renew;
mod settings;
mod streaming;
mod support;
mod threads;
