//! Commands besides serving, help, and how both look.

use super::terminal::terminal;
use super::{PROGRAM, Serving, check, program, scratch};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

#[track_caller]
fn printed(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What `check` finds, in order, and how it ends.
#[test]
#[allow(clippy::too_many_lines, reason = "rows")]
fn check_finds() {
    let folder = scratch("check");
    fs::create_dir_all(folder.join("site")).expect("a place to write");
    let at = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let write = |name: &str, text: &str, mode| {
        fs::write(folder.join(name), text).expect("written");
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).expect("our own file");
    };
    let hash = {
        let mut child = program(&["hash-password"]).stdin(Stdio::piped()).spawn().expect("it runs");
        child.stdin.take().expect("piped").write_all(b"swordfish\n").expect("it reads");
        String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("UTF-8")
    };
    write("users", &format!("ada:{hash}"), 0o640);
    write("open-users", &format!("ada:{hash}"), 0o604);
    write("bad-users", "ada:swordfish\n", 0o600);
    write("config.toml", "listing = true\n", 0o600);
    write("tls.toml", &format!("[[tls-certificate]]\ncert = '{}'\nkey = '/no/such'\n", at("users")), 0o600);
    write("site/404.html", "", 0o600);
    write("token", "a-token-of-some-length\n", 0o644);
    write("short-token", "short\n", 0o600);
    write("program", "", 0o700);

    fs::create_dir_all(folder.join("whole")).expect("a place to write");
    write("whole/index.html", "", 0o600);
    let long_path = format!("unix:/{}", "x".repeat(107));
    let no_index = format!("warning: --spa, and no index.html that can be read in {}", at("site"));

    let bind = "ok: --bind 127.0.0.1:8000";
    let rows: &[(&[&str], i32, &[&str])] = &[
        (&[], 0, &[bind]),
        (&["-b", "[::1]:0", "-b", "unix:x"], 0, &["ok: --bind [::1]:0", "ok: --bind unix:x"]),
        (&["-b", "nowhere"], 1, &["error: --bind nowhere: invalid socket address; write HOST:PORT, as in "]),
        (&["-b", "unix:"], 1, &["error: --bind unix:: a path must follow, as in unix:/run/selvedge.sock"]),
        (&["-b", "unix:@name"], 1, &["error: --bind unix:@name: an abstract name can only be passed"]),
        (&["-b", &long_path], 1, &["error: --bind unix:/xxx"]),
        (&["-b", &format!("unix:{}", at("users"))], 1, &["error: --bind unix:"]),
        (
            &["-b", "fd:"],
            1,
            &["error: --bind fd:: the number or the name of a socket must follow, as in fd:3"],
        ),
        (&["-b", "fd:99999999999"], 1, &["error: --bind fd:99999999999: no descriptor has such a number"]),
        (&["-b", "fd:x"], 0, &["warning: --bind fd:x: no socket was passed"]),
        (&["-b", "fd:999"], 0, &["warning: --bind fd:999: no such descriptor is open; a server needs it"]),
        (
            &["-b", "127.0.0.1:1", "-b", "127.0.0.1:1"],
            1,
            &[
                "ok: ",
                "ok: ",
                "error: --bind 127.0.0.1:1 and --bind 127.0.0.1:1 are one address; name it once",
            ],
        ),
        (
            &["-b", "localhost:1", "--admin", "localhost:1"],
            1,
            &["ok: ", "error: --bind localhost:1 and --admin localhost:1 are one", "ok: --admin "],
        ),
        (
            &["-b", "127.0.0.1:0", "-b", "127.0.0.1:0", "-b", "localhost:0", "-b", "localhost:0"],
            0,
            &["ok: "; 4],
        ),
        (&["-b", "127.0.0.1:1", "-b", "[::1]:1"], 0, &["ok: ", "ok: "]),
        (&[&at("site"), "--spa"], 0, &[bind, "ok: directory ", &no_index]),
        (&[&at("whole"), "--spa"], 0, &[bind, "ok: directory "]),
        (&["-b", "unix:/no/such/x"], 1, &["error: --bind unix:/no/such/x: no such directory /no/such"]),
        (&[&at("site")], 0, &[bind, "ok: directory "]),
        (&["-c", &at("config.toml"), &at("site")], 0, &["ok: configuration ", bind, "ok: directory "]),
        (&[&at("site"), "--not-found", "/404.html"], 0, &[bind, "ok: directory "]),
        (&[&at("site"), "--not-found", "none.html"], 1, &[bind, "error: --not-found "]),
        // It is there, but not below the directory, and would never be sent.
        (&[&at("site"), "--not-found", "../config.toml"], 1, &[bind, "error: --not-found ../config.toml: "]),
        (&[&at("site"), "--not-found", "404.html/"], 1, &[bind, "error: --not-found "]),
        (&[&at("none")], 1, &[bind, "error: no such directory "]),
        (
            &["--redirect-http", "nowhere", "--tls-self-signed"],
            1,
            &[bind, "error: --redirect-http nowhere: "],
        ),
        (&["--redirect-http", "127.0.0.1:80", "--tls-self-signed"], 0, &[bind, "ok: --redirect-http "]),
        (&["--admin", "127.0.0.1:0"], 0, &[bind, "ok: --admin 127.0.0.1:0"]),
        (&["--admin", "fd:admin"], 0, &[bind, "warning: --admin fd:admin: no socket was passed"]),
        (&["--admin", "0.0.0.0:0"], 1, &[bind, "error: --admin 0.0.0.0:0: other machines can reach it"]),
        (&["--admin", "nowhere"], 1, &[bind, "error: --admin nowhere: "]),
        (&["--admin", "unix:/no/such/x"], 1, &[bind, "error: --admin unix:/no/such/x: no such directory "]),
        (
            &["--admin", "127.0.0.1:0", "--admin-token-file", &at("token")],
            0,
            &[bind, "ok: --admin ", "ok: --admin-token-file ", "warning: everybody can read "],
        ),
        (
            &["--admin", "127.0.0.1:0", "--admin-token-file", &at("short-token")],
            1,
            &[bind, "ok: --admin ", "error: --admin-token-file "],
        ),
        (&["--admin-token-file", &at("token")], 1, &[bind, "error: --admin-token-file without --admin"]),
        (&[&at("users")], 1, &[bind, "error: '"]),
        (&["--users", &at("users")], 0, &[bind, "ok: --users "]),
        (&["--users", &at("open-users")], 0, &[bind, "ok: --users ", "warning: everybody can read "]),
        (&["--users", &at("bad-users")], 1, &[bind, "error: --users: "]),
        (&["--users", "/no/such"], 1, &[bind, "error: --users: cannot read /no/such"]),
        (&["--log-file", &at("log"), "--access-log", "-"], 0, &[bind, "ok: --log-file "]),
        (&["--log-file", &at("site")], 1, &[bind, "error: --log-file "]),
        (
            &["--access-log", "/no/such/log"],
            1,
            &[bind, "error: --access-log /no/such/log: no such directory /no/such"],
        ),
        (&["--alert-command", "sh"], 0, &[bind, "ok: --alert-command sh"]),
        (&["--alert-command", &at("program")], 0, &[bind, "ok: --alert-command "]),
        (&["--alert-command", &at("users")], 1, &[bind, "error: --alert-command "]),
        (
            &["--alert-command", "no-such-program"],
            1,
            &[bind, "error: --alert-command no-such-program: no such program"],
        ),
        (&["-c", &at("tls.toml")], 1, &["ok: configuration ", bind, "error: TLS: "]),
    ];
    for (arguments, code, says) in rows {
        for arguments in [[&["check"], *arguments].concat(), [*arguments, &["check"]].concat()] {
            let output = program(&arguments).output().expect("the program runs");
            let text = String::from_utf8(output.stdout).expect("UTF-8");
            assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {text}");
            assert!(output.stderr.is_empty(), "{arguments:?}: {:?}", output.stderr);
            assert_eq!(text.lines().count(), says.len(), "{arguments:?}: {text}");
            for (line, says) in text.lines().zip(*says) {
                assert!(line.starts_with(says), "{arguments:?}: {line} does not say {says}");
            }
        }
    }
    assert!(!folder.join("log").exists(), "it makes nothing");
    check(&["check", "--max-body", "0"], &[], 2, "bad value for --max-body: ");
    let variable = [("SELVEDGE_MAX_BODDY", "1")];
    let text = printed(program(&["check"]).envs(variable));
    assert!(text.starts_with("warning: no option has the variable SELVEDGE_MAX_BODDY (a similar"), "{text}");
    let _ = fs::remove_dir_all(folder);
}

