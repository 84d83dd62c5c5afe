//! Options from a file: what can be written in it, and what is refused, where, and with which words.

use super::{check, program, scratch};
use std::fs;

/// A text, and a line of the options that are in effect then, or what is said about it behind the file's name.
type Row<'a> = (&'a str, Result<&'a str, &'a str>);

const ROWS: &[Row] = &[
    ("", Ok("max-body = \"1MiB\" # default")),
    ("\u{feff}max-body = 1", Ok("max-body = 1 # ")),
    ("max-body = 1\r\nmax-path = 2\r\n", Ok("max-path = 2 # ")),
    // Values: the text of the command line, or a whole number where that is one.
    ("max-body = \"2MiB\"", Ok("max-body = \"2MiB\" # ")),
    ("max-body = '2MiB'", Ok("max-body = \"2MiB\" # ")),
    ("'max-body' = \"2MiB\"", Ok("max-body = \"2MiB\" # ")),
    ("max-body = 1_000", Ok("max-body = 1000 # ")),
    ("max-body = 0x10", Ok("max-body = 16 # ")),
    ("max-body = \"1000\"", Ok("max-body = 1000 # ")),
    ("max-connections = 7", Ok("max-connections = 7 # ")),
    ("min-rate = \"off\"", Ok("min-rate = \"off\" # ")),
    ("rate-limit = \"5/1m\"", Ok("rate-limit = \"5/60s\" # ")),
    ("bind = [\"[::1]:0\", 'unix:/run/x']", Ok("bind = [\"[::1]:0\", \"unix:/run/x\"] # ")),
    ("allow-host = []", Ok("allow-host = [] # ")),
    (
        "header = [\n  # One.\n  'A: b, \"c\"', # Two.\n  'D: e',\n]",
        Ok(r#"header = ["a: b, \"c\"", "d: e"] # "#),
    ),
    ("insecure-cookies = true", Ok("insecure-cookies = true # ")),
    ("access-log = '-'", Ok("access-log = \"-\" # ")),
    ("log-file = 'relative/a b'", Ok("log-file = \"relative/a b\" # ")),
    // Values that are not permitted.
    (
        "max-body = \"1GB\"",
        Err(
            ":1:12: bad value for max-body: '1GB' is not a size; write 512, 256KiB, 1MiB or 1GiB; permitted: 1 to 1024GiB",
        ),
    ),
    (
        "\n\n  max-body =  0",
        Err(":3:15: bad value for max-body: 0 is out of bounds; permitted: 1 to 1024GiB"),
    ),
    ("max-body = -1", Err(":1:12: bad value for max-body: '-1' is not a size")),
    ("max-body = 99999999999999999999999999999999999999999", Err(":1:12: bad value for max-body: 9999")),
    ("max-body = 1.5", Err(":1:12: bad value for max-body: a fraction where one text is expected")),
    ("max-body = true", Err(":1:12: bad value for max-body: a boolean where one text is expected")),
    ("max-body = 2026-01-01", Err(":1:12: bad value for max-body: a date where")),
    ("max-body = ['1']", Err(":1:12: bad value for max-body: a list where one text is expected")),
    ("max-body.size = 1", Err(":1:1: bad value for max-body: a table where one text is expected")),
    (
        "keep-alive = 15",
        Err(":1:14: bad value for keep-alive: '15' is not a time; write 10s or 500ms (ms, s, m, h)"),
    ),
    (
        "rate-limit = false",
        Err(":1:14: bad value for rate-limit: false where a text is expected; write 'off'"),
    ),
    (
        "rate-limit = 0",
        Err(
            ":1:14: bad value for rate-limit: '0' is not a rate; write 30/60s; permitted: 1 to 100000 in 1s to 24h, or off",
        ),
    ),
    (
        "bind = '127.0.0.1:0'",
        Err(":1:8: bad value for bind: a text where a list is expected; write ['…', '…']"),
    ),
    ("bind = ['a:1', 2]", Err(":1:16: bad value for bind: a number where a text is expected; write '2'")),
    (
        "unix-mode = 0o660",
        Err(":1:13: bad value for unix-mode: a number where a text is expected; write '0660'"),
    ),
    ("unix-mode = 0o0600", Err("a number where a text is expected; write '0600'")),
    ("unix-mode = 660", Err("a number where a text is expected; write '660'")),
    ("unix-mode = '0660'", Ok("unix-mode = \"0660\" # ")),
    ("bind = []", Err(":1: bad value for bind: no address to listen on")),
    ("allow-host = ['a', 'a:1']", Err(":1:20: bad value for allow-host: 'a:1' is no host")),
    ("header = ['A: ä', 'no colon']", Err(":1:19: bad value for header: no colon; write 'Name: value'")),
    ("header = {A = 'b'}", Err(":1:10: bad value for header: a table where a list is expected")),
    (
        "client-ip-from = 'you'",
        Err(
            ":1:18: bad value for client-ip-from: 'you' is no source of addresses; permitted: peer, x-forwarded-for, forwarded",
        ),
    ),
    (
        "insecure-cookies = 'on'",
        Err(":1:20: bad value for insecure-cookies: a text where a boolean is expected; write true or false"),
    ),
    (
        "insecure-cookies = 1",
        Err(":1:20: bad value for insecure-cookies: a whole number where a boolean is expected"),
    ),
    ("log-file = 5", Err(":1:12: bad value for log-file: a number where a text is expected; write '5'")),
    ("log-file = ''", Err(":1:12: bad value for log-file: an empty name; write FILE, or off")),
    ("users = false", Err(":1:9: bad value for users: false where a text is expected; write 'off'")),
    (
        "log-level = 'loud'",
        Err(":1:13: bad value for log-level: 'loud' is no level; permitted: error, warn, info, debug, trace"),
    ),
    // Keys that are none.
    ("max-bodi = 1", Err(":1:1: unknown key 'max-bodi'; a similar one is 'max-body'")),
    ("max_body = 1", Err(":1:1: unknown key 'max_body'; a similar one is 'max-body'")),
    (
        "SELVEDGE_BIND = []",
        Err(":1:1: unknown key 'SELVEDGE_BIND'; 'selvedge print-config' shows all there are"),
    ),
    ("config = 'x'", Err(":1:1: unknown key 'config'")),
    ("\n[limits]\nmax-body = 1", Err(":2:2: unknown key 'limits'")),
    ("zzz = 1", Err(":1:1: unknown key 'zzz'; 'selvedge print-config' shows all there are")),
    // Values that do not go together.
    (
        "max-path = 1\nmax-body = '1GiB'",
        Err(":2: bad value for max-body: 1GiB is more than --max-buffered, 256MiB"),
    ),
    ("client-ip-from = 'forwarded'", Err(":1: bad value for client-ip-from: nobody is trusted to send it")),
    ("listing = true", Err(":1: listing is for a directory; name one: selvedge PATH")),
    ("path = '.'\ninsecure-cookies = true", Err(":2: insecure-cookies is for the built-in application")),
    // What is no TOML.
    ("max-body = 1\nmax-body = 2", Err(":2:1: duplicate key at 'max-body'")),
    ("max-body", Err(":1:9: key with no value, expected `=`")),
    ("max-body = 1MiB", Err(":1:12: ")),
    ("log-file = \"a\nb\"", Err(":1:14: invalid basic string")),
    ("bind = ['a:1'", Err(":1:14: unclosed array")),
    ("max-body = 1\nä = ö", Err(":2:")),
    // Tables.
    ("[[tls-certificate]]\ncert = 'a'\nkey = 'b'", Ok("[[tls-certificate]] # ")),
    (
        "tls-certificate = 'a'",
        Err(
            ":1:19: bad value for tls-certificate: a text where tables are expected; write [[tls-certificate]]",
        ),
    ),
    (
        "tls-certificate = ['a']",
        Err(":1:20: bad value for tls-certificate: a text where tables are expected"),
    ),
    (
        "[tls-certificate]\ncert = 'a'",
        Err(
            ":1:1: bad value for tls-certificate: a table where tables are expected; write [[tls-certificate]]",
        ),
    ),
    ("[[tls-certificate]]\ncert = 'a'", Err(":1:1: a [[tls-certificate]] without key")),
    (
        "[[tls-certificate]]\ncert = 'a'\nkey = 1",
        Err(":3:7: bad value for tls-certificate: a number where a text is expected"),
    ),
    (
        "[[tls-certificate]]\ncert = 'a'\nkey = ''",
        Err("bad value for tls-certificate: an empty name; write a file for cert and key"),
    ),
    (
        "[[tls-certificate]]\ncert = 'a'\nkey = 'b'\nkeys = 'c'",
        Err(":4:1: unknown key 'keys' in a [[tls-certificate]]; permitted: cert, key"),
    ),
    (
        "[[tls-certificate]]\ncert = 'a'\nkey = 'b'\nmax-body = 1",
        Err(":4:1: 'max-body' stands in a [[tls-certificate]]; write it above the first of these"),
    ),
];

#[test]
fn rows() {
    for (number, (text, expected)) in ROWS.iter().enumerate() {
        let file = scratch(&format!("row-{number}.toml"));
        fs::write(&file, text).expect("a place to write");
        let arguments = ["-c", file.to_str().expect("UTF-8"), "print-config"];
        match expected {
            Ok(says) => {
                let output = program(&arguments).output().expect("the program runs");
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && error.is_empty(), "{text}: {error}");
                let printed = String::from_utf8(output.stdout).expect("UTF-8");
                assert!(
                    printed.lines().any(|line| line.starts_with(says)),
                    "{text}: no {says} in\n{printed}"
                );
            }
            Err(says) => check(
                &arguments,
                &[],
                1,
                &format!("{}{says}", if says.starts_with(':') { arguments[1] } else { "" }),
            ),
        }
        let _ = fs::remove_file(file);
    }
}

