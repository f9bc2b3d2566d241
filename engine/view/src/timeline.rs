//! What happened, in the order it did: each record in a sentence or none.

use jiff::tz::TimeZone;
use runbook_wire::{About, Answer, Body, Grade, Outline, Probe, Record, Result, Task, Via};

use crate::{Given, Key, Phase, Run, Stamp, Tone, moment, run::subject, value};

/// A sentence about what happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub at: Stamp,
    /// The step's path; empty for the run itself.
    pub about: String,
    pub text: String,
    /// A command that does what the text says, to be typed as it stands.
    pub command: Option<String>,
    pub tone: Tone,
    pub weight: Weight,
}

/// How much a sentence matters to somebody who reads it afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Worth a line while it happens.
    Detail,
    /// A step's result.
    Step,
    /// Turned the run: a failure, a decision, a change of executor, the end.
    Milestone,
}

/// A run and everything that was said about it.
#[derive(Debug, Clone)]
pub struct Timeline {
    pub run: Run,
    pub said: Vec<Said>,
    zone: TimeZone,
}

impl Timeline {
    /// Before the first record. `zone`: the reader's, for deadlines within sentences.
    pub fn new(outline: Outline, zone: TimeZone) -> Timeline {
        Timeline { run: Run::new(outline), said: Vec::new(), zone }
    }

    /// Takes one record in; one that was seen already says nothing again.
    pub fn apply(&mut self, record: &Record) {
        if self.run.last.is_none_or(|last| record.seq > last.seq) {
            self.run.apply(record);
            self.said.extend(said(&self.run, record, &self.zone));
        }
    }
}

