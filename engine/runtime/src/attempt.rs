//! Attempts: preparing, performing, and what an outcome comes to.
//!
//! What needs the run's state (rendering) happens at once, on the dispatcher's loop; what touches the world is handed
//! back as a future that owns all it needs. Either way an answer to a command is the body of a record.

mod check;
mod close;
mod gate;
mod outcome;
mod prepare;
mod undo;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use runbook_kernel::{Effect, NodeId, TaskId};
use runbook_plan::{EvalError, Invocation, Plan, PlanNode, Work};
use runbook_step::{BoxFuture, Call, Cancelled, Declaration, FailureKind, Map, Outcome, Step, TypeError};
use runbook_wire::{Body, Failure, Probe, Result as Ending, Task};
use serde_json::Value as Json;

use crate::cancel::Cancel;
use crate::context::{AttemptContext, Shared};
use crate::facts::{TaskFacts, index};
use crate::logs::{LogFile, assert_file, attempt_file, probe_file};
use crate::resolve::View;

/// How long a step may go on after it was told to stop, beyond the grace of its processes.
const LAST_TIME: Duration = Duration::from_secs(5);

/// The most that the outputs of an attempt, a group or a run may come to, as JSON.
const MOST_OUTPUT: usize = 1 << 20;

/// How deep a value may be nested. A record is a few levels deeper, and has its own limit.
const DEEPEST: usize = 100;

/// One attempt's time where the plan says none.
const DEFAULT_TIME: u64 = 24 * 60 * 60 * 1000;

/// An answer to a command.
pub(crate) enum Answer {
    Now(Box<Body>),
    Later(BoxFuture<'static, Body>),
}

impl Answer {
    fn now(body: Body) -> Answer {
        Answer::Now(Box::new(body))
    }

    fn later(future: impl Future<Output = Body> + Send + 'static) -> Answer {
        Answer::Later(Box::pin(future))
    }
}

/// Answers commands about attempts.
pub(crate) struct Attempts {
    pub(crate) shared: Arc<Shared>,
}

/// Why an attempt cannot begin: provably nothing happened.
struct Unready {
    kind: FailureKind,
    message: String,
    hint: Option<String>,
}

impl Unready {
    fn invalid(message: String) -> Unready {
        Unready { kind: FailureKind::Invalid, message, hint: None }
    }

    fn of_eval(plan: &Plan, error: &EvalError) -> Unready {
        Unready {
            kind: FailureKind::Invalid,
            message: format!("{} ({})", error.message, place(plan, error.span)),
            hint: error.hint.clone(),
        }
    }

    fn of_types(faults: &[TypeError]) -> Unready {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Unready::invalid(faults.join("; "))
    }
}

/// `golive.yaml:58:12`.
fn place(plan: &Plan, span: runbook_syntax::Span) -> String {
    let position = plan.sources.position(span);
    format!("{}:{}:{}", plan.sources.file(span.file).name, position.line, position.column)
}

/// A call of a step type that is ready to be made, with the world it is made in.
struct Ready {
    step: Arc<dyn Step>,
    call: Call,
    context: AttemptContext,
}

impl Attempts {
    /// Has the effect. `Started` is on disk.
    pub(crate) fn perform(&self, view: View<'_>, task: TaskId, attempt: u32, cancel: &Cancel) -> Answer {
        let node = &view.plan.nodes[index(task.node)];
        let effect = view.plan.program.nodes[index(task.node)].effect;
        let name = view.name(task);
        let mask = self.shared.mask.clone();
        let gates = self.gates(view, task);
        if let Some(closed) = gates.closed(&name, attempt) {
            return Answer::now(closed);
        }
        let ready = self
            .ready(view, task, attempt, cancel)
            .and_then(|ready| Ok((ready, self.asserts(view, task, attempt, cancel)?)));
        let (ready, asserts) = match ready {
            Ok(ready) => ready,
            Err(unready) => return Answer::now(outcome::unready(name, attempt, unready, &mask)),
        };
        let undoing = matches!(node.work, Work::OwnUndo { .. });
        let time = Duration::from_millis(node.timeout.unwrap_or(DEFAULT_TIME));
        let declared = outcome::Declared::of(node, ready.step.declaration());
        let patience = self.shared.patience;
        let undo_reads = undo::reads_of_its_own(view, task);
        Answer::later(async move {
            if let Err(unready) = check::all_hold(&asserts).await {
                return outcome::unready(name, attempt, unready, &mask);
            }
            // Looking at the target takes time.
            if let Some(closed) = gates.closed(&name, attempt) {
                return closed;
            }
            let Ready { step, call, context } = &ready;
            let running = if undoing { step.undo(call, context) } else { step.run(call, context) };
            let outcome = bounded(running, &context.cancel, time, patience.grace + LAST_TIME).await;
            let cancelled = context.cancel.reason();
            let ended = outcome::Ended { task: name, attempt, effect, cancelled, undo_reads };
            ended.body(outcome, &declared, &context.log, &context.mask)
        })
    }