/// What people get wrong about commands and directories.
#[test]
fn refused() {
    let file = scratch("no-directory");
    fs::write(&file, "").expect("a place to write");
    let path = file.to_str().expect("UTF-8");
    let rows: &[(&[&str], i32, &str)] = &[
        (&["chekc"], 2, "no such directory 'chekc'; a similar command is 'check'"),
        (&["printconfig"], 2, "no such directory 'printconfig'; a similar command is 'print-config'"),
        (&["./chekc"], 1, "no such directory './chekc'\n"),
        (&["help"], 2, "no such directory 'help'; see 'selvedge --help'"),
        (&["nowhere"], 1, "no such directory 'nowhere'\n"),
        (&[""], 2, "bad value for PATH: an empty name"),
        (&[path], 1, "' is not a directory; name the one it is in"),
        (&["check", "--zzz"], 2, "unexpected argument '--zzz'"),
        (&["check", ".", "."], 2, "unexpected argument '.'"),
        (
            &["--listing", "on", "."],
            2,
            "unexpected argument '.'; a switch takes its value as --listing=on; see 'selv",
        ),
        (
            &["check", "--spa", "off", "."],
            2,
            "unexpected argument '.'; a switch takes its value as --spa=off; see",
        ),
        (&["--spa", ".", "x"], 2, "unexpected argument 'x'; see"),
        (&["hash-password", "x"], 2, "unexpected argument 'x'"),
        (
            &["--max-body", "1", "hash-password"],
            2,
            "hash-password takes no --max-body; see 'selvedge hash-password --help'",
        ),
        (&["-c", "x", "man"], 2, "man takes no --config; see 'selvedge man --help'"),
        (&[".", "man"], 2, "man takes no PATH"),
        (&["completions"], 2, "missing argument: <SHELL>"),
        (&["completions", "tcsh"], 2, "invalid value 'tcsh' for '<SHELL>'; permitted: bash, zsh, fish"),
        (&["--listing"], 2, "--listing is for a directory; name one: selvedge PATH"),
        (&["--not-found", "x"], 2, "--not-found is for a directory"),
        (&["--cache-control", "no-store"], 2, "--cache-control is for a directory"),
        (
            &["--cache-control", "a\u{1}", "."],
            2,
            "bad value for --cache-control: a character no field value can have",
        ),
        (&["--spa=maybe", "."], 2, "bad value for --spa: 'maybe' is neither on nor off"),
        (
            &["--insecure-cookies", "."],
            2,
            "--insecure-cookies is for the built-in application, and a directory is served",
        ),
        (&["--users", "", "."], 2, "bad value for --users: an empty name; write FILE, or off"),
    ];
    for (arguments, code, says) in rows {
        check(arguments, &[], *code, says);
    }
    check(&[], &[("SELVEDGE_LISTING", "on")], 2, "SELVEDGE_LISTING is for a directory; name one");
    let _ = fs::remove_file(file);
}

