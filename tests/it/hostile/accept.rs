//! What a client can read: never a coding that it has ruled out or not named, and the one it likes best first.

use super::model::{is_token, trimmed};
use selvedge::service::files::accept::{Coding, Codings, names_html};

/// `bytes` are the values of the fields, one in a line.
pub fn check(bytes: &[u8]) {
    let lines: Vec<_> = bytes.split(|&byte| byte == b'\n').collect();
    let codings = Codings::read(lines.iter().copied());
    let ranked: Vec<_> = codings.ranked().collect();
    let mut unique = ranked.clone();
    unique.dedup();
    assert!(unique == ranked && ranked.len() <= 3, "{ranked:?}");
    for coding in &ranked {
        let name = coding.name().as_bytes();
        let names = |word: &[u8]| bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
        assert!(names(name) || bytes.contains(&b'*'), "nobody spoke of {coding:?}");
    }
    names_html(lines.iter().copied());

    let Some(members) = lines.iter().map(|line| members(line)).collect::<Option<Vec<_>>>() else { return };
    let members = members.concat();
    let weight = |wanted: &[&str]| {
        let is_meant = |name: &str| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
        members.iter().rev().find(|(name, _)| is_meant(name)).map(|(_, weight)| *weight)
    };
    let any = weight(&["*"]);
    let of = |coding: Coding| {
        let named = match coding {
            Coding::Brotli => weight(&["br"]),
            Coding::Zstd => weight(&["zstd"]),
            Coding::Gzip => weight(&["gzip", "x-gzip"]),
        };
        named.or(any).unwrap_or(0)
    };
    let identity = weight(&["identity"]);
    assert_eq!(codings.identity(), identity.or(any.filter(|&weight| weight == 0)) != Some(0));
    for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
        let wanted = of(coding) > 0 && of(coding) >= identity.unwrap_or(0);
        assert_eq!(ranked.contains(&coding), wanted, "{coding:?}");
    }
    assert!(ranked.is_sorted_by_key(|coding| std::cmp::Reverse(of(*coding))), "{ranked:?}");
}

/// The names of a well-formed list, each with its weight in thousandths.
fn members(line: &[u8]) -> Option<Vec<(String, u32)>> {
    let members = line.split(|&byte| byte == b',').map(trimmed).filter(|member| !member.is_empty());
    members
        .map(|member| {
            let (name, weight) = match member.iter().position(|&byte| byte == b';') {
                None => (member, 1000),
                Some(at) => (trimmed(&member[..at]), thousandths(trimmed(&member[at + 1..]))?),
            };
            is_token(name).then(|| (String::from_utf8_lossy(name).into_owned(), weight))
        })
        .collect()
}

/// `q=` and a weight (RFC 9110 §12.4.2).
fn thousandths(parameter: &[u8]) -> Option<u32> {
    let [b'q' | b'Q', b'=', weight @ ..] = parameter else { return None };
    let (whole, decimals) =
        str::from_utf8(weight).ok()?.split_once('.').unwrap_or((str::from_utf8(weight).ok()?, ""));
    let fits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{decimals:0<3}").parse().ok().filter(|_| fits);
    match (whole, thousandths?) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}
