//! A run as lines: what the live terminal repaints, what `show` prints once, what a replay shows.

mod detail;
mod fold;
mod foot;
mod head;
mod rollback;
mod steps;

use jiff::tz::TimeZone;

use crate::{Line, Now, Question, Run, Tone, Tree, shell, with_state};

pub(crate) use detail::{detail, failure_lines, given};
pub use detail::{mark, trend};

/// How to lay a run out.
#[derive(Debug, Clone)]
pub struct Style {
    /// No character outside ASCII of our own (what steps say stays as it is).
    pub ascii: bool,
    /// The reader's time zone.
    pub zone: TimeZone,
    /// At most this many lines: groups fold, what is done shares lines, and what is left out is said so. `None`: as
    /// many as it takes, folded only when long.
    pub max_lines: Option<usize>,
    /// The journal's folder, where the reader named it by an option: the commands that are shown name it too.
    pub state: Option<String>,
}

impl Default for Style {
    fn default() -> Style {
        Style { ascii: false, zone: TimeZone::UTC, max_lines: None, state: None }
    }
}

/// Everything that lines are made from.
pub(crate) struct Page<'a> {
    pub(crate) tree: Tree<'a>,
    pub(crate) now: Now,
    pub(crate) elapsed_ms: u64,
    pub(crate) width: usize,
    pub(crate) style: &'a Style,
}

/// Below this a line holds nothing useful; narrower terminals get lines of this width.
const MIN_WIDTH: usize = 20;

/// A run without `max_lines` is folded when it takes more lines than this.
const LONG: usize = 60;

/// The screen of a run. No line is wider than `width` (or than 20 columns, if that is less).
pub fn render(run: &Run, now: Now, width: usize, style: &Style) -> Vec<Line> {
    let width = width.max(MIN_WIDTH);
    let page = Page { tree: Tree::of(run), now, elapsed_ms: run.elapsed_ms(now), width, style };
    let head = head::head(&page);
    let rollback = rollback::rollback(&page);
    let failed = foot::failed(&page);
    let foot = foot::foot(&page);
    let room = style
        .max_lines
        .unwrap_or(LONG)
        .saturating_sub(head.len() + failed.len() + rollback.len() + foot.len());
    let mut rows = Vec::new();
    for level in fold::LEVELS {
        rows = steps::steps(&page, level);
        if rows.len() <= room {
            break;
        }
    }
    if style.max_lines.is_some() {
        rows = fold::clamp(rows, room.max(1), style.ascii);
    }
    let top = head.len();
    let mut lines = head;
    lines.extend(rows.into_iter().map(|row| row.line));
    lines.extend(failed);
    lines.extend(rollback);
    lines.extend(foot);
    if let Some(max) = style.max_lines
        && lines.len() > max.max(1)
    {
        // Too small for everything: the beginning says what runs and for how long, the end what to do.
        let top = top.min(max / 2);
        let missing = (lines.len() + 1 - max.max(1)).min(lines.len() - top);
        let dots = if style.ascii { "..." } else { "…" };
        let show = page.command(&format!("runbook show {}", run.id()));
        let note = Line::of(Tone::Warn, format!("  {dots} {missing} lines more: ")).with(Tone::Accent, show);
        // Half a command is none.
        let note = match note.width() <= width {
            true => note,
            false => Line::of(Tone::Warn, format!("  {dots} {missing} lines more")),
        };
        lines.splice(top..top + missing, [note]);
    }
    lines.into_iter().map(|line| line.cut(width, style.ascii)).collect()
}

/// A question in full: what is decided on, who can answer, until when, and how.
pub fn ask(run: &Run, question: &Question, now: Now, width: usize, style: &Style) -> Vec<Line> {
    let width = width.max(MIN_WIDTH);
    let page = Page { tree: Tree::of(run), now, elapsed_ms: run.elapsed_ms(now), width, style };
    foot::ask(&page, question)
}

impl Page<'_> {
    /// Nobody executes the run, and it is not over.
    pub(crate) fn interrupted(&self) -> bool {
        self.tree.run.interrupted(self.now)
    }

    /// An arrow, a dash: the sign, or its ASCII stand-in.
    pub(crate) fn sign(&self, sign: &'static str, ascii: &'static str) -> &'static str {
        if self.style.ascii { ascii } else { sign }
    }

    /// A command as the reader has to type it.
    pub(crate) fn command(&self, command: &str) -> String {
        shell::located(command, self.style.state.as_deref())
    }

    /// What a command does, and the command, below each other: where they do not stand on one line.
    pub(crate) fn below(&self, what: &str, command: &str, indent: usize) -> Vec<Line> {
        let mut lines = vec![Line::of(Tone::Dim, format!("{}{what}:", " ".repeat(indent)))];
        let command = shell::lines(command, indent + 4, self.width);
        lines.extend(command.into_iter().map(|line| Line::of(Tone::Accent, line)));
        lines
    }

    /// A warning that may say what to type: a command in it stays on one line if it can, else on lines of its own that a
    /// shell reads as one.
    pub(crate) fn text_with_commands(&self, text: &str) -> Vec<Line> {
        const INDENT: usize = 4;
        let mut lines = Vec::new();
        let mut pieces = vec![Line::of(Tone::Plain, " ")];
        let text = with_state(text, self.style.state.as_deref());
        for (n, part) in text.split("runbook ").enumerate() {
            let (command, words) = part.split_once(';').map_or((part, ""), |(command, rest)| (command, rest));
            let (command, words) = match n {
                0 => (None, part),
                _ if words.is_empty() => (Some(format!("runbook {command}")), ""),
                _ => (Some(format!("runbook {command};")), words),
            };
            match command.as_deref().map(str::trim_end) {
                Some(command) if Line::of(Tone::Accent, command).width() + INDENT > self.width => {
                    lines.extend(self.flow(std::mem::take(&mut pieces), 1, INDENT));
                    let command = shell::lines(command, INDENT, self.width);
                    lines.extend(command.into_iter().map(|line| Line::of(Tone::Accent, line)));
                    pieces.push(Line::of(Tone::Plain, " ".repeat(INDENT - 1)));
                }
                Some(command) => pieces.push(Line::of(Tone::Accent, command)),
                None => {}
            }
            pieces.extend(words.split_whitespace().map(|word| Line::of(Tone::Warn, word)));
        }
        lines.extend(self.flow(pieces, 1, INDENT));
        lines.retain(|line| !line.spans.iter().all(|span| span.text.trim().is_empty()));
        lines
    }

    /// Pieces one after the other, as many on a line as fit, later lines indented.
    pub(crate) fn flow(&self, pieces: Vec<Line>, gap: usize, indent: usize) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let room = self.width.saturating_sub(indent);
        for piece in pieces.into_iter().filter(|p| !p.spans.is_empty()) {
            if piece.width() > room {
                let (mut piece, indent) = (piece, if lines.is_empty() { indent + 2 } else { indent });
                if !lines.is_empty() {
                    piece.spans.insert(0, crate::Span { text: " ".repeat(indent), tone: Tone::Plain });
                }
                lines.extend(piece.broken(self.width, indent));
                continue;
            }
            match lines.last_mut() {
                Some(line) if line.width() + gap + piece.width() <= self.width => {
                    line.push(Tone::Plain, " ".repeat(gap));
                    line.spans.extend(piece.spans);
                }
                Some(_) => {
                    let mut line = Line::of(Tone::Plain, " ".repeat(indent));
                    line.spans.extend(piece.spans);
                    lines.push(line);
                }
                None => lines.push(piece),
            }
        }
        lines
    }
}
