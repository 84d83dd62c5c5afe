//! Sockets that the program is passed: by number, or as a service manager does.

use super::{PROGRAM, Serving, begin, command, scratch};
use crate::support::{Client, PATIENCE};
use rustix::process::Signal;
use selvedge::net::Listener;
use selvedge::{Request, Server, Stream};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

/// The program with `passed` as descriptor 3, and as 4 too if it is `twice`; `LISTEN_PID` is the program's number.
fn passing(passed: impl Into<OwnedFd>, twice: bool, arguments: &[&str]) -> Command {
    let also = if twice { "4<&0" } else { "" };
    let script = format!("exec 3<&0 {also} 0</dev/null; export LISTEN_PID=$$; exec {PROGRAM} \"$@\"");
    let mut command = command("sh", &[&["-c", &script, "sh"], arguments].concat());
    command.env("LISTEN_FDS", if twice { "2" } else { "1" }).stdin(Stdio::from(passed.into()));
    command
}

fn tcp() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn blocks(socket: &TcpListener) -> bool {
    !SockRef::from(socket).nonblocking().expect("a socket")
}

fn ask(mut stream: impl Read + Write) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn passed_sockets_take_the_place_of_the_default() {
    for (nonblocking, environment, arguments) in [
        (false, &[][..], &[][..]),
        (true, &[("LISTEN_FDNAMES", "http")], &[]),
        (false, &[], &["--bind", "fd:3"]),
        (false, &[("LISTEN_FDNAMES", "http")], &["--bind", "fd:http"]),
        (false, &[("SELVEDGE_BIND", "fd:3")], &[]),
    ] {
        let socket = tcp();
        socket.set_nonblocking(nonblocking).expect("a socket");
        let address = socket.local_addr().expect("an address");
        let mut command = passing(socket.try_clone().expect("another"), false, arguments);
        let serving = Serving::start(command.envs(environment.iter().copied()));
        assert_eq!(serving.address, address.to_string());
        let stream = TcpStream::connect(address).expect("it listens");
        assert!(ask(stream).starts_with("HTTP/1.1 200 "));
        serving.signal(Signal::TERM);
        let rest = serving.end(0);
        assert!(!rest.contains("not listened on"), "{rest}");
        // Who connects now waits for the next server.
        let waits = TcpStream::connect(address).expect("it is still there");
        assert!(!blocks(&socket), "it may be others' too");
        socket.set_nonblocking(false).expect("a socket");
        let (accepted, _) = socket.accept().expect("somebody waits");
        assert_eq!(accepted.peer_addr().ok(), waits.local_addr().ok());
    }
}

#[test]
fn flags_win_over_passed_sockets() {
    let mut command =
        passing(tcp(), true, &["--bind", "unix:/dev/null/no", "--bind", "127.0.0.1:0", "--bind", "fd:4"]);
    let output = command.env("LISTEN_FDNAMES", "http:spare").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "what was said by hand is not left out");
    let mut command = passing(tcp(), true, &["--bind", "127.0.0.1:0", "--bind", "fd:4"]);
    let (_serving, seen) = begin(command.env("LISTEN_FDNAMES", "http:spare"));
    assert!(
        seen.contains("WARN  passed by the service manager and not listened on: fd:3 (http); "),
        "{seen}"
    );
    assert_eq!(seen.matches("listening on http://").count(), 2, "{seen}");
}

#[test]
fn passed_to_somebody_else() {
    let socket = tcp();
    let address = socket.local_addr().expect("an address");
    let script = format!("exec 3<&0 0</dev/null; export LISTEN_PID=1; exec {PROGRAM} -b 127.0.0.1:0");
    let mut command = command("sh", &["-c", &script]);
    let serving = Serving::start(command.env("LISTEN_FDS", "1").stdin(Stdio::from(OwnedFd::from(socket))));
    assert_ne!(serving.address, address.to_string());
}

#[test]
fn unix_sockets() {
    let path = scratch("passed.sock");
    let _ = std::fs::remove_file(&path);
    let name = format!("selvedge-test-{}", std::process::id());
    let named = SocketAddr::from_abstract_name(&name).expect("a name");
    for (socket, address, says) in [
        (
            UnixListener::bind(&path).expect("a place"),
            SocketAddr::from_pathname(&path).expect("a path"),
            format!("listening on unix:{}\n", path.display()),
        ),
        (UnixListener::bind_addr(&named).expect("free"), named, format!("listening on unix:@{name}\n")),
    ] {
        let (serving, seen) = begin(&mut passing(socket.try_clone().expect("another"), false, &[]));
        assert!(seen.contains(&says), "{seen}");
        assert!(ask(UnixStream::connect_addr(&address).expect("it listens")).starts_with("HTTP/1.1 200 "));
        serving.signal(Signal::TERM);
        serving.end(0);
        // Whoever made it goes on to have it.
        UnixStream::connect_addr(&address).expect("it is still there");
    }
    assert!(Path::new(&path).exists());
    let _ = std::fs::remove_file(path);
    // What was asked to be encrypted is not served in the clear.
    #[cfg(feature = "self-signed")]
    {
        let path = scratch("passed-plain.sock");
        let plain = UnixListener::bind(&path).expect("a place");
        refused(
            plain,
            &["--tls-self-signed"],
            2,
            "TLS, and Unix sockets alone, where no TLS is spoken; give --bind",
        );
        let _ = std::fs::remove_file(path);
    }
}

