//! A server with a page of 4 MiB, for the siege's slow readers: it fills every buffer on its way.
//!
//! `large_page --bind HOST:PORT`; other options are ignored. All limits are the defaults, but for connections per client,
//! because a siege comes from one address.

use selvedge::{Config, Request, Response, Router, Server};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use std::error::Error;

const LARGE: &[u8] = &[b'x'; 4 << 20];

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().skip_while(|argument| argument != "--bind").nth(1);
    let router = Router::new()
        .get("/", |_: &mut Request| Response::text("small\n"))
        .get("/large.bin", |_: &mut Request| Response::with_type("application/octet-stream", LARGE));
    let mut signals = Signals::new([SIGTERM])?;
    let config = Config { max_connections_per_client: None, ..Config::default() };
    let patience = config.drain_timeout;
    let server = Server::builder()
        .config(config)
        .bind(address.as_deref().ok_or("say where: --bind HOST:PORT")?)?
        .serve(router)?;
    signals.forever().next();
    println!("{}", server.shutdown(patience));
    Ok(())
}
