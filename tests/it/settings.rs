//! The table of settings: what can be written, how it is shown, and what is refused with which words.

use proptest::prelude::*;
use selvedge::config::{Config, Rate, SETTINGS, Setting};
use std::collections::BTreeSet;
use std::time::Duration;

fn setting(name: &str) -> &'static Setting {
    SETTINGS.iter().find(|setting| setting.name == name).unwrap_or_else(|| panic!("no setting {name}"))
}

fn shown(config: &Config) -> Vec<String> {
    SETTINGS.iter().map(|setting| (setting.show)(config)).collect()
}

/// Gives `text` to a setting and expects it shown as `Ok`, or refused with a message that has `Err` in it.
fn check(name: &str, text: &str, expected: Result<&str, &str>) {
    let setting = setting(name);
    let before = Config::default();
    let mut config = before.clone();
    match ((setting.set)(&mut config, text), expected) {
        (Ok(()), Ok(expected)) => {
            assert_eq!((setting.show)(&config), expected, "--{name} {text}");
            let mut again = before.clone();
            (setting.set)(&mut again, expected).expect("what is shown can be read");
            assert_eq!(again, config, "--{name} {text} does not come back");
            let others = shown(&config).into_iter().zip(shown(&before)).zip(SETTINGS);
            for ((now, then), other) in others.filter(|(_, other)| other.name != name) {
                assert_eq!(now, then, "--{name} changes --{}", other.name);
            }
        }
        (Err(problem), Err(expected)) => {
            assert!(problem.contains(expected), "--{name} {text}: '{problem}' does not say '{expected}'");
            assert!(
                problem.contains("permitted: ") && !problem.contains('\n'),
                "--{name} {text}: '{problem}'"
            );
            assert_eq!(config, before, "--{name} {text} is refused and leaves a trace");
        }
        (result, expected) => panic!("--{name} {text}: {result:?}, expected {expected:?}"),
    }
}

