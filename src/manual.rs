//! The manual: one chapter each for what the server does and why.

#[doc = include_str!("manual/request.md")]
pub mod request {}
#[doc = include_str!("manual/threads.md")]
pub mod threads {}
#[doc = include_str!("manual/deadlines.md")]
pub mod deadlines {}
#[doc = include_str!("manual/overload.md")]
pub mod overload {}
#[doc = include_str!("manual/guards.md")]
pub mod guards {}
#[doc = include_str!("manual/sessions.md")]
pub mod sessions {}
#[doc = include_str!("manual/tls.md")]
pub mod tls {}
#[doc = include_str!("manual/files.md")]
pub mod files {}
#[doc = include_str!("manual/operating.md")]
pub mod operating {}
#[doc = include_str!("manual/embedding.md")]
pub mod embedding {}
#[doc = include_str!("manual/board.md")]
pub mod board {}
#[doc = include_str!("manual/article.md")]
pub mod article {}
#[doc = include_str!("manual/threats.md")]
pub mod threats {}
