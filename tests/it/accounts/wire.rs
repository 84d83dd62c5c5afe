//! The same over real sockets: cookies, logins, guards.

use super::{line, seconds};
use selvedge::clock::{Clock, Tick};
use selvedge::guard::auth::{Accounts, BasicAuth, BearerAuth, Digest, Login, Subject, TokenStore, Uses};
use selvedge::guard::session::{MemoryStore, Record, SessionLimits, SessionStore, Sessions, StoreError};
use selvedge::service::with_accounts;
use selvedge::{Csrf, Guard, Handler, Request, Router, Server, StatusCode};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Status, head and body of an answer.
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The id in the cookie that the answer sets.
    pub(super) fn cookie(&self) -> &str {
        let (cookie, _) = self.field("set-cookie").expect("a cookie").split_once(';').expect("attributes");
        cookie
    }

    pub(super) fn body(&self) -> &str {
        &self.body
    }

    fn text(&self, name: &str) -> String {
        let value: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        value[name].as_str().expect("a text").to_owned()
    }
}

/// One request on a connection of its own, with these field lines and this body.
pub(super) fn ask(server: &Server, method: &str, path: &str, fields: &[&str], body: &str) -> Answer {
    let mut stream = TcpStream::connect(server.local_addr().expect("TCP")).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    let fields: String = fields.iter().flat_map(|field| [field, "\r\n"]).collect();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: shop.example:8000\r\nConnection: close\r\n{fields}");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub(super) fn serve(guards: Vec<Box<dyn Guard>>, handler: impl Handler) -> Server {
    struct All(Vec<Box<dyn Guard>>);
    impl Guard for All {
        fn admit(&self, exchange: &mut selvedge::Exchange) -> Result<(), selvedge::Refusal> {
            self.0.iter().try_for_each(|guard| guard.admit(exchange))
        }
        fn may_wait(&self) -> bool {
            self.0.iter().any(|guard| guard.may_wait())
        }
        fn seal(&self, exchange: &selvedge::Exchange, response: &mut selvedge::Response) {
            self.0.iter().rev().for_each(|guard| guard.seal(exchange, response));
        }
    }
    Server::builder()
        .bind("127.0.0.1:0")
        .expect("a port")
        .guard(All(guards))
        .serve(handler)
        .expect("it starts")
}

pub(super) fn with_csrf(sessions: &Sessions) -> Vec<Box<dyn Guard>> {
    vec![Box::new(sessions.clone()), Box::new(Csrf::new(sessions.clone()))]
}

