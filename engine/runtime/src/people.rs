//! What people want, as records: answers and requests are checked here, once, whichever way they come.

use runbook_kernel::{self as kernel, About, Cause, Kind, PersonId, Phase, TaskId};
use runbook_plan::{ApprovalSpec, ChecklistItemSpec, PromptSpec, Work};
use runbook_step::Value;
use runbook_wire::{Answer, Body, Message, Person, Request, Via};
use serde_json::Value as Json;

use crate::control::Refusal;
use crate::facts::{index, task_of};
use crate::pinned::Pinned;
use crate::record;
use crate::resolve::View;

/// Turns a message into the record of what it asks for, or says why not.
pub(crate) fn accept(view: View<'_>, pinned: &Pinned, message: &Message) -> Result<Body, Refusal> {
    let by = message.by.clone();
    let status = view.kernel.status();
    match &message.request {
        Request::Answer { step, question, answer, via, comment } => {
            let about = asked(view, step.as_deref(), *question)?;
            answered(view, by, about, answer, *via, comment.clone())
        }
        Request::Cancel { reason } => match status.phase {
            // Of a rollback that only looks what is still there: nothing was undone.
            Phase::New | Phase::Forward | Phase::Drift => {
                Ok(Body::CancelRequested { by, reason: reason.clone() })
            }
            Phase::Stopping => refuse("the run is being stopped already"),
            Phase::Ended => refuse("the run has ended"),
            Phase::Finally | Phase::Finishing => refuse("nothing is left to cancel: the run is finishing"),
            _ => Err(Refusal {
                message:
                    "the run has failed or was cancelled already, and its rollback is not stopped by a cancel"
                        .into(),
                hint: Some("stop the executor to interrupt it; `runbook resume` goes on with it".into()),
            }),
        },
        Request::Pause if status.phase == Phase::Ended => refuse("the run has ended"),
        Request::Pause if status.paused => refuse("the run is paused already"),
        Request::Pause => Ok(Body::Paused { by }),
        Request::Unpause if !status.paused => refuse("the run is not paused"),
        Request::Unpause => Ok(Body::Unpaused { by }),
        Request::AcceptProgram { .. } if status.phase == Phase::Ended => refuse("the run has ended"),
        Request::AcceptProgram { digest } => pinned.acceptance(digest, by),
        Request::Rollback { to } => {
            let to = to.as_deref().map(|path| find(view, path)).transpose()?;
            match view.kernel.may_roll_back(to) {
                Ok(()) => Ok(Body::RollbackRequested { by, to: to.map(|task| view.name(task)) }),
                Err(kernel::Refusal::AcrossPivot) => Err(across_pivot(view)),
                Err(refusal) => Err(no_rollback(refusal)),
            }
        }
        _ => refuse("this version does not know what is asked for"),
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { message: message.into(), hint: None })
}

const ACROSS_PIVOT: &str = "a pivot was crossed, and the runbook has no `revert`";

/// What came after the pivot may be undone all the same.
fn across_pivot(view: View<'_>) -> Refusal {
    let nodes = view.plan.program.nodes.iter().enumerate().filter(|(_, node)| node.pivot);
    let mut pivots = nodes.map(|(node, _)| TaskId { frame: 0, node: kernel::NodeId(node as u32) });
    let hint = pivots.rfind(|pivot| view.kernel.may_roll_back(Some(*pivot)).is_ok()).map(|pivot| {
        format!("what came after it: `runbook rollback {} --to {}`", view.facts.run, view.name(pivot).path)
    });
    Refusal { message: ACROSS_PIVOT.into(), hint }
}

fn no_rollback(refusal: kernel::Refusal) -> Refusal {
    let (message, hint) = match refusal {
        kernel::Refusal::NotEnded => {
            ("the run has not ended", Some("`runbook cancel` ends it under its failure policy"))
        }
        kernel::Refusal::AcrossPivot => (ACROSS_PIVOT, None),
        kernel::Refusal::NoSuchPoint => (
            "there is no step of that name to go back to: it did not run, or it is inside something that is undone as a whole",
            None,
        ),
        kernel::Refusal::NothingLeft => ("there is nothing left to undo", None),
        kernel::Refusal::RevertBegun => (
            "its `revert` has begun, and did not complete: it can only be gone on with as a whole",
            Some("leave out `--to`"),
        ),
    };
    Refusal { message: message.into(), hint: hint.map(str::to_owned) }
}

