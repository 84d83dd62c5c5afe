//! Servers in processes of their own, so that what kills one does not kill the lesson, and what it takes can be counted.

use rustix::process::{Resource, Rlimit, setrlimit};
use selvedge::monitor::resources::parse_status;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What the arguments of a child begin with.
const AS_CHILD: &str = "as-child";
/// How long the end of a process is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server in a child process. It is killed when dropped.
pub struct Child {
    process: std::process::Child,
    pub address: SocketAddr,
    output: BufReader<ChildStdout>,
    /// What it writes on its standard error, once it has ended.
    errors: Option<JoinHandle<String>>,
}

/// What a process has of the machine.
#[derive(Clone, Copy)]
pub struct Taken {
    pub memory: u64,
    pub threads: u64,
}

/// What this process is to be, if it is a child.
pub fn role() -> Option<String> {
    let mut words = std::env::args().skip(1);
    words.next().filter(|word| word == AS_CHILD).and_then(|_| words.next())
}

/// For the child: gives it so much address space, tells the lesson where it listens, and sees to it that it ends with it.
/// What is returned hears of it when the lesson tells it to stop.
pub fn settle(address: SocketAddr, most_memory: Option<u64>) -> Receiver<()> {
    let limit = |most| Rlimit { current: most, maximum: most };
    let _ = setrlimit(Resource::Core, limit(Some(0)));
    if most_memory.is_some() {
        let _ = setrlimit(Resource::As, limit(most_memory));
    }
    let (told, hears) = channel();
    thread::spawn(move || {
        for _ in std::io::stdin().lines().map_while(Result::ok) {
            let _ = told.send(());
        }
        std::process::exit(0);
    });
    println!("{address}");
    hears
}

impl Child {
    /// Starts this program once more.
    pub fn start(role: &str) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut process = Command::new(program)
            .args([AS_CHILD, role])
            // One heap for all threads: each of its own would take address space, and hide what is to be seen.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("another process");
        let mut errors = process.stderr.take().expect("it was asked for");
        let errors = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("it was asked for"));
        let said = output.read_line(&mut line);
        let address = said.ok().and_then(|_| line.trim().parse().ok()).expect("an address");
        Child { process, address, output, errors: Some(errors) }
    }

    /// What it takes; `None` when it is gone.
    pub fn taken(&self) -> Option<Taken> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        parse_status(&status).map(|(memory, threads)| Taken { memory, threads })
    }

    /// The most memory it has had.
    pub fn peak(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }

    /// How it ended, if it has, and what it said then. To be asked once.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.process.try_wait().ok()??;
        let errors = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        let how = match (status.signal(), status.code()) {
            (Some(6), _) => "killed by SIGABRT".to_owned(),
            (Some(11), _) => "killed by SIGSEGV".to_owned(),
            (Some(signal), _) => format!("killed by signal {signal}"),
            (None, code) => format!("exit status {}", code.unwrap_or(-1)),
        };
        Some(format!("{how}\n{}", errors.trim()))
    }

    /// Waits for its end, but not for ever.
    pub fn wait_for_end(&mut self) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() > deadline {
                return ended;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Tells it to stop.
    pub fn stop(&mut self) {
        if let Some(input) = &mut self.process.stdin {
            let _ = writeln!(input, "stop");
        }
    }

    /// Waits until it has said so many lines, or ends.
    pub fn hear(&mut self, lines: usize) {
        for _ in 0..lines {
            let _ = self.output.read_line(&mut String::new());
        }
    }

    /// What it still says, until it ends.
    pub fn last_words(&mut self) -> String {
        let mut said = String::new();
        let _ = self.output.read_to_string(&mut said);
        said
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
