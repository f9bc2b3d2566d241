//! What is being worked on: one job per command that takes time.

use runbook_kernel::{Command, TaskId};
use runbook_step::{BoxFuture, Cancelled};
use runbook_wire::Body;
use tokio::task::JoinSet;

use crate::cancel::Cancel;

/// A job, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JobId(u64);

/// A job that has begun.
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) cancel: Cancel,
}

struct Entry {
    id: JobId,
    command: Command,
    cancel: Cancel,
    /// Nobody waits for its answer; it is winding down.
    abandoned: bool,
}

#[derive(Default)]
pub(super) struct Jobs {
    next: u64,
    entries: Vec<Entry>,
    tasks: JoinSet<(JobId, Body)>,
}

impl Jobs {
    pub(super) fn begin(&mut self, command: Command) -> Job {
        self.next += 1;
        let (id, cancel) = (JobId(self.next), Cancel::new());
        self.entries.push(Entry { id, command, cancel: cancel.clone(), abandoned: false });
        Job { id, cancel }
    }

    pub(super) fn spawn(&mut self, id: JobId, future: BoxFuture<'static, Body>) {
        self.tasks.spawn(async move { (id, future.await) });
    }

    /// The next job that ends; `None` while there is none. A job that panicked never answers: its panic goes on here.
    pub(super) async fn next(&mut self) -> Option<(JobId, Body)> {
        match self.tasks.join_next().await? {
            Ok(done) => Some(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => None,
            },
        }
    }

    /// Takes a job off the list; its command, if somebody waits for the answer.
    pub(super) fn end(&mut self, id: JobId) -> Option<Command> {
        let at = self.entries.iter().position(|entry| entry.id == id)?;
        let entry = self.entries.swap_remove(at);
        (!entry.abandoned).then_some(entry.command)
    }

    /// Tells jobs to stop, and why. Their answers still count.
    pub(super) fn cancel(&self, which: impl Fn(&Command) -> bool, why: Cancelled) {
        self.entries.iter().filter(|entry| which(&entry.command)).for_each(|entry| entry.cancel.cancel(why));
    }

    /// Tells jobs to stop, whatever their answer.
    pub(super) fn abandon(&mut self, which: impl Fn(&Command) -> bool) {
        for entry in self.entries.iter_mut().filter(|entry| which(&entry.command)) {
            entry.abandoned = true;
            entry.cancel.cancel(Cancelled::Run);
        }
    }

    /// Whether nothing is worked on, winding down included.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Ends them at once, with their processes.
    pub(super) fn drop_all(&mut self) {
        self.tasks.abort_all();
        self.entries.clear();
    }
}

/// The task that a command is about, as far as commands take time.
pub(super) fn task_of(command: Command) -> Option<TaskId> {
    match command {
        Command::Prepare { task, .. } | Command::Perform { task, .. } | Command::Check { task, .. } => {
            Some(task)
        }
        _ => None,
    }
}
