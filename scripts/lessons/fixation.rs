//! Session fixation: an attacker who chooses the id his victim logs in with.

mod stage;

use selvedge::clock::Clock;
use selvedge::guard::auth::Secret;
use selvedge::guard::session::{Presented, find_cookie};
use selvedge::{Request, Response, Router, Server, Sessions, StatusCode};
use stage::client::{Answer, Client, request};
use stage::{Stage, Verdict};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// Who is logged in, by the id of the session.
type Store = Arc<Mutex<HashMap<String, Option<String>>>>;

// show: naive
/// The id of the request's session: the one in its cookie, or a new one.
fn session(store: &Store, request: &Request) -> String {
    let id = cookie(request).unwrap_or_else(random_id);
    store.lock().unwrap().entry(id.clone()).or_default();
    id
}

fn log_in(store: &Store, request: &Request, user: &str) {
    let id = session(store, request);
    store.lock().unwrap().insert(id, Some(user.to_owned()));
}
// end

/// Where the attacker has the id from.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    /// He made it up.
    MadeUp,
    /// The server gave it to him.
    Given,
}

/// What happened, for the picture and the verdict.
struct Story {
    planted: String,
    /// What the victim has after the login.
    after: String,
    victim: Answer,
    attacker: Answer,
}

fn main() -> ExitCode {
    let stage = Stage::open("fixation");
    stage.say(
        "After a login the browser shows a cookie with a long random id, and whoever shows that id is logged in. It cannot be \
         guessed. But it does not have to be guessed if the attacker has put it there himself, before the login: by a link, \
         by a neighbouring domain that may set cookies too, or by a minute at the victim's computer.",
    );

    stage.part("The naive way");
    stage.say("A dictionary of sessions, as in many a tutorial:");
    stage.code(include_str!("fixation.rs"), "naive");
    let naive = naive_server();
    let address = naive.local_addr().expect("it listens on TCP");
    stage.say("First the attacker makes up an id. Nobody stops him:");
    let made_up = attack(address, Origin::MadeUp);
    show(&stage, &made_up, Origin::MadeUp);
    stage.say("The obvious answer is to accept only ids the server has given out. So the attacker gets one of those:");
    let given = attack(address, Origin::Given);
    show(&stage, &given, Origin::Given);

    stage.part("Why");
    stage.say(
        "An id is a key. Before the login it opens nothing, so nobody cares who has a copy; the login makes the same key open \
         a house. There are locks around the dictionary, and no thread does anything wrong: the mistake is in what is kept, not \
         in how.",
    );
    stage.say(
        "(The article this server grew out of deletes a session that comes from a second address. That stops no attacker \
         behind the same proxy, and gives all others a way to log their victim out.)",
    );

    stage.part("What selvedge does");
    stage.code(include_str!("fixation.rs"), "ours");
    stage.say(
        "`Sessions` changes the lock along with the meaning of the key: every login mints a new id, and the old one is dead before \
         the new one lives. An id it did not give out is no session at all, and never becomes one. The same two attacks:",
    );
    let ours = our_server();
    let address = ours.local_addr().expect("it listens on TCP");
    let our_made_up = attack(address, Origin::MadeUp);
    show(&stage, &our_made_up, Origin::MadeUp);
    let our_given = attack(address, Origin::Given);
    show(&stage, &our_given, Origin::Given);
    stage.say(
        "Two logins at the same moment, with the same old id? One of them wins, whatever the threads do: tests/loom/tokens.rs \
         tries every order. And outside of a lesson the cookie is `__Host-sid; Secure; HttpOnly; SameSite=Lax`, which no \
         neighbouring domain can set in the first place.",
    );

    let walked_in = [&made_up, &given].iter().filter(|story| story.attacker.status == 200).count();
    let kept_out = [&our_made_up, &our_given].iter().filter(|story| story.is_safe()).count();
    stage.end(&Verdict {
        naive_fell: walked_in == 2,
        naive: format!("the attacker was logged in as the victim, {walked_in} times of 2"),
        ours_held: kept_out == 2,
        ours: format!("401 for him, 200 for her, {kept_out} times of 2"),
        read: ("src/guard/session/guard.rs", "`log_in` and `renew_as`: the old id dies first"),
    })
}

fn naive_server() -> Server {
    let store = Store::default();
    let [on_visit, on_login, on_me] = [(); 3].map(|()| store.clone());
    let with_cookie = |id: String, text: &'static str| {
        Response::text(text).with_header("set-cookie", format!("sid={id}; HttpOnly"))
    };
    let router = Router::new()
        .get("/", move |request: &mut Request| with_cookie(session(&on_visit, request), "hello\n"))
        .post("/login", move |request: &mut Request| {
            // The password is right, and none of this lesson's business.
            log_in(&on_login, request, "ada");
            with_cookie(session(&on_login, request), "you are logged in\n")
        })
        .get("/me", move |request: &mut Request| {
            let user = on_me.lock().unwrap().get(&session_of(request)).cloned().flatten();
            who(user.as_deref())
        });
    serve(Server::builder().bind("127.0.0.1:0"), router)
}

