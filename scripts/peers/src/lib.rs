//! What all peers answer, so that each is asked for the same work.

/// Address and length of the page, from the command line.
pub fn arguments() -> (String, usize) {
    let mut arguments = std::env::args().skip(1);
    let (address, bytes) = (arguments.next(), arguments.next().and_then(|bytes| bytes.parse().ok()));
    address.zip(bytes).expect("usage: PEER HOST:PORT BODY_BYTES")
}

/// The page that `GET /` is answered with.
pub fn page(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// What `POST /` is answered with, once its body was read and understood.
pub fn success(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    value.is_object().then(|| r#"{"status":"success"}"#.to_owned())
}
