//! Options from a TOML file: the names of the flags are its keys.
//!
//! A value is the text that would stand behind the flag; a whole number may stand for itself where it is one there. A
//! list is an array, a switch a boolean. What is wrong is said with its place, and all of it at once.

use super::form::Kind;
use super::table::{Entry, entry, table};
use super::{Options, Origin, near, read_bounded};
use crate::cli::Failure;
use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes a file may have.
const MAX_FILE: u64 = 1 << 20;
/// Problems that are told at once.
const MAX_PROBLEMS: usize = 20;

/// Takes what the file says.
pub(super) fn read(options: &mut Options, path: &Path) -> Result<(), Failure> {
    let bytes = read_bounded(path.as_os_str(), MAX_FILE).map_err(|error| {
        Failure::start(format!("cannot read the configuration '{}': {error}", path.display()))
    })?;
    take(options, path, bytes)
}

/// Takes what the bytes of the file say.
pub(super) fn take(options: &mut Options, path: &Path, bytes: Vec<u8>) -> Result<(), Failure> {
    let place = |text: &str, at| format!("{}:{}", path.display(), line_and_column(text, at));
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        Failure::start(format!("{}: not UTF-8", place(&valid, valid.len())))
    })?;
    let (document, errors) = DeTable::parse_recoverable(&text);
    // What comes after the first is often its consequence.
    if let Some(error) = errors.iter().min_by_key(|error| error.span().map_or(0, |span| span.start)) {
        let span = error.span().unwrap_or_default();
        let found = text.get(span.clone()).and_then(|found| found.lines().next()).unwrap_or_default();
        let found = if found.is_empty() { String::new() } else { format!(" at '{found}'") };
        return Err(Failure::start(format!("{}: {}{found}", place(&text, span.start), error.message())));
    }

    let mut reader = Reader { options, problems: Vec::new() };
    let mut keys: Vec<_> = document.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        let name = key.get_ref().as_ref();
        match entry(name) {
            Some(entry) => {
                let line = text[..key.span().start].matches('\n').count() + 1;
                reader.options.origins.insert(entry.name, Origin::File(path.to_owned(), line));
                reader.take(&entry, value);
            }
            None => reader.problem(key.span(), unknown(name)),
        }
    }
    let mut problems = reader.problems;
    problems.sort_by_key(|(at, _)| *at);
    let problems = problems.iter().take(MAX_PROBLEMS);
    let messages: Vec<_> = problems.map(|(at, what)| format!("{}: {what}", place(&text, *at))).collect();
    if messages.is_empty() { Ok(()) } else { Err(Failure::start_all(messages)) }
}

