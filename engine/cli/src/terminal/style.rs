//! Tones as terminal colours.

use runbook_view::{Line, Tone};

/// A line with or without colour.
pub(crate) fn text(line: &Line, colour: bool) -> String {
    let mut text = String::new();
    for span in &line.spans {
        match code(span.tone).filter(|_| colour) {
            Some(code) => {
                text.push_str(code);
                text.push_str(&span.text);
                text.push_str("\x1b[0m");
            }
            None => text.push_str(&span.text),
        }
    }
    text
}

/// The sixteen colours of the terminal's own theme, so that it is readable on light and dark alike.
fn code(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Plain => None,
        Tone::Ok => Some("\x1b[32m"),
        Tone::Fail => Some("\x1b[31m"),
        Tone::Warn => Some("\x1b[33m"),
        Tone::Accent => Some("\x1b[36m"),
        Tone::Dim => Some("\x1b[2m"),
    }
}
