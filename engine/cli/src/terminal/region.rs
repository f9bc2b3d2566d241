//! The part of the terminal that is redrawn in place. The cursor stays visible.

use std::io::Write;

use runbook_view::Line;

use super::style;

/// Lines at the bottom of stderr that are drawn again and again.
#[derive(Debug, Default)]
pub(crate) struct Region {
    /// Lines above the one where the cursor is.
    above: usize,
}

impl Region {
    /// Replaces what was drawn by these lines, and what is being typed below them.
    pub(crate) fn draw(&mut self, lines: &[Line], typed: Option<&str>, colour: bool) {
        let mut text = self.erasure();
        for line in lines {
            text.push_str(&style::text(line, colour));
            text.push('\n');
        }
        text.push_str(typed.unwrap_or_default());
        self.above = lines.len();
        write(&text);
    }

    /// Takes the region away and writes lines that stay.
    pub(crate) fn print(&mut self, text: &str) {
        let mut out = self.erasure();
        self.above = 0;
        out.push_str(text);
        write(&out);
    }

    fn erasure(&self) -> String {
        match self.above {
            0 => "\r\x1b[J".to_owned(),
            above => format!("\x1b[{above}A\r\x1b[J"),
        }
    }
}

/// A terminal that went away (an ssh session that dropped) is no reason to stop a run.
fn write(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    let _ = err.flush();
}
