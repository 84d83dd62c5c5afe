//! Names, passwords, and those who guess them.

use super::{client, line, seconds};
use rustix::time::{ClockId, clock_gettime};
use selvedge::ClientKey;
use selvedge::clock::Clock;
use selvedge::guard::auth::{
    Accounts, AccountsError, Attempts, Hasher, HashingBusy, Login, LoginError, TokensFull,
};
use selvedge::guard::session::{SessionError, StoreError};
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

fn login() -> (Login, Clock) {
    let clock = Clock::manual();
    let accounts = Accounts::parse(line("ada", "right") + &line("bob", "also right")).expect("good");
    // The waits of the semaphore are real time; nothing waits here.
    (Login::new(accounts, clock.clone()), clock)
}

/// The same with tables that are full when they hold this much.
fn with_room_for(capacity: usize) -> (Login, Clock) {
    let clock = Clock::manual();
    let accounts = Accounts::parse(line("ada", "right") + &line("bob", "also right")).expect("good");
    let (hasher, attempts) = (Hasher::new(clock.clone()), Attempts::with_capacity(capacity));
    (Login::with_limits(accounts, hasher, attempts, clock.clone()), clock)
}

const WRONG: Result<&str, LoginError> = Err(LoginError::Wrong);

#[track_caller]
fn check(login: &Login, name: &str, password: &str, from: ClientKey, expected: Result<&str, LoginError>) {
    let given = login.check(name, password.as_bytes(), from);
    assert_eq!(given.as_deref().map_err(|error| *error), expected, "{name} {password}");
}

const fn wait(span: u64) -> Result<&'static str, LoginError> {
    Err(LoginError::Throttled(seconds(span)))
}

#[test]
fn right_wrong_and_unknown() {
    let (login, _) = login();
    check(&login, "ada", "right", client(1), Ok("ada"));
    for (name, password) in
        [("ada", "also right"), ("bob", "right"), ("nobody", "right"), ("", ""), ("Ada", "right")]
    {
        check(&login, name, password, client(2), WRONG);
    }
    let (name, password) = ("n".repeat(128), "p".repeat(1024));
    let long = Login::new(Accounts::parse(line(&name, &password)).expect("good"), Clock::manual());
    check(&long, &name, &password, client(1), Ok(&name));
    let secret = Login::new(Accounts::one_secret("demo", b"secret").expect("good"), Clock::manual());
    check(&secret, "demo", "secret", client(1), Ok("demo"));
    check(&secret, "demo", "secrets", client(1), WRONG);
    check(&login, &"x".repeat(129), "x", client(2), WRONG);
    check(&login, "ada", &"x".repeat(1025), client(2), WRONG);
}

#[test]
fn a_client_pauses_twice_as_long_each_time() {
    let (login, clock) = login();
    for name in ["a", "b", "c", "d", "e"] {
        check(&login, name, "guess", client(1), WRONG);
    }
    for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        check(&login, "ada", "right", client(1), wait(pause));
        check(&login, "ada", "right", client(1), wait(pause));
        check(&login, "bob", "also right", client(2), Ok("bob"));
        clock.advance(seconds(pause));
        check(&login, "ada", "guess", client(1), WRONG);
    }
    clock.advance(seconds(1800));
    for name in ["a", "b", "c", "d", "e"] {
        check(&login, name, "guess", client(1), WRONG);
    }
    check(&login, "ada", "right", client(1), wait(1));
}

/// Fifteen quiet minutes after the last pause all is forgotten, and nothing before.
#[test]
fn wrong_passwords_are_remembered_for_fifteen_minutes() {
    for (quiet, expected) in [(899, wait(2)), (900, Ok("ada"))] {
        let (login, clock) = login();
        for name in ["a", "b", "c", "d", "e"] {
            check(&login, name, "guess", client(1), WRONG);
        }
        clock.advance(seconds(1 + quiet));
        check(&login, "ada", "guess", client(1), WRONG);
        check(&login, "ada", "right", client(1), expected);
    }
}

#[test]
fn an_account_of_ones_own_wipes_nothing_off_the_slate() {
    let (login, clock) = login();
    for pause in [0, 0, 0, 0, 1, 2, 4] {
        check(&login, "ada", "guess", client(1), WRONG);
        if pause > 0 {
            check(&login, "bob", "also right", client(1), wait(pause));
            clock.advance(seconds(pause));
        }
        check(&login, "bob", "also right", client(1), Ok("bob"));
    }
}

