//! What the variables of a service manager mean (`sd_listen_fds(3)`).
#![cfg(feature = "inherit")]

use selvedge::net::{Listener, passed_to};
use std::ffi::OsString;

/// Looks the variables up for process 42; the sockets passed are written `number=name`.
#[track_caller]
fn check(variables: &[(&str, &str)], expected: Result<&[&str], &str>) {
    let variable = |name: &str| {
        variables.iter().find(|(given, _)| *given == name).map(|(_, value)| OsString::from(*value))
    };
    let passed = passed_to(42, variable);
    let shown = passed.map(|sockets| {
        let shown = sockets.iter().map(|socket| format!("{}={}", socket.number, socket.name));
        shown.collect::<Vec<_>>().join(" ")
    });
    match expected {
        Ok(expected) => assert_eq!(shown.as_deref(), Ok(&*expected.join(" ")), "{variables:?}"),
        Err(says) => assert!(shown.is_err_and(|problem| problem.contains(says)), "{variables:?}"),
    }
}

#[test]
fn variables() {
    type Row<'a> = (&'a [(&'a str, &'a str)], Result<&'a [&'a str], &'a str>);
    let pid = ("LISTEN_PID", "42");
    let rows: &[Row] = &[
        (&[], Ok(&[])),
        (&[pid], Ok(&[])),
        (&[("LISTEN_FDS", "1")], Ok(&[])),
        (&[("LISTEN_PID", "43"), ("LISTEN_FDS", "1")], Ok(&[])),
        (&[("LISTEN_PID", "042"), ("LISTEN_FDS", "1")], Ok(&[])),
        (&[("LISTEN_PID", "43"), ("LISTEN_FDS", "x")], Ok(&[])),
        (&[pid, ("LISTEN_FDS", "0")], Ok(&[])),
        (&[pid, ("LISTEN_FDS", "2")], Ok(&["3=unknown", "4=unknown"])),
        (&[pid, ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "a:b")], Ok(&["3=a", "4=b"])),
        (&[pid, ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "a")], Ok(&["3=a", "4=unknown"])),
        (&[pid, ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", ":b")], Ok(&["3=unknown", "4=b"])),
        (&[pid, ("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "a:b:c")], Ok(&["3=a"])),
        (&[pid, ("LISTEN_FDS", "x")], Err("LISTEN_FDS is 'x', not a number of sockets up to 1024")),
        (&[pid, ("LISTEN_FDS", "-1")], Err("LISTEN_FDS is '-1'")),
        (&[pid, ("LISTEN_FDS", "1025")], Err("LISTEN_FDS is '1025'")),
    ];
    for (variables, expected) in rows {
        check(variables, *expected);
    }
}

#[test]
fn no_such_descriptor() {
    for (given, says) in [
        ("fd:100000", "cannot listen on fd:100000: no such descriptor is open"),
        ("fd:http", "bad address 'fd:http': no socket was passed; write the number of one, as in fd:3"),
        ("fd:", "bad address 'fd:': the number or the name of a socket must follow, as in fd:3"),
    ] {
        let problem = Listener::bind(given).expect_err("it is not there").to_string();
        assert!(problem.starts_with(says), "{problem}");
    }
}
