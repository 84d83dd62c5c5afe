//! Who may connect to a Unix socket: the mode and the owner of its file.

use std::fmt;

/// A user, a group, or both: names or numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Owner {
    user: Option<String>,
    group: Option<String>,
}

impl Owner {
    /// Reads `USER`, `USER:GROUP` or `:GROUP`.
    pub(super) fn read(given: &str) -> Result<Self, String> {
        let (user, group) = match given.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (given, None),
        };
        if group.map_or(user, |group| group).is_empty() {
            return Err(format!("'{given}' names nobody; write USER, USER:GROUP or :GROUP"));
        }
        let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Ok(Owner { user: name(user), group: group.and_then(name) })
    }

    /// The numbers of both, if they are there. Names are looked up now, which needs files a sandbox does not permit.
    pub(in crate::cli) fn find(&self) -> Result<(Option<u32>, Option<u32>), String> {
        let user = self.user.as_deref().map(|user| {
            let known = || uzers::get_user_by_name(user).map(|user| user.uid());
            number(user).or_else(known).ok_or_else(|| format!("there is no user '{user}'"))
        });
        let group = self.group.as_deref().map(|group| {
            let known = || uzers::get_group_by_name(group).map(|group| group.gid());
            number(group).or_else(known).ok_or_else(|| format!("there is no group '{group}'"))
        });
        Ok((user.transpose()?, group.transpose()?))
    }
}

/// The highest number would be taken for none.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number != u32::MAX)
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.user.as_deref().unwrap_or_default())?;
        self.group.as_ref().map_or(Ok(()), |group| write!(f, ":{group}"))
    }
}

/// Reads a mode in octal digits.
pub(super) fn read_mode(text: &str) -> Result<u32, String> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| digits && *mode <= 0o777);
    mode.ok_or_else(|| format!("'{text}' is no mode; write 0600, 0660 or 0666"))
}
