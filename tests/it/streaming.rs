//! Bodies that handlers read themselves, as they come.

use crate::admission::assert_overload;
use crate::support::{Broken, Client, Gate, PATIENCE, eventually, ms, post, request, serve};
use selvedge::{Config, HeaderMap, Request, Router, Server, Streaming};
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

/// A server of one permit: `/count` reads its body piece by piece and tells of each, `/first` reads four bytes, `/none`
/// none, `/plain` is read by the server.
fn streaming(limit: u64) -> (Server, Receiver<Result<Vec<u8>, io::ErrorKind>>) {
    let (tell, told) = channel();
    let told_of = Mutex::new(tell);
    let count = move |request: &mut Request| {
        let tell: Sender<_> = told_of.lock().expect("whole").clone();
        let mut total = 0;
        loop {
            let mut block = [0; 100];
            let read = request.body_reader().read(&mut block);
            let _ = tell.send(read.as_ref().map(|&count| block[..count].to_vec()).map_err(io::Error::kind));
            match read {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(_) => return "failed".to_owned(),
            }
        }
        let trailers = request.trailers().map_or(0, HeaderMap::len);
        format!("{total} bytes, {trailers} trailers, {} in memory", request.body().len())
    };
    let router = Router::new()
        .post("/count", Streaming(count))
        .post(
            "/first",
            Streaming(|request: &mut Request| {
                let mut first = [0; 4];
                request.body_reader().read_exact(&mut first).map_or("failed", |()| "four")
            }),
        )
        .post("/none", Streaming(|_: &mut Request| "unread"))
        .post("/panic", Streaming(|_: &mut Request| -> &str { std::panic::resume_unwind(Box::new("cause")) }))
        .get("/plain", |_: &mut Request| "plain");
    let server = serve(
        |config| {
            config.max_in_flight = 1;
            config.max_body = limit;
            config.min_rate = Some(100);
            config.rate_grace = ms(200);
        },
        router,
    );
    (server, told)
}

fn next(told: &Receiver<Result<Vec<u8>, io::ErrorKind>>) -> Result<Vec<u8>, io::ErrorKind> {
    told.recv_timeout(PATIENCE).expect("it reads on")
}

#[test]
fn streamed_bodies_come_as_they_are_sent() {
    let (server, told) = streaming(1000);
    let mut client = Client::connect(&server);
    let mut other = Client::connect(&server);

    // With a length, and a next request on its heels.
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhell");
    assert_eq!(next(&told), Ok(b"hell".to_vec()));
    // The one permit is free while the client is waited for.
    assert_eq!(other.get("/plain").text(), "plain");
    client.send("o yo".to_owned() + &request("GET", "/plain"));
    assert_eq!(next(&told), Ok(b"o yo".to_vec()));
    assert_eq!(next(&told), Ok(Vec::new()));
    assert_eq!(client.answer().text(), "8 bytes, 0 trailers, 0 in memory");
    assert_eq!(client.answer().text(), "plain");

    // In chunks, with trailers, asked for.
    let head =
        "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(client.ask(head).status, 100);
    client.send("2\r\nhi\r\n");
    assert_eq!(next(&told), Ok(b"hi".to_vec()));
    assert_eq!(other.get("/plain").text(), "plain");
    client.send("1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n");
    assert_eq!(next(&told), Ok(b"!".to_vec()));
    assert_eq!(next(&told), Ok(Vec::new()));
    assert_eq!(client.answer().text(), "3 bytes, 1 trailers, 0 in memory");
    assert_eq!(client.get("/plain").text(), "plain");
    // None at all.
    assert_eq!(client.ask(post("/count", "")).text(), "0 bytes, 0 trailers, 0 in memory");
    assert_eq!(client.ask(request("POST", "/count")).text(), "0 bytes, 0 trailers, 0 in memory");
}

