//! The board as JSON: what the page and `selvedge top` are made from.

use super::{admin, gated};
use crate::support::{Client, Gate, builder, eventually, ms, request, serve};
use selvedge::{RateLimit, Request, Server};
use serde_json::Value;
use std::time::Duration;

fn board(admin: &Server, query: &str) -> Value {
    let answer = Client::connect(admin).get(&format!("/board.json?{query}"));
    assert_eq!((answer.status, answer.field("content-type")), (200, Some("application/json")));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn small() -> (Server, Gate) {
    let (gate, handler) = gated();
    let configure = |config: &mut selvedge::Config| {
        (config.max_connections, config.max_stand_ins, config.max_waiting) = (3, 1, 2);
        (config.max_in_flight, config.max_queued, config.queue_wait) = (2, 1, Duration::from_secs(60));
        config.seat_wait = Duration::from_secs(60);
    };
    (serve(configure, handler), gate)
}

#[test]
fn at_rest() {
    let server = serve(|_| (), |_: &mut Request| "hello");
    let admin = admin(&server);
    let board = board(&admin, "");
    assert_eq!(board["headline"], "All is well: 1,024 seats, all of them free");
    assert_eq!((&board["level"], &board["draining"]), (&"well".into(), &false.into()));
    for (name, expected) in
        [("seats", [0, 1024]), ("lobby", [0, 256]), ("flight", [0, 100]), ("queue", [0, 100])]
    {
        assert_eq!(board[name], serde_json::json!(expected), "{name}");
    }
    assert_eq!(
        (&board["board"], &board["rows"], &board["seat"]),
        (&Value::Array(vec![]), &Value::Array(vec![]), &Value::Null)
    );
    assert_eq!(board["addresses"][0], format!("http://{}", server.local_addr().expect("TCP")));
}

#[test]
fn seats_in_numbers_and_in_words() {
    let (server, gate) = small();
    let admin = admin(&server);
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(&server)).collect();
    clients[0].send(request("GET", "/first"));
    gate.wait_for(1);
    clients[1].send(request("PUT", "/%3Cscript%3E'&?q=secret"));
    gate.wait_for(2);
    clients[2].send(request("GET", "/third"));
    eventually("the third waits for a handler", || board(&admin, "")["queue"] == serde_json::json!([1, 1]));
    let lobby = Client::connect(&server);
    eventually("a fourth waits for a seat", || board(&admin, "")["lobby"] == serde_json::json!([1, 2]));

    let all = board(&admin, "rows=9&seat=1");
    assert_eq!(all["headline"], "Seats are full: 1 connection waits; everybody there is being served");
    assert_eq!(all["level"], "strained");
    assert_eq!(all["phases"], serde_json::json!([0, 0, 0, 1, 2, 0, 0, 0]));
    let cells: Vec<_> =
        all["board"].as_array().expect("cells").iter().map(|cell| (&cell[0], &cell[1])).collect();
    assert_eq!(cells, [(&0.into(), &5.into()), (&1.into(), &5.into()), (&2.into(), &4.into())]);
    let rows = all["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[0]["request"], &rows[0]["phase"]), (&"GET /first".into(), &"handling".into()));
    let seat = &all["seat"];
    assert_eq!(seat["request"], "PUT /%3Cscript%3E'&", "without its query");
    assert_eq!(
        (&seat["number"], &seat["thread"], &seat["past"]),
        (&1.into(), &"worker-2".into(), &false.into())
    );
    assert!(seat["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{seat}");
    assert!(seat["left"].as_u64().is_some_and(|left| left <= 30_000), "{seat}");
    // Nothing asked for, or nothing that can be.
    for query in
        ["", "seat=7", "seat=x", "seat=-1", "seat=99999999999999999999", "rows=-1", "since=x", "&&=&"]
    {
        assert_eq!(board(&admin, query)["seat"], Value::Null, "{query}");
    }
    assert_eq!(board(&admin, "rows=1000000")["rows"].as_array().map(Vec::len), Some(3));
    drop(lobby);
    gate.open(3);
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn a_seat_between_requests() {
    let server = serve(|_| {}, |_: &mut selvedge::Request| "");
    let admin = admin(&server);
    let mut client = Client::connect(&server);
    client.get("/last");
    eventually("it is idle", || board(&admin, "seat=0")["seat"]["phase"] == "idle");
    let seat = board(&admin, "seat=0")["seat"].clone();
    assert_eq!((&seat["request"], &seat["past"]), (&"GET /last".into(), &true.into()));
}

#[test]
fn the_sentence_says_what_is_wrong() {
    let (gate, handler) = gated();
    let server = serve(|config| config.handler_timeout = ms(1), handler);
    let admin = admin(&server);
    let headline = || board(&admin, "")["headline"].as_str().unwrap_or_default().to_owned();
    let mut client = Client::connect(&server);
    client.send(request("GET", "/stuck"));
    gate.wait_for(1);
    eventually("a handler is stuck", || headline().starts_with("A handler is stuck: GET /stuck, for "));
    assert!(!headline().contains(" for 0 s"), "{}", headline());
    assert_eq!(board(&admin, "")["board"][0][4], 2, "its seat is marked");
    std::thread::scope(|scope| {
        scope.spawn(|| server.shutdown(Duration::from_secs(5)));
        eventually("it drains", || headline() == "Draining: 1 request left");
        gate.open(1);
    });
    assert_eq!(headline(), "Stopped: every connection has ended");
}

/// Who has been refused for now, who asks most, and what happened, second by second and only once.
#[test]
fn what_happens_is_told() {
    let server = builder(|config| config.max_connections_per_client = Some(2))
        .guard(RateLimit::per_minute(5))
        .serve(|_: &mut Request| "hello")
        .expect("it starts");
    let admin = admin(&server);
    eventually("the first sample is there", || board(&admin, "")["history"]["last"] != 0);
    let mut client = Client::connect(&server);
    for _ in 0..9 {
        client.get("/");
    }
    let _second = Client::connect(&server);
    assert_eq!(Client::connect(&server).answer().status, 503);
    let event = |what: &str| {
        let board = board(&admin, "since=0");
        board["events"].as_array().expect("events").iter().find(|event| event["what"] == what).cloned()
    };
    eventually("the refusals are told", || event("rate limit").is_some());
    let refused = event("rate limit").expect("told");
    assert_eq!((&refused["count"], &refused["client"]), (&4.into(), &Value::Null));
    eventually("the third connection is told of", || event("too many connections of one client").is_some());
    assert_eq!(event("too many connections of one client").expect("told")["client"], "127.0.0.1");
    eventually("they are ranked", || board(&admin, "")["busiest"][0]["requests"] == 9);
    let all = board(&admin, "");
    assert_eq!(all["busiest"][0]["client"], "127.0.0.1");
    assert_eq!(
        (&all["limited"]["count"], &all["limited"]["longest"][0]["client"]),
        (&1.into(), &"127.0.0.1".into())
    );
    assert_eq!(all["holders"][0]["seats"], 2);

    let last = all["history"]["last"].as_u64().expect("a number");
    let news = board(&admin, &format!("since={last}"));
    let newer = news["history"]["last"].as_u64().expect("a number") - last;
    assert_eq!(news["history"]["served"].as_array().map(Vec::len), usize::try_from(newer).ok());
    let unknown = board(&admin, "since=4000000000");
    assert!(!unknown["history"]["served"].as_array().expect("samples").is_empty(), "another server's number");
}
