//! The file of a Unix socket: how it is made, and who may connect.

use super::listener::BACKLOG;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Who may connect to a Unix socket: who may write to its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketFile {
    /// Its mode, whatever the umask is. Default 0660: its owner and its group may connect.
    pub mode: u32,
    /// Its owner's number. Default who runs the server.
    pub owner: Option<u32>,
    /// Its group's number. Default that of who runs the server.
    pub group: Option<u32>,
}

impl Default for SocketFile {
    fn default() -> Self {
        SocketFile { mode: 0o660, owner: None, group: None }
    }
}

/// The file that was made for a socket. It goes with this, which is to be dropped while the socket is open: so long nobody
/// takes the file for abandoned, and no other has its number.
#[derive(Debug)]
pub(super) struct Made {
    path: PathBuf,
    id: (u64, u64),
}

/// Listens on `path`, in the place of a socket that nobody listens on any more. Nobody can connect before the file is as it
/// should be.
pub(super) fn listen(path: &Path, file: &SocketFile) -> io::Result<(UnixListener, Made)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let address = SockAddr::unix(path)?;
    // Until it listens, others would take it for one that was left behind.
    #[cfg(any(feature = "inherit", feature = "files"))]
    let _turn = super::turn::take(path);
    match socket.bind(&address) {
        // A server that was killed leaves its socket behind; one that nobody listens on may go.
        Err(problem) if problem.kind() == ErrorKind::AddrInUse && is_abandoned(path) => {
            fs::remove_file(path)?;
            socket.bind(&address)
        }
        bound => bound,
    }
    .map_err(|problem| explain(&problem))?;
    // There is a file now, but who connects is refused until the socket listens.
    let made = Made { path: path.to_owned(), id: id(path)? };
    dress(path, file)?;
    socket.listen(BACKLOG)?;
    Ok((OwnedFd::from(socket).into(), made))
}

impl Drop for Made {
    /// Removes the file, unless another has taken its place.
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|there| there == self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What tells a file from all others.
fn id(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|data| (data.dev(), data.ino()))
}

fn dress(path: &Path, file: &SocketFile) -> io::Result<()> {
    if file.owner.is_some() || file.group.is_some() {
        lchown(path, file.owner, file.group).map_err(|problem| {
            let whom = [file.owner, file.group].map(|id| id.map_or_else(String::new, |id| id.to_string()));
            let whom = whom.join(":");
            io::Error::other(format!("cannot give the file to {whom}: {problem}; see --unix-owner"))
        })?;
    }
    fs::set_permissions(path, Permissions::from_mode(file.mode))
}

/// The system's words are about ports.
fn explain(problem: &io::Error) -> io::Error {
    match problem.kind() {
        ErrorKind::AddrInUse => io::Error::other(
            "another program listens there, or it is no socket; stop it, or choose another path with --bind unix:PATH",
        ),
        ErrorKind::PermissionDenied => io::Error::other(
            "Permission denied to make a file there; choose another path with --bind unix:PATH",
        ),
        _ => io::Error::new(problem.kind(), problem.to_string()),
    }
}

fn is_abandoned(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    is_socket && connect(path).is_err_and(|problem| problem.kind() == ErrorKind::ConnectionRefused)
}

/// A server that hangs, and whose queue is full, would have us wait.
pub(super) fn connect(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}
