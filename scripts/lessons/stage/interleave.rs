//! A scheduler that has no luck: it tries every order in which threads can take their steps.

/// A step that nobody can interrupt. It is told which thread takes it, and says whether it could: a step that finds a
/// lock taken could not, and changes nothing.
pub struct Step<S> {
    pub name: &'static str,
    pub take: fn(&mut S, usize) -> bool,
}

/// One order, and what it led to.
pub struct Run<S> {
    /// Which thread took its next step, one after the other.
    pub order: Vec<usize>,
    pub end: S,
    /// Nobody could go on, and somebody was not done.
    pub stuck: bool,
}

/// Every order of the steps of `threads`, each from a fresh beginning.
pub fn every_order<S>(begin: &dyn Fn() -> S, threads: &[&[Step<S>]]) -> Vec<Run<S>> {
    let mut runs = Vec::new();
    explore(begin, threads, &mut Vec::new(), &mut runs);
    runs
}

fn explore<S>(begin: &dyn Fn() -> S, threads: &[&[Step<S>]], order: &mut Vec<usize>, runs: &mut Vec<Run<S>>) {
    let mut went_on = false;
    for thread in 0..threads.len() {
        // What has happened so far, once more, so that no state has to be copied.
        let (mut state, taken) = replay(begin, threads, order);
        let next = threads[thread].get(taken[thread]);
        if next.is_some_and(|step| (step.take)(&mut state, thread)) {
            went_on = true;
            order.push(thread);
            explore(begin, threads, order, runs);
            order.pop();
        }
    }
    if !went_on {
        let (end, taken) = replay(begin, threads, order);
        let done = taken.iter().zip(threads).all(|(taken, steps)| *taken == steps.len());
        runs.push(Run { order: order.clone(), end, stuck: !done });
    }
}

/// The state after the steps of `order`, and how many steps each thread has taken.
fn replay<S>(begin: &dyn Fn() -> S, threads: &[&[Step<S>]], order: &[usize]) -> (S, Vec<usize>) {
    let (mut state, mut taken) = (begin(), vec![0; threads.len()]);
    for &thread in order {
        (threads[thread][taken[thread]].take)(&mut state, thread);
        taken[thread] += 1;
    }
    (state, taken)
}

impl<S> Run<S> {
    /// The names of the steps in their order, each with its thread.
    pub fn steps<'a>(
        &'a self,
        threads: &'a [&[Step<S>]],
    ) -> impl Iterator<Item = (usize, &'static str)> + 'a {
        let mut taken = vec![0; threads.len()];
        self.order.iter().map(move |&thread| {
            taken[thread] += 1;
            (thread, threads[thread][taken[thread] - 1].name)
        })
    }
}
