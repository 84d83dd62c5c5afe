//! The command line, parsed by hand: of all libraries this program needs one for TLS.

use crate::client::Tls;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub const USAGE: &str = "\
usage: siege [OPTIONS] [SCENARIO…]
       siege hold --target HOST:PORT [--tls] [--clients N] [--seconds N]
       siege handshakes --target HOST:PORT [--resume] [--clients N] [--seconds N]

Besieges a server on this machine and measures what legitimate clients notice.

scenarios (all of them when none is named):
  calm        no attack: what the others are compared with
  slow-head   one byte of a head every half second
  slow-body   a whole head, then one byte of the body every half second
  slow-read   a dozen requests for the largest page at once, no answer is ever read
  mute        connects and sends nothing
  idle        one good request, then silence
  flood       connects and closes, --clients times a second
  tls         half a TLS ClientHello, where plain HTTP is spoken
  handshake   half a ClientHello, or one a byte each half second, where TLS is spoken; legitimate clients speak it
              too, and open a new connection for every tenth request
  overload    ten times the requests the server can handle, see below

  --server PATH        the server to start [../selvedge from this program]
  --target HOST:PORT   besiege a running server instead; loopback addresses only
  --pid PID            the process of --target, for its memory and threads (children are added)
  --page PATH          what slow-read asks for [4 MiB of a server made for it; / with --target]
  --seconds N          measured time of each scenario, 1 to 120 [15]
  --clients N          attackers, 1 to 8000 [2000]
  --rate N             legitimate requests a second, 50 to 20000 [500]
  --tls                hold: speak TLS
  --resume             handshakes: resume sessions
  --burst              attackers act all at once each half second instead of spread over it
  --min-ok PERCENT     a scenario fails below this share of good answers [100]
  --max-p99 MS         a scenario fails above this latency, and four times that of the bare loop [5]
  --max-cpu PERCENT    a scenario fails where the server takes more than so much of one core [100]
  --min-goodput PERCENT      overload fails below this share of the server's capacity [95]
  --max-refusal-p99 MS       overload fails when refusals take longer, and four times as long as the bare loop's
                             answers [5]

The bare loop is a server that does nothing but answer. Fifty more clients ask it 100 times a second, in the same
time, and over TLS where the others speak it: what they wait for is the machine's doing, be it busy or slow, and no
server can do better. So a verdict is about the server, and holds on a machine that others use too. (A server that
keeps all cores busy makes everybody wait: so that counts too.)

overload: 1000 keep-alive connections ask for /long-running?ms=200 five times a second each, of a server that
handles 100 requests at once. `hold` opens keep-alive connections with one request each and holds them.
`handshakes` opens connections with a TLS handshake and one request each, over and over, and counts them.
";

/// What the command line asks for.
pub enum Command {
    Help,
    Siege(Options),
    Handshakes { target: SocketAddr, tls: Tls, clients: usize, time: Duration },
    Hold { target: SocketAddr, tls: Option<Tls>, clients: usize, time: Duration },
}

pub struct Options {
    pub server: PathBuf,
    pub target: Option<SocketAddr>,
    pub pid: Option<u32>,
    pub page: Option<String>,
    pub scenarios: Vec<Scenario>,
    pub time: Duration,
    pub clients: usize,
    pub rate: u32,
    pub burst: bool,
    pub limits: Limits,
}

/// Where a scenario begins to fail.
pub struct Limits {
    pub ok_percent: f64,
    pub p99_ms: f64,
    pub cpu_percent: f64,
    pub goodput_percent: f64,
    pub refusal_p99_ms: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    Calm,
    SlowHead,
    SlowBody,
    SlowRead,
    Mute,
    Idle,
    Flood,
    Tls,
    Handshake,
    Overload,
}

