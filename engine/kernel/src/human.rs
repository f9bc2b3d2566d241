//! People: answers to questions, human nodes, and gates that close again.

use crate::kernel::{Kernel, RUN};
use crate::ledger::Work;
use crate::program::{Human, Kind};
use crate::task::{Cause, End, Marks, Stage, State, TaskIx};
use crate::{About, Answer, PersonId, TaskId, TimerPurpose};

impl Kernel {
    pub(crate) fn answered(&mut self, about: About, answer: Answer) {
        if !self.ledger.asking(about) {
            return;
        }
        let id = match about {
            About::Human(task) | About::InDoubt(task) | About::Warning(task) | About::Drift(task) => task,
            About::Rollback(task) => task.unwrap_or(self.tasks[RUN].id),
            About::AfterPivot => self.tasks[RUN].id,
        };
        let Some(task) = self.task_at(id) else { return };
        match about {
            About::Human(_) => self.answer_human(task, answer),
            About::InDoubt(_) => self.answer_doubt(task, answer),
            About::Warning(_) => self.answer_warning(task, answer),
            About::Rollback(_) => self.answer_rollback(task, answer),
            About::AfterPivot => self.answer_after_pivot(answer),
            About::Drift(_) => self.answer_drift(task, answer),
        }
    }

    pub(crate) fn begin_human(&mut self, task: TaskIx, human: Human) {
        let row = &mut self.tasks[task];
        row.detail().votes.clear();
        let id = row.id;
        self.ledger.ask(About::Human(id));
        if let Some(timeout) = human.timeout {
            self.ledger.arm(id, TimerPurpose::GiveUp(None), self.now.saturating_add(timeout));
        }
    }

    fn answer_human(&mut self, task: TaskIx, answer: Answer) {
        let Kind::Human(human) = self.chart.node(self.tasks[task].id.node).kind else { return };
        match answer {
            Answer::Approve(PersonId(0)) if human.exclude_requester => {}
            Answer::Approve(person) => {
                let votes = &mut self.tasks[task].detail().votes;
                if !votes.contains(&person) {
                    votes.push(person);
                }
                if votes.len() >= human.count as usize {
                    self.went_through(task);
                }
            }
            Answer::Reject(_) => self.fail_human(task, Cause::Rejected),
            // Only what one person may settle is settled by being complete.
            Answer::Complete if human.count <= 1 && !human.exclude_requester => self.went_through(task),
            _ => {}
        }
    }

    pub(crate) fn fail_human(&mut self, task: TaskIx, cause: Cause) {
        let id = self.tasks[task].id;
        self.ledger.release(id);
        self.failed(task, cause);
    }

    /// A gate that this task had passed is closed: it waits again, and so does the task.
    pub(crate) fn gate_closed(&mut self, id: TaskId, attempt: u32, gate: TaskId) {
        let Some(task) = self.task_at(id) else { return };
        match self.ledger.work(id) {
            Some(Work::Prepare { attempt: expected }) if expected == attempt => {}
            // Found right before the effect: it did not come to that, so the attempt is as if it had never started.
            Some(Work::Perform { attempt: expected, .. }) if expected == attempt => {
                self.uncross(task);
                let row = &mut self.tasks[task];
                row.order = if row.marks.first { 0 } else { row.order };
            }
            _ => return,
        }
        self.ledger.worked(id);
        self.ledger.unwatch(id);
        self.ledger.disarm(id, TimerPurpose::Deadline);
        let begun = self.tasks[task].begun();
        let Marks { expired, tripped, unsettled, .. } = self.tasks[task].marks;
        if self.stopping(task) {
            // Nobody is asked for what does not start any more.
            match unsettled {
                true => self.settle_now(task),
                false => self.end(task, if begun { End::Stopped } else { End::NotStarted }),
            }
            return;
        }
        let gate = self.task_at(gate).filter(|gate| *gate != task && !expired && tripped.is_none());
        match gate.filter(|gate| self.reopen(*gate)) {
            Some(gate) => {
                self.tasks[task].state = State::Held;
                self.tasks[task].uncount();
                self.tasks[gate].detail().holds.push(task);
            }
            None => self.failed(task, Cause::Gate),
        }
    }

    /// What a task that is ready comes to at its gates; whether all are passed. One that is asked again is waited for; one
    /// that ended otherwise than passed, whoever put up with that, never counts as passed.
    pub(crate) fn gates_passed(&mut self, task: TaskIx) -> bool {
        let closed = self.gates(task).find(|(_, end)| !matches!(end, Some(End::Done | End::Skipped)));
        match closed {
            None => return true,
            Some((gate, None)) => {
                self.ledger.disarm(self.tasks[task].id, TimerPurpose::Deadline);
                self.tasks[task].state = State::Held;
                self.tasks[gate].detail().holds.push(task);
            }
            Some(_) => self.shut_out(task),
        }
        false
    }

    /// Its gates, and how each ended; `None`: somebody is asked still.
    fn gates(&self, task: TaskIx) -> impl Iterator<Item = (TaskIx, Option<End>)> {
        let id = self.tasks[task].id;
        let gates = self.chart.node(id.node).gates.iter();
        let gates = gates.filter_map(move |gate| self.task_at(self.visible(id, *gate)?));
        gates.map(|gate| (gate, self.tasks[gate].ended()))
    }

    /// One of its gates was not passed, and nobody is asked about it any more.
    pub(crate) fn is_shut_out(&self, task: TaskIx) -> bool {
        self.gates(task).any(|(_, end)| !matches!(end, None | Some(End::Done | End::Skipped)))
    }

    fn shut_out(&mut self, task: TaskIx) {
        // This says nothing about an attempt before, which is still in doubt.
        match self.tasks[task].marks.unsettled {
            true => self.settle_now(task),
            false => self.failed(task, Cause::Gate),
        }
    }

    /// Lets a passed gate wait again; false if it is not one that can.
    fn reopen(&mut self, gate: TaskIx) -> bool {
        let row = &self.tasks[gate];
        if !matches!(self.chart.node(row.id.node).kind, Kind::Human(_)) || gate == RUN {
            return false;
        }
        match row.state {
            State::Ended(End::Done) if !self.scopes[row.scope].stopping => {
                let scope = row.scope;
                if self.scopes[scope].remaining == 0 {
                    return false;
                }
                self.scopes[scope].remaining += 1;
                self.tasks[gate].tries = 0;
                self.make_ready(gate);
                true
            }
            State::Ready | State::Preparing | State::Running | State::Delayed | State::Held => true,
            _ => false,
        }
    }

    /// A gate ended: what it held back goes on, or fails with it.
    pub(crate) fn release_holds(&mut self, holds: Vec<TaskIx>, end: End) {
        for task in holds {
            if self.tasks[task].state != State::Held {
                continue;
            }
            match end {
                End::Done | End::Skipped => self.make_ready(task),
                End::Failed => self.shut_out(task),
                // In doubt, and nobody lets it try again.
                End::NotStarted | End::Stopped if self.tasks[task].marks.unsettled => self.settle_now(task),
                // Cut off: so is what it held back, in its turn.
                End::NotStarted | End::Stopped => {}
            }
        }
    }

    /// Where the run itself is.
    pub(crate) fn run_stage(&self) -> Option<Stage> {
        match self.tasks[RUN].state {
            State::Inside(stage) => Some(stage),
            _ => None,
        }
    }
}
