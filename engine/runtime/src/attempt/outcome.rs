//! What an outcome comes to, as a record.

use std::collections::BTreeMap;

use runbook_kernel::Effect;
use runbook_plan::{PlanNode, Work};
use runbook_step::{Cancelled, Declaration, FailureKind, Map, Outcome, Path, Type, Value};
use runbook_wire::{Body, Result as Ending, Task};
use serde_json::Value as Json;

use super::{MOST_OUTPUT, Unready, ending, failure, keepable, leaves_doubt, to_json};
use crate::logs::LogFile;
use crate::mask::Mask;

/// An output with secrets in more places than these counts as one place.
const MOST_PLACES: usize = 20;

/// The longest message that is recorded, in bytes.
const LONGEST_MESSAGE: usize = 8 << 10;

/// The outputs that a node declares with their types; others are of any type.
pub(super) struct Declared {
    types: BTreeMap<String, Type>,
}

impl Declared {
    pub(super) fn of(node: &PlanNode, declaration: &Declaration) -> Declared {
        let Work::Step(invocation) = &node.work else { return Declared { types: BTreeMap::new() } };
        let mut types: BTreeMap<String, Type> =
            declaration.outputs.iter().map(|output| (output.name.to_owned(), output.ty.clone())).collect();
        types.extend(invocation.outputs.iter().cloned());
        Declared { types }
    }

    /// The outputs in their types, or what is wrong with them. A null is an output that is not there.
    fn check(&self, outputs: Map, mask: &Mask) -> Result<Map, String> {
        let convert = |(name, value): (String, Value)| match self.types.get(&name) {
            Some(ty) if !value.is_null() => match ty.coerce(value.clone()) {
                Ok(value) => Ok((name, value)),
                Err(_) => {
                    // The message quotes the beginning of what is wrong: nobody would recognise half a secret in it.
                    let mut json = value.to_json();
                    mask.json(&mut json);
                    let error = ty.coerce(Value::from_json(json)).err();
                    let error = error.map(|error| format!(": {error}")).unwrap_or_default();
                    Err(format!("output `{name}` is not what was declared{error}"))
                }
            },
            _ => Ok((name, value)),
        };
        outputs.into_iter().map(convert).collect()
    }
}

/// The end of an attempt.
pub(super) struct Ended {
    pub(super) task: Task,
    pub(super) attempt: u32,
    pub(super) effect: Effect,
    /// Why it was told to stop, if it was.
    pub(super) cancelled: Option<Cancelled>,
    /// What its undo reads of its outputs.
    pub(super) undo_reads: Vec<Path>,
}

impl Ended {
    pub(super) fn body(self, outcome: Outcome, declared: &Declared, log: &LogFile, mask: &Mask) -> Body {
        let outcome = self.honest(outcome);
        let result = ending(&outcome);
        match self.recorded(result, outcome, declared, log, mask) {
            Ok(body) => body,
            // The effect is there, but what it returned cannot be used.
            Err(message) => self.failed(Ending::Failed, FailureKind::Invalid, message, log, mask),
        }
    }

