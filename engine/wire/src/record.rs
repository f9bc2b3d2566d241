//! Events as they are stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// 1 for the run's first event; without gaps.
    pub seq: u64,
    /// Wall time, milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Run-elapsed time, milliseconds.
    pub elapsed_ms: u64,
    /// Which executor wrote it; rises by one with each take-over.
    pub epoch: u32,
    #[serde(flatten)]
    pub body: Body,
}

/// A node at run time. `frame` and `node` are the kernel's ids, `path` is for people: `broker[kafka4].joined`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Task {
    pub frame: u32,
    pub node: u32,
    pub path: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// The first event.
    RunCreated {
        run: String,
        runbook: String,
        /// Path of the runbook as it was given.
        file: String,
        /// Digest of the plan: resolved runbook, environment and every file it names.
        plan: String,
        environment: Option<String>,
        /// Inputs as given and defaulted; secrets by reference.
        inputs: BTreeMap<String, Value>,
        requester: Person,
        /// Feeds jitter.
        seed: u64,
        /// The kernel semantics that wrote this run.
        semantics: u32,
        version: String,
        #[serde(default)]
        unattended: bool,
        /// The folder that the plan's paths are relative to, absolute.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        root: String,
        /// What was to be planned, as the planner takes it: with the stored files it gives the same plan again.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        request: Value,
        /// At most this many steps at once, where the command line said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_parallel: Option<u32>,
        /// The answers file of the command line, as it was read: whoever goes on with the run answers the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<String>,
        /// That file's path, as it was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers_file: Option<String>,
    },
    /// A process took the run (the first one too). `gap_ms`: elapsed time that no executor watched.
    ExecutorStarted {
        pid: u32,
        host: String,
        resumed: bool,
        gap_ms: u64,
    },
    /// The process stops with the run unfinished: a signal, `stop here`, or waiting for a person.
    ExecutorStopped {
        reason: String,
    },
    /// Another run holds a named lock, and nothing starts before it is free.
    LockAwaited {
        name: String,
        /// Id of the run that holds it, why it does, and since when.
        holder: String,
        reason: String,
        since_wall_ms: u64,
        /// When this run gives up.
        until_wall_ms: u64,
    },
    /// Another run holds a named lock: the run ends, and nothing of it has started.
    LockRefused {
        name: String,
        /// Id of the run that holds it, why it does, and since when.
        holder: String,
        reason: String,
        since_wall_ms: u64,
        /// `if_held: skip`: that is as it should be.
        skip: bool,
    },
    LockTaken {
        name: String,
    },
    LockReleased {
        name: String,
    },
    Skipped {
        task: Task,
        attempt: u32,
        reason: String,
    },
    /// A group began; of a call, with the inputs it was called with.
    Entered {
        task: Task,
        attempt: u32,
        /// `name:` rendered, where it has expressions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        inputs: BTreeMap<String, Value>,
    },
    /// The items of a `for_each`, evaluated once.
    Items {
        task: Task,
        attempt: u32,
        keys: Vec<String>,
        items: Vec<Value>,
    },
    Branch {
        task: Task,
        attempt: u32,
        case: u32,
        label: String,
    },
    /// The intent: on disk before a write starts.
    Started {
        task: Task,
        attempt: u32,
        #[serde(default)]
        incarnation: u32,
        /// `name:` rendered, where it has expressions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Rendered parameters; of a human node, what it shows.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        params: BTreeMap<String, Value>,
        #[serde(default, skip_serializing_if = "Value::is_null")]
        prepared: Value,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        key: String,
    },
    /// A process group of this attempt.
    Spawned {
        task: Task,
        attempt: u32,
        pid: u32,
        /// Of its leader, in the system's own count; 0 where that cannot be read.
        start_time: u64,
        /// Its session: with it the group is known again when its leader has gone.
        #[serde(default)]
        session: u32,
    },
    Ended {
        task: Task,
        attempt: u32,
        result: Result,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
        /// Where in `outputs` a secret was hidden: `colour`, `json.items[3].token`. No expression reads what stands there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        masked: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// What it said, in a file beside the journal; nothing, if it said nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<Log>,
    },
    GateClosed {
        task: Task,
        attempt: u32,
        gate: Task,
        reason: String,
    },
    Checked {
        task: Task,
        probe: Probe,
        round: u32,
        grade: Grade,
        message: String,
        /// Of a `verify` that found the effect: what the step would have returned, as far as that can be known.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
        /// As of `Ended`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        masked: Vec<String>,
    },
    Closed {
        task: Task,
        attempt: u32,
        outputs: BTreeMap<String, Value>,
        /// As of `Ended`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        masked: Vec<String>,
        failure: Option<Failure>,
    },
    Fired {
        task: Task,
        timer: Timer,
    },
    /// A question was put (informational: derived from the state, kept so that a reader sees since when it waits).
    Asked {
        about: About,
        question: String,
        #[serde(default)]
        show: BTreeMap<String, Value>,
        deadline_wall_ms: Option<u64>,
    },
    Answered {
        about: About,
        answer: Answer,
        by: Person,
        via: Via,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    CancelRequested {
        by: Person,
        reason: String,
    },
    Paused {
        by: Person,
    },
    Unpaused {
        by: Person,
    },
    /// A program that the plan pinned was changed, and somebody said that this is meant.
    ProgramAccepted {
        /// From the root of the project.
        path: String,
        /// BLAKE3, hexadecimal, of what it is now.
        digest: String,
        by: Person,
    },
    RollbackRequested {
        by: Person,
        to: Option<Task>,
    },
    /// The last event of a run, until somebody asks for a rollback.
    Finished {
        /// `succeeded`, `succeeded_with_failures`, `failed`, `cancelled`; `locked` or `skipped` where a named lock was
        /// held by another run.
        forward: String,
        /// `none`, `nothing_to_undo`, `complete`, `partial`, `incomplete`, `declined`.
        rollback: String,
        exit_code: i32,
        outputs: BTreeMap<String, Value>,
        /// Outputs that could not be computed, null among `outputs`, and why.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        no_outputs: BTreeMap<String, String>,
    },
}

