//! Requests to handlers, by path and method.

use super::{Handler, Plan};
use crate::message::{Request, Response};
use http::{HeaderValue, Method, StatusCode, header};

/// Chooses a handler by the path, compared as it was sent, and the method.
///
/// Paths are whole, begin with `/` and have no patterns: `/a` is neither `/a/` nor `/%61`. An unknown path is 404. A known path with another
/// method is 405 with Allow (RFC 9110 §15.5.6). HEAD goes to the handler of GET, and the server leaves the body out. OPTIONS
/// is answered with Allow. Who needs more matches on [`Request::path`] in a handler of his own.
///
/// ```
/// use selvedge::{Request, Router, StatusCode};
///
/// let router = Router::new()
///     .get("/", |_: &mut Request| "hello")
///     .post("/echo", |request: &mut Request| match std::str::from_utf8(request.body()) {
///         Ok(text) => Ok(text.to_owned()),
///         Err(_) => Err(StatusCode::BAD_REQUEST),
///     });
/// # let _ = router;
/// ```
#[derive(Default)]
pub struct Router {
    routes: Vec<Route>,
    any_path: Vec<(Method, Box<dyn Handler>)>,
}

struct Route {
    path: String,
    handlers: Vec<(Method, Box<dyn Handler>)>,
}

enum Found<'a> {
    Handler(&'a dyn Handler),
    /// The path is known, with these methods.
    Methods(Vec<&'a Method>),
    Nothing,
}

impl Router {
    /// A router that knows no path.
    pub fn new() -> Self {
        Router::default()
    }

    /// GET, and so HEAD, of `path`.
    #[must_use]
    pub fn get(self, path: &str, handler: impl Handler) -> Self {
        self.on(Method::GET, path, handler)
    }

    /// POST to `path`.
    #[must_use]
    pub fn post(self, path: &str, handler: impl Handler) -> Self {
        self.on(Method::POST, path, handler)
    }

    /// A method on `path`. The last handler given for a path and method counts.
    #[must_use]
    pub fn on(mut self, method: Method, path: &str, handler: impl Handler) -> Self {
        let at = self.routes.iter().position(|route| route.path == path).unwrap_or_else(|| {
            self.routes.push(Route { path: path.into(), handlers: Vec::new() });
            self.routes.len() - 1
        });
        let handlers = &mut self.routes[at].handlers;
        handlers.retain(|(known, _)| *known != method);
        handlers.push((method, Box::new(handler)));
        self
    }

    /// A method whatever the path, known or not. It comes before all that is said of paths; of several for one method, the
    /// first counts. GET brings HEAD with it, and makes every path a known one.
    #[must_use]
    pub fn on_any_path(mut self, method: Method, handler: impl Handler) -> Self {
        self.any_path.push((method, Box::new(handler)));
        self
    }

    fn methods_of<'a>(&'a self, route: &'a Route) -> Vec<&'a Method> {
        route.handlers.iter().chain(&self.any_path).map(|(method, _)| method).collect()
    }

    fn find(&self, request: &Request) -> Found<'_> {
        let as_get = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let among =
            |handlers| handler_of(handlers, request.method()).or_else(|| handler_of(handlers, as_get));
        if let Some(handler) = among(&self.any_path) {
            return Found::Handler(handler);
        }
        let path = request.path_octets();
        let Some(route) = self.routes.iter().find(|route| route.path.as_bytes() == path) else {
            // What can be fetched is there, whatever else cannot be done with it (RFC 9110 §15.5.5).
            return match handler_of(&self.any_path, &Method::GET) {
                Some(_) => Found::Methods(self.any_path.iter().map(|(method, _)| method).collect()),
                None => Found::Nothing,
            };
        };
        let handler = among(&route.handlers);
        handler.map_or_else(|| Found::Methods(self.methods_of(route)), Found::Handler)
    }
}

impl Handler for Router {
    fn handle(&self, request: &mut Request) -> Response {
        match self.find(request) {
            Found::Handler(handler) => handler.handle(request),
            Found::Methods(methods) => other_method(request, &methods),
            Found::Nothing if request.method() == Method::OPTIONS && request.path() == "*" => {
                Response::new(StatusCode::NO_CONTENT)
            }
            Found::Nothing => Response::problem(StatusCode::NOT_FOUND),
        }
    }

    fn plan(&self, request: &Request) -> Plan {
        match self.find(request) {
            Found::Handler(handler) => handler.plan(request),
            // The answer is known: nobody waits for the body, and who asks whether to send it is told not to.
            _ => Plan { instant: true, streams: true, ..Plan::default() },
        }
    }
}

fn handler_of<'a>(handlers: &'a [(Method, Box<dyn Handler>)], method: &Method) -> Option<&'a dyn Handler> {
    handlers.iter().find(|(known, _)| known == method).map(|(_, handler)| &**handler)
}

fn other_method(request: &Request, methods: &[&Method]) -> Response {
    let mut allow: Vec<&str> = Vec::new();
    let head = methods.contains(&&Method::GET).then_some("HEAD");
    for method in methods.iter().map(|method| method.as_str()).chain(head).chain(["OPTIONS"]) {
        if !allow.contains(&method) {
            allow.push(method);
        }
    }
    let mut response = match *request.method() {
        Method::OPTIONS => Response::new(StatusCode::NO_CONTENT),
        _ => Response::problem(StatusCode::METHOD_NOT_ALLOWED),
    };
    if let Ok(allow) = HeaderValue::from_str(&allow.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
