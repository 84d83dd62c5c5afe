//! Options from variables: `max-body` is `SELVEDGE_MAX_BODY`.

use super::form::Kind;
use super::table::table;
use super::{Options, Origin};
use crate::cli::Failure;
use std::collections::BTreeMap;
use std::ffi::OsString;

const PREFIX: &str = "SELVEDGE_";

/// Whether a variable is meant for this program.
pub(in crate::cli) fn is_ours(variable: &str) -> bool {
    variable.starts_with(PREFIX)
}

/// The variable for an option.
pub(in crate::cli) fn variable(name: &str) -> String {
    PREFIX.to_owned() + &name.replace('-', "_").to_uppercase()
}

/// Takes what the variables say.
pub(super) fn read(options: &mut Options, environment: &BTreeMap<String, OsString>) -> Result<(), Failure> {
    let mut left = environment.clone();
    for entry in table() {
        let variable = variable(entry.name);
        if let Some(value) = left.remove(&variable) {
            let set = entry.set(options, split(entry.kind, value));
            set.map_err(|problem| Failure::usage(format!("bad value for {variable}: {problem}")))?;
            options.origins.insert(entry.name, Origin::Variable(variable));
        }
    }
    options.unknown = left.into_keys().collect();
    Ok(())
}

/// A variable holds one value, or those of a list with its separator between them.
fn split(kind: Kind, value: OsString) -> Vec<OsString> {
    match (kind, value.to_str()) {
        (Kind::List(separator), Some(text)) => text.split(separator).map(OsString::from).collect(),
        _ => vec![value],
    }
}
