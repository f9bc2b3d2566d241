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
    /// It went through with a warning, and somebody is asked whether that matters.
    Warned,
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
        !matches!(self, Phase::Done | Phase::Failed | Phase::NotDone | Phase::Skipped | Phase::Cancelled)
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
    /// Of a group: how often it was begun anew.
    pub incarnation: u32,
    /// The incarnation that its attempts are of, as recorded.
    pub(super) of: Option<u32>,
    pub attempts: Vec<Attempt>,
    pub began: Option<Stamp>,
    pub ended: Option<Stamp>,
    /// Rendered parameters; of a question, what it shows.
    pub params: BTreeMap<String, Value>,
    /// Of a call: its inputs.
    pub inputs: BTreeMap<String, Value>,
    pub outputs: BTreeMap<String, Value>,
    /// Where in `outputs` a secret was hidden.
    pub masked: Vec<String>,
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
    /// A guard tripped: there is no other attempt.
    pub tripped: bool,
    /// Its `deadline` passed: there is no other attempt.
    pub expired: bool,
    /// Of a group: when it failed by what is its own, a `verify`, a guard, its time; its steps may go on for a while.
    pub(crate) failed: Option<Stamp>,
    /// An earlier attempt is in doubt, and the one after it was to settle that.
    pub(crate) unsettled: bool,
    /// How many attempts came before it was begun anew.
    pub(super) earlier: usize,
    /// How many since then do not count for `retry`: cut short by a take-over, or followed by one that a person wanted.
    pub(super) spared: u32,
    /// The last attempt was cut short when its process died.
    pub(super) lost: bool,
    /// `wait.for` is over, but for guards that nobody has looked at since.
    pub elapsed: bool,
    /// Since when a probe looks whether the effect is there.
    pub(super) probing: Option<(Probe, Stamp)>,
    /// What guards saw before does not count: nobody watched in between.
    pub(super) watched_from: u64,
    /// `wait.until`: nobody has looked since nobody watched; and its time is over but for such a look.
    pub(super) unseen: bool,
    pub(super) overdue: bool,
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
            of: None,
            attempts: Vec::new(),
            began: None,
            ended: None,
            params: BTreeMap::new(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            masked: Vec::new(),
            note: None,
            warning: None,
            failure: None,
            skipped: None,
            probes: Vec::new(),
            items: None,
            branch: None,
            gate: None,
            closed: false,
            tripped: false,
            expired: false,
            failed: None,
            unsettled: false,
            lost: false,
            earlier: 0,
            spared: 0,
            elapsed: false,
            probing: None,
            watched_from: 0,
            unseen: false,
            overdue: false,
            kept: false,
            progress: None,
        }
    }

    /// Which attempt this is, since it was begun anew; 0 before the first. (Recorded numbers go on.)
    pub fn attempt(&self) -> u32 {
        (self.attempts.len() - self.earlier) as u32
    }

    /// How many attempts count for `retry`.
    pub(super) fn tries(&self) -> u32 {
        self.attempt().saturating_sub(self.spared)
    }

    /// What held before must hold for its time again.
    pub(super) fn looks_anew(&mut self) {
        self.probes.iter_mut().filter(|p| p.probe == Probe::Until).for_each(|p| p.row = 0);
    }

    /// It is to be tried again though it had ended.
    pub(super) fn revive(&mut self) {
        if self.phase != Phase::Running {
            self.phase = Phase::Waiting;
            self.ended = None;
        }
        (self.failure, self.warning, self.failed) = (None, None, None);
        (self.unseen, self.overdue) = (false, false);
        (self.tripped, self.expired, self.unsettled, self.lost, self.elapsed) =
            (false, false, false, false, false);
        (self.earlier, self.spared) = (self.attempts.len(), 0);
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
        self.ended = (!phase.is_open()).then_some(at);
        self.progress = None;
    }

    pub(super) fn attempt_ended(&mut self, number: u32, result: Result, failure: Option<Failure>, at: Stamp) {
        match self.attempts.last_mut().filter(|a| a.number == number && a.result.is_none()) {
            Some(attempt) => {
                (attempt.ended, attempt.result, attempt.failure) = (Some(at), Some(result), failure)
            }
            None => {
                let (ended, result) = (Some(at), Some(result));
                self.attempts.push(Attempt { number, began: None, ended, result, failure });
            }
        }
        self.began.get_or_insert(at);
    }

    /// Whether each of so many guards was seen since somebody watches.
    pub(super) fn guards_seen(&self, count: usize) -> bool {
        let from = self.watched_from.max(self.began.map_or(0, |b| b.seq));
        (0..count as u32).all(|n| self.probe(Probe::Guard(n)).is_some_and(|p| p.last.at.seq >= from))
    }

    pub(super) fn saw(&mut self, probe: Probe, grade: Grade, message: &str, at: Stamp) {
        let sample = Sample { grade, message: message.to_owned(), at };
        match self.probes.iter_mut().find(|p| p.probe == probe) {
            Some(state) => {
                if state.last.grade == grade && state.row > 0 {
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
