//! Metrics as texts that Prometheus and its like read.
//!
//! The crate `prometheus-client` writes `OpenMetrics` 1.0. The older text format of Prometheus, 0.0.4, has the same samples;
//! there the name of a counter ends with `_total` in its description too, and nothing marks the end.

use super::{BOUNDS_MICROS, Buckets};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, LabelSetEncoder, LabelValueEncoder, MetricEncoder, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write};

/// How the text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// `OpenMetrics`, version 1.0.0.
    OpenMetrics,
}

/// A metric with all of its samples.
#[derive(Clone, Debug)]
pub struct Family {
    /// Its name, without what the format adds: `selvedge_requests` for `selvedge_requests_total`.
    pub name: &'static str,
    /// What it is, in a sentence without a line break.
    pub help: &'static str,
    /// One for each set of labels, all of one kind.
    pub samples: Vec<Sample>,
}

/// A value, and of what.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Names and values of the labels.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: Value,
}

/// What is exposed.
#[derive(Clone, Debug)]
pub enum Value {
    /// A count that only grows.
    Counter(u64),
    /// A sum that only grows.
    Sum(f64),
    /// A value that goes up and down.
    Gauge(f64),
    /// How often something took how long.
    Histogram(Buckets),
}

/// Writes `families`. One without samples is left out.
pub fn expose(families: Vec<Family>, format: TextFormat) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    let names: Vec<_> =
        families.iter().filter(|family| family.is_counter()).map(|family| family.name).collect();
    registry.register_collector(Box::new(Families(families)));
    let mut openmetrics = String::new();
    text::encode(&mut openmetrics, &registry)?;
    Ok(match format {
        TextFormat::OpenMetrics => openmetrics,
        TextFormat::Prometheus => to_prometheus(&openmetrics, &names),
    })
}

impl TextFormat {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            TextFormat::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            TextFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that the Accept field of a request prefers (RFC 9110 §12.5.1); that of Prometheus for who does not say.
    pub fn accepted(accept: &[u8]) -> TextFormat {
        let text = String::from_utf8_lossy(accept);
        let weight = |wanted: &[&str]| {
            let ranges = text.split(',').map(|range| range.split(';').map(str::trim));
            let weights = ranges.filter_map(|mut parts| {
                let name = parts.next()?.to_ascii_lowercase();
                wanted.contains(&name.as_str()).then(|| {
                    let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
                    quality.map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(0.0))
                })
            });
            weights.fold(0.0, f32::max)
        };
        let openmetrics = weight(&["application/openmetrics-text"]);
        if openmetrics > 0.0 && openmetrics >= weight(&["text/plain", "text/*"]) {
            TextFormat::OpenMetrics
        } else {
            TextFormat::Prometheus
        }
    }
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for family in self.0.iter().filter(|family| !family.samples.is_empty()) {
            let kind = family.kind();
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for sample in &family.samples {
                if sample.labels.is_empty() {
                    sample.value.encode_into(&mut metric)?;
                } else {
                    sample.value.encode_into(&mut metric.encode_family(&Labels(&sample.labels))?)?;
                }
            }
        }
        Ok(())
    }
}

impl Family {
    fn kind(&self) -> MetricType {
        match self.samples.first().map(|sample| &sample.value) {
            Some(Value::Counter(_) | Value::Sum(_)) => MetricType::Counter,
            Some(Value::Histogram(_)) => MetricType::Histogram,
            Some(Value::Gauge(_)) | None => MetricType::Gauge,
        }
    }

    fn is_counter(&self) -> bool {
        matches!(self.kind(), MetricType::Counter)
    }
}

impl Value {
    fn encode_into(&self, metric: &mut MetricEncoder) -> fmt::Result {
        match self {
            Value::Counter(count) => metric.encode_counter::<NoLabelSet, u64, f64>(count, None),
            Value::Sum(sum) => metric.encode_counter::<NoLabelSet, f64, f64>(sum, None),
            Value::Gauge(value) => metric.encode_gauge(value),
            Value::Histogram(buckets) => {
                let bounds = BOUNDS_MICROS.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
                let counts: Vec<_> = bounds.zip(buckets.counts).collect();
                metric.encode_histogram::<NoLabelSet>(
                    seconds(buckets.sum_micros),
                    buckets.count(),
                    &counts,
                    None,
                )
            }
        }
    }
}

/// Precise for two hundred years.
#[allow(clippy::cast_precision_loss)]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

struct Labels<'a>(&'a [(&'static str, String)]);

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        for (name, value) in self.0 {
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            key.write_str(name)?;
            let mut text: LabelValueEncoder = key.encode_label_value()?;
            text.write_str(value)?;
            text.finish()?;
        }
        Ok(())
    }
}

fn to_prometheus(openmetrics: &str, counters: &[&str]) -> String {
    let mut text = String::with_capacity(openmetrics.len() + 1024);
    for line in openmetrics.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name), Some(rest))
                if counters.contains(&name) =>
            {
                // Writing to memory does not fail.
                let _ = writeln!(text, "# {what} {name}_total {rest}");
            }
            _ => text.extend([line, "\n"]),
        }
    }
    text
}
