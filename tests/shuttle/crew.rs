//! The pool and the lobby, as the server joins them: [`Pool`] and [`Lobby`].

use super::{Gate, Inside, Notes, STACK, at_millis, explore, join, millis};
use selvedge::clock::Tick;
use selvedge::threads::{Arrival, Lobby, LobbySettings, Pool, PoolSettings, Seat};
use shuttle::thread;
use std::sync::Arc;
use std::time::Duration;

const NOW: Tick = at_millis(0);
/// Threads may lose their patience at any moment.
const HASTY: Duration = Duration::ZERO;
/// Threads stay until the pool is closed.
const PATIENT: Duration = millis(1);

fn pool<J: Send + 'static>(
    max_threads: usize,
    idle_timeout: Duration,
    run: impl Fn(J) + Send + Sync + 'static,
) -> Pool<J> {
    Pool::new(PoolSettings { name: "worker", max_threads, stack_size: STACK, idle_timeout }, run)
}

fn finish<J: Send + 'static>(pool: &Pool<J>) {
    pool.close();
    assert!(pool.wait_until_empty(None));
    assert_eq!((pool.threads(), pool.idle()), (0, 0));
}

type Job = (Seat<usize>, usize);

/// Seats, a pool with a thread for each, and what became of the guests.
struct House {
    lobby: Arc<Lobby<usize>>,
    pool: Pool<Job>,
    refused: Notes,
    sent_back: Notes,
}

const GUESTS: usize = 8;
const SEATS: usize = 2;
/// A worker that served this one panics.
const CURSED: usize = 5;

impl House {
    /// What the server does with a guest and a seat: a worker has them, or the guest waits again.
    fn start(&self, (seat, guest): Job) {
        if let Err((seat, guest)) = self.pool.submit((seat, guest)) {
            self.sent_back.add(guest);
            if let Err(guest) = self.lobby.send_back(seat, guest, NOW) {
                self.refused.add(guest);
            }
        }
    }

    fn arrive(&self, guest: usize) {
        match self.lobby.arrive(guest, NOW) {
            Arrival::Seated(seat, guest) => self.start((seat, guest)),
            Arrival::Waiting => {}
            Arrival::TurnedAway(guest) => self.refused.add(guest),
        }
    }

    /// What the watchdog does for those who wait.
    fn attend(&self) {
        while let Some(job) = self.lobby.call_next() {
            let waiting = self.lobby.waiting();
            self.start(job);
            if self.lobby.waiting() > waiting {
                break;
            }
        }
    }
}

/// Eight guests come, a watchdog calls in who was sent back, a seat is added and taken away, and in the middle of it the
/// lobby and the pool are closed: every guest is served once or turned away once, never more are served at once than
/// there are threads, and every seat and every thread is given back.
///
/// Thirteen threads. Caught: `wait_for_job` that leaves even if every waiting thread has been sent a job, and one that
/// asks whether any thread waits (a guest lost); `send_back` that does not ask whether the lobby is closed, and `close`
/// that drains under one lock and closes under the next (a guest lost); `>` for `==` in `submit`'s look at the bound
/// (three inside).
#[test]
fn every_guest_is_served_or_turned_away() {
    let races =
        ["a guest was sent back", "the close emptied the queue", "everybody was served", "nobody was"];
    explore(races, || {
        let served = Arc::new(Notes::default());
        let inside = Arc::new(Inside::default());
        let (serving, noted) = (inside.clone(), served.clone());
        let pool = pool(SEATS, HASTY, move |job: Job| {
            let (mut next, mut last) = (Some(job), 0);
            while let Some((seat, guest)) = next {
                serving.visit();
                noted.add(guest);
                next = seat.pass_on();
                last = guest;
            }
            if last == CURSED {
                // Without the panic hook, which would print it each time.
                std::panic::resume_unwind(Box::new("a job"));
            }
        });
        let settings = LobbySettings { seats: SEATS, stand_ins: 1, places: 4, patience: millis(500) };
        let lobby = Arc::new(Lobby::new(settings));
        let house = Arc::new(House { lobby, pool, refused: Notes::default(), sent_back: Notes::default() });
        let mut comers: Vec<_> = (0..GUESTS)
            .map(|guest| {
                let house = house.clone();
                thread::spawn(move || house.arrive(guest))
            })
            .collect();
        let watchdog = house.clone();
        comers.push(thread::spawn(move || {
            for stuck in [1, 0] {
                watchdog.lobby.stand_in_for(stuck);
                watchdog.attend();
            }
        }));
        let closer = house.clone();
        let out_of_the_queue = thread::spawn(move || {
            let guests = closer.lobby.close();
            closer.pool.close();
            for guest in &guests {
                closer.refused.add(*guest);
            }
            assert!(closer.lobby.wait_until_empty(None));
            guests.len()
        });
        join(comers);
        let out_of_the_queue = join([out_of_the_queue])[0];
        finish(&house.pool);
        assert_eq!((house.lobby.waiting(), house.lobby.taken()), (0, 0));
        assert!(inside.most() <= SEATS);
        let served = served.all();
        let mut all = [served.clone(), house.refused.all()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..GUESTS).collect::<Vec<_>>());
        let sent_back = !house.sent_back.all().is_empty();
        [sent_back, out_of_the_queue > 0, served.len() == GUESTS, served.is_empty()]
    });
}

