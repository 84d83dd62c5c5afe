//! Classes of octets (RFC 9110 §5.6.2, RFC 3986 §2–3) and the loops that run over them.

use crate::error::Refusal;

/// Characters of a token: methods, field names, codings (RFC 9110 §5.6.2).
pub(super) const TOKEN: u8 = 1;
/// Those but `_`, which is taken note of in field names.
pub(super) const NAME: u8 = 2;
/// Characters of a request target: those of RFC 3986 but `#`, the `{ } | ^` that browsers send as they are, and the
/// backtick that they send in a query.
pub(super) const TARGET: u8 = 4;
/// Characters of a registered name or an IPv4 address, `%` and `,` aside (RFC 3986 §3.2.2).
pub(super) const REG_NAME: u8 = 8;

static CLASSES: [u8; 256] = classes();

pub(super) fn is(octet: u8, class: u8) -> bool {
    CLASSES[octet as usize] & class != 0
}

/// How many octets at the start are of the class.
pub(super) fn run(octets: &[u8], class: u8) -> usize {
    octets.iter().position(|&octet| !is(octet, class)).unwrap_or(octets.len())
}

/// How many octets at the start may stand in a field value: HT, SP, VCHAR and obs-text (RFC 9110 §5.5).
pub(super) fn value_run(octets: &[u8]) -> usize {
    let mut rest = octets;
    // Sixteen at a time, without a branch between them, as far as the compiler can make that one comparison; then
    // eight at a time, which finds the place.
    while let Some((block, after)) = rest.split_first_chunk::<16>() {
        if block.iter().fold(0, |found, octet| found | u8::from(octet.is_ascii_control())) != 0 {
            break;
        }
        rest = after;
    }
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let controls = controls(u64::from_le_bytes(*word));
        if controls == 0 {
            rest = after;
            continue;
        }
        rest = &rest[controls.trailing_zeros() as usize / 8..];
        match rest {
            [b'\t', after @ ..] => rest = after,
            _ => return octets.len() - rest.len(),
        }
    }
    let tail =
        rest.iter().position(|&octet| octet.is_ascii_control() && octet != b'\t').unwrap_or(rest.len());
    octets.len() - rest.len() + tail
}

pub(super) fn is_token(octets: &[u8]) -> bool {
    !octets.is_empty() && run(octets, TOKEN) == octets.len()
}

/// The members of a comma-separated list, empty ones included, without the white space around them
/// (RFC 9110 §5.6.1).
pub(crate) fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&octet| octet == b',').map(<[u8]>::trim_ascii)
}

/// The parts of `text` between separators; one within a quoted string separates nothing (RFC 9110 §5.6.4).
pub(crate) fn split_unquoted(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |&octet| {
        let separates = octet == separator && !quoted;
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ => {}
        }
        separates
    })
}

/// Why this octet cannot stand where it does: for what it is, if it is a control character, else for where it stands.
/// `line` is for a CR, with which the line would end too early; `part` for a visible one.
pub(super) fn misplaced(octet: u8, line: Refusal, part: Refusal) -> Refusal {
    match octet {
        b'\r' => line,
        b'\n' => Refusal::BARE_LINE_BREAK,
        _ if octet.is_ascii_control() => Refusal::CONTROL_CHARACTER,
        _ => part,
    }
}

/// The high bit of every octet of `word` that is a control character. Flags above the lowest one may be false: a
/// borrow sets them; the lowest never is.
fn controls(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let not_delete = word ^ (ONES * 0x7f);
    let delete = not_delete.wrapping_sub(ONES) & !not_delete;
    (below_space | delete) & HIGH
}

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut octet = 0x21_u8;
    while octet < 0x7f {
        let unreserved = octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~');
        // What tokens and registered names have in common beyond that.
        let common = unreserved || matches!(octet, b'!' | b'$' | b'&' | b'\'' | b'*' | b'+');
        let mut class = 0;
        if common || matches!(octet, b'#' | b'%' | b'^' | b'`' | b'|') {
            class |= if octet == b'_' { TOKEN } else { TOKEN | NAME };
        }
        if !matches!(octet, b'"' | b'<' | b'>' | b'\\' | b'#') {
            class |= TARGET;
        }
        if common || matches!(octet, b'(' | b')' | b';' | b'=') {
            class |= REG_NAME;
        }
        classes[octet as usize] = class;
        octet += 1;
    }
    classes
}
