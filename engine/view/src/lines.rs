//! A record as lines for where there is no terminal: each stands alone, with the time and the step it is about.

use runbook_wire::{Body, Record};

use crate::{Line, Run, Style, Tone, line::wrap, moment, shell::located, timeline::said, with_state};

/// The lines of a record; `run` has already taken it in. None for records that say nothing new to a reader.
pub fn lines(run: &Run, record: &Record, style: &Style) -> Vec<Line> {
    let time = moment::time_of_day(record.wall_ms, &style.zone);
    let mut lines = Vec::new();
    for said in said(run, record, &style.zone) {
        // Why an executor stopped may say what to type.
        let text = match &record.body {
            Body::ExecutorStopped { .. } => with_state(&said.text, style.state.as_deref()),
            _ => said.text,
        };
        for text in wrap(&text, usize::MAX) {
            let mut line = Line::of(Tone::Dim, format!("{time} "));
            if !said.about.is_empty() {
                line.push(Tone::Accent, format!("{}: ", said.about));
            }
            lines.push(line.with(said.tone, text));
        }
        let Some(command) = &said.command else { continue };
        let command = located(command, style.state.as_deref());
        // What follows a line's end inside a word cannot have a time before it.
        for (n, part) in command.split('\n').enumerate() {
            match (n, lines.last_mut()) {
                (0, Some(line)) => line.push(said.tone, format!(": {part}")),
                _ => lines.push(Line::of(said.tone, part)),
            }
        }
    }
    lines
}