/// The task of the runbook's own steps that has this path.
fn find(view: View<'_>, path: &str) -> Result<TaskId, Refusal> {
    let nodes = 0..view.plan.nodes.len() as u32;
    nodes
        .map(|node| TaskId { frame: 0, node: kernel::NodeId(node) })
        .filter(|task| view.kernel.visible(TaskId { frame: 0, ..*task }, task.node) == Some(*task))
        .find(|task| view.name(*task).path == path)
        .ok_or_else(|| Refusal { message: format!("there is no step `{path}`"), hint: None })
}

/// The open questions that an answer can be for.
fn asked(view: View<'_>, step: Option<&str>, question: Option<u64>) -> Result<Vec<About>, Refusal> {
    let open = view.kernel.questions();
    let path = |about: &About| task_of(*about).map(|task| view.name(task).path);
    let here = open.iter().copied().filter(|about| path(about).as_deref() == step);
    let (seen, since): (Vec<About>, Vec<About>) = here
        .partition(|about| question.is_none_or(|seq| view.facts.asked_at(*about).is_none_or(|at| at == seq)));
    if seen.is_empty() && !since.is_empty() {
        return Err(Refusal {
            message: "what this answers was settled in the meantime, and something else is asked now".into(),
            hint: Some(format!("look at the question first: `runbook show {}`", view.facts.run)),
        });
    }
    if seen.is_empty() {
        if let Some(step) = step.filter(|step| expired(view, step)) {
            return refuse(format!("nobody answered `{step}` in time: it has expired"));
        }
        let place = step.map_or_else(|| "about the run itself".to_owned(), |step| format!("at `{step}`"));
        let others: Vec<String> = open
            .iter()
            .map(|about| path(about).map_or("the run".into(), |path| format!("`{path}`")))
            .collect();
        let hint = if others.is_empty() {
            "nothing is asked at this time".into()
        } else {
            format!("asked: {}", others.join(", "))
        };
        return Err(Refusal { message: format!("no question is open {place}"), hint: Some(hint) });
    }
    Ok(seen)
}

fn answered(
    view: View<'_>,
    by: Person,
    asked: Vec<About>,
    answer: &Answer,
    via: Via,
    comment: Option<String>,
) -> Result<Body, Refusal> {
    let fitting = asked.iter().map(|about| fit(view, *about, answer, &by).map(|answer| (*about, answer)));
    let (about, fitted) = first_ok(fitting)?;
    // What was refused is said where the rejection is.
    let comment = match (answer, &fitted) {
        (Answer::Item { item, .. }, Answer::Reject) => {
            let why = comment.map_or_else(String::new, |comment| format!(": {comment}"));
            Some(format!("item `{item}` does not hold{why}"))
        }
        _ => comment,
    };
    let about = record::about(about, &|task| view.name(task));
    Ok(Body::Answered { about, answer: fitted, by, via, comment })
}

/// Whether a question at this step was not answered in time.
fn expired(view: View<'_>, step: &str) -> bool {
    let is_so = |task: TaskId| view.kernel.task(task).is_some_and(|task| task.cause == Some(Cause::Expired));
    find(view, step).is_ok_and(is_so)
}

fn first_ok<T>(results: impl Iterator<Item = Result<T, Refusal>>) -> Result<T, Refusal> {
    let mut refusal = Refusal { message: "no question is open".into(), hint: None };
    for result in results {
        match result {
            Ok(found) => return Ok(found),
            Err(why) => refusal = why,
        }
    }
    Err(refusal)
}

