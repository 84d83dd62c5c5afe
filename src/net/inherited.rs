//! Sockets that somebody else has bound and goes on to hold: the program that started this one, or a service manager.
//!
//! They are known by number. What turns a number into something that can be owned is `unsafe` everywhere in Rust; here the
//! kernel does it: a descriptor that is sent over a Unix socket arrives as a new one for the same thing. Unlike
//! `pidfd_getfd`, which would do too, no container's system call filter forbids that.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use sendfd::SendWithFd;
use socket2::{SockAddr, SockRef, Type};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The first descriptor a service manager passes (`sd_listen_fds(3)`).
const FIRST_PASSED: RawFd = 3;
/// How many it may pass.
const MAX_PASSED: u16 = 1024;
/// What a passed socket without a name is called.
const NAMELESS: &str = "unknown";

/// A socket that was passed by a service manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its number, for `fd:N`.
    pub number: RawFd,
    /// Its name, for `fd:NAME`: `FileDescriptorName=` of the socket unit, or else the unit's own.
    pub name: String,
}

/// The sockets a service manager has passed to this process, as `sd_listen_fds(3)` describes it: none if `LISTEN_PID` is
/// another process, or nobody. What is wrong with the variables is said in a line.
pub fn passed() -> Result<Vec<Passed>, String> {
    passed_to(std::process::id(), |name| std::env::var_os(name))
}

/// The same for the process `pid` and the variables that `variable` looks up.
pub fn passed_to(pid: u32, variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<Passed>, String> {
    let text = |name| variable(name).map(|value| value.to_string_lossy().into_owned());
    if text("LISTEN_PID").is_none_or(|given| given != pid.to_string()) {
        return Ok(Vec::new());
    }
    let Some(count) = text("LISTEN_FDS") else { return Ok(Vec::new()) };
    let count: u16 = count
        .parse()
        .ok()
        .filter(|count| *count <= MAX_PASSED)
        .ok_or_else(|| format!("LISTEN_FDS is '{count}', not a number of sockets up to {MAX_PASSED}"))?;
    let names = text("LISTEN_FDNAMES").unwrap_or_default();
    let or_nameless = |name: &str| if name.is_empty() { NAMELESS } else { name }.to_owned();
    let names = names.split(':').map(or_nameless);
    let names = names.chain(std::iter::repeat(NAMELESS.to_owned()));
    Ok((FIRST_PASSED..).zip(names).take(count.into()).map(|(number, name)| Passed { number, name }).collect())
}

/// The number that is meant by `given`, a number or a name among `passed`.
pub(super) fn number(given: &str, passed: &[Passed]) -> Result<RawFd, String> {
    if !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit()) {
        return given.parse().map_err(|_| "no descriptor has such a number".into());
    }
    let mut alike = passed.iter().filter(|socket| socket.name == given);
    match (alike.next(), alike.next()) {
        (Some(one), None) => Ok(one.number),
        (Some(_), Some(_)) => Err("several sockets of that name were passed; write their numbers".into()),
        (None, _) if passed.is_empty() => {
            Err("no socket was passed; write the number of one, as in fd:3".into())
        }
        (None, _) => {
            let names: Vec<_> = passed.iter().map(|socket| &*socket.name).collect();
            Err(format!("no such socket was passed; those there are: {}", names.join(", ")))
        }
    }
}

/// A descriptor of our own for a stream socket that listens, which is `number` and stays open.
pub(super) fn take(number: RawFd) -> io::Result<OwnedFd> {
    let wrong = |problem: &str| io::Error::new(ErrorKind::InvalidInput, problem);
    let socket = duplicate(number).map_err(|problem| match Errno::from_io_error(&problem) {
        Some(Errno::BADF) => wrong("no such descriptor is open"),
        _ => problem,
    })?;
    let kind = SockRef::from(&socket).r#type().map_err(|problem| match Errno::from_io_error(&problem) {
        Some(Errno::NOTSOCK) => wrong("it is no socket"),
        _ => problem,
    })?;
    if kind != Type::STREAM {
        return Err(wrong("its socket is for datagrams or packets, and HTTP/1.1 needs a stream"));
    }
    #[cfg(target_os = "linux")]
    if !SockRef::from(&socket).is_listener()? {
        return Err(wrong("its socket does not listen; a socket unit needs Accept=no"));
    }
    Ok(socket)
}

/// Sends the descriptor to ourselves.
fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    let (there, here) = UnixStream::pair()?;
    there.send_with_fd(&[0], &[number])?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(&here, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let arrived = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    // None can be spared: the kernel says so by sending none.
    arrived.ok_or_else(|| Errno::MFILE.into())
}

/// What a Unix socket is bound to: its path, an abstract name after `@`, or nothing.
pub(super) fn name(address: &SockAddr) -> PathBuf {
    if let Some(name) = address.as_abstract_namespace() {
        return OsStr::from_bytes(&[b"@", name].concat()).into();
    }
    address.as_pathname().map(Path::to_owned).unwrap_or_default()
}

/// What it takes to accept on a socket that others accept on too, and to be woken without a connection, which would be
/// anybody's.
#[derive(Debug)]
pub(super) struct Sharing {
    /// Ends when the other side is shut down.
    bell: UnixStream,
    ringer: UnixStream,
}

impl Sharing {
    /// From here on `socket` does not block: of a connection that two see, one gets it, and the other must not sit and wait,
    /// where no bell is heard. It never blocks again. All who hold it see the same mode, so that nobody who ends can know
    /// whether others still need it.
    pub(super) fn begin(socket: &impl AsFd) -> io::Result<Self> {
        let (bell, ringer) = UnixStream::pair()?;
        SockRef::from(socket).set_nonblocking(true)?;
        Ok(Sharing { bell, ringer })
    }

    /// Wakes who waits, now and ever after.
    pub(super) fn ring(&self) {
        let _ = self.ringer.shutdown(Shutdown::Both);
    }

    /// Waits until somebody seems to have connected; `Interrupted` when it was woken.
    pub(super) fn wait(&self, socket: &impl AsFd) -> io::Result<()> {
        let mut events = [PollFd::new(&self.bell, PollFlags::IN), PollFd::new(socket, PollFlags::IN)];
        loop {
            match poll(&mut events, None) {
                Err(Errno::INTR) => {}
                Err(problem) => return Err(problem.into()),
                Ok(_) if !events[0].revents().is_empty() => return Err(ErrorKind::Interrupted.into()),
                // Another program that holds it may have put the mode back as it ended.
                Ok(_) => return SockRef::from(socket).set_nonblocking(true),
            }
        }
    }
}
