//! Text with `${{ … }}` in it: where the expressions are, and where in the file each of their bytes stands.

use std::ops::Range;

/// A piece of a text; ranges are bytes of the scalar's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(Range<usize>),
    /// `$${{`, which stands for `${{`.
    Escaped,
    /// What stands between the braces.
    Expression(Range<usize>),
    /// `${{` that is never closed; the rest of the text.
    Open(Range<usize>),
}

/// Takes a text apart. Only `${{` means anything: `${#a}`, `{{ }}` and `{% %}` are text.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut done = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find("${{") {
        let open = from + found;
        let escaped = text[done..open].ends_with('$');
        let before = done..if escaped { open - 1 } else { open };
        if !before.is_empty() {
            pieces.push(Piece::Literal(before));
        }
        let inner = open + 3;
        (done, from) = if escaped {
            pieces.push(Piece::Escaped);
            (inner, inner)
        } else if let Some(close) = close(text, inner) {
            pieces.push(Piece::Expression(inner..close));
            (close + 2, close + 2)
        } else {
            pieces.push(Piece::Open(inner..text.len()));
            (text.len(), text.len())
        };
    }
    if done < text.len() {
        pieces.push(Piece::Literal(done..text.len()));
    }
    pieces
}

/// Where the `}}` stands that ends the expression which begins at `from`: not within quotes, not one that closes a
/// brace of the expression. `None` if another `${{` comes first, or the end.
pub(crate) fn close(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    let mut depth = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => at = end_of_string(bytes, at + 1, quote)?,
            b'{' if bytes[at..].starts_with(b"{{") && bytes[at - 1] == b'$' => return None,
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the closing quote of a string of the expression language stands.
fn end_of_string(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// From bytes of a scalar's value to bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Where the scalar stands in the file.
    scalar: Range<usize>,
    runs: Vec<Run>,
}

/// From `value` on, value and file agree byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    value: usize,
    file: usize,
}

impl Placement {
    /// Lines the value up with the source that it was read from. Quotes, escapes, indentation and folding make the two
    /// differ; where they cannot be lined up, every place is the whole scalar.
    pub(crate) fn new(file: &str, scalar: Range<usize>, value: &str) -> Placement {
        let source = file.get(scalar.clone()).unwrap_or_default();
        let (body, quote) = match source.as_bytes() {
            [quote @ (b'"' | b'\''), ..] if source.len() >= 2 && source != value => {
                (&source[1..source.len() - 1], Some(*quote))
            }
            _ => (source, None),
        };
        let start = scalar.start + usize::from(quote.is_some());
        let runs = if body == value {
            Some(vec![Run { value: 0, file: start }])
        } else {
            align(body, value, quote, start)
        };
        Placement { scalar, runs: runs.unwrap_or_default() }
    }

    /// Where a range of the value stands in the file.
    pub(crate) fn range(&self, value: Range<usize>) -> Range<usize> {
        let Some(start) = self.at(value.start) else { return self.scalar.clone() };
        // The last byte decides, so that what follows the range (a fold, a closing quote) is left out.
        let Some(last) = self.at(value.end.saturating_sub(1).max(value.start)) else {
            return self.scalar.clone();
        };
        let end = if value.is_empty() { start } else { last + 1 };
        start..end.max(start)
    }

    fn at(&self, value: usize) -> Option<usize> {
        let run = self.runs.partition_point(|run| run.value <= value).checked_sub(1)?;
        Some(self.runs[run].file + value - self.runs[run].value)
    }
}

