//! What a write would change, for the plan.

use similar::TextDiff;

use super::state::State;

/// Lines of a difference that are shown.
const MOST_LINES: usize = 200;

/// A unified difference of the contents, and the modes if they differ.
pub(super) fn difference(before: &State, after: &State) -> String {
    let mut text = match (mode(before), mode(after)) {
        (Some(before), Some(after)) if before != after => format!("mode {before:04o} → {after:04o}\n"),
        (None, Some(after)) => format!("mode {after:04o}\n"),
        _ => String::new(),
    };
    match (content(before), content(after)) {
        (Some(before), Some(after)) => {
            let diff = TextDiff::from_lines(before, after);
            let shown = diff.unified_diff().context_radius(2).to_string();
            let lines: Vec<_> = shown.lines().collect();
            text.push_str(&lines[..lines.len().min(MOST_LINES)].join("\n"));
            if lines.len() > MOST_LINES {
                text.push_str(&format!("\n… {} more lines", lines.len() - MOST_LINES));
            }
        }
        _ => text.push_str(&format!("{before} → {after}")),
    }
    text.trim_end().to_owned()
}

fn mode(state: &State) -> Option<u32> {
    match state {
        State::Absent => None,
        State::File { mode, .. } => Some(*mode),
    }
}

/// The content as text; nothing for bytes that are none.
fn content(state: &State) -> Option<&str> {
    match state {
        State::Absent => Some(""),
        State::File { content, .. } => std::str::from_utf8(content).ok(),
    }
}
