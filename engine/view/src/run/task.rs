//! What the records say about one task.

use std::collections::BTreeMap;

use runbook_wire::{Failure, Grade, Probe, Result, Task};
use serde_json::Value;

use crate::Stamp;

/// A node in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub frame: u32,
    pub node: u32,
}

impl Key {
    /// The key of a recorded task.
    pub fn of(task: &Task) -> Key {
        Key { frame: task.frame, node: task.node }
    }
}

/// Where a task is, by its own records alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No record but perhaps a closed gate.
    Waiting,
    /// It began: an attempt runs, a group is open, a question stands.
    Running,
    /// An attempt failed and its retry policy has another.
    Retrying,
    /// The attempt is done, its `verify` has not passed yet.
    Verifying,
    /// Nobody knows whether the effect is there.
    InDoubt,
    Done,
    Failed,
    /// Failed, provably without effect.
    NotDone,
    Skipped,
    Cancelled,
}

impl Phase {
    /// Whether more is to come by itself.
    pub fn is_open(self) -> bool {
        matches!(self, Phase::Waiting | Phase::Running | Phase::Retrying | Phase::Verifying | Phase::InDoubt)
    }
}

/// A task's records, folded.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskState {
    /// For people: `broker[kafka4].joined`.
    pub path: String,
    /// Its `name:`, rendered; `None` where that has no expressions.
    pub title: Option<String>,
    pub phase: Phase,
    /// How often its group was begun anew.
    pub incarnation: u32,
    pub attempts: Vec<Attempt>,
    pub began: Option<Stamp>,
    pub ended: Option<Stamp>,
    /// Rendered parameters; of a question, what it shows.
    pub params: BTreeMap<String, Value>,
    /// Of a call: its inputs.
    pub inputs: BTreeMap<String, Value>,
    pub outputs: BTreeMap<String, Value>,
    pub note: Option<String>,
    pub warning: Option<String>,
    pub failure: Option<Failure>,
    pub skipped: Option<String>,
    pub probes: Vec<ProbeState>,
    /// Items of a `for_each`; `None` before they are known.
    pub items: Option<Vec<Item>>,
    /// The case that a switch took.
    pub branch: Option<(u32, String)>,
    /// The gate that was found closed, and why; until it starts.
    pub gate: Option<(Key, String)>,
    /// `Closed` was recorded.
    pub closed: bool,
    /// Somebody decided to leave its effect as it is.
    pub kept: bool,
    /// What it says that it is doing; not recorded.
    pub progress: Option<String>,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// As recorded: never used twice for a task.
    pub number: u32,
    /// `None`: it ended before anything started (it could not be rendered or prepared).
    pub began: Option<Stamp>,
    pub ended: Option<Stamp>,
    pub result: Option<Result>,
    pub failure: Option<Failure>,
}

/// An item of a `for_each`.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub key: String,
    pub value: Value,
    /// The frame that it runs in; `None` before it starts.
    pub frame: Option<u32>,
}

/// What a probe saw so far.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeState {
    pub probe: Probe,
    pub rounds: u32,
    pub first: Sample,
    pub last: Sample,
    /// When the current row of equal grades began, and how long it is.
    pub since: Stamp,
    pub row: u32,
    /// How many in a row did not pass: failed or inconclusive.
    pub unpassed: u32,
}

/// One look.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub grade: Grade,
    pub message: String,
    pub at: Stamp,
}

impl TaskState {
    pub(super) fn new(path: &str) -> TaskState {
        TaskState {
            path: path.to_owned(),
            title: None,
            phase: Phase::Waiting,
            incarnation: 0,
            attempts: Vec::new(),
            began: None,
            ended: None,
            params: BTreeMap::new(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            note: None,
            warning: None,
            failure: None,
            skipped: None,
            probes: Vec::new(),
            items: None,
            branch: None,
            gate: None,
            closed: false,
            kept: false,
            progress: None,
        }
    }

    /// Which attempt this is, in this incarnation; 0 before the first. (Recorded numbers go on across incarnations.)
    pub fn attempt(&self) -> u32 {
        self.attempts.len() as u32
    }

    /// Whether an attempt started that is not known to have had no effect.
    pub fn touched(&self) -> bool {
        self.attempts.iter().any(|a| a.began.is_some() && a.result != Some(Result::NotDone))
    }

    /// The state of one probe.
    pub fn probe(&self, probe: Probe) -> Option<&ProbeState> {
        self.probes.iter().find(|p| p.probe == probe)
    }

    /// The probe that was looked at last.
    pub fn latest_probe(&self) -> Option<&ProbeState> {
        self.probes.iter().max_by_key(|p| p.last.at.seq)
    }

    pub(super) fn settle(&mut self, phase: Phase, at: Stamp) {
        self.phase = phase;
        self.ended = Some(at);
        self.progress = None;
    }

    pub(super) fn fail(&mut self, class: &str, message: String, at: Stamp) {
        self.failure.get_or_insert(Failure { class: class.to_owned(), message, hint: None });
        self.settle(Phase::Failed, at);
    }

    pub(super) fn saw(&mut self, probe: Probe, grade: Grade, message: &str, at: Stamp) {
        let sample = Sample { grade, message: message.to_owned(), at };
        match self.probes.iter_mut().find(|p| p.probe == probe) {
            Some(state) => {
                if state.last.grade == grade {
                    state.row += 1;
                } else {
                    (state.since, state.row) = (at, 1);
                }
                state.rounds += 1;
                state.unpassed = if grade == Grade::Pass { 0 } else { state.unpassed + 1 };
                state.last = sample;
            }
            None => {
                let (first, last) = (sample.clone(), sample);
                let unpassed = u32::from(grade != Grade::Pass);
                self.probes.push(ProbeState { probe, rounds: 1, first, last, since: at, row: 1, unpassed });
            }
        }
    }
}
