//! `for_each`, backward: items are undone in reverse, batch by batch, under the limits that they started under.

use std::sync::Arc;

use crate::About;
use crate::each::ItemState;
use crate::kernel::Kernel;
use crate::program::{self, Kind};
use crate::rollback::Mode;
use crate::task::{End, TaskIx};

/// An unwinding of a `for_each`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EachUndo {
    mode: Mode,
    pass: Pass,
    which: Which,
    /// The batch that is being undone.
    batch: usize,
    /// Items from here on have been looked at.
    cursor: u32,
    /// The lowest item that this pass undoes.
    lowest: u32,
    active: u32,
    failures: u32,
    batch_failures: u32,
    /// An item of this batch was undone, so that what runs between batches has something to look at.
    worked: bool,
    blocked: bool,
}

/// Where an unwinding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// In reverse, under the limits.
    Ordered,
    /// Checks between two batches.
    Between,
    /// Somebody is asked about what is left.
    Ask,
    /// Without order or limits: nothing is undone, only marked, and what is owed is run.
    Rest,
}

/// Which items an ordered pass undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    /// Those that failed or were cut off, and those from this index on.
    Broken {
        from: u32,
    },
    None,
}

impl Kernel {
    pub(crate) fn unwind_each(&mut self, task: TaskIx, mode: Mode) {
        let Some(run) = self.tasks[task].each() else { return };
        let (which, pass) = match mode {
            Mode::Undo => (self.chosen(task), Pass::Ordered),
            Mode::Restart | Mode::Requested => (Which::All, Pass::Ordered),
            Mode::Keep | Mode::Block | Mode::Settle => (Which::All, Pass::Rest),
        };
        let undo = EachUndo {
            mode,
            pass,
            which,
            batch: run.batch.min(run.batches.len().saturating_sub(1)),
            cursor: run.frames.len() as u32,
            lowest: 0,
            active: 0,
            failures: 0,
            batch_failures: 0,
            worked: false,
            blocked: false,
        };
        self.put_undo(task, undo);
        match pass {
            Pass::Rest => self.rest_pass(task, mode, None),
            _ => self.ordered_pass(task, which),
        }
    }

    /// What the policy undoes without asking.
    fn chosen(&self, task: TaskIx) -> Which {
        let row = &self.tasks[task];
        let (Kind::Each(each), Some(run)) = (&self.chart.node(row.id.node).kind, row.each()) else {
            return Which::None;
        };
        match each.undo {
            program::EachUndo::All => Which::All,
            // It went well: undoing a part of it would be a guess.
            _ if row.ended() == Some(End::Done) => Which::None,
            program::EachUndo::Failed => Which::Broken { from: u32::MAX },
            program::EachUndo::Batch => {
                Which::Broken { from: run.batches.get(run.batch).map_or(0, |batch| batch.start) }
            }
        }
    }

    fn is_chosen(&self, task: TaskIx, index: u32, which: Which) -> bool {
        let Some(run) = self.tasks[task].each() else { return false };
        let Some(frame) = run.frames.get(index as usize) else { return false };
        let frame = &self.frames[*frame];
        match (frame.item, which) {
            (ItemState::Undone, _) | (_, Which::None) => false,
            (_, Which::All) => true,
            (ItemState::Failed, Which::Broken { .. }) => true,
            // What ran beside a failure may have come to its end all the same.
            (ItemState::Stopped, Which::Broken { from }) => {
                index >= from || !frame.body.is_some_and(|body| self.came_through(body))
            }
            (_, Which::Broken { from }) => index >= from,
        }
    }

    fn ordered_pass(&mut self, task: TaskIx, which: Which) {
        let Some(run) = self.tasks[task].each() else { return };
        let items = run.frames.len() as u32;
        let batch = run.batches.iter().rposition(|batch| batch.start < items).unwrap_or(0);
        let lowest = (0..items).find(|index| self.is_chosen(task, *index, which)).unwrap_or(items);
        if let Some(undo) = self.undo_mut(task) {
            undo.pass = Pass::Ordered;
            undo.which = which;
            undo.batch = batch;
            undo.cursor = items;
            undo.lowest = lowest;
            undo.batch_failures = 0;
            undo.worked = false;
        }
        self.undo_next(task);
    }

