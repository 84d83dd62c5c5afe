//! Memory, descriptors and threads of a server, second by second, and whether they grow.

use std::fmt::Write as _;
use std::fs;
use std::io;

/// One look.
#[derive(Clone, Copy)]
struct Sample {
    /// Seconds since the start.
    at: f64,
    values: [f64; 3],
}

/// What is looked at: its name, a rise that means nothing, and seconds until it has settled. (Memory takes its time: threads
/// touch their stacks deeper now and then, and find their arenas.)
const KINDS: [(&str, f64, f64); 3] =
    [("RSS KiB", 2048.0, 180.0), ("descriptors", 5.0, 0.0), ("threads", 5.0, 0.0)];
/// Samples, one a second, that say whether something grows.
const TELLING: usize = 10;
/// The same as a share of the mean.
const SHARE: f64 = 0.05;

#[derive(Default)]
pub struct Samples(Vec<Sample>);

/// What the samples of one kind say.
struct Trend {
    mean: f64,
    most: f64,
    /// In an hour.
    slope: f64,
    /// What the fitted line rises by in the time it is fitted to.
    rise: f64,
    /// Standard deviation of the samples around it.
    scatter: f64,
}

impl Samples {
    pub fn take(&mut self, pid: u32, at: f64) -> io::Result<()> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let number = |name: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        self.0.push(Sample { at, values: [number("VmRSS:"), descriptors as f64, number("Threads:")] });
        Ok(())
    }

    /// Lines of a table, and whether nothing grows. The first third is for what every server fills once; of a run that is over
    /// soon after that, or before, nothing is said.
    pub fn report(&self, name: &str) -> (String, bool) {
        let steady = &self.0[self.0.len() / 3..];
        let (mut lines, mut good) = (String::new(), true);
        for (number, (kind, nothing, settled)) in KINDS.iter().enumerate() {
            let settled = steady.iter().filter(|sample| sample.at >= *settled);
            let points: Vec<_> = settled.map(|sample| (sample.at, sample.values[number])).collect();
            let first = self.0.first().map_or(0.0, |sample| sample.values[number]);
            let Some(trend) = Trend::of(&points) else {
                let last = self.0.last().map_or(0.0, |sample| sample.values[number]);
                let _ =
                    writeln!(lines, "| {name} | {kind} | {first:.0} | | {last:.0} | | | | too soon to say |");
                continue;
            };
            // A rise that drowns in the scatter, or in what any load moves, is none.
            let grows = trend.rise > nothing.max(SHARE * trend.mean).max(2.0 * trend.scatter);
            good &= !grows;
            let Trend { mean, most, slope, rise, scatter } = trend;
            let _ = writeln!(
                lines,
                "| {name} | {kind} | {first:.0} | {mean:.0} | {most:.0} | {scatter:.1} | {rise:+.1} | {slope:+.1} | {} |",
                if grows { "GROWS" } else { "steady" }
            );
        }
        (lines, good)
    }
}

impl Trend {
    /// Least squares.
    fn of(points: &[(f64, f64)]) -> Option<Trend> {
        if points.len() < TELLING {
            return None;
        }
        let count = points.len() as f64;
        let (x, y) =
            points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
        let squares: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        let products: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let slope = products / squares;
        let off = |point: &(f64, f64)| (point.1 - y - slope * (point.0 - x)).powi(2);
        let scatter = (points.iter().map(off).sum::<f64>() / count).sqrt();
        let span = points.last()?.0 - points.first()?.0;
        let most = points.iter().map(|point| point.1).fold(0.0, f64::max);
        Some(Trend { mean: y, most, slope: slope * 3600.0, rise: slope * span, scatter })
    }
}

pub const HEADER: &str = "\
| server | | at first | mean | most | scatter | rise | slope an hour | |
|---|---|--:|--:|--:|--:|--:|--:|---|
";