/// One accepted and one refused value of every setting, then each way of writing and each way of being wrong.
const ROWS: &[(&str, &str, Result<&str, &str>)] = &[
    ("max-connections", "4096", Ok("4096")),
    ("max-connections", "0", Err("0 is out of bounds; permitted: 1 to 65536")),
    ("max-connections-per-client", "8", Ok("8")),
    ("max-connections-per-client", "0", Err("permitted: 1 to 65536, or off")),
    ("max-waiting", "1", Ok("1")),
    ("max-waiting", "0", Err("1 to 65536")),
    ("seat-wait", "250ms", Ok("250ms")),
    ("seat-wait", "2h", Err("1ms to 60s")),
    ("fair-share", "10", Ok("10")),
    ("fair-share", "0", Err("1 to 1000000")),
    ("stack-size", "1MiB", Ok("1MiB")),
    ("stack-size", "4KiB", Err("64KiB to 64MiB")),
    ("max-stand-ins", "0", Ok("0")),
    ("max-stand-ins", "5000", Err("0 to 4096")),
    ("throttle", "5/30s", Ok("5/30s")),
    ("throttle", "0/30s", Err("permitted")),
    ("max-in-flight", "1", Ok("1")),
    ("max-in-flight", "0", Err("1 to 65536")),
    ("max-queued", "0", Ok("0")),
    ("max-queued", "off", Err("'off' is not a whole number; permitted: 0 to 65536")),
    ("queue-wait", "1s", Ok("1s")),
    ("queue-wait", "0s", Err("0s is out of bounds; permitted: 1ms to 60s")),
    ("rate-limit", "30/60s", Ok("30/60s")),
    ("rate-limit", "0/60s", Err("1 to 100000 in 1s to 24h, or off")),
    ("max-buffered", "1GiB", Ok("1GiB")),
    ("max-buffered", "0", Err("1KiB to 1024GiB")),
    ("max-memory", "512MiB", Ok("512MiB")),
    ("max-memory", "1MiB", Err("16MiB to 1024GiB, or off")),
    ("max-body", "2MiB", Ok("2MiB")),
    ("max-body", "0", Err("1 to 1024GiB")),
    ("max-path", "1024", Ok("1KiB")),
    ("max-path", "1MiB", Err("1 to 64KiB")),
    ("max-request-line", "4KiB", Ok("4KiB")),
    ("max-request-line", "2", Err("16 to 64KiB")),
    ("max-head", "64KiB", Ok("64KiB")),
    ("max-head", "2MiB", Err("64 to 1MiB")),
    ("max-headers", "50", Ok("50")),
    ("max-headers", "1025", Err("1 to 1024")),
    ("handshake-timeout", "2s", Ok("2s")),
    ("handshake-timeout", "off", Err("1ms to 1h")),
    ("header-timeout", "5s", Ok("5s")),
    ("header-timeout", "2h", Err("1ms to 1h")),
    ("body-timeout", "2m", Ok("120s")),
    ("body-timeout", "25h", Err("1ms to 24h")),
    ("min-rate", "1KiB", Ok("1KiB")),
    ("min-rate", "0", Err("1 to 1GiB, or off")),
    ("rate-grace", "100ms", Ok("100ms")),
    ("rate-grace", "off", Err("1ms to 1h")),
    ("write-timeout", "60s", Ok("60s")),
    ("write-timeout", "0ms", Err("1ms to 24h")),
    ("keep-alive", "1ms", Ok("1ms")),
    ("keep-alive", "0s", Err("1ms to 24h")),
    ("handler-timeout", "1h", Ok("1h")),
    ("handler-timeout", "", Err("'' is not a time")),
    ("drain-timeout", "24h", Ok("24h")),
    ("drain-timeout", "48h", Err("1ms to 24h")),
    // Counts.
    ("max-headers", "007", Ok("7")),
    ("max-headers", "", Err("'' is not a whole number")),
    ("max-headers", "-1", Err("'-1' is not a whole number")),
    ("max-headers", "+1", Err("'+1' is not a whole number")),
    ("max-headers", " 1", Err("' 1' is not a whole number")),
    ("max-headers", "1e2", Err("'1e2' is not a whole number")),
    ("max-headers", "٣", Err("'٣' is not a whole number")),
    ("max-headers", "99999999999999999999999", Err("out of bounds; permitted: 1 to 1024")),
    // Sizes: the largest exact unit.
    ("max-body", "512", Ok("512")),
    ("max-body", "512B", Ok("512")),
    ("max-body", "1536", Ok("1536")),
    ("max-body", "1536KiB", Ok("1536KiB")),
    ("max-body", "2048KiB", Ok("2MiB")),
    ("max-body", "1024GiB", Ok("1024GiB")),
    ("max-body", "1025GiB", Err("out of bounds")),
    ("max-body", "18446744073709551615GiB", Err("out of bounds")),
    ("max-body", "1GB", Err("write 512, 256KiB, 1MiB or 1GiB")),
    ("max-body", "1mib", Err("'1mib' is not a size")),
    ("max-body", "1 MiB", Err("'1 MiB' is not a size")),
    ("max-body", "MiB", Err("'MiB' is not a size")),
    ("max-body", "1.5MiB", Err("'1.5MiB' is not a size")),
    // Times: always with a unit.
    ("keep-alive", "1500ms", Ok("1500ms")),
    ("keep-alive", "2000ms", Ok("2s")),
    ("keep-alive", "90m", Ok("5400s")),
    ("keep-alive", "60m", Ok("1h")),
    ("keep-alive", "15", Err("'15' is not a time; write 10s or 500ms")),
    ("keep-alive", "1.5s", Err("write 10s or 500ms")),
    ("keep-alive", "15sec", Err("write 10s or 500ms")),
    ("keep-alive", "15µs", Err("write 10s or 500ms")),
    // Rates.
    ("rate-limit", "600/1m", Ok("600/60s")),
    ("rate-limit", "5/1500ms", Ok("5/1500ms")),
    ("rate-limit", "30", Err("'30' is not a rate; write 30/60s")),
    ("rate-limit", "30/60", Err("write 30/60s")),
    ("rate-limit", "30/0s", Err("write 30/60s")),
    ("rate-limit", "30/60s/2", Err("write 30/60s")),
    ("rate-limit", "/60s", Err("write 30/60s")),
    ("rate-limit", "4294967296/60s", Err("1 to 100000")),
    // Absent limits are spelt out.
    ("rate-limit", "off", Ok("off")),
    ("min-rate", "off", Ok("off")),
    ("max-connections-per-client", "off", Ok("off")),
    ("max-connections-per-client", "OFF", Err(", or off")),
    ("max-connections", "off", Err("'off' is not a whole number")),
];

