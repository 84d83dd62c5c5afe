//! The metrics, read by the rules of their formats.

#![allow(clippy::float_cmp, reason = "what is counted is whole")]

use super::admin;
use crate::support::{Client, eventually, request, serve};
use selvedge::monitor::metrics::TextFormat;
use selvedge::{Request, Response, StatusCode};
use std::collections::{BTreeMap, BTreeSet};

/// A sample: name, labels, value.
type Sample = (String, BTreeMap<String, String>, f64);

/// Reads an exposition as strictly as its format demands.
#[track_caller]
fn parse(text: &str, format: TextFormat) -> Vec<Sample> {
    let openmetrics = format == TextFormat::OpenMetrics;
    assert!(text.ends_with('\n'));
    let text = if openmetrics {
        text.strip_suffix("# EOF\n").expect("the end is marked")
    } else {
        assert!(!text.contains("# EOF"), "there is no such line here");
        text
    };
    let (mut samples, mut family, mut kind) = (Vec::new(), String::new(), String::new());
    let (mut families, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        assert!(!line.is_empty() && line.trim() == line, "{line:?}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and a text");
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            assert!(help.len() > 8 && !help.contains('\\') && help.ends_with('.'), "{line}");
            (family, kind) = (name.to_owned(), String::new());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, given) = rest.split_once(' ').expect("a name and a type");
            assert_eq!(name, family, "help and type stand together");
            assert!(kind.is_empty() && ["counter", "gauge", "histogram"].contains(&given), "{line}");
            given.clone_into(&mut kind);
            assert_eq!(kind == "counter" && !openmetrics, name.ends_with("_total"), "{line}");
        } else {
            assert!(!line.starts_with('#'), "{line}");
            let sample = sample(line);
            let of_family = match kind.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"].map(|end| family.clone() + end).to_vec(),
                "counter" if openmetrics => vec![format!("{family}_total")],
                _ => vec![family.clone()],
            };
            assert!(of_family.contains(&sample.0), "{line} among the samples of {family}");
            assert!(seen.insert((sample.0.clone(), sample.1.clone())), "{line} comes twice");
            assert!(kind == "gauge" || sample.2 >= 0.0, "{line}");
            samples.push(sample);
        }
    }
    histograms(&samples);
    samples
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("an end")),
    };
    let is_name = |text: &str| {
        !text.is_empty()
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    assert!(is_name(name), "{line}");
    let mut map = BTreeMap::new();
    let mut rest = labels;
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"").expect("a label");
        let end = after.find('"').expect("an end: nothing here needs an escape");
        assert!(is_name(label) && !after[..end].contains('\\'), "{line}");
        assert!(map.insert(label.to_owned(), after[..end].to_owned()).is_none(), "{line}");
        rest = after[end + 1..].strip_prefix(',').unwrap_or(&after[end + 1..]);
    }
    (name.to_owned(), map, value)
}

/// Buckets add up, the last one to the count.
fn histograms(samples: &[Sample]) {
    for (name, _, count) in samples.iter().filter(|(name, ..)| name.ends_with("_count")) {
        let bucket = name.replace("_count", "_bucket");
        let buckets: Vec<_> = samples.iter().filter(|(name, ..)| *name == bucket).collect();
        assert!(buckets.len() > 2, "{name}");
        assert!(buckets.is_sorted_by(|a, b| a.2 <= b.2), "{name} is cumulative");
        let bounds: Vec<f64> =
            buckets.iter().map(|it| it.1["le"].replace("+Inf", "inf").parse().expect("a bound")).collect();
        assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
        let last = buckets.last().expect("one");
        assert_eq!((last.1["le"].as_str(), last.2), ("+Inf", *count), "{name}");
    }
}

#[track_caller]
fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted: BTreeMap<_, _> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let found = samples.iter().find(|(known, labels, _)| known == name && *labels == wanted);
    found.unwrap_or_else(|| panic!("no {name} {labels:?}")).2
}

#[test]
fn both_formats_hold_the_same() {
    let server = serve(
        |_| (),
        |request: &mut Request| match request.path() {
            "/" => Response::text("hello"),
            _ => Response::problem(StatusCode::NOT_FOUND),
        },
    );
    let admin = admin(&server);
    let mut client = Client::connect(&server);
    for _ in 0..3 {
        assert_eq!(client.get("/").status, 200);
    }
    for hostile in ["BREW", "X-Y", "A1"] {
        assert_eq!(client.ask(request(hostile, "/nothing")).status, 404);
    }
    assert_eq!(client.ask(request("GET", "/%2e%2e/")).status, 400);
    let mut bad = Client::connect(&server);
    assert_eq!(bad.ask("GET / HTTP/1.1\nHost: x\n\n").status, 400);
    eventually("both were counted", || server.monitor().counters().refused == 2);

    for (accept, format) in [
        ("", TextFormat::Prometheus),
        ("Accept: text/plain;version=0.0.4\r\n", TextFormat::Prometheus),
        ("Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n", TextFormat::OpenMetrics),
    ] {
        let answer =
            Client::connect(&admin).ask(format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n"));
        assert_eq!(
            (answer.status, answer.field("content-type")),
            (200, Some(format.media_type())),
            "{accept}"
        );
        assert_eq!(answer.field("vary"), Some("Accept"));
        let samples = parse(answer.text(), format);
        let requests = |method, status| {
            value(&samples, "selvedge_http_requests_total", &[("method", method), ("status", status)])
        };
        assert_eq!((requests("GET", "200"), requests("other", "404")), (3.0, 3.0));
        let refused = |reason| value(&samples, "selvedge_refusals_total", &[("reason", reason)]);
        assert_eq!(
            (refused("unsafe path"), refused("bare CR or LF"), refused("rate limit")),
            (1.0, 1.0, 0.0)
        );
        assert_eq!(
            value(&samples, "selvedge_http_request_duration_seconds_count", &[]),
            6.0,
            "whose head was whole, and that were not refused"
        );
        assert_eq!(value(&samples, "selvedge_seats", &[]), 1024.0);
        assert_eq!(
            value(&samples, "selvedge_seats_taken", &[]),
            value(&samples, "selvedge_connections", &[("phase", "idle")])
        );
        assert_eq!(value(&samples, "selvedge_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
        assert_eq!(value(&samples, "selvedge_ready", &[]), 1.0);
        assert!(value(&samples, "process_start_time_seconds", &[]) > 1.7e9);
    }
}

#[test]
fn accepted_formats() {
    use TextFormat::{OpenMetrics, Prometheus};
    for (accept, expected) in [
        ("", Prometheus),
        ("*/*", Prometheus),
        ("text/html", Prometheus),
        ("application/openmetrics-text", OpenMetrics),
        ("Application/OpenMetrics-Text; version=1.0.0", OpenMetrics),
        // What Prometheus itself sends.
        (
            "application/openmetrics-text;version=1.0.0;q=0.75,application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=0.0.4;q=0.25,*/*;q=0.1",
            OpenMetrics,
        ),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.2", Prometheus),
        ("application/openmetrics-text;q=0", Prometheus),
        ("application/openmetrics-text;q=much", Prometheus),
        ("application/openmetrics-textile", Prometheus),
        (";;,,q=1", Prometheus),
    ] {
        assert_eq!(TextFormat::accepted(accept.as_bytes()), expected, "{accept}");
    }
}
