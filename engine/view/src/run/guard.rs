//! Guards: a wait ends once every guard that looks meanwhile was seen, its own and those of the groups around it.

use runbook_wire::Role;

use super::{Key, Phase, Run, TaskState};
use crate::Stamp;

impl Run {
    /// Whether each guard beside this task and around it was seen since somebody watches.
    pub(super) fn guards_seen(&self, task: Key) -> bool {
        let guards = |key: Key| self.outline.entries[key.node as usize].policy.guards.len();
        let looking = |key: &Key| self.task(*key).is_some_and(|state| state.phase == Phase::Running);
        let around = std::iter::successors(Some(task), |key| self.guarded_around(*key));
        let mut looking = around.filter(|key| guards(*key) > 0 && looking(key));
        // One that tripped cuts the wait off.
        let seen = |state: &TaskState, guards: usize| !state.tripped && state.guards_seen(guards);
        looking.all(|key| self.task(key).is_some_and(|state| seen(state, guards(key))))
    }

    /// The composite whose step this is. (An undo, or a `finally`, is no step.)
    fn guarded_around(&self, key: Key) -> Option<Key> {
        let role = self.outline.entries.get(key.node as usize)?.role;
        let node = self.shape.owner(key.node).filter(|_| matches!(role, Role::Body | Role::Between))?;
        match self.frames.get(&key.frame) {
            Some((each, _)) if each.node == node => Some(*each),
            _ => Some(Key { frame: key.frame, node }),
        }
    }

    /// A guard looked: ends the waits that are over but for that.
    pub(super) fn end_overtime(&mut self, at: Stamp) {
        for key in std::mem::take(&mut self.overtime) {
            if !self.guards_seen(key) {
                self.overtime.insert(key);
                continue;
            }
            let rules = self.rules(key.node);
            let waits = |state: &&mut TaskState| state.elapsed && state.phase == Phase::Running;
            if let Some(state) = self.tasks.get_mut(&key).filter(waits) {
                state.went_through(&rules, at);
            }
        }
    }
}
