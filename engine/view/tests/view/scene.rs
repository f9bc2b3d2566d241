//! Outlines and records written by hand.

use std::collections::BTreeMap;

use runbook_view::{Line, Now, Run, Style, render};
use runbook_wire::{
    About, Answer, Body, Entry, EntryKind, Failure, Grade, Outline, Person, Place, Policy, Probe, Promise,
    Record, Result, Role, Task, Timer, Via,
};
use serde_json::Value;

/// 2026-11-22 02:10:25 UTC.
pub(crate) const START: u64 = 1_795_313_425_000;

#[derive(Default)]
pub(crate) struct Scene {
    pub(crate) outline: Outline,
    pub(crate) records: Vec<Record>,
    pub(crate) elapsed_ms: u64,
}

pub(crate) struct Adding<'s> {
    scene: &'s mut Scene,
    pub(crate) node: u32,
}

impl Scene {
    pub(crate) fn new(name: &str) -> Scene {
        let mut scene = Scene::default();
        scene.outline.name = name.into();
        scene.outline.rollback = "auto".into();
        scene
    }

    /// A step of the runbook; needs the one before it.
    pub(crate) fn step(&mut self, segment: &str, kind: EntryKind, what: &str, effect: &str) -> Adding<'_> {
        let before = self.outline.steps.last().copied();
        let node = self.entry(None, Role::Body, segment, kind, what, effect);
        self.outline.steps.push(node);
        self.outline.entries[node as usize].needs = before.into_iter().collect();
        Adding { scene: self, node }
    }

    pub(crate) fn read(&mut self, segment: &str, what: &str) -> u32 {
        self.step(segment, EntryKind::Action, what, "read").node
    }

    /// A step under another.
    pub(crate) fn child(
        &mut self,
        parent: u32,
        role: Role,
        segment: &str,
        kind: EntryKind,
        what: &str,
        effect: &str,
    ) -> Adding<'_> {
        let list = |e: &Entry| match role {
            Role::Undo | Role::Require => e.undo.clone(),
            Role::Finally => e.finally.clone(),
            _ => e.children.clone(),
        };
        let before = list(&self.outline.entries[parent as usize]).last().copied();
        let node = self.entry(Some(parent), role, segment, kind, what, effect);
        self.outline.entries[node as usize].needs = before.into_iter().collect();
        let owner = &mut self.outline.entries[parent as usize];
        match role {
            Role::Undo | Role::Require => owner.undo.push(node),
            Role::Finally => owner.finally.push(node),
            Role::Body => owner.children.push(node),
            _ => {}
        }
        Adding { scene: self, node }
    }

    pub(crate) fn finally(&mut self, segment: &str, what: &str) -> u32 {
        let node = self.entry(None, Role::Finally, segment, EntryKind::Action, what, "notify");
        self.outline.finally.push(node);
        node
    }

    fn entry(
        &mut self,
        parent: Option<u32>,
        role: Role,
        segment: &str,
        kind: EntryKind,
        what: &str,
        effect: &str,
    ) -> u32 {
        let node = self.outline.entries.len() as u32;
        let promise = if effect == "write" { Promise::Missing } else { Promise::NothingToUndo };
        self.outline.entries.push(Entry {
            segment: segment.into(),
            title: None,
            kind,
            what: what.into(),
            effect: effect.into(),
            parent,
            children: Vec::new(),
            undo: Vec::new(),
            finally: Vec::new(),
            needs: Vec::new(),
            promise,
            pivot: false,
            place: Place { file: format!("{}.yaml", self.outline.name), line: 10 + node * 6, column: 5 },
            cases: Vec::new(),
            role,
            policy: Policy::default(),
        });
        node
    }

    pub(crate) fn task(&self, frame: u32, node: u32) -> Task {
        self.task_at(frame, node, &self.outline.entries[node as usize].segment)
    }

    pub(crate) fn task_at(&self, frame: u32, node: u32, path: &str) -> Task {
        Task { frame, node, path: path.into() }
    }

    /// Moves on to this run-elapsed time.
    pub(crate) fn at(&mut self, elapsed_ms: u64) -> &mut Scene {
        assert!(elapsed_ms >= self.elapsed_ms, "time runs forward");
        self.elapsed_ms = elapsed_ms;
        self
    }

    pub(crate) fn push(&mut self, body: Body) -> &mut Scene {
        let seq = self.records.len() as u64 + 1;
        let wall_ms = START + self.elapsed_ms;
        self.records.push(Record { seq, wall_ms, elapsed_ms: self.elapsed_ms, epoch: 1, body });
        self
    }

    pub(crate) fn begin(&mut self, run: &str, environment: &str, by: &str) -> &mut Scene {
        let runbook = self.outline.name.clone();
        self.push(Body::RunCreated {
            run: run.into(),
            file: format!("{runbook}.yaml"),
            runbook,
            plan: "b3a1c9".repeat(10),
            environment: Some(environment.into()),
            inputs: BTreeMap::new(),
            requester: person(by),
            seed: 7,
            semantics: 1,
            version: "0.1.0".into(),
            unattended: false,
            root: String::new(),
            request: Value::Null,
            max_parallel: None,
            answers: None,
            answers_file: None,
        });
        self.push(Body::ExecutorStarted { pid: 4711, host: "bastion".into(), resumed: false, gap_ms: 0 })
    }

    pub(crate) fn start(&mut self, task: &Task) -> &mut Scene {
        self.attempt(task, 1)
    }

    pub(crate) fn attempt(&mut self, task: &Task, attempt: u32) -> &mut Scene {
        let (params, prepared) = (BTreeMap::new(), Value::Null);
        self.push(Body::Started {
            task: task.clone(),
            attempt,
            incarnation: 0,
            title: None,
            params,
            prepared,
            key: String::new(),
        })
    }

    pub(crate) fn enter(&mut self, task: &Task) -> &mut Scene {
        self.push(Body::Entered { task: task.clone(), attempt: 1, title: None, inputs: BTreeMap::new() })
    }

    pub(crate) fn done(&mut self, task: &Task, note: &str) -> &mut Scene {
        self.done_with(task, note, BTreeMap::new())
    }

    pub(crate) fn done_at(&mut self, task: &Task, attempt: u32, note: &str) -> &mut Scene {
        self.done(task, note);
        if let Some(Record { body: Body::Ended { attempt: number, .. }, .. }) = self.records.last_mut() {
            *number = attempt;
        }
        self
    }

    pub(crate) fn done_with(
        &mut self,
        task: &Task,
        note: &str,
        outputs: BTreeMap<String, Value>,
    ) -> &mut Scene {
        self.push(Body::Ended {
            task: task.clone(),
            attempt: 1,
            result: Result::Done,
            outputs,
            masked: Vec::new(),
            note: Some(note.to_owned()).filter(|n| !n.is_empty()),
            warning: None,
            failure: None,
            log: None,
        })
    }

    pub(crate) fn ended(
        &mut self,
        task: &Task,
        attempt: u32,
        result: Result,
        class: &str,
        message: &str,
    ) -> &mut Scene {
        self.push(Body::Ended {
            task: task.clone(),
            attempt,
            result,
            outputs: BTreeMap::new(),
            masked: Vec::new(),
            note: None,
            warning: None,
            failure: Some(failure(class, message)),
            log: None,
        })
    }

    /// Starts and is done after so many milliseconds.
    pub(crate) fn ran(&mut self, task: &Task, ms: u64) -> &mut Scene {
        self.start(task);
        let end = self.elapsed_ms + ms;
        self.at(end).done(task, "")
    }

    pub(crate) fn saw(&mut self, task: &Task, probe: Probe, grade: Grade, message: &str) -> &mut Scene {
        self.push(Body::Checked {
            task: task.clone(),
            probe,
            round: 1,
            grade,
            message: message.into(),
            outputs: BTreeMap::new(),
            masked: Vec::new(),
        })
    }

    pub(crate) fn fired(&mut self, task: &Task, timer: Timer) -> &mut Scene {
        self.push(Body::Fired { task: task.clone(), timer })
    }

    pub(crate) fn asked(
        &mut self,
        about: About,
        question: &str,
        show: &[(&str, Value)],
        deadline: Option<u64>,
    ) -> &mut Scene {
        self.push(Body::Asked {
            about,
            question: question.into(),
            show: show.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
            deadline_wall_ms: deadline,
        })
    }

    pub(crate) fn answered(&mut self, about: About, answer: Answer, by: &str, via: Via) -> &mut Scene {
        self.push(Body::Answered { about, answer, by: person(by), via, comment: None })
    }

    pub(crate) fn finished(&mut self, forward: &str, rollback: &str, exit_code: i32) -> &mut Scene {
        let (forward, rollback) = (forward.to_owned(), rollback.to_owned());
        self.push(Body::Finished {
            forward,
            rollback,
            exit_code,
            outputs: BTreeMap::new(),
            no_outputs: BTreeMap::new(),
        })
    }

    pub(crate) fn run(&self) -> Run {
        Run::replay(self.outline.clone(), &self.records)
    }

    pub(crate) fn now(&self) -> Now {
        Now::at(START + self.elapsed_ms)
    }

    pub(crate) fn screen(&self, width: usize, max_lines: Option<usize>) -> String {
        text(&render(&self.run(), self.now(), width, &Style { max_lines, ..Style::default() }))
    }
}

