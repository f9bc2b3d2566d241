//! Acting on a run from any terminal: through its executor where there is one, else by taking the run.

use std::time::Duration;

use runbook_journal::{Fate, RunSummary};
use runbook_runtime::Refusal;
use runbook_wire::{Message, Request};

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::{drive, history, host, output};

/// How long an executor may take to answer before we say that it does not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a request to a run, and says what became of it: a command reports an observed transition or fails.
///
/// With an executor, the request goes to its inbox and this waits until it is recorded or refused. Without one this
/// process takes the run, acts, and drives it as far as it goes; the exit code is then the run's.
pub(crate) fn on(
    run: &RunSummary,
    request: Request,
    done: &str,
    global: &Global,
) -> Result<Exit, CommandError> {
    let message = Message { by: host::person(), request };
    let journal = history::writing(global)?;
    if journal.holder(&run.id)?.is_none() {
        drop(journal);
        if history::unfinished(run) {
            // Whoever sends an answer may not expect to execute what follows.
            output::line_to_stderr(&format!(
                "nobody executes run {}: this command goes on with it, in this shell's environment",
                run.id
            ));
        }
        return drive::taken(&run.id, Some(message), global);
    }
    let now = runbook_runtime::Clock::system().wall_ms();
    let (entry, _) = journal.leave(&run.id, &message, now)?;
    match journal.fate(&run.id, entry, PATIENCE)? {
        Fate::Taken { seq } => {
            match global.output {
                Format::Text => output::line_to_stderr(&format!("{done} (run {}, event {seq})", run.id)),
                Format::Json => output::data_line(
                    &serde_json::json!({"version": 1, "type": "accepted", "run": run.id, "seq": seq})
                        .to_string(),
                )?,
            }
            Ok(Exit::SUCCESS)
        }
        Fate::Refused { reason } => {
            let (message, hint) = match reason.split_once('\n') {
                Some((message, hint)) => (message, Some(hint.to_owned())),
                None => (reason.as_str(), None),
            };
            Err(drive::refused(&run.id, Refusal { message: message.to_owned(), hint }))
        }
        Fate::Waiting => Err(CommandError::unexpected(format!(
            "run {} has not answered within {} s; the request is in its inbox",
            run.id,
            PATIENCE.as_secs()
        ))
        .hint(format!("runbook watch {}", run.id))),
    }
}
