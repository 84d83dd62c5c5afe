//! The credentials file.

use super::passwords::{Stored, hash_password, hash_secret};
use crate::error::Error;
use crate::sync::Arc;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes a credentials file may have.
const MAX_FILE: u64 = 4 << 20;
/// Bytes of a user's name.
pub(super) const MAX_NAME: usize = 128;

/// Who may log in: names, and hashes of passwords.
///
/// ```
/// use selvedge::guard::auth::{Accounts, hash_password};
///
/// let line = format!("ada:{}\n", hash_password(b"analytical engine")?);
/// let accounts = Accounts::parse("# who may log in\n\n".to_owned() + &line)?;
/// assert_eq!(accounts.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Accounts {
    by_name: HashMap<Arc<str>, Stored>,
    /// For names that are none: each costs what some account costs, always the same one.
    decoys: Vec<Stored>,
    lot: RandomState,
}

/// A credentials file that cannot be used. Says where and why, never what stands there.
#[derive(Debug)]
#[non_exhaustive]
pub enum AccountsError {
    /// It cannot be read.
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of it is wrong.
    Line {
        /// The file, if it is one.
        file: Option<PathBuf>,
        /// The line, counted from one.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is nobody in it.
    Empty {
        /// The file, if it is one.
        file: Option<PathBuf>,
    },
    /// The system gave no random numbers.
    Random,
}

impl Accounts {
    /// Reads a regular file: `user:$argon2id$…` lines, empty ones, and those that begin with `#`, behind a byte order
    /// mark if there is one. 4 MiB at most.
    pub fn load(path: &Path) -> Result<Self, AccountsError> {
        let mut text = String::new();
        let read = open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
        let read = read.and_then(|read| {
            let fits = read as u64 <= MAX_FILE;
            fits.then_some(()).ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "more than 4 MiB"))
        });
        read.map_err(|source| AccountsError::Read { file: path.to_owned(), source })?;
        Accounts::parse(text).map_err(|error| error.in_file(path))
    }

    /// Reads the text of such a file.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, AccountsError> {
        let mut by_name = HashMap::new();
        let mut decoys = Vec::new();
        // Editors on Windows begin a file with a mark of its order of bytes.
        let text = text.as_ref();
        for (number, line) in (1..).zip(text.strip_prefix('\u{feff}').unwrap_or(text).lines()) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |problem| AccountsError::Line { file: None, line: number, problem };
            let (name, hash) = line.split_once(':').ok_or_else(|| wrong("no colon after the user"))?;
            check_name(name).map_err(wrong)?;
            let stored = Stored::parse(hash).map_err(wrong)?;
            decoys.push(stored.decoy().map_err(|_| AccountsError::Random)?);
            if by_name.insert(name.into(), stored).is_some() {
                return Err(wrong("a user that stands further up too"));
            }
        }
        if by_name.is_empty() {
            return Err(AccountsError::Empty { file: None });
        }
        Ok(Accounts { by_name, decoys, lot: RandomState::new() })
    }

    /// One account. The name has 1 to 128 bytes, no colon and no control character; [`Error::Setting`] says so of others.
    pub fn one(name: &str, password: &[u8]) -> Result<Self, Error> {
        Accounts::only(name, hash_password, password)
    }

    /// One account whose password is made up: `secret` has at least 128 random bits, and costs nothing to hash.
    pub fn one_secret(name: &str, secret: &[u8]) -> Result<Self, Error> {
        Accounts::only(name, hash_secret, secret)
    }

    fn only(
        name: &str,
        hash: impl Fn(&[u8]) -> Result<String, Error>,
        password: &[u8],
    ) -> Result<Self, Error> {
        let wrong = |problem: &str| Error::Setting { name: "users", problem: problem.into() };
        check_name(name).map_err(wrong)?;
        let stored = Stored::parse(&hash(password)?).map_err(wrong)?;
        let decoys = vec![stored.decoy().map_err(|_| Error::Random)?];
        Ok(Accounts { by_name: [(name.into(), stored)].into(), decoys, lot: RandomState::new() })
    }

    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none; there always are.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Names of `before` that are not here, or have another password here.
    pub(super) fn ended_since<'a>(&self, before: &'a Accounts) -> impl Iterator<Item = &'a Arc<str>> {
        before.by_name.keys().filter(move |name| !self.has_as_in(before, name))
    }

    /// Whether `name` is an account here and in `before`, with one password.
    pub(super) fn has_as_in(&self, before: &Accounts, name: &str) -> bool {
        let stored = (self.by_name.get(name), before.by_name.get(name));
        matches!(stored, (Some(now), Some(then)) if now.is(then))
    }

    /// The account called `name`, and what a password for it is to be compared with. For a name that is none, it costs
    /// the same and never matches.
    pub(super) fn find(&self, name: &str) -> (Option<Arc<str>>, &Stored) {
        if let Some((name, stored)) = self.by_name.get_key_value(name) {
            return (Some(name.clone()), stored);
        }
        let lot = self.lot.hash_one(name) as usize % self.decoys.len();
        (None, &self.decoys[lot])
    }
}

/// A regular file: it is read again with the options, and a pipe would be waited for, for ever, or be empty by then.
fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::open(path)
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("no user before the colon");
    }
    if name.len() > MAX_NAME {
        return Err("a user of more than 128 bytes");
    }
    if name.contains(':') {
        return Err("a user with a colon");
    }
    if name.chars().any(char::is_control) {
        return Err("a user with a control character");
    }
    Ok(())
}

impl AccountsError {
    fn in_file(mut self, path: &Path) -> Self {
        match &mut self {
            AccountsError::Line { file, .. } | AccountsError::Empty { file } => *file = Some(path.to_owned()),
            AccountsError::Read { .. } | AccountsError::Random => {}
        }
        self
    }
}

impl fmt::Display for AccountsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |file: &Option<PathBuf>| {
            file.as_ref().map_or_else(|| "credentials".to_owned(), |file| file.display().to_string())
        };
        match self {
            AccountsError::Read { file, source } => write!(f, "cannot read {}: {source}", file.display()),
            AccountsError::Line { file, line, problem } => write!(f, "{}:{line}: {problem}", shown(file)),
            AccountsError::Empty { file } => write!(
                f,
                "{}: nobody in it; a line is USER:HASH, and `selvedge hash-password` makes the hash",
                shown(file)
            ),
            AccountsError::Random => f.write_str("the system gave no random numbers"),
        }
    }
}

impl std::error::Error for AccountsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AccountsError::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}
