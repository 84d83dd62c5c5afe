//! What the program can still do to the machine once it serves: open the files it has to, and little else.
//!
//! Landlock is a promise a process makes to the kernel about itself: which files and folders it opens from here on, and that
//! it listens on no other TCP port and connects to none. Whoever finds a way to make it open another one, by a link, a path or
//! worse, gets `EACCES`. No program can be run. It holds for the thread that makes it and for those it starts, so it has to be made before there
//! are others. The thread that runs the alert command is started before it: a program of the operator's has needs of its
//! own.

use super::Failure;
use super::listeners::Listeners;
use super::options::Options;
use crate::monitor::Outlet;
use crate::net::{Address, Listener};
use std::fs;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
pub(super) use landlocked::enter;
#[cfg(not(target_os = "linux"))]
pub(super) use none::enter;

/// Whether there is a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// If the kernel can.
    Auto,
    /// Without it nothing is served.
    On,
    /// Never.
    Off,
}

impl Mode {
    pub(super) const ALL: [(&str, Mode); 3] = [("auto", Mode::Auto), ("on", Mode::On), ("off", Mode::Off)];
}

/// What may be done. Paths that are not there when the sandbox is entered cannot be opened later either, but for files
/// that appear in a folder that is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grants {
    rules: Vec<(PathBuf, Right)>,
    /// Processes outside are killed: by who ends the alert command.
    signals: bool,
}

/// What may be done with a file or folder, and all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// Read files and list folders.
    Read,
    /// Read files of known names.
    ReadFiles,
    /// Make files and write to them.
    Write,
    /// Remove files.
    Remove,
}

impl Grants {
    /// What serving with these options takes.
    pub(super) fn of(options: &Options, listeners: &Listeners) -> Self {
        let mut grants = Grants { signals: options.alert_command.is_some(), ..Grants::default() };
        // The resources that are watched, and what spare descriptors are made of.
        grants.read("/proc/self");
        grants.read("/sys/fs/cgroup");
        grants.read("/dev/null");
        // Random numbers, where the C library has no call for them.
        grants.read("/dev/random");
        grants.read("/dev/urandom");
        // For the allocator's count of processors, and the names in a panic's trace.
        grants.read("/sys/devices/system/cpu");
        if let Ok(program) = std::env::current_exe() {
            grants.read(program);
        }
        let access_log = options.access_log.iter().filter_map(|outlet| match outlet {
            Outlet::File(path) => Some(path),
            Outlet::Stdout | Outlet::Stderr => None,
        });
        for path in options.log_file.iter().chain(access_log) {
            grants.append_to(path);
        }
        for path in options.read_again() {
            grants.read_replaceable(path);
        }
        if let Some(path) = &options.path {
            grants.read(path);
        }
        for listener in listeners.all() {
            grants.end(listener);
        }
        grants
    }

    /// A file, or a folder with all below it.
    pub(super) fn read(&mut self, path: impl Into<PathBuf>) {
        self.rules.push((path.into(), Right::Read));
    }

    /// A file that is read again when another has taken its place, by a rename or behind a link.
    pub(super) fn read_replaceable(&mut self, path: &Path) {
        self.rules.push((path.into(), Right::ReadFiles));
        self.folders_of(path, Right::ReadFiles);
    }

    /// A log: its folder too, for it is moved away and made again.
    pub(super) fn append_to(&mut self, path: &Path) {
        let is_device = fs::metadata(path).is_ok_and(|data| !data.is_file());
        self.rules.push((path.into(), Right::Write));
        if !is_device {
            self.folders_of(path, Right::Write);
        }
    }

    /// What it takes to end a listener: the file of a Unix socket is removed.
    fn end(&mut self, listener: &Listener) {
        match listener.address() {
            Address::Unix(path) if !listener.is_shared() => self.folders_of(path, Right::Remove),
            _ => {}
        }
    }

