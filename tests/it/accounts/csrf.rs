//! Requests that other sites forge.

use super::wire::{ask, serve, with_csrf};
use selvedge::clock::Clock;
use selvedge::{Csrf, Guard, Request, Server, Sessions};

/// A server that gives out a session and its token, and takes any method.
fn server(sessions: &Sessions, guards: Vec<Box<dyn Guard>>) -> Server {
    let sessions = sessions.clone();
    serve(guards, move |request: &mut Request| {
        if request.path() == "/start" {
            sessions.set(request, &1).expect("room");
        }
        sessions.csrf_token(request).unwrap_or_default()
    })
}

/// A session's Cookie field, and its token.
fn start(server: &Server) -> (String, String) {
    let answer = ask(server, "GET", "/start", &[], "");
    (format!("Cookie: {}", answer.cookie()), answer.body().to_owned())
}

/// Where the request says that it comes from, twice over, and what token it brings: all 4 × 4 × 4 of a POST.
#[test]
fn the_matrix() {
    let sessions = Sessions::new(Clock::system());
    let server = server(&sessions, with_csrf(&sessions));
    let (cookie, token) = start(&server);
    let (_, other) = start(&server);
    let (right, wrong) = (format!("X-CSRF-Token: {token}"), format!("X-CSRF-Token: {other}"));

    let sites = [None, Some("same-origin"), Some("same-site"), Some("cross-site")];
    let origins = [None, Some("http://shop.example:8000"), Some("https://evil.example"), Some("null")];
    // The session and its token, without it, with another session's; and no session.
    let callers: [&[&str]; 4] = [&[&cookie, &right], &[&cookie], &[&cookie, &wrong], &[]];
    //                      token  none   wrong  no session
    let all = [true; 4];
    let none = [false; 4];
    let by_token = [true, false, false, true];
    let expected = [
        // Sec-Fetch-Site is absent: Origin decides, and without it the token.
        [by_token, all, none, none],
        // same-origin: nothing else is asked.
        [all, all, all, all],
        // same-site and cross-site: nothing else helps.
        [none, none, none, none],
        [none, none, none, none],
    ];
    let mut rows = 0;
    for (site, by_origin) in sites.iter().zip(expected) {
        for (origin, by_caller) in origins.iter().zip(by_origin) {
            for (caller, admitted) in callers.iter().zip(by_caller) {
                let site = site.map(|site| format!("Sec-Fetch-Site: {site}"));
                let origin = origin.map(|origin| format!("Origin: {origin}"));
                let mut fields = caller.to_vec();
                fields.extend(site.iter().chain(&origin).map(String::as_str));
                let status = ask(&server, "POST", "/", &fields, "").status;
                assert_eq!(status, if admitted { 200 } else { 403 }, "{fields:?}");
                let status = ask(&server, "GET", "/", &fields, "").status;
                assert_eq!(status, 200, "GET changes nothing: {fields:?}");
                rows += 1;
            }
        }
    }
    assert_eq!(rows, 64);
}

#[track_caller]
fn check(server: &Server, method: &str, fields: &[&str], status: u16) {
    assert_eq!(ask(server, method, "/", fields, "").status, status, "{method} {fields:?}");
}

#[test]
fn beside_the_matrix() {
    let sessions = Sessions::new(Clock::system());
    let server = server(&sessions, with_csrf(&sessions));
    let (cookie, token) = start(&server);
    let right = format!("X-CSRF-Token: {token}");
    for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
        check(&server, method, &[&cookie], 403);
        check(&server, method, &["Sec-Fetch-Site: cross-site"], 403);
        check(&server, method, &[&cookie, &right], 200);
    }
    for method in ["GET", "OPTIONS", "TRACE"] {
        check(&server, method, &[&cookie, "Sec-Fetch-Site: cross-site", "Origin: https://evil.example"], 200);
    }
    let rows: &[(&[&str], u16)] = &[
        (&["Sec-Fetch-Site: none"], 200),
        (&["Sec-Fetch-Site: Same-Origin"], 403),
        (&["Sec-Fetch-Site: "], 403),
        (&["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: same-origin"], 403),
        (&["Sec-Fetch-Site: same-origin", "Origin: https://evil.example"], 200),
        (&["Origin: http://shop.example:8000", "Origin: http://shop.example:8000"], 403),
        (&["Origin: HTTP://SHOP.example:8000"], 200),
        (&["Origin: https://shop.example:8000"], 200),
        (&["Origin: http://shop.example"], 403),
        (&["Origin: http://shop.example:80000"], 403),
        (&["Origin: http://shop.example:8000.evil.example"], 403),
        (&["Origin: http://evil.example/http://shop.example:8000"], 403),
        (&["Origin: http://ada@shop.example:8000"], 403),
        (&["Origin: ftp://shop.example:8000"], 403),
        (&["Origin: shop.example:8000"], 403),
        (&["Origin: http://"], 403),
        (&["Origin: "], 403),
        (&[&cookie, &right, &right], 403),
        (&[&cookie, "X-CSRF-Token: "], 403),
        (&["Cookie: __Host-sid=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"], 200),
    ];
    for (fields, status) in rows {
        check(&server, "POST", fields, *status);
    }
}

#[test]
fn usual_ports_may_be_left_out_and_others_trusted() {
    let sessions = Sessions::new(Clock::system());
    let csrf = Csrf::new(sessions.clone()).trust("https://Admin.example/");
    let server = server(&sessions, vec![Box::new(sessions.clone()), Box::new(csrf)]);
    let site = "Sec-Fetch-Site: cross-site";
    check(&server, "POST", &[site, "Origin: https://admin.example"], 200);
    check(&server, "POST", &[site, "Origin: http://admin.example"], 403);
    check(&server, "POST", &[site, "Origin: https://admin.example:444"], 403);
    check(&server, "POST", &["Origin: https://admin.example", "Origin: https://admin.example"], 403);
}
