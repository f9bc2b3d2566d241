//! One record into the state.
//!
//! What the kernel derives is not recorded (that an approval has its two people, that a wait is over): this file holds
//! the few rules that say it again from the plan-time policy in the outline, each at the record that settles it. One
//! more rule catches the rest: a step starts only once everything that it needs is satisfied.

use runbook_wire::{
    About, Answer, Body, EntryKind, Failure, Grade, Policy, Probe, Record, Result, Task, Timer,
};

use super::{
    Created, Executor, Finished, Given, Item, Key, Lock, Phase, Question, Run, TaskState, task::Attempt,
};
use crate::{Stamp, moment};

impl Run {
    /// Takes one record in. A record that was seen already is absorbed; one of an unknown kind is counted.
    pub fn apply(&mut self, record: &Record) {
        if self.last.is_some_and(|last| record.seq <= last.seq) {
            return;
        }
        let at = Stamp { seq: record.seq, wall_ms: record.wall_ms, elapsed_ms: record.elapsed_ms };
        self.first.get_or_insert(at);
        let before = self.last.replace(at);
        match &record.body {
            Body::RunCreated {
                run,
                runbook,
                file,
                plan,
                environment,
                inputs,
                requester,
                semantics,
                version,
                unattended,
                ..
            } => {
                self.created = Some(Created {
                    run: run.clone(),
                    runbook: runbook.clone(),
                    file: file.clone(),
                    plan: plan.clone(),
                    environment: environment.clone(),
                    inputs: inputs.clone(),
                    requester: requester.clone(),
                    semantics: *semantics,
                    version: version.clone(),
                    unattended: *unattended,
                    at,
                });
            }
            Body::ExecutorStarted { pid, host, resumed, .. } => {
                self.executor = Executor::Running { pid: *pid, host: host.clone(), since: at };
                if *resumed {
                    self.resumes += 1;
                    self.gaps.extend(before.map(|b| (b.elapsed_ms, at.elapsed_ms)));
                    self.doubt_what_was_under_way();
                }
            }
            Body::ExecutorStopped { reason } => {
                self.executor = Executor::Stopped { reason: reason.clone(), at }
            }
            // A new executor takes what the run holds already.
            Body::LockTaken { name }
                if self.locks.iter().any(|l| l.name == *name && l.released.is_none()) => {}
            Body::LockTaken { name } => {
                self.locks.push(Lock { name: name.clone(), taken: at, released: None })
            }
            Body::LockReleased { name } => {
                if let Some(lock) = self.locks.iter_mut().find(|l| l.name == *name && l.released.is_none()) {
                    lock.released = Some(at);
                }
            }
            Body::Skipped { task, reason, .. } => {
                let state = self.begin(task, at);
                state.skipped = Some(reason.clone());
                state.settle(Phase::Skipped, at);
            }
            Body::Entered { task, inputs, title, .. } => {
                let state = self.begin_scope(task, at);
                (state.inputs, state.title) = (inputs.clone(), title.clone());
            }
            Body::Items { task, keys, items, .. } => {
                let values = items.iter().cloned().chain(std::iter::repeat(serde_json::Value::Null));
                let items = keys.iter().cloned().zip(values);
                self.begin_scope(task, at).items =
                    Some(items.map(|(key, value)| Item { key, value, frame: None }).collect());
            }
            Body::Branch { task, case, label, .. } => {
                self.begin_scope(task, at).branch = Some((*case, label.clone()))
            }
            Body::Started { task, attempt, incarnation, params, title, .. } => {
                let state = self.started(task, *attempt, *incarnation, at);
                (state.params, state.title) = (params.clone(), title.clone());
            }
            Body::Spawned { .. } => {}
            Body::Ended { task, attempt, result, outputs, note, warning, failure, .. } => {
                let policy = self.policy(task);
                let state = self.touch(task);
                state.outputs = outputs.clone();
                state.note = note.clone();
                state.warning = warning.clone();
                state.failure = failure.clone();
                end(state, &policy, *attempt, *result, at);
            }
            Body::GateClosed { task, gate, reason, .. } => self.gate_closed(task, gate, reason),
            Body::Checked { task, probe, grade, message, outputs, .. } => {
                let (policy, kind) = (self.policy(task), self.kind(task));
                let state = self.touch(task);
                if !outputs.is_empty() {
                    state.outputs = outputs.clone();
                }
                state.saw(*probe, *grade, message, at);
                checked(state, &policy, kind, *probe, at);
            }
            Body::Closed { task, outputs, failure, .. } => {
                let state = self.touch(task);
                state.outputs = outputs.clone();
                state.failure = failure.clone();
                state.closed = true;
                state.ended = Some(at);
            }
            Body::Fired { task, timer } => {
                let (kind, policy) = (self.kind(task), self.policy(task));
                fired(self.touch(task), kind, &policy, *timer, at);
            }
            Body::Asked { about, question, show, deadline_wall_ms } => {
                self.settle_questions(about, at);
                self.questions.push(Question {
                    about: about.clone(),
                    text: question.clone(),
                    show: show.clone(),
                    deadline_ms: *deadline_wall_ms,
                    asked: at,
                    settled: None,
                });
            }
            Body::Answered { about, answer, by, via, comment } => {
                self.answers.push(Given {
                    about: about.clone(),
                    answer: answer.clone(),
                    by: by.clone(),
                    via: *via,
                    comment: comment.clone(),
                    at,
                    void: false,
                });
                self.answered(about, answer, at);
            }
            Body::CancelRequested { by, reason } => self.cancel = Some((by.clone(), reason.clone(), at)),
            Body::Paused { by } => self.paused = Some((by.clone(), at)),
            Body::Unpaused { .. } => self.paused = None,
            Body::RollbackRequested { by, to } => {
                self.rollback_requested = Some((by.clone(), to.as_ref().map(|t| t.path.clone()), at));
                self.forward = self.finished.take().map(|f| f.forward).or(self.forward.take());
            }
            Body::Finished { forward, rollback, exit_code, outputs } => {
                self.questions.iter_mut().filter(|q| q.settled.is_none()).for_each(|q| q.settled = Some(at));
                self.finished = Some(Finished {
                    forward: forward.clone(),
                    rollback: rollback.clone(),
                    exit_code: *exit_code,
                    outputs: outputs.clone(),
                    at,
                });
            }
            _ => self.unknown += 1,
        }
    }

