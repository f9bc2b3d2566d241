//! Rollback: every undo after the undos of what depended on it, independent ones side by side.
//!
//! A scope is unwound along its own graph, turned round: a task's undo may start when those of all its dependents are
//! resolved. Resolved is: completed, nothing to undo, left by declaration, kept; or blocked, and then whatever it
//! depended on is blocked too. A composite is one node in that graph: its undo is that of the scope inside, or its own
//! undo scope, followed by the `finally` that it owes if it was cut off.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::kernel::{Kernel, RUN, Turn};
use crate::program::{Effect, ScopeId, Undo};
use crate::scope::{ScopeIx, ScopeRun};
use crate::task::{Cause, Stage, State, Task, TaskIx, Undoing};

/// What an unwinding does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Undoes what was not undone yet.
    Undo,
    /// The same, before a new incarnation: undoes what was kept too.
    Restart,
    /// The same, for a person: tries again what was blocked, and undoes what was kept.
    Requested,
    /// Leaves everything as it is, and says so.
    Keep,
    /// Leaves everything as it is, because something that depended on it could not be undone.
    Block,
    /// Only runs what `finally` is owed inside.
    Settle,
}

impl Mode {
    pub(crate) fn undoes(self) -> bool {
        matches!(self, Mode::Undo | Mode::Restart | Mode::Requested)
    }

    /// Whether what became of an undo before stands in this unwinding.
    fn stands(self, undo: Undoing) -> bool {
        match undo {
            Undoing::Done | Undoing::Left => true,
            Undoing::Failed | Undoing::Behind => self != Mode::Requested,
            Undoing::Kept => !matches!(self, Mode::Restart | Mode::Requested),
            Undoing::None | Undoing::Running | Undoing::Inner { .. } => false,
        }
    }
}

impl Kernel {
    /// Unwinds a composite on its own behalf; [`Kernel::unwound_own`] hears of the end.
    pub(crate) fn begin_unwinding(&mut self, task: TaskIx, mode: Mode) {
        let Task { id, undo, .. } = self.tasks[task];
        let whole = matches!(self.chart.node(id.node).undo, Undo::Scope(_));
        if mode.stands(undo) && (whole || undo == Undoing::Done) {
            // It was undone, or that was tried, before a new incarnation that did not come: whatever becomes of the rest,
            // that stays true of it, and an undo that failed is not tried again by itself.
            self.set_outcome(task, undo, undo.is_blocked() && mode.undoes());
        } else {
            self.undo_composite(task, mode);
        }
    }

    /// Unwinds a scope; its owner hears of the end.
    pub(crate) fn unwind_scope(&mut self, scope: ScopeIx, mode: Mode) {
        let chart = Arc::clone(&self.chart);
        let mut members = self.members(scope);
        members.retain(|task| self.included(*task));
        let run = &mut self.scopes[scope];
        run.unwind = Some(mode);
        run.undo_left = members.len() as u32;
        run.undo_blocked = false;
        if members.is_empty() {
            self.agenda.push_back(Turn::Unwound(scope));
        }
        let mut free = Vec::new();
        for &task in &members {
            let row = &mut self.tasks[task];
            row.marks.behind = false;
            row.undo_unmet = chart.dependents(row.id.node).len() as u32;
            if row.undo_unmet == 0 {
                free.push(task);
            }
        }
        self.plan_undos(free);
    }

    /// The last that started is the first to be undone.
    fn plan_undos(&mut self, mut free: Vec<TaskIx>) {
        free.sort_by_key(|task| Reverse((self.tasks[*task].order, *task)));
        self.agenda.extend(free.into_iter().map(Turn::Undo));
    }

    /// The undos of everything that depended on this task are resolved.
    pub(crate) fn start_undo(&mut self, task: TaskIx) {
        let Some(mode) = self.scopes[self.tasks[task].scope].unwind else { return };
        if self.tasks[task].is_composite() {
            self.start_composite_undo(task, mode);
        } else {
            self.start_leaf_undo(task, mode);
        }
    }

