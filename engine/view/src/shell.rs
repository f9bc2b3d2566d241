//! Commands as a shell reads them: whoever copies one from a screen and pastes it gets every word as it was meant.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::line::is_shown;

/// A piece of a word that is never broken.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    /// A character that stands in single quotes.
    Quoted(char),
    /// What stands outside of quotes: a plain character, `\'`, `"$(printf '\011')"`.
    Bare(String),
}

/// A text as one word of a shell command. A line's end stays one, within the quotes; what a terminal would obey, and a
/// screen therefore does not show, is written by its bytes.
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@%+=,".contains(c);
    // zsh looks for a program where a word begins with `=`.
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('=') {
        return text.to_owned();
    }
    if text.is_empty() {
        return "''".to_owned();
    }
    let mut lines = vec![String::new()];
    write(&pieces(text), &mut lines, usize::MAX);
    lines.join("\n")
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut hidden = String::new();
    for c in text.chars() {
        if c != '\n' && !is_shown(c) {
            hidden.extend(c.to_string().bytes().map(|byte| format!("\\{byte:03o}")));
            continue;
        }
        pieces.extend(printed(&mut hidden));
        pieces.push(if c == '\'' { Piece::Bare("\\'".into()) } else { Piece::Quoted(c) });
    }
    pieces.extend(printed(&mut hidden));
    pieces
}

fn printed(hidden: &mut String) -> Option<Piece> {
    let bytes = std::mem::take(hidden);
    (!bytes.is_empty()).then(|| Piece::Bare(format!("\"$(printf '{bytes}')\"")))
}

/// Writes a word behind the last line. Where that becomes too wide, it goes on at the first column of the next: a space
/// before it would end the word.
fn write(pieces: &[Piece], lines: &mut Vec<String>, width: usize) {
    let (mut line, mut open) = (lines.pop().unwrap_or_default(), false);
    // Counted along: to measure the whole line for each character takes long for a long one.
    let mut used = line.width();
    for piece in pieces {
        if *piece == Piece::Quoted('\n') {
            // Many terminals copy no spaces at the end of a line.
            match (open, line.ends_with(' ')) {
                (false, _) => line.push('\''),
                (true, true) => line.push_str("''"),
                (true, false) => {}
            }
            open = true;
            lines.push(std::mem::take(&mut line));
            used = 0;
            continue;
        }
        let (quoted, room) = match piece {
            Piece::Quoted(c) => (true, c.width().unwrap_or(0) + 1),
            Piece::Bare(text) => (false, text.width()),
        };
        // With the quote that has to come before it, and the `\` behind it.
        if used + room + usize::from(quoted != open) >= width {
            line.push_str(if open { "'\\" } else { "\\" });
            lines.push(std::mem::take(&mut line));
            (open, used) = (false, 0);
        }
        if quoted != open {
            line.push('\'');
            used += 1;
            open = quoted;
        }
        match piece {
            Piece::Quoted(c) => line.push(*c),
            Piece::Bare(text) => line.push_str(text),
        }
        used += room - usize::from(quoted);
    }
    if open {
        line.push('\'');
    }
    lines.push(line);
}

/// The words of a command, each as its pieces.
fn words(command: &str) -> Vec<Vec<Piece>> {
    let mut words = vec![Vec::new()];
    let mut rest = command.chars();
    let mut quoted = false;
    while let Some(c) = rest.next() {
        let piece = match c {
            '\'' => {
                quoted = !quoted;
                continue;
            }
            _ if quoted => Piece::Quoted(c),
            ' ' => {
                words.push(Vec::new());
                continue;
            }
            '\\' => Piece::Bare(format!("\\{}", rest.next().unwrap_or_default())),
            '"' => Piece::Bare(
                std::iter::once('"').chain(rest.by_ref().take_while(|c| *c != '"')).chain(['"']).collect(),
            ),
            c => Piece::Bare(c.to_string()),
        };
        if let Some(word) = words.last_mut() {
            word.push(piece);
        }
    }
    words
}

