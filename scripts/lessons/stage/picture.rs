//! Bars, tables and timelines, in plain text.

use std::time::Duration;

/// Columns a text takes; sequences that only colour it take none.
pub fn width(text: &str) -> usize {
    let mut painting = false;
    text.chars()
        .filter(|&c| {
            let shows = !painting && c != '\x1b';
            painting = c == '\x1b' || (painting && c != 'm');
            shows
        })
        .count()
}

/// Lines of the words of a text, none longer than `columns` unless a word is.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| width(line) + 1 + width(word) <= columns) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The text, with spaces behind it up to `columns`.
pub fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// The text, with spaces before it up to `columns`.
pub fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// The text without what goes beyond `columns`, and without runs of spaces.
pub fn cut(text: &str, columns: usize) -> String {
    let mut lean = text.to_owned();
    while lean.contains("   ") {
        lean = lean.replace("   ", "  ");
    }
    shortened(&lean, columns)
}

/// The text without what goes beyond `columns`.
pub fn shortened(text: &str, columns: usize) -> String {
    match text.char_indices().nth(columns - 1) {
        Some((at, _)) if width(text) > columns => format!("{}…", &text[..at]),
        _ => text.to_owned(),
    }
}

/// A bar of `value` where `most` is `columns` long.
pub fn bar(value: u64, most: u64, columns: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let most = most.max(1);
    let eighths = ((value.min(most) * columns as u64 * 8 + most / 2) / most) as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.extend(EIGHTHS.get(eighths % 8).filter(|eighth| **eighth != ' '));
    bar
}

/// How a column of a table stands.
#[derive(Clone, Copy)]
pub enum Side {
    Left,
    Right,
}

/// A table: a row of headings, a line, and the others.
pub fn table<const N: usize>(sides: [Side; N], headings: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let widths: [usize; N] = std::array::from_fn(|at| {
        let cells = rows.iter().map(|row| width(&row[at]));
        cells.chain([width(headings[at])]).max().unwrap_or(0)
    });
    let row = |cells: [&str; N]| {
        let cells = (0..N).map(|at| match sides[at] {
            Side::Left => left(cells[at], widths[at]),
            Side::Right => right(cells[at], widths[at]),
        });
        cells.collect::<Vec<_>>().join("   ")
    };
    let line = widths.map(|width| "─".repeat(width)).join("───");
    let mut lines = vec![row(headings), line];
    lines.extend(rows.iter().map(|cells| row(cells.each_ref().map(String::as_str))));
    lines
}

/// Lines of time, one under the other, each with a name before it and a remark behind.
pub struct Timeline {
    pub from: Duration,
    pub to: Duration,
    /// Columns that stand for the time between them.
    pub columns: usize,
    lanes: Vec<(String, Vec<char>, String)>,
    /// A moment that is marked on all lines, where there is nothing else.
    rule: Option<(Duration, &'static str)>,
}

impl Timeline {
    pub fn new(from: Duration, to: Duration, columns: usize) -> Self {
        Timeline { from, to, columns, lanes: Vec::new(), rule: None }
    }

    /// Another line, with nothing on it.
    pub fn lane(&mut self, name: &str, remark: impl Into<String>) -> &mut Self {
        self.lanes.push((name.to_owned(), vec!['·'; self.columns], remark.into()));
        self
    }

    /// Fills the last line from one moment to another, one column at least.
    pub fn span(&mut self, from: Duration, to: Duration, with: char) -> &mut Self {
        let (from, to) = (self.column(from), self.column(to));
        if let Some((_, lane, _)) = self.lanes.last_mut() {
            lane[from..=to.max(from)].fill(with);
        }
        self
    }

    /// Marks a moment on the last line.
    pub fn mark(&mut self, at: Duration, with: char) -> &mut Self {
        self.span(at, at, with)
    }

    /// Marks a moment on all lines, with its name above.
    pub fn rule(&mut self, at: Duration, name: &'static str) -> &mut Self {
        self.rule = Some((at, name));
        self
    }

    /// All of it, with the times below.
    pub fn lines(&self) -> Vec<String> {
        let names = self.lanes.iter().map(|(name, ..)| width(name)).max().unwrap_or(0);
        let mut lines = Vec::new();
        if let Some((at, name)) = self.rule {
            let before = self.column(at).saturating_sub(width(name) / 2);
            lines.push(format!("{}  {}{name}", " ".repeat(names), " ".repeat(before)));
        }
        for (name, columns, remark) in &self.lanes {
            let mut columns = columns.clone();
            if let Some(mark) = self.rule.and_then(|(at, _)| columns.get_mut(self.column(at)))
                && *mark == '·'
            {
                *mark = '│';
            }
            let drawn: String = columns.iter().collect();
            lines.push(format!("{}  {drawn}  {remark}", left(name, names)));
        }
        let (from, to) = (short(self.from), short(self.to));
        let between = self.columns.saturating_sub(width(&from) + width(&to));
        lines.push(format!("{}  {from}{}{to}", " ".repeat(names), " ".repeat(between)));
        lines
    }

    fn column(&self, at: Duration) -> usize {
        let all = self.to.saturating_sub(self.from).as_micros().max(1);
        let since = at.saturating_sub(self.from).as_micros().min(all);
        (since as usize * self.columns / all as usize).min(self.columns - 1)
    }
}

/// A time of a readable length.
pub fn short(span: Duration) -> String {
    match span.as_nanos() {
        0 => "0".to_owned(),
        nanos @ 1..10_000 => format!("{nanos} ns"),
        nanos @ 10_000..1_000_000 => format!("{} µs", nanos / 1000),
        nanos @ 1_000_000..10_000_000 => format!("{}.{} ms", nanos / 1_000_000, nanos / 100_000 % 10),
        nanos @ 10_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{:.1} s", span.as_secs_f64()),
    }
}

/// Bytes in a readable unit.
pub fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..1_000_000 => format!("{} KB", count / 1000),
        _ => format!("{}.{} MB", count / 1_000_000, count / 100_000 % 10),
    }
}

/// A number with a comma before every three digits.
pub fn thousands(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
