//! Sessions in requests and responses.

use super::cookie::{CookieStyle, Presented, find_cookie};
use super::{MemoryStore, Record, SessionLimits, SessionStore, StoreError};
use crate::clock::{Clock, Tick};
use crate::error::Error;
use crate::guard::auth::{Digest, Secret};
use crate::guard::{Census, Exchange, Guard};
use crate::message::{Request, Response};
use crate::sync::Arc;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, COOKIE, HeaderName, SET_COOKIE};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// The sessions of an application: a guard that carries them between cookies and requests, and the handle by which
/// handlers reach them. Its clones are the same sessions.
///
/// Nothing is looked up until a handler asks: a request costs nothing that brings no cookie, and next to nothing that
/// brings one nobody asks for. Only what is asked for keeps a session from becoming idle.
///
/// ```
/// use selvedge::clock::Clock;
/// use selvedge::{Request, Router, Server, Sessions};
///
/// let sessions = Sessions::new(Clock::system());
/// let counted = sessions.clone();
/// let router = Router::new().get("/", move |request: &mut Request| {
///     let visits: u32 = counted.get(request).unwrap_or(0) + 1;
///     match counted.set(request, &visits) {
///         Ok(()) => format!("visit {visits}\n"),
///         Err(problem) => format!("{problem}\n"),
///     }
/// });
/// let builder = Server::builder().guard(sessions);
/// # let _ = (builder, router);
/// ```
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    store: Arc<dyn SessionStore>,
    clock: Clock,
    limits: SessionLimits,
    cookie: CookieStyle,
}

/// Why a session was not made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// What the store said.
    Store(StoreError),
    /// The system gave no random numbers.
    Random,
    /// More than 4 KiB of data, or nothing that can be JSON.
    Data,
}

/// What is known of the session of a request: attached to it by the guard, and changed by what handlers do.
#[derive(Clone)]
struct Carried {
    state: State,
    /// What the response has to tell the browser.
    news: News,
}

#[derive(Clone)]
enum State {
    /// The browser showed an id, and nobody has looked yet whether it is one.
    Presented(Secret),
    Live(Secret, Record),
    None,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    /// The id is new.
    Set,
    /// The session is over.
    Ended,
}

impl Sessions {
    /// Sessions in memory, with the usual limits.
    pub fn new(clock: Clock) -> Self {
        let limits = SessionLimits::default();
        Sessions::with_store(MemoryStore::new(limits), limits, clock)
    }

    /// Sessions somewhere else, or with other limits.
    pub fn with_store(store: impl SessionStore, limits: SessionLimits, clock: Clock) -> Self {
        Sessions(Arc::new(Inner { store: Arc::new(store), clock, limits, cookie: CookieStyle::STRICT }))
    }

    /// The same with a cookie that browsers accept over plain HTTP, and that everybody on the way can read. See the
    /// [module](super) for when that is right. To be called before the handle is shared.
    #[must_use]
    pub fn with_insecure_cookies(self) -> Self {
        let Inner { store, clock, limits, .. } = &*self.0;
        let cookie = CookieStyle::INSECURE;
        Sessions(Arc::new(Inner { store: store.clone(), clock: clock.clone(), limits: *limits, cookie }))
    }