/// What a privilege is missing for. Root has them all, and gives them up here.
#[test]
fn privileges_that_are_missing() {
    let lowest = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    let folder = scratch("forbidden");
    fs::create_dir_all(&folder).expect("a place to write");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).expect("our own");
    let path = folder.to_str().expect("UTF-8");
    let port = "cannot listen on 127.0.0.1:1: not permitted; ports below 1024 need a privilege: choose a higher one \
                with --bind HOST:PORT, let systemd listen for you, or setcap cap_net_bind_service=+ep on the program\n";
    let socket = format!("unix:{path}/socket");
    let rows: &[(&[&str], &str)] = &[
        (&["-b", "127.0.0.1:1"], port),
        (&["-b", &socket], "Permission denied"),
        (&[path], "': Permission denied"),
        (
            &["--log-file", &format!("{path}/log")],
            "': Permission denied (os error 13); choose another with --log-file",
        ),
        (&["-c", &format!("{path}/config")], "/config': Permission denied"),
        (&["--users", &format!("{path}/users")], "/users: Permission denied"),
    ];
    let capabilities = "-net_bind_service,-dac_override,-dac_read_search";
    for (arguments, says) in rows {
        if says == &port && lowest.trim().parse().is_ok_and(|lowest: u16| lowest <= 1) {
            continue;
        }
        let is_root = rustix::process::geteuid().is_root();
        let mut command = if is_root {
            super::command("setpriv", &["--bounding-set", capabilities, PROGRAM])
        } else {
            program(&[])
        };
        let output = command.args(*arguments).output().expect("the program runs");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(
            error.contains(says) && error.lines().count() == 1,
            "{arguments:?}: {error} does not say {says}"
        );
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("our own");
    let _ = fs::remove_dir_all(folder);
}

