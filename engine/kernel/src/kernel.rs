//! The kernel: takes an event, hands it to whom it concerns, and goes on until nothing more follows from it.
//!
//! Nothing here calls itself: what follows from what is put on an agenda and taken off in order, so that a deeply
//! nested program cannot overflow the stack, and an event costs what it touches.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::attempt::Outcome;
use crate::chart::Chart;
use crate::finish::Run;
use crate::frame::{FrameIx, FrameRun};
use crate::ledger::Ledger;
use crate::program::{FrameRole, Kind, Ms, Program, TaskId};
use crate::scope::{ScopeIx, ScopeRun};
use crate::table::Table;
use crate::task::{State, Task, TaskIx};
use crate::{Command, Event, Fact};

/// The run itself, as a task: the outermost group.
pub(crate) const RUN: TaskIx = TaskIx(0);

/// The state of a run. Equal kernels behave equally from here on.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    pub(crate) chart: Arc<Chart>,
    pub(crate) now: Ms,
    pub(crate) frames: Table<FrameIx, FrameRun>,
    /// The places of all frames, one after the other; each holds the number of a task or a scope.
    pub(crate) slots: Vec<u32>,
    pub(crate) tasks: Table<TaskIx, Task>,
    pub(crate) scopes: Table<ScopeIx, ScopeRun>,
    pub(crate) ledger: Ledger,
    /// Tasks that wait for a slot; some may have been cut off since.
    pub(crate) ready: VecDeque<TaskIx>,
    /// The same of human nodes, which take none.
    pub(crate) people: VecDeque<TaskIx>,
    pub(crate) agenda: VecDeque<Turn>,
    pub(crate) run: Run,
}

/// Something that follows from what has just happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Turn {
    /// All tasks of a scope have ended.
    Over(ScopeIx),
    /// The undo of a task may start.
    Undo(TaskIx),
    /// All undos of a scope are resolved.
    Unwound(ScopeIx),
}

impl Kernel {
    /// A run that has not begun: it does so at [`Fact::Began`].
    ///
    /// The program is taken to be without [`Program::faults`]; a debug build checks that.
    pub fn new(program: impl Into<Arc<Program>>) -> Kernel {
        let program = Arc::unwrap_or_clone(program.into());
        debug_assert_eq!(program.faults(), Vec::<String>::new());
        let chart = Arc::new(Chart::new(program));
        let id = TaskId { frame: 0, node: chart.run_id() };
        let mut kernel = Kernel {
            chart,
            now: 0,
            frames: Table::new(),
            slots: Vec::new(),
            tasks: Table::new(),
            scopes: Table::new(),
            ledger: Ledger::new(id),
            ready: VecDeque::new(),
            people: VecDeque::new(),
            agenda: VecDeque::new(),
            run: Run::default(),
        };
        let frame = kernel.open_frame(None, FrameRole::Run, 0);
        // The run's task is in no scope; the number is never looked up.
        kernel.tasks.push(Task::new(id, frame, ScopeIx(u32::MAX)));
        kernel
    }

    /// The state after these events.
    pub fn replay(program: impl Into<Arc<Program>>, events: impl IntoIterator<Item = Event>) -> Kernel {
        let mut kernel = Kernel::new(program);
        let mut commands = Vec::new();
        for event in events {
            kernel.step(event, &mut commands);
            commands.clear();
        }
        kernel
    }

    /// Takes an event and appends what is to be done now. An event that fits nothing (late, a duplicate, not an answer
    /// to what was asked) changes nothing.
    ///
    /// At [`Fact::Resumed`] the commands are *all* that are outstanding, since the new executor performs none of them.
    pub fn step(&mut self, event: Event, out: &mut Vec<Command>) {
        self.now = self.now.max(event.at);
        self.take(event.fact);
        self.go_on();
        if matches!(event.fact, Fact::Resumed { .. }) {
            self.ledger.reissue();
        }
        self.ledger.drain(out);
    }

    /// Every command that is out and not answered, in an order that depends on the state alone.
    pub fn outstanding(&self) -> Vec<Command> {
        self.ledger.outstanding()
    }

    fn take(&mut self, fact: Fact) {
        match fact {
            Fact::Began { seed } => self.begin_run(seed),
            Fact::Resumed { gap } => self.taken_over(gap),
            Fact::Skipped { task, attempt } => self.prepared(task, attempt, Outcome::Skipped),
            Fact::Entered { task, attempt } => self.prepared(task, attempt, Outcome::Entered),
            Fact::Items { task, attempt, count } => self.prepared(task, attempt, Outcome::Items(count)),
            Fact::Branch { task, attempt, case } => self.prepared(task, attempt, Outcome::Branch(case)),
            Fact::Started { task, attempt } => self.prepared(task, attempt, Outcome::Started),
            Fact::GateClosed { task, attempt, gate } => self.gate_closed(task, attempt, gate),
            Fact::Ended { task, attempt, how } => self.ended(task, attempt, how),
            Fact::Checked { task, probe, round, seen } => self.checked(task, probe, round, seen),
            Fact::Closed { task, attempt, ok } => self.closed(task, attempt, ok),
            Fact::Fired { timer } => self.fired(timer),
            Fact::Answered { about, answer } => self.answered(about, answer),
            Fact::CancelRequested => self.cancel(),
            Fact::Barred => self.bar(),
            Fact::Admitted => self.run.barred = false,
            Fact::Refused => self.refuse(),
            Fact::Paused => self.pause(),
            Fact::Unpaused => self.run.paused = false,
            Fact::RollbackRequested { to } => self.reverse(to),
            Fact::Finished => self.finished(),
        }
    }

    fn go_on(&mut self) {
        loop {
            while let Some(turn) = self.agenda.pop_front() {
                match turn {
                    Turn::Over(scope) => self.scope_over(scope),
                    Turn::Undo(task) => self.start_undo(task),
                    Turn::Unwound(scope) => self.scope_unwound(scope),
                }
            }
            if !self.start_ready() {
                break;
            }
        }
    }

    /// Prepares what is ready, as far as there are slots; whether anything follows from that.
    fn start_ready(&mut self) -> bool {
        let limit = self.chart.program.max_parallel.max(1);
        while !self.run.paused && !self.run.barred {
            let next = match self.people.pop_front() {
                None if self.ledger.busy() < limit => self.ready.pop_front(),
                next => next,
            };
            let Some(task) = next else { break };
            if self.tasks[task].state == State::Ready && self.gates_passed(task) {
                self.prepare(task);
            }
        }
        !self.agenda.is_empty()
    }

    /// Whether somebody is asked by this task: it waits for people, not for a slot.
    pub(crate) fn asks(&self, task: TaskIx) -> bool {
        matches!(self.chart.node(self.tasks[task].id.node).kind, Kind::Human(_))
    }
}
