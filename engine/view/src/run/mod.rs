//! The state of a run: a fold over its records.
//!
//! [`Run`] keeps what the records say, node by node. What follows from it (how a group stands, what was undone, what
//! never started) is derived when somebody looks: see [`crate::Tree`].

mod apply;
mod attempt;
mod guard;
mod outline;
mod question;
mod task;

use std::collections::{BTreeMap, BTreeSet};

use runbook_wire::{Outline, Person, Task};
use serde_json::Value;

use crate::Stamp;

pub use outline::Shape;
pub(crate) use question::subject;
pub use question::{Given, Question};
pub use task::{Attempt, Item, Key, Phase, ProbeState, Sample, TaskState};

/// A run, as far as its records tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub outline: Outline,
    pub shape: Shape,
    /// What `RunCreated` said; `None` before it.
    pub created: Option<Created>,
    /// The first and the last record.
    pub first: Option<Stamp>,
    pub last: Option<Stamp>,
    pub executor: Executor,
    /// How often a process took the run over after the first.
    pub resumes: u32,
    pub locks: Vec<Lock>,
    /// A lock that another run holds: this one waits for it, or was ended by that.
    pub lock_held: Option<LockHeld>,
    pub tasks: BTreeMap<Key, TaskState>,
    /// Steps that wait because a program was changed. Not recorded: who executes the run says so.
    pub held: BTreeMap<Key, Held>,
    /// Frames that a `for_each` opened: which, and the item's index; `None` between two batches.
    pub frames: BTreeMap<u32, (Key, Option<usize>)>,
    /// Each `for_each` whose items are known, by its path: which, and the index of each item's key.
    places: BTreeMap<String, (Key, BTreeMap<String, usize>)>,
    /// Waits that are over but for a look of their guards.
    overtime: BTreeSet<Key>,
    /// Every question that was put, in order; see [`crate::Tree::open_questions`].
    pub questions: Vec<Question>,
    /// Every answer, in order.
    pub answers: Vec<Given>,
    pub cancel: Option<(Person, String, Stamp)>,
    pub paused: Option<(Person, Stamp)>,
    /// Run-elapsed times, from and to, in which no process executed it.
    pub gaps: Vec<(u64, u64)>,
    /// Somebody asked for a rollback: who, down to which step, when.
    pub rollback_requested: Option<(Person, Option<Task>, Stamp)>,
    /// The first record of an undo, that of a tolerated item's failure included.
    pub rollback_began: Option<Stamp>,
    /// Set by the last event; taken back when somebody asks for a rollback afterwards.
    pub finished: Option<Finished>,
    /// How it went forward, kept while a later rollback goes on.
    pub forward: Option<String>,
    /// Records of kinds that this version does not know.
    pub unknown: u64,
}

/// What the first record says.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    pub run: String,
    pub runbook: String,
    pub file: String,
    pub plan: String,
    pub environment: Option<String>,
    pub inputs: BTreeMap<String, Value>,
    /// How it was asked for, as options of `exec`: inputs that were given, what else is not as usual.
    pub options: Vec<String>,
    pub requester: Person,
    pub semantics: u32,
    pub version: String,
    pub unattended: bool,
    pub at: Stamp,
}

/// Who executes the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Executor {
    /// Nobody yet.
    None,
    Running {
        pid: u32,
        host: String,
        since: Stamp,
    },
    Stopped {
        reason: String,
        at: Stamp,
    },
}

/// A named lock that the run took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    pub name: String,
    pub taken: Stamp,
    pub released: Option<Stamp>,
}

/// A named lock that another run holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHeld {
    pub name: String,
    /// Id of the run that holds it, and why it does.
    pub holder: String,
    pub reason: String,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// When this run stops waiting for it; `None` once it waits no more.
    pub until_ms: Option<u64>,
    pub at: Stamp,
}

/// A step that waits because one of its programs is not what was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which, and what it is now.
    pub why: String,
    /// By what somebody may say that the change is meant; `None` where that cannot be said.
    pub digest: Option<String>,
}

impl LockHeld {
    /// `lock deploy/shop is held by run k7f3q (golive by ana)`.
    pub fn words(&self) -> String {
        format!("lock {} is held by run {} ({})", self.name, self.holder, self.reason)
    }

    /// The same, with whether its run is under way at the reader's moment.
    pub fn words_at(&self, now: crate::Now) -> String {
        let left = now.holder.map_or_else(String::new, |standing| format!(", {}", standing.words()));
        format!("{}{left}", self.words())
    }
}

/// What the last record says.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    pub forward: String,
    pub rollback: String,
    pub exit_code: i32,
    pub outputs: BTreeMap<String, Value>,
    /// Outputs that could not be computed, and why.
    pub no_outputs: BTreeMap<String, String>,
    pub at: Stamp,
}

impl Run {
    /// A run of this plan, before its first record.
    pub fn new(outline: Outline) -> Run {
        let shape = Shape::of(&outline);
        Run {
            outline,
            shape,
            created: None,
            first: None,
            last: None,
            executor: Executor::None,
            resumes: 0,
            locks: Vec::new(),
            lock_held: None,
            tasks: BTreeMap::new(),
            held: BTreeMap::new(),
            frames: BTreeMap::new(),
            places: BTreeMap::new(),
            overtime: BTreeSet::new(),
            questions: Vec::new(),
            answers: Vec::new(),
            cancel: None,
            paused: None,
            gaps: Vec::new(),
            rollback_requested: None,
            rollback_began: None,
            finished: None,
            forward: None,
            unknown: 0,
        }
    }

    /// A run from all its records.
    pub fn replay<'a>(outline: Outline, records: impl IntoIterator<Item = &'a runbook_wire::Record>) -> Run {
        let mut run = Run::new(outline);
        for record in records {
            run.apply(record);
        }
        run
    }

    /// The run's id; empty before the first record.
    pub fn id(&self) -> &str {
        self.created.as_ref().map_or("", |c| &c.run)
    }

    /// The runbook's name.
    pub fn name(&self) -> &str {
        self.created.as_ref().map_or(&self.outline.name, |c| &c.runbook)
    }

    /// Run-elapsed time at the reader's moment, in milliseconds; that of the last record once it is finished.
    pub fn elapsed_ms(&self, now: crate::Now) -> u64 {
        let Some(last) = self.last else { return 0 };
        if self.finished.is_some() {
            return last.elapsed_ms;
        }
        last.elapsed_ms + now.wall_ms.saturating_sub(last.wall_ms)
    }

    /// Whether the run is neither finished nor executed by anybody.
    pub fn interrupted(&self, now: crate::Now) -> bool {
        self.finished.is_none()
            && match (&self.executor, now.executor_alive) {
                (Executor::Stopped { .. }, None) => true,
                (_, Some(alive)) => !alive,
                (_, None) => false,
            }
    }

    /// What a step says that it is doing now; not recorded, lost with the process.
    pub fn progress(&mut self, task: &runbook_wire::Task, text: &str) {
        if let Some(state) = self.tasks.get_mut(&Key::of(task)) {
            state.progress = Some(text.to_owned());
        }
    }

    /// A step waits for its program; so it does until something is recorded of it, or of what the program may be.
    pub fn hold(&mut self, task: &runbook_wire::Task, held: Held) {
        self.held.insert(Key::of(task), held);
    }

    /// The task's state; `None` before its first record.
    pub fn task(&self, key: Key) -> Option<&TaskState> {
        self.tasks.get(&key)
    }
}
