//! A program as an outline, events as records.

use std::collections::BTreeMap;

use runbook_kernel::{
    About, Answer, BatchSize, EachUndo, Effect, Ended, Event, Fact, FailureClass, FrameRole, InDoubt, Kernel,
    Kind, OnWarning, Probe, Program, RollbackPolicy, ScopeId, ScopeRole, Seen, TaskId, TimerPurpose, Undo,
};
use runbook_wire as wire;

use crate::build::Named;
use crate::simulation::Simulation;

pub(crate) struct Translator {
    program: Program,
    names: Vec<String>,
    /// How many events are translated.
    done: usize,
    seq: u64,
    asked: Vec<About>,
    /// As it was after the last event that is translated: several may have come since.
    kernel: Kernel,
}

impl Translator {
    pub(crate) fn new(named: &Named) -> Translator {
        Translator {
            program: named.program.clone(),
            names: named.names.clone(),
            done: 0,
            seq: 0,
            asked: Vec::new(),
            kernel: Kernel::new(named.program.clone()),
        }
    }

    pub(crate) fn outline(&self) -> wire::Outline {
        let nodes = |scope: ScopeId| self.nodes(scope);
        wire::Outline {
            name: "generated".into(),
            entries: (0..self.program.nodes.len()).map(|n| self.entry(n)).collect(),
            steps: nodes(self.program.root),
            finally: self.program.finally.map(nodes).unwrap_or_default(),
            rollback: policy_word(self.program.on_failure.rollback).into(),
            ..wire::Outline::default()
        }
    }

    fn nodes(&self, scope: ScopeId) -> Vec<u32> {
        self.program.scopes[scope.0 as usize].nodes.iter().map(|n| n.0).collect()
    }

    fn entry(&self, n: usize) -> wire::Entry {
        let node = &self.program.nodes[n];
        let scope = &self.program.scopes[node.scope.0 as usize];
        let owned = |role: ScopeRole| -> Vec<u32> {
            let scopes = self
                .program
                .scopes
                .iter()
                .filter(|s| s.owner.is_some_and(|o| o.0 as usize == n) && s.role == role);
            scopes.flat_map(|s| s.nodes.iter().map(|n| n.0)).collect()
        };
        let mut children = owned(ScopeRole::Body);
        for role in [ScopeRole::First, ScopeRole::AfterPivot, ScopeRole::Between] {
            children.extend(owned(role));
        }
        let composite = matches!(node.kind, Kind::Group { .. } | Kind::Switch { .. } | Kind::Each(_));
        let cases = match &node.kind {
            Kind::Switch { cases } => {
                cases.iter().enumerate().map(|(at, &scope)| (at.to_string(), self.nodes(scope))).collect()
            }
            _ => Vec::new(),
        };
        wire::Entry {
            segment: self.names[n].clone(),
            title: None,
            kind: match &node.kind {
                Kind::Action => wire::EntryKind::Action,
                Kind::WaitFor(_) | Kind::WaitUntil(_) => wire::EntryKind::Wait,
                Kind::Human(_) => wire::EntryKind::Approval,
                Kind::Group { .. } => wire::EntryKind::Group,
                Kind::Switch { .. } => wire::EntryKind::Switch,
                Kind::Each(_) => wire::EntryKind::ForEach,
            },
            what: String::new(),
            effect: match node.effect {
                Effect::Pure => "pure",
                Effect::Read => "read",
                Effect::Write => "write",
                Effect::Notify => "notify",
            }
            .into(),
            parent: scope.owner.map(|o| o.0),
            children,
            undo: owned(ScopeRole::Undo),
            finally: owned(ScopeRole::Finally),
            needs: node.needs.iter().map(|n| n.0).collect(),
            promise: match node.undo {
                Undo::Scope(_) => wire::Promise::Steps,
                Undo::Left => wire::Promise::None("left".into()),
                Undo::Missing => wire::Promise::Missing,
                Undo::Nothing if composite => wire::Promise::Children,
                Undo::Nothing => wire::Promise::NothingToUndo,
            },
            pivot: node.pivot,
            place: wire::Place { file: "generated".into(), line: 1, column: 1 },
            cases,
            role: match scope.role {
                ScopeRole::Body => wire::Role::Body,
                ScopeRole::Undo => wire::Role::Undo,
                ScopeRole::Finally => wire::Role::Finally,
                ScopeRole::First => wire::Role::First,
                ScopeRole::AfterPivot => wire::Role::AfterPivot,
                ScopeRole::Between => wire::Role::Between,
                ScopeRole::Revert => wire::Role::Revert,
            },
            policy: self.policy(n),
        }
    }