impl Adding<'_> {
    pub(crate) fn node(self) -> u32 {
        self.node
    }

    pub(crate) fn own_undo(self, text: &str) -> Self {
        let node = self.node;
        self.scene.outline.entries[node as usize].promise = Promise::Own(text.into());
        self.scene.child(node, Role::Undo, "undo", EntryKind::Action, text, "write");
        self
    }

    pub(crate) fn promise(self, promise: Promise) -> Self {
        self.scene.outline.entries[self.node as usize].promise = promise;
        self
    }

    pub(crate) fn policy(self, set: impl FnOnce(&mut Policy)) -> Self {
        set(&mut self.scene.outline.entries[self.node as usize].policy);
        self
    }

    pub(crate) fn pivot(self) -> Self {
        self.scene.outline.entries[self.node as usize].pivot = true;
        self
    }

    pub(crate) fn free(self) -> Self {
        self.scene.outline.entries[self.node as usize].needs.clear();
        self
    }
}

pub(crate) fn person(name: &str) -> Person {
    Person { name: name.into() }
}

pub(crate) fn failure(class: &str, message: &str) -> Failure {
    Failure { class: class.into(), message: message.into(), hint: None }
}

pub(crate) fn text(lines: &[Line]) -> String {
    lines.iter().map(|l| format!("{}\n", l.text())).collect()
}