/// Runs the program on what cannot be listened on; it says so in one line.
#[track_caller]
fn refused(passed: impl Into<OwnedFd>, arguments: &[&str], code: i32, says: &str) {
    let output = passing(passed, false, arguments).output().expect("it runs");
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.starts_with("selvedge: ") && error.lines().count() == 1, "{error}");
    assert!(error.contains(says), "{error} does not say {says}");
}

#[test]
fn what_is_no_listening_stream_socket() {
    let file = || std::fs::File::open("/dev/null").expect("it is there");
    let (one, _other) = UnixStream::pair().expect("a pair");
    let listening = tcp();
    let connected = TcpStream::connect(listening.local_addr().expect("an address")).expect("it listens");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    refused(file(), &["--bind", "fd:9"], 1, "cannot listen on fd:9: no such descriptor is open");
    refused(file(), &["--bind", "fd:3"], 1, "cannot listen on fd:3: it is no socket");
    refused(file(), &[], 1, "cannot listen on fd:3: it is no socket");
    refused(connected, &[], 1, "its socket does not listen; a socket unit needs Accept=no");
    refused(one, &[], 1, "its socket does not listen");
    refused(udp, &[], 1, "its socket is for datagrams or packets, and HTTP/1.1 needs a stream");
    refused(file(), &["--bind", "fd:99999999999"], 2, "'fd:99999999999': no descriptor has such a number");
    refused(file(), &["--bind", "fd:"], 2, "'fd:': the number or the name of a socket must follow");
    refused(file(), &["--bind", "fd:x"], 2, "no such socket was passed; those there are: unknown");
    refused(file(), &["--bind", "fd:-1"], 2, "no such socket was passed");
}

/// Of a connection that several see one gets it, and the others must not wait where nobody can wake them: the socket does not
/// block, whoever ends, and whoever else has had it block.
#[test]
fn a_shared_socket_does_not_block() {
    let socket = tcp();
    let given = format!("fd:{}", socket.as_raw_fd());
    let [first, second] = [(); 2].map(|()| Listener::bind(&given).expect("it listens"));
    drop(first);
    assert!(!blocks(&socket), "the second goes on");
    socket.set_nonblocking(false).expect("a socket");
    let _client = TcpStream::connect(socket.local_addr().expect("an address")).expect("it listens");
    second.accept().expect("somebody has connected");
    assert!(!blocks(&socket), "the second accepts");
}

/// What else others have chosen for it stays; its connections send at once all the same.
#[test]
fn a_shared_socket_stays_as_it_was() {
    let socket = tcp();
    let listener = Listener::bind(&format!("fd:{}", socket.as_raw_fd())).expect("it listens");
    let _client = TcpStream::connect(socket.local_addr().expect("an address")).expect("it listens");
    let (stream, _) = listener.accept().expect("somebody has connected");
    let Stream::Tcp(accepted) = &stream else { panic!("it is TCP") };
    let options = |socket: SockRef<'_>| {
        let ahead = socket.tcp_notsent_lowat().expect("TCP");
        (socket.tcp_nodelay().expect("TCP"), ahead, socket.write_timeout().expect("a socket"))
    };
    assert_eq!(options((&socket).into()), options((&tcp()).into()));
    let (at_once, ahead, patience) = options((&**accepted).into());
    assert!(at_once && ahead == 32 << 10 && patience.is_some(), "{at_once}, {ahead}, {patience:?}");
}

/// Serves with `text` on a socket that others hold too.
fn share(socket: &TcpListener, text: &'static str) -> Server {
    let given = format!("fd:{}", socket.as_raw_fd());
    let builder = Server::builder().bind(&given).expect("it listens");
    builder.serve(move |_: &mut Request| text).expect("it starts")
}

/// The acceptor of a shared socket ends without anybody connecting, and others can go on.
#[test]
fn a_server_ends_and_leaves_the_socket() {
    let socket = tcp();
    let address = socket.local_addr().expect("an address");
    let first = share(&socket, "first");
    assert_eq!(first.local_addr(), Some(address));
    assert_eq!(Client::to(address).get("/").text(), "first");
    assert!(first.shutdown(PATIENCE).cut.is_empty());
    let mut waiting = Client::to(address);
    let _second = share(&socket, "second");
    assert_eq!(waiting.get("/").text(), "second");
}

/// Each connection is one server's, and the end of one is nothing to the other's clients.
#[test]
fn two_servers_share_a_socket() {
    let socket = tcp();
    let address = socket.local_addr().expect("an address");
    let last = share(&socket, "last");
    for _ in 0..10 {
        let first = share(&socket, "first");
        for _ in 0..10 {
            assert!(["first", "last"].contains(&Client::to(address).get("/").text()));
        }
        assert!(first.shutdown(PATIENCE).cut.is_empty());
        for _ in 0..3 {
            assert_eq!(Client::to(address).get("/").text(), "last");
        }
    }
    drop(last);
}
