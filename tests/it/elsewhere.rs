//! Connections that do not come from a TCP listener of the server's own.

use crate::support::{Client, Gate, builder, eventually, ms, post, request, serve};
use selvedge::clock::Clock;
use selvedge::net::{Address, Listener};
use selvedge::{CloseReason, Refusal, Request, Server, Stream};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[test]
fn connections_from_elsewhere() {
    let server =
        Server::builder().serve(|request: &mut Request| format!("{:?}", request.peer())).expect("it starts");
    assert!(server.addresses().is_empty() && server.local_addr().is_none());
    let closing = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    // TCP, from a listener of one's own.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let (stream, peer) = listener.accept().expect("a connection");
            server.serve_connection(stream, Some(peer))
        });
        let mut client = Client::to(address);
        let peer = client.stream.local_addr().expect("an address");
        assert_eq!(client.get("/").text(), format!("Some({peer})"));
        client.send(closing);
        assert_eq!(client.last_answer().status, 200);
        assert_eq!(thread.join().expect("it returns"), CloseReason::Finished);
    });

    // A pair of Unix sockets.
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    thread::scope(|scope| {
        let thread = scope.spawn(|| server.serve_connection(theirs, None));
        let mut client = Client::unix(ours);
        assert_eq!(client.get("/").text(), "None");
        drop(client);
        assert_eq!(thread.join().expect("it returns"), CloseReason::Client);
    });

    // Memory, on this thread.
    let said = Arc::new(Mutex::new(Vec::new()));
    let input = io::Cursor::new(request("GET", "/") + &post("/", "hello") + closing);
    let reason = server.serve_connection(Stream::other(Duplex { input, said: said.clone() }), None);
    assert_eq!(reason, CloseReason::Finished);
    let said = said.lock().expect("whole").clone();
    let mut client = Client::over(Duplex { input: io::Cursor::new(said), said: Arc::default() });
    for _ in 0..3 {
        assert_eq!(client.answer().text(), "None");
    }
    client.expect_end();
}

/// Something that reads and writes and is no socket. What is written is said when it is flushed.
struct Duplex<I> {
    input: io::Cursor<I>,
    said: Arc<Mutex<Vec<u8>>>,
}

impl<I: AsRef<[u8]>> Read for Duplex<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

impl<I> Write for Duplex<I> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.said.lock().expect("whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What buffers its output, as streams of other protocols do, is flushed with every answer.
#[test]
fn answers_are_flushed() {
    let server = Server::builder().serve(|_: &mut Request| "hello").expect("it starts");
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    thread::scope(|scope| {
        let reader = theirs.try_clone().expect("a descriptor");
        let buffered = Buffered { reader, writer: io::BufWriter::new(theirs) };
        scope.spawn(|| server.serve_connection(Stream::other(buffered), None));
        let mut client = Client::unix(ours);
        client.stream.set_read_timeout(Some(ms(1000))).expect("a socket");
        client.send(request("GET", "/"));
        let answer = client.read(false);
        client.stream.shutdown(std::net::Shutdown::Both).expect("open");
        assert_eq!(answer.map(|answer| answer.status), Ok(200));
    });
}

struct Buffered {
    reader: UnixStream,
    writer: io::BufWriter<UnixStream>,
}

impl Read for Buffered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Connections from elsewhere are refused like any other, with words.
#[test]
fn connections_from_elsewhere_find_no_seat() {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let server = serve(
        |config| config.max_connections = 1,
        move |_: &mut Request| {
            at_gate.pass();
            "hello"
        },
    );
    let mut client = Client::connect(&server);
    client.send(request("GET", "/"));
    gate.wait_for(1);

    let refused = CloseReason::Refused(Refusal::NO_SEAT.reason);
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    assert_eq!(server.serve_connection(theirs, None), refused);
    assert_eq!(Client::unix(ours).last_answer().status, 503);

    let said = Arc::new(Mutex::new(Vec::new()));
    let input = io::Cursor::new(request("GET", "/"));
    assert_eq!(server.serve_connection(Stream::other(Duplex { input, said: said.clone() }), None), refused);
    let said = said.lock().expect("whole").clone();
    let mut other = Client::over(Duplex { input: io::Cursor::new(said), said: Arc::default() });
    assert_eq!(other.last_answer().status, 503);
    gate.open(1);
    assert_eq!(client.answer().text(), "hello");
}

/// Where memory is short, whoever comes is refused, by whichever way he comes.
#[test]
fn connections_from_elsewhere_when_memory_is_short() {
    const MANY: usize = 40;
    // More than the server may have.
    let ballast = vec![1_u8; 24 << 20];
    let (gate, clock) = (Gate::default(), Clock::manual());
    let at_gate = gate.clone();
    let handler = move |_: &mut Request| {
        at_gate.pass();
        "hello"
    };
    let server = builder(|config| config.max_memory = Some(16 << 20))
        .clock(clock.clone())
        .serve(handler)
        .expect("it starts");
    let mut clients = [(); MANY].map(|()| Client::connect(&server));
    for client in &mut clients {
        client.send(request("GET", "/"));
    }
    gate.wait_for(MANY);
    eventually("it wants no more", || {
        clock.advance(ms(300));
        thread::sleep(ms(20));
        !server.monitor().is_ready()
    });
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let refused = CloseReason::Refused(Refusal::MEMORY_SHORT.reason);
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve_connection(theirs, None));
        assert_eq!(Client::unix(ours).last_answer().status, 503);
        assert_eq!(serving.join().expect("it returns"), refused);
    });
    assert!(ballast.iter().all(|byte| *byte == 1));
    gate.open(MANY);
}