/// The short help has what most people need, the long one all, and both fit a terminal. Commands that serve nothing have
/// no options of serving.
#[test]
fn help_for_every_command() {
    let flags = |text: &str| -> BTreeSet<String> {
        let lines = text
            .lines()
            .filter_map(|line| line.trim_start().split_once("--").filter(|(before, _)| before.len() <= 4));
        lines.map(|(_, name)| name.split([' ', '[']).next().unwrap_or_default().to_owned()).collect()
    };
    let all = flags(&printed(&mut program(&["--help"])));
    let some = flags(&printed(&mut program(&["-h"])));
    assert!(some.is_subset(&all) && (12..=20).contains(&some.len()), "{some:?}");
    for needed in ["bind", "config", "max-body", "rate-limit", "help", "version"] {
        assert!(some.contains(needed), "{some:?} without {needed}");
    }
    let overview = printed(&mut program(&["-h"]));
    let commands: Vec<_> = overview.lines().skip_while(|line| *line != "Commands:").skip(1).collect();
    let commands = commands.iter().map_while(|line| line.split_whitespace().next());
    let commands: BTreeSet<_> = commands.collect();
    for (command, has_options) in [
        ("check", true),
        ("print-config", true),
        ("hash-password", false),
        ("completions", false),
        ("man", false),
    ] {
        assert!(commands.contains(command), "no {command}: {overview}");
        let own = flags(&printed(&mut program(&[command, "--help"])));
        assert_eq!(own.len() + 1 == all.len(), has_options, "{command}: {own:?}");
        assert_eq!(own.len() == 1, !has_options, "{command}: {own:?}");
    }
    let helps = commands.iter().flat_map(|command| [vec![*command, "-h"], vec![*command, "--help"]]);
    for arguments in helps.chain([vec!["-h"], vec!["--help"]]) {
        let help = printed(&mut program(&arguments));
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{arguments:?}: {help}");
    }
}

/// Colour on terminals and nowhere else, and not for those who want none.
#[test]
fn colour() {
    let rows: &[(&[(&str, &str)], bool)] = &[
        (&[], true),
        (&[("NO_COLOR", "1")], false),
        (&[("NO_COLOR", "")], true),
        (&[("TERM", "dumb")], false),
    ];
    for (environment, expected) in rows {
        let (master, slave) = terminal();
        let mut command = program(&["-h"]);
        command.env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
        let mut child = command.stdout(slave).spawn().expect("the program runs");
        drop(command);
        let mut text = Vec::new();
        // The end of a terminal is an error.
        let _ = (&master).read_to_end(&mut text);
        child.wait().expect("it ends");
        assert_eq!(text.contains(&0x1b), *expected, "{environment:?}: {}", text.escape_ascii());
    }

    let (master, slave) = terminal();
    let file = scratch("colourless-log");
    let mut command = program(&["--bind", "0.0.0.0:0", "--log-file", file.to_str().expect("UTF-8")]);
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    let mut child = command.stderr(slave).spawn().expect("the program runs");
    drop(command);
    let mut lines = BufReader::new(&master).lines().map(|line| line.expect("UTF-8"));
    let first = lines.next().expect("a banner");
    assert!(first.contains("listening on \x1b[1;36mhttp://0.0.0.0:"), "{first:?}");
    assert!(lines.any(|line| line.starts_with("\x1b[1;33mwarning:\x1b[0m other machines")));
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, Signal::TERM).expect("it is there");
    child.wait().expect("it ends");
    let log = fs::read_to_string(&file).expect("written");
    assert!(log.contains("finishing requests") && !log.contains('\x1b'), "{log:?}");
    let _ = fs::remove_file(file);
}

