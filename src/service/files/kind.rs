//! Media types by the names of files.

use super::accept::Coding;
use http::HeaderValue;

/// What a file is, as far as its name tells.
pub(super) struct Kind {
    /// For Content-Type.
    pub(super) value: HeaderValue,
    /// Without its parameters.
    pub(super) essence: &'static str,
    /// That its files are in, and without which nobody could read them.
    pub(super) coding: Option<Coding>,
}

impl Kind {
    /// By what follows the last dot of the name. Text is taken to be UTF-8, and what nobody knows to be bytes.
    pub(super) fn of(path: &[u8]) -> Kind {
        let extension = extension(path);
        let essence = extension.and_then(|extension| mime_guess::from_ext(extension).first_raw());
        let essence = match (essence.unwrap_or("application/octet-stream"), extension) {
            // RFC 9239 §6: one type for all scripts.
            ("application/javascript", _) => "text/javascript",
            // RFC 8081 §4.4: fonts are of a kind of their own.
            ("application/font-sfnt", _) => "font/otf",
            ("application/font-woff", _) => "font/woff",
            ("text/x-yaml", _) => "application/yaml",
            ("audio/m4a", _) => "audio/mp4",
            ("video/vnd.dlna.mpeg-tts", _) => "video/mp2t",
            ("application/octet-stream", Some("ndjson" | "jsonl")) => "application/x-ndjson",
            (other, _) => other,
        };
        let value = match essence {
            // Those that are asked for most, ready-made.
            "text/html" => HeaderValue::from_static("text/html; charset=utf-8"),
            "text/css" => HeaderValue::from_static("text/css; charset=utf-8"),
            "text/javascript" => HeaderValue::from_static("text/javascript; charset=utf-8"),
            "application/json" => HeaderValue::from_static("application/json; charset=utf-8"),
            "image/svg+xml" => HeaderValue::from_static("image/svg+xml; charset=utf-8"),
            "text/plain" => HeaderValue::from_static("text/plain; charset=utf-8"),
            _ if is_text(essence) => HeaderValue::try_from(format!("{essence}; charset=utf-8"))
                .unwrap_or(HeaderValue::from_static("text/plain; charset=utf-8")),
            _ => HeaderValue::from_static(essence),
        };
        // The one kind of text that is stored compressed and has the type of what it then is (SVG 1.1, §1.2).
        let coding =
            extension.filter(|extension| extension.eq_ignore_ascii_case("svgz")).map(|_| Coding::Gzip);
        Kind { value, essence, coding }
    }

    /// Whether files of this kind become smaller when they are compressed. Most large ones are compressed already.
    pub(super) fn is_compressible(&self) -> bool {
        let is_loose = is_text(self.essence)
            || matches!(
                self.essence,
                "application/wasm"
                    | "application/vnd.ms-fontobject"
                    | "font/ttf"
                    | "font/otf"
                    | "font/collection"
                    | "image/bmp"
                    | "image/x-icon"
                    | "image/vnd.microsoft.icon"
            );
        is_loose && self.coding.is_none()
    }
}

fn extension(path: &[u8]) -> Option<&str> {
    let name = path.rsplit(|&byte| byte == b'/').next()?;
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    std::str::from_utf8(&name[dot + 1..]).ok()
}

fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || matches!(
            essence,
            "application/json" | "application/xml" | "application/x-ndjson" | "application/yaml"
        )
}
