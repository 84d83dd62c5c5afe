//! The options in effect, as a file that can be read again.

use super::Failure;
use super::options::{Entry, Kind, Options, PATH, joined, table};
use std::ffi::OsString;
use std::fmt::Write;
use toml_writer::ToTomlValue;
use toml_writer::TomlStringBuilder;

/// Every option with its help above it, and behind it who has said it.
pub(super) fn text(options: &Options) -> Result<String, Failure> {
    let mut text = format!("# selvedge {}, all options as they are in effect.\n", env!("CARGO_PKG_VERSION"));
    text += "# Relative paths start where the program does.\n";
    let defaults = [Options::default(), Options::default_for_path()];
    let mut heading = "";
    // In TOML all that follows a table is in that table.
    let (tables, plain): (Vec<_>, Vec<_>) = table().partition(|entry| matches!(entry.kind, Kind::Tables(_)));
    for entry in plain.iter().chain(&tables) {
        if heading != entry.heading {
            heading = entry.heading;
            let _ = writeln!(text, "\n## {heading}");
        }
        let origin = options.origin(entry.name).map_or_else(|| "default".to_owned(), ToString::to_string);
        // A path may have a line break in it.
        let origin = origin.replace(char::is_control, "?");
        let _ = writeln!(text, "\n# {}", entry.help);
        let [plain, for_path] = [0, 1].map(|which| joined(&entry.show(&defaults[which])));
        // Whoever has not said it gets what fits what he serves, which another may say who reads this file.
        if plain != for_path && entry.name != PATH && options.origin(entry.name).is_none() {
            let _ = writeln!(
                text,
                "# By default another for a directory ({for_path}) than for the built-in application ({plain})."
            );
            text += "# ";
        }
        text += &lines(entry, &entry.show(options), &origin)?;
    }
    Ok(text)
}

fn lines(entry: &Entry, values: &[OsString], origin: &str) -> Result<String, Failure> {
    let mut texts = Vec::with_capacity(values.len());
    for value in values {
        let value = value.to_str().ok_or_else(|| {
            let shown = value.display();
            Failure::start(format!(
                "{} is '{shown}', which is not UTF-8 and cannot stand in TOML",
                entry.name
            ))
        })?;
        texts.push(value);
    }
    let name = entry.name;
    Ok(match entry.kind {
        Kind::Single => {
            let value = texts.first().copied().unwrap_or_default();
            let is_number = entry.is_limit() && value.bytes().all(|byte| byte.is_ascii_digit());
            let value = if is_number { value.to_owned() } else { quoted(value) };
            format!("{name} = {value} # {origin}\n")
        }
        Kind::Switch => format!("{name} = {} # {origin}\n", texts == ["on"]),
        Kind::List(_) => {
            let values: Vec<_> = texts.into_iter().map(quoted).collect();
            format!("{name} = [{}] # {origin}\n", values.join(", "))
        }
        Kind::Tables(keys) => {
            let mut lines =
                if texts.is_empty() { format!("# [[{name}]] # {origin}\n") } else { String::new() };
            for (number, values) in texts.chunks(keys.len()).enumerate() {
                let _ = writeln!(lines, "{}[[{name}]] # {origin}", if number == 0 { "" } else { "\n" });
                for (key, value) in keys.iter().zip(values) {
                    let _ = writeln!(lines, "{key} = {}", quoted(value));
                }
            }
            lines
        }
    })
}

fn quoted(text: &str) -> String {
    TomlStringBuilder::new(text).as_basic().to_toml_value()
}