    /// Undoes items as far as the batch allows, and goes on to the batch before when it is through.
    fn undo_next(&mut self, task: TaskIx) {
        loop {
            let Some(run) = self.tasks[task].each() else { return };
            let Some(undo) = run.undo else { return };
            let Some(&batch) = run.batches.get(undo.batch) else {
                return self.ordered_over(task);
            };
            let halted = undo.failures > run.max_failures || undo.batch_failures > batch.max_failures;
            let floor = batch.start.max(undo.lowest);
            if !halted && undo.cursor > floor && undo.active < batch.max_parallel {
                let index = undo.cursor - 1;
                let chosen = self.is_chosen(task, index, undo.which);
                if let Some(undo) = self.undo_mut(task) {
                    undo.cursor = index;
                }
                if chosen {
                    self.undo_item(task, index, undo.mode);
                }
            } else if undo.active > 0 {
                return;
            } else if halted || undo.cursor <= undo.lowest || undo.batch == 0 {
                return self.ordered_over(task);
            } else {
                let chart = Arc::clone(&self.chart);
                let Kind::Each(each) = &chart.node(self.tasks[task].id.node).kind else { return };
                let Some(now) = self.undo_mut(task) else { return };
                if let (Some(between), true) = (each.between, undo.worked) {
                    now.pass = Pass::Between;
                    // The same checks ran on the way forward; these are others.
                    let incarnation = self.next_incarnation();
                    self.open_between(task, between, undo.batch as u32 - 1, incarnation);
                    return;
                }
                now.batch -= 1;
                now.batch_failures = 0;
                now.worked = false;
            }
        }
    }

    fn undo_item(&mut self, task: TaskIx, index: u32, mode: Mode) {
        let body = self.tasks[task].each().and_then(|run| run.frames.get(index as usize)).copied();
        let Some(body) = body.and_then(|frame| self.frames[frame].body) else { return };
        if let Some(undo) = self.undo_mut(task) {
            undo.active += 1;
            undo.worked = true;
        }
        self.unwind_scope(body, mode);
    }

    pub(crate) fn between_undone(&mut self, task: TaskIx, failed: bool) {
        let Some(undo) = self.undo_mut(task) else { return };
        undo.pass = Pass::Ordered;
        if failed {
            undo.blocked = true;
            return self.ordered_over(task);
        }
        undo.batch -= 1;
        undo.batch_failures = 0;
        undo.worked = false;
        self.undo_next(task);
    }

    pub(crate) fn item_undone(&mut self, task: TaskIx, blocked: bool) {
        let Some(undo) = self.undo_mut(task) else { return };
        undo.active -= 1;
        undo.blocked |= blocked;
        undo.failures += u32::from(blocked);
        undo.batch_failures += u32::from(blocked);
        match undo.pass {
            Pass::Ordered => self.undo_next(task),
            _ => self.rest_over(task),
        }
    }

    /// What was to be undone without asking is, or did not complete; now the others.
    fn ordered_over(&mut self, task: TaskIx) {
        let left = self.left_over(task);
        // An undo that did not complete on the way forward blocks, whether or not its item is undone now.
        let stuck = left.iter().any(|index| self.item_blocked(task, *index));
        let Some(undo) = self.undo_mut(task) else { return };
        undo.blocked |= stuck;
        if undo.blocked {
            let which = undo.which;
            return self.rest_pass(task, Mode::Block, Some(which));
        }
        let anything = left.iter().any(|index| self.item_undoable(task, *index));
        if anything {
            if let Some(undo) = self.undo_mut(task) {
                undo.pass = Pass::Ask;
            }
            self.ledger.ask(About::Rollback(Some(self.tasks[task].id)));
        } else {
            self.rest_pass(task, Mode::Settle, None);
        }
    }

    pub(crate) fn left_over(&self, task: TaskIx) -> Vec<u32> {
        let items = self.tasks[task].each().map_or(0, |run| run.frames.len() as u32);
        (0..items).filter(|index| self.is_chosen(task, *index, Which::All)).collect()
    }

    /// Somebody said what is to become of the items that are not undone by themselves.
    pub(crate) fn answer_rest(&mut self, task: TaskIx, undo: bool) {
        if undo {
            self.ordered_pass(task, Which::All);
        } else {
            self.rest_pass(task, Mode::Keep, None);
        }
    }

    /// Marks what is not undone, and runs what is owed there. With `behind`, only items chosen by it count as blocked.
    fn rest_pass(&mut self, task: TaskIx, mode: Mode, behind: Option<Which>) {
        let left = self.left_over(task);
        let Some(undo) = self.undo_mut(task) else { return };
        undo.pass = Pass::Rest;
        undo.active = left.len() as u32;
        for index in left {
            let mode = match behind {
                Some(which) if !self.is_chosen(task, index, which) => Mode::Keep,
                _ => mode,
            };
            let frame = self.tasks[task].each().map(|run| run.frames[index as usize]);
            if let Some(body) = frame.and_then(|frame| self.frames[frame].body) {
                self.unwind_scope(body, mode);
            }
        }
        self.rest_over(task);
    }

    fn rest_over(&mut self, task: TaskIx) {
        let Some(&undo) = self.undo_mut(task).as_deref() else { return };
        if undo.active == 0 {
            if let Some(run) = self.tasks[task].each_mut() {
                run.undo = None;
            }
            self.inner_unwound(task, undo.blocked);
        }
    }

    fn undo_mut(&mut self, task: TaskIx) -> Option<&mut EachUndo> {
        self.tasks[task].each_mut()?.undo.as_mut()
    }

    fn put_undo(&mut self, task: TaskIx, undo: EachUndo) {
        if let Some(run) = self.tasks[task].each_mut() {
            run.undo = Some(undo);
        }
    }
}