#[test]
fn strangers_are_paused_by_account_and_those_it_knows_are_not() {
    for name in ["ada", "nobody"] {
        let (login, clock) = login();
        check(&login, "ada", "right", client(1), Ok("ada"));
        for number in 100..110 {
            check(&login, name, "guess", client(number), WRONG);
        }
        for (number, pause) in (200..).zip([1, 2, 4, 8, 16, 32, 60, 60]) {
            check(&login, name, "right", client(2), wait(pause));
            check(&login, "ada", "right", client(1), Ok("ada"));
            clock.advance(seconds(pause));
            check(&login, name, "guess", client(number), WRONG);
        }
        // The attack ends: a minute later, everybody may.
        clock.advance(seconds(60));
        check(&login, "ada", "right", client(2), Ok("ada"));
    }
}

/// Whose sessions end with a new file: those of accounts that are gone or have another password, and nobody else's.
#[test]
fn who_is_not_who_he_was() {
    let accounts = |names: &[(&str, &str)]| {
        let lines: String = names.iter().map(|(name, password)| line(name, password)).collect();
        Accounts::parse(lines).expect("good")
    };
    let before = Login::new(accounts(&[("ada", "a"), ("bob", "b"), ("eve", "e")]), Clock::manual());
    let never = before.renewed(accounts(&[("eve", "other")]));
    let after = before.renewed(accounts(&[("ada", "a"), ("bob", "other"), ("new", "n")]));
    check(&before, "eve", "e", client(1), Ok("eve"));
    check(&after, "bob", "other", client(1), Ok("bob"));
    let mut ended = after.take_effect();
    ended.sort_unstable();
    assert_eq!(ended.iter().map(|name| &**name).collect::<Vec<_>>(), ["bob", "eve"]);
    // What has been overtaken takes effect no more, and what has taken effect does so once.
    assert_eq!([&before, &never, &after].map(|login| login.take_effect().len()), [0, 0, 0]);
    for (name, password, of_before, of_after) in [
        ("ada", "a", Ok("ada"), Ok("ada")),
        ("bob", "b", WRONG, WRONG),
        ("bob", "other", WRONG, Ok("bob")),
        ("eve", "e", WRONG, WRONG),
        ("new", "n", WRONG, Ok("new")),
    ] {
        check(&before, name, password, client(2), of_before);
        check(&after, name, password, client(3), of_after);
    }
    // Back to what was, for a third time.
    let again = after.renewed(accounts(&[("bob", "b")]));
    assert_eq!(again.take_effect().len(), 3);
    check(&again, "bob", "b", client(4), Ok("bob"));
}

/// What is known of those who try is no matter of the accounts; but an account with another password knows nobody.
#[test]
fn what_is_known_stays_when_accounts_change() {
    let (before, _) = login();
    for (name, password) in [("ada", "right"), ("bob", "also right")] {
        check(&before, name, password, client(1), Ok(name));
        for number in 100..110 {
            check(&before, name, "guess", client(number), WRONG);
        }
    }
    let after = before.renewed(Accounts::parse(line("ada", "right") + &line("bob", "new")).expect("good"));
    check(&after, "bob", "new", client(1), Ok("bob"));
    assert_eq!(after.take_effect().len(), 1);
    check(&after, "ada", "right", client(2), wait(1));
    check(&after, "ada", "right", client(1), Ok("ada"));
    check(&after, "bob", "new", client(1), wait(1));
}

#[test]
fn an_account_knows_a_client_for_thirty_days() {
    const DAYS: u64 = 30 * 24 * 60 * 60;
    for (passed, expected) in [(DAYS - 1, Ok("ada")), (DAYS, wait(1))] {
        let (login, clock) = login();
        check(&login, "ada", "right", client(1), Ok("ada"));
        clock.advance(seconds(passed));
        for number in 100..110 {
            check(&login, "ada", "guess", client(number), WRONG);
        }
        check(&login, "ada", "right", client(1), expected);
    }
}

#[test]
fn on_a_unix_socket_only_accounts_count() {
    let (login, _) = login();
    for number in 0..9 {
        check(&login, &format!("name {number}"), "guess", ClientKey::LOCAL, WRONG);
    }
    check(&login, "ada", "right", ClientKey::LOCAL, Ok("ada"));
}

