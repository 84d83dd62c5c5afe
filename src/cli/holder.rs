//! Who listens on a port already, as far as the system tells us.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// Processes that are looked at.
const MAX_PROCESSES: usize = 4096;
/// The state of a socket that listens, as Linux writes it.
const LISTENING: &str = "0A";

/// The program that has the port of `address`, and its process. Nobody is told of other users' processes.
pub(super) fn of(address: &str) -> Option<String> {
    let port = address.to_socket_addrs().ok()?.next().as_ref().map(SocketAddr::port)?;
    let sockets: Vec<_> =
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().flat_map(|table| listening(table, port)).collect();
    if sockets.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let mut processes = processes.filter(|path| is_process(path)).take(MAX_PROCESSES);
    let holder = processes.find(|process| has_one_of(process, &sockets))?;
    let program = fs::read_to_string(holder.join("comm")).ok()?;
    Some(format!("{}, process {}", program.trim_end(), holder.file_name()?.display()))
}

/// What stands for the sockets that listen on `port` among a process's descriptors.
fn listening(table: &str, port: u16) -> Vec<String> {
    let table = fs::read_to_string(table).unwrap_or_default();
    let sockets = table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let (_, local_port) = columns.next()?.rsplit_once(':')?;
        let state = columns.nth(1)?;
        let inode = columns.nth(5)?;
        let ours = u16::from_str_radix(local_port, 16) == Ok(port) && state == LISTENING;
        ours.then(|| format!("socket:[{inode}]"))
    });
    sockets.collect()
}

fn is_process(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

fn has_one_of(process: &Path, sockets: &[String]) -> bool {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .any(|target| target.to_str().is_some_and(|target| sockets.iter().any(|socket| socket == target)))
}
