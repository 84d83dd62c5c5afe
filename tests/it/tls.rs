//! TLS: what is agreed on, what is refused, and that everything said over it arrives.
#![cfg(feature = "tls-rustls")]

mod abuse;
mod agreement;
mod answers;
mod beginnings;
mod certificates;
pub mod client;
mod ends;
pub mod forger;
mod mutual;
mod names;
mod overload;
pub mod pki;
pub mod raw;
mod schemes;
mod times;

use selvedge::{Config, Handler, Server, Tls};

/// A server for localhost.
fn serve(configure: impl FnOnce(&mut Config), handler: impl Handler) -> Server {
    serve_with(&pki::tls(), configure, handler)
}

fn serve_with(tls: &Tls, configure: impl FnOnce(&mut Config), handler: impl Handler) -> Server {
    let mut config = Config::default();
    configure(&mut config);
    Server::builder()
        .config(config)
        .bind_tls("127.0.0.1:0", tls)
        .expect("a free port")
        .serve(handler)
        .expect("it starts")
}
