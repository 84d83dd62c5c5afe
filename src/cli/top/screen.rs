//! The board as lines of text.

use serde_json::Value;
use std::fmt::Write;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";
/// Seconds of the past that are drawn.
const PAST: usize = 180;
/// Lines above the list of connections.
const HEAD: usize = 12;
/// Clients that are named for their seats.
const HOLDERS: usize = 5;

/// What is known of the server.
#[derive(Default)]
pub(super) struct Screen {
    board: Value,
    /// Requests served a second, the latest last.
    rate: Vec<u64>,
    latest: Latest,
    /// Why nothing more is known.
    lost: Option<String>,
}

/// The last sample.
#[derive(Default)]
struct Latest {
    number: u64,
    served: u64,
    refused: u64,
    evicted: u64,
    p50: u64,
    p99: u64,
}

impl Screen {
    pub(super) fn update(&mut self, board: &Value) {
        let history = &board["history"];
        let last = number(&history["last"]);
        if last < self.latest.number || board["pid"] != self.board["pid"] {
            self.rate.clear();
        }
        let series =
            |name: &str| history[name].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(number);
        if last != self.latest.number {
            self.rate.extend(series("served"));
            self.rate.drain(..self.rate.len().saturating_sub(PAST));
            let latest = |name| series(name).next_back().unwrap_or(0);
            self.latest = Latest {
                number: last,
                served: latest("served"),
                refused: latest("refused"),
                evicted: latest("evicted"),
                p50: latest("p50"),
                p99: latest("p99"),
            };
        }
        self.board = board.clone();
        self.lost = None;
    }

    /// The server does not answer any more.
    pub(super) fn lose(&mut self, address: &str, problem: &str) {
        self.lost = Some(format!("{address} does not answer: {problem}"));
    }

    /// The number of the last sample that is known.
    pub(super) fn last(&self) -> u64 {
        self.latest.number
    }

    /// A full screen of so many columns and rows, its lines joined for a terminal.
    pub(super) fn frame(&self, (columns, rows): (usize, usize)) -> String {
        let mut frame = String::from("\x1b[H");
        for (at, line) in self.lines(columns, rows, true).iter().take(rows).enumerate() {
            if at > 0 {
                frame.push_str("\r\n");
            }
            let _ = write!(frame, "{line}{PLAIN}\x1b[K");
        }
        frame.push_str("\x1b[J");
        frame
    }

