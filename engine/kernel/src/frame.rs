//! Frames: where the tasks of the run, and of each item of a `for_each`, have their places.

use crate::each::ItemState;
use crate::kernel::{Kernel, RUN};
use crate::program::{Frame, FrameRole, NodeId, ScopeId, TaskId};
use crate::scope::ScopeIx;
use crate::task::TaskIx;

/// A frame, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameIx(pub(crate) u32);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FrameRun {
    /// The `for_each` that opened it.
    pub(crate) parent: Option<TaskIx>,
    pub(crate) role: FrameRole,
    pub(crate) region: u32,
    /// Its places are `slots[base..]`.
    base: u32,
    /// Of an item: its body.
    pub(crate) body: Option<ScopeIx>,
    pub(crate) item: ItemState,
}

const EMPTY: u32 = u32::MAX;

impl Kernel {
    pub(crate) fn open_frame(&mut self, parent: Option<TaskIx>, role: FrameRole, region: u32) -> FrameIx {
        let base = u32::try_from(self.slots.len()).expect("fewer than 2^32 tasks");
        self.slots.resize(self.slots.len() + self.chart.region_size(region) as usize, EMPTY);
        self.frames.push(FrameRun { parent, role, region, base, body: None, item: ItemState::Running })
    }

    pub(crate) fn task_at(&self, id: TaskId) -> Option<TaskIx> {
        if id == self.tasks[RUN].id {
            return Some(RUN);
        }
        let frame = self.frames.get(FrameIx(id.frame))?;
        let place = self.chart.node_place(id.node).filter(|place| place.region == frame.region)?;
        let slot = self.slots[(frame.base + place.offset) as usize];
        (slot != EMPTY).then_some(TaskIx(slot))
    }

    /// The task of a node that has a place in this frame.
    pub(crate) fn sibling(&self, frame: FrameIx, node: NodeId) -> TaskIx {
        let id = TaskId { frame: frame.0, node };
        self.task_at(id).expect("the nodes of a scope get their tasks together, when it opens")
    }

    pub(crate) fn put_task(&mut self, id: TaskId, task: TaskIx) {
        let place = self.chart.node_place(id.node).expect("a node in a scope that opens has a place");
        let base = self.frames[FrameIx(id.frame)].base;
        self.slots[(base + place.offset) as usize] = task.0;
    }

    pub(crate) fn scope_at(&self, frame: FrameIx, scope: ScopeId) -> Option<ScopeIx> {
        let place = self.chart.scope_place(scope);
        let slot = self.slots[(self.frames[frame].base + place.offset) as usize];
        (slot != EMPTY).then_some(ScopeIx(slot))
    }

    pub(crate) fn put_scope(&mut self, frame: FrameIx, scope: ScopeId, run: ScopeIx) {
        let place = self.chart.scope_place(scope);
        let base = self.frames[frame].base;
        self.slots[(base + place.offset) as usize] = run.0;
    }

    /// What a frame is for; `None` if there is no such frame.
    pub fn frame(&self, frame: u32) -> Option<Frame> {
        let run = self.frames.get(FrameIx(frame))?;
        Some(Frame { parent: run.parent.map(|task| self.tasks[task].id), role: run.role })
    }

    /// The task of `node` as seen from `from`: in its own frame, or in the nearest one around it that holds the node.
    pub fn visible(&self, from: TaskId, node: NodeId) -> Option<TaskId> {
        let place = self.chart.node_place(node)?;
        let mut frame = from.frame;
        loop {
            let run = self.frames.get(FrameIx(frame))?;
            if run.region == place.region {
                return Some(TaskId { frame, node });
            }
            frame = self.tasks[run.parent?].id.frame;
        }
    }
}
