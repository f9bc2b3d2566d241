//! What may begin, and how often: when something failed, when time is over, after how many attempts; and what may end
//! unseen. Watched from outside, as `watch.rs` does.

use std::collections::{BTreeMap, BTreeSet};

use runbook_kernel::{
    About, Answer, Command, Effect, Event, Fact, InDoubt, Kernel, Kind, Ms, Phase, Probe, Program, ScopeRole,
    TaskId, TaskState, TimerPurpose,
};

use crate::watch::{Verdict, above, is_forward, require};
use crate::world::{Place, World};

#[derive(Debug, Clone, Default)]
pub(crate) struct Begin {
    count: usize,
    /// Attempts that ended, in what is performed.
    ended: BTreeMap<Place, u32>,
    /// How often a person wanted another one.
    wanted: BTreeMap<Place, u32>,
    /// Whose `deadline` is over, and composites whose `timeout` is.
    late: BTreeSet<Place>,
    cut: BTreeSet<Place>,
    /// When composites were entered last, and what was done last.
    entered: BTreeMap<TaskId, usize>,
    done: BTreeMap<TaskId, (usize, Place)>,
    /// A person wanted all that failed tried again.
    again: usize,
    waits: BTreeMap<TaskId, Wait>,
    /// When each guard was seen last.
    looked: BTreeMap<(TaskId, u32), usize>,
}

/// A `wait.for`.
#[derive(Debug, Clone, Copy)]
struct Wait {
    from: Ms,
    unobserved: Ms,
    /// Since when somebody watches.
    watched: usize,
}

