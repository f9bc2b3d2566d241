//! The part of the terminal that is redrawn in place.
//!
//! The terminal stays in its ordinary line mode and the cursor visible: a `runbook` that is killed with SIGKILL leaves a
//! terminal that works.

use std::io::Write;

use runbook_view::Line;

use super::style;

/// Lines at the bottom of stderr that are drawn again and again.
#[derive(Debug, Default)]
pub(crate) struct Region {
    drawn: usize,
}

impl Region {
    /// Replaces what was drawn by these lines; the last `height` of them where there are more, under the first one.
    pub(crate) fn draw(&mut self, lines: &[Line], height: usize, colour: bool) {
        let mut text = self.erasure();
        let room = height.saturating_sub(1).max(2);
        let tail = if lines.len() > room { lines.len() - (room - 1) } else { 1 };
        let kept = lines.iter().take(1).chain(lines.iter().skip(tail));
        self.drawn = 0;
        for line in kept {
            text.push_str(&style::text(line, colour));
            text.push('\n');
            self.drawn += 1;
        }
        write(&text);
    }

    /// Takes the region away and writes lines that stay.
    pub(crate) fn print(&mut self, text: &str) {
        let mut out = self.erasure();
        self.drawn = 0;
        out.push_str(text);
        write(&out);
    }

    /// What stands there stays; the next drawing begins below it.
    pub(crate) fn keep(&mut self) {
        self.drawn = 0;
    }

    fn erasure(&self) -> String {
        if self.drawn == 0 { String::new() } else { format!("\x1b[{}A\r\x1b[J", self.drawn) }
    }
}

/// A terminal that went away (an ssh session that dropped) is no reason to stop a run.
fn write(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    let _ = err.flush();
}