/// What a record says; `run` has already taken it in.
pub(crate) fn said(run: &Run, record: &Record, zone: &TimeZone) -> Vec<Said> {
    let at = Stamp { seq: record.seq, wall_ms: record.wall_ms, elapsed_ms: record.elapsed_ms };
    let mut all = Vec::new();
    let mut say = |weight: Weight, tone: Tone, about: &str, text: String| {
        all.push(Said { at, about: about.to_owned(), text, command: None, tone, weight });
    };
    use Weight::{Detail, Milestone, Step};
    match &record.body {
        Body::RunCreated { run: id, runbook, environment, requester, .. } => {
            let on = environment.as_ref().map_or_else(String::new, |e| format!(" on {e}"));
            say(Milestone, Tone::Accent, "", format!("{runbook}: run {id}{on} by {}", requester.name));
        }
        Body::ExecutorStarted { pid, host, resumed: true, gap_ms } if run.resumes > 0 => {
            let gap = moment::length(*gap_ms);
            say(
                Milestone,
                Tone::Warn,
                "",
                format!("resumed by process {pid} on {host}, {gap} after the last record"),
            );
        }
        Body::ExecutorStopped { reason } => say(Milestone, Tone::Warn, "", format!("stopped: {reason}")),
        Body::LockAwaited { since_wall_ms, until_wall_ms, .. } => {
            let held = run.lock_held.as_ref().map_or_else(String::new, crate::LockHeld::words);
            let time = |ms: &u64| moment::date_time(*ms, zone);
            let text =
                format!("waits: {held} since {}; gives up at {}", time(since_wall_ms), time(until_wall_ms));
            say(Milestone, Tone::Warn, "", text);
        }
        Body::LockRefused { skip, .. } => {
            let held = run.lock_held.as_ref().map_or_else(String::new, crate::LockHeld::words);
            let (tone, word) = if *skip { (Tone::Warn, "skipped") } else { (Tone::Fail, "locked") };
            say(Milestone, tone, "", format!("{word}: {held}"));
        }
        Body::LockTaken { name } => say(Detail, Tone::Dim, "", format!("lock {name} taken")),
        Body::LockReleased { name } => say(Detail, Tone::Dim, "", format!("lock {name} released")),
        Body::Skipped { task, reason, .. } => say(Step, Tone::Dim, &task.path, format!("skipped: {reason}")),
        Body::Entered { task, .. } => say(Detail, Tone::Dim, &task.path, "begins".into()),
        Body::Items { task, keys, .. } => {
            let what = if keys.len() == 1 { "item" } else { "items" };
            say(Step, Tone::Plain, &task.path, format!("{} {what}: {}", keys.len(), keys.join(" ")));
        }
        Body::Branch { task, label, .. } => say(Step, Tone::Plain, &task.path, format!("case {label}")),
        Body::Started { task, .. } => {
            let what = run.outline.entries.get(task.node as usize).map_or("", |e| e.what.as_str());
            let attempt = run.task(Key::of(task)).map_or(1, crate::TaskState::attempt);
            let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            say(Detail, Tone::Plain, &task.path, format!("starts: {what}{again}"));
        }
        Body::Ended { task, result, masked, note, warning, failure, .. } => {
            let took = took(run, task, record);
            let verifies = run.task(Key::of(task)).is_some_and(|t| t.phase == Phase::Verifying);
            // `on_inconclusive: continue`.
            let unseen =
                *result != Result::Done && run.task(Key::of(task)).is_some_and(|t| t.phase == Phase::Done);
            let (tone, verb) = match result {
                _ if unseen => (Tone::Warn, "could not be seen, and is not waited for,"),
                Result::Done if verifies => (Tone::Plain, "done, to be verified,"),
                Result::Done => (Tone::Ok, "done"),
                Result::Failed => (Tone::Fail, "failed"),
                Result::NotDone => (Tone::Fail, "failed, nothing was changed"),
                Result::Unknown => (Tone::Warn, "in doubt: nobody knows whether it happened"),
            };
            let mut text = format!("{verb}{took}");
            for extra in note.iter().chain(failure.as_ref().map(|f| &f.message)) {
                text.push_str(&format!(": {extra}"));
            }
            let attempt = run.task(Key::of(task)).map_or(1, crate::TaskState::attempt);
            if failure.is_some() && attempt > 1 {
                text.push_str(&format!(" (attempt {attempt})"));
            }
            let weight = match result {
                // What counts is whether its `verify` holds.
                Result::Done if verifies => Detail,
                Result::Done => Step,
                _ if unseen => Step,
                _ => Milestone,
            };
            say(weight, tone, &task.path, text);
            for warning in warning.iter().chain(&value::masked(masked)) {
                say(Step, Tone::Warn, &task.path, format!("warning: {warning}"));
            }
            if let (Some(failure), Some(entry)) = (failure, run.outline.entries.get(task.node as usize)) {
                say(Detail, Tone::Dim, &task.path, format!("at {}:{}", entry.place.file, entry.place.line));
                if let Some(hint) = &failure.hint {
                    say(Detail, Tone::Accent, &task.path, format!("hint: {hint}"));
                }
            }
        }
        Body::GateClosed { task, gate, reason, .. } => {
            say(Milestone, Tone::Warn, &task.path, format!("gate {} no longer holds: {reason}", gate.path));
        }
        Body::Checked { task, probe, grade, message, masked, .. } => {
            // A probe may look every second; a line says that what it sees has changed.
            let seen = run.task(Key::of(task)).and_then(|t| t.probe(*probe));
            if seen.is_none_or(|s| s.row == 1) {
                let (tone, word) = match (probe, grade) {
                    (Probe::Until | Probe::Verify, Grade::Fail) => (Tone::Plain, "not yet"),
                    (_, Grade::Pass) => (Tone::Ok, "holds"),
                    (_, Grade::Fail) => (Tone::Warn, "does not hold"),
                    (_, Grade::Inconclusive) => (Tone::Warn, "cannot be seen"),
                };
                let what = match probe {
                    Probe::Until => "",
                    Probe::Verify => "verify: ",
                    Probe::NotDone => "verify that it did not happen: ",
                    Probe::Guard(_) => "guard: ",
                };
                let message = if message.is_empty() { String::new() } else { format!(": {message}") };
                say(Detail, tone, &task.path, format!("{what}{word}{message}"));
            }
            if let Some(warning) = value::masked(masked) {
                say(Step, Tone::Warn, &task.path, format!("warning: {warning}"));
            }
        }
        Body::Closed { task, masked, failure, .. } => {
            match failure {
                Some(failure) => {
                    say(Milestone, Tone::Fail, &task.path, format!("failed: {}", failure.message));
                }
                None => say(Detail, Tone::Dim, &task.path, "ends".into()),
            }
            if let Some(warning) = value::masked(masked) {
                say(Step, Tone::Warn, &task.path, format!("warning: {warning}"));
            }
        }
        Body::Asked { about, question, deadline_wall_ms, .. } => {
            let until = deadline_wall_ms.map(|d| format!(" (until {})", moment::date_time(d, zone)));
            let about = self::about(about);
            say(Step, Tone::Warn, &about, format!("asks: {question}{}", until.unwrap_or_default()));
            if let Some(open) = run.questions.last() {
                for (name, shown) in open.shown(run) {
                    say(Detail, Tone::Plain, &about, format!("  {name}: {shown}"));
                }
            }
        }
        Body::Answered { about, .. } => {
            if let Some(given) = run.answers.last() {
                let comment = given.comment.as_ref().map_or_else(String::new, |c| format!(": {c}"));
                say(Milestone, Tone::Plain, &self::about(about), format!("{}{comment}", answer(given)));
            }
        }
        Body::CancelRequested { by, reason } => {
            say(Milestone, Tone::Fail, "", format!("cancelled by {}: {reason}", by.name))
        }
        Body::Paused { by } => say(Milestone, Tone::Warn, "", format!("paused by {}", by.name)),
        Body::ProgramAccepted { path, digest, by } => {
            let digest = digest.get(..12).unwrap_or(digest);
            say(
                Milestone,
                Tone::Warn,
                "",
                format!("{path} was changed ({digest}), and that is meant, says {}", by.name),
            )
        }
        Body::Unpaused { by } => say(Milestone, Tone::Plain, "", format!("goes on, says {}", by.name)),
        Body::RollbackRequested { by, to } => {
            let to = to.as_ref().map_or_else(String::new, |t| format!(" down to {}", t.path));
            say(Milestone, Tone::Warn, "", format!("rollback{to} asked for by {}", by.name));
        }
        Body::Finished { exit_code, no_outputs, .. } => {
            let tree = crate::Tree::of(run);
            let tone = if *exit_code == 0 { Tone::Ok } else { Tone::Fail };
            let standing = crate::standing(&tree, crate::Now::at(record.wall_ms));
            say(
                Milestone,
                tone,
                "",
                format!("{standing} in {} (exit {exit_code})", moment::clock(record.elapsed_ms)),
            );
            for (name, why) in no_outputs {
                say(Milestone, Tone::Warn, "", format!("outputs: {name} could not be computed: {why}"));
            }
        }
        _ => {}
    }
    if let Some((tone, about, text)) = settled(run, record) {
        let weight = if tone == Tone::Fail { Milestone } else { Step };
        say(weight, tone, &about, text);
    }
    if let (Body::Asked { about, .. }, Some(open)) = (&record.body, run.questions.last()) {
        let answers = crate::answers(&crate::Tree::of(run), open);
        all.extend(answers.into_iter().map(|next| Said {
            at,
            about: self::about(about),
            text: format!("  {}", next.what),
            command: Some(next.command),
            tone: Tone::Accent,
            weight: Detail,
        }));
    }
    all
}

