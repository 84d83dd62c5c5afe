//! What the parts of a request cost, in nanoseconds: `cargo bench`.
//!
//! Each line is the median of several rounds. Figures of one run can be compared with each other; those of two machines
//! cannot.

mod guards;
mod http1;
mod request;
mod threads;
mod timing;

fn main() {
    // `cargo test` runs this too, without the flag, and only wants to know that it runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { timing::ROUNDS } else { 1 };
    println!("| what | ns |\n|---|--:|");
    http1::run(rounds);
    threads::run(rounds);
    guards::run(rounds);
    request::run(rounds);
}
