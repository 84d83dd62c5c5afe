//! Who may try a password now: decided before anything is hashed.

use super::Digest;
use crate::clock::Tick;
use crate::message::ClientKey;
use crate::threads::{Entry, Table, TableFull};
use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

/// Entries of each table.
///
/// Only what is hashed stays in one, for fifteen minutes and a pause after the last wrong password. To fill one with those
/// that are slowed down takes five hashes each with clients and ten with names, 327,680 and 655,360, and then 36 and 68 a
/// second to keep it full: with two at a time of the usual cost, most of an hour at the least, in which the hasher has no time
/// for anybody else either. Where hashes are cheap it does come about. Then who is new is turned away where he could be
/// guessing uncounted, and never somebody whom an account knows; see [`Attempts`].
const CAPACITY: usize = 65_536;
/// Entries for which another shard is worth it, and how many shards there are at most.
const PER_SHARD: usize = 256;
const MAX_SHARDS: usize = 16;

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
///
/// **Nobody is forgotten in a crowd.** What is not hashed leaves nothing behind, and clients and accounts that have used up
/// what is free make room for nobody before their time. Where so many of them are remembered that there is no room for
/// one more, a client without a place counts by account alone, and, for an account that knows it, with what is kept of their
/// acquaintance. An account without a place is closed to strangers, a second at a time, until there is room: that is the
/// price of not letting them guess uncounted, and those it knows do not pay it.
#[derive(Debug)]
pub struct Attempts {
    clients: Table<ClientKey, Wrong>,
    accounts: Table<Digest, Wrong>,
    familiar: Table<(Digest, ClientKey), Familiar>,
}

#[derive(Debug)]
struct Rule {
    free: u32,
    longest: Duration,
}

/// Wrong passwords, those included that are being hashed.
#[derive(Debug)]
struct Wrong {
    count: u32,
    paused_until: Tick,
    rule: &'static Rule,
}

#[derive(Debug)]
struct Familiar {
    until: Tick,
    /// What came while there was no room for the client.
    wrong: Wrong,
}

/// An attempt that was let through: it counts as wrong unless it is said to have been right.
#[derive(Debug)]
#[must_use = "an attempt counts as a wrong password until it is said how it went"]
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    account: Digest,
    client: ClientKey,
    familiar: bool,
    counted: Counted,
}

/// Where an attempt was counted.
#[derive(Debug, Default)]
struct Counted {
    client: bool,
    acquaintance: bool,
    account: bool,
}

impl Attempts {
    /// Nobody has tried anything.
    pub fn new() -> Self {
        Attempts::with_capacity(CAPACITY)
    }

    /// The same with room for so many clients, so many accounts, and so many pairs that know each other; at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        let shards = (capacity / PER_SHARD).min(MAX_SHARDS);
        Attempts {
            clients: Table::new(capacity, shards),
            accounts: Table::new(capacity, shards),
            familiar: Table::new(capacity, shards),
        }
    }

    /// Lets an attempt join those that wait to be hashed, or says how long to pause.
    ///
    /// It is counted by client at once, as if the password were wrong, so that a thousand attempts at the same moment are
    /// not all let through because none of them has failed yet.
    pub(super) fn admit(
        &self,
        account: Digest,
        client: ClientKey,
        now: Tick,
    ) -> Result<Attempt<'_>, Duration> {
        let (pair, nobody_in_particular) = ((account, client), client == ClientKey::LOCAL);
        let familiar = !nobody_in_particular && self.familiar.get(&pair, now, |_| ()).is_some();
        let counted = Counted::default();
        let mut attempt = Attempt { attempts: self, account, client, familiar, counted };
        if !nobody_in_particular {
            if let Ok(admitted) = count(&self.clients, client, &CLIENT, now) {
                admitted?;
                attempt.counted.client = true;
            } else if familiar {
                let admitted = self.familiar.get(&pair, now, |it| it.wrong.count_one(now));
                admitted.unwrap_or(Err(FIRST_PAUSE))?;
                attempt.counted.acquaintance = true;
            }
        }
        let pause = self.accounts.get(&account, now, |wrong| wrong.pause(now)).unwrap_or(Ok(()));
        if let (false, Err(pause)) = (familiar, pause) {
            // What was not tried is not held against the client.
            attempt.withdraw(now);
            return Err(pause);
        }
        Ok(attempt)
    }

    /// Makes everybody a stranger to these accounts: whoever knew their passwords may have been somebody else.
    pub(super) fn forget_acquaintances(&self, accounts: &HashSet<Digest>, now: Tick) {
        let mut pairs = Vec::new();
        self.familiar.visit(|pair, _| {
            if accounts.contains(&pair.0) {
                pairs.push(*pair);
            }
        });
        for pair in pairs {
            self.familiar.remove(&pair, now);
        }
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Attempts::new()
    }
}

impl Attempt<'_> {
    /// It is about to be hashed. Only now is it counted by account, so that a flood of names that nobody hashes leaves no
    /// trace; an account that has to pause since it was admitted turns it away.
    pub(super) fn begin(mut self, now: Tick) -> Result<Self, Duration> {
        if self.familiar {
            return Ok(self);
        }
        let admitted = count(&self.attempts.accounts, self.account, &ACCOUNT, now);
        if let Err(pause) = admitted.unwrap_or(Err(FIRST_PAUSE)) {
            self.withdraw(now);
            return Err(pause);
        }
        self.counted.account = true;
        Ok(self)
    }

    /// The password was right.
    pub(super) fn succeeded(self, now: Tick) {
        if self.client != ClientKey::LOCAL {
            let until = now.after(FAMILIARITY);
            // A full table forgets the one it knew longest; it does not refuse.
            let _ = self.attempts.familiar.upsert(
                (self.account, self.client),
                now,
                || Familiar { until, wrong: Wrong::none(&CLIENT, now) },
                |it| it.until = until,
            );
        }
        self.withdraw(now);
    }

    /// Nothing was tried after all.
    pub(super) fn withdraw(self, now: Tick) {
        let Attempt { attempts, account, client, counted, .. } = self;
        if counted.client {
            attempts.clients.get(&client, now, |wrong| wrong.forgive_one(now));
        }
        if counted.acquaintance {
            attempts.familiar.get(&(account, client), now, |it| it.wrong.forgive_one(now));
        }
        if counted.account {
            attempts.accounts.get(&account, now, |wrong| wrong.forgive_one(now));
        }
    }
}

/// Counts an attempt, or says how long to pause, if there is room to know either.
fn count<K: Eq + Hash + Copy>(
    table: &Table<K, Wrong>,
    key: K,
    rule: &'static Rule,
    now: Tick,
) -> Result<Result<(), Duration>, TableFull> {
    table.upsert(key, now, || Wrong::none(rule, now), |wrong| wrong.count_one(now))
}

impl Wrong {
    fn none(rule: &'static Rule, now: Tick) -> Self {
        Wrong { count: 0, paused_until: now, rule }
    }

    fn pause(&self, now: Tick) -> Result<(), Duration> {
        if self.paused_until > now { Err(self.paused_until.since(now)) } else { Ok(()) }
    }

    fn count_one(&mut self, now: Tick) -> Result<(), Duration> {
        self.pause(now)?;
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
        // With nothing left to remember its place is free at once.
        if self.count == 0 { Tick::default() } else { self.paused_until.after(MEMORY) }
    }

    fn is_protected(&self, _now: Tick) -> bool {
        self.count >= self.rule.free
    }
}

impl Entry for Familiar {
    fn expires(&self) -> Tick {
        self.until
    }
}
