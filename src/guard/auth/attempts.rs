//! Who may try a password now: decided before anything is hashed.

use super::Digest;
use crate::clock::Tick;
use crate::message::ClientKey;
use crate::threads::{Entry, Table};
use std::time::Duration;

/// Entries of each table. To fill one with clients or names that are being slowed down takes several hashes an entry, and
/// those forgotten meanwhile make room: at the pace at which passwords are hashed it never comes about.
const CAPACITY: usize = 65_536;
const SHARDS: usize = 16;

/// Wrong passwords of one client before it has to pause, and its longest pause.
const CLIENT: Rule = Rule { free: 5, longest: Duration::from_secs(15 * 60) };
/// Wrong passwords for one account, from clients that it does not know, before these have to pause, and their longest
/// pause.
const ACCOUNT: Rule = Rule { free: 10, longest: Duration::from_secs(60) };
/// The first pause. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long after the last pause wrong passwords are remembered.
const MEMORY: Duration = Duration::from_secs(15 * 60);
/// How long an account knows a client from which its owner has logged in.
const FAMILIARITY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Wrong passwords, counted by client and by account.
///
/// After five wrong ones a client has to pause, a second at first and twice as long each time, up to fifteen minutes.
/// After ten for one account, whoever sent them, its strangers have to, up to one minute. What comes during a pause is
/// refused unhashed, with the time that is left, and does not prolong it. Fifteen quiet minutes, and all is forgotten. An
/// account that does not exist is counted like one that does.
///
/// **Nobody is locked out for ever.** A throttle by account alone is a weapon: whoever sends wrong passwords for somebody
/// keeps that person out. So an account knows the clients from which its owner has logged in during the last thirty days,
/// and these do not share the pauses of its strangers; and for strangers the pause ends at a minute. An attacker who has
/// many addresses can make the owner of an account, on a machine he has never used, wait until the attack is over and at
/// most a minute longer; we think that better than to let the attack go on at full speed. The price is what one client can
/// do to others behind the same address: they share its pauses, fifteen minutes at most.
///
/// A right password forgives its own attempt and no other: else an attacker would wipe the slate with an account of his
/// own. Everybody on a Unix socket is one client, so there only accounts are counted: a gateway in front has to tell the
/// clients apart.
#[derive(Debug)]
pub struct Attempts {
    clients: Table<ClientKey, Wrong>,
    accounts: Table<Digest, Wrong>,
    familiar: Table<(Digest, ClientKey), Familiar>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    free: u32,
    longest: Duration,
}

/// Wrong passwords, those included that are being hashed.
#[derive(Debug)]
struct Wrong {
    count: u32,
    paused_until: Tick,
    rule: Rule,
}

#[derive(Debug)]
struct Familiar {
    until: Tick,
}

/// An attempt that was let through: it counts as wrong unless it is said to have been right.
#[derive(Debug)]
#[must_use = "an attempt counts as a wrong password until it is said how it went"]
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    account: Digest,
    client: ClientKey,
    familiar: bool,
}

impl Attempts {
    /// Nobody has tried anything.
    pub fn new() -> Self {
        Attempts {
            clients: Table::new(CAPACITY, SHARDS),
            accounts: Table::new(CAPACITY, SHARDS),
            familiar: Table::new(CAPACITY, SHARDS),
        }
    }

    /// Lets an attempt through, or says how long to pause.
    ///
    /// It is counted at once, as if the password were wrong, so that a thousand attempts at the same moment are not all
    /// let through because none of them has failed yet.
    pub(super) fn admit(
        &self,
        account: Digest,
        client: ClientKey,
        now: Tick,
    ) -> Result<Attempt<'_>, Duration> {
        let nobody_in_particular = client == ClientKey::LOCAL;
        if !nobody_in_particular {
            count(&self.clients, client, CLIENT, now)?;
        }
        let familiar = !nobody_in_particular && self.familiar.get(&(account, client), now, |_| ()).is_some();
        let attempt = Attempt { attempts: self, account, client, familiar };
        if !familiar && let Err(pause) = count(&self.accounts, account, ACCOUNT, now) {
            // What was not tried is not held against the client.
            forgive(&self.clients, &client, now);
            return Err(pause);
        }
        Ok(attempt)
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Attempts::new()
    }
}

impl Attempt<'_> {
    /// The password was right.
    pub(super) fn succeeded(self, now: Tick) {
        let Attempts { familiar, .. } = self.attempts;
        if self.client != ClientKey::LOCAL {
            let until = now.after(FAMILIARITY);
            // A full table forgets the one it knew longest; it does not refuse.
            let _ = familiar.upsert(
                (self.account, self.client),
                now,
                || Familiar { until },
                |it| it.until = until,
            );
        }
        self.withdraw(now);
    }

    /// Nothing was tried after all.
    pub(super) fn withdraw(self, now: Tick) {
        forgive(&self.attempts.clients, &self.client, now);
        if !self.familiar {
            forgive(&self.attempts.accounts, &self.account, now);
        }
    }
}

fn count<K: Eq + std::hash::Hash + Copy>(
    table: &Table<K, Wrong>,
    key: K,
    rule: Rule,
    now: Tick,
) -> Result<(), Duration> {
    let fresh = || Wrong { count: 0, paused_until: now, rule };
    table.upsert(key, now, fresh, |wrong| wrong.count_one(now)).unwrap_or(Err(FIRST_PAUSE))
}

fn forgive<K: Eq + std::hash::Hash + Copy>(table: &Table<K, Wrong>, key: &K, now: Tick) {
    table.get(key, now, |wrong| wrong.forgive_one(now));
}

impl Wrong {
    fn count_one(&mut self, now: Tick) -> Result<(), Duration> {
        if self.paused_until > now {
            return Err(self.paused_until.since(now));
        }
        self.count = self.count.saturating_add(1);
        let Some(doublings) = self.count.checked_sub(self.rule.free) else {
            self.paused_until = now;
            return Ok(());
        };
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings.min(30)).min(self.rule.longest);
        self.paused_until = now.after(pause);
        Ok(())
    }

    fn forgive_one(&mut self, now: Tick) {
        self.count = self.count.saturating_sub(1);
        self.paused_until = now;
    }
}

impl Entry for Wrong {
    fn expires(&self) -> Tick {
        self.paused_until.after(MEMORY)
    }

    fn is_protected(&self, now: Tick) -> bool {
        self.paused_until > now
    }
}

impl Entry for Familiar {
    fn expires(&self) -> Tick {
        self.until
    }
}