/// The banner: where to click, for whom, and what is there.
#[test]
fn banner() {
    for (address, expected) in [
        ("127.0.0.1:0", &["listening on http://127.0.0.1:"][..]),
        ("0.0.0.0:0", &["listening on http://0.0.0.0:", "  from this machine: http://127.0.0.1:"]),
    ] {
        let mut child = program(&["--bind", address]).spawn().expect("the program runs");
        let mut lines =
            BufReader::new(child.stderr.take().expect("piped")).lines().map(|line| line.expect("UTF-8"));
        for expected in expected {
            let line = lines.next().expect("a line");
            let (_, after) = line.split_once(expected).unwrap_or_else(|| panic!("{line}: no {expected}"));
            assert!(after.strip_suffix('/').is_some_and(|port| port.parse::<u16>().is_ok()), "{line}");
        }
        let mut line = lines.next().expect("a line");
        // As many as the machine has.
        while line.starts_with("  from others: http://") && address.starts_with("0.0.0.0") {
            assert!(line.ends_with('/') && !line.contains("127.0.0.1"), "{line}");
            line = lines.next().expect("a line");
        }
        assert_eq!(line, "  serving the built-in application; a directory: selvedge PATH");
        let _ = (child.kill(), child.wait());
    }
}

/// The manual is roff that has every section people look for, and nothing in it is taken for a macro that is none.
#[test]
fn manual() {
    let page = printed(&mut program(&["man"]));
    assert!(page.contains(".TH SELVEDGE 1 "), "{page}");
    for section in ["NAME", "SYNOPSIS", "OPTIONS", "ENVIRONMENT", "SIGNALS", "FILES", "EXAMPLES"] {
        assert!(page.lines().any(|line| line == format!(".SH {section}")), "no {section}");
    }
    assert!(page.contains(".SH \"EXIT STATUS\"") && page.contains(".SH \"CONFIGURATION FILE\""));
    let macros = ["SH", "SS", "TP", "PP", "EX", "EE", "br", "TH", "ie", "el", "RS", "RE"];
    for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
        let name = line[1..].split(' ').next().unwrap_or_default();
        assert!(macros.contains(&name), "{line}");
    }
    // Where there is a formatter, it has nothing to complain of.
    let Ok(mut groff) = Command::new("groff")
        .args(["-ww", "-man", "-Tutf8", "-z"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        return;
    };
    groff.stdin.take().expect("piped").write_all(page.as_bytes()).expect("it reads");
    let output = groff.wait_with_output().expect("it ends");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The scripts are what their shells read, where there are such shells; bash completes.
#[test]
fn completions() {
    let folder = scratch("completions");
    fs::create_dir_all(&folder).expect("a place to write");
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.join(shell);
        fs::write(&script, printed(&mut program(&["completions", shell]))).expect("written");
        let Ok(output) = Command::new(shell).arg("-n").arg(&script).output() else { continue };
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
    let script = folder.join("bash");
    if Path::new("/bin/bash").exists() {
        for (words, expected) in [
            ("selvedge --log-le", "--log-level"),
            ("selvedge --log-level ", "error warn info debug trace"),
            ("selvedge che", "check"),
            ("selvedge check --max-hea", "--max-head --max-headers"),
            ("selvedge completions ", "bash zsh fish"),
            // A switch takes nothing from the word behind it.
            ("selvedge --gzip che", "check"),
            ("selvedge check --gzip --listing --max-hea", "--max-head --max-headers"),
        ] {
            let bash = r#"source "$0"; compopt() { :; }; IFS=' ' read -ra COMP_WORDS <<<"$1"
                [[ $1 == *' ' ]] && COMP_WORDS+=(''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                _selvedge selvedge "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; echo "${COMPREPLY[*]}""#;
            let offered = printed(Command::new("/bin/bash").arg("-c").arg(bash).arg(&script).arg(words));
            let offered: BTreeSet<_> =
                offered.split_whitespace().filter(|word| !word.starts_with("-h")).collect();
            let missing: Vec<_> = expected.split(' ').filter(|word| !offered.contains(word)).collect();
            assert!(missing.is_empty() && offered.len() < 20, "{words}: {offered:?}");
        }
        let text = fs::read_to_string(&script).expect("written");
        assert!(text.contains("--log-level)") && !text.contains("--gzip)"), "{text}");
    }
    let zsh = fs::read_to_string(folder.join("zsh")).expect("written");
    // The value in the same word, or none.
    assert!(zsh.contains("'--gzip=-[") && zsh.contains("'--log-level=["), "{zsh}");
    for (words, expected) in [
        ("selvedge --log-level ", "debug error info trace warn"),
        ("selvedge --tls-profile ", "intermediate modern"),
        ("selvedge check --log-level ", "debug error info trace warn"),
        (
            "selvedge --log-level=",
            "--log-level=debug --log-level=error --log-level=info --log-level=trace --log-level=warn",
        ),
        ("selvedge completions ", "bash fish zsh"),
        ("selvedge --gzip=", "--gzip=off --gzip=on"),
        ("selvedge check --spa=", "--spa=off --spa=on"),
        ("selvedge --gzip che", "check"),
        ("selvedge --gzip=off --listing che", "check"),
        ("selvedge --max-body 1MiB che", "check"),
        ("selvedge check --gzip ", "bash fish zsh"),
        ("selvedge --gzip --log-l", "--log-level"),
    ] {
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]).arg(folder.join("fish"));
        let Ok(output) = fish.arg(words).env("HOME", &folder).current_dir(&folder).output() else { break };
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let offered: Vec<_> = text.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(offered.join(" "), expected, "{words}: {:?}", String::from_utf8_lossy(&output.stderr));
    }
    let _ = fs::remove_dir_all(folder);
}

