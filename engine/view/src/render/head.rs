//! The first line: which run this is.

use super::Page;
use crate::{Executor, Line, Tone, moment, tree::Forward};

pub(super) fn head(page: &Page<'_>) -> Vec<Line> {
    let run = page.tree.run;
    let mut pieces = vec![Line::of(Tone::Accent, run.name())];
    if let Some(created) = &run.created {
        pieces.push(Line::of(Tone::Plain, format!("run {}", created.run)));
        pieces.extend(created.environment.as_ref().map(|e| Line::of(Tone::Plain, e)));
        pieces.push(Line::of(Tone::Plain, format!("by {}", created.requester.name)));
        pieces.push(Line::of(Tone::Plain, moment::clock(page.elapsed_ms)));
    }
    // They end with the run.
    for lock in run.locks.iter().filter(|l| l.released.is_none() && run.finished.is_none()) {
        pieces.push(Line::of(Tone::Dim, format!("lock {}", lock.name)));
    }
    if run.resumes > 0 {
        let times = if run.resumes == 1 { "once".to_owned() } else { format!("{} times", run.resumes) };
        pieces.push(Line::of(Tone::Dim, format!("resumed {times}")));
    }
    if page.tree.forward == Forward::NotBegun && run.created.is_none() {
        pieces.push(Line::of(Tone::Dim, "not begun"));
    }
    let mut lines = page.flow(pieces, 2, 2);
    if run.interrupted(page.now) {
        lines.extend(page.text_with_commands(&interrupted(page)));
    } else if let Some((by, at)) = run.paused.as_ref().filter(|_| run.finished.is_none()) {
        let since = moment::time_of_day(at.wall_ms, &page.style.zone);
        lines.push(Line::of(Tone::Warn, format!("  paused by {} at {since}: nothing new starts", by.name)));
    }
    if let Some(held) = run.lock_held.as_ref().filter(|_| run.finished.is_none()) {
        let time = |ms| moment::time_of_day(ms, &page.style.zone);
        let until = held.until_ms.map_or_else(String::new, |until| format!(", waits until {}", time(until)));
        // Behind the times, which are those of the lock.
        let left = page.now.holder.map(|standing| format!("; run {} is {}", held.holder, standing.words()));
        let text = format!(
            "{} since {}{until}: nothing starts before{}",
            held.words(),
            time(held.since_ms),
            left.unwrap_or_default()
        );
        lines.extend(Line::of(Tone::Warn, format!("  {text}")).broken(page.width, 4));
    }
    lines
}

fn interrupted(page: &Page<'_>) -> String {
    let run = page.tree.run;
    match &run.executor {
        Executor::Stopped { reason, at } => {
            format!("stopped {}: {reason}", moment::relative(at.wall_ms, page.now.wall_ms))
        }
        Executor::Running { pid, host, .. } => {
            let seen = run.last.map_or(0, |l| l.wall_ms);
            let ago = moment::relative(seen, page.now.wall_ms);
            format!("interrupted: process {pid} on {host} is gone, last record {ago}")
        }
        Executor::None => "nobody executes it".into(),
    }
}
