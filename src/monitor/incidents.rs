//! What befell connections lately, and whose they were.

use crate::message::ClientKey;
use crate::sync::Mutex;

/// Clients told apart between two looks; what befalls others is counted without their names.
const PLACES: usize = 16;

/// Connections refused, cut off or taken their seat, by client, since somebody last looked. Of bounded size: a thousand
/// clients refused in one second are sixteen names and a number.
#[derive(Debug, Default)]
pub(crate) struct Incidents(Mutex<Vec<Incident>>);

/// The same thing, befallen the same client some number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// What it was, in a few words.
    pub what: &'static str,
    /// Whom it befell; `None` for clients that are not told apart.
    pub client: Option<ClientKey>,
    /// How often.
    pub count: u64,
}

impl Incidents {
    /// Notes one. Not on the way of a request: it takes a lock for as long as it takes to look through a few places.
    pub(crate) fn note(&self, what: &'static str, client: ClientKey) {
        let mut incidents = self.0.lock();
        let known = |incident: &&mut Incident| incident.what == what && incident.client == Some(client);
        if let Some(incident) = incidents.iter_mut().find(known) {
            incident.count += 1;
        } else if incidents.len() < PLACES {
            incidents.push(Incident { what, client: Some(client), count: 1 });
        } else if let Some(others) = incidents.iter_mut().find(|it| it.what == what && it.client.is_none()) {
            others.count += 1;
        } else if incidents.len() < 2 * PLACES {
            incidents.push(Incident { what, client: None, count: 1 });
        }
    }

    /// What there was, and forgets it.
    pub(crate) fn take(&self) -> Vec<Incident> {
        std::mem::take(&mut *self.0.lock())
    }
}