#[test]
fn unix_sockets() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("elsewhere-{}.sock", std::process::id()));
    let given = format!("unix:{}", path.display());
    // What a server that was killed leaves behind is nobody's.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a place to listen"));
    assert!(path.exists());
    let server = Server::builder()
        .bind(&given)
        .and_then(|builder| builder.bind("127.0.0.1:0"))
        .and_then(|builder| builder.serve(|request: &mut Request| format!("{}", request.client())))
        .expect("it starts");
    assert_eq!(server.addresses()[0], Address::Unix(path.clone()));
    let mut client = Client::unix(UnixStream::connect(&path).expect("it listens"));
    assert_eq!(client.get("/").text(), "local");
    assert_eq!(Client::connect(&server).get("/").text(), "127.0.0.1");
    // What somebody listens on is not.
    assert!(Listener::bind(&given).is_err());
    assert_eq!(client.get("/").text(), "local");
    let report = server.shutdown(Duration::from_secs(5));
    assert!(report.cut.is_empty(), "{report}");
    client.expect_end();
    eventually("the socket is gone", || !path.exists());
    // Neither is a file that is no socket.
    std::fs::write(&path, "precious").expect("a place to write");
    assert!(Listener::bind(&given).is_err());
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "precious");
    let _ = std::fs::remove_file(path);
}

/// However many begin at once, and whatever was left behind there, one listens at a path and can be reached.
#[cfg(any(feature = "inherit", feature = "files"))]
#[test]
fn one_of_many_gets_a_unix_socket() {
    const MANY: usize = 3;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rivals-{}.sock", std::process::id()));
    let given = format!("unix:{}", path.display());
    for round in 0..1000 {
        if round % 2 == 1 {
            drop(std::os::unix::net::UnixListener::bind(&path).expect("a place to listen"));
        }
        let together = std::sync::Barrier::new(MANY);
        let bind = || {
            together.wait();
            Listener::bind(&given)
        };
        let outcomes = thread::scope(|scope| {
            let threads = [(); MANY].map(|()| scope.spawn(bind));
            threads.map(|thread| thread.join().expect("it returns"))
        });
        let listening = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(listening, 1, "round {round}: {outcomes:?}");
        UnixStream::connect(&path).expect("it listens");
    }
}

/// What stands at the path in the end may be somebody else's.
#[test]
fn the_end_takes_no_other_socket_away() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("others-{}.sock", std::process::id()));
    let given = format!("unix:{}", path.display());
    let first = Listener::bind(&given).expect("it listens");
    std::fs::remove_file(&path).expect("it is there");
    let second = Listener::bind(&given).expect("it listens");
    drop(first);
    UnixStream::connect(&path).expect("the second listens");
    drop(second);
    assert!(!path.exists());
}

/// Whoever listens at its path by then hears nothing of a server's end, and cannot hold it up.
#[test]
fn the_end_bothers_no_other_socket() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("taken-{}.sock", std::process::id()));
    for hangs in [false, true] {
        let builder = Server::builder().bind(&format!("unix:{}", path.display())).expect("it listens");
        let server = builder.serve(|_: &mut Request| "").expect("it starts");
        std::fs::remove_file(&path).expect("it is there");
        let other = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        let address = SockAddr::unix(&path).expect("a path");
        other.bind(&address).and_then(|()| other.listen(0)).expect("nobody else is there");
        other.set_nonblocking(true).expect("a socket");
        let connect = || {
            let client = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
            client.set_nonblocking(true).and_then(|()| client.connect(&address)).is_ok().then_some(client)
        };
        let queue: Vec<_> = if hangs { std::iter::from_fn(connect).collect() } else { Vec::new() };
        let end = thread::spawn(move || server.shutdown(Duration::ZERO));
        eventually("it ends", || end.is_finished());
        let came = std::iter::from_fn(|| other.accept().ok()).count();
        assert_eq!(came, queue.len(), "{hangs}");
        std::fs::remove_file(&path).expect("the other's stays");
    }
}

/// Whoever can read a folder can lock it; that keeps nobody from listening there.
#[test]
fn a_locked_folder_is_no_obstacle() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("locked-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a place to write");
    let lock = std::fs::File::open(&folder).expect("it is there");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("nobody else has it");
    let path = folder.join("socket");
    let listener = Listener::bind(&format!("unix:{}", path.display())).expect("it listens all the same");
    UnixStream::connect(&path).expect("it listens");
    drop((listener, lock));
    std::fs::remove_dir(folder).expect("it is empty");
}