    /// As the plan writes it into its outline.
    fn policy(&self, n: usize) -> wire::Policy {
        let node = &self.program.nodes[n];
        let mut policy = wire::Policy {
            deadline_ms: node.deadline,
            attempts: node.retry.max_attempts,
            tolerated: node.continue_on_error || !node.required,
            on_warning: match node.on_warning {
                OnWarning::Continue => None,
                OnWarning::Ask => Some("ask".into()),
                OnWarning::Fail => Some("fail".into()),
            },
            on_inconclusive: match node.on_inconclusive {
                OnWarning::Continue => Some("continue".into()),
                OnWarning::Ask => Some("ask".into()),
                OnWarning::Fail => None,
            },
            verify: node.verify.is_some_and(|v| v.after_done),
            within_ms: node.verify.map(|v| v.within),
            proves_absence: node.verify.is_some_and(|v| v.proves_absence),
            not_done: node.verify.is_some_and(|v| v.not_done),
            on_in_doubt: match node.on_in_doubt {
                InDoubt::Ask => None,
                InDoubt::Retry => Some("retry".into()),
                InDoubt::Compensate => Some("compensate".into()),
            },
            guards: node.guards.iter().map(|g| g.failures).collect(),
            ..wire::Policy::default()
        };
        policy.timeout_ms = node.timeout;
        match &node.kind {
            Kind::WaitFor(ms) => policy.hold_ms = Some(*ms),
            Kind::WaitUntil(poll) => {
                (policy.timeout_ms, policy.hold_ms) = (Some(poll.timeout), Some(poll.hold))
            }
            Kind::Human(human) => {
                policy.timeout_ms = human.timeout;
                policy.count = human.count;
                policy.exclude_requester = human.exclude_requester;
            }
            Kind::Group { on_failure: Some(on_failure), .. } => {
                policy.rollback = Some(policy_word(on_failure.rollback).into());
            }
            Kind::Each(each) => {
                policy.max_failures = each.max_failures;
                policy.batches = each.batches.iter().map(|b| batch(b.size)).collect();
                policy.batch_failures = each.batches.iter().map(|b| b.max_failures).collect();
                let undo = match each.undo {
                    EachUndo::All => "all",
                    EachUndo::Batch => "batch",
                    EachUndo::Failed => "failed",
                };
                policy.rollback = Some(undo.into());
            }
            _ => {}
        }
        policy
    }

    /// Records of the events that came since the last call, and of the questions that stand since.
    pub(crate) fn records(&mut self, simulation: &Simulation) -> Vec<wire::Record> {
        let mut records = Vec::new();
        for event in &simulation.events[self.done..] {
            self.kernel.step(*event, &mut Vec::new());
            let body = self.body(&event.fact, &self.kernel);
            records.push(self.record(event, body));
            let questions = self.kernel.questions();
            self.asked.retain(|about| questions.contains(about));
            for about in questions {
                if self.asked.contains(&about) {
                    continue;
                }
                self.asked.push(about);
                let asked = wire::Body::Asked {
                    about: self.about(about, &self.kernel),
                    question: String::new(),
                    show: BTreeMap::new(),
                    deadline_wall_ms: None,
                };
                records.push(self.record(event, asked));
            }
        }
        self.done = simulation.events.len();
        records
    }

    fn record(&mut self, event: &Event, body: wire::Body) -> wire::Record {
        self.seq += 1;
        wire::Record { seq: self.seq, wall_ms: event.at, elapsed_ms: event.at, epoch: 1, body }
    }

    /// Named as the runtime names it.
    fn task(&self, task: TaskId, kernel: &Kernel) -> wire::Task {
        let mut segments = Vec::new();
        let (mut frame, mut node, mut bracket) = (task.frame, Some(task.node), None::<String>);
        while let Some(at) = node {
            let name = &self.names[at.0 as usize];
            segments.push(bracket.take().map_or_else(|| name.clone(), |b| format!("{name}[{b}]")));
            node = self.program.scopes[self.program.nodes[at.0 as usize].scope.0 as usize].owner;
            if let Some(described) = kernel.frame(frame)
                && let Some(parent) = described.parent.filter(|p| Some(p.node) == node)
            {
                bracket = Some(match described.role {
                    FrameRole::Item(item) => format!("k{item}"),
                    FrameRole::Between(batch) => format!("between {batch}"),
                    FrameRole::Run => String::new(),
                });
                frame = parent.frame;
            }
        }
        segments.reverse();
        wire::Task { frame: task.frame, node: task.node.0, path: segments.join(".") }
    }