struct Reader<'a> {
    options: &'a mut Options,
    /// Where, and what.
    problems: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn take(&mut self, entry: &Entry, value: &Spanned<DeValue>) {
        let texts = match (entry.kind, value.get_ref()) {
            (Kind::List(_), DeValue::Array(items)) => {
                // One by one, so that the places of those that are wrong can be said.
                let texts: Vec<_> = items.iter().map(|item| self.item(entry, item)).collect();
                let Some(texts) = texts.into_iter().collect() else { return };
                texts
            }
            (Kind::Tables(keys), DeValue::Array(tables)) => {
                let texts: Vec<_> = tables.iter().map(|table| self.table(entry, keys, table)).collect();
                let Some(texts) = texts.into_iter().collect::<Option<Vec<_>>>() else { return };
                texts.concat()
            }
            (Kind::Tables(_), other) => {
                let problem =
                    format!("{} where tables are expected; write [[{}]]", kind_of(other), entry.name);
                return self.problem(value.span(), bad(entry, &problem));
            }
            (Kind::List(_), other) => {
                let problem = format!("{} where a list is expected; write ['…', '…']", kind_of(other));
                return self.problem(value.span(), bad(entry, &problem));
            }
            (Kind::Switch, DeValue::Boolean(on)) => vec![if *on { "on" } else { "off" }.into()],
            (Kind::Switch, other) => {
                let problem = format!("{} where a boolean is expected; write true or false", kind_of(other));
                return self.problem(value.span(), bad(entry, &problem));
            }
            (Kind::Single, _) => match self.one(entry, value) {
                Some(text) => vec![text],
                None => return,
            },
        };
        if let Err(problem) = entry.set(self.options, texts) {
            self.problem(value.span(), bad(entry, &problem));
        }
    }

    /// One value of a list.
    fn item(&mut self, entry: &Entry, item: &Spanned<DeValue>) -> Option<OsString> {
        let text = self.one(entry, item)?;
        let set = entry.set(&mut self.options.clone(), vec![text.clone()]);
        set.map_err(|problem| self.problem(item.span(), bad(entry, &problem))).ok()?;
        Some(text)
    }

    /// One value, as it would stand behind the flag.
    fn one(&mut self, entry: &Entry, value: &Spanned<DeValue>) -> Option<OsString> {
        let problem = match value.get_ref() {
            DeValue::String(text) => return Some(text.as_ref().into()),
            // The form of a limit says itself which numbers are none.
            DeValue::Integer(number) if entry.is_limit() => {
                let decimal = i128::from_str_radix(number.as_str(), number.radix());
                return Some(
                    decimal.map_or_else(|_| number.as_str().into(), |number| number.to_string().into()),
                );
            }
            // A mode, as TOML has octal digits.
            DeValue::Integer(number) if number.radix() == 8 => {
                let digits = number.as_str().trim_start_matches('0');
                format!("a number where a text is expected; write '0{digits}'")
            }
            DeValue::Integer(number) => format!("a number where a text is expected; write '{number}'"),
            DeValue::Boolean(false) if entry.can_be_off() => {
                "false where a text is expected; write 'off'".into()
            }
            other => format!("{} where one text is expected; write '…'", kind_of(other)),
        };
        self.problem(value.span(), bad(entry, &problem));
        None
    }

    /// The texts of a table that has these keys and no others.
    fn table(&mut self, entry: &Entry, keys: &[&str], table: &Spanned<DeValue>) -> Option<Vec<OsString>> {
        let DeValue::Table(content) = table.get_ref() else {
            let problem =
                format!("{} where tables are expected; write [[{}]]", kind_of(table.get_ref()), entry.name);
            self.problem(table.span(), bad(entry, &problem));
            return None;
        };
        let before = self.problems.len();
        for (key, _) in content.iter().filter(|(key, _)| !keys.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let problem = if super::entry(name).is_some() {
                format!("'{name}' stands in a [[{}]]; write it above the first of these", entry.name)
            } else {
                format!("unknown key '{name}' in a [[{}]]; permitted: {}", entry.name, keys.join(", "))
            };
            self.problem(key.span(), problem);
        }
        let mut texts = Vec::new();
        for key in keys {
            match content.iter().find(|(name, _)| name.get_ref().as_ref() == *key) {
                Some((_, value)) => texts.extend(self.one(entry, value)),
                None => self.problem(table.span(), format!("a [[{}]] without {key}", entry.name)),
            }
        }
        (self.problems.len() == before).then_some(texts)
    }

    fn problem(&mut self, span: Range<usize>, what: String) {
        self.problems.push((span.start, what));
    }
}

fn bad(entry: &Entry, problem: &str) -> String {
    format!("bad value for {}: {problem}", entry.name)
}

fn unknown(name: &str) -> String {
    match near(name, table().map(|entry| entry.name)) {
        Some(meant) => format!("unknown key '{name}'; a similar one is '{meant}'"),
        None => format!("unknown key '{name}'; 'selvedge print-config' shows all there are"),
    }
}

fn kind_of(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// `line:column` of a place in a text, both counted from one, the column in characters.
fn line_and_column(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{line}:{column}")
}