/// Walks value and source together. Every step of the value is a step of the source, but for escapes, and for line
/// breaks, which YAML folds and indents.
fn align(source: &str, value: &str, quote: Option<u8>, start: usize) -> Option<Vec<Run>> {
    let (src, val) = (source.as_bytes(), value.as_bytes());
    let mut runs: Vec<Run> = Vec::new();
    let mut s = 0;
    // The place of a block scalar begins after its empty lines.
    let mut v = match (quote, src.first()) {
        (None, Some(byte)) if !byte.is_ascii_whitespace() => {
            val.iter().take_while(|byte| **byte == b'\n').count()
        }
        _ => 0,
    };
    while v < val.len() {
        let (next_s, next_v) = match (quote, src.get(s)?) {
            (Some(b'"'), b'\\') => {
                let (escape, text) = escaped(&source[s..])?;
                if !value[v..].starts_with(&text) {
                    return None;
                }
                (s + escape, v + text.len())
            }
            (Some(b'\''), b'\'') if val[v] == b'\'' => (s + 2, v + 1),
            // A block scalar may keep its line breaks; everything after one is indentation.
            (None, b'\n') if val[v] == b'\n' => (s + 1, v + 1),
            (_, b' ' | b'\t' | b'\r' | b'\n') if is_fold(&src[s..]) || src[s] != val[v] => {
                let break_end =
                    s + src[s..].iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(src.len() - s);
                let folded =
                    val[v..].iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(val.len() - v);
                (break_end, v + folded)
            }
            (_, byte) if *byte == val[v] => (s + 1, v + 1),
            _ => return None,
        };
        let file = start + s;
        if runs.last().is_none_or(|run| run.file + (v - run.value) != file) {
            runs.push(Run { value: v, file });
        }
        (s, v) = (next_s, next_v);
    }
    Some(runs)
}

/// Whether white space that runs over a line break begins here.
fn is_fold(source: &[u8]) -> bool {
    source.iter().take_while(|byte| byte.is_ascii_whitespace()).any(|byte| *byte == b'\n')
}

/// An escape of a double-quoted scalar: its length, and what it stands for.
fn escaped(source: &str) -> Option<(usize, String)> {
    let kind = source[1..].chars().next()?;
    let code = |digits: usize| {
        let hex = source.get(2..2 + digits)?;
        Some((2 + digits, char::from_u32(u32::from_str_radix(hex, 16).ok()?)?.to_string()))
    };
    let simple = |text: &str| Some((1 + kind.len_utf8(), text.to_owned()));
    match kind {
        'x' => code(2),
        'u' => code(4),
        'U' => code(8),
        'n' => simple("\n"),
        't' | '\t' => simple("\t"),
        'r' => simple("\r"),
        '0' => simple("\0"),
        'e' => simple("\u{1b}"),
        '"' | '\\' | '/' | ' ' => simple(kind.encode_utf8(&mut [0; 4])),
        // The line break is left out, and the indentation of the next line with it.
        '\n' | '\r' => {
            Some((1 + source[1..].bytes().take_while(u8::is_ascii_whitespace).count(), String::new()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces, expressions in guillemets, escapes as `$`, what is open after `!`.
    fn shown(text: &str) -> String {
        let show = |piece: Piece| match piece {
            Piece::Literal(range) => text[range].to_owned(),
            Piece::Escaped => "$".to_owned(),
            Piece::Expression(range) => format!("«{}»", &text[range]),
            Piece::Open(range) => format!("!{}", &text[range]),
        };
        pieces(text).into_iter().map(show).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn only_the_dollar_makes_an_expression() {
        assert_eq!(shown("a ${#b} {{ c }} {% d %} $e ${f} }}"), "a ${#b} {{ c }} {% d %} $e ${f} }}");
        assert_eq!(shown("${{a}}-${{ b }}"), "«a»|-|« b »");
    }

    #[test]
    fn two_dollars_are_literal() {
        assert_eq!(shown("$${{ a }}"), "$| a }}");
        assert_eq!(shown("x$$${{ a }}"), "x$|$| a }}");
        assert_eq!(shown("$${{${{ a }}"), "$|« a »");
    }

    #[test]
    fn quotes_and_braces_inside() {
        assert_eq!(shown("${{ {'a': {'b': 1}} }}!"), "« {'a': {'b': 1}} »|!");
        assert_eq!(shown("${{ '}}' ~ \"}}\" }}"), "« '}}' ~ \"}}\" »");
        assert_eq!(shown(r"${{ 'it\'s }}' }}"), r"« 'it\'s }}' »");
    }

    #[test]
    fn what_is_open() {
        assert_eq!(shown("a ${{ b"), "a |! b");
        assert_eq!(shown("${{ 'b }}"), "! 'b }}");
        assert_eq!(shown("${{ {b }}"), "! {b }}");
        assert_eq!(shown("${{ a ${{ b }}"), "! a ${{ b }}");
        assert_eq!(shown("${{"), "!");
    }
}
