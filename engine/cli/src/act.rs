//! Acting on a run from any terminal: through its executor where there is one, else by taking the run.

use std::time::{Duration, Instant};

use runbook_journal::{Fate, Journal, RunSummary};
use runbook_runtime::Refusal;
use runbook_wire::{Message, Request};

use crate::args::{Format, Global, Takeover};
use crate::drive::Untaken;
use crate::error::{CommandError, Exit};
use crate::{drive, history, host, output};

/// How long an executor may take to answer before we say that it does not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a request to a run, and says what became of it: a command reports an observed transition or fails.
///
/// With an executor, the request goes to its inbox and this waits until it is recorded or refused. Without one this
/// process takes the run, acts, and drives it as far as it goes; the exit code is then the run's. Executors come and go
/// meanwhile: somebody else may have taken the run this moment, and one may stop before it has come to the request.
pub(crate) fn on(
    run: &RunSummary,
    request: Request,
    done: &str,
    global: &Global,
) -> Result<Exit, CommandError> {
    or_detached(run, request, done, Takeover { detach: false }, global)
}

/// The same; but where nobody executes the run, `detach` leaves it to a process of its own, and the exit code says only that
/// the request was recorded.
pub(crate) fn or_detached(
    run: &RunSummary,
    request: Request,
    done: &str,
    takeover: Takeover,
    global: &Global,
) -> Result<Exit, CommandError> {
    let message = Message { by: host::person(), request };
    let begun = Instant::now();
    let mut in_inbox = None;
    let mut told = !history::unfinished(run);
    loop {
        let journal = history::writing(global)?;
        if takeover.detach && history::unfinished(run) && journal.holder(&run.id)?.is_none() {
            match drive::accepts(&run.id, message.clone(), global) {
                Err(Untaken::Held(_)) => continue,
                accepts => accepts?,
            }
            let entry = match in_inbox {
                Some(entry) => entry,
                None => left(&journal, run, &message)?,
            };
            return in_the_background(&journal, run, entry, done, global);
        }
        if journal.holder(&run.id)?.is_none() {
            drop(journal);
            if !std::mem::replace(&mut told, true) {
                // Whoever sends an answer may not expect to execute what follows.
                output::line_to_stderr(&format!(
                    "nobody executes run {}: this command goes on with it, in this shell's environment",
                    run.id
                ));
            }
            // Whoever takes the run reads its inbox.
            let message = in_inbox.is_none().then(|| message.clone());
            match drive::taken(&run.id, message, global) {
                Err(Untaken::Held(_)) => continue,
                taken => return driven(&run.id, in_inbox, taken?, global),
            }
        }
        let entry = match in_inbox {
            Some(entry) => entry,
            None => *in_inbox.insert(left(&journal, run, &message)?),
        };
        match journal.fate(&run.id, entry, PATIENCE.saturating_sub(begun.elapsed()))? {
            Fate::Taken { seq } => return accepted(&run.id, seq, done, global),
            Fate::Refused { reason } => return Err(refused(&run.id, &reason)),
            Fate::Waiting if begun.elapsed() < PATIENCE || journal.holder(&run.id)?.is_none() => {}
            Fate::Waiting => return Err(unanswered(&run.id)),
        }
    }
}

/// What this process drove the run to, if the request in its inbox was among what was done: somebody else's may have come
/// first, and then the run went on without this one.
fn driven(run: &str, in_inbox: Option<i64>, exit: Exit, global: &Global) -> Result<Exit, CommandError> {
    let Some(entry) = in_inbox else { return Ok(exit) };
    match history::writing(global)?.fate(run, entry, Duration::ZERO)? {
        Fate::Taken { .. } => Ok(exit),
        Fate::Refused { reason } => Err(refused(run, &reason)),
        Fate::Waiting => Err(CommandError::unexpected(format!(
            "run {run} was stopped before it came to this; the request is in its inbox"
        ))
        .exit(exit)
        .hint(format!("runbook resume {run}"))),
    }
}

/// Has a process of its own go on with the run: it reads the inbox before anything else. Waits for what becomes of the entry.
fn in_the_background(
    journal: &Journal,
    run: &RunSummary,
    entry: i64,
    done: &str,
    global: &Global,
) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let mut follow = journal.follow(&run.id, 1);
    drive::detach(&run.id, global)?;
    loop {
        match journal.fate(&run.id, entry, Duration::ZERO)? {
            Fate::Taken { seq } => {
                let exit = accepted(&run.id, seq, done, global)?;
                drive::say_detached(&run.id, global);
                return Ok(exit);
            }
            Fate::Refused { reason } => return Err(refused(&run.id, &reason)),
            Fate::Waiting if begun.elapsed() < PATIENCE => {
                drop(follow.next(PATIENCE.saturating_sub(begun.elapsed()))?);
            }
            Fate::Waiting => return Err(unanswered(&run.id)),
        }
    }
}

/// Leaves a request in the inbox; its number there.
fn left(journal: &Journal, run: &RunSummary, message: &Message) -> Result<i64, CommandError> {
    let now = runbook_runtime::Clock::system().wall_ms();
    Ok(journal.leave(&run.id, message, now)?.0)
}

fn unanswered(run: &str) -> CommandError {
    let waited = PATIENCE.as_secs();
    CommandError::unexpected(format!(
        "run {run} has not answered within {waited} s; the request is in its inbox"
    ))
    .hint(format!("runbook watch {run}"))
}

fn accepted(run: &str, seq: u64, done: &str, global: &Global) -> Result<Exit, CommandError> {
    match global.output {
        Format::Text => output::line_to_stderr(&format!("{done} (run {run}, event {seq})")),
        Format::Json => output::data_line(
            &serde_json::json!({"version": 1, "type": "accepted", "run": run, "seq": seq}).to_string(),
        )?,
    }
    Ok(Exit::SUCCESS)
}

fn refused(run: &str, reason: &str) -> CommandError {
    let (message, hint) = match reason.split_once('\n') {
        Some((message, hint)) => (message, Some(hint.to_owned())),
        None => (reason, None),
    };
    drive::refused(run, Refusal { message: message.to_owned(), hint })
}
