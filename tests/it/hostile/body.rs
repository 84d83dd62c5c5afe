//! Bodies: one reading, however the bytes are cut, the same as the [model](super::model)'s, and never more data than may
//! be.

use super::{assert_same, cuts, model};
use selvedge::error::Refusal;
use selvedge::http1::{Decoder, Framing, Limits, encode};

const LIMITS: Limits = Limits { request_line: 100, head: 80, fields: 3 };
const MAX_BODY: u64 = 100;

/// What has become of a body.
#[derive(Debug, PartialEq)]
enum Found {
    Whole { data: Vec<u8>, taken: usize, trailers: usize },
    Partial(Vec<u8>),
    Refused(Refusal),
}

pub fn check(bytes: &[u8]) {
    for max in [MAX_BODY, u64::MAX] {
        let found = all_ways(Framing::Chunked, max, bytes);
        match (&found, model::chunks(bytes)) {
            (Found::Whole { data, taken, trailers }, Some(theirs)) => {
                assert_eq!((data, *taken, *trailers), (&theirs.data, theirs.len, theirs.trailers.len()));
                again(data);
            }
            (Found::Whole { .. }, None) => panic!("the model does not accept it: {found:?}"),
            (Found::Partial(_), Some(theirs)) => panic!("more is wanted of {theirs:?}"),
            (Found::Refused(refusal), Some(theirs)) => {
                // The model knows no limits, and takes any trailer.
                let too_large = *refusal == Refusal::BODY_TOO_LARGE && theirs.data.len() as u64 > max;
                let others = [
                    Refusal::CHUNK_EXTENSION,
                    Refusal::TRAILER,
                    Refusal::HEAD_TOO_LARGE,
                    Refusal::TOO_MANY_FIELDS,
                ];
                assert!(too_large || others.contains(refusal), "{refusal:?} for {theirs:?}");
            }
            (_, None) => {}
        }
    }
    let length = u64::from(bytes.first().copied().unwrap_or_default());
    let expected = match usize::from(bytes.first().copied().unwrap_or_default()) {
        _ if length > MAX_BODY => Found::Refused(Refusal::BODY_TOO_LARGE),
        taken if taken <= bytes.len() => Found::Whole { data: bytes[..taken].to_vec(), taken, trailers: 0 },
        _ => Found::Partial(bytes.to_vec()),
    };
    assert_same(&all_ways(Framing::Length(length), MAX_BODY, bytes), &expected, "a length");
}

fn all_ways(framing: Framing, max: u64, bytes: &[u8]) -> Found {
    let found = decode(framing, max, bytes, [bytes.len()]);
    assert_same(&decode(framing, max, bytes, 1..=bytes.len()), &found, "byte by byte");
    assert_same(&decode(framing, max, bytes, cuts(bytes)), &found, "in pieces");
    found
}

fn decode(framing: Framing, max: u64, bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Found {
    let mut decoder = match Decoder::new(framing, max, &LIMITS) {
        Ok(decoder) => decoder,
        Err(refusal) => return Found::Refused(refusal),
    };
    let (mut data, mut taken) = (Vec::new(), 0);
    for end in ends {
        while taken < end && !decoder.is_done() {
            let input = &bytes[taken..end];
            let step = match decoder.decode(input) {
                Ok(step) => step,
                Err(refusal) => return Found::Refused(refusal),
            };
            assert!(step.data.end <= step.consumed && step.consumed <= input.len(), "{step:?}");
            assert!(step.consumed > 0 || decoder.is_done(), "stands still: {step:?}");
            data.extend_from_slice(&input[step.data]);
            assert!(data.len() as u64 <= max, "more than may be");
            taken += step.consumed;
        }
    }
    if !decoder.is_done() {
        return Found::Partial(data);
    }
    assert_eq!(decoder.decode(b"next").map(|step| step.consumed), Ok(0), "took of the next message");
    let trailers = decoder.trailers().map_or(0, |trailers| trailers.len());
    Found::Whole { data, taken, trailers }
}

/// What we write, we read.
fn again(data: &[u8]) {
    let mut bytes = Vec::new();
    for piece in data.chunks(7) {
        encode::chunk(&mut bytes, piece);
    }
    encode::last_chunk(&mut bytes, None);
    let expected = Found::Whole { data: data.to_vec(), taken: bytes.len(), trailers: 0 };
    assert_same(&decode(Framing::Chunked, u64::MAX, &bytes, cuts(&bytes)), &expected, "written by us");
}