    /// The end of an attempt that was interrupted before it began.
    pub(crate) fn not_begun(view: View<'_>, task: TaskId, attempt: u32) -> Body {
        let unready =
            Unready { kind: FailureKind::Cancelled, message: "cancelled before it began".into(), hint: None };
        outcome::unready(view.name(task), attempt, unready, &crate::mask::Mask::default())
    }

    /// The call as it was recorded in `Started`, by whichever executor.
    fn ready(&self, view: View<'_>, task: TaskId, attempt: u32, cancel: &Cancel) -> Result<Ready, Unready> {
        let plan_node = &view.plan.nodes[index(task.node)];
        let intent = view.facts.task(task).and_then(|facts| facts.started.clone());
        let intent = intent.ok_or_else(|| Unready::invalid("its intent was not recorded".into()))?;
        let mut call = Call {
            path: view.name(task).path,
            params: intent.params.clone(),
            prepared: intent.prepared.clone(),
            idempotency_key: intent.key.clone(),
            attempt,
            ..Call::default()
        };
        let invocation = match &plan_node.work {
            Work::OwnUndo { of } => {
                let owner = view.kernel.visible(task, *of);
                let facts = owner.and_then(|owner| view.facts.task(owner));
                let theirs = facts.and_then(|facts| facts.started.clone());
                let theirs =
                    theirs.ok_or_else(|| Unready::invalid("what it undoes has not started".into()))?;
                call.params.clone_from(&theirs.params);
                call.prepared.clone_from(&theirs.prepared);
                call.outputs = facts.and_then(TaskFacts::returned);
                invocation_of(&view.plan.nodes[index(*of)])?
            }
            _ => invocation_of(plan_node)?,
        };
        call.declared = invocation.outputs.iter().cloned().collect();
        if !matches!(plan_node.work, Work::OwnUndo { .. }) {
            call.written = invocation.written(&view.at(task));
        }
        let step = step(view, invocation)?;
        let context = self.context(view, task, attempt, &call.idempotency_key, cancel, Log::Attempt);
        let context = context.of(invocation);
        Ok(Ready { step, call, context })
    }

    fn context(
        &self,
        view: View<'_>,
        task: TaskId,
        attempt: u32,
        key: &str,
        cancel: &Cancel,
        log: Log,
    ) -> AttemptContext {
        let module = &view.plan.modules[view.plan.nodes[index(task.node)].module.0 as usize];
        let logs = &self.shared.logs;
        let log = match log {
            Log::Attempt => attempt_file(logs, task.frame, task.node.0, attempt),
            Log::Probe(probe) => probe_file(logs, task.frame, task.node.0, probe),
            Log::Assert => assert_file(logs, task.frame, task.node.0),
        };
        AttemptContext {
            shared: Arc::clone(&self.shared),
            mask: self.shared.mask.of_attempt(),
            task: view.name(task),
            attempt,
            folder: self.shared.root.join(&module.folder),
            programs: Vec::new(),
            key: key.to_owned(),
            cancel: cancel.clone(),
            log: LogFile::new(log),
        }
    }

