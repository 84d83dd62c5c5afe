//! Where blocking servers fail: a row of the comparison each, against a server of four seats.

use crate::support::{Answer, Broken, Client, Gate, ms, request, serve};
use selvedge::{Body, Config, Request, Response, Server};
use std::time::{Duration, Instant};

const SEATS: usize = 4;

fn few_seats(config: &mut Config) {
    config.max_connections = SEATS;
}

fn hello(configure: impl FnOnce(&mut Config)) -> Server {
    serve(
        |config| {
            few_seats(config);
            configure(config);
        },
        |request: &mut Request| format!("{} {}", request.path(), String::from_utf8_lossy(request.body())),
    )
}

#[track_caller]
fn assert_served(server: &Server) {
    let answer = Client::connect(server).get("/next");
    assert_eq!((answer.status, answer.text()), (200, "/next "));
}

#[test]
fn half_sent_heads_keep_nobody_out() {
    let server = hello(|_| ());
    let _slow: Vec<_> = (0..=SEATS)
        .map(|_| {
            let mut client = Client::connect(&server);
            client.send("GET / HTTP/1.1\r\nHost: loc");
            client
        })
        .collect();
    assert_served(&server);
}

#[test]
fn idle_connections_keep_nobody_out() {
    let server = hello(|_| ());
    let _idle: Vec<_> = (0..=SEATS)
        .map(|_| {
            let mut client = Client::connect(&server);
            assert_eq!(client.get("/").status, 200);
            client
        })
        .collect();
    assert_served(&server);
}

#[test]
fn panics_are_answered_and_cost_no_seat() {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let server = serve(few_seats, move |request: &mut Request| {
        if request.path() == "/panic" {
            // As `panic!` does, but without a line on the test's output.
            std::panic::resume_unwind(Box::new("the secret cause"));
        }
        at_gate.pass();
        "alive"
    });
    for _ in 0..6 {
        let mut client = Client::connect(&server);
        client.send(request("GET", "/panic"));
        let answer = client.last_answer();
        assert_eq!((answer.status, answer.closes()), (500, true));
        assert!(!answer.text().contains("secret"), "{answer:?}");
    }
    assert_eq!(server.monitor().counters().panics, 6);
    // Every seat is there, at once.
    let mut clients: Vec<_> = (0..SEATS).map(|_| Client::connect(&server)).collect();
    for client in &mut clients {
        client.send(request("GET", "/"));
    }
    gate.wait_for(SEATS);
    gate.open(SEATS);
    for mut client in clients {
        assert_eq!(client.answer().text(), "alive");
    }
}

/// One answer with `status`, and the end: nothing of what follows is taken for a request.
#[track_caller]
fn check_refused(server: &Server, name: &str, message: &str, status: u16) {
    let smuggled = request("GET", "/smuggled");
    let mut client = Client::connect(server);
    client.send(format!("{message}{smuggled}"));
    let Answer { status: given, .. } = client.answer();
    assert_eq!(given, status, "{name}");
    assert_eq!(client.read(false), Err(Broken::Ended), "{name}");
}

#[test]
fn huge_chunks_are_refused_before_anything_is_allocated() {
    let server = hello(|_| ());
    for (size, status) in [
        ("3fffffffffffffff", 413),
        ("ffffffffffffffff", 413),
        ("7fffffff", 413),
        ("100001", 413),
        ("10000000000000000", 400),
        ("00000000000000001", 400),
        ("+1", 400),
        ("0x1", 400),
        ("-1", 400),
        ("", 400),
    ] {
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        check_refused(&server, size, &format!("{head}{size}\r\n"), status);
    }
    assert_served(&server);
}

#[test]
fn malformed_lengths() {
    let server = hello(|_| ());
    for length in ["+5", "5x", "x5", "-5", "5,5", "5, 5", "0x5", "5.0", "5 5", "", "00000000000000000005"] {
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        check_refused(&server, length, &format!("{head}hello"), 400);
    }
    let repeated =
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello";
    check_refused(&server, "repeated", repeated, 400);
}

#[test]
fn length_beside_coding() {
    let server = hello(|_| ());
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n");
        check_refused(&server, fields, &format!("{head}0\r\n\r\n"), 400);
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    const COUNT: usize = 50;
    let server = hello(|_| ());
    let mut client = Client::connect(&server);
    client.send((0..COUNT).map(|number| request("GET", &format!("/{number}"))).collect::<String>());
    for number in 0..COUNT {
        assert_eq!(client.answer().text(), format!("/{number} "));
    }
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    let server = serve(few_seats, |request: &mut Request| match request.path() {
        "/stream" => Response::text(Body::reader(&b"streamed"[..])),
        _ => Response::text("hello"),
    });
    let telling = |answer: &Answer| -> Vec<_> {
        let told = |name: &str| !matches!(name, "date" | "x-request-id");
        answer.fields.iter().filter(|(name, _)| told(name)).cloned().collect()
    };
    for path in ["/", "/stream"] {
        let mut client = Client::connect(&server);
        let got = client.get(path);
        client.send(request("HEAD", path));
        let head = client.answer_to_head();
        assert_eq!((head.status, telling(&head)), (got.status, telling(&got)));
        // No byte of a body is in the way of the next answer.
        assert_eq!(client.get(path).body, got.body);
    }
}