fn our_server() -> Server {
    // Plain HTTP on loopback: no browser would send a cookie that is Secure.
    let sessions = Sessions::new(Clock::system()).with_insecure_cookies();
    let [on_visit, on_login, on_me] = [(); 3].map(|()| sessions.clone());
    // show: ours
    let login = move |request: &mut Request| {
        let done = on_login.log_in(request, "ada");
        done.map_or(StatusCode::SERVICE_UNAVAILABLE, |()| StatusCode::OK)
    };
    // end
    let router = Router::new()
        .get("/", move |request: &mut Request| match on_visit.set(request, &"a basket") {
            Ok(()) => Response::text("hello\n"),
            Err(_) => Response::problem(StatusCode::SERVICE_UNAVAILABLE),
        })
        .post("/login", login)
        .get("/me", move |request: &mut Request| who(on_me.user(request).as_deref()));
    serve(Server::builder().bind("127.0.0.1:0").map(|builder| builder.guard(sessions)), router)
}

fn serve(builder: Result<selvedge::server::Builder, selvedge::Error>, router: Router) -> Server {
    builder.and_then(|builder| builder.serve(router)).expect("a free port")
}

fn who(user: Option<&str>) -> Response {
    match user {
        Some(user) => Response::text(format!("you are {user}\n")),
        None => Response::problem(StatusCode::UNAUTHORIZED),
    }
}

fn cookie(request: &Request) -> Option<String> {
    match find_cookie(request.header_values("cookie"), "sid") {
        Presented::One(id) => Some(String::from_utf8_lossy(id).into_owned()),
        _ => None,
    }
}

fn session_of(request: &Request) -> String {
    cookie(request).unwrap_or_default()
}

fn random_id() -> String {
    Secret::generate().expect("random numbers").as_str().to_owned()
}

/// The whole of it, against either server.
fn attack(server: SocketAddr, origin: Origin) -> Story {
    let planted = match origin {
        Origin::MadeUp => "chosen-by-the-attacker-and-as-long-as-an-id".to_owned(),
        Origin::Given => set_cookie(&ask(server, "GET", "/", None)).unwrap_or_default(),
    };
    // In the victim's browser there is the cookie of the attacker's, until the server sets another one.
    let login = ask(server, "POST", "/login", Some(&planted));
    let after = set_cookie(&login).unwrap_or_else(|| planted.clone());
    let victim = ask(server, "GET", "/me", Some(&after));
    let attacker = ask(server, "GET", "/me", Some(&planted));
    Story { planted, after, victim, attacker }
}

fn ask(server: SocketAddr, method: &str, path: &str, id: Option<&str>) -> Answer {
    let cookie = id.map(|id| format!("Cookie: sid={id}\r\n")).unwrap_or_default();
    let head = request(path).replace("GET", method).replace("\r\n\r\n", &format!("\r\n{cookie}\r\n"));
    let answer = Client::connect(server, PATIENCE).and_then(|mut client| client.ask(&head));
    answer.expect("an answer")
}

fn set_cookie(answer: &Answer) -> Option<String> {
    let cookie = answer.field("set-cookie")?.strip_prefix("sid=")?;
    cookie.split(';').next().map(str::to_owned)
}

impl Story {
    /// The victim is logged in, the attacker is not.
    fn is_safe(&self) -> bool {
        self.victim.body == "you are ada\n" && self.attacker.status == 401
    }
}

/// Who an arrow goes from and to, as columns.
const ATTACKER: usize = 4;
const SERVER: usize = 36;
const VICTIM: usize = 68;

fn show(stage: &Stage, story: &Story, origin: Origin) {
    let short = |id: &str| format!("sid={}…", id.chars().take(8).collect::<String>());
    let (planted, after) = (short(&story.planted), short(&story.after));
    stage.line("");
    stage.show([format!("{:<32}{:<29}{}", "attacker", "    server", "  victim")]);
    if origin == Origin::Given {
        stage.show([arrow(ATTACKER, SERVER, "GET /"), arrow(SERVER, ATTACKER, &format!("200, {planted}"))]);
    }
    stage.show([arrow(ATTACKER, VICTIM, &format!("plants {planted}"))]);
    stage.show([arrow(VICTIM, SERVER, &format!("POST /login, {planted}"))]);
    stage.show([arrow(SERVER, VICTIM, &format!("200, {after}"))]);
    stage.show([arrow(ATTACKER, SERVER, &format!("GET /me, {planted}"))]);
    let says = match story.attacker.status {
        200 => story.attacker.body.trim(),
        _ => "who are you?",
    };
    let answer = arrow(SERVER, ATTACKER, &format!("{}, {says}", story.attacker.status));
    stage.show([if story.attacker.status == 200 { stage.bad(&answer) } else { stage.good(&answer) }]);
}

/// A message from one lifeline to another.
fn arrow(from: usize, to: usize, text: &str) -> String {
    let mut line = vec![' '; VICTIM + 1];
    for lifeline in [ATTACKER, SERVER, VICTIM] {
        line[lifeline] = '│';
    }
    let (start, end) = (from.min(to) + 1, from.max(to) - 1);
    line[start..=end].fill('─');
    if from < to {
        line[end] = '▶';
    } else {
        line[start] = '◀';
    }
    let text = format!(" {text} ");
    for (place, letter) in line[start + 2..end - 1].iter_mut().zip(text.chars()) {
        *place = letter;
    }
    line.into_iter().collect()
}