/// What somebody said: `approved by ana`.
pub(crate) fn answer(given: &Given) -> String {
    let by = &given.by.name;
    let words = match &given.answer {
        Answer::Approve => format!("approved by {by}"),
        Answer::Reject => format!("rejected by {by}"),
        Answer::Value { value } => format!("{} says {by}", value::short(value)),
        Answer::Item { item, done, evidence } => {
            let sign = if *done { "done" } else { "not done" };
            let evidence = evidence.as_ref().map_or_else(String::new, |e| format!(" ({e})"));
            format!("{item}: {sign}{evidence}, says {by}")
        }
        Answer::Done => format!("it happened, says {by}"),
        Answer::NotDone => format!("it did not happen, says {by}"),
        Answer::Undo => format!("to be undone, says {by}"),
        Answer::Keep => format!("kept, says {by}"),
        Answer::Retry => format!("to be tried again, says {by}"),
        Answer::Skip => format!("skipped by {by}"),
        Answer::Fail => format!("failed by {by}"),
    };
    if given.via == Via::AnswersFile { format!("{words} (from an answers file)") } else { words }
}

/// What follows from a record for its task, where no record of its own says so: a wait is over, a guard tripped.
fn settled(run: &Run, record: &Record) -> Option<(Tone, String, String)> {
    let task = match &record.body {
        Body::Checked { task, .. } | Body::Fired { task, .. } => task,
        Body::Answered { about, .. } => subject(about)?,
        _ => return None,
    };
    let state = run.task(Key::of(task))?;
    let took = state.began.map_or(0, |b| record.elapsed_ms.saturating_sub(b.elapsed_ms));
    let took = moment::length(took);
    let failure = state.failure.as_ref().map_or_else(String::new, |f| format!(": {}", f.message));
    let now = |at: Option<Stamp>| at.is_some_and(|at| at.seq == record.seq);
    if now(state.failed) {
        // Time that passes when everything inside is over has failed nothing.
        let tree = crate::Tree::of(run);
        let broken = tree.find(Key::of(task)).is_some_and(|node| node.broken);
        return broken.then(|| (Tone::Fail, task.path.clone(), format!("failed after {took}{failure}")));
    }
    if !now(state.ended) {
        return None;
    }
    let verified = matches!(&record.body, Body::Checked { probe: Probe::Verify, .. });
    let (tone, text) = match state.phase {
        Phase::Done if verified => (Tone::Ok, format!("done and verified in {took}{}", note(state))),
        Phase::Done => (Tone::Ok, format!("done in {took}{}", note(state))),
        Phase::Failed => (Tone::Fail, format!("failed after {took}{failure}")),
        Phase::NotDone => (Tone::Fail, "nothing was changed".to_owned()),
        _ => return None,
    };
    Some((tone, task.path.clone(), text))
}

fn note(state: &crate::TaskState) -> String {
    state.note.as_ref().map_or_else(String::new, |n| format!(": {n}"))
}

fn took(run: &Run, task: &Task, record: &Record) -> String {
    let began = run.task(Key::of(task)).and_then(|t| t.attempts.last()).and_then(|a| a.began);
    began.map_or_else(String::new, |b| {
        format!(" in {}", moment::length(record.elapsed_ms.saturating_sub(b.elapsed_ms)))
    })
}

/// What a question is about, for people: a path, `rollback`.
pub(crate) fn about(about: &About) -> String {
    match about {
        About::Human(task) | About::InDoubt(task) | About::Warning(task) | About::Drift(task) => {
            task.path.clone()
        }
        About::Rollback(Some(task)) => format!("rollback of {}", task.path),
        About::Rollback(None) => "rollback".into(),
        About::AfterPivot => "after the point of no return".into(),
    }
}