#[test]
fn a_megabyte_of_fields_gets_431_that_arrives() {
    let server = hello(|_| ());
    for name in ["X-Long: ", "Cookie: "] {
        let mut client = Client::connect(&server);
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
        client.send_regardless(format!("{name}{}\r\n\r\n", "x".repeat(1 << 20)));
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (431, true));
        assert!(answer.text().contains("431"), "{answer:?}");
    }
    assert_served(&server);
}

#[test]
fn silence_ends_silently() {
    const TIMEOUT: Duration = ms(200);
    let server = hello(|config| {
        config.keep_alive = TIMEOUT;
        config.header_timeout = TIMEOUT;
    });
    let began = Instant::now();
    let mut never_spoke = Client::connect(&server);
    let mut spoke = Client::connect(&server);
    assert_eq!(spoke.get("/").status, 200);
    never_spoke.expect_end();
    spoke.expect_end();
    assert!((TIMEOUT..ms(2000)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[test]
fn half_a_head_gets_408() {
    let server = hello(|config| config.header_timeout = ms(200));
    let half = "GET / HTTP/1.1\r\nHo";
    for before in [0, 1] {
        let mut client = Client::connect(&server);
        for _ in 0..before {
            assert_eq!(client.get("/").status, 200);
        }
        client.send(half);
        let answer = client.last_answer();
        assert_eq!((answer.status, answer.closes()), (408, true), "after {before} requests");
    }
}

#[test]
fn a_byte_at_a_time_buys_no_time() {
    let server = hello(|config| config.header_timeout = ms(300));
    let mut client = Client::connect(&server);
    let began = Instant::now();
    client.stream.set_read_timeout(Some(ms(20))).expect("a socket");
    client.send("GET / HTTP/1.1\r\nX-Slow: ");
    let answer = loop {
        match client.read(false) {
            Err(Broken::TimedOut) => client.send_regardless("x"),
            answer => break answer,
        }
        assert!(began.elapsed() < ms(2000), "still served");
    };
    assert_eq!(answer.map(|answer| answer.status), Ok(408));
    assert!(began.elapsed() >= ms(300), "{:?}", began.elapsed());
}

#[cfg(all(feature = "cli", target_os = "linux"))]
mod descriptors {
    use super::{Client, ms};
    use crate::support::PATIENCE;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::net::TcpStream;
    use std::process::{Child, Command, Stdio};
    use std::time::Instant;

    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Processor time the process has used, in clock ticks, of which a second has a hundred.
    fn ticks(process: &Child) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).expect("it runs");
        let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
        let fields: Vec<_> = fields.split(' ').collect();
        [11, 12].map(|at: usize| fields[at].parse::<u64>().expect("a number")).iter().sum()
    }

    /// Percent of one processor the process uses in the second to come.
    fn share_of_a_second(process: &Child) -> u64 {
        let (before, began) = (ticks(process), Instant::now());
        // Not to wait for anything: this is the span that is measured.
        std::thread::sleep(ms(1000));
        let used = (ticks(process) - before) * 1000;
        used / u64::try_from(began.elapsed().as_millis()).expect("short")
    }

    #[test]
    fn running_out_of_descriptors_is_survived_at_ease() {
        let script = format!(
            "ulimit -n 40; exec {} --bind 127.0.0.1:0 --rate-limit off",
            env!("CARGO_BIN_EXE_selvedge")
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut process = Killed(command.spawn().expect("it runs"));
        let mut error = BufReader::new(process.0.stderr.take().expect("piped"));
        let mut line = String::new();
        error.read_line(&mut line).expect("UTF-8");
        let address = line
            .trim_end()
            .trim_end_matches('/')
            .rsplit_once("http://")
            .expect("the banner")
            .1
            .parse()
            .expect("an address");
        // What it says is read, so that it can go on saying it.
        std::thread::spawn(move || std::io::copy(&mut error, &mut std::io::sink()));

        for _ in 0..2 {
            let crowd: Vec<_> = (0..120)
                .map(|_| TcpStream::connect_timeout(&address, PATIENCE).expect("a backlog"))
                .collect();
            // A busy machine makes the start of the threads dear; a loop that spins never comes to rest.
            let mut shares = Vec::new();
            while shares.last().is_none_or(|share| *share >= 5) {
                assert!(shares.len() < 10, "percent of a processor, second by second: {shares:?}");
                shares.push(share_of_a_second(&process.0));
            }

            drop(crowd);
            let closed = Instant::now();
            while Client::to(address).try_get("/healthz") != Some(200) {
                assert!(closed.elapsed() < ms(1000), "not served a second later");
                std::thread::sleep(ms(5));
            }
            assert!(closed.elapsed() < ms(1000), "{:?}", closed.elapsed());
        }
    }
}
