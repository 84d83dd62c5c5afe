//! How the values of an option are written, whether as a flag, in a variable or in a file.
//!
//! Limits have forms of their own, beside their bounds: see `config`. What is not there is written `off`.

use crate::monitor::Outlet;
use clap::ValueHint;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// How many values an option takes, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Kind {
    /// One value.
    Single,
    /// A flag that may be repeated, an array in a file, and in a variable values with this between them.
    List(char),
    /// On or off; the flag alone is on.
    Switch,
    /// Tables of texts with these keys, in a file and nowhere else. The texts come one after the other.
    Tables(&'static [&'static str]),
}

/// A way to write values of `T`. What `show` gives is read as the same value.
pub(super) trait Form<T> {
    /// The value that stands in as many texts as the kind has, or what is wrong and what would be right.
    fn read(&self, texts: Vec<OsString>) -> Result<T, String>;

    fn show(&self, value: &T) -> Vec<OsString>;

    fn kind(&self) -> Kind {
        Kind::Single
    }

    /// What a shell offers for a value.
    fn hint(&self) -> ValueHint {
        ValueHint::Other
    }

    /// Every text that can be read, if these are few.
    fn words(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

/// What an absent value is called. A file of that name is `./off`.
const OFF: &str = "off";

/// A value that is read from one text and shown as one.
pub(super) struct One<T> {
    pub(super) read: fn(&str) -> Result<T, String>,
    pub(super) show: fn(&T) -> String,
}

impl<T> One<T> {
    pub(super) const fn or_off(self) -> OrOff<T> {
        OrOff(self)
    }

    /// As many such values as there are; a variable has commas between them.
    pub(super) const fn each(self) -> Each<T> {
        Each { one: self, separator: ',' }
    }

    /// The same for values that may have commas of their own; a variable has each on a line.
    pub(super) const fn each_line(self) -> Each<T> {
        Each { one: self, separator: '\n' }
    }
}

impl<T> Form<T> for One<T> {
    fn read(&self, texts: Vec<OsString>) -> Result<T, String> {
        (self.read)(&text(single(texts))?)
    }

    fn show(&self, value: &T) -> Vec<OsString> {
        vec![(self.show)(value).into()]
    }
}

/// Such a value, or none.
pub(super) struct OrOff<T>(One<T>);

impl<T> Form<Option<T>> for OrOff<T> {
    fn read(&self, texts: Vec<OsString>) -> Result<Option<T>, String> {
        match &*text(single(texts))? {
            OFF => Ok(None),
            text => (self.0.read)(text).map(Some).map_err(|problem| problem + ", or off"),
        }
    }

    fn show(&self, value: &Option<T>) -> Vec<OsString> {
        vec![value.as_ref().map_or_else(|| OFF.into(), |value| (self.0.show)(value).into())]
    }
}

/// As many such values as there are.
pub(super) struct Each<T> {
    one: One<T>,
    separator: char,
}

impl<T> Form<Vec<T>> for Each<T> {
    fn read(&self, texts: Vec<OsString>) -> Result<Vec<T>, String> {
        texts.into_iter().map(|value| (self.one.read)(&text(value)?)).collect()
    }

    fn show(&self, values: &Vec<T>) -> Vec<OsString> {
        values.iter().map(|value| (self.one.show)(value).into()).collect()
    }

    fn kind(&self) -> Kind {
        Kind::List(self.separator)
    }
}

/// `on` or `off`.
pub(super) struct Switch;

impl Form<bool> for Switch {
    fn read(&self, texts: Vec<OsString>) -> Result<bool, String> {
        match &*text(single(texts))? {
            "on" | "true" | "1" => Ok(true),
            OFF | "false" | "0" => Ok(false),
            text => Err(format!("'{text}' is neither on nor off")),
        }
    }

    fn show(&self, value: &bool) -> Vec<OsString> {
        vec![if *value { "on" } else { OFF }.into()]
    }

    fn kind(&self) -> Kind {
        Kind::Switch
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["on", OFF]
    }
}

/// One of a few words.
pub(super) struct Word<T: 'static> {
    /// What such a word is, with its article gone: `level`, `format`.
    pub(super) what: &'static str,
    pub(super) words: &'static [(&'static str, T)],
}

