//! The page, as a browser shows it. Without one on this machine there is nothing to test; `scripts/test` installs one.

use super::admin;
use crate::support::{Client, request, serve};
use rustix::process::{Pid, Signal, kill_process_group};
use selvedge::{Request, Server};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a page may take for anything, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page, driven by its own protocol over pipes.
struct Browser {
    child: Child,
    ask: ChildStdin,
    answers: Receiver<Value>,
    next: u64,
    session: Option<String>,
    /// Whatever went wrong on the page.
    complaints: Vec<Value>,
    profile: PathBuf,
}

impl Browser {
    fn start(name: &str) -> Option<Browser> {
        let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|program| {
            let version =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        })?;
        let profile =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        // The protocol is spoken over the descriptors 3 and 4.
        let script = format!(
            "exec {program} --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
             --user-data-dir={} --window-size=1280,900 --remote-debugging-pipe about:blank 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            profile.display()
        );
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let ask = child.stdin.take().expect("a pipe");
        let answers = listen(child.stdout.take().expect("a pipe"));
        let mut browser =
            Browser { child, ask, answers, next: 0, session: None, complaints: Vec::new(), profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let target = &target["targetId"];
        let attached = browser.call("Target.attachToTarget", &json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.ask.write_all(&bytes).expect("it reads");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.answers.recv_timeout(left).unwrap_or_else(|_| panic!("no answer to {method}"));
            if answer["id"] == self.next {
                assert_eq!(answer["error"], Value::Null, "{method}");
                return answer["result"].clone();
            }
            self.note(answer);
        }
    }

    /// Whatever a developer would see in red.
    fn note(&mut self, event: Value) {
        let bad = match event["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded") => true,
            Some("Network.responseReceived") => event["params"]["response"]["status"].as_u64() >= Some(400),
            _ => false,
        };
        if bad {
            self.complaints.push(event);
        }
    }

    fn open(&mut self, server: &Server) {
        let url = format!("http://{}/board", server.local_addr().expect("TCP"));
        self.call("Page.navigate", &json!({"url": url}));
    }

    /// The value of an expression on the page; null if it has none, as before the page is there.
    fn value(&mut self, expression: &str) -> Value {
        let result = self.call("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}));
        result["result"]["value"].clone()
    }

    /// Waits until the expression has this value.
    #[track_caller]
    fn wait_for(&mut self, expression: &str, expected: impl Into<Value>) {
        let expected = expected.into();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.value(expression);
            if value == expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{expression} is {value}, not {expected}: {:?}",
                self.complaints
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let text = if key.len() == 1 { key } else { "" };
            self.call("Input.dispatchKeyEvent", &json!({"type": kind, "key": key, "text": text}));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Messages, each ended by a NUL.
fn listen(out: ChildStdout) -> Receiver<Value> {
    let (tell, answers) = channel();
    std::thread::spawn(move || {
        for message in BufReader::new(out).split(0) {
            let Ok(Ok(message)) = message.map(|bytes| serde_json::from_slice(&bytes)) else { return };
            if tell.send(message).is_err() {
                return;
            }
        }
    });
    answers
}

const HEADLINE: &str = "document.getElementById('headline').textContent";

fn phase(seat: usize) -> String {
    format!("document.getElementById('seat-{seat}')?.dataset.phase ?? 'free'")
}

#[test]
fn the_board_lives() {
    let Some(mut browser) = Browser::start("the-board-lives") else {
        eprintln!("skipped: no chromium here; scripts/test installs one");
        return;
    };
    // Nothing here ends by itself before the slowest of browsers has seen it.
    let configure = |config: &mut selvedge::Config| {
        config.max_connections = 64;
        (config.header_timeout, config.keep_alive) = (10 * PATIENCE, 10 * PATIENCE);
    };
    let (enter, entered) = channel();
    let (let_go, held) = channel::<()>();
    let (enter, held) = (Mutex::new(enter), Mutex::new(held));
    let handler = move |_: &mut Request| {
        let _ = enter.lock().expect("whole").send(());
        let _ = held.lock().expect("whole").recv_timeout(10 * PATIENCE);
        "passed"
    };
    let server = serve(configure, handler);
    let admin = admin(&server);
    browser.open(&admin);
    browser.wait_for(HEADLINE, "All is well: 64 seats, all of them free");
    browser.wait_for("document.getElementById('banner').dataset.level", "well");
    browser.wait_for("document.querySelectorAll('#cloth > .seat').length", 64);
    browser.wait_for("document.querySelectorAll('#legend li').length", 8);
    browser.wait_for(&phase(0), "free");

    // Cells go through the phases of their connections.
    let mut half = Client::connect(&server);
    half.send("GET /half HTTP/1.1\r\nHo");
    browser.wait_for(&phase(0), "2");
    let mut busy = Client::connect(&server);
    busy.send(request("GET", "/a%3Cb%3E&'"));
    entered.recv_timeout(PATIENCE).expect("it is handled");
    browser.wait_for(&phase(1), "5");
    browser.wait_for(HEADLINE, "All is well: 2 of 64 seats busy");
    browser.wait_for("document.querySelector('#gauge-flight .amount').textContent", "1of 100");
    browser.wait_for("document.getElementById('seat-1').getAttribute('aria-label')", "Seat 1, being handled");
    browser.wait_for("document.getElementById('count-handling').textContent", "1");

    // The keyboard leads to a seat, and what is told of it is text, whatever was asked for.
    browser.value("document.getElementById('seat-0').focus()");
    browser.press("n");
    browser.wait_for("document.activeElement.id", "seat-1");
    browser.wait_for("document.querySelector('#detail code')?.textContent", "GET /a%3Cb%3E&'");
    browser.press("ArrowRight");
    browser.wait_for("document.activeElement.id", "seat-2");
    browser.wait_for("document.querySelector('#detail strong').textContent", "Seat 2: free");

    let_go.send(()).expect("it waits");
    assert_eq!(busy.answer().status, 200);
    browser.wait_for(&phase(1), "7");
    browser.wait_for("document.querySelector('#count-idle').textContent", "1");
    drop(busy);
    browser.wait_for(&phase(1), "free");

    // Plots, and a table of who asks.
    browser.wait_for("document.querySelectorAll('#plot-rate path').length > 3", true);
    browser.wait_for("document.querySelector('#busiest td').textContent", "127.0.0.1");
    browser.wait_for("document.querySelector('#holders td').textContent", "127.0.0.1");
    assert!(browser.complaints.is_empty(), "the console is empty: {:?}", browser.complaints);

    // It says so when nobody answers any more.
    drop(admin);
    browser.wait_for("document.getElementById('banner').dataset.level", "gone");
    browser.wait_for(&format!("{HEADLINE}.startsWith('The server does not answer')"), true);
}
