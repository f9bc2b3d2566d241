//! `for_each`, forward: batches, limits, tolerated failures, and what runs between batches.

use std::sync::Arc;

use crate::each_undo::EachUndo;
use crate::frame::FrameIx;
use crate::kernel::Kernel;
use crate::program::{Batch, BatchSize, Each, FrameRole, Kind, ScopeId};
use crate::rollback::Mode;
use crate::scope::{ScopeIx, ScopeRun};
use crate::task::{Cause, End, Task, TaskIx};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EachRun {
    pub(crate) batches: Vec<BatchRun>,
    pub(crate) max_failures: u32,
    /// The frames of the items that were opened, by the item's index.
    pub(crate) frames: Vec<FrameIx>,
    /// The batch under way.
    pub(crate) batch: usize,
    /// Items under way, tolerated ones that are being undone included.
    active: u32,
    failures: u32,
    batch_failures: u32,
    /// No new item starts.
    halted: bool,
    /// Why, if not because it was cut off from outside.
    cause: Option<Cause>,
    between: Option<ScopeIx>,
    /// The batch after which `between` ran last.
    looked: Option<u32>,
    /// The unwinding that is under way.
    pub(crate) undo: Option<EachUndo>,
}

/// A batch with its place among the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchRun {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) max_parallel: u32,
    pub(crate) max_failures: u32,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemState {
    Running,
    Done,
    Failed,
    /// Cut off.
    Stopped,
    /// All of it is undone.
    Undone,
}

impl Kernel {
    pub(crate) fn enter_each(&mut self, task: TaskIx, each: &Each, count: u32) {
        self.enter_composite(task);
        self.tasks[task].detail().each = Some(EachRun {
            batches: batches(each, count),
            max_failures: each.max_failures,
            frames: Vec::new(),
            batch: 0,
            active: 0,
            failures: 0,
            batch_failures: 0,
            halted: false,
            cause: None,
            between: None,
            looked: None,
            undo: None,
        });
        self.watch(task);
        self.fill(task);
        self.each_next(task);
    }

    /// Starts items as far as the batch allows.
    fn fill(&mut self, task: TaskIx) {
        let chart = Arc::clone(&self.chart);
        let Kind::Each(each) = &chart.node(self.tasks[task].id.node).kind else { return };
        let region = chart.scope_place(each.body).region;
        while let Some(run) = self.tasks[task].each() {
            let Some(batch) = run.batches.get(run.batch) else { return };
            let index = run.frames.len() as u32;
            if run.halted || run.active >= batch.max_parallel || index >= batch.end {
                return;
            }
            let frame = self.open_frame(Some(task), FrameRole::Item(index), region);
            let body = self.open_scope(frame, each.body, task);
            self.frames[frame].body = Some(body);
            if let Some(run) = self.tasks[task].each_mut() {
                run.frames.push(frame);
                run.active += 1;
            }
        }
    }

    /// Goes on after an item, or what ran between batches, is over.
    fn each_next(&mut self, task: TaskIx) {
        let Some(run) = self.tasks[task].each_mut() else { return };
        if run.active > 0 || run.between.is_some() {
            return;
        }
        let last = run.batch + 1 >= run.batches.len();
        if run.halted || last {
            let (cause, halted) = (run.cause, run.halted);
            self.run.marred |= run.failures > 0 && !halted;
            self.composite_over(task, cause, halted);
            return;
        }
        let (before, looked) = (run.batch as u32, run.looked);
        let Kind::Each(each) = &self.chart.node(self.tasks[task].id.node).kind else { return };
        match each.between {
            Some(between) => {
                let incarnation = match looked == Some(before) {
                    true => self.next_incarnation(),
                    false => self.tasks[task].incarnation,
                };
                let scope = self.open_between(task, between, before, incarnation);
                if let Some(run) = self.tasks[task].each_mut() {
                    run.between = Some(scope);
                    run.looked = Some(before);
                }
            }
            None => self.next_batch(task),
        }
    }