impl Body {
    /// The `type` of every event that this version knows.
    pub const TYPES: &[&str] = &[
        "run_created",
        "executor_started",
        "executor_stopped",
        "lock_awaited",
        "lock_refused",
        "lock_taken",
        "lock_released",
        "skipped",
        "entered",
        "items",
        "branch",
        "started",
        "spawned",
        "ended",
        "gate_closed",
        "checked",
        "closed",
        "fired",
        "asked",
        "answered",
        "cancel_requested",
        "paused",
        "unpaused",
        "program_accepted",
        "rollback_requested",
        "finished",
    ];

    /// The `type` of this event.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::RunCreated { .. } => "run_created",
            Body::ExecutorStarted { .. } => "executor_started",
            Body::ExecutorStopped { .. } => "executor_stopped",
            Body::LockAwaited { .. } => "lock_awaited",
            Body::LockRefused { .. } => "lock_refused",
            Body::LockTaken { .. } => "lock_taken",
            Body::LockReleased { .. } => "lock_released",
            Body::Skipped { .. } => "skipped",
            Body::Entered { .. } => "entered",
            Body::Items { .. } => "items",
            Body::Branch { .. } => "branch",
            Body::Started { .. } => "started",
            Body::Spawned { .. } => "spawned",
            Body::Ended { .. } => "ended",
            Body::GateClosed { .. } => "gate_closed",
            Body::Checked { .. } => "checked",
            Body::Closed { .. } => "closed",
            Body::Fired { .. } => "fired",
            Body::Asked { .. } => "asked",
            Body::Answered { .. } => "answered",
            Body::CancelRequested { .. } => "cancel_requested",
            Body::Paused { .. } => "paused",
            Body::Unpaused { .. } => "unpaused",
            Body::ProgramAccepted { .. } => "program_accepted",
            Body::RollbackRequested { .. } => "rollback_requested",
            Body::Finished { .. } => "finished",
        }
    }
}

/// A person, as the operating system knows them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    pub name: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    Done,
    Failed,
    NotDone,
    Unknown,
}

/// Why it failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// `timeout`, `exit:3`, `signal:9`, `connect`, `lost`, `http:503`, `check`, `inconclusive`, `invalid`, `cancelled`, `error`.
    pub class: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The text log of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    pub bytes: u64,
    /// Hex of BLAKE3 over the file's content.
    pub blake3: String,
}

/// A probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    Until,
    Verify,
    NotDone,
    Guard(u32),
}

/// What a probe saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    Pass,
    Fail,
    Inconclusive,
}

/// A timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    Retry,
    Deadline,
    /// `timeout` of a group.
    Timeout,
    Wait,
    Poll(Probe),
    GiveUp(Option<Probe>),
}

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", content = "task", rename_all = "snake_case")]
pub enum About {
    Human(Task),
    InDoubt(Task),
    Warning(Task),
    Rollback(Option<Task>),
    AfterPivot,
    Drift(Task),
}

/// An answer, with what came along.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Approve,
    Reject,
    /// A prompt's answer.
    Value {
        value: Value,
    },
    /// One checklist item.
    Item {
        item: String,
        done: bool,
        evidence: Option<String>,
    },
    Done,
    NotDone,
    Undo,
    Keep,
    Retry,
    Skip,
    Fail,
}

/// How an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Asked on the executor's own terminal.
    Terminal,
    /// Another command (`approve`, `reject`, `answer`).
    Command,
    /// An answers file; marked as such wherever it is shown.
    AnswersFile,
}
