//! What a client can read, as it says in lists with weights (RFC 9110 §12.4–12.5).

use crate::http1::split_unquoted;

/// Whether lines of Accept name HTML itself, as navigating browsers do, rather than anything at all, as scripts do.
pub fn names_html<'r>(lines: impl IntoIterator<Item = &'r [u8]>) -> bool {
    lines
        .into_iter()
        .flat_map(weighted)
        .any(|(name, weight)| name.eq_ignore_ascii_case(b"text/html") && weight > 0)
}

/// The members of a list with their weights (RFC 9110 §12.4.2), less those whose weight is none.
pub(crate) fn weighted(list: &[u8]) -> impl Iterator<Item = (&[u8], u16)> {
    split_unquoted(list, b',').filter_map(|member| {
        let mut parts = split_unquoted(member, b';').map(<[u8]>::trim_ascii);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let weight = parts.find_map(|parameter| match parameter {
            [b'q' | b'Q', b'=', value @ ..] => Some(thousandths(value)),
            _ => None,
        });
        Some((name, weight.unwrap_or(Some(1000))?))
    })
}

/// `0` to `1` with up to three decimals.
fn thousandths(value: &[u8]) -> Option<u16> {
    let (whole, decimals) = match value {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let digit = |at: usize| decimals.get(at).unwrap_or(&b'0');
    let digits = [whole, digit(0), digit(1), digit(2)];
    if !digits.iter().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value = digits.iter().fold(0, |value, &&digit| value * 10 + u16::from(digit - b'0'));
    (value <= 1000).then_some(value)
}
