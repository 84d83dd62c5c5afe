//! Options from variables: `max-body` is `SELVEDGE_MAX_BODY`, or the text of the file `SELVEDGE_MAX_BODY_FILE`, for
//! values that nobody is to see among the variables.

use super::form::Kind;
use super::table::{Entry, table};
use super::{Options, Origin, near, read_bounded};
use crate::cli::Failure;
use clap::ValueHint;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

const PREFIX: &str = "SELVEDGE_";
/// The variable for the file of options.
const CONFIG: &str = "SELVEDGE_CONFIG";
/// What is added for the file in which a value stands.
const IN_A_FILE: &str = "_FILE";
/// Bytes of such a file.
const MAX_VALUE: u64 = 64 << 10;

/// The variables that are meant for this program.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Environment(BTreeMap<String, OsString>);

/// The variable for an option.
pub(in crate::cli) fn variable(name: &str) -> String {
    PREFIX.to_owned() + &name.replace('-', "_").to_uppercase()
}

impl Environment {
    /// Those of all variables.
    pub(in crate::cli) fn new(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let named = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Environment(named.filter(|(name, _)| name.starts_with(PREFIX)).collect())
    }

    /// The file of options.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.0.get(CONFIG).map(PathBuf::from)
    }

    /// Takes what the variables say.
    pub(super) fn read(&self, options: &mut Options) -> Result<(), Failure> {
        let mut left = self.0.clone();
        left.remove(CONFIG);
        for entry in table().filter(Entry::has_flag) {
            let Some((variable, value)) = take(&mut left, &entry)? else { continue };
            let set = entry.set(options, split(entry.kind, value));
            set.map_err(|problem| Failure::usage(format!("bad value for {variable}: {problem}")))?;
            if variable != self::variable(entry.name) {
                options.value_files.extend(self.0.get(&variable).map(PathBuf::from));
            }
            options.origins.insert(entry.name, Origin::Variable(variable));
        }
        options.unknown = left.into_keys().map(|name| name.clone() + &similar(&name)).collect();
        Ok(())
    }
}

/// What a variable that is none was meant to be.
fn similar(variable: &str) -> String {
    let flags = table().filter(Entry::has_flag).map(|entry| entry.name);
    let given = variable.trim_start_matches(PREFIX).trim_end_matches(IN_A_FILE);
    match near(given, flags.chain(["config"])) {
        Some(meant) => format!(" (a similar one is {})", self::variable(meant)),
        None => String::new(),
    }
}

/// Takes an option's variable out of those that are left, and says which of the two it was.
fn take(left: &mut BTreeMap<String, OsString>, entry: &Entry) -> Result<Option<(String, OsString)>, Failure> {
    let plain = variable(entry.name);
    let filed = plain.clone() + IN_A_FILE;
    let value = left.remove(&plain);
    // An option may have such a name itself.
    let is_option = super::entry(&format!("{}-file", entry.name)).is_some();
    let Some(path) = left.remove(&filed).filter(|_| !is_option) else {
        return Ok(value.map(|value| (plain, value)));
    };
    if value.is_some() {
        return Err(Failure::usage(format!("{plain} and {filed} are both set; leave one of them")));
    }
    if entry.hint != ValueHint::Other {
        return Err(Failure::usage(format!("{filed} is not read: {plain} is a path itself; set that")));
    }
    let bytes = read_bounded(&path, MAX_VALUE)
        .map_err(|error| Failure::usage(format!("cannot read {filed}, '{}': {error}", path.display())))?;
    Ok(Some((filed, without_line_end(bytes))))
}

/// Editors and `echo` end a text with a line end that is not meant.
fn without_line_end(mut bytes: Vec<u8>) -> OsString {
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    OsString::from_vec(bytes)
}

/// A variable holds one value, or those of a list with its separator between them, and blanks beside that; a list may be empty.
fn split(kind: Kind, value: OsString) -> Vec<OsString> {
    match (kind, value.to_str().map(str::trim)) {
        (Kind::List(_), Some("")) => Vec::new(),
        (Kind::List(separator), Some(text)) => text.split(separator).map(|one| one.trim().into()).collect(),
        _ => vec![value],
    }
}
