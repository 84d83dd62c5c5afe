//! The table of settings: each limit's name, bounds and help, once.

use super::Config;
use super::value::{GIB, HOUR, KIB, Kind, MIB, MINUTE, SECOND, bytes, count, per_time, time};

/// One limit of a [`Config`], as it is written on a command line, in the environment or in a file.
#[derive(Debug)]
#[non_exhaustive]
pub struct Setting {
    /// Its name in kebab case, which is its flag without the dashes.
    pub name: &'static str,
    /// What stands for its value in a usage line: `N`, `SIZE`, `TIME|off` …
    pub value_name: &'static str,
    /// What it limits, in half a line.
    pub help: &'static str,
    /// Where it belongs in a long list.
    pub group: Group,
    /// Its value, as it would be written: sizes in the largest exact unit, an absent limit as `off`.
    pub show: fn(&Config) -> String,
    /// Reads its value; what is wrong with a text is said with what would be right.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
}

/// What a setting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Group {
    /// Who gets a seat.
    Connections,
    /// Which requests are handled, and when.
    Requests,
    /// How large a message may be.
    Sizes,
    /// How long things may take.
    Times,
}

impl Group {
    /// The heading above the group's settings.
    pub const fn title(self) -> &'static str {
        match self {
            Group::Connections => "Connections",
            Group::Requests => "Requests",
            Group::Sizes => "Sizes of a message",
            Group::Times => "Times",
        }
    }
}

macro_rules! settings {
    ($($group:ident { $($name:literal, $field:ident: $kind:expr, $help:literal;)* })*) => {
        /// Every setting but `bind`, which is a list, in the order in which help shows them.
        ///
        /// ```
        /// use selvedge::config::{Config, SETTINGS};
        ///
        /// let mut config = Config::default();
        /// let setting = SETTINGS.iter().find(|setting| setting.name == "max-body").unwrap();
        /// assert_eq!((setting.show)(&config), "1MiB");
        /// (setting.set)(&mut config, "2MiB").unwrap();
        /// assert_eq!(config.max_body, 2 << 20);
        /// ```
        pub static SETTINGS: &[Setting] = &[$($(Setting {
            name: $name,
            value_name: $kind.value_name,
            help: $help,
            group: Group::$group,
            show: |config| $kind.show(config.$field),
            set: |config, text| {
                config.$field = $kind.parse(text)?;
                Ok(())
            },
        },)*)*];
    };
}

settings! {
    Connections {
        "max-connections", max_connections: count(1, 65_536), "Connections served at once, one thread each";
        "max-connections-per-client", max_connections_per_client: count(1, 65_536).or_off(),
            "Of these, connections of one client";
        "max-waiting", max_waiting: count(1, 65_536), "Connections that wait for a seat; past it 503";
        "seat-wait", seat_wait: time(1, MINUTE), "How long they wait for it before 503";
        "fair-share", fair_share: count(1, 1_000_000), "Requests past which a connection gives way";
        "stack-size", stack_size: bytes(64 * KIB, 64 * MIB), "Stack of a worker thread";
        "max-stand-ins", max_stand_ins: count(0, 4096), "Extra threads in place of stuck handlers";
    }
    Requests {
        "max-in-flight", max_in_flight: count(1, 65_536), "Requests handled at once";
        "max-queued", max_queued: count(0, 65_536), "Requests that wait for one of these to end; past it 503";
        "queue-wait", queue_wait: time(1, MINUTE), "How long a request waits to be handled before 503";
        "rate-limit", rate_limit: per_time(100_000, SECOND, 24 * HOUR).or_off(),
            "Requests of a client per TIME; past it 429";
        "throttle", throttle: per_time(100_000, SECOND, 24 * HOUR).or_off(),
            "Refusals past which refusals grow longer; 429";
        "max-buffered", max_buffered: bytes(KIB, 1024 * GIB), "Bodies in memory, all together; past it 503";
        "max-memory", max_memory: bytes(16 * MIB, 1024 * GIB).or_off(), "Memory of the process, or 80% of its cgroup's";
    }
    Sizes {
        "max-body", max_body: bytes(1, 1024 * GIB), "A request's body; past it 413";
        "max-path", max_path: bytes(1, 64 * KIB), "A request's path without its query; past it 400";
        "max-request-line", max_request_line: bytes(16, 64 * KIB), "The request line; past it 414";
        "max-head", max_head: bytes(64, MIB), "The head, request line included; past it 431";
        "max-headers", max_headers: count(1, 1024), "Fields in the head; past it 431";
    }
    Times {
        "handshake-timeout", handshake_timeout: time(1, HOUR), "For a TLS handshake";
        "header-timeout", header_timeout: time(1, HOUR), "For a whole head to arrive; past it 408";
        "body-timeout", body_timeout: time(1, 24 * HOUR), "For a whole body to arrive; past it 408";
        "min-rate", min_rate: bytes(1, GIB).or_off(), "Bytes a second a body has to arrive with; below it 408";
        "rate-grace", rate_grace: time(1, HOUR), "How long a body may be slower at its start";
        "write-timeout", write_timeout: time(1, 24 * HOUR), "For an answer to be read by its client";
        "keep-alive", keep_alive: time(1, 24 * HOUR), "How long a connection may be idle between requests";
        "handler-timeout", handler_timeout: time(1, 24 * HOUR), "How long a handler runs before it counts as stuck";
        "drain-timeout", drain_timeout: time(1, 24 * HOUR), "How long a shutdown waits for requests; 1 s more to cut them";
    }
}