/// As many as may try at the same moment are tried, and no more: none slips through because the others have not failed yet.
#[test]
fn what_comes_at_once_is_counted_at_once() {
    let clock = Clock::manual();
    let accounts = Accounts::parse(line("ada", "right")).expect("good");
    let hasher = Hasher::with_limits(clock.clone(), 4, 64);
    let login = Arc::new(Login::with_hasher(accounts, hasher, clock));
    let start = Arc::new(Barrier::new(32));
    let guesses: Vec<_> = (0..32)
        .map(|_| {
            let (login, start) = (login.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                login.check("ada", b"guess", client(1))
            })
        })
        .collect();
    let answers: Vec<_> = guesses.into_iter().map(|guess| guess.join().expect("no panic")).collect();
    let tried = answers.iter().filter(|answer| **answer == Err(LoginError::Wrong)).count();
    assert_eq!(tried, 5, "{answers:?}");
}

/// No permit and no queue: 503, and the attempt is not held against anybody.
#[test]
fn too_many_at_once_is_busy_and_no_attempt() {
    let clock = Clock::manual();
    let accounts = Accounts::parse(format!("ada:{}", super::argon2_params::hash("right", (32 << 10, 4, 1))));
    let hasher = Hasher::with_limits(clock.clone(), 1, 0);
    let login = Arc::new(Login::with_hasher(accounts.expect("good"), hasher, clock));
    let start = Arc::new(Barrier::new(8));
    let logins: Vec<_> = (0..8)
        .map(|_| {
            let (login, start) = (login.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                (0..3).map(|_| login.check("ada", b"right", client(1))).collect::<Vec<_>>()
            })
        })
        .collect();
    let answers: Vec<_> = logins.into_iter().flat_map(|login| login.join().expect("no panic")).collect();
    let busy = answers.iter().filter(|answer| matches!(answer, Err(LoginError::Busy(_)))).count();
    assert!(busy > 0 && answers.iter().any(Result::is_ok), "{answers:?}");
}

/// Names by the thousand: the one that is slowed down is still known when its pause is over.
#[test]
fn a_flood_of_names_wipes_nothing_off_the_slate() {
    let (login, clock) = with_room_for(64);
    for _ in 0..10 {
        check(&login, "ada", "guess", ClientKey::LOCAL, WRONG);
    }
    for pause in [1, 2, 4] {
        check(&login, "ada", "right", ClientKey::LOCAL, wait(pause));
        clock.advance(seconds(pause));
        for number in 0..1000 {
            check(&login, &format!("name {pause} {number}"), "guess", ClientKey::LOCAL, WRONG);
        }
        check(&login, "ada", "guess", ClientKey::LOCAL, WRONG);
    }
    // The same of a client, among as many.
    for number in 0..5 {
        check(&login, &format!("name {number}"), "guess", client(1), WRONG);
    }
    for pause in [1, 2, 4] {
        check(&login, "bob", "also right", client(1), wait(pause));
        clock.advance(seconds(pause));
        for number in 0..1000 {
            check(&login, &format!("name {pause} {number}"), "guess", client(1000 + number), WRONG);
        }
        check(&login, "nobody", "guess", client(1), WRONG);
    }
}

/// What was turned away because others were being hashed was no attempt: it takes nobody's place.
#[test]
fn a_flood_that_is_not_hashed_takes_no_place() {
    let clock = Clock::manual();
    let cheap: String = (0..31).map(|number| line(&format!("user {number}"), "right")).collect();
    let dear = format!("dear:{}\n", super::argon2_params::hash("right", (32 << 10, 16, 1)));
    let accounts = Accounts::parse(line("ada", "right") + &cheap + &dear).expect("good");
    let hasher = Hasher::with_limits(clock.clone(), 1, 0);
    let login = Arc::new(Login::with_limits(accounts, hasher, Attempts::with_capacity(64), clock.clone()));
    for name in ["ada", "bob"] {
        for _ in 0..9 {
            check(&login, name, "guess", ClientKey::LOCAL, WRONG);
        }
    }
    for name in ["a", "b", "c", "d"] {
        check(&login, name, "guess", client(1), WRONG);
    }
    let done = Arc::new(AtomicBool::new(false));
    let hashing = thread::spawn({
        let (login, done) = (login.clone(), done.clone());
        move || {
            while !done.load(Ordering::Acquire) {
                let _ = login.check("dear", b"right", ClientKey::LOCAL);
            }
        }
    });
    let is_busy = |given: Result<_, _>| matches!(given, Err(LoginError::Busy(_)));
    while !is_busy(login.check("user 0", b"right", ClientKey::LOCAL)) {}
    let mut busy = 0;
    for number in 0.. {
        let given = login.check(&format!("name {number}"), b"guess", client(1000 + number));
        busy += u32::from(is_busy(given));
        if busy == 2000 {
            break;
        }
    }
    done.store(true, Ordering::Release);
    hashing.join().expect("no panic");
    // The tenth of an account, and the fifth of a client.
    check(&login, "ada", "guess", ClientKey::LOCAL, WRONG);
    check(&login, "ada", "right", ClientKey::LOCAL, wait(1));
    check(&login, "bob", "guess", client(1), WRONG);
    check(&login, "e", "guess", client(1), wait(1));
}