    fn about(&self, about: About, kernel: &Kernel) -> wire::About {
        let name = |task| self.task(task, kernel);
        match about {
            About::Human(task) => wire::About::Human(name(task)),
            About::InDoubt(task) => wire::About::InDoubt(name(task)),
            About::Warning(task) => wire::About::Warning(name(task)),
            About::Rollback(task) => wire::About::Rollback(task.map(name)),
            About::AfterPivot => wire::About::AfterPivot,
            About::Drift(task) => wire::About::Drift(name(task)),
        }
    }

    fn body(&self, fact: &Fact, kernel: &Kernel) -> wire::Body {
        let name = |task: TaskId| self.task(task, kernel);
        match *fact {
            Fact::Began { seed } => wire::Body::RunCreated {
                run: "g".into(),
                runbook: "generated".into(),
                file: String::new(),
                plan: String::new(),
                environment: None,
                inputs: BTreeMap::new(),
                requester: person(0),
                seed,
                semantics: 1,
                version: String::new(),
                unattended: false,
                root: String::new(),
                request: serde_json::Value::Null,
                max_parallel: None,
                answers: None,
                answers_file: None,
            },
            Fact::Resumed { gap } => {
                wire::Body::ExecutorStarted { pid: 1, host: String::new(), resumed: true, gap_ms: gap }
            }
            Fact::Skipped { task, attempt } => {
                wire::Body::Skipped { task: name(task), attempt, reason: String::new() }
            }
            Fact::Entered { task, attempt } => {
                wire::Body::Entered { task: name(task), attempt, title: None, inputs: BTreeMap::new() }
            }
            Fact::Items { task, attempt, count } => wire::Body::Items {
                task: name(task),
                attempt,
                keys: (0..count).map(|n| format!("k{n}")).collect(),
                items: Vec::new(),
            },
            Fact::Branch { task, attempt, case } => {
                wire::Body::Branch { task: name(task), attempt, case, label: case.to_string() }
            }
            Fact::Started { task, attempt } => wire::Body::Started {
                task: name(task),
                attempt,
                incarnation: kernel.incarnation(task),
                title: None,
                params: BTreeMap::new(),
                prepared: serde_json::Value::Null,
                key: String::new(),
            },
            Fact::GateClosed { task, attempt, gate } => {
                wire::Body::GateClosed { task: name(task), attempt, gate: name(gate), reason: String::new() }
            }
            Fact::Ended { task, attempt, how } => ended(name(task), attempt, how),
            Fact::Checked { task, probe, round, seen } => wire::Body::Checked {
                task: name(task),
                probe: self::probe(probe),
                round,
                grade: match seen {
                    Seen::Pass => wire::Grade::Pass,
                    Seen::Fail => wire::Grade::Fail,
                    Seen::Inconclusive => wire::Grade::Inconclusive,
                },
                message: String::new(),
                outputs: BTreeMap::new(),
                masked: Vec::new(),
            },
            Fact::Closed { task, attempt, ok } => wire::Body::Closed {
                task: name(task),
                attempt,
                outputs: BTreeMap::new(),
                masked: Vec::new(),
                failure: (!ok).then(|| failure("error")),
            },
            Fact::Fired { timer } => wire::Body::Fired {
                task: name(timer.task),
                timer: match timer.purpose {
                    TimerPurpose::Retry => wire::Timer::Retry,
                    TimerPurpose::Deadline => wire::Timer::Deadline,
                    TimerPurpose::Timeout => wire::Timer::Timeout,
                    TimerPurpose::Wait => wire::Timer::Wait,
                    TimerPurpose::Poll(p) => wire::Timer::Poll(probe(p)),
                    TimerPurpose::GiveUp(p) => wire::Timer::GiveUp(p.map(probe)),
                },
            },
            Fact::Answered { about, answer } => wire::Body::Answered {
                about: self.about(about, kernel),
                by: person(match answer {
                    Answer::Approve(who) | Answer::Reject(who) => who.0,
                    _ => 0,
                }),
                answer: match answer {
                    Answer::Approve(_) => wire::Answer::Approve,
                    Answer::Reject(_) => wire::Answer::Reject,
                    Answer::Complete | Answer::Done => wire::Answer::Done,
                    Answer::NotDone => wire::Answer::NotDone,
                    Answer::Undo => wire::Answer::Undo,
                    Answer::Keep => wire::Answer::Keep,
                    Answer::Retry => wire::Answer::Retry,
                    Answer::Skip => wire::Answer::Skip,
                    Answer::Fail => wire::Answer::Fail,
                },
                via: wire::Via::Command,
                comment: None,
            },
            Fact::CancelRequested => wire::Body::CancelRequested { by: person(1), reason: String::new() },
            Fact::Barred => wire::Body::LockAwaited {
                name: String::new(),
                holder: String::new(),
                reason: String::new(),
                since_wall_ms: 0,
                until_wall_ms: 0,
            },
            Fact::Admitted => wire::Body::LockTaken { name: String::new() },
            Fact::Refused => wire::Body::LockRefused {
                name: String::new(),
                holder: String::new(),
                reason: String::new(),
                since_wall_ms: 0,
                skip: false,
            },
            Fact::Paused => wire::Body::Paused { by: person(1) },
            Fact::Unpaused => wire::Body::Unpaused { by: person(1) },
            Fact::RollbackRequested { to } => {
                wire::Body::RollbackRequested { by: person(1), to: to.map(name) }
            }
            Fact::Finished => {
                use runbook_kernel::{Forward, Rollback};
                let status = kernel.status();
                wire::Body::Finished {
                    forward: match status.forward {
                        Forward::Running => "running",
                        Forward::Succeeded => "succeeded",
                        Forward::SucceededWithFailures => "succeeded_with_failures",
                        Forward::Failed => "failed",
                        Forward::Cancelled => "cancelled",
                        Forward::Refused => "locked",
                    }
                    .into(),
                    rollback: match status.rollback {
                        Rollback::None => "none",
                        Rollback::Running => "running",
                        Rollback::NothingToUndo => "nothing_to_undo",
                        Rollback::Complete => "complete",
                        Rollback::Partial => "partial",
                        Rollback::Incomplete => "incomplete",
                        Rollback::Declined => "declined",
                    }
                    .into(),
                    exit_code: 0,
                    no_outputs: BTreeMap::new(),
                    outputs: BTreeMap::new(),
                }
            }
        }
    }
}

