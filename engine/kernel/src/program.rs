//! What the kernel executes: ids, edges and policies. No expressions, no values.
//!
//! The plan lowers a runbook into this. Everything that runs is a node in a scope; a scope is a
//! set of sibling nodes and the edges between them. The body of a group, the cases of a switch,
//! the steps of a rollback, `finally`, `on_failure.first` are all scopes, run by the same code.

/// Milliseconds: of run-elapsed time, or a length of time.
pub type Ms = u64;

/// A node of the program; an index into [`Program::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A scope of the program; an index into [`Program::scopes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ScopeId(pub u32);

/// A node at run time. Frame 0 is the run itself; each item of a `for_each` (and each `between`) opens a frame of its
/// own, numbered in the order of opening, which replay reproduces. A node inside an item's body lives in the item's
/// frame; so do the undo scopes that belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    pub frame: u32,
    pub node: NodeId,
}

/// A frame, as [`crate::Kernel::frame`] describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The `for_each` task that opened it; `None` for frame 0.
    pub parent: Option<TaskId>,
    pub role: FrameRole,
}

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameRole {
    Run,
    /// An item of a `for_each`, by its index among the recorded items.
    Item(u32),
    /// The checks between two batches; the index of the batch that went before.
    Between(u32),
}

/// A whole program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    pub nodes: Vec<Node>,
    pub scopes: Vec<Scope>,
    /// The runbook's steps.
    pub root: ScopeId,
    /// The runbook's `finally`.
    pub finally: Option<ScopeId>,
    /// The runbook's `on_failure`.
    pub on_failure: OnFailure,
    /// The runbook's `revert`, for a run that succeeded.
    pub revert: Option<ScopeId>,
    /// How many tasks may be in prepare or in an attempt at once; human nodes do not count.
    pub max_parallel: u32,
}

/// Sibling nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// The node it belongs to; `None` for the runbook's own scopes.
    pub owner: Option<NodeId>,
    pub role: ScopeRole,
    /// In the order of the file.
    pub nodes: Vec<NodeId>,
}

/// What a scope is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeRole {
    /// Steps that run forward: the root, a group, a case, an item's body.
    Body,
    /// Brings the owner's effect back; first its `require` probes (read nodes), then the undo.
    Undo,
    /// Runs once at the end, whatever happened.
    Finally,
    /// `on_failure.first`: runs once before a rollback.
    First,
    /// `on_failure.after_pivot: steps`.
    AfterPivot,
    /// Runs between two batches of a `for_each`.
    Between,
    /// The runbook's `revert`.
    Revert,
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub scope: ScopeId,
    pub kind: Kind,
    /// Siblings that must be satisfied first (already reduced: no edge that others imply).
    pub needs: Vec<NodeId>,
    pub effect: Effect,
    pub retry: Retry,
    /// For all attempts together, from the first prepare.
    pub deadline: Option<Ms>,
    /// Of a group, a switch: how long one incarnation may take. (An attempt's time is kept by whoever performs it.)
    pub timeout: Option<Ms>,
    pub verify: Option<Verify>,
    /// The plan makes it `retry` where running it twice is the same as running it once and the file says nothing.
    pub on_in_doubt: InDoubt,
    pub on_warning: OnWarning,
    /// Of a check that could not see what it looks for, and is not tried again.
    pub on_inconclusive: OnWarning,
    /// For notify: a failure fails the run. (Others: always true.)
    pub required: bool,
    pub continue_on_error: bool,
    pub pivot: bool,
    pub undo: Undo,
    pub guards: Vec<Guard>,
    /// The human and window nodes that bind this write; checked by the runtime around `Started`.
    pub gates: Vec<NodeId>,
    /// The runtime has something to compute when a group, case, call or `for_each` ends (declared outputs): the kernel
    /// issues [`crate::Command::Close`] and waits for [`crate::Fact::Closed`].
    pub closes: bool,
}

/// Kinds of node.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A step type, or its undo (inside an undo scope): attempts.
    Action,
    /// `wait: {for}`.
    WaitFor(Ms),
    /// `wait: {until}`: [`crate::Probe::Until`] is polled.
    WaitUntil(Poll),
    /// approval, checklist, prompt, window: waits for answers, holds no worker and waits for none.
    Human(Human),
    /// A group, or a called runbook.
    Group { body: ScopeId, on_failure: Option<OnFailure>, finally: Option<ScopeId> },
    /// `switch`: the runtime says which case.
    Switch { cases: Vec<ScopeId> },
    /// `for_each`: the runtime says how many items.
    Each(Each),
}

