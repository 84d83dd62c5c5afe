//! `--admin`, `selvedge top`, and SIGUSR2.

use super::{ANY, Serving, check, program, scratch};
use crate::support::{Client, request};
use rustix::process::Signal;
use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

/// The address of the admin listener, from the banner.
pub fn board(serving: &mut Serving) -> String {
    let line = serving.read_to("the live board: http://");
    let (_, address) = line.trim_end().rsplit_once("http://").expect("it was found there");
    address.strip_suffix("/board").expect("a path").to_owned()
}

#[test]
fn refused() {
    let token = scratch("short-token");
    fs::write(&token, "short\n").expect("a place to write");
    let token = token.to_str().expect("UTF-8");
    let any = ["--bind", "127.0.0.1:0"];
    let rows: &[(&[&str], i32, &str)] = &[
        (&["--admin", "0.0.0.0:0"], 2, "bad value for --admin: other machines can reach http://0.0.0.0:"),
        (&["--admin", ""], 2, "bad value for --admin: an empty address"),
        (&["--admin", "nowhere"], 2, "bad address 'nowhere'"),
        (&["--admin-token-file", token], 2, "--admin-token-file without --admin"),
        (&["--admin", "127.0.0.1:0", "--admin-token-file", token], 2, "visible ASCII characters"),
        (
            &["--admin", "127.0.0.1:0", "--admin-token-file", "/no/such/file"],
            1,
            "cannot read --admin-token-file",
        ),
    ];
    for (arguments, code, says) in rows {
        check(&[&any[..], arguments].concat(), &[], *code, says);
    }
    for (arguments, code, says) in [
        (&["top"][..], 2, "which server? give the address of its admin listener with --admin ADDR"),
        (&["top", "--admin", "127.0.0.1:1"], 1, "cannot ask 127.0.0.1:1: "),
        // As the banner has it.
        (&["top", "--admin", "http://127.0.0.1:1/"], 1, "cannot ask 127.0.0.1:1: Connection refused"),
        (&["top", "--admin", "unix:/no/such/socket", "--once"], 1, "cannot ask unix:/no/such/socket: "),
        (&["top", "--twice"], 2, "unexpected argument '--twice'"),
    ] {
        check(arguments, &[], code, says);
    }
    let _ = fs::remove_file(token);
}

/// What `top` prints to a pipe: plain text, and all of it.
fn top(arguments: &[&str]) -> String {
    let output = program(&[&["top"], arguments].concat()).output().expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && error.is_empty(), "{error}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!text.contains('\x1b') && text.lines().count() >= 10, "{text}");
    text
}

#[test]
fn an_address_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let says = "another program has that port; stop it, or choose another with --admin HOST:PORT";
    check(&["--bind", "127.0.0.1:0", "--admin", &address], &[], 1, says);
}

#[test]
fn watched_while_it_serves_and_while_it_ends() {
    let mut serving = Serving::start(program(&ANY).args(["--admin", "127.0.0.1:0"]));
    let admin = board(&mut serving);
    let _half = serving.half_a_request();
    let ask = |path: &str| {
        let stream = TcpStream::connect(&admin).expect("it listens");
        Client::tcp(stream).ask(request("GET", path))
    };
    assert_eq!(ask("/readyz").status, 200);
    let text = top(&["--admin", &admin, "--once"]);
    assert!(text.contains("[ok] All is well: 1 of 1,024 seats busy\n"), "{text}");
    assert!(text.contains("\nmost seats: 127.0.0.1 1\n"), "{text}");
    let threads = ask("/threads");
    for name in ["alerts ", "admin-alerts "] {
        assert_eq!(
            threads.text().lines().filter(|line| line.starts_with(name)).count(),
            1,
            "{}",
            threads.text()
        );
    }
    assert!(text.contains(" POST /\n") && text.contains("handshake 0  head 0  body 1  waiting 0"), "{text}");

    serving.signal(Signal::USR2);
    serving.read_to("signals INFO  1 of 1024 seats taken");
    let line = serving.read_to("seat 0");
    assert!(
        line.contains("INFO  worker-1         seat 0     body ") && line.contains("  POST /  "),
        "{line}"
    );

    serving.signal(Signal::TERM);
    serving.read_to("finishing requests");
    let answer = ask("/readyz");
    assert!(answer.status == 503 && answer.text().contains(r#""reasons":["draining"]"#), "{}", answer.text());
    assert!(top(&["--admin", &admin]).contains("Draining: 1 request left"));
}

#[test]
fn over_a_unix_socket_and_with_a_token() {
    let (socket, token) = (scratch("admin.sock"), scratch("token"));
    fs::write(&token, "a-token-of-some-length\r\n").expect("a place to write");
    let address = format!("unix:{}", socket.display());
    let flags = ["--admin", &address, "--admin-token-file", token.to_str().expect("UTF-8")];
    let mut serving = Serving::start(program(&ANY).args(flags));
    serving.read_to("health, metrics and the board on unix:");
    let mut client = Client::unix(UnixStream::connect(&socket).expect("it listens"));
    assert_eq!(client.ask(request("GET", "/board.json")).status, 401);
    assert!(top(&flags).contains("All is well: 1,024 seats, all of them free"));
    check(
        &["top", "--once", "--admin", &address],
        &[],
        1,
        "wants another token; give it with --admin-token-file",
    );
    // Each step writes another token and sends the signal: what is said, and what each of the two tokens gets.
    for (text, says, first, second) in [
        ("another-token-of-some-length\n", "SIGHUP: all options are as they were", 401, 200),
        (
            "short\n",
            "SIGHUP: nothing is changed: bad value for --admin-token-file: the token must be",
            401,
            200,
        ),
        ("a-token-of-some-length", "SIGHUP: all options are as they were", 200, 401),
    ] {
        fs::write(&token, text).expect("a place to write");
        serving.signal(Signal::HUP);
        serving.read_to(says);
        for (token, status) in [("a-token-of-some-length", first), ("another-token-of-some-length", second)] {
            let mut client = Client::unix(UnixStream::connect(&socket).expect("it listens"));
            let asked = format!("GET /threads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
            assert_eq!(client.ask(asked).status, status, "{text:?} {token}");
        }
    }
    drop(serving);
    let _ = (fs::remove_file(socket), fs::remove_file(token));
}
