//! Requests and responses, over the types of the `http` crate.

pub(crate) mod accept;
mod body;
mod client;
mod problem;
mod request;
mod response;
mod tls;

pub(crate) use body::Content;
pub use body::{Body, Part};
pub use client::ClientKey;
pub(crate) use request::{Incoming, Source};
pub use request::{Request, RequestId};
pub use response::{IntoResponse, Response, Transport, Upgraded};
pub use tls::{ClientCertificate, TlsInfo};
