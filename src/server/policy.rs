//! What a server does with requests: the part of it that can be replaced while it runs.

use crate::config::Config;
use crate::guard::{ClientIdentity, Exchange, Guard, Guards, RateLimit, SecurityHeaders, Throttle, Validate};
use crate::http1::Limits;
use crate::message::Response;
use crate::monitor::AccessLog;
use crate::service::Handler;
use crate::sync::Arc;
use crate::threads::MinimumRate;

/// Limits, guards and handler. A connection keeps the ones it has for the request at hand, and takes the newest with the
/// next.
pub(super) struct Policy {
    pub(super) config: Config,
    /// Comes before all other guards, so that what they refuse is put down to the client and not to its proxy.
    pub(super) identity: ClientIdentity,
    pub(super) guards: Guards,
    pub(super) handler: Box<dyn Handler>,
    pub(super) access_log: Option<AccessLog>,
    /// Kept by the policy that follows if it limits the same, so that nobody is forgotten.
    rate_limit: Option<Arc<RateLimit>>,
    throttle: Option<Arc<Throttle>>,
}

impl Policy {
    pub(super) fn new(
        config: Config,
        headers: SecurityHeaders,
        others: Vec<Box<dyn Guard>>,
        access_log: Option<AccessLog>,
        handler: Box<dyn Handler>,
        before: Option<&Policy>,
    ) -> Self {
        let same_rate = before.filter(|before| before.config.rate_limit == config.rate_limit);
        let rate_limit = match same_rate {
            Some(before) => before.rate_limit.clone(),
            None => config.rate_limit.map(|rate| Arc::new(RateLimit::new(rate.count, rate.span))),
        };
        let same_throttle = before.filter(|before| before.config.throttle == config.throttle);
        let throttle = match same_throttle {
            Some(before) => before.throttle.clone(),
            None => config.throttle.map(|rate| Arc::new(Throttle::new(rate.count, rate.span))),
        };
        let identity = ClientIdentity::new(config.client_ip_from, config.trusted_proxies.clone());
        let validate = Validate::new(config.max_path).allow_hosts(&config.allow_hosts);
        let mut guards: Vec<Box<dyn Guard>> = vec![Box::new(headers), Box::new(validate)];
        guards.extend(rate_limit.clone().map(|guard| Box::new(guard) as Box<dyn Guard>));
        guards.extend(throttle.clone().map(|guard| Box::new(guard) as Box<dyn Guard>));
        guards.extend(others);
        Policy { identity, guards: Guards::new(guards), config, handler, access_log, rate_limit, throttle }
    }

    pub(super) fn limits(&self) -> Limits {
        let Config { max_request_line, max_head, max_headers, .. } = self.config;
        Limits { request_line: max_request_line, head: max_head, fields: max_headers }
    }

    pub(super) fn min_rate(&self) -> Option<MinimumRate> {
        let grace = self.config.rate_grace;
        self.config.min_rate.map(|bytes_per_second| MinimumRate { bytes_per_second, grace })
    }

    /// The one door: every response passes here before it is written.
    pub(super) fn seal(&self, exchange: &Exchange, response: &mut Response) {
        if response.body().is_problem() {
            response.spell_out_problem(&exchange.request);
        }
        if let Some(wait) = exchange.refusal.and_then(|refusal| refusal.retry_after) {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
        }
        self.guards.seal(exchange, response);
    }
}
