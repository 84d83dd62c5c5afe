//! A server that panics when it is asked to, in a process of its own.

use selvedge::guard::{Exchange, Guard};
use selvedge::{Body, Config, Request, Response, Router, Server};
use std::io::{self, Read, Write};
use std::time::Duration;

/// What is said before the address it listens on.
pub const LISTENING: &str = "listening on ";

/// Made once: what an allocator keeps of large blocks would hide what the server keeps.
static LARGE: [u8; 512 << 10] = [b'x'; 512 << 10];

/// Serves until standard input ends.
pub fn serve() -> Result<(), selvedge::Error> {
    let router = Router::new()
        .get("/small", |_: &mut Request| "small")
        .post("/small", |request: &mut Request| Response::text(request.body().len().to_string()))
        .get("/slow", |_: &mut Request| {
            std::thread::sleep(Duration::from_millis(2));
            "slow"
        })
        .get("/large", |_: &mut Request| Response::text(&LARGE[..]))
        .get("/guard", |_: &mut Request| "not reached")
        .get("/seal", |_: &mut Request| "not seen")
        .get("/handler", |_: &mut Request| -> &'static str { panic!("asked to") })
        .get("/body", |_: &mut Request| Response::text(Body::reader(Breaks { left: 64 << 10 })));
    let config = Config { max_in_flight: 4, max_connections_per_client: None, ..Config::default() };
    let server = Server::builder().config(config).bind("127.0.0.1:0")?.guard(Trap).serve(router)?;
    if let Some(address) = server.local_addr() {
        println!("{LISTENING}{address}");
        let _ = io::stdout().flush();
    }
    let _ = io::stdin().read_to_end(&mut Vec::new());
    let _ = server.shutdown(Duration::from_secs(10));
    Ok(())
}

struct Trap;

impl Guard for Trap {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), selvedge::error::Refusal> {
        assert!(exchange.request().path() != "/guard", "asked to");
        Ok(())
    }

    fn seal(&self, exchange: &Exchange, _: &mut Response) {
        assert!(exchange.request().path() != "/seal", "asked to");
    }
}

/// A body that panics in its middle.
struct Breaks {
    left: usize,
}

impl Read for Breaks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.left > 0, "asked to");
        let count = buffer.len().min(self.left);
        buffer[..count].fill(b'x');
        self.left -= count;
        Ok(count)
    }
}