    /// The task's state, made at its first record; finds out which item a new frame belongs to.
    fn touch(&mut self, task: &Task) -> &mut TaskState {
        let key = Key::of(task);
        if key.frame != 0 && !self.frames.contains_key(&key.frame) {
            self.place_frame(task);
        }
        self.tasks.entry(key).or_insert_with(|| TaskState::new(&task.path))
    }

    /// Frames are numbered by the kernel and not recorded; the path says which item one is for.
    fn place_frame(&mut self, task: &Task) {
        let Some(each) = self.shape.each(task.node) else { return };
        let item = |(key, state): (&Key, &TaskState)| {
            let rest = task.path.strip_prefix(state.path.as_str())?.strip_prefix('[')?;
            let fits = |item: &Item| {
                let rest = rest.strip_prefix(item.key.as_str())?.strip_prefix(']')?;
                (rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')).then_some(())
            };
            let index = state.items.as_ref()?.iter().position(|item| fits(item).is_some())?;
            Some((*key, index))
        };
        let found = self.tasks.iter().filter(|(key, _)| key.node == each).find_map(item);
        if let Some((key, index)) = found {
            self.frames.insert(task.frame, (key, index));
            if let Some(item) =
                self.tasks.get_mut(&key).and_then(|t| t.items.as_mut()).and_then(|i| i.get_mut(index))
            {
                item.frame = Some(task.frame);
            }
        }
    }

    /// A task begins, so what it needs is satisfied.
    fn begin(&mut self, task: &Task, at: Stamp) -> &mut TaskState {
        if self.shape.undoes(&self.outline, task.node) {
            self.rollback_began.get_or_insert(at);
        }
        let needs = self.outline.entries.get(task.node as usize).map_or_else(Vec::new, |e| e.needs.clone());
        for node in needs {
            if let Some(state) = self.tasks.get_mut(&Key { frame: task.frame, node })
                && matches!(state.phase, Phase::Running | Phase::Verifying)
                && state.items.is_none()
                && state.branch.is_none()
            {
                state.settle(Phase::Done, at);
            }
        }
        let state = self.touch(task);
        state.gate = None;
        state.began.get_or_insert(at);
        state
    }

    /// A group, a switch or a `for_each` begins; a second time, its children begin anew.
    fn begin_scope(&mut self, task: &Task, at: Stamp) -> &mut TaskState {
        let again = self.tasks.get(&Key::of(task)).filter(|s| s.began.is_some()).map(|s| s.incarnation);
        if let Some(incarnation) = again {
            self.forget_children(Key::of(task));
            if let Some(state) = self.tasks.get_mut(&Key::of(task)) {
                *state = TaskState::new(&task.path);
                state.incarnation = incarnation + 1;
            }
        }
        let state = self.begin(task, at);
        state.phase = Phase::Running;
        state
    }

    /// Drops what the records said about the nodes under this one, in its frame and in the frames of its items.
    fn forget_children(&mut self, parent: Key) {
        let inside = |shape: &super::Shape, node: u32| {
            let mut at = shape.owner(node);
            while let Some(n) = at {
                if n == parent.node {
                    return true;
                }
                at = shape.owner(n);
            }
            false
        };
        let (shape, frames) = (&self.shape, &self.frames);
        let beneath = |frame: u32| {
            let mut at = frame;
            for _ in 0..=frames.len() {
                if at == parent.frame {
                    return true;
                }
                let Some((each, _)) = frames.get(&at) else { return false };
                at = each.frame;
            }
            false
        };
        self.tasks.retain(|key, _| !(inside(shape, key.node) && beneath(key.frame)));
    }

    fn started(&mut self, task: &Task, number: u32, incarnation: u32, at: Stamp) -> &mut TaskState {
        let state = self.begin(task, at);
        if incarnation > state.incarnation {
            *state = TaskState { began: Some(at), incarnation, ..TaskState::new(&task.path) };
        }
        state.failure = None;
        state.ended = None;
        state.phase = Phase::Running;
        state.attempts.push(Attempt { number, began: Some(at), ended: None, result: None, failure: None });
        state
    }

    fn gate_closed(&mut self, task: &Task, gate: &Task, reason: &str) {
        let state = self.touch(task);
        state.gate = Some((Key::of(gate), reason.to_owned()));
        if state.phase == Phase::Running {
            state.phase = Phase::Waiting;
        }
        let gate_state = self.touch(gate);
        gate_state.phase = Phase::Running;
        gate_state.ended = None;
        let gate = Key::of(gate);
        let of_gate = |about: &About| matches!(about, About::Human(task) if Key::of(task) == gate);
        self.answers.iter_mut().filter(|g| of_gate(&g.about)).for_each(|g| g.void = true);
    }

    /// A new process knows nothing of attempts that were under way: what may have had an effect is in doubt.
    fn doubt_what_was_under_way(&mut self) {
        for (key, state) in &mut self.tasks {
            let Some(entry) = self.outline.entries.get(key.node as usize) else { continue };
            let writes = matches!(entry.effect.as_str(), "write" | "notify");
            if entry.kind == EntryKind::Action && writes && state.phase == Phase::Running {
                state.phase = Phase::InDoubt;
            }
            state.progress = None;
        }
    }

    fn answered(&mut self, about: &About, answer: &Answer, at: Stamp) {
        match (about, answer) {
            (About::Human(task), answer) => self.human(task, answer, at),
            (About::InDoubt(task), answer) => {
                let state = self.touch(task);
                match answer {
                    Answer::Done | Answer::Keep => state.settle(Phase::Done, at),
                    Answer::NotDone | Answer::Skip => state.settle(Phase::NotDone, at),
                    Answer::Undo | Answer::Fail => state.settle(Phase::Failed, at),
                    Answer::Retry => state.phase = Phase::Retrying,
                    _ => return,
                }
            }
            (About::Warning(task), answer) => {
                if matches!(answer, Answer::Fail | Answer::Undo) {
                    let warning = self.touch(task).warning.clone().unwrap_or_default();
                    self.touch(task).fail("check", warning, at);
                }
            }
            (About::Rollback(Some(task)) | About::Drift(task), Answer::Keep) => self.touch(task).kept = true,
            _ => {}
        }
        let open = matches!(about, About::Human(task) if self.touch(task).phase == Phase::Running);
        if !open {
            self.settle_questions(about, at);
        }
    }

    fn human(&mut self, task: &Task, answer: &Answer, at: Stamp) {
        let policy = self.policy(task);
        let given: Vec<&Given> = self
            .answers
            .iter()
            .filter(|g| !g.void && matches!(&g.about, About::Human(t) if Key::of(t) == Key::of(task)))
            .collect();
        let complete = match answer {
            Answer::Approve => {
                let requester = self.created.as_ref().map(|c| &c.requester);
                let mut people: Vec<_> = given
                    .iter()
                    .filter(|g| g.answer == Answer::Approve)
                    .filter(|g| !(policy.exclude_requester && Some(&g.by) == requester))
                    .map(|g| &g.by)
                    .collect();
                people.sort();
                people.dedup();
                people.len() >= policy.count.max(1) as usize
            }
            Answer::Item { .. } => {
                !policy.items.is_empty() && policy.items.iter().all(|id| item_done(&given, id))
            }
            Answer::Value { .. } | Answer::Done => true,
            _ => false,
        };
        let who = given.last().map_or_else(String::new, |g| g.by.name.clone());
        let why =
            given.last().and_then(|g| g.comment.as_ref()).map_or_else(String::new, |c| format!(": {c}"));
        let state = self.touch(task);
        match answer {
            Answer::Reject => state.fail("rejected", format!("rejected by {who}{why}"), at),
            Answer::Fail => state.fail("rejected", format!("failed by {who}"), at),
            Answer::Skip => state.settle(Phase::Skipped, at),
            Answer::Value { value } => {
                state.outputs.insert("answer".into(), value.clone());
                state.settle(Phase::Done, at);
            }
            _ if complete => state.settle(Phase::Done, at),
            _ => {}
        }
    }

    fn settle_questions(&mut self, about: &About, at: Stamp) {
        let open = |q: &&mut Question| q.settled.is_none() && q.is_about(about);
        self.questions.iter_mut().filter(open).for_each(|q| q.settled = Some(at));
    }

    fn policy(&self, task: &Task) -> Policy {
        self.outline.entries.get(task.node as usize).map(|e| e.policy.clone()).unwrap_or_default()
    }

    fn kind(&self, task: &Task) -> EntryKind {
        self.outline.entries.get(task.node as usize).map_or(EntryKind::Action, |e| e.kind)
    }
}

/// Whether the last word on a checklist's item is that it is done.
fn item_done(given: &[&Given], id: &str) -> bool {
    let last = given.iter().rev().find_map(|g| match &g.answer {
        Answer::Item { item, done, .. } if item == id => Some(*done),
        _ => None,
    });
    last == Some(true)
}

fn end(state: &mut TaskState, policy: &Policy, number: u32, result: Result, at: Stamp) {
    let failure = state.failure.clone();
    match state.attempts.last_mut().filter(|a| a.number == number && a.result.is_none()) {
        Some(attempt) => {
            (attempt.ended, attempt.result, attempt.failure) = (Some(at), Some(result), failure.clone());
        }
        None => state.attempts.push(Attempt {
            number,
            began: None,
            ended: Some(at),
            result: Some(result),
            failure: failure.clone(),
        }),
    }
    state.began.get_or_insert(at);
    let class = failure.as_ref().map_or("", |f| f.class.as_str());
    let phase = match result {
        Result::Done if policy.verify => Phase::Verifying,
        Result::Done => Phase::Done,
        Result::Unknown => Phase::InDoubt,
        _ if class == "cancelled" => Phase::Cancelled,
        _ if retries(policy, state.attempts.len() as u32, class) => Phase::Retrying,
        Result::Failed => Phase::Failed,
        Result::NotDone => Phase::NotDone,
    };
    state.settle(phase, at);
}

/// Whether the retry policy takes this failure, after so many attempts in this incarnation.
fn retries(policy: &Policy, attempts: u32, class: &str) -> bool {
    let takes = |only: &String| {
        class == only
            || class.strip_prefix(only.as_str()).is_some_and(|rest| rest.starts_with(':'))
            || only
                .strip_suffix("xx")
                .is_some_and(|head| class.starts_with(head) && class.len() == only.len())
    };
    attempts < policy.attempts && (policy.only.is_empty() || policy.only.iter().any(takes))
}

fn checked(state: &mut TaskState, policy: &Policy, kind: EntryKind, probe: Probe, at: Stamp) {
    let Some(seen) = state.probe(probe).cloned() else { return };
    let passes = seen.last.grade == Grade::Pass;
    match probe {
        Probe::Until if kind == EntryKind::Wait && state.phase == Phase::Running => {
            let held = at.elapsed_ms.saturating_sub(seen.since.elapsed_ms);
            if passes && held >= policy.hold_ms.unwrap_or(0) {
                state.note = Some(seen.last.message).filter(|m| !m.is_empty());
                state.settle(Phase::Done, at);
            }
        }
        Probe::Verify if passes && matches!(state.phase, Phase::Verifying | Phase::InDoubt) => {
            state.failure = None;
            state.settle(Phase::Done, at);
        }
        Probe::NotDone if passes && state.phase == Phase::InDoubt => state.settle(Phase::NotDone, at),
        Probe::Guard(n) if !passes => {
            let limit = policy.guards.get(n as usize).copied().unwrap_or(1).max(1);
            if seen.unpassed >= limit {
                let message = format!("guard tripped: {}", seen.last.message);
                state.failure.get_or_insert(Failure { class: "check".into(), message, hint: None });
                if kind == EntryKind::Wait {
                    state.settle(Phase::Failed, at);
                }
            }
        }
        _ => {}
    }
}

fn fired(state: &mut TaskState, kind: EntryKind, policy: &Policy, timer: Timer, at: Stamp) {
    let last = |state: &TaskState| {
        let seen = state.latest_probe().map(|p| p.last.message.clone()).filter(|m| !m.is_empty());
        seen.map_or_else(String::new, |m| format!(": {m}"))
    };
    let human =
        matches!(kind, EntryKind::Approval | EntryKind::Checklist | EntryKind::Prompt | EntryKind::Window);
    match timer {
        Timer::Wait if state.phase == Phase::Running => state.settle(Phase::Done, at),
        Timer::GiveUp(Some(Probe::Until)) if state.phase == Phase::Running => {
            let after =
                policy.timeout_ms.map_or_else(String::new, |ms| format!(" after {}", moment::length(ms)));
            state.fail("timeout", format!("gave up{after}{}", last(state)), at);
        }
        Timer::GiveUp(Some(Probe::Verify)) if state.phase == Phase::Verifying => {
            state.fail("check", format!("verify did not hold{}", last(state)), at);
        }
        Timer::GiveUp(None) if human && state.phase == Phase::Running => {
            state.fail("expired", "nobody answered in time".into(), at);
        }
        Timer::Deadline if state.phase == Phase::Retrying || (human && state.phase == Phase::Running) => {
            state.fail("timeout", "the deadline for all attempts passed".into(), at);
        }
        Timer::Deadline if kind == EntryKind::Wait && state.phase == Phase::Running => {
            state.fail("timeout", format!("the deadline passed{}", last(state)), at);
        }
        _ => {}
    }
}
