//! The table of options: every one of them is everywhere, and means the same wherever it comes from.

use super::{program, scratch};
use proptest::prelude::*;
use selvedge::config::{Config, SETTINGS};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// An option in effect, as `print-config` writes it.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    name: String,
    /// In TOML.
    value: String,
    origin: String,
}

/// What a command that ends well prints.
#[track_caller]
fn printed(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{command:?}: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The options in what `print-config` printed; those of tables alone have no value.
fn lines(text: &str) -> Vec<Line> {
    let lines = text.lines().filter_map(|line| {
        let (value, origin) = line.rsplit_once(" # ")?;
        let (name, value) = match value.split_once(" = ") {
            Some(pair) => pair,
            None => (value.strip_prefix("# [[")?.strip_suffix("]]")?, ""),
        };
        // What stands there to be seen, and not to be read.
        let name = name.trim_start_matches("# ");
        Some(Line { name: name.into(), value: value.into(), origin: origin.into() })
    });
    lines.collect()
}

fn defaults() -> Vec<Line> {
    lines(&printed(&mut program(&["print-config"])))
}

/// The texts in a value, as they would stand behind flags.
fn texts(value: &str) -> Vec<String> {
    let of_list = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
    let items = of_list.unwrap_or(value).split(", ").filter(|item| !item.is_empty());
    items.map(|item| item.trim_matches('"').replace("true", "on").replace("false", "off")).collect()
}

/// A value for an option that has none unasked.
fn sample(name: &str) -> Option<&'static str> {
    let samples = [
        ("allow-host", "example.org"),
        ("trusted-proxy", "10.0.0.0/8"),
        ("header", "x-sample: a, b"),
        ("no-header", "server"),
    ];
    samples.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn variable(name: &str) -> String {
    format!("SELVEDGE_{}", name.replace('-', "_").to_uppercase())
}

/// Names of flags in a text: what stands behind every `--`.
fn flags(text: &str) -> BTreeSet<String> {
    let ends = |c: char| !c.is_ascii_lowercase() && c != '-';
    let names = text.split("--").skip(1).map(|rest| rest.split(ends).next().unwrap_or_default().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// Each option has its flag in help, manual and completions, its variable in the manual, and its key in a file; and
/// nothing else has.
#[test]
fn every_option_is_everywhere() {
    let all = defaults();
    let names: BTreeSet<_> = all.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "a name stands twice");
    assert!(SETTINGS.iter().all(|setting| names.contains(setting.name)), "{names:?}");
    assert!(all.iter().all(|line| line.origin == "default"), "{all:?}");
    let with_flag = all.iter().filter(|line| !line.value.is_empty() && line.name != "path");
    let expected: BTreeSet<_> = with_flag.map(|line| line.name.clone()).collect();
    let others = ["config", "help", "version"].map(str::to_owned);

    let help = printed(&mut program(&["--help"]));
    let manual = printed(&mut program(&["man"])).replace("\\-", "-");
    let bash = printed(&mut program(&["completions", "bash"]));
    let zsh = printed(&mut program(&["completions", "zsh"]));
    let fish = printed(&mut program(&["completions", "fish"])).replace(" -l ", " --");
    for (place, text) in [("help", &help), ("man", &manual), ("bash", &bash), ("zsh", &zsh), ("fish", &fish)]
    {
        let found = flags(text);
        let missing: Vec<_> = expected.iter().chain(&others).filter(|name| !found.contains(*name)).collect();
        assert!(missing.is_empty(), "{place} has no {missing:?}");
    }
    let listed = help.lines().filter(|line| line.starts_with("      --") || line.starts_with("  -"));
    let listed: BTreeSet<_> = listed.flat_map(flags).filter(|name| !others.contains(name)).collect();
    let strangers: Vec<_> = listed.difference(&expected).collect();
    // Some help names another flag.
    assert!(strangers.is_empty(), "help has {strangers:?}, which no file can have");
    for name in &expected {
        assert!(manual.contains(&variable(name)), "the manual has no {}", variable(name));
    }
    assert!(help.contains("[PATH]") && manual.contains("[PATH]") && manual.contains("SELVEDGE_PATH"));
}

/// Each option can be said in each way, alone, and that is what `print-config` says of it.
#[test]
fn every_option_in_every_way() {
    for line in defaults().into_iter().filter(|line| !line.value.is_empty()) {
        let Line { name, value, .. } = &line;
        let shown = match sample(name) {
            Some(sample) => format!("[\"{sample}\"]"),
            None => value.clone(),
        };
        let texts = texts(&shown);
        let expect = |command: &mut Command, origin: &str| {
            let found = lines(&printed(command.arg("print-config")));
            let found: Vec<_> = found.iter().filter(|line| line.origin != "default").collect();
            let expected = Line { name: name.clone(), value: shown.clone(), origin: origin.into() };
            assert_eq!(found, [&expected]);
        };
        let separator = if name == "header" { "\n" } else { "," };
        let text = match sample(name) {
            Some(sample) => sample.to_owned(),
            None => texts.join(separator),
        };
        expect(program(&[]).env(variable(name), &text), &variable(name));
        if name == "path" {
            expect(program(&[]).arg(&text), "PATH");
        } else {
            expect(program(&[]).arg(format!("--{name}={text}")), &format!("--{name}"));
        }
        let file = scratch(&format!("option-{name}.toml"));
        fs::write(&file, format!("# A file.\n\n{name} = {shown}\n")).expect("a place to write");
        expect(program(&[]).arg("-c").arg(&file), &format!("{}:3", file.display()));
        expect(program(&[]).env("SELVEDGE_CONFIG", &file), &format!("{}:3", file.display()));
        let _ = fs::remove_file(file);
    }
}

/// Flag, variable, file, default: the first of them that has a say.
#[test]
fn precedence() {
    let file = scratch("precedence.toml");
    fs::write(&file, "max-body = \"2MiB\"\nallow-host = [\"file\"]\nspa = true\npath = \".\"\n")
        .expect("written");
    let effective = |environment: &[(&str, &str)], before: &[&str], after: &[&str]| {
        let mut command = program(before);
        let text = printed(command.envs(environment.iter().copied()).arg("print-config").args(after));
        let value = |name| lines(&text).into_iter().find(|line| line.name == name).expect(name).value;
        [value("max-body"), value("allow-host"), value("spa")]
    };
    let config = ["-c", file.to_str().expect("UTF-8")];
    let variables = [("SELVEDGE_MAX_BODY", "3MiB"), ("SELVEDGE_ALLOW_HOST", "a,b"), ("SELVEDGE_SPA", "off")];
    let flags = ["--max-body", "4MiB", "--allow-host", "flag", "--spa"];
    assert_eq!(effective(&[], &[], &[]), ["\"1MiB\"", "[]", "false"]);
    assert_eq!(effective(&[], &config, &[]), ["\"2MiB\"", "[\"file\"]", "true"]);
    assert_eq!(effective(&variables, &config, &[]), ["\"3MiB\"", "[\"a\", \"b\"]", "false"]);
    assert_eq!(effective(&variables, &config, &flags), ["\"4MiB\"", "[\"flag\"]", "true"]);
    assert_eq!(
        effective(&variables, &[&config[..], &flags].concat(), &[]),
        ["\"4MiB\"", "[\"flag\"]", "true"]
    );
    // Behind the command more than before it, and a list can be emptied.
    assert_eq!(effective(&[], &["--max-body", "5MiB"], &["--max-body", "6MiB"])[0], "\"6MiB\"");
    assert_eq!(effective(&[("SELVEDGE_ALLOW_HOST", "")], &config, &[])[1], "[]");
    let _ = fs::remove_file(file);
}

/// Blanks around the values of a list in a variable are nobody's; those within a value are.
#[test]
fn lists_in_variables() {
    for (name, value, says) in [
        ("SELVEDGE_ALLOW_HOST", "a.example, b.example", "allow-host = [\"a.example\", \"b.example\"] # "),
        (
            "SELVEDGE_ALLOW_HOST",
            " a.example\t,\n b.example ",
            "allow-host = [\"a.example\", \"b.example\"] # ",
        ),
        ("SELVEDGE_ALLOW_HOST", " ", "allow-host = [] # "),
        ("SELVEDGE_BIND", "[::1]:0, unix:/run/a b", "bind = [\"[::1]:0\", \"unix:/run/a b\"] # "),
        ("SELVEDGE_TRUSTED_PROXY", "10.0.0.0/8, ::1", "trusted-proxy = [\"10.0.0.0/8\", \"::1/128\"] # "),
        ("SELVEDGE_NO_HEADER", "server ,x-frame-options", "no-header = [\"server\", \"x-frame-options\"] # "),
        ("SELVEDGE_HEADER", "a: b,  c\n d: e\n", "header = [\"a: b,  c\", \"d: e\"] # "),
    ] {
        let text = printed(program(&["print-config"]).env(name, value));
        assert!(text.lines().any(|line| line.starts_with(says)), "{name}={value:?}: no {says} in\n{text}");
    }
}

/// What a server of files has unasked, it does not have when asked for something else.
#[test]
fn rates_by_what_is_served() {
    for (arguments, rate) in [
        (&[][..], "\"30/60s\""),
        (&["."], "\"600/60s\""),
        (&[".", "--rate-limit", "off"], "\"off\""),
        (&[".", "--rate-limit", "30/60s"], "\"30/60s\""),
        (&["off"], "\"30/60s\""),
    ] {
        let text = printed(program(arguments).arg("print-config"));
        let line = lines(&text).into_iter().find(|line| line.name == "rate-limit").expect("it is there");
        assert_eq!(line.value, rate, "{arguments:?}");
    }
}

/// What is printed pins no default that is another for a directory.
#[test]
fn defaults_by_what_is_served_stay_so() {
    let file = scratch("unpinned.toml");
    let path = file.to_str().expect("UTF-8");
    for (before, after, rate) in [
        (&[][..], &["."][..], "\"600/60s\""),
        (&["--max-body", "4MiB"], &["."], "\"600/60s\""),
        (&["."], &["off"], "\"30/60s\""),
        (&["."], &[], "\"600/60s\""),
        (&["--rate-limit", "30/60s"], &["."], "\"30/60s\""),
        (&[".", "--rate-limit", "off"], &["off"], "\"off\""),
    ] {
        fs::write(&file, printed(program(before).arg("print-config"))).expect("a place to write");
        let text = printed(program(&["-c", path, "print-config"]).args(after));
        let line = lines(&text).into_iter().find(|line| line.name == "rate-limit").expect("it is there");
        assert_eq!(line.value, rate, "{before:?} {after:?}");
    }
    let text = printed(&mut program(&["print-config"]));
    let why = "# By default another for a directory (600/60s) than for the built-in application (30/60s).\n\
               # rate-limit = \"30/60s\" # default\n";
    assert!(text.contains(why), "{text}");
    let _ = fs::remove_file(file);
}

/// Values of variables may stand in files, without the line end an editor leaves there.
#[test]
fn values_in_files() {
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Result<&'a str, &'a str>);

    let file = scratch("value");
    let path = file.to_str().expect("UTF-8");
    let long = "1".repeat((64 << 10) + 1);
    let says_both = "SELVEDGE_MAX_BODY and SELVEDGE_MAX_BODY_FILE are both set";
    let rows: &[Row] = &[
        ("2MiB", &[("SELVEDGE_MAX_BODY_FILE", path)], Ok("max-body = \"2MiB\" # SELVEDGE_MAX_BODY_FILE")),
        ("2MiB\n", &[("SELVEDGE_MAX_BODY_FILE", path)], Ok("max-body = \"2MiB\" # ")),
        ("2MiB\r\n", &[("SELVEDGE_MAX_BODY_FILE", path)], Ok("max-body = \"2MiB\" # ")),
        ("a.b,c.d\n", &[("SELVEDGE_ALLOW_HOST_FILE", path)], Ok("allow-host = [\"a.b\", \"c.d\"] # ")),
        ("a: b\nc: d\n", &[("SELVEDGE_HEADER_FILE", path)], Ok("header = [\"a: b\", \"c: d\"] # ")),
        (
            "2MiB\n\n",
            &[("SELVEDGE_MAX_BODY_FILE", path)],
            Err("bad value for SELVEDGE_MAX_BODY_FILE: '2MiB\\n'"),
        ),
        ("2MiB", &[("SELVEDGE_MAX_BODY_FILE", path), ("SELVEDGE_MAX_BODY", "1")], Err(says_both)),
        (&long, &[("SELVEDGE_MAX_BODY_FILE", path)], Err("': more than 65536 bytes")),
        (
            "x",
            &[("SELVEDGE_MAX_BODY_FILE", "/no/such")],
            Err("cannot read SELVEDGE_MAX_BODY_FILE, '/no/such': No"),
        ),
        (
            "x",
            &[("SELVEDGE_USERS_FILE", path)],
            Err("SELVEDGE_USERS_FILE is not read: SELVEDGE_USERS is a path"),
        ),
    ];
    for (text, environment, expected) in rows {
        fs::write(&file, text).expect("a place to write");
        match expected {
            Ok(says) => {
                let printed = printed(program(&["print-config"]).envs(environment.iter().copied()));
                assert!(printed.contains(says), "{text:?} {environment:?}: no {says} in\n{printed}");
            }
            Err(says) => super::check(&["print-config"], environment, 2, says),
        }
    }
    let _ = fs::remove_file(file);
}

/// The program, with a file on its standard input: a pipe can be one.
fn reprinted(text: &str) -> String {
    let mut command = program(&["-c", "/dev/stdin", "print-config"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program runs");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Names and values, and nothing of where they come from.
fn effective(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#'));
    let pairs = lines.map(|line| {
        let (name, rest) = line.split_once(" = ").expect("it was found");
        (name.to_owned(), rest.rsplit_once(" # ").map_or(rest, |(value, _)| value).to_owned())
    });
    pairs.collect()
}

#[test]
fn certificates_come_back() {
    let text = "listing = true\npath = \".\"\n[[tls-certificate]]\ncert = \"a\"\nkey = \"b\"\n\
                [[tls-certificate]]\nkey = \"d \\\" # \\u0001\"\ncert = \"c\"\n";
    let once = reprinted(text);
    let end = "[[tls-certificate]] # /dev/stdin:3\ncert = \"a\"\nkey = \"b\"\n\n\
               [[tls-certificate]] # /dev/stdin:3\ncert = \"c\"\nkey = \"d \\\" # \\u0001\"\n";
    assert!(once.ends_with(end), "{once}");
    assert_eq!(effective(&once), effective(&reprinted(&once)));
}

/// A limit's value, right or wrong.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[1-9][0-9]{0,4}(KiB|MiB|ms|s|m|h)?",
        "[1-9][0-9]{0,2}/[1-9][0-9]{0,2}(s|m)",
        Just("off".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// What is printed is read as the same, whatever was set, and can be printed and read again.
    #[test]
    fn what_is_printed_comes_back(
        limits in prop::collection::vec((0..SETTINGS.len(), value()), 0..40),
        log_file in "[^\0]{1,20}",
        hosts in prop::collection::vec("[a-z]{1,5}(\\.[a-z]{1,5})?", 0..4),
        headers in prop::collection::vec("[a-z]{1,5}: [!-~]([ -~äß€]{0,10}[!-~])?", 0..4),
        cookies in any::<bool>(),
    ) {
        let mut config = Config::default();
        let mut arguments = vec![format!("--log-file={log_file}")];
        let mut seen = BTreeSet::new();
        for (index, value) in limits {
            let setting = &SETTINGS[index];
            let mut changed = config.clone();
            if (setting.set)(&mut changed, &value).is_ok() && changed.validate().is_ok() && seen.insert(index) {
                config = changed;
                arguments.push(format!("--{}={value}", setting.name));
            }
        }
        arguments.extend(hosts.iter().map(|host| format!("--allow-host={host}")));
        arguments.extend(headers.iter().map(|header| format!("--header={header}")));
        if cookies {
            arguments.push("--insecure-cookies".into());
        }
        let once = printed(program(&["print-config"]).args(&arguments));
        let twice = reprinted(&once);
        prop_assert_eq!(effective(&once), effective(&twice), "{:?}", arguments);
        prop_assert_eq!(&twice, &reprinted(&twice));
        for setting in SETTINGS.iter().enumerate().filter(|(index, _)| seen.contains(index)).map(|(_, setting)| setting) {
            let shown = (setting.show)(&config);
            let found = lines(&twice).into_iter().find(|line| line.name == setting.name);
            prop_assert_eq!(found.map(|line| line.value.trim_matches('"').to_owned()), Some(shown));
        }
    }
}
