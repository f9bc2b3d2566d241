//! Lines of text with a meaning: what a terminal colours and a file does not.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What a piece of text means; the terminal decides how that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Ok,
    Fail,
    Warn,
    /// Less important.
    Dim,
    /// Where the eye should go: a name, a command to type.
    Accent,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub text: String,
    pub tone: Tone,
}

/// A line, without its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    pub spans: Vec<Span>,
}

impl Line {
    /// An empty line.
    pub fn new() -> Line {
        Line::default()
    }

    /// A line of one piece.
    pub fn of(tone: Tone, text: impl Into<String>) -> Line {
        Line::new().with(tone, text)
    }

    /// Adds a piece.
    pub fn push(&mut self, tone: Tone, text: impl Into<String>) {
        let text = clean(text.into());
        if text.is_empty() {
            return;
        }
        match self.spans.last_mut() {
            Some(last) if last.tone == tone => last.text.push_str(&text),
            _ => self.spans.push(Span { text, tone }),
        }
    }

    /// The line with one more piece.
    #[must_use]
    pub fn with(mut self, tone: Tone, text: impl Into<String>) -> Line {
        self.push(tone, text);
        self
    }

    /// Fills with spaces up to a column.
    pub fn pad_to(&mut self, column: usize) {
        let width = self.width();
        if width < column {
            self.push(Tone::Plain, " ".repeat(column - width));
        }
    }

    /// Columns that it takes on a terminal.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|s| s.text.width()).sum()
    }

    /// The text alone.
    pub fn text(&self) -> String {
        self.spans.iter().map(|s| s.text.as_str()).collect::<String>().trim_end().to_owned()
    }

    /// The line broken into lines of at most `width` columns, between words where that is possible; the later ones
    /// start at column `indent`.
    #[must_use]
    pub fn broken(self, width: usize, indent: usize) -> Vec<Line> {
        let (width, indent) = (width.max(1), indent.min(width.saturating_sub(1)));
        if self.width() <= width {
            return vec![self];
        }
        let mut lines = vec![Line::new()];
        for span in self.spans {
            for word in words(&span.text) {
                let mut word = word;
                let last = lines.last().map_or(0, Line::width);
                if last + word.trim_end().width() > width && last > indent {
                    lines.last_mut().into_iter().for_each(Line::trim);
                    lines.push(Line::of(Tone::Plain, " ".repeat(indent)));
                    word = word.trim_start();
                }
                while !word.is_empty() {
                    let used = lines.last().map_or(0, Line::width);
                    let (mut part, _) = head(word, width.saturating_sub(used));
                    if part.is_empty() && used > indent {
                        lines.push(Line::of(Tone::Plain, " ".repeat(indent)));
                        continue;
                    }
                    if part.is_empty() {
                        part = word.chars().take(1).collect();
                    }
                    word = &word[part.len()..];
                    if let Some(line) = lines.last_mut() {
                        line.push(span.tone, part);
                    }
                    if word.trim().is_empty() {
                        break;
                    }
                }
            }
        }
        lines
    }

    /// Without spaces at its end.
    fn trim(&mut self) {
        while let Some(span) = self.spans.last_mut() {
            span.text.truncate(span.text.trim_end().len());
            if !span.text.is_empty() {
                break;
            }
            self.spans.pop();
        }
    }

    /// The line in at most `width` columns; what is cut is marked.
    #[must_use]
    pub fn cut(self, width: usize, ascii: bool) -> Line {
        if self.width() <= width {
            return self;
        }
        let ellipsis = if ascii { "..." } else { "…" };
        let mut room = width.saturating_sub(ellipsis.width());
        let mut cut = Line::new();
        for span in self.spans {
            let (text, whole) = head(&span.text, room);
            room -= text.width();
            cut.push(span.tone, text);
            if !whole {
                if ellipsis.width() <= width {
                    cut.push(span.tone, ellipsis);
                }
                break;
            }
        }
        cut
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

/// What a step printed is shown, not obeyed: control characters (an escape sequence, a carriage return) become spaces
/// or disappear.
pub fn clean(text: String) -> String {
    if text.chars().all(is_shown) {
        return text;
    }
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\t' => Some(' '),
            c => is_shown(c).then_some(c),
        })
        .collect()
}

/// Whether a character stands on a screen as it is: one that a terminal obeys does not, nor one that reorders what is
/// around it, and could make a line read as something else.
pub(crate) fn is_shown(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The longest head of `text` in `room` columns, and whether that is all of it.
fn head(text: &str, room: usize) -> (String, bool) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            return (text[..at].to_owned(), false);
        }
    }
    (text.to_owned(), true)
}

/// Words with the spaces that follow them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// A message on the screen takes at most this many lines; the step's log has the rest.
const MESSAGE: usize = 6;

/// What a step said, broken into a few lines: the beginning, and how much is left out.
pub(crate) fn message(text: &str, width: usize) -> Vec<String> {
    let mut lines = wrap(text, width);
    if lines.len() > MESSAGE {
        let more = lines.len() + 1 - MESSAGE;
        lines.truncate(MESSAGE - 1);
        lines.push(format!("({more} lines more)"));
    }
    lines
}

/// Breaks text into lines of at most `width` columns, between words where that is possible.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        // Counted along: a line may be as long as the list of all items.
        let mut used = 0;
        for word in paragraph.split_whitespace() {
            let mut word = word.to_owned();
            if !line.is_empty() && used + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            while word.width() > width {
                let (mut start, _) = head(&word, width);
                if start.is_empty() {
                    // One character that is wider than the line: nothing narrower can be shown.
                    start = word.chars().take(1).collect();
                }
                word.drain(..start.len());
                lines.push(clean(start));
            }
            if !line.is_empty() {
                line.push(' ');
                used += 1;
            }
            line.push_str(&word);
            used += word.width();
        }
        lines.push(clean(line));
    }
    while lines.len() > 1 && lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_and_says_so() {
        assert_eq!(message("one line", 80), ["one line"]);
        let lines = message(&"word ".repeat(800), 80);
        assert_eq!(lines.len(), MESSAGE);
        assert_eq!(lines[MESSAGE - 1], "(45 lines more)");
    }

    #[test]
    fn a_cut_line_fits_and_says_so() {
        let line = Line::of(Tone::Plain, "部署 the new ").with(Tone::Fail, "version");
        assert_eq!(line.clone().cut(40, false).text(), "部署 the new version");
        assert_eq!(line.clone().cut(10, false).text(), "部署 the …");
        assert_eq!(line.clone().cut(4, true).text(), "...");
        assert_eq!(line.cut(2, false).width(), 1);
    }

    #[test]
    fn a_broken_line_keeps_its_words_and_tones() {
        let line = Line::of(Tone::Dim, "  logs: ").with(Tone::Accent, "runbook logs k7f3q broker");
        let broken = line.broken(16, 4);
        assert_eq!(
            broken.iter().map(Line::text).collect::<Vec<_>>(),
            ["  logs: runbook", "    logs k7f3q", "    broker"]
        );
        assert!(broken.iter().all(|l| l.spans.last().unwrap().tone == Tone::Accent));
        assert_eq!(Line::of(Tone::Plain, "abcdefghij").broken(4, 1).len(), 3);
    }

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(Line::of(Tone::Plain, "a\u{1b}[2Jb\r\nc\u{202e}d").text(), "a[2Jb cd");
    }

    #[test]
    fn wrapping_keeps_words_and_breaks_what_is_too_long() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("部署", 1), ["部", "署"]);
    }
}