/// The answer as it is recorded, if it is one to this question and from somebody who may give it.
fn fit(view: View<'_>, about: About, answer: &Answer, by: &Person) -> Result<Answer, Refusal> {
    let one_of = |fitting: &[Answer], words: &str| {
        if fitting.contains(answer) {
            return Ok(answer.clone());
        }
        let hint = Some(format!("answers here: {words}"));
        Err(Refusal { message: "that is no answer to this question".into(), hint })
    };
    use Answer::{Done, Fail, Keep, NotDone, Retry, Undo};
    match about {
        About::InDoubt(task) if *answer == Retry && !view.kernel.may_run_again(task) => Err(Refusal {
            message: "it cannot be run again: what it waits for was refused, or is not asked any more".into(),
            hint: Some("say what you find: `--done`, `--not-done`".into()),
        }),
        About::InDoubt(task) if view.kernel.is_undone_by_rollback(task) => {
            one_of(&[Done, NotDone, Undo, Retry], "--done, --not-done, --undo, --retry")
        }
        // There is no undo, or nothing is undone any more: a promise to undo it would not be kept.
        About::InDoubt(_) => one_of(&[Done, NotDone, Retry], "--done, --not-done, --retry"),
        About::Warning(_) => one_of(&[Keep, Fail, Undo], "--keep, --fail"),
        About::Rollback(_) | About::Drift(_) => one_of(&[Undo, Keep], "--undo, --keep"),
        About::AfterPivot => one_of(&[Keep, Retry], "--keep, --retry"),
        About::Human(task) => match &view.plan.nodes[index(task.node)].work {
            Work::Approval(approval) => approve(view, task, approval, answer, by),
            Work::Checklist(items) => tick(items, answer),
            Work::Prompt(prompt) => value(prompt, answer),
            _ => refuse("nobody is asked here"),
        },
    }
}

fn approve(
    view: View<'_>,
    task: TaskId,
    approval: &ApprovalSpec,
    answer: &Answer,
    by: &Person,
) -> Result<Answer, Refusal> {
    if !matches!(answer, Answer::Approve | Answer::Reject) {
        return Err(Refusal {
            message: "that is no answer to this question".into(),
            hint: Some("an approval is given or refused: `runbook approve`, `runbook reject`".into()),
        });
    }
    if !approval.from.is_empty() && !approval.from.contains(&by.name) {
        let (written, people) = (approval.from_text.join(", "), approval.from.join(", "));
        let who = if written == people { people } else { format!("{written} ({people})") };
        return Err(Refusal {
            message: format!("{} may not decide this", by.name),
            hint: Some(format!("it is for {who}")),
        });
    }
    if *answer == Answer::Reject {
        return Ok(Answer::Reject);
    }
    let excluded = matches!(&view.plan.program.nodes[index(task.node)].kind, Kind::Human(human) if human.exclude_requester);
    if excluded && view.facts.known(by) == Some(PersonId(0)) {
        return refuse(format!("{} started this run, and somebody else has to approve it", by.name));
    }
    let votes = view.facts.task(task).map(|facts| facts.votes.as_slice()).unwrap_or_default();
    if view.facts.known(by).is_some_and(|person| votes.iter().any(|(voter, _)| *voter == person)) {
        return refuse(format!("{} has approved already; another person is needed", by.name));
    }
    Ok(Answer::Approve)
}

fn tick(items: &[ChecklistItemSpec], answer: &Answer) -> Result<Answer, Refusal> {
    let ids = || items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>().join(", ");
    let Answer::Item { item, done, evidence } = answer else {
        return Err(Refusal {
            message: "that is no answer to this question".into(),
            hint: Some(format!("a checklist is answered item by item: {}", ids())),
        });
    };
    let Some(spec) = items.iter().find(|spec| spec.id == *item) else {
        return Err(Refusal {
            message: format!("there is no item `{item}`"),
            hint: Some(format!("items: {}", ids())),
        });
    };
    let evidence = evidence.as_deref().map(str::trim).filter(|text| !text.is_empty());
    match &spec.evidence {
        // Without a required item the checklist cannot be completed: that ends it.
        _ if !*done && spec.required => Ok(Answer::Reject),
        Some(wanted) if *done && evidence.is_none() => Err(Refusal {
            message: format!("item `{item}` needs evidence: {wanted}"),
            hint: Some(format!("--tick {item} --evidence TEXT")),
        }),
        _ => Ok(Answer::Item { item: item.clone(), done: *done, evidence: evidence.map(str::to_owned) }),
    }
}

/// The value in the type that the prompt wants. What was typed on a terminal or a command line is text, whatever it
/// means.
fn value(prompt: &PromptSpec, answer: &Answer) -> Result<Answer, Refusal> {
    let Answer::Value { value } = answer else {
        return Err(Refusal { message: "a value is wanted here".into(), hint: None });
    };
    let value = match value {
        Json::String(text) => prompt.ty.parse(text),
        other => prompt.ty.literal(Value::from_json(other.clone())),
    };
    match value {
        Ok(value) => Ok(Answer::Value { value: value.to_json() }),
        Err(error) => refuse(error.to_string()),
    }
}
