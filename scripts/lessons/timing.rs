//! A secret that is compared character by character, and somebody with a stopwatch.

mod stage;

use selvedge::guard::auth::equal;
use stage::picture::short;
use stage::{Stage, Verdict};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const ALPHABET: &[u8; 16] = b"0123456789abcdef";
/// Characters of the secret.
const LEN: usize = 12;
/// Comparisons that are timed together: what one of them tells is small beside what the clock can.
const TOGETHER: u32 = 32;
/// How often each candidate is timed before somebody looks, and how often one looks before giving up.
const ROUNDS: usize = 40;
const LOOKS: usize = 3;
/// Welch's t beyond which a difference is one.
const CERTAIN: f64 = 6.0;
/// How often the attacker goes back a place; and how often he finds nothing at all, before he gives up.
const SETBACKS: usize = 12;
const FALSE_STARTS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(6);

// show: naive
fn same(presented: &[u8], secret: &[u8]) -> bool {
    if presented.len() != secret.len() {
        return false;
    }
    for (one, other) in presented.iter().zip(secret) {
        if one != other {
            return false;
        }
    }
    true
}
// end

/// Says yes or no; the attacker sees the answer, and how long it took.
struct Door<'a> {
    secret: &'a [u8],
    compare: fn(&[u8], &[u8]) -> bool,
}

/// What the attacker found out about the next character.
struct Finding {
    known: Vec<u8>,
    /// Nanoseconds of each candidate, for all comparisons together.
    times: [f64; ALPHABET.len()],
    /// The slowest.
    best: usize,
    /// Welch's t of the slowest and the one after it.
    t: f64,
}

fn main() -> ExitCode {
    let digit = |_| ALPHABET[(RandomState::new().hash_one(0) % 16) as usize];
    let secret: Vec<u8> = (0..LEN).map(digit).collect();
    let stage = Stage::open("timing");
    stage.say(&format!(
        "A door asks for a secret of {LEN} hexadecimal digits and says yes or no. Guesses that are all wrong alike should tell \
         nothing but that: whoever tries blindly needs 140 million million guesses. The attacker has a stopwatch, too.",
    ));

    stage.part("The naive way");
    stage.code(include_str!("timing.rs"), "naive");
    stage.say(&format!(
        "It stops at the first difference: why go on? So a guess that begins right takes longer to be wrong. For each place the \
         attacker tries all sixteen digits, {TOGETHER} comparisons at a time, {ROUNDS} times in turn, and looks which of them \
         is slower. The higher a column, the longer it took:",
    ));
    let began = Instant::now();
    let (found, findings) = attack(&Door { secret: &secret, compare: same });
    let naive_took = began.elapsed();
    show(&stage, &findings);
    let opened = found == secret;
    stage.say(&format!(
        "After {} he says `{}`, and the secret is `{}`.",
        short(naive_took),
        String::from_utf8_lossy(&found),
        String::from_utf8_lossy(&secret)
    ));

    stage.part("Why");
    stage.say(
        "The time of an answer is part of the answer. One comparison more is a few nanoseconds, far less than what the machine \
         does in between, but chance is not on anybody's side for long: with enough measurements their mean is as sharp as one \
         likes. Whether two means differ for a reason is what Welch's t says: this attacker believes in 6 and more. Over a network it \
         takes more measurements, and has been done. It does not have to be a loop either: `==` of a library compares \
         eight or more bytes at a time and then stops just the same. (And before that `same` has told the length.)",
    );

    stage.part("What selvedge does");
    stage.say("The same attack on `selvedge::guard::auth::equal`:");
    let (found, findings) = attack(&Door { secret: &secret, compare: equal });
    show(&stage, &findings);
    let right = found.iter().zip(&secret).take_while(|(one, other)| one == other).count();
    stage.say(
        "No digit stands out, and the attacker gives up. What is compared are the SHA-256 of both, always all 32 bytes, with every \
         difference gathered and none of them acted upon before the end:",
    );
    stage.function(include_str!("../../src/guard/auth/digest.rs"), "pub fn equal");
    stage.function(include_str!("../../src/guard/auth/digest.rs"), "fn eq(");
    stage.say(
        "Even if it did stop early: what a guess has in common with the secret says nothing about what their digests have in \
         common. A clock can prove that there is a leak, never that there is none, so the tests count instructions: \
         tests/it/accounts/compare.rs.",
    );

    stage.end(&Verdict {
        naive_fell: opened,
        naive: format!("the whole secret, read off the clock in {}", short(naive_took)),
        ours_held: found != secret && right <= LEN / 3,
        ours: format!("{right} of {LEN} digits"),
        read: ("src/guard/auth/digest.rs", "`equal`, and `Digest`, which is all that is kept of a secret"),
    })
}

