use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::Html;
use axum::routing::get;

#[tokio::main]
async fn main() {
    let (address, bytes) = peers::arguments();
    let page = Bytes::from(peers::page(bytes));
    let answer = async |body: Bytes| match peers::success(&body) {
        Some(text) => Ok(([(header::CONTENT_TYPE, "application/json")], text)),
        None => Err(StatusCode::BAD_REQUEST),
    };
    let app = axum::Router::new().route("/", get(move || async move { Html(page) }).post(answer));
    let listener = tokio::net::TcpListener::bind(address).await.expect("an address");
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await.expect("it serves");
}
