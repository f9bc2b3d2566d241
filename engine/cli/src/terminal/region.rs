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
        write(&self.frame(lines, typed, colour));
    }

    fn frame(&mut self, lines: &[Line], typed: Option<&str>, colour: bool) -> String {
        let mut text = self.erasure();
        for line in lines {
            text.push_str(&style::text(line, colour));
            text.push('\n');
        }
        text.push_str(typed.unwrap_or_default());
        self.above = lines.len();
        text
    }

    /// Takes the region away and writes lines that stay.
    pub(crate) fn print(&mut self, text: &str) {
        let mut out = self.erasure();
        self.above = 0;
        out.push_str(text);
        write(&out);
    }

    /// Line by line: where the region begins at the top of the screen, a terminal with a history (tmux) takes "erase all
    /// that is below" for a screen to be kept, and keeps every frame.
    fn erasure(&self) -> String {
        match self.above {
            0 => "\r\x1b[2K".to_owned(),
            above => format!("\x1b[2K\x1b[{above}A\r{}\x1b[{above}A", "\x1b[2K\x1b[1B".repeat(above)),
        }
    }
}

/// A terminal that went away (an ssh session that dropped) is no reason to stop a run.
fn write(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    let _ = err.flush();
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_view::Tone;

    #[test]
    fn a_frame_takes_the_one_before_away_line_by_line() {
        let line = |text: &str| Line::of(Tone::Plain, text);
        let mut region = Region::default();
        assert_eq!(region.frame(&[line("a"), line("b")], Some("> y"), false), "\r\x1b[2Ka\nb\n> y");
        let next = region.frame(&[line("c")], None, false);
        assert_eq!(next, "\x1b[2K\x1b[2A\r\x1b[2K\x1b[1B\x1b[2K\x1b[1B\x1b[2Ac\n");
        assert_eq!(region.frame(&[], None, false), "\x1b[2K\x1b[1A\r\x1b[2K\x1b[1B\x1b[1A");
    }
}