    fn start_leaf_undo(&mut self, task: TaskIx, mode: Mode) {
        let row = &mut self.tasks[task];
        let node = self.chart.node(row.id.node);
        if !row.marks.touched {
            return self.resolve(task, false);
        }
        let Undo::Scope(scope) = node.undo else {
            if node.effect == Effect::Write {
                row.undo = Undoing::Left;
            }
            return self.resolve(task, false);
        };
        if mode.undoes() && mode.stands(row.undo) {
            let blocked = row.undo.is_blocked();
            self.resolve(task, blocked);
        } else if mode.undoes() && !row.marks.behind && !row.marks.keep {
            self.run_undo(task, scope);
        } else {
            row.undo = match (mode, row.undo) {
                (Mode::Undo | Mode::Restart | Mode::Requested, undo) if row.marks.behind => undo.behind(),
                (Mode::Undo | Mode::Restart | Mode::Requested, _) => Undoing::Kept,
                (Mode::Keep, Undoing::None) => Undoing::Kept,
                (Mode::Block, undo) => undo.behind(),
                (Mode::Keep | Mode::Settle, undo) => undo,
            };
            self.resolve(task, false);
        }
    }

    /// Runs an undo scope: for the first time, or what of it did not complete.
    fn run_undo(&mut self, task: TaskIx, scope: ScopeId) {
        let row = &mut self.tasks[task];
        let frame = row.frame;
        let failed_before = std::mem::replace(&mut row.undo, Undoing::Running) == Undoing::Failed;
        match self.scope_at(frame, scope) {
            Some(run) if failed_before => self.revive(run),
            _ => {
                self.open_scope(frame, scope, task);
            }
        }
    }

    fn start_composite_undo(&mut self, task: TaskIx, mode: Mode) {
        let row = &self.tasks[task];
        let undo = row.undo;
        if !row.begun() || mode.stands(undo) {
            self.set_outcome(task, undo, undo.is_blocked() && mode.undoes());
        } else if row.marks.behind && mode.undoes() {
            self.undo_composite(task, Mode::Block);
        } else if row.marks.keep && mode.undoes() {
            self.undo_composite(task, Mode::Keep);
        } else {
            self.undo_composite(task, mode);
        }
    }

    fn undo_composite(&mut self, task: TaskIx, mode: Mode) {
        let node = self.chart.node(self.tasks[task].id.node);
        match node.undo {
            // Nothing in it has begun: there is nothing to bring back, nor to leave.
            Undo::Scope(_) if !self.any_child_begun(task) => {
                self.unwind_inner(task, Mode::Settle, Mode::Settle, false);
            }
            Undo::Scope(scope) if mode.undoes() => self.run_undo(task, scope),
            Undo::Scope(_) | Undo::Left | Undo::Missing => self.unwind_inner(task, mode, Mode::Settle, false),
            Undo::Nothing => self.unwind_inner(task, mode, mode, false),
        }
    }

    /// An undo scope is over.
    pub(crate) fn undo_over(&mut self, task: TaskIx, cause: Option<Cause>) {
        let blocked = cause.is_some();
        if self.tasks[task].is_composite() {
            self.unwind_inner(task, Mode::Undo, Mode::Settle, blocked);
        } else {
            self.tasks[task].undo = if blocked { Undoing::Failed } else { Undoing::Done };
            self.resolve(task, blocked);
        }
    }

    /// Unwinds what is inside a composite, in the mode `inside`.
    fn unwind_inner(&mut self, task: TaskIx, mode: Mode, inside: Mode, blocked: bool) {
        self.tasks[task].undo = Undoing::Inner { mode, blocked };
        let idle = inside == Mode::Settle && !self.owed_inside();
        match self.tasks[task].inner {
            Some(body) if !idle => self.unwind_scope(body, inside),
            None if !idle && self.tasks[task].each().is_some() => self.unwind_each(task, inside),
            _ => self.inner_unwound(task, false),
        }
    }

    pub(crate) fn scope_unwound(&mut self, scope: ScopeIx) {
        let run = &mut self.scopes[scope];
        let Some(mode) = run.unwind.take() else { return };
        let &mut ScopeRun { frame, owner, undo_blocked, .. } = run;
        if self.frames[frame].body == Some(scope) {
            self.item_unwound(owner, frame, mode, undo_blocked);
        } else {
            self.inner_unwound(owner, undo_blocked);
        }
    }