impl Scenario {
    const NAMES: [(Self, &'static str); 10] = [
        (Self::Calm, "calm"),
        (Self::SlowHead, "slow-head"),
        (Self::SlowBody, "slow-body"),
        (Self::SlowRead, "slow-read"),
        (Self::Mute, "mute"),
        (Self::Idle, "idle"),
        (Self::Flood, "flood"),
        (Self::Tls, "tls"),
        (Self::Handshake, "handshake"),
        (Self::Overload, "overload"),
    ];
}

impl Scenario {
    /// How legitimate clients speak TLS, if they do.
    pub fn tls(self) -> Option<Tls> {
        (self == Self::Handshake).then_some(Tls::Full)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMES.iter().find(|(scenario, _)| scenario == self);
        f.pad(named.map_or("?", |(_, name)| name))
    }
}

/// Reads the arguments after the program's name; the error is one line for the operator.
pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut options = Options {
        server: default_server(),
        target: None,
        pid: None,
        page: None,
        scenarios: Vec::new(),
        time: Duration::from_secs(15),
        clients: 2000,
        rate: 500,
        burst: false,
        limits: Limits {
            ok_percent: 100.0,
            p99_ms: 5.0,
            cpu_percent: 100.0,
            goodput_percent: 95.0,
            refusal_p99_ms: 5.0,
        },
    };
    let (mut hold, mut handshakes, mut tls) = (false, false, None);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--server" => options.server = PathBuf::from(value()?),
            "--target" => options.target = Some(loopback(&value()?)?),
            "--pid" => options.pid = Some(number(&arg, &value()?, 1, u32::MAX)?),
            "--page" => options.page = Some(value()?),
            "--seconds" => options.time = Duration::from_secs(number(&arg, &value()?, 1, 120)?),
            "--clients" => options.clients = number(&arg, &value()?, 1, 8000)?,
            "--rate" => options.rate = number(&arg, &value()?, 50, 20_000)?,
            "--burst" => options.burst = true,
            "--min-ok" => options.limits.ok_percent = number(&arg, &value()?, 0.0, 100.0)?,
            "--max-p99" => options.limits.p99_ms = number(&arg, &value()?, 0.0, 10_000.0)?,
            "--max-cpu" => options.limits.cpu_percent = number(&arg, &value()?, 0.0, 10_000.0)?,
            "--min-goodput" => options.limits.goodput_percent = number(&arg, &value()?, 0.0, 100.0)?,
            "--max-refusal-p99" => options.limits.refusal_p99_ms = number(&arg, &value()?, 0.0, 10_000.0)?,
            "hold" => hold = true,
            "handshakes" => handshakes = true,
            "--tls" => tls = Some(Tls::Full),
            "--resume" => tls = Some(Tls::Resumed),
            name => match Scenario::NAMES.iter().find(|(_, known)| *known == name) {
                Some((scenario, _)) => options.scenarios.push(*scenario),
                None => return Err(format!("unknown option or scenario `{name}`")),
            },
        }
    }
    if handshakes {
        let target = options.target.ok_or("handshakes needs --target")?;
        let tls = tls.unwrap_or(Tls::Full);
        return Ok(Command::Handshakes { target, tls, clients: options.clients, time: options.time });
    }
    if hold {
        let target = options.target.ok_or("hold needs --target")?;
        return Ok(Command::Hold { target, tls, clients: options.clients, time: options.time });
    }
    if options.scenarios.is_empty() {
        options.scenarios = Scenario::NAMES.iter().map(|(scenario, _)| *scenario).collect();
    }
    Ok(Command::Siege(options))
}

/// This program is an example of the server's package: the server lies one directory above it.
fn default_server() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    here.parent().unwrap_or(&here).join("../selvedge")
}

/// An address of this machine and no other: a siege of anyone else's server is not a test.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| format!("--target {text}: {error}"))?;
    let addr = found.next().ok_or_else(|| format!("--target {text}: no address"))?;
    if addr.ip().is_loopback() {
        Ok(addr)
    } else {
        Err(format!("--target {text}: only loopback addresses (127.0.0.0/8, ::1) may be besieged"))
    }
}

fn number<T>(option: &str, text: &str, least: T, most: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + fmt::Display + Copy,
{
    match text.parse::<T>() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!("{option} {text}: expected a number from {least} to {most}")),
    }
}