impl<T: Copy + PartialEq> Form<T> for Word<T> {
    fn read(&self, texts: Vec<OsString>) -> Result<T, String> {
        let text = text(single(texts))?;
        let known = self.words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        known.ok_or_else(|| {
            format!("'{text}' is no {}; permitted: {}", self.what, Form::words(self).join(", "))
        })
    }

    fn show(&self, value: &T) -> Vec<OsString> {
        let word = self.words.iter().find(|(_, known)| known == value);
        word.map(|(word, _)| OsString::from(word)).into_iter().collect()
    }

    fn words(&self) -> Vec<&'static str> {
        self.words.iter().map(|(word, _)| *word).collect()
    }
}

/// A path, or none.
pub(super) struct Path {
    hint: ValueHint,
    /// What is to be written.
    permitted: &'static str,
}

pub(super) const fn file() -> Path {
    Path { hint: ValueHint::FilePath, permitted: "FILE, or off" }
}

pub(super) const fn directory() -> Path {
    Path { hint: ValueHint::DirPath, permitted: "a directory, or off for the built-in application" }
}

pub(super) const fn program() -> Path {
    Path { hint: ValueHint::CommandName, permitted: "PROGRAM, or off" }
}

impl Form<Option<PathBuf>> for Path {
    fn read(&self, texts: Vec<OsString>) -> Result<Option<PathBuf>, String> {
        let path = single(texts);
        match path.to_str() {
            Some(OFF) => Ok(None),
            Some("") => Err(format!("an empty name; write {}", self.permitted)),
            _ => Ok(Some(path.into())),
        }
    }

    fn show(&self, value: &Option<PathBuf>) -> Vec<OsString> {
        vec![value.clone().map_or_else(|| OFF.into(), PathBuf::into_os_string)]
    }

    fn hint(&self) -> ValueHint {
        self.hint
    }
}

/// Pairs of files, which stand in tables under these keys.
pub(super) struct PathPairs(pub(super) &'static [&'static str; 2]);

impl Form<Vec<(PathBuf, PathBuf)>> for PathPairs {
    fn read(&self, texts: Vec<OsString>) -> Result<Vec<(PathBuf, PathBuf)>, String> {
        if texts.iter().any(|text| text.is_empty()) {
            return Err(format!("an empty name; write a file for {}", self.0.join(" and ")));
        }
        let pairs = texts.chunks_exact(2);
        Ok(pairs.map(|pair| (pair[0].clone().into(), pair[1].clone().into())).collect())
    }

    fn show(&self, value: &Vec<(PathBuf, PathBuf)>) -> Vec<OsString> {
        value.iter().flat_map(|(one, other)| [one.clone().into(), other.clone().into()]).collect()
    }

    fn kind(&self) -> Kind {
        Kind::Tables(self.0)
    }

    fn hint(&self) -> ValueHint {
        ValueHint::FilePath
    }
}

/// Where an access log goes: a file, `-` for standard output, or nowhere.
pub(super) struct LogOutlet;

impl LogOutlet {
    const PATH: Path = Path { hint: ValueHint::FilePath, permitted: "FILE, - for standard output, or off" };
}

impl Form<Option<Outlet>> for LogOutlet {
    fn read(&self, texts: Vec<OsString>) -> Result<Option<Outlet>, String> {
        let path = LogOutlet::PATH.read(texts)?;
        Ok(path.map(|path| if path.as_os_str() == "-" { Outlet::Stdout } else { Outlet::File(path) }))
    }

    fn show(&self, value: &Option<Outlet>) -> Vec<OsString> {
        LogOutlet::PATH.show(&value.as_ref().map(|outlet| match outlet {
            Outlet::File(path) => path.clone(),
            Outlet::Stdout | Outlet::Stderr => "-".into(),
        }))
    }

    fn hint(&self) -> ValueHint {
        LogOutlet::PATH.hint
    }
}

fn single(texts: Vec<OsString>) -> OsString {
    texts.into_iter().next().unwrap_or_default()
}

pub(super) fn text(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value: OsString| not_utf8(&value))
}

fn not_utf8(value: &OsStr) -> String {
    format!("'{}' is not UTF-8", value.display())
}
