//! The server as the options want it: made at the start, and given what has changed when they are read again.

use super::listeners::Listeners;
use super::log::Logs;
use super::options::Options;
use super::tls::Secured;
use super::{Failure, accounts, site, tls};
use crate::clock::Clock;
use crate::guard::auth::{Accounts, Login};
use crate::guard::session::Sessions;
use crate::guard::{Csrf, Guard};
use crate::monitor::{AlertCommand, Monitor};
use crate::server::{Builder, Server};
use crate::service::files::Bounds;
use crate::service::{Handler, HttpsOnly, OfHttps, article, with_accounts};
use crate::sync::{Arc, Mutex};
use http::header::STRICT_TRANSPORT_SECURITY;
use log::info;
use std::path::Path;

/// Where HTTPS is, if no address says so.
const HTTPS: u16 = 443;

/// A server that runs, and what it goes on with when its options change.
pub(super) struct Serving {
    pub(super) server: Server,
    kept: Kept,
    /// Who could log in at last, and with it who has tried. Locked to look at it, or to put others there.
    login: Mutex<Option<Arc<Login>>>,
}

/// What answers, and behind what.
struct Service {
    builder: Builder,
    handler: Box<dyn Handler>,
    /// Who may log in, where not everybody is let in.
    login: Option<Arc<Login>>,
}

/// What outlives a change of the options: what is known of clients, and what was made up at the start.
struct Kept {
    logs: Logs,
    monitor: Monitor,
    sessions: Sessions,
    /// What the answers of a directory take that are still being sent.
    bounds: Bounds,
    /// Who may log in where no file says so.
    demo: Option<Arc<Accounts>>,
    secured: Secured,
    /// The port of HTTPS.
    https: u16,
}

impl Serving {
    /// Listens and serves. With it come lines for the operator that are not to be kept: the password and the certificate
    /// that were made up.
    pub(super) fn start(
        options: &Options,
        listeners: Listeners,
        logs: &Logs,
        alert_command: Option<&AlertCommand>,
    ) -> Result<(Self, Vec<String>), Failure> {
        let secured = tls::load(options)?;
        tls::can_be_spoken(&secured, &listeners.main)?;
        let sessions = Sessions::new(Clock::system());
        let sessions = if options.insecure_cookies { sessions.with_insecure_cookies() } else { sessions };
        let made_up = options.path.is_none() && options.users.is_none();
        let (demo, line) = if made_up {
            accounts::demo().map(|(demo, line)| (Some(demo), Some(line)))?
        } else {
            (None, None)
        };
        let lines = [secured.line.clone(), line].into_iter().flatten().collect();
        let monitor = Monitor::new(Clock::system());
        let https = listeners.main.iter().find_map(|listener| Some(listener.address().tcp()?.port()));
        let https = https.unwrap_or(HTTPS);
        let (logs, bounds, demo) = (logs.clone(), Bounds::default(), demo.map(Arc::new));
        let kept = Kept { logs, monitor, sessions, bounds, demo, secured, https };

        let Service { builder, handler, login } = kept.service(options, None)?;
        let main = listeners.main.into_iter().map(|listener| tls::over(listener, kept.secured.tls.as_ref()));
        let mut builder = main.chain(listeners.redirect).fold(builder, Builder::listener);
        if let Some(command) = alert_command {
            builder = builder.alert_sink(command.clone());
        }
        let server = builder.monitor(kept.monitor.clone()).serve(handler)?;
        Ok((Serving { server, kept, login: Mutex::new(login) }, lines))
    }

    /// Puts new options in effect, as far as that can be done without a restart; all of them or, after an error, none.
    pub(super) fn renew(&self, options: &Options) -> Result<(), Failure> {
        // New limits may not go together with those that stay as they were.
        self.server.may_renew(&options.config)?;
        let settings = tls::settings(options)?;
        let before = self.login.lock().clone();
        let Service { builder, handler, login } = self.kept.service(options, before.as_deref())?;
        // The last that can fail.
        self.kept.secured.replace(&self.server, settings)?;
        self.server.renew(builder, handler)?;
        self.end_sessions(login);
        Ok(())
    }

    /// Logs out who could not log in again like that.
    fn end_sessions(&self, login: Option<Arc<Login>>) {
        let Some(login) = login else { return };
        // First of all: a login that has begun either is ended with the others, or finds out that it is too late.
        let ended = login.take_effect();
        *self.login.lock() = Some(login);
        for user in ended {
            let sessions = self.kept.sessions.log_out_everywhere(&user);
            if sessions > 0 {
                info!("'{user}' is gone or has another password: {sessions} of its sessions ended");
            }
        }
    }
}

impl Kept {
    /// What answers, and behind which limits and guards.
    fn service(&self, options: &Options, before: Option<&Login>) -> Result<Service, Failure> {
        let mut headers = options.security_headers();
        if self.secured.provisional {
            // A browser that was told to insist on HTTPS gives nobody the choice to trust the certificate all the same.
            headers = headers.without(&STRICT_TRANSPORT_SECURITY);
        }
        let mut builder = Server::builder().config(options.config.clone()).security_headers(headers);
        if let Some(log) = self.logs.access.clone() {
            builder = builder.access_log(log);
        }
        let Service { builder, handler, login } = match &options.path {
            Some(path) => self.directory(builder, options, path, before)?,
            None => self.application(builder, options, before)?,
        };
        // With plain HTTP somewhere that only points to HTTPS, if that is wanted.
        let handler = match options.redirect_http {
            Some(_) => Box::new(HttpsOnly::new(self.https, handler)),
            None => handler,
        };
        Ok(Service { builder, handler, login })
    }

    fn directory(
        &self,
        builder: Builder,
        options: &Options,
        path: &Path,
        before: Option<&Login>,
    ) -> Result<Service, Failure> {
        let users = options.users.as_deref().map(accounts::load).transpose()?;
        let login = users.map(|users| accounts::login(Arc::new(users), before));
        let (guard, files) = site::service(options, path, &self.bounds, login.clone())?;
        let builder = guard.into_iter().fold(builder, |builder, guard| guarded(builder, options, guard));
        Ok(Service { builder, handler: Box::new(files), login })
    }

    fn application(
        &self,
        builder: Builder,
        options: &Options,
        before: Option<&Login>,
    ) -> Result<Service, Failure> {
        let users = match (&options.users, &self.demo) {
            (Some(path), _) => Arc::new(accounts::load(path)?),
            (None, Some(demo)) => demo.clone(),
            (None, None) => return Err(Failure::start("no --users any more; restart for that")),
        };
        let login = accounts::login(users, before);
        let application = with_accounts(article::application(&self.monitor), login.clone(), &self.sessions);
        let builder = guarded(builder, options, self.sessions.clone());
        let builder = guarded(builder, options, Csrf::new(self.sessions.clone()));
        Ok(Service { builder, handler: Box::new(application), login: Some(login) })
    }
}

/// The guard, for all requests that the handler is for: where plain HTTP only points to HTTPS, nobody there is asked for a
/// password.
fn guarded(builder: Builder, options: &Options, guard: impl Guard) -> Builder {
    match options.redirect_http {
        Some(_) => builder.guard(OfHttps(guard)),
        None => builder.guard(guard),
    }
}
