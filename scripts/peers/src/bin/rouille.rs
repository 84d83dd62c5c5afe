use rouille::Response;
use std::io::Read;

fn main() {
    let (address, bytes) = peers::arguments();
    let page = peers::page(bytes);
    rouille::start_server(address, move |request| {
        if request.method() != "POST" {
            return Response::html(page.clone());
        }
        let mut body = Vec::new();
        let read = request.data().map(|mut data| data.read_to_end(&mut body));
        match peers::success(&body).filter(|_| read.is_some_and(|read| read.is_ok())) {
            Some(text) => Response::from_data("application/json", text),
            None => Response::empty_400(),
        }
    });
}
