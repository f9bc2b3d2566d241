//! Exit codes in words.

use runbook_wire::About;

use crate::{Executor, Forward, Now, Rollback, Run, Tree, summary};

/// What an exit code of a run means, in a few words.
pub fn exit_meaning(code: i32) -> String {
    match code {
        0 => "succeeded".into(),
        1 => "stopped unexpectedly".into(),
        2 => "wrong usage".into(),
        3 => "succeeded with failures".into(),
        10 => "the runbook is not valid".into(),
        20 => "failed or cancelled, and every undo that the runbook has was done".into(),
        21 => "failed, not rolled back".into(),
        22 => "rollback incomplete".into(),
        23 => "in doubt".into(),
        24 => "waiting for a person".into(),
        25 => "rejected or expired".into(),
        30 => "a lock is held by another run".into(),
        31 => "journal fault".into(),
        129..=192 => format!("the executor stopped on signal {}, the run is unfinished", code - 128),
        _ => format!("exit code {code}"),
    }
}

/// The exit code that the records give: that of the last one, else that of the executor which stopped. `None` while it
/// goes on, and where it was cut short without a record.
pub fn exit_code(run: &Run) -> Option<i32> {
    if let Some(finished) = &run.finished {
        return Some(finished.exit_code);
    }
    let Executor::Stopped { reason, .. } = &run.executor else { return None };
    let signal = reason.strip_prefix("stopped by signal ").and_then(|number| number.parse::<i32>().ok());
    let in_doubt = |q: &&crate::Question| matches!(q.about, About::InDoubt(_));
    Some(match signal {
        Some(signal) => 128 + signal,
        None if reason == "stopped here" => 1,
        None if Tree::of(run).open_questions().iter().any(in_doubt) => 23,
        None => 24,
    })
}

/// With a capital letter, as a heading.
pub(crate) fn capital(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// Whether nobody executes the run because it waits for somebody's answer: its executor left it in good order.
pub(crate) fn waits(tree: &Tree<'_>, now: Now) -> bool {
    // One that was stopped from outside left more than a question behind.
    let left = matches!(exit_code(tree.run), Some(23 | 24));
    left && tree.run.interrupted(now) && !answerable(tree, now).is_empty()
}

/// Open questions that can still be answered: not those whose time is over and whose run somebody has to go on with.
pub(crate) fn answerable<'a>(tree: &Tree<'a>, now: Now) -> Vec<&'a crate::Question> {
    tree.open_questions().into_iter().filter(|question| !question.expired(tree.run, now)).collect()
}

/// Whether it failed after its point of no return, and somebody is asked how it goes on.
pub(crate) fn undecided(tree: &Tree<'_>) -> bool {
    tree.open_questions().into_iter().any(|question| question.about == About::AfterPivot)
}

/// How a run ended, or stands, as one phrase: `failed, rolled back`. What goes on is `interrupted` where nobody executes
/// the run.
pub fn standing(tree: &Tree<'_>, now: Now) -> String {
    let interrupted = tree.run.interrupted(now);
    let waits = waits(tree, now);
    let forward = match tree.forward {
        Forward::NotBegun => "not begun",
        Forward::Running if waits => "waiting for a person",
        Forward::Running if interrupted => "interrupted",
        Forward::Running => "running",
        // Whoever goes on with it finds that out.
        Forward::WaitingForPerson if interrupted && answerable(tree, now).is_empty() => "expired",
        Forward::WaitingForPerson => "waiting for a person",
        Forward::InDoubt => "in doubt",
        Forward::Failed => "failed",
        Forward::Cancelled => "cancelled",
        Forward::Succeeded => "succeeded",
        Forward::SucceededWithFailures => "succeeded with failures",
        Forward::Locked => "locked",
        Forward::Skipped => "skipped",
    };
    let rollback = match tree.rollback {
        // Of an item that failed, as some may.
        Rollback::None => match summary::left_for_good(tree).0.len() {
            0 => return forward.to_owned(),
            count => summary::how_many_stay(count),
        },
        Rollback::Pending | Rollback::Running if waits => "rollback waiting for a person".to_owned(),
        Rollback::Pending | Rollback::Running if interrupted => "rollback interrupted".to_owned(),
        Rollback::Declined if undecided(tree) => "to be decided how it goes on".to_owned(),
        _ => rolled_back(tree),
    };
    format!("{forward}, {rollback}")
}

/// How the rollback stands, with the writes that nothing undoes: `rolled back, 1 write stays`.
pub(crate) fn rolled_back(tree: &Tree<'_>) -> String {
    let (certain, failed) = summary::left_for_good(tree);
    let stay = summary::how_many_stay(certain.len());
    let nothing = summary::nothing_undone(tree);
    match tree.rollback {
        // Only items that failed, as some may, are undone.
        Rollback::None if !certain.is_empty() => stay,
        Rollback::None if nothing => "nothing undone".to_owned(),
        Rollback::None => "undone where it failed".to_owned(),
        Rollback::NothingToUndo | Rollback::Partial if nothing && !certain.is_empty() => stay,
        Rollback::NothingToUndo | Rollback::Partial if nothing && !failed.is_empty() => {
            "nothing undone".to_owned()
        }
        Rollback::Complete | Rollback::Partial | Rollback::Declined if !certain.is_empty() => {
            format!("{}, {stay}", tree.rollback.words())
        }
        other => other.words().to_owned(),
    }
}