#[test]
fn streamed_bodies_that_are_read_in_part_end_the_connection() {
    let (server, _) = streaming(1000);
    for (path, body, status, text, goes_on) in [
        ("/first", "four", 200, Some("four"), true),
        ("/first", "fourteen", 200, Some("four"), false),
        // Nothing of it was taken: what is small enough is thrown away.
        ("/none", "unread", 200, Some("unread"), true),
        ("/panic", "unread", 500, None, false),
    ] {
        let mut client = Client::connect(&server);
        let smuggled = request("GET", "/plain");
        let answer = client.ask(post(path, body) + &smuggled);
        assert_eq!(answer.status, status, "{path}");
        assert!(text.is_none_or(|text| answer.text() == text), "{path}");
        if goes_on {
            assert_eq!(client.answer().text(), "plain");
        } else {
            assert!(answer.closes(), "{path} {body}");
            client.expect_end();
        }
    }
}

#[test]
fn streamed_bodies_have_limits() {
    let (server, told) = streaming(10);
    // Announced, it is refused before the handler hears of it.
    let mut client = Client::connect(&server);
    client.send(post("/count", "more than ten"));
    assert_eq!(client.last_answer().status, 413);
    // Otherwise the handler is told, and whatever it makes of that, so is the client.
    let head = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, ends, status) in [
        ("8\r\nin limit\r\n8\r\n", false, 413),
        ("8\r\nin limit\r\nx", false, 400),
        ("8\r\nin limit\r\n", true, 400),
    ] {
        let mut client = Client::connect(&server);
        client.send(format!("{head}{body}"));
        if ends {
            client.stream.shutdown(std::net::Shutdown::Write).expect("open");
        }
        assert_eq!(next(&told), Ok(b"in limit".to_vec()), "{body}");
        assert!(next(&told).is_err(), "{body}");
        let answer = client.last_answer();
        assert_eq!((answer.status, answer.closes()), (status, true), "{body}");
    }
}

/// A handler whose body broke off works on, and counts as all who work do: it is handled, it holds a place among the requests in
/// flight, and it can be stuck.
#[test]
fn streamed_bodies_that_break_off_leave_a_handler_at_work() {
    const CUT_SHORT: &str = "POST /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx";
    let (gate, (begins, begun)) = (Gate::default(), channel());
    let (at_gate, begins) = (gate.clone(), Mutex::new(begins));
    let cut = move |request: &mut Request| {
        let _ = request.body_reader().read_exact(&mut [0]);
        let _ = begins.lock().expect("whole").send(());
        let read = request.body_reader().read_to_end(&mut Vec::new());
        at_gate.pass();
        read.map_or("cut short", |_| "whole")
    };
    let configure = |config: &mut Config| {
        (config.max_in_flight, config.max_queued, config.queue_wait) = (1, 1, ms(50));
        config.handler_timeout = ms(50);
    };
    let server =
        serve(configure, Router::new().post("/cut", Streaming(cut)).get("/", |_: &mut Request| "hello"));
    // Each holds no place while it is waited for.
    let [mut first, mut second] = [(); 2].map(|()| {
        let mut client = Client::connect(&server);
        client.send(CUT_SHORT);
        begun.recv_timeout(PATIENCE).expect("it is handled");
        client
    });
    let break_off = |client: &Client| client.stream.shutdown(std::net::Shutdown::Write).expect("open");
    break_off(&first);
    gate.wait_for(1);
    assert_overload(&Client::connect(&server).get("/"), false);
    eventually("it is stuck", || server.monitor().stuck_handlers() == 1);
    // For the second there is no place in time: it goes on all the same, and is counted.
    break_off(&second);
    gate.wait_for(2);
    gate.open(1);
    gate.wait_for(1);
    assert_overload(&Client::connect(&server).get("/"), false);
    gate.open(1);
    assert_eq!([first.last_answer().status, second.last_answer().status], [400; 2]);
    assert_eq!(Client::connect(&server).get("/").text(), "hello");
}

/// A body that crawls ends, however often a byte of it comes.
#[test]
fn streamed_bodies_have_a_minimum_rate() {
    let (server, _told) = streaming(1000);
    let mut client = Client::connect(&server);
    client.stream.set_read_timeout(Some(ms(20))).expect("a socket");
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx");
    let began = Instant::now();
    let answer = loop {
        match client.read(false) {
            Err(Broken::TimedOut) => client.send_regardless("x"),
            answer => break answer,
        }
        assert!(began.elapsed() < ms(1500), "still served");
    };
    assert_eq!(answer.expect("an answer").status, 408);
    assert!(began.elapsed() >= ms(200), "{:?}", began.elapsed());
}
