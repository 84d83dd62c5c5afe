//! A directory, as the library serves it: for measurements, and to be looked at.
//!
//! `files [--bind HOST:PORT] [--listing] [--follow-links] [--spa] [--gzip] [--walk] [--not-found FILE] DIRECTORY`, without a limit
//! on rates and on connections per client.

use selvedge::{Config, Files, Server};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut address, mut directory, mut not_found) = ("127.0.0.1:8000".to_owned(), None, None);
    let mut flags = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--bind" => address = arguments.next().ok_or("--bind HOST:PORT")?,
            "--not-found" => not_found = arguments.next(),
            flag if flag.starts_with("--") => flags.push(argument),
            _ => directory = Some(argument),
        }
    }
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let mut files = Files::open(directory.ok_or("say which directory")?)?
        .with_listing(has("--listing"))
        .with_follow_links(has("--follow-links"))
        .with_spa(has("--spa"))
        .with_gzip(has("--gzip"));
    if let Some(file) = not_found {
        files = files.with_not_found(file);
    }
    if has("--walk") {
        files = files.walking();
    }
    let config = Config {
        max_connections_per_client: None,
        rate_limit: None,
        throttle: None,
        max_path: 4096,
        ..Config::default()
    };
    let server = Server::builder().config(config).bind(&address)?.serve(files)?;
    println!("listening on {}", server.addresses()[0]);
    server.wait();
    Ok(())
}
