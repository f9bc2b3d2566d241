//! Names of runs: short, readable aloud, typed by hand at night.

/// The least number of characters.
pub const MIN_LENGTH: usize = 5;

/// Crockford's base 32 in lower case: no `i`, `l`, `o` (they look like digits) and no `u`.
const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The first character is a letter, so that no id reads as a number in YAML, JSON or a shell (`12345`, `1e234`).
const LETTERS: &[u8; 16] = b"abcdefghjkmnpqrs";

/// An id of one character per byte of `random`, like `k7f3q`. At least [`MIN_LENGTH`] bytes should be given; whoever
/// finds the id taken tries again with other bytes, later with more of them.
pub fn run_id(random: &[u8]) -> String {
    random
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            let byte = usize::from(*byte);
            char::from(if at == 0 { LETTERS[byte % LETTERS.len()] } else { SYMBOLS[byte % SYMBOLS.len()] })
        })
        .collect()
}

/// What somebody typed, as the id (or the beginning of one) that they meant: case does not matter, `o` is `0`, `i` and
/// `l` are `1`. `None` if no id begins like this.
pub(crate) fn normalize(typed: &str) -> Option<String> {
    typed
        .trim()
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            'o' => Some('0'),
            'i' | 'l' => Some('1'),
            c if u8::try_from(c).is_ok_and(|c| SYMBOLS.contains(&c)) => Some(c),
            _ => None,
        })
        .collect()
}