#[test]
fn values() {
    for (name, text, expected) in ROWS {
        check(name, text, *expected);
    }
}

#[test]
fn every_setting_has_its_rows() {
    let names: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(names.len(), SETTINGS.len(), "a name stands twice");
    for accepted in [true, false] {
        let rows = ROWS.iter().filter(|(_, _, expected)| expected.is_ok() == accepted);
        assert_eq!(rows.map(|(name, ..)| *name).collect::<BTreeSet<_>>(), names, "accepted: {accepted}");
    }
    let kebab = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    assert!(names.iter().all(|name| kebab(name)));
    for setting in SETTINGS {
        let off = (setting.set)(&mut Config::default(), "off").is_ok();
        assert_eq!(setting.value_name.ends_with("|off"), off, "{} says so of off", setting.name);
    }
}

/// Which combinations are refused, and with which words.
#[test]
fn combinations() {
    type Change = fn(&mut Config);
    let rows: &[(Change, Result<(), &str>)] = &[
        (|_| (), Ok(())),
        (|config| config.max_request_line = config.max_head, Ok(())),
        (|config| config.max_head = 4 << 10, Err("--max-request-line: 8KiB is more than --max-head, 4KiB")),
        (|config| config.max_body = 1 << 30, Err("--max-body: 1GiB is more than --max-buffered, 256MiB")),
        // Where a server listens is not told by these.
        (|config| config.bind.clear(), Ok(())),
        (
            |config| config.max_connections = 0,
            Err("--max-connections: 0 is out of bounds; permitted: 1 to 65536"),
        ),
        (|config| config.keep_alive = Duration::from_micros(10), Err("--keep-alive: 0ms is out of bounds")),
        (|config| config.keep_alive = Duration::MAX, Err("--keep-alive: ")),
        (|config| config.min_rate = Some(0), Err("--min-rate: 0 is out of bounds")),
        (|config| config.min_rate = None, Ok(())),
        (
            |config| config.rate_limit = Some(Rate { count: 0, span: Duration::from_secs(60) }),
            Err("--rate-limit: '0/60s' is not a rate within the bounds"),
        ),
        (|config| config.allow_hosts = vec!["example.org".into(), "[::1]".into()], Ok(())),
        (
            |config| config.allow_hosts = vec!["example.org".into(), "*.example.org".into()],
            Err("--allow-host: '*.example.org' has a '*', and names are compared whole; write each of them"),
        ),
        (|config| config.allow_hosts = vec!["example.org:80".into()], Err("is no host; write example.org")),
    ];
    for (index, (change, expected)) in rows.iter().enumerate() {
        let mut config = Config::default();
        change(&mut config);
        match (config.validate().map_err(|error| error.to_string()), expected) {
            (Ok(()), Ok(())) => {}
            (Err(problem), Err(expected)) => {
                assert!(problem.contains(expected), "row {index}: '{problem}' does not say '{expected}'");
            }
            (result, _) => panic!("row {index}: {result:?}, expected {expected:?}"),
        }
    }
}

proptest! {
    /// Whatever is taken is shown so that it is taken for the same.
    #[test]
    fn shown_values_come_back(
        index in 0..SETTINGS.len(),
        text in "[0-9]{1,6}(/[0-9]{1,4})?(B|KiB|MiB|GiB|ms|s|m|h)?|\\PC{0,8}",
    ) {
        let setting = &SETTINGS[index];
        let mut config = Config::default();
        if (setting.set)(&mut config, &text).is_ok() {
            let mut again = Config::default();
            prop_assert!((setting.set)(&mut again, &(setting.show)(&config)).is_ok());
            prop_assert_eq!(again, config);
        }
    }
}
