//! Acting on a run from any terminal: through its executor where there is one, else by taking the run.

use std::time::{Duration, Instant};

use runbook_journal::{Fate, RunSummary};
use runbook_runtime::Refusal;
use runbook_wire::{Message, Request};

use crate::args::{Format, Global};
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
    let message = Message { by: host::person(), request };
    let begun = Instant::now();
    let mut in_inbox = None;
    let mut told = !history::unfinished(run);
    loop {
        let journal = history::writing(global)?;
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
                taken => return Ok(taken?),
            }
        }
        let entry = match in_inbox {
            Some(entry) => entry,
            None => {
                let now = runbook_runtime::Clock::system().wall_ms();
                let (entry, _) = journal.leave(&run.id, &message, now)?;
                *in_inbox.insert(entry)
            }
        };
        match journal.fate(&run.id, entry, PATIENCE.saturating_sub(begun.elapsed()))? {
            Fate::Taken { seq } => return accepted(&run.id, seq, done, global),
            Fate::Refused { reason } => return Err(refused(&run.id, &reason)),
            Fate::Waiting if begun.elapsed() < PATIENCE || journal.holder(&run.id)?.is_none() => {}
            Fate::Waiting => {
                return Err(CommandError::unexpected(format!(
                    "run {} has not answered within {} s; the request is in its inbox",
                    run.id,
                    PATIENCE.as_secs()
                ))
                .hint(format!("runbook watch {}", run.id)));
            }
        }
    }
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