fn ended(task: wire::Task, attempt: u32, how: Ended) -> wire::Body {
    let class = |class: FailureClass| match class {
        FailureClass::Timeout => "timeout",
        FailureClass::Connect => "connect",
        FailureClass::Lost => "lost",
        FailureClass::Check => "check",
        FailureClass::Inconclusive => "inconclusive",
        FailureClass::Invalid => "invalid",
        FailureClass::Cancelled => "cancelled",
        FailureClass::Exit(_) | FailureClass::Signal(_) | FailureClass::Http(_) | FailureClass::Error => {
            "error"
        }
    };
    let (result, failed, warning) = match how {
        Ended::Done { warning } => (wire::Result::Done, None, warning),
        Ended::Failed(c) => (wire::Result::Failed, Some(class(c)), false),
        Ended::NotDone(c) => (wire::Result::NotDone, Some(class(c)), false),
        Ended::Unknown(c) => (wire::Result::Unknown, Some(class(c)), false),
    };
    wire::Body::Ended {
        task,
        attempt,
        result,
        outputs: BTreeMap::new(),
        masked: Vec::new(),
        note: None,
        warning: warning.then(|| "warning".into()),
        failure: failed.map(failure),
        log: None,
    }
}

fn failure(class: &str) -> wire::Failure {
    wire::Failure { class: class.into(), message: class.into(), hint: None }
}

fn probe(probe: Probe) -> wire::Probe {
    match probe {
        Probe::Until => wire::Probe::Until,
        Probe::Verify => wire::Probe::Verify,
        Probe::NotDone => wire::Probe::NotDone,
        Probe::Guard(n) => wire::Probe::Guard(n),
    }
}

fn person(number: u32) -> wire::Person {
    wire::Person { name: format!("p{number}") }
}

fn batch(size: BatchSize) -> String {
    match size {
        BatchSize::Count(count) => count.to_string(),
        BatchSize::Percent(percent) => format!("{percent}%"),
        BatchSize::Rest => "rest".into(),
    }
}

fn policy_word(policy: RollbackPolicy) -> &'static str {
    match policy {
        RollbackPolicy::Auto => "auto",
        RollbackPolicy::Ask => "ask",
        RollbackPolicy::None => "none",
    }
}
