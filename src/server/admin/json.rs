//! JSON, as it is written.

use crate::record::{push_json, push_number};
use std::io::Write;

/// A JSON text on its way; commas come by themselves.
#[derive(Default)]
pub(super) struct Json {
    text: Vec<u8>,
    /// Whether something stands before, in the same object or array.
    follows: bool,
}

impl Json {
    /// A whole text: one object and a line feed.
    pub(super) fn object(members: impl FnOnce(&mut Json)) -> Vec<u8> {
        let mut json = Json::default();
        json.enclose(b'{', members, b'}');
        json.text.push(b'\n');
        json.text
    }

    /// A member that is an object.
    pub(super) fn nested(&mut self, name: &str, members: impl FnOnce(&mut Json)) {
        self.name(name);
        self.enclose(b'{', members, b'}');
    }

    /// A member that is an array.
    pub(super) fn array(&mut self, name: &str, items: impl FnOnce(&mut Json)) {
        self.name(name);
        self.enclose(b'[', items, b']');
    }

    /// An item that is an array.
    pub(super) fn item_array(&mut self, items: impl FnOnce(&mut Json)) {
        self.comma();
        self.enclose(b'[', items, b']');
    }

    /// An item that is an object.
    pub(super) fn item_object(&mut self, members: impl FnOnce(&mut Json)) {
        self.comma();
        self.enclose(b'{', members, b'}');
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        push_number(&mut self.text, value, 1);
        self.follows = true;
    }

    /// A number, or `null`.
    pub(super) fn maybe(&mut self, name: &str, value: Option<u64>) {
        match value {
            Some(value) => self.number(name, value),
            None => self.literal(name, "null"),
        }
    }

    /// Seconds, to the millisecond.
    pub(super) fn seconds(&mut self, name: &str, span: std::time::Duration) {
        self.name(name);
        // Writing to memory does not fail.
        let _ = write!(self.text, "{}.{:03}", span.as_secs(), span.subsec_millis());
        self.follows = true;
    }

    pub(super) fn text(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.name(name);
        push_json(&mut self.text, value.as_ref());
        self.follows = true;
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.literal(name, if value { "true" } else { "false" });
    }

    pub(super) fn null(&mut self, name: &str) {
        self.literal(name, "null");
    }

    pub(super) fn item(&mut self, value: u64) {
        self.comma();
        push_number(&mut self.text, value, 1);
        self.follows = true;
    }

    pub(super) fn item_text(&mut self, value: impl AsRef<[u8]>) {
        self.comma();
        push_json(&mut self.text, value.as_ref());
        self.follows = true;
    }

    pub(super) fn item_null(&mut self) {
        self.comma();
        self.text.extend_from_slice(b"null");
        self.follows = true;
    }

    /// `name` is the program's own: there is nothing in it to escape.
    fn name(&mut self, name: &str) {
        self.comma();
        self.text.push(b'"');
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
    }

    fn literal(&mut self, name: &str, value: &str) {
        self.name(name);
        self.text.extend_from_slice(value.as_bytes());
        self.follows = true;
    }

    fn enclose(&mut self, open: u8, inside: impl FnOnce(&mut Json), close: u8) {
        self.text.push(open);
        self.follows = false;
        inside(self);
        self.text.push(close);
        self.follows = true;
    }

    fn comma(&mut self) {
        if self.follows {
            self.text.push(b',');
        }
    }
}
