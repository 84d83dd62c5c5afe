//! Does a comparison tell by its time where, or how, two texts differ?
//!
//! ```text
//! cargo run --release --example constant_time --features auth            # Welch's t-test on the clock
//! cargo build --release --example constant_time --features auth
//! valgrind --tool=callgrind --toggle-collect='*measured*' --dump-before='*measured_*' \
//!     --callgrind-out-file=/tmp/counts target/release/examples/constant_time counted
//! grep -h ^summary: /tmp/counts.*                                         # instructions, exactly
//! ```
//!
//! The second is deterministic, and tests run it. The rows: `equal` with a first difference at each of 32 places and with
//! none, then secrets of each length from 1 to 32 against one text, then, so that it can be seen that this would show a
//! difference, the comparison with `==` at the same 33 places.

use selvedge::guard::auth::{Digest, equal};
use std::hint::black_box;
use std::time::Instant;

const LEN: usize = 32;
const SECRET: [u8; LEN] = *b"the secret that is to be guessed";

const ROUNDS: u32 = 20_000;

/// The secret with a wrong byte at `place`; right if the place is behind its end.
fn guess(place: usize) -> [u8; LEN] {
    let mut guess = SECRET;
    if let Some(byte) = guess.get_mut(place) {
        *byte ^= 1;
    }
    guess
}

#[inline(never)]
fn measured_equal(presented: &[u8; LEN]) -> bool {
    equal(black_box(presented), black_box(&SECRET))
}

#[inline(never)]
fn measured_matches(expected: &Digest) -> bool {
    black_box(expected).matches(black_box(&SECRET))
}

/// What `==` does without a library that hides it behind wide instructions: the loop of an interpreter.
#[inline(never)]
fn measured_naive(presented: &[u8; LEN]) -> bool {
    let presented = black_box(presented);
    let mut place = 0;
    while place < LEN {
        if presented[place] != SECRET[place] {
            return false;
        }
        place += 1;
    }
    true
}

/// Each row once, for a tool that counts.
fn counted() {
    // The first call of all resolves symbols and asks the processor what it can do.
    black_box(equal(&guess(0), &SECRET));
    for place in 0..=LEN {
        black_box(measured_equal(&guess(place)));
    }
    for len in 1..=LEN {
        black_box(measured_matches(&Digest::of(&guess(0)[..len])));
    }
    for place in 0..=LEN {
        black_box(measured_naive(&guess(place)));
    }
}

/// Nanoseconds of 64 comparisons. The guess is copied to where the others were: not all places in memory are alike.
fn clocked(compare: fn(&[u8; LEN]) -> bool, room: &mut [u8; LEN], guess: &[u8; LEN]) -> f64 {
    *room = *guess;
    let guess = &*room;
    let start = Instant::now();
    for _ in 0..64 {
        black_box(compare(black_box(guess)));
    }
    start.elapsed().as_secs_f64() * 1e9
}

/// Welch's t of two sets of measurements, without their slowest tenth, which is the machine's doing.
fn welch(first: &mut [f64], second: &mut [f64]) -> f64 {
    let moments = |set: &mut [f64]| {
        set.sort_by(f64::total_cmp);
        let kept = &set[..set.len() / 10 * 9];
        let count = f64::from(ROUNDS) * 0.9;
        let mean = kept.iter().sum::<f64>() / count;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean, error), (other_mean, other_error)) = (moments(first), moments(second));
    (mean - other_mean) / (error + other_error).sqrt()
}

/// Compares with two guesses in random turns and says whether the clock can tell them apart.
fn t_test(name: &str, compare: fn(&[u8; LEN]) -> bool, guesses: [[u8; LEN]; 2]) {
    let mut times = [const { Vec::new() }; 2];
    let mut room = [0; LEN];
    let mut lot = 0x9e37_79b9_7f4a_7c15_u64;
    while times.iter().any(|times| times.len() < ROUNDS as usize) {
        lot ^= lot << 13;
        lot ^= lot >> 7;
        lot ^= lot << 17;
        let which = (lot >> 32) as usize % 2;
        let time = clocked(compare, &mut room, &guesses[which]);
        if times[which].len() < ROUNDS as usize {
            times[which].push(time);
        }
    }
    let [first, second] = &mut times;
    let t = welch(first, second);
    let verdict = if t.abs() < 4.5 { "no difference" } else { "a difference" };
    println!(
        "{name}: t = {t:.2}, {verdict}; medians {:.0} and {:.0} ns for 64",
        first[first.len() / 2],
        second[second.len() / 2]
    );
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("counted") {
        return counted();
    }
    let (early, late) = (guess(0), guess(LEN - 1));
    println!("a wrong first byte against a wrong last one; |t| below 4.5 is no difference");
    t_test("equal", measured_equal, [early, late]);
    t_test("equal, both wrong in the first, to see the machine's own noise", measured_equal, [early, early]);
    t_test("naive", measured_naive, [early, late]);
}