    pub(crate) fn open_between(
        &mut self,
        task: TaskIx,
        between: ScopeId,
        batch: u32,
        incarnation: u32,
    ) -> ScopeIx {
        let region = self.chart.scope_place(between).region;
        let frame = self.open_frame(Some(task), FrameRole::Between(batch), region);
        self.open_scope_as(frame, between, task, incarnation)
    }

    fn next_batch(&mut self, task: TaskIx) {
        if let Some(run) = self.tasks[task].each_mut() {
            run.batch += 1;
            run.batch_failures = 0;
        }
        self.fill(task);
    }

    pub(crate) fn between_over(&mut self, task: TaskIx, scope: ScopeIx) {
        let ScopeRun { cause, .. } = self.scopes[scope];
        let Some(run) = self.tasks[task].each_mut() else { return };
        if run.undo.is_some() {
            self.between_undone(task, cause.is_some());
            return;
        }
        run.between = None;
        let halted = run.halted;
        match cause {
            Some(cause) => self.fail_each(task, cause.around(Cause::Between)),
            None if !halted => self.next_batch(task),
            None => {}
        }
        self.each_next_if_idle(task);
    }

    fn each_next_if_idle(&mut self, task: TaskIx) {
        if self.tasks[task].each().is_some_and(|run| run.active == 0) {
            self.each_next(task);
        }
    }

    /// All tasks of an item's body have ended.
    pub(crate) fn item_over(&mut self, frame: FrameIx) {
        let (Some(task), Some(body)) = (self.frames[frame].parent, self.frames[frame].body) else { return };
        let ScopeRun { cause, stopping, .. } = self.scopes[body];
        let halted = self.tasks[task].each().is_none_or(|run| run.halted);
        match cause {
            // Tolerated: undone at once.
            Some(_) if !halted => return self.unwind_scope(body, Mode::Undo),
            Some(_) => self.frames[frame].item = ItemState::Failed,
            None if stopping => self.frames[frame].item = ItemState::Stopped,
            None => self.frames[frame].item = ItemState::Done,
        }
        self.item_left(task);
    }

    /// Whether everything in a scope that was to stop had run to its end all the same.
    pub(crate) fn came_through(&self, scope: ScopeIx) -> bool {
        let mut todo = vec![scope];
        while let Some(scope) = todo.pop() {
            for task in self.members(scope) {
                match self.tasks[task].ended() {
                    Some(End::Done | End::Skipped | End::Failed) => {}
                    Some(End::Stopped) if self.tasks[task].is_composite() && !self.lacks_items(task) => {
                        todo.extend(self.bodies(task));
                    }
                    _ => return false,
                }
            }
        }
        true
    }

    /// Of a `for_each`: not all its items were begun.
    fn lacks_items(&self, task: TaskIx) -> bool {
        let end = |run: &EachRun| run.batches.last().map_or(0, |batch| batch.end);
        self.tasks[task].each().is_some_and(|run| (run.frames.len() as u32) < end(run))
    }

    fn item_left(&mut self, task: TaskIx) {
        if let Some(run) = self.tasks[task].each_mut() {
            run.active -= 1;
        }
        self.fill(task);
        self.each_next(task);
    }

    /// The undos of an item are resolved: of a tolerated one, or in an unwinding of the whole.
    pub(crate) fn item_unwound(&mut self, task: TaskIx, frame: FrameIx, mode: Mode, blocked: bool) {
        if !blocked && mode.undoes() {
            self.frames[frame].item = ItemState::Undone;
        }
        if self.tasks[task].each().is_some_and(|run| run.undo.is_some()) {
            self.item_undone(task, blocked);
            return;
        }
        if blocked {
            self.fail_each(task, Cause::Undo);
        }
        self.item_left(task);
    }

