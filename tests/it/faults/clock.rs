//! Steps of the wall clock, which others set.

use crate::cli::{Serving, program, scratch};
use crate::support::{Client, eventually};
use rustix::process::Signal;
use std::fs;
use std::process::Command;

/// Stands between the program and its C library, and moves the wall clock by the seconds that a file says.
const SHIFT: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    FILE *file = id == CLOCK_REALTIME ? fopen(getenv("SHIFT_FILE"), "r") : NULL;
    long seconds = 0;
    if (file && fscanf(file, "%ld", &seconds) == 1) at->tv_sec += seconds;
    if (file) fclose(file);
    return failed;
}
"#;

const DAY: i64 = 86_400;

/// The Date field follows; rates, idle connections and sessions do not notice.
#[test]
fn steps_of_the_wall_clock() {
    let (source, library, shift) = (scratch("shift.c"), scratch("shift.so"), scratch("shift"));
    fs::write(&source, SHIFT).expect("a place to write");
    fs::write(&shift, "0").expect("a place to write");
    let mut compiler = Command::new("cc");
    let compiled = compiler
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .args(["-x", "c"])
        .arg(&source)
        .arg("-ldl")
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "every machine with Rust has a C compiler");

    let limits =
        ["--bind", "127.0.0.1:0", "--rate-limit", "1000/1h", "--throttle", "off", "--sandbox", "off"];
    let mut command = program(&limits);
    command.env("LD_PRELOAD", &library).env("SHIFT_FILE", &shift);
    let serving = Serving::start(&mut command);
    let mut client = Client::to(serving.address.parse().expect("an address"));
    let year = |client: &mut Client| {
        let answer = client.get("/healthz");
        assert_eq!(answer.status, 200);
        answer.field("date").and_then(|date| date.get(12..16)).expect("a year").to_owned()
    };
    let this_year = year(&mut client);
    for (step, expected) in
        [(40 * 365 * DAY, None), (-200 * 365 * DAY, Some("1970")), (10_000 * 365 * DAY, Some("9999"))]
    {
        fs::write(&shift, step.to_string()).expect("a place to write");
        // It is asked for once a second.
        eventually("the date follows", || {
            std::thread::sleep(crate::support::ms(50));
            let now = year(&mut client);
            expected.map_or(now > this_year, |expected| now == expected)
        });
    }
    // Whatever the wall clock says, the hour that the rate is about has not passed.
    assert!((0..=1000).any(|_| client.get("/").status == 429), "the rate is kept");
    fs::write(&shift, (2 * 3600).to_string()).expect("a place to write");
    assert_eq!(client.get("/").status, 429);
    serving.signal(Signal::TERM);
    serving.end(0);
    [source, library, shift].iter().for_each(|path| drop(fs::remove_file(path)));
}