    /// The same as plain text.
    pub(super) fn snapshot(&self, (columns, rows): (usize, usize)) -> String {
        self.lines(columns, rows, false).into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    fn lines(&self, columns: usize, rows: usize, colours: bool) -> Vec<String> {
        let board = &self.board;
        let style = |code: &'static str| if colours { code } else { "" };
        let mut lines = vec![cut(
            &format!(
                "selvedge {}  {}  process {}, up {}",
                text(&board["version"]),
                list(&board["addresses"]),
                number(&board["pid"]),
                span(seconds(&board["uptime"])),
            ),
            columns,
        )];
        let (sign, colour) = match (&self.lost, text(&board["level"]).as_str()) {
            (Some(_), _) => ("x", "\x1b[31;1m"),
            (None, "well") => ("ok", "\x1b[32;1m"),
            (None, "strained") => ("!", "\x1b[33;1m"),
            _ => ("!!", "\x1b[31;1m"),
        };
        let headline = self.lost.clone().unwrap_or_else(|| text(&board["headline"]));
        lines.push(format!("{}{}", style(colour), cut(&format!("[{sign}] {headline}"), columns)));
        lines.push(String::new());
        let plain = style(PLAIN);
        for pair in [["seats", "lobby"], ["flight", "queue"]] {
            let bars: Vec<_> = pair.iter().map(|name| bar(name, &board[*name], columns / 2)).collect();
            lines.push(cut(&bars.join("  "), columns));
        }
        lines.push(cut(&self.resources(), columns));
        lines.push(cut(&self.traffic(), columns));
        lines.push(cut(&sparks(&self.rate, columns.min(PAST)), columns));
        lines.push(cut(&phases(&board["phases"]), columns));
        lines.push(cut(&holders(&board["holders"]), columns));
        lines.push(String::new());
        let head = format!(
            "{:>5} {:<12} {:<10} {:>8} {:>8} {:<22} {}",
            "SEAT", "THREAD", "PHASE", "FOR", "LEFT", "CLIENT", "REQUEST"
        );
        lines.push(format!("{}{}{plain}", style(BOLD), cut(&head, columns)));
        let connections = board["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        for row in connections.iter().take(rows.saturating_sub(HEAD)) {
            let (colour, line) = connection(row);
            lines.push(format!("{}{}{plain}", style(colour), cut(&line, columns)));
        }
        lines
    }

    fn resources(&self) -> String {
        let board = &self.board;
        let known = |name: &str| board[name].as_u64().map_or_else(|| "?".into(), spaced);
        let limit =
            board["memory_limit"].as_u64().map(|limit| format!(" of {}", bytes(limit))).unwrap_or_default();
        format!(
            "memory {}{limit}, {} threads, {} files, {} stuck, {} lines of logs lost",
            bytes(number(&board["memory"])),
            known("threads"),
            known("descriptors"),
            number(&board["stuck"][0]),
            number(&board["lost_lines"]),
        )
    }

    fn traffic(&self) -> String {
        let Latest { served, refused, evicted, p50, p99, .. } = self.latest;
        format!(
            "{}/s served, half within {}, 99 of 100 within {}; {}/s refused, {}/s seats taken back",
            spaced(served),
            micros(p50),
            micros(p99),
            spaced(refused),
            spaced(evicted),
        )
    }
}

fn bar(name: &str, amounts: &Value, columns: usize) -> String {
    let (taken, limit) = (number(&amounts[0]), number(&amounts[1]));
    let name = match name {
        "flight" => "in flight",
        name => name,
    };
    let label = format!("{name:<9} {:>6} of {:<7}", spaced(taken), spaced(limit));
    let width = columns.saturating_sub(label.len() + 4).min(30);
    let full = if limit == 0 { 0 } else { (taken.min(limit) as usize * width).div_ceil(limit as usize) };
    format!("{label}[{}{}]", "#".repeat(full), ".".repeat(width - full))
}

fn phases(counts: &Value) -> String {
    let names = crate::threads::Phase::ALL.iter().enumerate();
    names.map(|(at, phase)| format!("{phase} {}", number(&counts[at]))).collect::<Vec<_>>().join("  ")
}

/// Who has most seats: nobody who asks for nothing is among the busiest.
fn holders(holders: &Value) -> String {
    let holders = holders.as_array().map(Vec::as_slice).unwrap_or_default();
    let most =
        holders.iter().map(|one| format!("{} {}", text(&one["client"]), spaced(number(&one["seats"]))));
    let most: Vec<_> = most.take(HOLDERS).collect();
    format!("most seats: {}", if most.is_empty() { "-".into() } else { most.join(", ") })
}

fn connection(row: &Value) -> (&'static str, String) {
    let stuck = row["stuck"].as_bool() == Some(true);
    let phase = text(&row["phase"]);
    let colour = match phase.as_str() {
        _ if stuck => "\x1b[31;1m",
        "head" | "handshake" => "\x1b[36m",
        "body" => "\x1b[34m",
        "waiting" => "\x1b[33m",
        "handling" => "\x1b[32m",
        "writing" => "\x1b[35m",
        _ => DIM,
    };
    let left = row["left"].as_u64().map_or_else(|| "-".into(), span);
    let request = text(&row["request"]);
    let request = match row["past"].as_bool() {
        Some(true) if !request.is_empty() => format!("after {request}"),
        _ => request,
    };
    let line = format!(
        "{:>5} {:<12} {:<10} {:>8} {:>8} {:<22} {request}",
        number(&row["number"]),
        text(&row["thread"]),
        if stuck { "STUCK" } else { &phase },
        span(number(&row["since"])),
        left,
        text(&row["peer"]),
    );
    (colour, line)
}

/// A column for each second.
fn sparks(rate: &[u64], columns: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = rate.iter().copied().max().unwrap_or(0).max(1);
    let shown = rate.iter().skip(rate.len().saturating_sub(columns));
    shown.map(|value| LEVELS[(value * 7).div_ceil(most).min(7) as usize]).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Milliseconds of seconds.
fn seconds(value: &Value) -> u64 {
    // Of some centuries at most.
    #[allow(clippy::cast_sign_loss)]
    value.as_f64().map_or(0, |seconds| (seconds * 1000.0) as u64)
}

/// A text without what could drive a terminal.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().chars().filter(|char| !char.is_control()).collect()
}

fn list(value: &Value) -> String {
    value.as_array().map(|items| items.iter().map(text).collect::<Vec<_>>().join(", ")).unwrap_or_default()
}

fn cut(line: &str, columns: usize) -> String {
    line.chars().take(columns).collect()
}

fn span(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..120_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        120_000..7_200_000 => format!("{} min", millis / 60_000),
        _ => format!("{} h", millis / 3_600_000),
    }
}

fn micros(micros: u64) -> String {
    match micros {
        0 => "-".into(),
        1..1000 => format!("{micros} us"),
        1000..10_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => span(micros / 1000),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..0x0010_0000 => format!("{} KiB", bytes >> 10),
        0x0010_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{}.{} GiB", bytes >> 30, ((bytes & 0x3fff_ffff) * 10) >> 30),
    }
}

fn spaced(number: u64) -> String {
    crate::server::thousands(number)
}