/// Goes from character to character; what was found in the end, and what was seen on the way.
fn attack(door: &Door) -> (Vec<u8>, Vec<Finding>) {
    let began = Instant::now();
    let (mut known, mut findings, mut setbacks) = (Vec::new(), Vec::new(), 0);
    while began.elapsed() < PATIENCE {
        if known.len() == LEN - 1 {
            // The last one needs no clock.
            let all = ALPHABET.iter().map(|&last| [&known[..], &[last]].concat());
            if let Some(found) = all.into_iter().find(|guess| (door.compare)(guess, door.secret)) {
                return (found, findings);
            }
        }
        let finding = look(door, &known);
        let (certain, best) = (finding.t > CERTAIN, finding.best);
        findings.push(finding);
        if certain && known.len() < LEN - 1 {
            known.push(ALPHABET[best]);
        } else {
            // Nothing tells the candidates apart: what is known is wrong, or there is nothing to hear.
            setbacks += 1;
            let nothing_known = known.pop().is_none();
            if setbacks == SETBACKS || nothing_known && setbacks == FALSE_STARTS {
                break;
            }
        }
    }
    (known, findings)
}

/// Times all candidates for the next character in turn, until one of them stands out.
fn look(door: &Door, known: &[u8]) -> Finding {
    let mut times: [Vec<f64>; ALPHABET.len()] = Default::default();
    let mut guess = known.to_vec();
    guess.resize(LEN, b'?');
    let mut finding = None;
    for _ in 0..LOOKS {
        for round in 0..ROUNDS {
            for turn in 0..ALPHABET.len() {
                // Each time in another order, and always in the same place of the memory.
                let which = (turn * 7 + round * 5) % ALPHABET.len();
                guess[known.len()] = ALPHABET[which];
                times[which].push(clock(door, &guess));
            }
        }
        let judged = judge(known, &times);
        let certain = judged.t > CERTAIN;
        finding = Some(judged);
        if certain {
            break;
        }
    }
    finding.expect("it has looked")
}

fn clock(door: &Door, guess: &[u8]) -> f64 {
    let began = Instant::now();
    for _ in 0..TOGETHER {
        black_box((door.compare)(black_box(guess), black_box(door.secret)));
    }
    began.elapsed().as_secs_f64() * 1e9
}

fn judge(known: &[u8], times: &[Vec<f64>; ALPHABET.len()]) -> Finding {
    let moments = times.each_ref().map(|times| moments(times));
    let mut order: Vec<usize> = (0..ALPHABET.len()).collect();
    order.sort_by(|one, other| moments[*other].0.total_cmp(&moments[*one].0));
    let ((first, error), (second, other_error)) = (moments[order[0]], moments[order[1]]);
    let t = (first - second) / (error + other_error).sqrt().max(1e-9);
    Finding { known: known.to_vec(), times: moments.map(|(mean, _)| mean), best: order[0], t }
}

/// The mean, and the square of its error, without the slowest third, which is the machine's doing.
fn moments(times: &[f64]) -> (f64, f64) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.truncate(times.len() * 2 / 3);
    let count = f64::from(sorted.len() as u32);
    let mean = sorted.iter().sum::<f64>() / count;
    let variance = sorted.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

fn show(stage: &Stage, findings: &[Finding]) {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let digits: Vec<_> = ALPHABET.iter().map(|digit| char::from(*digit).to_string()).collect();
    stage.line("");
    stage.show([format!("{:<14}{}     spread", "known", digits.join(" "))]);
    for finding in findings {
        let least = finding.times.iter().copied().fold(f64::MAX, f64::min);
        let most = finding.times.iter().copied().fold(0.0, f64::max);
        #[allow(clippy::cast_sign_loss, reason = "no time is less than the least")]
        let height = |time: &f64| HEIGHTS[((time - least) / (most - least).max(1e-9) * 7.0).round() as usize];
        let columns: Vec<_> = finding.times.iter().map(|time| height(time).to_string()).collect();
        let known = String::from_utf8_lossy(&finding.known);
        let spread = format!("{:>5.1} %", (most - least) / least * 100.0);
        let t = if finding.t < 999.5 { format!("t = {:.0}", finding.t) } else { "t > 999".to_owned() };
        let outcome = if finding.t > CERTAIN {
            stage.bad(&format!("{t:<8} {}", digits[finding.best]))
        } else {
            stage.good(&format!("{t:<8} no digit"))
        };
        let dots = "·".repeat(LEN - known.len());
        stage.show([format!("{known}{dots}  {}  {spread}  {outcome}", columns.join(" "))]);
    }
}
