//! The besieged server: started for the scenario, or one that runs already.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, Tls};
use crate::options::{Options, Scenario};

const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than a server's own patience with connections that linger.
const STOP_TIMEOUT: Duration = Duration::from_secs(35);

pub struct Target {
    pub addr: SocketAddr,
    pid: Option<u32>,
    child: Option<Child>,
    scratch: Option<Scratch>,
}

/// The most that was seen of a server, and the attackers at each look.
#[derive(Default)]
pub struct Peak {
    pub rss_kib: u64,
    pub threads: u64,
    /// Not the most but the mean: how many cores it kept busy.
    pub cores: f64,
    pub attackers: Vec<usize>,
}

impl Peak {
    pub fn mean_attackers(&self) -> f64 {
        self.attackers.iter().sum::<usize>() as f64 / self.attackers.len().max(1) as f64
    }
}

impl Target {
    /// Starts the server for a scenario and waits until it answers; or takes the one given by `--target`.
    pub fn start(options: &Options, scenario: Scenario) -> io::Result<Self> {
        if let Some(addr) = options.target {
            let target = Self { addr, pid: options.pid, child: None, scratch: None };
            return target.wait_until_it_answers(scenario.tls());
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let scratch = Scratch::new()?;
        let large_page = options.server.with_file_name("examples").join("large_page");
        let wants_large_page = scenario == Scenario::SlowRead && options.page.is_none();
        let mut command = Command::new(if wants_large_page { &large_page } else { &options.server });
        command.arg("--bind").arg(addr.to_string());
        command.args(["--rate-limit", "off", "--max-connections-per-client", "off"]);
        let tls = scenario.tls();
        if tls.is_some() {
            command.arg("--tls-self-signed");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(scratch.log())?);
        let child = command
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", options.server.display())))?;
        let target = Self { addr, pid: Some(child.id()), child: Some(child), scratch: Some(scratch) };
        target.wait_until_it_answers(tls)
    }

    /// The page that slow readers ask for.
    pub fn largest_page<'a>(&self, options: &'a Options) -> &'a str {
        let own = if self.child.is_some() { "/large.bin" } else { "/" };
        options.page.as_deref().unwrap_or(own)
    }

    /// Notes memory and threads, of the process and its children.
    pub fn sample(&self, peak: &mut Peak) {
        let (mut rss_kib, mut threads) = (0, 0);
        for pid in self.processes() {
            rss_kib += status_field(pid, "VmRSS:");
            threads += status_field(pid, "Threads:");
        }
        peak.rss_kib = peak.rss_kib.max(rss_kib);
        peak.threads = peak.threads.max(threads);
    }

    /// What the process and its children have had of all cores so far.
    pub fn cpu_time(&self) -> Duration {
        self.processes().into_iter().map(cpu_time).sum()
    }

    fn processes(&self) -> Vec<u32> {
        let Some(pid) = self.pid else { return Vec::new() };
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).chain([pid]).collect()
    }

    /// Ends the server as its operator would, by SIGTERM. The error says what was wrong with its end.
    pub fn stop(&mut self) -> Result<(), String> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("the server died during the siege ({status}){}", self.last_words()));
        }
        // std sends no signal but SIGKILL, and of shells every one knows `kill`.
        let _ = Command::new("sh").args(["-c", "kill -TERM $0", &child.id().to_string()]).status();
        match wait(&mut child, STOP_TIMEOUT) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("the server stopped with {status}{}", self.last_words())),
            None => {
                let _ = child.kill().and_then(|()| child.wait());
                Err(format!("the server did not stop in {} s", STOP_TIMEOUT.as_secs()))
            }
        }
    }

    fn wait_until_it_answers(mut self, tls: Option<Tls>) -> io::Result<Self> {
        let patience = Instant::now() + START_TIMEOUT;
        while Instant::now() < patience {
            if Client::new(self.addr, "/", tls).get().is_ok_and(|answer| answer.status == 200) {
                return Ok(self);
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(io::Error::other(format!(
                    "the server did not start ({status}){}",
                    self.last_words()
                )));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let words = self.last_words();
        Err(io::Error::other(format!("GET / on {} is not answered with 200{words}", self.addr)))
    }

    /// The end of the server's log.
    fn last_words(&self) -> String {
        let log = self.scratch.as_ref().and_then(|scratch| fs::read_to_string(scratch.log()).ok());
        let log = log.unwrap_or_default();
        let last = log.lines().rev().take(5).collect::<Vec<_>>();
        last.into_iter().rev().flat_map(|line| ["\n    ", line]).collect()
    }
}

/// A server left over by an early return would hold its port for ever.
impl Drop for Target {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

/// A directory for the server's log and pages, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("siege-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn log(&self) -> PathBuf {
        self.0.join("server.log")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A number of `/proc/PID/status`; 0 where there is none.
fn status_field(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// In user mode and in the kernel, of all threads.
fn cpu_time(pid: u32) -> Duration {
    // Linux tells user programs of hundredths, whatever its own clock does.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before may have anything in it; from its end on the two are the 12th and 13th.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok());
    TICK * ticks.sum::<u32>()
}

fn wait(child: &mut Child, at_most: Duration) -> Option<ExitStatus> {
    let patience = Instant::now() + at_most;
    while Instant::now() < patience {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}