/// A command in lines of at most `width` columns, the first at column `indent`: broken between its words where that is
/// possible, and so that a shell reads it as one.
pub(crate) fn lines(command: &str, indent: usize, width: usize) -> Vec<String> {
    let indent = indent.min(width / 2);
    let margin = " ".repeat(indent);
    let mut lines = vec![margin.clone()];
    let mut first = true;
    for word in words(command) {
        let mut whole = vec![String::new()];
        write(&word, &mut whole, usize::MAX);
        let long = whole.len() > 1 || indent + whole[0].width() + 2 > width;
        let Some(line) = lines.last_mut() else { break };
        let fits = !long && line.width() + usize::from(!first) + whole[0].width() + 2 <= width;
        match (first, fits) {
            (true, _) => {}
            (false, true) => line.push(' '),
            (false, false) => {
                line.push_str(" \\");
                lines.push(margin.clone());
            }
        }
        write(&word, &mut lines, width);
        first = false;
    }
    lines
}

/// Commands that look into the journal.
const OF_RUNS: [&str; 12] = [
    "answer", "approve", "cancel", "exec", "logs", "reject", "report", "resume", "rollback", "runs", "show",
    "watch",
];

/// A command for whoever named the journal's folder by an option: without it, it would look elsewhere.
pub(crate) fn located(command: &str, state: Option<&str>) -> String {
    let word = |rest: &&str| OF_RUNS.contains(&rest.split(' ').next().unwrap_or_default());
    match (command.strip_prefix("runbook ").filter(word), state) {
        (Some(rest), Some(folder)) => format!("runbook --state {} {rest}", quote(folder)),
        _ => command.to_owned(),
    }
}

/// The same for a text with commands in it.
pub fn with_state(text: &str, state: Option<&str>) -> String {
    let mut out = String::new();
    for (n, part) in text.split("runbook ").enumerate() {
        match n {
            0 => out.push_str(part),
            _ => out.push_str(&located(&format!("runbook {part}"), state)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_more_into_it() {
        for (text, quoted) in [
            ("broker/a@1", "broker/a@1"),
            ("", "''"),
            ("=ls", "'=ls'"),
            ("a b", "'a b'"),
            ("it's $HOME", "'it'\\''s $HOME'"),
            ("'", "\\'"),
            ("one \ntwo", "'one ''\ntwo'"),
            ("a\tb\u{202e}", "'a'\"$(printf '\\011')\"'b'\"$(printf '\\342\\200\\256')\""),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn a_command_is_broken_between_its_words() {
        let command = "runbook exec file.yaml -e production -i one=1 -i 'two=a b'";
        assert_eq!(
            lines(command, 2, 30),
            ["  runbook exec file.yaml -e \\", "  production -i one=1 -i \\", "  'two=a b'"]
        );
        assert_eq!(lines("runbook show k7f3q", 2, 30), ["  runbook show k7f3q"]);
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_goes_on_at_the_first_column() {
        let command = format!("runbook exec -i {} --strict", quote(&format!("x={}'\nend", "ab ".repeat(12))));
        let broken = lines(&command, 4, 24);
        assert_eq!(
            broken,
            [
                "    runbook exec -i \\",
                "    'x=ab ab ab ab ab '\\",
                "'ab ab ab ab ab ab ab '\\",
                "\\''",
                "end' --strict",
            ]
        );
        assert!(broken.iter().all(|line| line.width() <= 24));
    }

    #[test]
    fn a_folder_that_was_named_is_named_again() {
        assert_eq!(located("runbook show a", Some("/a b")), "runbook --state '/a b' show a");
        assert_eq!(located("runbook show a", None), "runbook show a");
        let value = "runbook exec a -i 'x=runbook show b'";
        assert_eq!(located(value, Some("/s")), "runbook --state /s exec a -i 'x=runbook show b'");
        let text = "put it back, then: runbook resume a; this runbook is meant: runbook answer a - --keep";
        assert_eq!(
            with_state(text, Some("/s")),
            "put it back, then: runbook --state /s resume a; this runbook is meant: runbook --state /s answer a - --keep"
        );
    }
}