    /// Counts a failed item; whether that fails the whole.
    pub(crate) fn item_failed(&mut self, task: TaskIx, cause: Cause) -> bool {
        let Some(run) = self.tasks[task].each_mut() else { return false };
        run.failures += 1;
        run.batch_failures += 1;
        let exceeded = run.failures > run.max_failures
            || run.batches.get(run.batch).is_some_and(|batch| run.batch_failures > batch.max_failures);
        if exceeded {
            let mut bodies = Vec::new();
            self.halt_each(task, Some(cause), &mut bodies);
            self.stop_scopes(bodies);
        }
        exceeded
    }

    /// Fails a `for_each` for a reason that is not one of its items.
    pub(crate) fn fail_each(&mut self, task: TaskIx, cause: Cause) {
        if self.tasks[task].each().is_none_or(|run| run.halted) {
            return;
        }
        let mut bodies = Vec::new();
        self.halt_each(task, Some(cause), &mut bodies);
        self.stop_scopes(bodies);
        if !self.survives(task, cause) {
            self.fail_scope(self.tasks[task].scope, cause.around(Cause::Inside(cause.class())));
        }
    }

    /// Goes on with items that had failed or been cut off, and with those that had not started.
    pub(crate) fn resume_each(&mut self, task: TaskIx, frames: Vec<FrameIx>, revived: u32) {
        if let Some(run) = self.tasks[task].each_mut() {
            run.frames = frames;
            run.active = revived;
        }
        self.fill(task);
        self.each_next(task);
    }

    /// Starts no new item; adds what is under way to what is to be stopped.
    pub(crate) fn halt_each(&mut self, task: TaskIx, cause: Option<Cause>, bodies: &mut Vec<ScopeIx>) {
        let Some(run) = self.tasks[task].each_mut() else { return };
        if std::mem::replace(&mut run.halted, true) {
            return;
        }
        run.cause = cause;
        bodies.extend(run.between);
        let frames = std::mem::take(&mut run.frames);
        let running = frames.iter().map(|frame| &self.frames[*frame]);
        bodies
            .extend(running.filter(|frame| frame.item == ItemState::Running).filter_map(|frame| frame.body));
        if let Some(run) = self.tasks[task].each_mut() {
            run.frames = frames;
        }
    }
}

impl EachRun {
    pub(crate) fn is_halted(&self) -> bool {
        self.halted
    }

    /// Forgets that it failed; hands out its items' frames, until [`Kernel::resume_each`].
    pub(crate) fn revive(&mut self) -> Vec<FrameIx> {
        self.halted = false;
        self.cause = None;
        self.failures = 0;
        self.batch_failures = 0;
        self.between = None;
        std::mem::take(&mut self.frames)
    }
}

impl Task {
    pub(crate) fn is_composite(&self) -> bool {
        self.inner.is_some() || self.each().is_some()
    }

    pub(crate) fn each(&self) -> Option<&EachRun> {
        self.detail.as_ref()?.each.as_ref()
    }

    pub(crate) fn each_mut(&mut self) -> Option<&mut EachRun> {
        self.detail.as_mut()?.each.as_mut()
    }
}

/// Lays the batches over the items; the last one is repeated as long as items remain.
fn batches(each: &Each, count: u32) -> Vec<BatchRun> {
    let whole =
        [Batch { size: BatchSize::Rest, max_parallel: each.max_parallel, max_failures: each.max_failures }];
    let shapes = if each.batches.is_empty() { &whole[..] } else { &each.batches[..] };
    let mut runs = Vec::new();
    let mut start = 0;
    while start < count {
        let shape = shapes[runs.len().min(shapes.len() - 1)];
        let size = match shape.size {
            BatchSize::Count(size) => size,
            BatchSize::Percent(share) => {
                (u64::from(count) * u64::from(share)).div_ceil(100).min(count.into()) as u32
            }
            BatchSize::Rest => count,
        };
        let end = start + size.clamp(1, count - start);
        let max_parallel = shape.max_parallel.max(1);
        runs.push(BatchRun { start, end, max_parallel, max_failures: shape.max_failures });
        start = end;
    }
    runs
}
