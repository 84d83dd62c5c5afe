//! Login, logout, and who am I: handlers over [`Login`] and [`Sessions`].

use super::{Handler, Plan, Router};
use crate::guard::auth::{Login, LoginError};
use crate::guard::session::{SessionError, Sessions};
use crate::message::{Request, Response};
use crate::sync::Arc;
use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use log::Level;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::json;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Bytes of a login's body.
const MAX_LOGIN: u64 = 4096;
/// How long a client is asked to stay away when there is no room for a session.
const NO_SESSION_PAUSE: Duration = Duration::from_secs(30);
/// What 401 has to say (RFC 9110 §15.5.2): that it is a cookie that is missing. No browser asks for a password on it.
const CHALLENGE: &str = "Cookie realm=\"selvedge\", form-action=\"/login\"";

/// Adds `POST /login`, `POST /logout` and `GET /me` to a router.
///
/// A login is a form (`application/x-www-form-urlencoded`) or a JSON object with one `username` and one `password`, 4 KiB at
/// most.
/// The answers are JSON: `{"status":"success","user":…,"csrf_token":…}`, and the same from `/me` while the session
/// lives. The server needs `sessions` and a [`Csrf`](crate::Csrf) among its guards.
pub fn with_accounts(router: Router, login: Arc<Login>, sessions: &Sessions) -> Router {
    let (leave, me) = (sessions.clone(), sessions.clone());
    router
        .post("/login", LogIn { login, sessions: sessions.clone() })
        .post("/logout", move |request: &mut Request| {
            leave.log_out(request);
            Response::json(&json!({ "status": "success", "message": "logged out" }))
        })
        .get("/me", move |request: &mut Request| match me.user(request) {
            Some(user) => who(&me, request, &user),
            None => unauthorized(),
        })
}

struct LogIn {
    login: Arc<Login>,
    sessions: Sessions,
}

impl Handler for LogIn {
    fn handle(&self, request: &mut Request) -> Response {
        let (name, password) = match credentials(request) {
            Ok(credentials) => credentials,
            Err(status) => return Response::problem(status),
        };
        let user = match self.login.check(&name, password.as_bytes(), request.client()) {
            Ok(user) => user,
            Err(error) => {
                // The name is left out: people type their password into the wrong field.
                let level = if error == LoginError::Wrong { Level::Info } else { Level::Debug };
                log::log!(level, "request {}: no login for {}: {error}", request.id(), request.client());
                return refused(error);
            }
        };
        match self.sessions.log_in(request, &user) {
            // Its password was revoked meanwhile, and this session came too late to be ended with the others, or may have.
            Ok(()) if !self.login.is_still(&user) => {
                log::info!("request {}: no session for '{user}', whose password was revoked", request.id());
                self.sessions.log_out(request);
                unauthorized()
            }
            Ok(()) => {
                log::info!("request {}: '{user}' logged in from {}", request.id(), request.client());
                who(&self.sessions, request, &user)
            }
            Err(error) => {
                log::warn!("request {}: no session for '{user}': {error}", request.id());
                no_session(error)
            }
        }
    }

    fn plan(&self, _: &Request) -> Plan {
        Plan { max_body: Some(MAX_LOGIN), ..Plan::default() }
    }
}

fn who(sessions: &Sessions, request: &mut Request, user: &str) -> Response {
    let token = sessions.csrf_token(request);
    Response::json(&json!({ "status": "success", "user": user, "csrf_token": token }))
        .with_header("cache-control", "no-store")
}

fn refused(error: LoginError) -> Response {
    match error {
        LoginError::Wrong => unauthorized(),
        LoginError::Throttled(wait) => later(StatusCode::TOO_MANY_REQUESTS, wait),
        LoginError::Busy(wait) => later(StatusCode::SERVICE_UNAVAILABLE, wait),
    }
}

fn no_session(error: SessionError) -> Response {
    match error {
        SessionError::Store(_) => later(StatusCode::SERVICE_UNAVAILABLE, NO_SESSION_PAUSE),
        SessionError::Random | SessionError::Data => Response::problem(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn unauthorized() -> Response {
    Response::problem(StatusCode::UNAUTHORIZED).with_header(WWW_AUTHENTICATE, CHALLENGE)
}

/// Whole seconds, rounded up, so that who comes back then is not refused again.
fn later(status: StatusCode, wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Response::problem(status).with_header(RETRY_AFTER, seconds)
}

type Credentials = (String, Zeroizing<String>);

/// Name and password from the body, each exactly once.
fn credentials(request: &Request) -> Result<Credentials, StatusCode> {
    let kind = request.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let found = if kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        from_form(request.body())
    } else if kind.eq_ignore_ascii_case(b"application/json") {
        from_json(request.body())
    } else {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    };
    found.ok_or(StatusCode::BAD_REQUEST)
}

fn from_json(body: &[u8]) -> Option<Credentials> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let found = json.deserialize_map(Fields).ok()?;
    json.end().is_ok().then_some(found)
}

/// The fields of a JSON object, in which a map would keep the last of those that are repeated.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Credentials;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a username and a password")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Credentials, A::Error> {
        let (mut name, mut password) = (None, None);
        while let Some(field) = fields.next_key::<String>()? {
            match &*field {
                "username" if name.is_none() => name = Some(fields.next_value()?),
                "password" if password.is_none() => {
                    password = Some(fields.next_value().map(Zeroizing::<String>::new)?);
                }
                "username" => return Err(A::Error::duplicate_field("username")),
                "password" => return Err(A::Error::duplicate_field("password")),
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        let name = name.ok_or_else(|| A::Error::missing_field("username"))?;
        Ok((name, password.ok_or_else(|| A::Error::missing_field("password"))?))
    }
}

fn from_form(body: &[u8]) -> Option<Credentials> {
    let (mut name, mut password) = (None, None);
    for pair in body.split(|&byte| byte == b'&') {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let field = match halves.next()? {
            b"username" => &mut name,
            b"password" => &mut password,
            _ => continue,
        };
        if field.replace(decode(halves.next()?)?).is_some() {
            return None;
        }
    }
    Some((name?, password?.into()))
}

/// A form's value as it was typed; nothing if an escape in it is none, or if it is not UTF-8.
fn decode(value: &[u8]) -> Option<String> {
    let hex = |digit: u8| (digit as char).to_digit(16).map(|digit| digit as u8);
    let mut text = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        rest = after;
        text.push(match first {
            b'+' => b' ',
            b'%' => {
                let [high, low, after @ ..] = rest else { return None };
                rest = after;
                hex(*high)? << 4 | hex(*low)?
            }
            other => *other,
        });
    }
    String::from_utf8(text).ok()
}