/// Eight guests come to two seats, each brought by a thread that serves him and whoever the seat passes to, or drops the
/// seat and offers it to the queue: all are served, never two on one seat, and nobody waits beside a free one.
///
/// Nine threads. Caught: `pass_on` that looks at the queue under one lock and leaves under the next (one is not served).
#[test]
fn nobody_waits_beside_a_free_seat() {
    let races = ["somebody waited", "nobody did"];
    explore(races, || {
        let settings = LobbySettings { seats: SEATS, stand_ins: 0, places: GUESTS, patience: millis(500) };
        let lobby = Arc::new(Lobby::new(settings));
        let served = Arc::new(Notes::default());
        let seats: Arc<[Inside; SEATS]> = Arc::default();
        let comers = (0..GUESTS).map(|guest| {
            let (lobby, served, seats) = (lobby.clone(), served.clone(), seats.clone());
            thread::spawn(move || {
                let mut next = match lobby.arrive(guest, NOW) {
                    Arrival::Seated(seat, guest) => Some((seat, guest)),
                    Arrival::Waiting => None,
                    Arrival::TurnedAway(_) => panic!("there was room"),
                };
                let at_once = next.is_some();
                while let Some((seat, guest)) = next {
                    seats[seat.number()].visit();
                    served.add(guest);
                    next = if guest % 4 == 0 {
                        drop(seat);
                        lobby.call_next()
                    } else {
                        seat.pass_on()
                    };
                }
                at_once
            })
        });
        let comers: Vec<_> = comers.collect();
        let at_once = join(comers);
        assert_eq!((lobby.waiting(), lobby.taken()), (0, 0));
        assert!(seats.iter().all(|seat| seat.most() <= 1));
        let mut served = served.all();
        served.sort_unstable();
        assert_eq!(served, (0..GUESTS).collect::<Vec<_>>());
        let all_at_once = at_once.iter().all(|at_once| *at_once);
        [!all_at_once, all_at_once]
    });
}

/// Six threads bring two jobs each to a pool of three hasty threads that is closed meanwhile: a job that was taken runs
/// once, one that was given back never does, and no thread is lost, whichever of them panics.
///
/// Eleven threads. Caught: `wait_for_job` that leaves even if every waiting thread has been sent a job, and `submit` that
/// asks whether any thread waits (a job lost); `>` for `==` in its look at the bound (four inside); a panic that ends its
/// thread.
#[test]
fn every_job_runs_once_or_comes_back() {
    const SUBMITTERS: usize = 6;
    let races = ["most ran", "most came back", "none ran", "one panicked"];
    explore(races, || {
        let ran = Arc::new(Notes::default());
        let inside = Arc::new(Inside::default());
        let (noted, working) = (ran.clone(), inside.clone());
        let pool = Arc::new(pool(3, HASTY, move |job: usize| {
            working.visit();
            noted.add(job);
            if job == 1 {
                std::panic::resume_unwind(Box::new("a job"));
            }
        }));
        let submitters: Vec<_> = (0..SUBMITTERS)
            .map(|number| {
                let pool = pool.clone();
                thread::spawn(move || [number, number + SUBMITTERS].map(|job| pool.submit(job).err()))
            })
            .collect();
        let closer = {
            let pool = pool.clone();
            thread::spawn(move || pool.close())
        };
        let back: Vec<usize> = join(submitters).into_iter().flatten().flatten().collect();
        join([closer]);
        finish(&pool);
        assert!(inside.most() <= 3);
        let ran = ran.all();
        let mut all = [ran.clone(), back.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..2 * SUBMITTERS).collect::<Vec<_>>());
        let most = |jobs: &[usize]| jobs.len() > SUBMITTERS;
        [most(&ran), most(&back), ran.is_empty(), ran.contains(&1)]
    });
}

/// Three pairs of jobs, of which one ends only when the other runs (or has been given back): no job waits behind another,
/// however few threads are idle.
///
/// Twelve threads. Caught: `submit` that asks whether any thread waits (deadlock).
#[test]
fn no_job_waits_behind_another() {
    const PAIRS: usize = 3;
    enum Job {
        Warm,
        Waits(usize),
        Opens(usize),
    }
    let races = ["all were taken", "one came back"];
    explore(races, || {
        let gates: Arc<[Gate; PAIRS]> = Arc::default();
        let awaited = gates.clone();
        let pool = Arc::new(pool(5, PATIENT, move |job| match job {
            Job::Warm => {}
            Job::Waits(pair) => awaited[pair].wait(),
            Job::Opens(pair) => awaited[pair].open(),
        }));
        for _ in 0..2 {
            assert!(pool.submit(Job::Warm).is_ok());
        }
        let submit = |job| {
            let (pool, gates) = (pool.clone(), gates.clone());
            thread::spawn(move || match pool.submit(job) {
                Err(Job::Opens(pair)) => {
                    gates[pair].open();
                    1
                }
                taken => usize::from(taken.is_err()),
            })
        };
        let submitters: Vec<_> =
            (0..PAIRS).flat_map(|pair| [submit(Job::Waits(pair)), submit(Job::Opens(pair))]).collect();
        let back: usize = join(submitters).iter().sum();
        finish(&pool);
        [back == 0, back > 0]
    });
}