impl Begin {
    pub(crate) fn step(
        &mut self,
        event: &Event,
        commands: &[Command],
        kernel: &Kernel,
        world: &World,
    ) -> Verdict {
        self.count += 1;
        self.note(event, kernel, world);
        self.waits_end(event.at, kernel, world)?;
        for &command in commands {
            match command {
                // What was called off in the same step never began.
                Command::Prepare { task, .. }
                    if kernel.task(task).is_some_and(|view| view.state == TaskState::Preparing) =>
                {
                    self.prepare(task, kernel, world)?;
                }
                Command::Perform { task, .. } => self.perform(task, kernel, world)?,
                Command::Ask { about: About::Drift(task) } if node(world, task).verify.is_some() => {
                    let again = matches!(event.fact, Fact::Resumed { .. });
                    let seen = again || matches!(event.fact, Fact::Checked { task: of, .. } if of == task);
                    require(seen, || format!("{task:?} has a verify, and nobody looked"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, event: &Event, kernel: &Kernel, world: &World) {
        let place = |task: TaskId| world.place(task, kernel);
        match event.fact {
            Fact::Ended { task, .. } => *self.ended.entry(place(task)).or_default() += 1,
            Fact::Answered { about: About::InDoubt(task), answer: Answer::Retry | Answer::Undo } => {
                *self.wanted.entry(place(task)).or_default() += 1;
            }
            // What is tried again has its attempts, and its time, anew.
            Fact::Answered { about: About::AfterPivot, answer: Answer::Retry }
            | Fact::RollbackRequested { .. } => {
                self.again = self.count;
                (self.ended, self.wanted) = Default::default();
                (self.late, self.cut) = Default::default();
            }
            Fact::Fired { timer } if timer.purpose == TimerPurpose::Deadline => {
                self.late.insert(place(timer.task));
            }
            Fact::Fired { timer } if timer.purpose == TimerPurpose::Timeout => {
                self.cut.insert(place(timer.task));
            }
            Fact::Entered { task, .. } | Fact::Items { task, .. } | Fact::Branch { task, .. } => {
                self.entered.insert(task, self.count);
            }
            Fact::Started { task, .. } if matches!(node(world, task).kind, Kind::WaitFor(_)) => {
                let wait = Wait { from: event.at, unobserved: 0, watched: self.count };
                self.waits.insert(task, wait);
            }
            Fact::Checked { task, probe: Probe::Guard(guard), .. } => {
                self.looked.insert((task, guard), self.count);
            }
            Fact::Resumed { gap } if gap > 0 => {
                for wait in self.waits.values_mut() {
                    wait.unobserved += gap;
                    wait.watched = self.count;
                }
            }
            _ => {}
        }
        if let Fact::Ended { task, .. } | Fact::Checked { task, .. } = event.fact
            && kernel.task(task).is_some_and(|view| view.state == TaskState::Done)
        {
            self.done.insert(task, (self.count, place(task)));
        }
    }

    /// A guarded wait ends after its time, as far as that was watched, and with each guard seen since.
    fn waits_end(&mut self, now: Ms, kernel: &Kernel, world: &World) -> Verdict {
        let state = |task: TaskId| kernel.task(task).map(|view| view.state);
        let waits = std::mem::take(&mut self.waits);
        let (on, over): (BTreeMap<_, _>, BTreeMap<_, _>) =
            waits.into_iter().partition(|(task, _)| state(*task) == Some(TaskState::Running));
        self.waits = on;
        for (task, wait) in over {
            let Kind::WaitFor(length) = node(world, task).kind else { continue };
            if state(task) != Some(TaskState::Done) {
                continue;
            }
            let around = above(task, kernel, &world.program);
            let guards: Vec<(TaskId, u32)> = std::iter::once(task)
                .chain(around)
                .flat_map(|task| (0..node(world, task).guards.len() as u32).map(move |guard| (task, guard)))
                .collect();
            let unobserved = if guards.is_empty() { 0 } else { wait.unobserved };
            require(now - wait.from >= length + unobserved, || format!("{task:?} ended before its time"))?;
            let unseen = guards.into_iter().find(|guard| {
                self.looked.get(guard).is_none_or(|at| *at < wait.watched && wait.unobserved > 0)
            });
            require(unseen.is_none(), || format!("{task:?} ended, and {unseen:?} was not seen"))?;
        }
        Ok(())
    }

    fn prepare(&self, task: TaskId, kernel: &Kernel, world: &World) -> Verdict {
        let place = world.place(task, kernel);
        let wanted = self.wanted.get(&place).copied().unwrap_or(0);
        let node = node(world, task);
        if matches!(node.kind, Kind::Action) {
            let settles = node.effect != Effect::Pure && node.on_in_doubt == InDoubt::Retry;
            let most = node.retry.max_attempts.max(if settles { 2 } else { 1 }) + wanted;
            let ended = self.ended.get(&place).copied().unwrap_or(0);
            require(ended < most, || format!("{place:?} is tried again after {ended} of {most} attempts"))?;
        }
        if wanted > 0 {
            return Ok(());
        }
        let around = above(task, kernel, &world.program);
        let late = |task: &TaskId| self.late.contains(&world.place(*task, kernel));
        let cut = |task: &TaskId| self.cut.contains(&world.place(*task, kernel));
        require(!late(&task), || format!("{place:?} begins after its deadline"))?;
        require(!around.iter().any(|task| late(task) || cut(task)), || {
            format!("{place:?} begins after the time of what is around it is over")
        })?;
        for of in std::iter::once(task).chain(around) {
            let failed = failed_beside(of, kernel, &world.program);
            require(failed.is_none(), || format!("{place:?} begins though {failed:?} has failed"))?;
        }
        let stopping = kernel.phase() == Phase::Stopping && is_forward(task, kernel, &world.program);
        require(!stopping, || format!("{place:?} begins while the run stops"))
    }

    /// What was done is done again only where a group around it begins anew, or because a person wants that.
    fn perform(&self, task: TaskId, kernel: &Kernel, world: &World) -> Verdict {
        let Some((at, before)) = self.done.get(&task) else { return Ok(()) };
        if !is_forward(task, kernel, &world.program) || self.again > *at {
            return Ok(());
        }
        let around = above(task, kernel, &world.program);
        let anew = around.iter().any(|around| self.entered.get(around).is_some_and(|entered| entered > at));
        require(anew, || format!("{before:?} is done, and is performed again"))
    }
}

fn node(world: &World, task: TaskId) -> &runbook_kernel::Node {
    &world.program.nodes[task.node.0 as usize]
}

/// A sibling whose failure nobody puts up with.
fn failed_beside(task: TaskId, kernel: &Kernel, program: &Program) -> Option<TaskId> {
    let scope = &program.scopes[program.nodes[task.node.0 as usize].scope.0 as usize];
    let siblings = scope.nodes.iter().map(|node| TaskId { frame: task.frame, node: *node });
    let mut failed = siblings.filter(|sibling| {
        let state = kernel.task(*sibling).map(|view| view.state);
        state == Some(TaskState::Failed) && !tolerated(*sibling, program)
    });
    failed.next()
}

/// Whether the failure of this task fails nothing else.
pub(crate) fn tolerated(task: TaskId, program: &Program) -> bool {
    let node = &program.nodes[task.node.0 as usize];
    node.continue_on_error
        || node.effect == Effect::Notify && !node.required
        || program.scopes[node.scope.0 as usize].role == ScopeRole::Finally
}
