//! JSON for programs. Field names are stable: fields are only added while `version` is 1 (see `docs/guides/json.md`).

use runbook_wire::{About, EntryKind, Record};
use serde_json::{Value, json};

use crate::{
    Attempt, Executor, Failed, Given, Node, Now, Question, Run, Sample, Stamp, Summary, Tree, exit, moment,
    next,
    required::{Required, required},
    summary, value,
};

/// The version of everything that this module writes.
pub const JSON_VERSION: u32 = 1;

/// One event, for `-o json`: the record itself, with the run, the time in RFC 3339 and the version.
pub fn event(run: &str, record: &Record) -> Value {
    let mut event = json!({
        "version": JSON_VERSION,
        "run": run,
        "time": moment::rfc3339(record.wall_ms),
    });
    if let (Value::Object(event), Ok(Value::Object(mut body))) = (&mut event, serde_json::to_value(record)) {
        // The first record says which program made the run; `version` is this format's.
        if let Some(engine) = body.remove("version") {
            body.insert("engine".into(), engine);
        }
        event.extend(body);
    }
    event
}

/// Everything about a run, for `show -o json`.
pub fn show(run: &Run, now: Now) -> Value {
    let tree = Tree::of(run);
    let summary = Summary::of(&tree);
    let mut all = head(run, &tree, now);
    let nodes = |nodes: &[Node<'_>]| nodes.iter().map(node).collect::<Vec<_>>();
    let rest = json!({
        "counts": counts(&summary, &tree),
        "inputs": run.created.as_ref().map(|c| readable(&c.inputs)),
        "outputs": run.finished.as_ref().map(|f| readable(&f.outputs)),
        "no_outputs": run.finished.as_ref().map(|f| &f.no_outputs),
        "locks": run.locks.iter().map(|l| json!({
            "name": l.name, "taken": time(Some(l.taken)), "released": time(l.released),
        })).collect::<Vec<_>>(),
        "lock_held": run.lock_held.as_ref().map(|l| json!({
            "name": l.name, "holder": l.holder, "reason": l.reason, "since_ms": l.since_ms, "until_ms": l.until_ms,
        })),
        "steps": nodes(&tree.steps),
        "on_failure": nodes(&tree.first),
        "after_pivot": nodes(&tree.after_pivot),
        "finally": nodes(&tree.finally),
        "revert": nodes(&tree.revert),
        "undone": summary.undone.iter().map(|b| &b.path).collect::<Vec<_>>(),
        "left": summary.left.iter().chain(&summary.asked).chain(&summary.blocked).chain(&summary.stuck)
            .map(|b| json!({"path": b.path, "state": b.undoing.code(), "reason": b.text})).collect::<Vec<_>>(),
        "needed_no_undo": summary.needed_none,
        "failures": summary.failures.iter().map(failed).collect::<Vec<_>>(),
        "questions": tree.open_questions().into_iter().map(|q| question(&tree, q, now)).collect::<Vec<_>>(),
        "answers": run.answers.iter().map(given).collect::<Vec<_>>(),
        "required_outputs": required(&tree).iter().map(output).collect::<Vec<_>>(),
        "next": next(&tree, now).iter().map(|n| json!({"what": n.what, "command": n.command})).collect::<Vec<_>>(),
    });
    if let (Value::Object(all), Value::Object(rest)) = (&mut all, rest) {
        all.extend(rest);
    }
    all
}

fn head(run: &Run, tree: &Tree<'_>, now: Now) -> Value {
    let created = run.created.as_ref();
    let (executor, pid, host) = match &run.executor {
        _ if run.finished.is_some() => ("none", None, None),
        Executor::None => ("none", None, None),
        Executor::Running { pid, host, .. } if now.executor_alive != Some(false) => {
            ("running", Some(*pid), Some(host))
        }
        Executor::Running { pid, host, .. } => ("gone", Some(*pid), Some(host)),
        Executor::Stopped { .. } => ("stopped", None, None),
    };
    json!({
        "version": JSON_VERSION,
        "run": run.id(),
        "runbook": run.name(),
        "file": created.map(|c| &c.file),
        "plan": created.map(|c| &c.plan),
        "environment": created.and_then(|c| c.environment.as_ref()),
        "requester": created.map(|c| &c.requester.name),
        "unattended": created.map(|c| c.unattended),
        "engine": created.map(|c| &c.version),
        "forward": tree.forward.code(),
        "rollback": tree.rollback.code(),
        "status": exit::standing(tree, now),
        "finished": run.finished.is_some(),
        "interrupted": run.interrupted(now),
        "exit_code": run.finished.as_ref().map(|f| f.exit_code),
        "began": time(run.first),
        "ended": time(run.finished.as_ref().map(|f| f.at)),
        "elapsed_ms": run.elapsed_ms(now),
        "resumes": run.resumes,
        "executor": {"state": executor, "pid": pid, "host": host},
        "last_event": run.last.map(|l| l.seq),
    })
}

fn counts(summary: &Summary, tree: &Tree<'_>) -> Value {
    let c = summary.steps;
    json!({
        "all": c.all, "done": c.done, "failed": c.failed, "skipped": c.skipped, "active": c.active,
        "waiting": c.waiting, "cancelled": c.cancelled, "not_started": c.not_started,
        "undone": summary.undone.len(), "undoing": summary.undoing.len(), "undo_failed": summary.stuck.len(),
        "blocked": summary.blocked.len(), "left": summary.left.len(),
        "writes_stay": summary::left_for_good(tree).0.len(),
    })
}

fn node(n: &Node<'_>) -> Value {
    let task = n.task;
    let mut all = json!({
        "path": n.path,
        "id": n.label(),
        "item": n.item.map(|(index, key)| json!({"index": index, "key": key})),
        "title": n.title(),
        "kind": if n.item.is_some() { json!("item") } else { json!(n.entry.kind) },
        "what": n.entry.what,
        "effect": n.entry.effect,
        "claimed": n.entry.policy.claimed,
        "status": n.status.code(),
        "undo": n.undoing.code(),
        "pivot": n.entry.pivot && n.item.is_none(),
        "began": time(n.began),
        "ended": time(n.ended),
        "took_ms": n.ended.and_then(|e| n.took_ms(e.elapsed_ms)),
        "place": {"file": n.entry.place.file, "line": n.entry.place.line, "column": n.entry.place.column},
    });
    let Value::Object(map) = &mut all else { return all };
    if let Some(task) = task {
        let probes = task.probes.iter().map(|p| {
            let Sample { grade, message, at } = &p.last;
            json!({"probe": p.probe, "rounds": p.rounds, "grade": grade, "message": message, "at": time(Some(*at))})
        });
        map.insert("attempts".into(), task.attempts.iter().map(attempt).collect());
        map.insert("checks".into(), probes.collect());
        map.insert("note".into(), json!(task.note));
        map.insert("warning".into(), json!(task.warning));
        map.insert("failure".into(), json!(task.failure));
        map.insert("skipped".into(), json!(task.skipped));
        map.insert("parameters".into(), readable(&task.params));
        map.insert("outputs".into(), readable(&task.outputs));
        if !task.masked.is_empty() {
            map.insert("masked".into(), json!(task.masked));
        }
        map.insert("case".into(), json!(task.branch.as_ref().map(|(_, label)| label)));
    }
    for (name, nodes) in [
        ("steps", &n.children),
        ("between", &n.between),
        ("on_failure", &n.first),
        ("finally", &n.finally),
        ("undo_steps", &n.undo),
    ] {
        if !nodes.is_empty() {
            map.insert(name.into(), nodes.iter().map(node).collect());
        }
    }
    all
}

fn attempt(a: &Attempt) -> Value {
    json!({
        "number": a.number, "began": time(a.began), "ended": time(a.ended), "result": a.result, "failure": a.failure,
    })
}

fn failed(f: &Failed) -> Value {
    json!({
        "path": f.path, "message": f.message, "hint": f.hint, "place": f.place, "tolerated": f.tolerated, "at": time(f.at),
    })
}

fn question(tree: &Tree<'_>, q: &Question, now: Now) -> Value {
    let expired = q.expired(tree.run, now);
    let answers = if expired { Vec::new() } else { crate::answers(tree, q) };
    json!({
        "about": kind(&q.about),
        "path": q.subject().map(|t| &t.path),
        "question": q.text,
        "show": readable(q.show.iter().map(|(name, value)| (name, value))),
        "shown": q.show.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "items": items(tree, q),
        "asked": time(Some(q.asked)),
        "deadline": q.deadline_ms.map(moment::rfc3339),
        "who": summary::who(tree, q),
        "expired": expired,
        "answers": answers.iter()
            .map(|n| json!({"what": n.what, "command": n.command})).collect::<Vec<_>>(),
    })
}

/// Of a checklist: its items, in the order of the file.
fn items(tree: &Tree<'_>, q: &Question) -> Option<Vec<Value>> {
    let entry = q.subject().and_then(|task| tree.run.outline.entries.get(task.node as usize))?;
    let policy = (entry.kind == EntryKind::Checklist).then_some(&entry.policy)?;
    let item = |(id, text): &(String, Value)| {
        json!({
            "id": id, "text": value::readable(text), "owner": policy.owners.get(id),
            "required": policy.items.contains(id), "evidence": policy.wanted.get(id),
        })
    };
    Some(q.show.iter().map(item).collect())
}

pub(crate) fn given(g: &Given) -> Value {
    json!({
        "about": kind(&g.about),
        "path": crate::run::subject(&g.about).map(|t| &t.path),
        "answer": g.answer,
        "by": g.by.name,
        "via": g.via,
        "comment": g.comment,
        "at": time(Some(g.at)),
        "void": g.void,
    })
}

pub(crate) fn output(r: &Required) -> Value {
    json!({
        "name": r.name,
        "title": r.title,
        "produced": r.produced.code(),
        "why": r.why,
        "by": r.by.iter().map(|e| json!({"path": e.path, "status": e.text, "ok": e.ok, "details": e.details})).collect::<Vec<_>>(),
        "evidence": r.evidence.iter().map(|(k, v)| (k.clone(), json!(v))).collect::<serde_json::Map<_, _>>(),
    })
}

fn kind(about: &About) -> &'static str {
    match about {
        About::Human(_) => "step",
        About::InDoubt(_) => "in_doubt",
        About::Warning(_) => "warning",
        About::Rollback(_) => "rollback",
        About::AfterPivot => "after_pivot",
        About::Drift(_) => "drift",
    }
}

fn readable<'v>(map: impl IntoIterator<Item = (&'v String, &'v Value)>) -> Value {
    Value::Object(map.into_iter().map(|(k, v)| (k.clone(), value::readable(v))).collect())
}

fn time(at: Option<Stamp>) -> Value {
    at.map_or(Value::Null, |s| Value::String(moment::rfc3339(s.wall_ms)))
}
