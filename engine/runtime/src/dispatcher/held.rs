//! Commands that are not performed yet: those that wait for the disk, and those that wait for a program that was changed.

use std::collections::VecDeque;

use runbook_kernel::{Command, Probe, TaskId};
use runbook_plan::Work;

use super::Dispatcher;
use super::jobs::task_of;
use crate::facts::index;

/// What is held back.
#[derive(Default)]
pub(super) struct Held {
    /// Until this event is on disk.
    barred: VecDeque<(u64, Command)>,
    /// Steps and checks whose program is not what was planned, and what is to be said of it.
    changed: Vec<(Command, String)>,
}

impl Held {
    /// Holds a command until this event is on disk.
    pub(super) fn until(&mut self, seq: u64, command: Command) {
        self.barred.push_back((seq, command));
    }

    /// The next command that waits for no event after this one.
    pub(super) fn pop_reached(&mut self, seq: u64) -> Option<Command> {
        self.barred.pop_front_if(|(barrier, _)| *barrier <= seq).map(|(_, command)| command)
    }

    pub(super) fn is_barred(&self) -> bool {
        !self.barred.is_empty()
    }

    /// Lets go of what waits for the disk.
    pub(super) fn clear(&mut self) {
        self.barred.clear();
    }

    /// Lets go of these.
    pub(super) fn forget(&mut self, gone: impl Fn(&Command) -> bool) {
        self.barred.retain(|(_, command)| !gone(command));
        self.changed.retain(|(command, _)| !gone(command));
    }

    /// Takes the first that waits for the disk and is meant.
    pub(super) fn take(&mut self, is_it: impl Fn(&Command) -> bool) -> Option<Command> {
        let at = self.barred.iter().position(|(_, command)| is_it(command))?;
        self.barred.remove(at).map(|(_, command)| command)
    }

    /// Whether this task waits for a program.
    pub(super) fn waits_for_a_program(&self, task: TaskId) -> bool {
        self.changed.iter().any(|(command, _)| task_of(*command) == Some(task))
    }

    /// Why steps wait for a program, if any does.
    pub(super) fn changed(&self) -> Option<String> {
        let reasons: Vec<&str> = self.changed.iter().map(|(_, reason)| reason.as_str()).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

impl Dispatcher<'_> {
    /// Starts what prepares a step, or one of its checks, unless its program is not what was planned any more.
    pub(super) fn start_or_hold(&mut self, command: Command, task: TaskId) {
        let node = &self.plan.nodes[index(task.node)];
        let work = match &node.work {
            Work::Step(invocation) | Work::WaitUntil(invocation) => Some(invocation),
            _ => None,
        };
        let calls: Vec<_> = match command {
            Command::Check { probe: Probe::Until, .. } => work.into_iter().collect(),
            Command::Check { probe: Probe::Verify, .. } => node.verify.iter().chain(work).take(1).collect(),
            Command::Check { probe: Probe::NotDone, .. } => node.verify_not_done.iter().collect(),
            // What it guards goes on meanwhile: a guard that cannot look has to trip.
            Command::Check { probe: Probe::Guard(_), .. } => Vec::new(),
            // Those of its checks too: a check that cannot look would fail what it looks at.
            _ => (work.into_iter().chain(&node.asserts))
                .chain(node.verify.iter().chain(&node.verify_not_done).chain(&node.guards))
                .collect(),
        };
        let programs =
            calls.into_iter().flat_map(|invocation| invocation.programs.iter().map(String::as_str));
        let changed = self.attempts.shared.pinned.first_changed(programs);
        let Some(changed) = changed else { return self.start(command) };
        let remedy = changed.remedy(&self.facts.run);
        let name = self.view().name(task);
        let reason = format!("`{}` waits: {changed}; {remedy}", name.path);
        self.observer.held(&name, &changed.to_string(), changed.meant_by());
        self.held.changed.push((command, reason));
    }

    /// Somebody has said that a program's change is meant: who waits for a program looks again.
    pub(super) fn program_accepted(&mut self, path: &str, digest: &str) {
        self.attempts.shared.pinned.accept(path, digest);
        self.queue.extend(std::mem::take(&mut self.held.changed).into_iter().map(|(command, _)| command));
    }
}