    /// The folder a file is in, and the one it is really in if it is a link. Not the root: everything is below it.
    fn folders_of(&mut self, path: &Path, right: Right) {
        let real = fs::canonicalize(path).ok();
        for path in [Some(path.to_owned()), real].into_iter().flatten() {
            let folder = match path.parent() {
                Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
                Some(folder) => folder,
                None => continue,
            };
            if fs::canonicalize(folder).is_ok_and(|folder| folder.parent().is_some()) {
                self.rules.push((folder.into(), right));
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod landlocked {
    use super::{Failure, Grants, Mode, Right};
    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset,
        RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
    };
    use std::fmt::Display;
    use std::os::fd::AsFd;
    use std::path::Path;

    /// The newest version of Landlock whose rights have been seen to be well chosen. Older kernels know fewer of them.
    const KNOWN: ABI = ABI::V7;

    /// The sandbox, and what it needs for as long as it lasts.
    pub(in crate::cli) struct Sandbox {
        /// What the operator should know about it, in half a line.
        pub(in crate::cli) report: String,
        /// The kernel may forget a process's folder and make it anew, and then the grant would be for nothing.
        _held: Vec<PathFd>,
    }

    /// Makes the promise, for this thread and all that it starts.
    pub(in crate::cli) fn enter(mode: Mode, grants: &Grants) -> Result<Sandbox, Failure> {
        let without = |why: &dyn Display| match mode {
            Mode::On => Err(Failure::start(format!("--sandbox on: {why}"))),
            _ => Ok(Sandbox { report: format!("none, {why}"), _held: Vec::new() }),
        };
        if mode == Mode::Off {
            return without(&"by --sandbox off");
        }
        match restrict(grants) {
            Err(problem) => without(&problem),
            Ok((RulesetStatus::NotEnforced, LandlockStatus::NotEnabled, _)) => {
                without(&"this kernel was started without Landlock")
            }
            Ok((RulesetStatus::NotEnforced, ..)) => {
                without(&"this kernel, or a container around, has no Landlock")
            }
            Ok((_, landlock, held)) => Ok(Sandbox { report: describe(landlock, grants), _held: held }),
        }
    }

    fn restrict(grants: &Grants) -> Result<(RulesetStatus, LandlockStatus, Vec<PathFd>), RulesetError> {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .handle_access(AccessNet::from_all(KNOWN))?
            .scope(Scope::AbstractUnixSocket)?;
        let ruleset = if grants.signals { ruleset } else { ruleset.scope(Scope::Signal)? };
        let mut ruleset = ruleset.create()?;
        let mut held = Vec::new();
        for (path, right) in &grants.rules {
            // What cannot be reached now is left alone.
            let Ok(file) = PathFd::new(path) else { continue };
            // The kernel takes no rules for pipes and sockets, which can be written to anyway.
            let _ = (&mut ruleset).add_rule(PathBeneath::new(file.as_fd(), right.to(path)));
            if path.starts_with("/proc") {
                held.push(file);
            }
        }
        let status = ruleset.restrict_self()?;
        Ok((status.ruleset, status.landlock, held))
    }

    impl Right {
        fn to(self, path: &Path) -> BitFlags<AccessFs> {
            let access = match self {
                Right::Read => make_bitflags!(AccessFs::{ReadFile | ReadDir}),
                Right::ReadFiles => AccessFs::ReadFile.into(),
                Right::Write => make_bitflags!(AccessFs::{WriteFile | MakeReg}),
                Right::Remove => AccessFs::RemoveFile.into(),
            };
            if path.is_dir() { access } else { access & AccessFs::from_file(KNOWN) }
        }
    }

    fn describe(landlock: LandlockStatus, grants: &Grants) -> String {
        let mut report = match landlock {
            LandlockStatus::Available { effective_abi, .. } => format!("Landlock {}", effective_abi as i32),
            _ => "Landlock".to_owned(),
        };
        if grants.signals {
            report += ", but not for the thread that runs the alert command";
        }
        report
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use super::{Failure, Grants, Mode};

    pub(in crate::cli) struct Sandbox {
        pub(in crate::cli) report: String,
    }

    pub(in crate::cli) fn enter(mode: Mode, _: &Grants) -> Result<Sandbox, Failure> {
        match mode {
            Mode::On => Err(Failure::start("--sandbox on: Landlock is Linux's")),
            _ => Ok(Sandbox { report: "none on this system".into() }),
        }
    }
}
