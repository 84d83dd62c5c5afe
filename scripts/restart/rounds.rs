//! Restarts of a server on a socket that outlives it, while clients go on asking.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is tried.
pub struct Plan {
    /// The server.
    pub program: PathBuf,
    /// A folder to write to.
    pub scratch: PathBuf,
    pub rounds: usize,
    /// Each has one connection at a time, and asks once on each.
    pub clients: usize,
    /// Requests answered between two restarts.
    pub between: usize,
    /// Whether the next server begins before the last one ends. A service manager's restart ends the last one first.
    pub overlap: bool,
}

/// What became of it.
#[derive(Debug)]
pub struct Outcome {
    /// Requests answered with 200.
    pub served: usize,
    /// What became of the others.
    pub failures: Vec<String>,
    /// The longest that one took.
    pub longest: Duration,
    /// Servers that have begun and ended in good order.
    pub servers: usize,
}

/// What clients tell.
#[derive(Default)]
struct Tally {
    served: AtomicUsize,
    failures: Mutex<Vec<String>>,
    longest: Mutex<Duration>,
    over: AtomicBool,
}

/// Holds a socket, as a service manager does, and restarts the server on it.
pub fn run(plan: &Plan) -> io::Result<Outcome> {
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    let tally = Tally::default();
    let servers = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..plan.clients).map(|_| scope.spawn(|| ask_until_over(address, &tally))).collect();
        let servers = restart(plan, &socket, &tally);
        tally.over.store(true, Ordering::Relaxed);
        // Nobody is left waiting at a socket that nobody accepts on.
        for client in clients {
            let _ = client.join();
        }
        servers
    })?;
    let failures = tally.failures.into_inner().unwrap_or_default();
    let longest = tally.longest.into_inner().unwrap_or_default();
    Ok(Outcome { served: tally.served.into_inner(), failures, longest, servers })
}

fn restart(plan: &Plan, socket: &TcpListener, tally: &Tally) -> io::Result<usize> {
    let mut server = Server::start(plan, socket, 0)?;
    for round in 1..=plan.rounds {
        let enough = tally.served.load(Ordering::Relaxed) + plan.between;
        until("the next requests", || tally.served.load(Ordering::Relaxed) >= enough)?;
        if plan.overlap {
            let last = std::mem::replace(&mut server, Server::start(plan, socket, round)?);
            last.end()?;
        } else {
            server.end()?;
            server = Server::start(plan, socket, round)?;
        }
    }
    // Clients end while there is somebody to answer them.
    tally.over.store(true, Ordering::Relaxed);
    let enough = tally.served.load(Ordering::Relaxed) + plan.clients;
    let _ = until("the last requests", || tally.served.load(Ordering::Relaxed) >= enough);
    server.end()?;
    Ok(plan.rounds + 1)
}

fn ask_until_over(address: SocketAddr, tally: &Tally) {
    loop {
        let began = Instant::now();
        match ask(address) {
            Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => {
                tally.served.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => fail(tally, format!("answered '{}'", answer.lines().next().unwrap_or_default())),
            Err(problem) => fail(tally, problem.to_string()),
        }
        if let Ok(mut longest) = tally.longest.lock() {
            *longest = began.elapsed().max(*longest);
        }
        // After the answer: the last one of each client comes when all is over.
        if tally.over.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn fail(tally: &Tally, failure: String) {
    if let Ok(mut failures) = tally.failures.lock() {
        failures.push(failure);
    }
}

/// A server that has said that it is ready.
struct Server {
    child: Child,
}

impl Server {
    fn start(plan: &Plan, socket: &TcpListener, round: usize) -> io::Result<Server> {
        let told = plan.scratch.join(format!("restart-{}-{round}", std::process::id()));
        let _ = std::fs::remove_file(&told);
        let line = UnixDatagram::bind(&told)?;
        let child = spawn(plan, socket, &told);
        let server = child.map(|child| Server { child });
        let ready = server.and_then(|server| hear_ready(&line).map(|()| server));
        let _ = std::fs::remove_file(&told);
        ready
    }

    fn end(mut self) -> io::Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.ok_or(io::ErrorKind::NotFound)?, Signal::TERM)?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes the socket as a service manager does: as descriptor 3, to the process of that number.
fn spawn(plan: &Plan, socket: &TcpListener, told: &Path) -> io::Result<Child> {
    let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"";
    Command::new("sh")
        .args(["-c", script])
        .arg(&plan.program)
        .args(["--rate-limit", "off", "--throttle", "off", "--max-connections-per-client", "off"])
        .args(["--log-level", "error"])
        .env("NOTIFY_SOCKET", told)
        .envs([("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "restart.socket")])
        .stdin(Stdio::from(OwnedFd::from(socket.try_clone()?)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn hear_ready(line: &UnixDatagram) -> io::Result<()> {
    line.set_read_timeout(Some(PATIENCE))?;
    let mut told = [0; 4096];
    loop {
        let count = line.recv(&mut told)?;
        if told[..count].split(|&byte| byte == b'\n').any(|word| word == b"READY=1") {
            return Ok(());
        }
    }
}

fn until(what: &str, mut happened: impl FnMut() -> bool) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("waited too long for {what}")));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
