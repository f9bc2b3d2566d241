//! The state machine of a run: events in, commands out.
//!
//! What this crate deliberately does not know: expressions, values, files, processes, clocks,
//! randomness (but for the seed that the journal holds), serialisation, people's names, and every
//! other crate of the workspace. Time comes in with each event as milliseconds of run-elapsed time.
//!
//! Events are facts and are journaled; commands are derived and never are. So resume *is* replay:
//! [`Kernel::replay`] over the recorded events gives the live state, and [`Kernel::outstanding`]
//! says which commands have to be issued again.

mod attempt;
mod chart;
mod command;
mod doubt;
mod each;
mod each_undo;
mod event;
mod finish;
mod frame;
mod group;
mod guard;
mod human;
mod kernel;
mod ledger;
mod probe;
mod program;
mod query;
mod retry;
mod reversal;
mod revive;
mod rollback;
mod scope;
mod table;
mod task;
mod wellformed;

pub use command::{About, Command, Probe, Timer, TimerPurpose};
pub use event::{Answer, Ended, Event, Fact, FailureClass, PersonId, Seen};
pub use finish::{Forward, Phase, Rollback, Status};
pub use kernel::Kernel;
pub use program::{
    AfterPivot, Batch, BatchSize, Each, EachUndo, Effect, Frame, FrameRole, Guard, Human, InDoubt, Kind, Ms,
    Node, NodeId, OnFailure, OnWarning, Poll, Program, Retry, RetryOnly, RollbackPolicy, Scope, ScopeId,
    ScopeRole, TaskId, Undo, Verify,
};
pub use query::{Blocked, TaskState, TaskView, UndoState};
pub use reversal::Refusal;
pub use task::Cause;

/// The version of what a program and its events mean. A journal written by another one is refused.
pub const SEMANTICS: u32 = 1;