/// Where nothing more can be counted, strangers are let in nowhere unless something else counts them, and those whom an
/// account knows are let in.
#[test]
fn tables_that_are_full_of_those_who_pause() {
    // Of accounts.
    let (login, clock) = with_room_for(8);
    check(&login, "ada", "right", client(1), Ok("ada"));
    for number in 0..80 {
        check(&login, &format!("name {}", number / 10), "guess", ClientKey::LOCAL, WRONG);
    }
    clock.advance(seconds(800));
    check(&login, "ada", "right", client(2), wait(1));
    check(&login, "ada", "right", client(1), Ok("ada"));
    for _ in 0..5 {
        check(&login, "ada", "guess", client(1), WRONG);
    }
    check(&login, "ada", "right", client(1), wait(1));
    clock.advance(seconds(101));
    check(&login, "ada", "right", client(2), Ok("ada"));

    // Of clients: strangers count for the account, and whom it knows as what they are to it.
    let (login, clock) = with_room_for(8);
    check(&login, "ada", "right", client(1), Ok("ada"));
    for number in 0..40 {
        check(&login, &format!("name {number}"), "guess", client(100 + number / 5), WRONG);
    }
    clock.advance(seconds(800));
    check(&login, "ada", "right", client(2), Ok("ada"));
    for _ in 0..10 {
        check(&login, "ada", "guess", client(3), WRONG);
    }
    check(&login, "ada", "right", client(4), wait(1));
    check(&login, "ada", "right", client(1), Ok("ada"));
    for _ in 0..5 {
        check(&login, "ada", "guess", client(1), WRONG);
    }
    check(&login, "ada", "right", client(1), wait(1));
}

/// What a guard answers, and what people are told of it.
#[test]
fn errors_say_what_is_wrong() {
    let pause = seconds(3);
    for (error, status, retry_after) in [
        (LoginError::Wrong, 401, None),
        (LoginError::Throttled(pause), 429, Some(pause)),
        (LoginError::Busy(pause), 503, Some(pause)),
    ] {
        let refusal = error.refusal();
        assert_eq!((refusal.status.as_u16(), refusal.retry_after), (status, retry_after), "{error}");
        assert_eq!(error.to_string(), refusal.reason);
    }
    let told: &[(&dyn Error, &str)] = &[
        (&HashingBusy, "too many passwords are being hashed"),
        (&TokensFull, "no token could be issued"),
        (&AccountsError::Random, "the system gave no random numbers"),
        (&SessionError::Random, "the system gave no random numbers"),
        (&SessionError::Data, "more data than a session keeps, or none that is JSON"),
        (&SessionError::Store(StoreError::Full), "as many sessions as may be"),
        (&StoreError::Gone, "the session is over"),
        (&StoreError::Unavailable, "the store of sessions cannot be reached"),
    ];
    for (error, text) in told {
        assert_eq!(error.to_string(), *text);
    }
}

/// An unknown name costs what a known one costs: processor time, of which other programs take nothing.
#[test]
fn unknown_names_cost_the_same() {
    let clock = Clock::manual();
    let lines = format!("ada:{}", super::argon2_params::hash("right", (8 << 10, 2, 1)));
    let login = Login::new(Accounts::parse(lines).expect("good"), clock.clone());
    let time = |name: &str, number: u32| {
        let start = spent();
        assert_eq!(login.check(name, b"guess", client(number)).err(), Some(LoginError::Wrong));
        clock.advance(seconds(4000));
        spent().checked_sub(start).unwrap()
    };
    time("ada", 0);
    // The fastest of several is what the work costs; the others are what the machine did besides.
    let known = (1..12).map(|number| time("ada", number)).min().expect("some");
    let unknown = (20..31).map(|number| time("nobody", number)).min().expect("some");
    let ratio = known.as_secs_f64() / unknown.as_secs_f64();
    assert!((0.5..2.0).contains(&ratio), "{known:?} for a known name, {unknown:?} for an unknown one");
}

/// Processor time of this thread so far.
fn spent() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).expect("a part of a second"))
}