/// All that is wrong is said at once, in the order of the file, but not without end.
#[test]
fn all_problems_at_once() {
    let file = scratch("problems.toml");
    let path = file.to_str().expect("UTF-8");
    let many: Vec<_> = (0..100).map(|number| format!("zzz{number} = 1")).collect();
    for (text, expected) in [
        ("zzz = 1\nmax-body = 0\nmax-path = 1\nallow-host = 1\n".to_owned(), vec![1, 2, 4]),
        // What is missing is missed where it should have been.
        (
            "[[tls-certificate]]\ncert = 'a'\n[[tls-certificate]]\nzzz = 1\nkey = 2\ncert = 'b'\n".into(),
            vec![1, 4, 5],
        ),
        (many.join("\n"), (1..=20).collect()),
    ] {
        fs::write(&file, text).expect("a place to write");
        for command in [&["-c", path][..], &["-c", path, "check"], &["check", "-c", path]] {
            let output = program(command).output().expect("the program runs");
            assert_eq!(output.status.code(), Some(1));
            let error = String::from_utf8(output.stderr).expect("UTF-8");
            let lines = error
                .lines()
                .map(|line| line.strip_prefix(&format!("selvedge: {path}:")).expect("the place"));
            let lines: Vec<usize> =
                lines.map(|line| line.split(':').next().expect("a line").parse().expect("one")).collect();
            assert_eq!(lines, expected, "{error}");
        }
    }
    let _ = fs::remove_file(file);
}

#[test]
fn files_that_cannot_be_read() {
    let file = scratch("unreadable.toml");
    let path = file.to_str().expect("UTF-8");
    check(
        &["-c", "/no/such/file"],
        &[],
        1,
        "cannot read the configuration '/no/such/file': No such file or directory",
    );
    check(&[], &[("SELVEDGE_CONFIG", "/no/such/file")], 1, "cannot read the configuration '/no/such/file': ");
    check(&["-c", "/"], &[], 1, "cannot read the configuration '/': ");
    check(&["-c"], &[], 2, "a value is required for '--config <FILE>'");
    let rows: [(&[u8], &str); 3] = [
        (b"max-path = 1\n# \xc3\xa4\xff", ":2:4: not UTF-8"),
        (&b"#".repeat((1 << 20) + 1), ": more than 1048576 bytes"),
        (&b"[".repeat(1 << 16), ":1:"),
    ];
    for (bytes, says) in rows {
        fs::write(&file, bytes).expect("a place to write");
        check(&["-c", path, "print-config"], &[], 1, says);
    }
    let _ = fs::remove_file(file);
}
