//! One record into the state.
//!
//! What the kernel derives is not recorded (that an approval has its two people, that a wait is over): this file holds
//! the few rules that say it again from the plan-time policy in the outline, each at the record that settles it. One
//! more rule catches the rest: a step starts only once everything that it needs is satisfied.

use std::collections::BTreeSet;

use runbook_wire::{About, Answer, Body, EntryKind, Record, Task, Timer};
use serde_json::Value;

use super::{
    Created, Executor, Finished, Given, Item, Key, Lock, LockHeld, Phase, Question, Run, TaskState,
    attempt::Rules, subject, task::Attempt,
};
use crate::{Node, Stamp, Status, Tree, Undoing};

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
                request,
                max_parallel,
                answers_file,
                ..
            } => {
                self.created = Some(Created {
                    run: run.clone(),
                    runbook: runbook.clone(),
                    file: file.clone(),
                    plan: plan.clone(),
                    environment: environment.clone(),
                    inputs: inputs.clone(),
                    options: options(request, *max_parallel, answers_file.as_deref()),
                    requester: requester.clone(),
                    semantics: *semantics,
                    version: version.clone(),
                    unattended: *unattended,
                    at,
                });
            }
            Body::ExecutorStarted { pid, host, resumed, gap_ms } => {
                // Who takes a run that was made for it (`--detach`) resumes nothing that began.
                let began = !matches!(self.executor, Executor::None);
                self.held.clear();
                self.executor = Executor::Running { pid: *pid, host: host.clone(), since: at };
                if *resumed {
                    self.resumes += u32::from(began);
                    self.gaps.extend(before.map(|b| (b.elapsed_ms, at.elapsed_ms)));
                    self.taken_over(*gap_ms, at);
                }
            }
            Body::ExecutorStopped { reason } => {
                self.executor = Executor::Stopped { reason: reason.clone(), at }
            }
            Body::LockAwaited { name, holder, reason, since_wall_ms, until_wall_ms } => {
                self.lock_held = Some(LockHeld {
                    name: name.clone(),
                    holder: holder.clone(),
                    reason: reason.clone(),
                    since_ms: *since_wall_ms,
                    until_ms: Some(*until_wall_ms),
                    at,
                });
            }
            Body::LockRefused { name, holder, reason, since_wall_ms, .. } => {
                self.lock_held = Some(LockHeld {
                    name: name.clone(),
                    holder: holder.clone(),
                    reason: reason.clone(),
                    since_ms: *since_wall_ms,
                    until_ms: None,
                    at,
                });
            }
            // A new executor takes what the run holds already.
            Body::LockTaken { name }
                if self.locks.iter().any(|l| l.name == *name && l.released.is_none()) => {}
            Body::LockTaken { name } => {
                self.lock_held = None;
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
                let index = keys.iter().cloned().zip(0..).collect();
                self.places.insert(task.path.clone(), (Key::of(task), index));
                let values = items.iter().cloned().chain(std::iter::repeat(serde_json::Value::Null));
                let items = keys.iter().cloned().zip(values);
                self.begin_scope(task, at).items =
                    Some(items.map(|(key, value)| Item { key, value, frame: None }).collect());
            }
            Body::Branch { task, case, label, .. } => {
                self.begin_scope(task, at).branch = Some((*case, label.clone()))
            }
            Body::Started { task, attempt, incarnation, params, title, .. } => {
                self.void_answers(Key::of(task));
                let state = self.started(task, *attempt, *incarnation, at);
                (state.params, state.title) = (params.clone(), title.clone());
            }
            Body::Spawned { .. } => {}
            Body::ProgramAccepted { .. } => self.held.clear(),
            Body::Ended { task, attempt, result, outputs, masked, note, warning, failure, .. } => {
                let rules = self.rules(task.node);
                let state = self.touch(task);
                (state.outputs, state.masked) = (outputs.clone(), masked.clone());
                state.note = note.clone();
                if *result == runbook_wire::Result::Done {
                    state.warning = warning.clone();
                }
                // Why a guard had it stopped says more than how it stopped.
                if !state.tripped {
                    state.failure = failure.clone();
                }
                // A group that could not even begin anew has had its turn.
                state.incarnation += u32::from(rules.is_scope() && state.began.is_some());
                state.attempt_ended(*attempt, *result, failure.clone(), at);
                state.ended(&rules, *result, at);
            }
            Body::GateClosed { task, attempt, gate, reason } => {
                self.gate_closed(task, *attempt, gate, reason);
            }
            Body::Checked { task, probe, grade, message, outputs, masked, .. } => {
                let rules = self.rules(task.node);
                let from = self.verified_from(task, *probe);
                let state = self.touch(task);
                if !outputs.is_empty() {
                    (state.outputs, state.masked) = (outputs.clone(), masked.clone());
                }
                state.probing = from.map(|from| (*probe, from)).or(state.probing);
                state.saw(*probe, *grade, message, at);
                state.checked(&rules, *probe, at);
                if matches!(probe, runbook_wire::Probe::Guard(_)) {
                    self.end_overtime(at);
                }
            }
            Body::Closed { task, outputs, masked, failure, .. } => {
                let state = self.touch(task);
                (state.outputs, state.masked) = (outputs.clone(), masked.clone());
                state.failure = failure.clone();
                state.closed = true;
                state.ended = Some(at);
            }
            Body::Fired { task, timer } => {
                let rules = self.rules(task.node);
                // Later nobody can tell: what ends at its time may be tried again, or brought back.
                let ends = matches!(timer, Timer::Timeout | Timer::Deadline);
                let inside = ends && Tree::of(self).find(Key::of(task)).is_some_and(Node::is_open_inside);
                let state = self.touch(task);
                state.fired(&rules, *timer, inside, at);
                if state.elapsed {
                    self.overtime.insert(Key::of(task));
                    self.end_overtime(at);
                }
            }
            Body::Asked { about, question, show, deadline_wall_ms } => {
                self.settle_questions(about, at);
                if let About::InDoubt(task) = about {
                    let state = self.touch(task);
                    state.unsettled = true;
                    state.settle(Phase::InDoubt, at);
                }
                let order = subject(about).and_then(|task| self.outline.entries.get(task.node as usize));
                let order = order.map_or(&[][..], |entry| &entry.policy.shown);
                let mut show: Vec<_> = show.clone().into_iter().collect();
                // What the outline does not name comes last.
                show.sort_by_key(|(name, _)| order.iter().position(|o| o == name).unwrap_or(order.len()));
                self.questions.push(Question {
                    about: about.clone(),
                    text: question.clone(),
                    show,
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
                self.rollback_requested = Some((by.clone(), to.clone(), at));
                // What was kept before is undone too.
                self.tasks.values_mut().for_each(|t| t.kept = false);
                self.forward = self.finished.take().map(|f| f.forward).or(self.forward.take());
            }
            Body::Finished { forward, rollback, exit_code, outputs, no_outputs } => {
                self.questions.iter_mut().filter(|q| q.settled.is_none()).for_each(|q| q.settled = Some(at));
                self.finished = Some(Finished {
                    forward: forward.clone(),
                    rollback: rollback.clone(),
                    exit_code: *exit_code,
                    outputs: outputs.clone(),
                    no_outputs: no_outputs.clone(),
                    at,
                });
            }
            _ => self.unknown += 1,
        }
    }

    /// Of a group whose `verify` looks for the first time in this incarnation: when the last thing inside was over.
    fn verified_from(&self, task: &Task, probe: runbook_wire::Probe) -> Option<Stamp> {
        let key = Key::of(task);
        let state = self.task(key)?;
        if probe != runbook_wire::Probe::Verify || state.probing.is_some() {
            return None;
        }
        let tree = Tree::of(self);
        let node = tree.find(key).filter(|node| node.is_scope())?;
        let inside = node.children.iter().filter_map(|child| child.ended).max();
        inside.max(state.ended.filter(|_| state.closed)).or(state.began)
    }

    /// The task's state, made at its first record; finds out which item a new frame belongs to.
    fn touch(&mut self, task: &Task) -> &mut TaskState {
        let key = Key::of(task);
        self.held.remove(&key);
        if key.frame != 0 && !self.frames.contains_key(&key.frame) {
            self.place_frame(task);
        }
        self.tasks.entry(key).or_insert_with(|| TaskState::new(&task.path))
    }

    /// Frames are numbered by the kernel and not recorded; the path says what one is for: `broker[kafka4].joined`,
    /// `broker[between 0].calm`.
    fn place_frame(&mut self, task: &Task) {
        let Some(each) = self.shape.each(task.node) else { return };
        let found = task.path.match_indices('[').find_map(|(at, _)| {
            let (place, index) = self.places.get(&task.path[..at]).filter(|(key, _)| key.node == each)?;
            let rest = &task.path[at + 1..];
            // A key may hold brackets of its own.
            let ends = rest.match_indices(']').map(|(end, _)| (&rest[..end], &rest[end + 1..]));
            let fits = ends.filter(|(_, after)| after.is_empty() || after.starts_with(['.', '[']));
            match fits.filter_map(|(name, _)| index.get(name)).min() {
                Some(index) => Some((*place, Some(*index))),
                None => rest.starts_with("between ").then_some((*place, None)),
            }
        });
        let Some((key, index)) = found else { return };
        self.frames.insert(task.frame, (key, index));
        let items = self.tasks.get_mut(&key).and_then(|t| t.items.as_mut());
        if let (Some(items), Some(index)) = (items, index) {
            items[index].frame = Some(task.frame);
        }
    }

    /// A task begins, so what it needs is satisfied.
    fn begin(&mut self, task: &Task, at: Stamp) -> &mut TaskState {
        if self.shape.undoes(&self.outline, task.node) {
            self.rollback_began.get_or_insert(at);
        }
        let needs = self.outline.entries.get(task.node as usize).map_or_else(Vec::new, |e| e.needs.clone());
        for node in needs {
            let asks = self.rules(node).is_human();
            if let Some(state) = self.tasks.get_mut(&Key { frame: task.frame, node })
                && matches!(state.phase, Phase::Running | Phase::Verifying)
                // One that had been passed before may ask again, for somebody else.
                && !(asks && state.attempts.len() > 1)
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
                // Guards go on looking.
                let probes = std::mem::take(&mut state.probes);
                *state = TaskState { probes, ..TaskState::new(&task.path) };
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

    /// People who passed a gate are asked again.
    fn void_answers(&mut self, gate: Key) {
        let about = |about: &About| matches!(about, About::Human(task) if Key::of(task) == gate);
        self.answers.iter_mut().filter(|g| about(&g.about)).for_each(|g| g.void = true);
    }

    fn started(&mut self, task: &Task, number: u32, incarnation: u32, at: Stamp) -> &mut TaskState {
        let state = self.begin(task, at);
        if state.of.is_some_and(|of| of < incarnation) {
            *state = TaskState { began: Some(at), ..TaskState::new(&task.path) };
        }
        state.of = Some(incarnation);
        state.failure = None;
        state.ended = None;
        state.looks_anew();
        (state.unseen, state.overdue, state.elapsed) = (false, false, false);
        state.phase = Phase::Running;
        state.attempts.push(Attempt { number, began: Some(at), ended: None, result: None, failure: None });
        state
    }

    fn gate_closed(&mut self, task: &Task, attempt: u32, gate: &Task, reason: &str) {
        // Nobody is asked again for what does not start any more.
        let halted = Tree::of(self).find(Key::of(task)).is_some_and(|node| node.halted);
        let state = self.touch(task);
        // Found right before the effect, it makes the attempt one that never was.
        state.attempts.pop_if(|last| last.number == attempt);
        state.gate = Some((Key::of(gate), reason.to_owned()));
        if state.phase == Phase::Running {
            state.phase = Phase::Waiting;
        }
        if halted {
            return;
        }
        let gate_state = self.touch(gate);
        gate_state.phase = Phase::Waiting;
        gate_state.ended = None;
        self.void_answers(Key::of(gate));
    }

    fn taken_over(&mut self, gap_ms: u64, at: Stamp) {
        // What something beside it has cut off does not go on.
        let mut over = BTreeSet::new();
        Tree::of(self).walk(&mut |node| {
            over.extend(Some(node.key).filter(|_| node.item.is_none() && node.status == Status::Cancelled));
        });
        let running = self.tasks.iter().filter(|(key, s)| s.phase == Phase::Running && !over.contains(key));
        let under_way: Vec<Key> = running.map(|(key, _)| *key).collect();
        for key in under_way {
            let rules = self.rules(key.node);
            if let Some(state) = self.tasks.get_mut(&key) {
                state.taken_over(&rules, gap_ms, at);
            }
        }
    }

    fn answered(&mut self, about: &About, answer: &Answer, at: Stamp) {
        match (about, answer) {
            (About::Human(task), answer) => self.human(task, answer, at),
            (About::InDoubt(task), answer) => {
                let rules = self.rules(task.node);
                let by = self.answers.last().map_or_else(String::new, |g| g.by.name.clone());
                self.touch(task).doubt_answered(&rules, answer, &by, at);
            }
            (About::Warning(task), answer) => self.touch(task).warning_answered(answer, at),
            (About::AfterPivot, Answer::Retry) => self.go_forward_again(),
            (About::Rollback(Some(task)) | About::Drift(task), Answer::Keep) => self.touch(task).kept = true,
            _ => {}
        }
        let open = matches!(about, About::Human(task) if self.touch(task).phase == Phase::Running);
        if !open {
            self.settle_questions(about, at);
        }
    }

    /// After the pivot somebody wants what failed, or was cut off, to be tried again.
    fn go_forward_again(&mut self) {
        let (mut again, mut gone) = (Vec::new(), Vec::new());
        fn collect(nodes: &[Node<'_>], again: &mut Vec<Key>, gone: &mut Vec<Key>) {
            // Where an undo did not complete there is nothing to go on from.
            let blocks =
                |n: &Node<'_>| matches!(n.undoing, Undoing::Failed | Undoing::Refused | Undoing::Blocked);
            if nodes.iter().any(|n| n.stuck || blocks(n)) {
                return;
            }
            for node in nodes.iter().filter(|n| !n.stays()) {
                again.extend(node.item.is_none().then_some(node.key));
                collect(&node.children, again, gone);
                gone.extend(node.between.iter().filter(|n| !n.stays()).map(|n| n.key));
            }
        }
        collect(&Tree::of(self).steps, &mut again, &mut gone);
        self.tasks.retain(|key, _| !gone.contains(key));
        for key in again {
            if let Some(state) = self.tasks.get_mut(&key) {
                state.revive();
            }
        }
    }

    fn human(&mut self, task: &Task, answer: &Answer, at: Stamp) {
        let policy = self.rules(task.node).policy;
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

    pub(super) fn rules(&self, node: u32) -> Rules {
        let entry = self.outline.entries.get(node as usize);
        let effect = entry.map_or("", |e| e.effect.as_str());
        Rules {
            policy: entry.map(|e| e.policy.clone()).unwrap_or_default(),
            kind: entry.map_or(EntryKind::Action, |e| e.kind),
            harmless: !matches!(effect, "write" | "notify"),
            notify: effect == "notify",
            undoes: self.shape.undoes(&self.outline, node),
        }
    }
}

/// What `exec` was given besides the file and the environment, as it would be given again.
fn options(request: &Value, max_parallel: Option<u32>, answers: Option<&str>) -> Vec<String> {
    let mut options = Vec::new();
    for given in request["inputs"].as_array().into_iter().flatten() {
        let Some(name) = given["name"].as_str() else { continue };
        let file = given["origin"].as_str().and_then(|origin| origin.strip_prefix("-i "));
        let file = file.filter(|typed| typed.strip_prefix(name).is_some_and(|rest| rest.starts_with("=@")));
        // As text where it was typed; what else there is, is JSON, which is read the same.
        let value = match (&given["value"]["text"], &given["value"]["json"]) {
            (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
            (_, json) => json.to_string(),
        };
        options.extend(["-i".to_owned(), file.map_or_else(|| format!("{name}={value}"), str::to_owned)]);
    }
    options.extend((request["strict"] == true).then(|| "--strict".to_owned()));
    if let Some(n) = max_parallel {
        options.extend(["--max-parallel".to_owned(), n.to_string()]);
    }
    options.extend(answers.into_iter().flat_map(|file| ["--answers".to_owned(), file.to_owned()]));
    options
}

/// Whether the last word on a checklist's item is that it is done.
fn item_done(given: &[&Given], id: &str) -> bool {
    let last = given.iter().rev().find_map(|g| match &g.answer {
        Answer::Item { item, done, .. } if item == id => Some(*done),
        _ => None,
    });
    last == Some(true)
}