    /// What the cookie is called.
    pub fn cookie_name(&self) -> &'static str {
        self.0.cookie.name
    }

    /// Who is logged in, if anybody is.
    pub fn user(&self, request: &mut Request) -> Option<Arc<str>> {
        self.live(request).and_then(|(_, record)| record.user.clone())
    }

    /// Whether the request belongs to a session, logged in or not.
    pub fn is_live(&self, request: &mut Request) -> bool {
        self.live(request).is_some()
    }

    /// Logs `user` in: under a new id, and the old one is dead. The data of an anonymous session goes along; another
    /// user's does not.
    pub fn log_in(&self, request: &mut Request, user: &str) -> Result<(), SessionError> {
        let data = match self.live(request) {
            Some((_, record)) if record.user.as_deref().is_none_or(|before| before == user) => {
                record.data.clone()
            }
            _ => Arc::default(),
        };
        let now = self.0.clock.now();
        self.renew_as(
            request,
            Record { user: Some(user.into()), data, ends: now.after(self.0.limits.absolute) },
        )
    }

    /// Gives the session another id because what its user may do has changed. The eight hours go on.
    pub fn renew(&self, request: &mut Request) -> Result<(), SessionError> {
        let (_, record) = self.live(request).ok_or(SessionError::Store(StoreError::Gone))?;
        let record = record.clone();
        self.renew_as(request, record)
    }

    /// Ends the session, first of all, and has the browser told.
    pub fn log_out(&self, request: &mut Request) {
        if let State::Presented(id) | State::Live(id, _) = state(request) {
            self.0.store.remove(&id.digest(), self.0.clock.now());
        }
        carry(request, State::None, News::Ended);
    }

    /// Ends every session of `user`, as after a change of password; says how many there were.
    pub fn log_out_everywhere(&self, user: &str) -> usize {
        self.0.store.remove_user(user, self.0.clock.now())
    }

    /// What the application keeps in the session; nothing if that is no `T`.
    pub fn get<T: DeserializeOwned>(&self, request: &mut Request) -> Option<T> {
        let (_, record) = self.live(request)?;
        serde_json::from_slice(&record.data).ok()
    }

    /// Keeps `value` in the session, in the place of what was there: from now on [`get`](Sessions::get) finds it, for this
    /// request too. An anonymous session is made if there is none. Of two requests that do it at once, the later one counts.
    pub fn set<T: Serialize>(&self, request: &mut Request, value: &T) -> Result<(), SessionError> {
        let data = serde_json::to_vec(value).ok().filter(|data| data.len() <= SessionLimits::MAX_DATA);
        let data: Arc<[u8]> = data.ok_or(SessionError::Data)?.into();
        let now = self.0.clock.now();
        match self.live(request) {
            Some((id, record)) => {
                if !self.0.store.save(&id.digest(), data.clone(), now) {
                    return Err(SessionError::Store(StoreError::Gone));
                }
                let (id, record) = (id.clone(), Record { data, ..record.clone() });
                let news = news(request);
                carry(request, State::Live(id, record), news);
                Ok(())
            }
            None => {
                self.renew_as(request, Record { user: None, data, ends: now.after(self.0.limits.absolute) })
            }
        }
    }

    /// The token that forms of this session have to bring along, if there is a session: it changes with the id.
    pub fn csrf_token(&self, request: &mut Request) -> Option<String> {
        self.live(request).map(|(id, _)| csrf_digest(id).to_base64url())
    }

    /// Whether `presented` is the token of the request's session.
    pub(in crate::guard) fn is_csrf_token(&self, request: &mut Request, presented: &[u8]) -> bool {
        let Some((id, _)) = self.live(request) else { return false };
        Digest::of(csrf_digest(id).to_base64url().as_bytes()).matches(presented)
    }

    /// Makes the session what `record` says, under a new id: the successor of the one at hand, or the first.
    fn renew_as(&self, request: &mut Request, record: Record) -> Result<(), SessionError> {
        let Inner { store, clock, .. } = &*self.0;
        let new = Secret::generate().map_err(|_: Error| SessionError::Random)?;
        let now = clock.now();
        let kept = match self.live(request) {
            Some((old, _)) => store.renew(&old.digest(), new.digest(), record.clone(), now),
            None => store.insert(new.digest(), record.clone(), now),
        };
        match kept {
            Ok(()) => {
                carry(request, State::Live(new, record), News::Set);
                Ok(())
            }
            Err(problem) => {
                // Whatever happened, the old id is good for nothing any more.
                carry(request, State::None, News::None);
                Err(SessionError::Store(problem))
            }
        }
    }

    /// The session of the request, looked up when first asked for.
    fn live<'r>(&self, request: &'r mut Request) -> Option<(&'r Secret, &'r Record)> {
        // A request without a cookie gets no extensions for being asked.
        request.extensions()?.get::<Carried>()?;
        let carried = request.extensions_mut().get_mut::<Carried>()?;
        if let State::Presented(id) = &carried.state {
            carried.state = match self.0.store.load(&id.digest(), self.0.clock.now()) {
                Some(record) => State::Live(id.clone(), record),
                None => State::None,
            };
        }
        match &carried.state {
            State::Live(id, record) => Some((id, record)),
            _ => None,
        }
    }
}

fn csrf_digest(id: &Secret) -> Digest {
    Digest::derived("selvedge csrf token", id.as_str().as_bytes())
}

/// Who is logged in, as far as anybody has looked.
pub(crate) fn user(request: &Request) -> Option<&str> {
    match state(request) {
        State::Live(_, record) => record.user.as_deref(),
        State::Presented(_) | State::None => None,
    }
}

fn state(request: &Request) -> &State {
    let carried = request.extensions().and_then(|all| all.get::<Carried>());
    carried.map_or(&State::None, |carried| &carried.state)
}

fn news(request: &Request) -> News {
    let carried = request.extensions().and_then(|all| all.get::<Carried>());
    carried.map_or(News::None, |carried| carried.news)
}

fn carry(request: &mut Request, state: State, news: News) {
    request.extensions_mut().insert(Carried { state, news });
}

impl Guard for Sessions {
    fn sweep(&self, now: Tick) {
        self.0.store.sweep(now);
    }

    fn report(&self, _: Tick, census: &mut Census) {
        if let Some(count) = self.0.store.count() {
            census.sessions = Some(census.sessions.unwrap_or(0) + count);
        }
    }

    fn admit(&self, exchange: &mut Exchange) -> Result<(), crate::error::Refusal> {
        let request = exchange.request();
        let found = find_cookie(request.header_values(COOKIE.as_str()), self.0.cookie.name);
        let id = match found {
            Presented::One(value) => Secret::from_text(value),
            Presented::Absent => None,
            Presented::Ambiguous => {
                log::debug!("request {}: several session cookies, so none", request.id());
                None
            }
        };
        if let Some(id) = id {
            carry(exchange.request_mut(), State::Presented(id), News::None);
        }
        Ok(())
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        let cookie = match (news(exchange.request()), state(exchange.request())) {
            (News::Set, State::Live(id, _)) => self.0.cookie.set(id.as_str()),
            (News::Ended, _) => {
                let all = HeaderValue::from_static("\"cookies\", \"storage\"");
                response.headers_mut().insert(CLEAR_SITE_DATA, all);
                self.0.cookie.delete()
            }
            _ => return,
        };
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, cookie);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("cookie", &self.0.cookie.name)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::Store(problem) => fmt::Display::fmt(problem, f),
            SessionError::Random => f.write_str("the system gave no random numbers"),
            SessionError::Data => f.write_str("more data than a session keeps, or none that is JSON"),
        }
    }
}

impl std::error::Error for SessionError {}