    /// The idempotency key: the same for every attempt of this incarnation, across resumes. The run's id alone is short,
    /// and another journal may have given it too.
    fn key(view: View<'_>, task: &Task, incarnation: u32) -> String {
        let mut hasher = blake3::Hasher::new();
        // A step and an undo may go by the same path; they are never the same node.
        let [seed, node] = [view.facts.seed, task.node.into()].map(|number: u64| format!("{number:x}"));
        for part in [view.facts.run.as_str(), &seed, &node, &task.path, &incarnation.to_string()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Which log a context writes.
enum Log {
    Attempt,
    Probe(Probe),
    Assert,
}

fn invocation_of(node: &PlanNode) -> Result<&Invocation, Unready> {
    match &node.work {
        Work::Step(invocation) => Ok(invocation),
        _ => Err(Unready::invalid("this is not a step that can be performed".into())),
    }
}

fn step(view: View<'_>, invocation: &Invocation) -> Result<Arc<dyn Step>, Unready> {
    let step = view.registry.get(&invocation.step).cloned();
    step.ok_or_else(|| Unready::invalid(format!("this program has no step type `{}`", invocation.step)))
}

/// Renders and checks the parameters of a call.
fn render(view: View<'_>, task: TaskId, invocation: &Invocation) -> Result<(Arc<dyn Step>, Map), Unready> {
    let step = step(view, invocation)?;
    let place = view.at(task);
    let telling = view.at(task).telling();
    let place_of =
        |name: &str| if is_told(view, task.node, step.declaration(), name) { &telling } else { &place };
    let given = invocation
        .params
        .iter()
        .map(|(name, template)| Ok((name.clone(), template.evaluate(place_of(name))?)))
        .collect::<Result<Map, EvalError>>()
        .map_err(|error| Unready::of_eval(view.plan, &error))?;
    let params = step.declaration().fill(given).map_err(|faults| Unready::of_types(&faults))?;
    Ok((step, params))
}

/// Whether a parameter is what a notification tells people.
fn is_told(view: View<'_>, node: NodeId, declaration: &Declaration, param: &str) -> bool {
    let notifies = view.plan.program.nodes[index(node)].effect == Effect::Notify;
    notifies && declaration.find_param(param).is_some_and(|param| param.told)
}

/// Runs an attempt within its time: when that is over it is told to stop, and has the last time to do so.
async fn bounded(
    mut running: BoxFuture<'_, Outcome>,
    cancel: &Cancel,
    time: Duration,
    last_time: Duration,
) -> Outcome {
    let stopping = async {
        tokio::select! {
            () = tokio::time::sleep(time) => cancel.cancel(Cancelled::Timeout),
            _ = cancel.cancelled() => {}
        }
        tokio::time::sleep(last_time).await;
    };
    tokio::select! {
        biased;
        outcome = &mut running => outcome,
        () = stopping => {
            Outcome::unknown(FailureKind::Timeout, "it did not stop when it was told to, and was abandoned")
        }
    }
}

fn to_json(map: &Map) -> BTreeMap<String, Json> {
    map.iter().map(|(name, value)| (name.clone(), value.to_json())).collect()
}

fn failure(kind: FailureKind, message: String, hint: Option<String>) -> Failure {
    Failure { class: kind.to_string(), message, hint }
}

/// Whether an effect that was cut short may be there.
fn leaves_doubt(effect: Effect) -> bool {
    matches!(effect, Effect::Write | Effect::Notify)
}

fn ending(outcome: &Outcome) -> Ending {
    match outcome {
        Outcome::Done(_) => Ending::Done,
        Outcome::Failed(_) => Ending::Failed,
        Outcome::NotDone(_) => Ending::NotDone,
        Outcome::Unknown(_) => Ending::Unknown,
    }
}

/// Whether values can be recorded: they come to at most so many bytes as JSON, and are not nested too deep to be read
/// again. If not, why.
fn keepable(values: &BTreeMap<String, Json>, most: usize) -> Result<(), String> {
    if let Some((name, _)) = values.iter().find(|(_, value)| nested(value) > DEEPEST) {
        return Err(format!("hold `{name}`, which is nested deeper than {DEEPEST} levels"));
    }
    let size: usize = values.values().map(|value| value.to_string().len()).sum();
    if size > most {
        return Err(format!("come to {size} bytes; at most {most} are kept"));
    }
    Ok(())
}

/// How deep the lists and maps of a value are nested.
fn nested(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(nested).max().unwrap_or(0),
        Json::Object(entries) => 1 + entries.values().map(nested).max().unwrap_or(0),
        _ => 0,
    }
}