/// A reader that has seen enough is no failure; a full disk is.
#[test]
fn standard_output_that_ends() {
    let script = format!("{PROGRAM} man | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}");
    if Path::new("/bin/bash").exists() {
        assert_eq!(printed(Command::new("/bin/bash").args(["-c", &script])), "0\n");
    }
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let output = program(&["print-config"]).stdout(full).output().expect("the program runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(error.starts_with("selvedge: cannot write to standard output: No space"), "{error}");
    }
}

/// What was asked to be encrypted is not served in the clear.
#[test]
fn certificates_are_not_passed_over() {
    let file = scratch("tls.toml");
    fs::write(&file, "[[tls-certificate]]\ncert = 'a'\nkey = 'b'\n").expect("a place to write");
    check(
        &["-b", "127.0.0.1:0", "-c", file.to_str().expect("UTF-8")],
        &[],
        1,
        "TLS: a: cannot be read: No such file or directory",
    );
    let _ = fs::remove_file(file);
}

/// TOML is UTF-8, and paths need not be.
#[test]
fn what_no_file_can_say() {
    use std::os::unix::ffi::OsStrExt;
    let mut command = program(&["print-config", "--log-file"]);
    let output = command.arg(std::ffi::OsStr::from_bytes(b"a\xff")).output().expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.starts_with("selvedge: log-file is 'a\u{fffd}', which is not UTF-8 and cannot stand in TOML"),
        "{error}"
    );
}

/// Whoever listens already is named.
#[test]
fn the_holder_of_a_port() {
    let serving = Serving::start(&mut program(&super::ANY));
    let says = format!("with --bind HOST:PORT (it is selvedge, process {})", serving.child.id());
    check(&["--bind", &serving.address], &[], 1, &says);
}
