//! Certificates while the server runs: read again when their files change, and told of before they end.

use super::shared::Shared;
use crate::clock::Tick;
use crate::error::Error;
use crate::monitor::Alert;
use crate::net::{Stamp, Tls};
use crate::sync::Mutex;
use std::time::Duration;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long before a certificate's end its operator is told, each time once; but not for half of its life, or those of
/// short-lived ones that are renewed in time would be told of all the time.
const NOTICE: [Duration; 4] = [DAY.saturating_mul(21), DAY.saturating_mul(7), DAY, Duration::ZERO];

/// The certificates of all listeners.
pub(super) struct Certificates {
    /// Locked by who looks or reloads: one thread at a time, and no thread that serves.
    watched: Mutex<Vec<Watched>>,
}

struct Watched {
    tls: Tls,
    /// The files as they were when they could not be used.
    useless: Option<Stamp>,
    /// The last notice given of each certificate.
    given: Vec<Option<Duration>>,
    due: Tick,
}

/// Each TLS once, however many listeners speak it.
pub(super) fn distinct<'a>(all: impl Iterator<Item = &'a Tls>) -> Vec<Tls> {
    let mut distinct: Vec<Tls> = Vec::new();
    for tls in all {
        if !distinct.iter().any(|known| known.is(tls)) {
            distinct.push(tls.clone());
        }
    }
    distinct
}

impl Certificates {
    pub(super) fn new(all: Vec<Tls>) -> Self {
        let watch = |tls| Watched { tls, useless: None, given: Vec::new(), due: Tick::default() };
        Certificates { watched: Mutex::new(all.into_iter().map(watch).collect()) }
    }

    /// Reads the files that have changed, and warns of certificates that end soon; does nothing until it is time to.
    pub(super) fn look(&self, shared: &Shared, now: Tick) {
        for watched in self.watched.lock().iter_mut().filter(|watched| watched.due <= now) {
            watched.due = now.after(EVERY);
            let stamp = watched.tls.stamp();
            if stamp != watched.tls.stamp_in_use() && watched.useless.as_ref() != Some(&stamp) {
                // Told of already, and served with what there was.
                let _ = watched.reload(shared);
            }
            watched.give_notice(shared);
        }
    }

    /// Reads all files again. Of several errors the first is given back; each has been told of.
    pub(super) fn reload(&self, shared: &Shared) -> Result<(), Error> {
        let mut result = Ok(());
        for watched in self.watched.lock().iter_mut() {
            result = result.and(watched.reload(shared));
            watched.give_notice(shared);
        }
        result
    }
}

impl Watched {
    fn reload(&mut self, shared: &Shared) -> Result<(), Error> {
        let stamp = self.tls.stamp();
        let reloaded = self.tls.reload();
        match &reloaded {
            Ok(()) => {
                self.useless = None;
                self.given.clear();
                let identities = self.tls.identities();
                let files: Vec<_> = identities.iter().map(|one| one.file.display().to_string()).collect();
                log::info!("TLS: certificates read again: {}", files.join(", "));
            }
            Err(problem) => {
                self.useless = Some(stamp);
                let problem = format!("{problem}; the certificates of before stay in use");
                shared.alerts.raise(Alert::Certificate { at: shared.clock.date(), problem });
            }
        }
        reloaded
    }

    fn give_notice(&mut self, shared: &Shared) {
        let identities = self.tls.identities();
        let first_look = self.given.is_empty();
        self.given.resize(identities.len(), None);
        for (identity, given) in identities.iter().zip(&mut self.given) {
            if first_look {
                identity.warnings.iter().for_each(|warning| log::warn!("TLS: {warning}"));
            }
            let life = identity.not_after.duration_since(identity.not_before).unwrap_or_default();
            let due = |notice: &Duration| identity.left <= *notice && notice.saturating_mul(2) <= life;
            let notice = NOTICE.into_iter().filter(due).min();
            if notice.is_some() && *given != notice {
                *given = notice;
                let problem = format!(
                    "{}: the certificate {} {}; renew it",
                    identity.file.display(),
                    ends_in(identity.left),
                    crate::record::Utc(identity.not_after)
                );
                shared.alerts.raise(Alert::Certificate { at: shared.clock.date(), problem });
            }
        }
    }
}

fn ends_in(left: Duration) -> String {
    match left.as_secs() / DAY.as_secs() {
        _ if left.is_zero() => "has ended, at".into(),
        0 => "ends in less than a day, at".into(),
        1 => "ends in 1 day, at".into(),
        days => format!("ends in {days} days, at"),
    }
}
