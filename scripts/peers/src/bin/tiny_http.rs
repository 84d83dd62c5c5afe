use std::sync::Arc;
use std::thread;
use tiny_http::{Header, Method, Response, Server};

fn main() {
    let (address, bytes) = peers::arguments();
    let (server, page) = (Arc::new(Server::http(address).expect("an address")), Arc::new(peers::page(bytes)));
    let field = |kind: &str| Header::from_bytes("Content-Type", kind).expect("a field");
    let threads: Vec<_> = (0..64)
        .map(|_| {
            let (server, page) = (server.clone(), page.clone());
            thread::spawn(move || {
                while let Ok(mut request) = server.recv() {
                    let _ = if *request.method() == Method::Post {
                        let mut body = Vec::new();
                        let _ = request.as_reader().read_to_end(&mut body);
                        let text = peers::success(&body).unwrap_or_default();
                        request.respond(Response::from_string(text).with_header(field("application/json")))
                    } else {
                        request.respond(Response::from_string(&*page).with_header(field("text/html")))
                    };
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("it serves");
    }
}
