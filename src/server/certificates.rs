//! Certificates while the server runs: read again when their files change, and told of before they end.

use super::shared::Shared;
use crate::clock::Tick;
use crate::error::Error;
use crate::monitor::Alert;
#[cfg(feature = "cli")]
use crate::net::TlsSettings;
use crate::net::{Stamp, Tls, Validity};
use crate::sync::{Arc, Builder, Mutex, sleep};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(60);
/// How often the thread asks whether it is time to, and whether the server ends.
const PAUSE: Duration = Duration::from_millis(250);
/// Address space for the thread's stack.
const STACK: usize = 256 << 10;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long before a certificate's end its operator is told, each time once; but not for half of its life, or those of
/// short-lived ones that are renewed in time would be told of all the time.
const NOTICE: [Duration; 4] = [DAY.saturating_mul(21), DAY.saturating_mul(7), DAY, Duration::ZERO];

/// The certificates of all listeners.
pub(super) struct Certificates {
    /// Locked by who looks, reloads or replaces: one thread at a time, and no thread that serves.
    watched: Mutex<Vec<Watched>>,
}

struct Watched {
    tls: Tls,
    /// The files as they were when they could not be used.
    useless: Option<Stamp>,
    /// What has been told of the certificates in use.
    told: Vec<Told>,
    due: Tick,
}

/// What has been told of a certificate, which is known by its file and its end.
struct Told {
    file: PathBuf,
    not_after: SystemTime,
    warnings: Vec<String>,
    notice: Option<Duration>,
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
        let watch = |tls| Watched { tls, useless: None, told: Vec::new(), due: Tick::default() };
        Certificates { watched: Mutex::new(all.into_iter().map(watch).collect()) }
    }

    /// Looks once, and starts the thread that looks from then on, if there is anything to look at. It ends within a moment when
    /// the server shuts down.
    pub(super) fn watch(shared: &Arc<Shared>) -> io::Result<()> {
        if shared.certificates.watched.lock().is_empty() {
            return Ok(());
        }
        let shared = shared.clone();
        let name = shared.thread_name("certificates");
        shared.certificates.look(&shared, shared.clock.now());
        let watch = move || {
            while !shared.standing.is_draining() {
                sleep(PAUSE);
                shared.certificates.look(&shared, shared.clock.now());
            }
        };
        Builder::new().name(name).stack_size(STACK).spawn(watch).map(drop)
    }

    /// Reads the files that have changed, and warns of certificates that end soon; does nothing until it is time to.
    fn look(&self, shared: &Shared, now: Tick) {
        for watched in self.watched.lock().iter_mut().filter(|watched| watched.due <= now) {
            watched.due = now.after(EVERY);
            let stamp = watched.tls.stamp();
            if stamp != watched.tls.stamp_in_use() && watched.useless.as_ref() != Some(&stamp) {
                // Told of already, and served with what there was.
                let _ = watched.change(shared, Tls::reload);
            }
            watched.give_notice(shared);
        }
    }

    /// Reads all files again. Of several errors the first is given back; each has been told of.
    pub(super) fn reload(&self, shared: &Shared) -> Result<(), Error> {
        let mut result = Ok(());
        for watched in self.watched.lock().iter_mut() {
            result = result.and(watched.change(shared, Tls::reload));
            watched.give_notice(shared);
        }
        result
    }

    /// Gives `tls` other settings. An error is told of like that of a file that has changed.
    #[cfg(feature = "cli")]
    pub(super) fn replace(&self, shared: &Shared, tls: &Tls, settings: TlsSettings) -> Result<(), Error> {
        let mut all = self.watched.lock();
        let Some(watched) = all.iter_mut().find(|watched| watched.tls.is(tls)) else {
            return tls.replace(settings);
        };
        let replaced = watched.change(shared, |tls| tls.replace(settings));
        watched.give_notice(shared);
        replaced
    }
}

impl Watched {
    /// Has `read` read files again, and tells what came of it.
    fn change(&mut self, shared: &Shared, read: impl FnOnce(&Tls) -> Result<(), Error>) -> Result<(), Error> {
        let stamp = self.tls.stamp();
        let changed = read(&self.tls);
        match &changed {
            Ok(()) => {
                self.useless = None;
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
        changed
    }

    /// Tells what is to be told of the certificates in use, however they have come to be that, each thing once.
    fn give_notice(&mut self, shared: &Shared) {
        let before = std::mem::take(&mut self.told);
        for identity in self.tls.identities() {
            let same = |told: &&Told| told.file == identity.file && told.not_after == identity.not_after;
            let told = before.iter().find(same);
            let is_new = |warning: &&String| told.is_none_or(|told| !told.warnings.contains(warning));
            identity.warnings.iter().filter(is_new).for_each(|warning| log::warn!("TLS: {warning}"));
            let given = told.and_then(|told| told.notice);
            let life = identity.not_after.duration_since(identity.not_before).unwrap_or_default();
            let due = |notice: &Duration| identity.left <= *notice && notice.saturating_mul(2) <= life;
            let notice = NOTICE.into_iter().filter(due).min();
            if notice.is_some() && given != notice {
                let problem = format!(
                    "{}: the certificate {} {}; renew it",
                    identity.file.display(),
                    ends_in(identity.left),
                    crate::record::Utc(identity.not_after)
                );
                shared.alerts.raise(Alert::Certificate { at: shared.clock.date(), problem });
            }
            let Validity { file, not_after, warnings, .. } = identity;
            self.told.push(Told { file, not_after, warnings, notice });
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