/// The application with Ada and Bob in it.
fn application(sessions: &Sessions) -> Server {
    let accounts = Accounts::parse(line("ada", "right & proper") + &line("bob", "ß+%")).expect("good");
    let login = Arc::new(Login::new(accounts, Clock::system()));
    let (visits, promoted) = (sessions.clone(), sessions.clone());
    let router = Router::new()
        .get("/visit", move |request: &mut Request| {
            let visits_so_far = visits.get(request).unwrap_or(0_u32) + 1;
            visits.set(request, &visits_so_far).expect("room");
            // What a handler keeps it finds at once.
            visits.get(request).unwrap_or(0_u32).to_string()
        })
        .post("/promote", move |request: &mut Request| match promoted.renew(request) {
            Ok(()) => "promoted".to_owned(),
            Err(problem) => problem.to_string(),
        });
    serve(with_csrf(sessions), with_accounts(router, login, sessions))
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const JSON: &str = "Content-Type: application/json";
const ADA: &str = "username=ada&password=right+%26+proper";

#[test]
fn from_login_to_logout() {
    let server = application(&Sessions::new(Clock::system()));
    assert_eq!(ask(&server, "GET", "/me", &[], "").status, 401);

    let login = ask(&server, "POST", "/login", &[FORM], ADA);
    assert_eq!((login.status, &*login.text("user")), (200, "ada"));
    let cookie = login.field("set-cookie").expect("a cookie");
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    assert!(pair.strip_prefix("__Host-sid=").is_some_and(|id| id.len() == 43), "{cookie}");
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax");
    assert_eq!(login.field("cache-control"), Some("no-store"));

    let (session, token) = (format!("Cookie: {pair}"), format!("X-CSRF-Token: {}", login.text("csrf_token")));
    let me = ask(&server, "GET", "/me", &[&session], "");
    assert_eq!((me.status, &*me.text("user"), me.field("set-cookie")), (200, "ada", None));
    assert_eq!(ask(&server, "POST", "/logout", &[&session], "").status, 403, "no token");
    let logout = ask(&server, "POST", "/logout", &[&session, &token], "");
    assert_eq!((logout.status, logout.field("clear-site-data")), (200, Some("\"cookies\", \"storage\"")));
    let deleted = "__Host-sid=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    assert_eq!(logout.field("set-cookie"), Some(deleted));
    assert_eq!(ask(&server, "GET", "/me", &[&session], "").status, 401);
}

#[test]
fn logins_that_are_none() {
    let server = application(&Sessions::new(Clock::system()));
    let long = format!("{ADA}&x={}", "x".repeat(4096));
    let rows: &[(&[&str], &str, u16)] = &[
        (&[FORM], "username=bob&password=%C3%9F%2b%25", 200),
        (&[JSON], r#"{"username":"bob","password":"\u00df+%"}"#, 200),
        (&["Content-Type: application/json; charset=utf-8"], r#"{"username":"bob","password":"ß+%"}"#, 200),
        (&[FORM], "username=ada&password=wrong", 401),
        (&[FORM], "username=nobody&password=wrong", 401),
        (&[FORM], "username=ada", 400),
        (&[FORM], "username&password", 400),
        (&[FORM], &format!("{ADA}&password=again"), 400),
        (&[FORM], "username=ada&password=%4", 400),
        (&[FORM], "username=ada&password=%FF", 400),
        (&[FORM], "", 400),
        (&[JSON], r#"{"username":"ada"}"#, 400),
        (&[JSON], r#"{"username":"ada","password":1}"#, 400),
        (&[JSON], r#"{"x":[{"y":1,"y":2}],"pass\u0077ord":"ß+%","username":"bob","x":null} "#, 200),
        (&[JSON], r#"{"username":"nobody","username":"bob","password":"ß+%"}"#, 400),
        (&[JSON], r#"{"username":"bob","user\u006eame":"bob","password":"ß+%"}"#, 400),
        (&[JSON], r#"{"username":"bob","password":"ß+%","x":1,"password":"ß+%"}"#, 400),
        (&[JSON], r#"{"username":null,"username":"bob","password":"ß+%"}"#, 400),
        (&[JSON], r#"{"username":"bob","password":"ß+%"}{}"#, 400),
        (&[JSON], r#"{"password":"ß+%"}"#, 400),
        (&[JSON], r#"["bob","ß+%"]"#, 400),
        (&[JSON], "[]", 400),
        (&[JSON], "{", 400),
        (&[], ADA, 415),
        (&["Content-Type: text/plain"], ADA, 415),
        (&[FORM], &long, 413),
    ];
    let (mut wrong, mut unknown) = (None, None);
    for (fields, body, status) in rows {
        let answer = ask(&server, "POST", "/login", fields, body);
        assert_eq!(answer.status, *status, "{fields:?} {body}: {}", answer.body);
        assert_eq!(answer.field("set-cookie").is_some(), *status == 200, "{body}");
        if body.starts_with("username=nobody") {
            unknown = Some(answer);
        } else if *status == 401 {
            wrong = Some(answer);
        }
    }
    // But for its date and its id, the answer for a name that is none is the one for a password that is wrong.
    let shape = |answer: Option<Answer>| {
        let answer = answer.expect("it is one of the rows");
        let id = answer.field("x-request-id").expect("an id").to_owned();
        let head = answer.head.replace(&id, "");
        let head: Vec<_> = head.lines().filter(|line| !line.starts_with("Date")).map(str::to_owned).collect();
        (head, answer.body.replace(&id, ""))
    };
    assert_eq!(shape(wrong), shape(unknown));
    assert_eq!(ask(&server, "GET", "/login", &[], "").status, 405);
}

#[test]
fn guessing_ends_with_429_and_when_to_come_back() {
    let server = application(&Sessions::new(Clock::system()));
    for _ in 0..5 {
        assert_eq!(ask(&server, "POST", "/login", &[FORM], "username=ada&password=x").status, 401);
    }
    let refused = ask(&server, "POST", "/login", &[FORM], ADA);
    assert_eq!((refused.status, refused.field("retry-after")), (429, Some("1")));
}

/// An id that the attacker made up, one that he has had from the server, and two at once: after the login, none of them is
/// worth anything.
#[test]
fn fixation_fixes_nothing() {
    let server = application(&Sessions::new(Clock::system()));
    let made_up = format!("__Host-sid={}", "A".repeat(43));
    let given = ask(&server, "GET", "/visit", &[], "").cookie().to_owned();
    for planted in [made_up, given] {
        let cookie = format!("Cookie: {planted}");
        let victim =
            ask(&server, "POST", "/login", &[FORM, &cookie, "Origin: http://shop.example:8000"], ADA);
        assert_eq!(victim.status, 200);
        assert_ne!(victim.cookie(), planted);
        assert_eq!(ask(&server, "GET", "/me", &[&cookie], "").status, 401, "the planted one is nobody's");
        let own = format!("Cookie: {}", victim.cookie());
        assert_eq!(ask(&server, "GET", "/me", &[&own], "").status, 200);
        let both = format!("{own}; {planted}");
        assert_eq!(ask(&server, "GET", "/me", &[&both], "").status, 401, "two of them are none");
        assert_eq!(ask(&server, "GET", "/me", &[&own, &cookie], "").status, 401, "in two fields too");
        assert_eq!(ask(&server, "GET", "/me", &[&own.replace("__Host-sid", "sid")], "").status, 401);
    }
}

#[test]
fn data_goes_along_and_ids_change() {
    let server = application(&Sessions::new(Clock::system()));
    let first = ask(&server, "GET", "/visit", &[], "");
    let anonymous = format!("Cookie: {}", first.cookie());
    let second = ask(&server, "GET", "/visit", &[&anonymous], "");
    assert_eq!((&*first.body, &*second.body, second.field("set-cookie")), ("1", "2", None));
    let same_origin = "Sec-Fetch-Site: same-origin";
    let login = ask(&server, "POST", "/login", &[FORM, &anonymous, same_origin], ADA);
    let ada = format!("Cookie: {}", login.cookie());
    assert_eq!(ask(&server, "GET", "/visit", &[&ada], "").body, "3", "what was anonymous goes along");
    let promoted = ask(&server, "POST", "/promote", &[&ada, same_origin], "");
    let higher = format!("Cookie: {}", promoted.cookie());
    assert_eq!(ask(&server, "GET", "/me", &[&ada], "").status, 401);
    assert_eq!(ask(&server, "GET", "/visit", &[&higher], "").body, "4");
    let bob = "username=bob&password=%C3%9F%2B%25";
    let login = ask(&server, "POST", "/login", &[FORM, &higher, same_origin], bob);
    let bob = format!("Cookie: {}", login.cookie());
    assert_eq!(ask(&server, "GET", "/me", &[&higher], "").status, 401, "Ada is logged out");
    assert_eq!(ask(&server, "GET", "/visit", &[&bob], "").body, "1", "and took her data with her");
}

/// What one part of a handler keeps in the session the next one finds there, whatever happens to the session in between.
#[test]
fn what_is_kept_is_found_in_the_same_request() {
    let sessions = Sessions::new(Clock::system());
    let kept = sessions.clone();
    let server = serve(with_csrf(&sessions), move |request: &mut Request| {
        let steps = request.query().unwrap_or_default().to_owned();
        let step = |step: &str| match step {
            "in" => kept.log_in(request, "ada").map(|()| String::new()),
            "renew" => kept.renew(request).map(|()| String::new()),
            "out" => {
                kept.log_out(request);
                Ok(String::new())
            }
            "get" => Ok(kept.get::<u32>(request).map_or("-".into(), |value| value.to_string())),
            value => kept.set(request, &value.parse::<u32>().expect("a number")).map(|()| String::new()),
        };
        steps.split(',').map(step).collect::<Result<String, _>>().expect("room")
    });
    let made = ask(&server, "GET", "/?7", &[], "");
    let cookie = format!("Cookie: {}", made.cookie());
    for (fields, steps, found) in [
        (&[][..], "get,1,get", "-1"),
        (&[], "1,2,get,3,get", "23"),
        (&[], "1,in,get,2,get,renew,get", "122"),
        (&[], "in,1,get,out,get,2,get", "1-2"),
        // Another request has kept something there before.
        (&[&*cookie], "get,8,get", "78"),
        (&[&*cookie], "9,get", "9"),
        (&[&*cookie], "get", "9"),
        (&[&*cookie], "in,get,10,get", "910"),
    ] {
        let answer = ask(&server, "GET", &format!("/?{steps}"), fields, "");
        assert_eq!(answer.body(), found, "{steps} {fields:?}");
    }
}

#[test]
fn sessions_end_by_time() {
    let clock = Clock::manual();
    let server = application(&Sessions::new(clock.clone()));
    let login = ask(&server, "POST", "/login", &[FORM], ADA);
    let cookie = format!("Cookie: {}", login.cookie());
    for _ in 0..16 {
        clock.advance(seconds(1799));
        assert_eq!(ask(&server, "GET", "/me", &[&cookie], "").status, 200);
    }
    clock.advance(seconds(16));
    assert_eq!(ask(&server, "GET", "/me", &[&cookie], "").status, 401, "eight hours");
    let login = ask(&server, "POST", "/login", &[FORM], ADA);
    let cookie = format!("Cookie: {}", login.cookie());
    clock.advance(seconds(1800));
    assert_eq!(ask(&server, "GET", "/me", &[&cookie], "").status, 401, "half an hour idle");
}

#[test]
fn logged_out_everywhere() {
    let sessions = Sessions::new(Clock::system());
    let server = application(&sessions);
    let cookies =
        [(); 2].map(|()| format!("Cookie: {}", ask(&server, "POST", "/login", &[FORM], ADA).cookie()));
    assert!(cookies[0].starts_with(&format!("Cookie: {}=", sessions.cookie_name())), "{}", cookies[0]);
    assert!(format!("{sessions:?}").starts_with("Sessions { cookie: \"__Host-sid\", limits: "));
    assert_eq!(["bob", "ada", "ada"].map(|user| sessions.log_out_everywhere(user)), [0, 2, 0]);
    for cookie in &cookies {
        assert_eq!(ask(&server, "GET", "/me", &[cookie], "").status, 401);
    }
}

/// A store in which other accounts take effect, and all sessions end of those that are no more, at the worst moment: when a
/// right password has just been found right, and before its session is there to be ended.
struct Overtaken {
    store: MemoryStore,
    after: Login,
}

impl SessionStore for Overtaken {
    fn insert(&self, id: Digest, record: Record, now: Tick) -> Result<(), StoreError> {
        for user in self.after.take_effect() {
            self.store.remove_user(&user, now);
        }
        self.store.insert(id, record, now)
    }

    fn load(&self, id: &Digest, now: Tick) -> Option<Record> {
        self.store.load(id, now)
    }

    fn save(&self, id: &Digest, data: Arc<[u8]>, now: Tick) -> bool {
        self.store.save(id, data, now)
    }

    fn renew(&self, old: &Digest, new: Digest, record: Record, now: Tick) -> Result<(), StoreError> {
        self.store.renew(old, new, record, now)
    }

    fn remove(&self, id: &Digest, now: Tick) -> bool {
        self.store.remove(id, now)
    }

    fn remove_user(&self, user: &str, now: Tick) -> usize {
        self.store.remove_user(user, now)
    }
}

#[test]
fn a_session_made_while_its_password_is_revoked() {
    for (after, status) in [
        (line("ada", "another"), 401),
        (line("bob", "x"), 401),
        (line("ada", "right & proper") + &line("eve", "new"), 200),
    ] {
        let accounts = |text: &str| Accounts::parse(text).expect("good");
        let login = Login::new(accounts(&line("ada", "right & proper")), Clock::system());
        let limits = SessionLimits::default();
        let store = Overtaken { store: MemoryStore::new(limits), after: login.renewed(accounts(&after)) };
        let sessions = Sessions::with_store(store, limits, Clock::system());
        let router = with_accounts(Router::new(), Arc::new(login), &sessions);
        let server = serve(with_csrf(&sessions), router);
        assert_eq!(ask(&server, "POST", "/login", &[FORM], ADA).status, status, "{after}");
        let left = sessions.log_out_everywhere("ada");
        assert_eq!(left, usize::from(status == 200), "{after}");
    }
}

#[test]
fn insecure_cookies_are_another_name() {
    let server = application(&Sessions::new(Clock::system()).with_insecure_cookies());
    let login = ask(&server, "POST", "/login", &[FORM], ADA);
    let cookie = login.field("set-cookie").expect("a cookie");
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    assert!(pair.starts_with("sid="), "{cookie}");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(ask(&server, "GET", "/me", &[&format!("Cookie: {pair}")], "").status, 200);
    assert_eq!(ask(&server, "GET", "/me", &[&format!("Cookie: __Host-{pair}")], "").status, 401);
}

#[test]
fn no_room_for_a_session_is_503() {
    let limits = SessionLimits { capacity: 1, ..SessionLimits::default() };
    let server = application(&Sessions::with_store(MemoryStore::new(limits), limits, Clock::system()));
    let ada = ask(&server, "POST", "/login", &[FORM], ADA);
    let bob = ask(&server, "POST", "/login", &[FORM], "username=bob&password=%C3%9F%2B%25");
    assert_eq!((bob.status, bob.field("retry-after")), (503, Some("30")));
    assert_eq!(ask(&server, "GET", "/me", &[&format!("Cookie: {}", ada.cookie())], "").status, 200);
}

fn subject(request: &mut Request) -> String {
    let subject = request.extensions().and_then(|all| all.get::<Subject>());
    subject.map_or_else(|| "nobody".to_owned(), |Subject(name)| name.to_string())
}

#[test]
fn bearer_tokens() {
    let tokens = Arc::new(TokenStore::new(Clock::system()));
    let server = serve(vec![Box::new(BearerAuth::new(tokens.clone()).except("/open"))], subject);
    let many = tokens.issue("many", seconds(60), Uses::Many).expect("room");
    let once = tokens.issue("once", seconds(60), Uses::Once).expect("room");
    let (many, once) = (many.as_str(), once.as_str());
    let rows: &[(&str, &[&str], u16, &str)] = &[
        ("/", &[&format!("Authorization: Bearer {many}")], 200, "many"),
        ("/", &[&format!("authorization: bEARER   {many}")], 200, "many"),
        ("/", &[&format!("Authorization: Bearer {once}")], 200, "once"),
        ("/", &[&format!("Authorization: Bearer {once}")], 401, ""),
        ("/open", &[], 200, "nobody"),
        ("/%6fpen", &[], 401, ""),
        ("/", &[], 401, ""),
        ("/", &[&format!("Authorization: Bearer{many}")], 401, ""),
        ("/", &[&format!("Authorization: Basic {many}")], 401, ""),
        ("/", &["Authorization: Bearer"], 401, ""),
        ("/", &[&format!("Authorization: Bearer {many}"), "Authorization: Bearer x"], 401, ""),
    ];
    for (path, fields, status, body) in rows {
        let answer = ask(&server, "GET", path, fields, "");
        assert_eq!(answer.status, *status, "{path} {fields:?}");
        assert_eq!(answer.field("www-authenticate"), (*status == 401).then_some("Bearer"));
        if *status == 200 {
            assert_eq!(answer.body, *body);
        }
    }
}

#[test]
fn basic_credentials() {
    use base64ct::{Base64, Encoding};
    let clock = Clock::system();
    let accounts = Accounts::parse(line("ada", "right:proper")).expect("good");
    let login = Arc::new(Login::new(accounts, clock.clone()));
    let guard = BasicAuth::new(login, "the \"house\"", clock).expect("random").except("/open");
    let server = serve(vec![Box::new(guard)], subject);
    let basic = |text: &str| format!("Authorization: Basic {}", Base64::encode_string(text.as_bytes()));
    let rows: &[(&str, &[&str], u16)] = &[
        ("/", &[&basic("ada:right:proper")], 200),
        ("/", &[&basic("ada:right:proper")], 200),
        ("/open", &[], 200),
        ("/", &[], 401),
        ("/", &[&basic("ada")], 401),
        ("/", &["Authorization: Basic !!!"], 401),
        ("/", &["Authorization: Basic"], 401),
        ("/", &[&format!("Authorization: Basic {}", "A".repeat(4000))], 401),
        ("/", &[&basic("ada:wrong")], 401),
        ("/", &[&basic("nobody:right:proper")], 401),
        ("/", &[&basic("ada:x1")], 401),
        ("/", &[&basic("ada:x2")], 401),
        ("/", &[&basic("ada:x3")], 401),
        ("/", &[&basic("ada:x4")], 429),
        ("/", &[&basic("ada:right:proper")], 200), // remembered, for a minute
    ];
    for (path, fields, status) in rows {
        let answer = ask(&server, "GET", path, fields, "");
        assert_eq!(answer.status, *status, "{path} {fields:?}");
        let challenge = (*status == 401).then_some("Basic realm=\"the house\", charset=\"UTF-8\"");
        assert_eq!(answer.field("www-authenticate"), challenge);
        assert_eq!(answer.field("retry-after"), (*status == 429).then_some("1"));
    }
    // Who is refused by somebody else is not asked for a password.
    let accounts = Accounts::parse(line("ada", "right")).expect("good");
    let login = Arc::new(Login::new(accounts, Clock::system()));
    let guard = BasicAuth::new(login, "house", Clock::system()).expect("random").except("/own");
    assert!(guard.may_wait(), "hashing takes its time");
    let server = serve(vec![Box::new(guard)], |_: &mut Request| StatusCode::UNAUTHORIZED);
    let answer = ask(&server, "GET", "/own", &[], "");
    assert_eq!((answer.status, answer.field("www-authenticate")), (401, None));
}
