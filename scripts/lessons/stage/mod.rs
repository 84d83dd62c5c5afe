//! What the lessons share: a stage to speak from, pictures, a scheduler that tries every order, a client, children.

#![allow(dead_code, reason = "each lesson uses a part of it")]

pub mod catalogue;
pub mod child;
pub mod client;
pub mod interleave;
pub mod machine;
pub mod naive;
pub mod picture;
pub mod slow;

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Columns of a line, at most.
pub const WIDTH: usize = 78;
/// What every line begins with.
const MARGIN: &str = "  ";

/// Where a lesson speaks: standard output, in colour if that is a terminal.
pub struct Stage {
    name: &'static str,
    colour: bool,
    /// Whether the last line was empty: one is enough.
    gap: Cell<bool>,
}

/// How a lesson came out: whether it came out so, and what was seen.
pub struct Verdict {
    /// Whether the attack on the naive variant succeeded.
    pub naive_fell: bool,
    pub naive: String,
    /// Whether the same attack on selvedge failed.
    pub ours_held: bool,
    pub ours: String,
    /// The one file to read now, from the root of the repository, and what to look for there.
    pub read: (&'static str, &'static str),
}

impl Stage {
    /// Begins the lesson called `name`.
    pub fn open(name: &'static str) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let stage =
            Stage { name, colour: io::stdout().is_terminal() && !refused && !dumb, gap: Cell::new(false) };
        let title = catalogue::find(name).map_or("what threads do under attack", |lesson| lesson.title);
        let room = WIDTH - 2 * MARGIN.len() - 4;
        let padding = room.saturating_sub(picture::width(name) + picture::width(title));
        let line = "─".repeat(room + 2);
        stage.line("");
        stage.line(&format!("╭{line}╮"));
        stage.line(&format!("│ {}{}{title} │", stage.bold(name), " ".repeat(padding)));
        stage.line(&format!("╰{line}╯"));
        stage
    }

    /// Begins a part of it.
    pub fn part(&self, heading: &str) {
        self.line("");
        self.line(&self.bold(heading));
        self.line(&self.dim(&"─".repeat(picture::width(heading))));
    }

    /// Says something in prose; white space does not matter, an empty line begins a paragraph.
    pub fn say(&self, text: &str) {
        for paragraph in text.split("\n\n") {
            self.line("");
            for line in picture::wrapped(paragraph, WIDTH - 2 * MARGIN.len()) {
                self.line(&line);
            }
        }
        self.line("");
    }

    /// Says something about a name, beside it.
    pub fn entry(&self, name: &str, text: &str) {
        const NAME: usize = 13;
        for (number, line) in picture::wrapped(text, WIDTH - 2 * MARGIN.len() - NAME).iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            let space = " ".repeat(NAME.saturating_sub(picture::width(name)));
            self.line(&format!("{}{space}{line}", self.bold(name)));
        }
    }

    /// Shows what stands between `// show: NAME` and `// end` in `source`, so that what is shown is what runs.
    pub fn code(&self, source: &str, name: &str) {
        let begins = format!("// show: {name}");
        let after = source.lines().skip_while(|line| line.trim() != begins).skip(1);
        self.listing(&after.take_while(|line| line.trim() != "// end").collect::<Vec<_>>());
    }

    /// Shows the function that begins with `signature` in a source of the library. Its lines may be longer than ours.
    pub fn function(&self, source: &str, signature: &str) {
        let begins = |line: &&str| line.trim_start().starts_with(signature);
        let mut lines = source.lines().skip_while(|line| !begins(line)).peekable();
        let margin = lines.peek().map_or(0, |line| indent(line));
        let mut ended = false;
        let function = lines.take_while(|line| {
            let all = ended;
            ended = *line == format!("{}}}", " ".repeat(margin));
            !all
        });
        self.listing(&function.collect::<Vec<_>>());
    }

    fn listing(&self, lines: &[&str]) {
        assert!(!lines.is_empty(), "what is to be shown is there");
        self.line("");
        let margin = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(line)).min();
        for line in lines {
            let line = line.get(margin.unwrap_or(0)..).unwrap_or_default();
            self.line(&format!("{} {}", self.dim("│"), picture::shortened(line, WIDTH - MARGIN.len() - 2)));
        }
    }

    /// Shows a picture.
    pub fn show(&self, lines: impl IntoIterator<Item = impl AsRef<str>>) {
        for line in lines {
            self.line(&format!("  {}", line.as_ref()));
        }
    }

    /// A line as it is, behind the margin. Whoever has stopped reading is none of the lesson's business.
    pub fn line(&self, line: &str) {
        if self.gap.replace(line.is_empty()) && line.is_empty() {
            return;
        }
        let whole = format!("{MARGIN}{line}");
        let _ = writeln!(io::stdout().lock(), "{}", whole.trim_end());
    }

    /// Ends the lesson. Success means that it came out as it is told.
    #[must_use]
    pub fn end(&self, verdict: &Verdict) -> ExitCode {
        let Verdict { naive_fell, naive, ours_held, ours, read: (file, what) } = verdict;
        let fell = if *naive_fell { self.bad("✗ fell ") } else { self.bold("? stood") };
        let held = if *ours_held { self.good("✓ held ") } else { self.bold("? fell ") };
        self.part("In short");
        self.line("");
        self.line(&format!("naive     {fell}  {naive}"));
        self.line(&format!("selvedge  {held}  {ours}"));
        self.line("");
        self.line(&format!("Read on   {file}"));
        self.line(&format!("          {what}"));
        if let Some(next) = catalogue::after(self.name) {
            self.line(&format!("Next      cargo run --example {}", next.name));
        }
        self.line("");
        if *naive_fell && *ours_held {
            return ExitCode::SUCCESS;
        }
        self.line("This did not come out as it is told. Threads are like that: run it again.");
        ExitCode::FAILURE
    }

    pub fn good(&self, text: &str) -> String {
        self.painted("32", text)
    }

    pub fn bad(&self, text: &str) -> String {
        self.painted("31", text)
    }

    pub fn bold(&self, text: &str) -> String {
        self.painted("1", text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.painted("2", text)
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