    pub(crate) fn inner_unwound(&mut self, task: TaskIx, blocked: bool) {
        let Undoing::Inner { mode, blocked: own } = self.tasks[task].undo else { return };
        let blocked = blocked || own;
        let left = matches!(self.chart.node(self.tasks[task].id.node).undo, Undo::Left | Undo::Missing);
        let outcome = match mode {
            Mode::Settle => Undoing::None,
            Mode::Block => Undoing::Behind,
            _ if blocked => Undoing::Failed,
            _ if left => Undoing::Left,
            Mode::Keep => Undoing::Kept,
            // What came before the point that a person named is still there.
            Mode::Requested if self.in_part(task) => Undoing::None,
            Mode::Undo | Mode::Restart | Mode::Requested => Undoing::Done,
        };
        self.set_outcome(task, outcome, blocked || mode == Mode::Block);
    }

    /// What came of a composite's unwinding; its `finally` follows if it is owed and the composite has ended.
    fn set_outcome(&mut self, task: TaskIx, outcome: Undoing, blocked: bool) {
        self.tasks[task].undo = outcome;
        if let State::Inside(Stage::Unwind(then)) = self.tasks[task].state {
            self.unwound_own(task, then, blocked);
        } else if self.pay_finally(task) {
            self.tasks[task].marks.behind |= blocked;
        } else {
            self.resolve(task, blocked);
        }
    }

    /// An undo is resolved: tells what the task depended on.
    pub(crate) fn resolve(&mut self, task: TaskIx, blocked: bool) {
        let chart = Arc::clone(&self.chart);
        let row = &self.tasks[task];
        let Task { frame, scope, id, .. } = *row;
        let blocked = blocked || row.marks.behind;
        let mut free = Vec::new();
        for &need in &chart.node(id.node).needs {
            let need = self.sibling(frame, need);
            if !self.included(need) {
                continue;
            }
            let row = &mut self.tasks[need];
            row.marks.behind |= blocked;
            row.undo_unmet -= 1;
            if row.undo_unmet == 0 {
                free.push(need);
            }
        }
        self.plan_undos(free);
        let run = &mut self.scopes[scope];
        run.undo_blocked |= blocked;
        run.undo_left -= 1;
        if run.undo_left == 0 {
            self.agenda.push_back(Turn::Unwound(scope));
        }
    }

    /// Whether there is anything in a composite that an unwinding would undo.
    pub(crate) fn undoable(&self, task: TaskIx) -> bool {
        let mut todo = vec![task];
        while let Some(task) = todo.pop() {
            let row = &self.tasks[task];
            if !row.begun() && task != RUN || row.undo != Undoing::None {
                continue;
            }
            let undo = self.chart.node(row.id.node).undo;
            match undo {
                Undo::Scope(_) if row.is_composite() && self.any_child_begun(task) => return true,
                Undo::Scope(_) if row.marks.touched => return true,
                Undo::Nothing if row.is_composite() => {
                    todo.extend(self.bodies(task).into_iter().flat_map(|body| self.members(body)));
                }
                _ => {}
            }
        }
        false
    }

    /// Whether there is anything in an item that an unwinding would undo.
    pub(crate) fn item_undoable(&self, task: TaskIx, index: u32) -> bool {
        self.item_members(task, index).into_iter().any(|member| self.undoable(member))
    }

    /// Whether an undo inside an item did not complete.
    pub(crate) fn item_blocked(&self, task: TaskIx, index: u32) -> bool {
        self.item_members(task, index).into_iter().any(|member| self.tasks[member].undo.is_blocked())
    }

    fn item_members(&self, task: TaskIx, index: u32) -> Vec<TaskIx> {
        let frame = self.tasks[task].each().and_then(|run| run.frames.get(index as usize));
        let body = frame.and_then(|frame| self.frames[*frame].body);
        body.map(|body| self.members(body)).unwrap_or_default()
    }

    /// The bodies inside a composite that were opened.
    pub(crate) fn bodies(&self, task: TaskIx) -> Vec<ScopeIx> {
        let row = &self.tasks[task];
        let items = row.each().into_iter().flat_map(|run| &run.frames);
        items.filter_map(|frame| self.frames[*frame].body).chain(row.inner).collect()
    }

    pub(crate) fn any_child_begun(&self, task: TaskIx) -> bool {
        self.bodies(task)
            .into_iter()
            .any(|body| self.members(body).into_iter().any(|child| self.tasks[child].begun()))
    }
}
