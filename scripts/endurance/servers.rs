//! The two servers: the built-in application, and a directory over TLS with the admin listener.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, Tls};

const START_TIMEOUT: Duration = Duration::from_secs(20);
const STOP_TIMEOUT: Duration = Duration::from_secs(40);
/// The file that slow readers ask for.
pub const LARGE: &str = "/large.bin";
pub const LARGE_LEN: usize = 4 << 20;
pub const PAGE: &str = "/page.html";
pub const PAGE_LEN: usize = 20_000;

pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: Option<Tls>,
    /// Its admin listener.
    pub admin: Option<SocketAddr>,
    child: Child,
    log: PathBuf,
}

/// Files of one run, removed at its end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("soak-{}", std::process::id()));
        fs::create_dir_all(path.join("www"))?;
        fs::write(path.join("www/large.bin"), vec![b'x'; LARGE_LEN])?;
        fs::write(path.join("www/page.html"), "0123456789".repeat(PAGE_LEN / 10))?;
        fs::write(path.join("options.toml"), "")?;
        Ok(Self(path))
    }

    /// Changes what a reload reads.
    pub fn change_options(&self, round: usize) -> io::Result<()> {
        fs::write(self.0.join("options.toml"), format!("keep-alive = \"{}s\"\n", 15 + round % 2))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Server {
    pub fn application(program: &Path, scratch: &Scratch, log_level: &str) -> io::Result<Self> {
        let arguments = ["--log-level".to_owned(), log_level.to_owned()];
        Server::start(program, scratch, "application", None, &arguments)
    }

    pub fn directory(program: &Path, scratch: &Scratch, log_level: &str) -> io::Result<Self> {
        let admin = free_address()?;
        let folder = scratch.0.join("www");
        let arguments = [
            "--log-level".to_owned(),
            log_level.to_owned(),
            "--tls-self-signed".to_owned(),
            "--admin".to_owned(),
            admin.to_string(),
            folder.to_string_lossy().into_owned(),
        ];
        let mut server = Server::start(program, scratch, "directory", Some(Tls::Resumed), &arguments)?;
        server.admin = Some(admin);
        Ok(server)
    }

    fn start(
        program: &Path,
        scratch: &Scratch,
        name: &'static str,
        tls: Option<Tls>,
        arguments: &[String],
    ) -> io::Result<Self> {
        let address = free_address()?;
        let log = scratch.0.join(format!("{name}.log"));
        let child = Command::new(program)
            .args(["--bind", &address.to_string(), "--rate-limit", "off", "--throttle", "off"])
            .args(["--max-connections-per-client", "off", "--config"])
            .arg(scratch.0.join("options.toml"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .map_err(|problem| io::Error::other(format!("{}: {problem}", program.display())))?;
        let mut server = Server { name, address, tls, admin: None, child, log };
        let path = if tls.is_some() { PAGE } else { "/" };
        let patience = Instant::now() + START_TIMEOUT;
        while Instant::now() < patience {
            if Client::new(address, path, tls).get().is_ok_and(|answer| answer.status == 200) {
                return Ok(server);
            }
            if server.child.try_wait()?.is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(io::Error::other(format!("the {name} does not answer: {}", server.last_words())))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn reload(&self) {
        self.signal("-HUP");
    }

    /// Ends it in good order; the error says what was wrong with that.
    pub fn stop(&mut self) -> Result<(), String> {
        self.signal("-TERM");
        let patience = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < patience {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("ended with {status}: {}", self.last_words())),
                Err(problem) => return Err(problem.to_string()),
            }
        }
        Err(format!("did not end: {}", self.last_words()))
    }

    /// Lines of the log that nobody wants to see.
    pub fn complaints(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let bad = |line: &&str| line.contains(" ERROR ") || line.contains("panic");
        log.lines().filter(bad).map(str::to_owned).collect()
    }

    /// What the log says of a client's port: how each connection ended, where the level is `debug`.
    pub fn lines_about(&self, port: u16) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let peer = format!(":{port} ");
        log.lines().filter(|line| line.contains(&peer)).map(str::to_owned).collect()
    }

    fn signal(&self, signal: &str) {
        // std sends no signal but SIGKILL, and of shells every one knows `kill`.
        let _ = Command::new("sh").args(["-c", "kill $0 $1", signal, &self.child.id().to_string()]).status();
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().rev().take(3).collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