/// How often a probe is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poll {
    pub every: Ms,
    /// It must have passed for this long without a break.
    pub hold: Ms,
    /// Give up after this long.
    pub timeout: Ms,
}

/// Whom a human node waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Human {
    /// How many distinct people must approve; 1 for checklist, prompt and window (which end with [`crate::Answer::Complete`]).
    pub count: u32,
    /// The person who started the run ([`crate::PersonId`] 0) does not count.
    pub exclude_requester: bool,
    /// Give up after this long.
    pub timeout: Option<Ms>,
}

/// A `for_each`.
#[derive(Debug, Clone, PartialEq)]
pub struct Each {
    pub body: ScopeId,
    /// Used when there are no `batches`: one batch of everything.
    pub max_parallel: u32,
    /// Tolerated failures in all; one more and no new item starts.
    pub max_failures: u32,
    pub batches: Vec<Batch>,
    pub between: Option<ScopeId>,
    pub undo: EachUndo,
}

/// One batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    pub size: BatchSize,
    pub max_parallel: u32,
    /// Tolerated failures in this batch.
    pub max_failures: u32,
}

/// The size of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    Count(u32),
    /// Of all items, rounded up, at least one.
    Percent(u32),
    Rest,
}

/// Which items a failed `for_each` undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EachUndo {
    All,
    Batch,
    Failed,
}

/// What an attempt does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Pure,
    Read,
    Write,
    Notify,
}

/// `retry`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// 1: no retry.
    pub max_attempts: u32,
    pub delay: Ms,
    /// The delay's factor per attempt, in thousandths: 2000 doubles.
    pub backoff_milli: u32,
    /// The most that backing off comes to, before jitter; 0: no limit.
    pub max_delay: Ms,
    /// Up to this share of the delay is added, in thousandths, from the journaled seed.
    pub jitter_milli: u32,
    /// Empty: any failure. A cancelled attempt, a rejection and a question that nobody answered are never tried again.
    pub only: Vec<RetryOnly>,
}

/// A pattern over failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOnly {
    Timeout,
    /// `exit` or `exit:75`.
    Exit(Option<i32>),
    Signal(Option<i32>),
    Connect,
    Lost,
    /// `http`, `http:503`.
    Http(Option<u16>),
    /// `http:5xx`.
    HttpClass(u8),
    Check,
    Inconclusive,
    Error,
}

/// `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verify {
    pub every: Ms,
    pub within: Ms,
    /// A mismatch that lasts for `within` proves that nothing happened.
    pub proves_absence: bool,
    /// There is a second probe, [`crate::Probe::NotDone`].
    pub not_done: bool,
    /// Also run after a `done` (a verify that the file asks for; of a group the only kind, once all inside is done); otherwise on doubt only (the type's own).
    pub after_done: bool,
}

/// `on_in_doubt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InDoubt {
    Ask,
    Retry,
    Compensate,
}

/// `on_warning`, `on_inconclusive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnWarning {
    Continue,
    Ask,
    Fail,
}

/// How a node's effect is brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// Nothing to undo (pure, read, notify, waits), or of a group: its children's undos.
    Nothing,
    /// A scope of [`ScopeRole::Undo`]; of a group, instead of its children's.
    Scope(ScopeId),
    /// `rollback: none` with a reason: left as it is, which the author says is well.
    Left,
    /// There is none: `irreversible`, or nothing said. Left as it is too, and then a rollback is [`crate::Rollback::Partial`].
    Missing,
}

/// `guard`: [`crate::Probe::Guard`] is polled beside the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    pub every: Ms,
    /// This many in a row that did not pass trip it.
    pub failures: u32,
}

/// `on_failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnFailure {
    pub rollback: RollbackPolicy,
    pub first: Option<ScopeId>,
    pub after_pivot: AfterPivot,
}

impl Default for OnFailure {
    fn default() -> Self {
        OnFailure { rollback: RollbackPolicy::Auto, first: None, after_pivot: AfterPivot::Ask }
    }
}

/// `on_failure.rollback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackPolicy {
    Auto,
    Ask,
    None,
}

impl AfterPivot {
    pub(crate) fn steps(self) -> Option<ScopeId> {
        match self {
            AfterPivot::Steps(scope) => Some(scope),
            AfterPivot::Ask | AfterPivot::None => None,
        }
    }
}

/// `on_failure.after_pivot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterPivot {
    Ask,
    None,
    Steps(ScopeId),
}
