use khttp::{Headers, Method, Server};

fn main() {
    let (address, bytes) = peers::arguments();
    let page = peers::page(bytes);
    let mut app = Server::builder(address).expect("an address");
    // It hangs when all threads have a connection.
    app.thread_count(1024);
    app.route(Method::Get, "/", move |_, response| {
        let mut fields = Headers::new();
        fields.add("content-type", b"text/html");
        response.ok(&fields, page.as_bytes())
    });
    app.route(Method::Post, "/", |mut context, response| {
        let body = context.body().vec().unwrap_or_default();
        let mut fields = Headers::new();
        fields.add("content-type", b"application/json");
        response.ok(&fields, peers::success(&body).unwrap_or_default())
    });
    app.connection_setup_hook(|connection| match connection {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            khttp::ConnectionSetupAction::Proceed(stream)
        }
        Err(_) => khttp::ConnectionSetupAction::Drop,
    });
    app.build().serve().expect("it serves");
}
