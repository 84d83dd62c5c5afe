//! Which lessons there are, in the order in which they are best read.

pub struct Lesson {
    /// `cargo run --example NAME`
    pub name: &'static str,
    pub title: &'static str,
    /// What one knows afterwards.
    pub sentence: &'static str,
}

pub const LESSONS: [Lesson; 11] = [
    Lesson {
        name: "race",
        title: "one ticket, several threads",
        sentence: "Between the check and the act stands another thread: a one-time token used twice.",
    },
    Lesson {
        name: "limiter",
        title: "a rate limit that miscounts",
        sentence: "The same race in a rate limiter, which also never forgets anybody.",
    },
    Lesson {
        name: "deadlock",
        title: "two locks, two threads, for ever",
        sentence: "Locks in two orders, and a lock held across a slow client's socket.",
    },
    Lesson {
        name: "exhaustion",
        title: "clients that take their time",
        sentence: "Slow clients take all threads, or make ever more of them, unless seats are taken back.",
    },
    Lesson {
        name: "fairness",
        title: "the guest who does not leave",
        sentence: "A busy keep-alive connection starves the others until it gets no more than its share.",
    },
    Lesson {
        name: "overload",
        title: "a queue without an end",
        sentence: "Who queues everything answers nobody in time; who refuses early serves at full capacity.",
    },
    Lesson {
        name: "shutdown",
        title: "the last second of a server",
        sentence: "How many answers are lost when a process just ends, and how none are.",
    },
    Lesson {
        name: "memory",
        title: "small requests that cost much",
        sentence: "A length, some brackets and chunks without an end: three ways to kill a trusting server.",
    },
    Lesson {
        name: "smuggling",
        title: "where does a request end?",
        sentence: "Two readers of the same bytes disagree, and a second request slips in between.",
    },
    Lesson {
        name: "timing",
        title: "a comparison that talks",
        sentence: "A stopwatch reads a secret off `==`, one character after the other.",
    },
    Lesson {
        name: "fixation",
        title: "the key you were given",
        sentence: "An attacker chooses his victim's session id, waits for the login, and walks in.",
    },
];

pub fn find(name: &str) -> Option<&'static Lesson> {
    LESSONS.iter().find(|lesson| lesson.name == name)
}

/// The lesson to go on with.
pub fn after(name: &str) -> Option<&'static Lesson> {
    LESSONS.iter().skip_while(|lesson| lesson.name != name).nth(1)
}