    /// A write that was cut short is in doubt, whatever the step type made of it. What is provably not
    /// done stays so.
    fn honest(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Failed(mut failure) if leaves_doubt(self.effect) => {
                let cut_short = matches!(
                    failure.kind,
                    FailureKind::Timeout
                        | FailureKind::Signal(_)
                        | FailureKind::Lost
                        | FailureKind::Cancelled
                );
                match self.cancelled {
                    Some(why) => {
                        failure.kind = kind_of(why);
                        Outcome::Unknown(failure)
                    }
                    None if cut_short => Outcome::Unknown(failure),
                    None => Outcome::Failed(failure),
                }
            }
            // What only looks leaves nothing in doubt.
            Outcome::Unknown(mut failure) if !leaves_doubt(self.effect) => {
                failure.kind = self.cancelled.map_or(failure.kind, kind_of);
                Outcome::Failed(failure)
            }
            other => other,
        }
    }

    fn recorded(
        &self,
        result: Ending,
        outcome: Outcome,
        declared: &Declared,
        log: &LogFile,
        mask: &Mask,
    ) -> Result<Body, String> {
        let (outputs, note, warning, why) = match outcome {
            Outcome::Done(success) => {
                (declared.check(success.outputs, mask)?, success.note, success.warning, None)
            }
            Outcome::Failed(failure) | Outcome::NotDone(failure) | Outcome::Unknown(failure) => {
                // What is known of a failure is only information: what does not fit is left out.
                let outputs = declared.check(failure.outputs, mask).unwrap_or_default();
                let why = super::failure(failure.kind, failure.message, failure.hint);
                (outputs, None, None, Some(why))
            }
        };
        let mut kept = masked(&outputs, mask);
        match keepable(&kept.outputs, MOST_OUTPUT) {
            Err(why) if result == Ending::Done => return Err(format!("its outputs {why}")),
            Err(_) => kept = Kept::default(),
            Ok(()) => {}
        }
        let warnings = [warning, self.undo_without(&kept.masked).filter(|_| result == Ending::Done)];
        let warning = warnings.into_iter().flatten().collect::<Vec<_>>().join("; ");
        Ok(Body::Ended {
            task: self.task.clone(),
            attempt: self.attempt,
            result,
            outputs: kept.outputs,
            masked: kept.masked,
            note: note.map(|text| message(&text, mask)),
            warning: (!warning.is_empty()).then(|| message(&warning, mask)),
            failure: why.map(|why| masked_failure(why, mask)),
            log: log.summary(),
        })
    }

    /// That the undo will not be able to run, if it reads what was hidden: people had better know it before they need it.
    fn undo_without(&self, masked: &[String]) -> Option<String> {
        let read = |place: &&String| {
            let place: Path = place.parse().unwrap_or_default();
            self.undo_reads.iter().any(|read| read.meets(&place))
        };
        let place = masked.iter().find(read)?;
        Some(format!(
            "its undo reads output `{place}`, in which a secret was hidden: it has to be undone by hand"
        ))
    }

    fn failed(&self, result: Ending, kind: FailureKind, text: String, log: &LogFile, mask: &Mask) -> Body {
        Body::Ended {
            task: self.task.clone(),
            attempt: self.attempt,
            result,
            outputs: BTreeMap::new(),
            masked: Vec::new(),
            note: None,
            warning: None,
            failure: Some(masked_failure(failure(kind, text, None), mask)),
            log: log.summary(),
        }
    }
}

fn kind_of(why: Cancelled) -> FailureKind {
    match why {
        Cancelled::Timeout => FailureKind::Timeout,
        Cancelled::Run => FailureKind::Cancelled,
    }
}

/// The end of an attempt that did not begin.
pub(super) fn unready(task: Task, attempt: u32, unready: Unready, mask: &Mask) -> Body {
    Body::Ended {
        task,
        attempt,
        result: Ending::NotDone,
        outputs: BTreeMap::new(),
        masked: Vec::new(),
        note: None,
        warning: None,
        failure: Some(masked_failure(failure(unready.kind, unready.message, unready.hint), mask)),
        log: None,
    }
}

/// Outputs as they are recorded.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) outputs: BTreeMap<String, Json>,
    /// Where a secret was hidden in them.
    pub(super) masked: Vec<String>,
}

pub(super) fn masked(values: &Map, mask: &Mask) -> Kept {
    let mut kept = Kept { outputs: to_json(values), masked: Vec::new() };
    for (name, value) in &mut kept.outputs {
        let whole = Path::default().name(name);
        let mut places: Vec<Path> = mask.json(value).iter().map(|place| whole.clone().join(place)).collect();
        // Not every name can be written in a path.
        let named = places.iter().all(|place| place.to_string().parse().as_ref() == Ok(place));
        if places.len() > MOST_PLACES || !named {
            places = vec![whole];
        }
        kept.masked.extend(places.iter().map(ToString::to_string));
    }
    kept
}

pub(super) fn masked_failure(mut failure: runbook_wire::Failure, mask: &Mask) -> runbook_wire::Failure {
    failure.message = message(&failure.message, mask);
    failure.hint = failure.hint.map(|hint| message(&hint, mask));
    failure
}

/// A text that people read: masked, and not longer than they would.
pub(super) fn message(text: &str, mask: &Mask) -> String {
    let mut text = mask.text(text).into_owned();
    if text.len() > LONGEST_MESSAGE {
        text.truncate(text.floor_char_boundary(LONGEST_MESSAGE));
        text.push('…');
    }
    text
}
