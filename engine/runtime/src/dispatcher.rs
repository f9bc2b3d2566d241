//! The loop: select, handle, perform.
//!
//! Everything that can happen comes in as one of [`Happening`]. What it means is recorded; the record goes to the kernel
//! ([`Facts::take`] makes the fact, live and on resume); the kernel's commands are performed. Records are handed to the
//! journal together once nothing more follows at this moment, so that a result and the next intents share a commit; a
//! command that changes the world waits behind the commit of everything before it.

mod answers;
mod end;
mod held;
mod inbox;
mod jobs;
mod locking;
mod recording;

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::FutureExt;
use runbook_journal::{Executor, Journal, Wake};
use runbook_kernel::{About, Command, Effect, Kernel, Ms, TaskId, TaskState};
use runbook_plan::Plan;
use runbook_step::{Cancelled, Registry};
use runbook_wire::{Body, Message, Record};
use tokio::sync::{mpsc, oneshot};

use crate::attempt::{Answer, Attempts};
use crate::clock::RunClock;
use crate::context::{Live, Spawned};
use crate::control::{Controlled, Refusal};
use crate::execution::Outcome;
use crate::facts::{Facts, index};
use crate::leftovers::Group;
use crate::observer::{LogLine, Observer};
use crate::question::question;
use crate::record;
use crate::resolve::View;
use crate::timers::Timers;
use answers::Answers;
pub(crate) use answers::Sheet;
pub use answers::{AnswersError, read_answers};
use end::Stop;
use held::Held;
use jobs::{JobId, Jobs};
use locking::Locks;

/// Everything that can happen.
enum Happening {
    /// A job has come to its end.
    Done(JobId, Body),
    /// The journal has something to say.
    Journal(Wake),
    /// An attempt has started a process group.
    Spawned(Spawned),
    /// A step says what it is doing.
    Live(Live),
    /// Somebody in this process wants something.
    Controlled(Controlled),
    /// A timer is due.
    Due,
}

/// Where happenings come from.
pub(crate) struct Sources {
    pub(crate) journal: mpsc::UnboundedReceiver<Wake>,
    pub(crate) spawned: mpsc::UnboundedReceiver<Spawned>,
    pub(crate) live: mpsc::Receiver<Live>,
    pub(crate) controlled: mpsc::UnboundedReceiver<Controlled>,
}

/// What a dispatcher begins with.
pub(crate) struct Beginning {
    pub(crate) plan: Arc<Plan>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) executor: Executor,
    pub(crate) kernel: Kernel,
    pub(crate) facts: Facts,
    pub(crate) attempts: Attempts,
    pub(crate) clock: RunClock,
    pub(crate) sources: Sources,
    pub(crate) answers: Option<Sheet>,
    pub(crate) person: runbook_wire::Person,
    pub(crate) unattended: bool,
}

pub(crate) struct Dispatcher<'o> {
    plan: Arc<Plan>,
    registry: Arc<Registry>,
    journal: Arc<Journal>,
    executor: Executor,
    kernel: Kernel,
    facts: Facts,
    attempts: Attempts,
    clock: RunClock,
    sources: Sources,
    observer: &'o mut dyn Observer,
    timers: Timers,
    jobs: Jobs,
    /// Commands to perform.
    queue: VecDeque<Command>,
    held: Held,
    /// Questions to put.
    asks: Vec<About>,
    /// Recorded, and not handed to the journal yet.
    fresh: Vec<Record>,
    /// Handed to the journal, and not on disk yet.
    unseen: VecDeque<Record>,
    durable: u64,
    /// Who waits for this event to be on disk.
    replies: VecDeque<(u64, oneshot::Sender<Result<(), Refusal>>)>,
    locks: Locks,
    /// What this execution was for cannot be done: another run holds a lock.
    turned_away: Option<String>,
    /// The last entry of the inbox that was taken or refused, whether or not that is on disk yet. They rise.
    heard: i64,
    answers: Answers,
    unattended: bool,
    stop: Option<Stop>,
    /// Why the journal takes nothing any more, and what to do.
    fault: Option<(String, String)>,
    /// What is recorded before anything else.
    begin: Vec<Body>,
}

impl<'o> Dispatcher<'o> {
    pub(crate) fn new(beginning: Beginning, observer: &'o mut dyn Observer) -> Dispatcher<'o> {
        let Beginning { plan, executor, facts, answers, person, .. } = beginning;
        Dispatcher {
            answers: Answers::new(answers, &plan, person),
            locks: Locks::new(&plan),
            durable: executor.next_seq() - 1,
            plan,
            registry: beginning.registry,
            journal: beginning.journal,
            executor,
            kernel: beginning.kernel,
            facts,
            attempts: beginning.attempts,
            clock: beginning.clock,
            sources: beginning.sources,
            observer,
            timers: Timers::default(),
            jobs: Jobs::default(),
            queue: VecDeque::new(),
            held: Held::default(),
            asks: Vec::new(),
            fresh: Vec::new(),
            unseen: VecDeque::new(),
            replies: VecDeque::new(),
            turned_away: None,
            heard: 0,
            unattended: beginning.unattended,
            stop: None,
            fault: None,
            begin: Vec::new(),
        }
    }

    /// Records how this stretch of execution begins, and runs it to its end.
    ///
    /// A run that has ended only begins again when somebody wants something of it.
    pub(crate) async fn run(mut self, begin: Vec<Body>, requests: Vec<Message>) -> Outcome {
        if let Some(complaint) = self.answers.complaint.take() {
            self.observer.warning(&complaint);
        }
        for unknown in self.answers.unknown(&self.plan) {
            self.observer.warning(&unknown);
        }
        self.begin = begin;
        if self.facts.finished.is_none() {
            self.begin_now();
        }
        // What was due while nobody executed the run is so before anything else is asked of it.
        self.due();
        for message in requests {
            if let Err(refusal) = self.obey(&message) {
                match self.locks.denied.take() {
                    Some(reason) => self.turned_away = Some(reason),
                    None => self.observer.warning(&refusal.message),
                }
            }
        }
        self.read_inbox();
        // Whoever is to act on it at once, beside this, gets the chance.
        tokio::task::yield_now().await;
        while let Some(happening) = self.next().now_or_never() {
            self.handle(happening);
        }
        loop {
            self.settle();
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            let happening = self.next().await;
            self.handle(happening);
            // What has happened at the same time goes into the same commit.
            while let Some(Some(happening)) = self.fault.is_none().then(|| self.next().now_or_never()) {
                self.handle(happening);
            }
        }
    }

    async fn next(&mut self) -> Happening {
        // While a commit is under way its end is what is waited for; timers are looked at then.
        let idle = self.unseen.is_empty() && self.stop.is_none() && self.fault.is_none();
        let due = if idle { self.next_due().map(|due| self.clock.at(due)) } else { None };
        let Sources { journal, spawned, live, controlled } = &mut self.sources;
        // The senders of these channels live as long as this loop.
        tokio::select! {
            biased;
            Some(wake) = journal.recv() => Happening::Journal(wake),
            Some(spawned) = spawned.recv() => Happening::Spawned(spawned),
            Some((job, body)) = self.jobs.next() => Happening::Done(job, body),
            Some(controlled) = controlled.recv() => Happening::Controlled(controlled),
            () = async { tokio::time::sleep_until(due.unwrap_or_else(tokio::time::Instant::now)).await }, if due.is_some() => {
                Happening::Due
            }
            Some(live) = live.recv() => Happening::Live(live),
        }
    }

    /// What is due comes first: an answer after the last moment is late, whenever we hear of it.
    fn handle(&mut self, happening: Happening) {
        self.due();
        match happening {
            Happening::Done(job, body) => self.done(job, body),
            Happening::Journal(Wake::Durable(seq)) => self.reached(seq),
            Happening::Journal(Wake::Fault(fault)) => self.fail(&fault),
            Happening::Journal(Wake::Nudged) => {
                self.take_locks();
                self.read_inbox();
            }
            Happening::Spawned(Spawned { task, attempt, group: Group { leader, start_time, session } }) => {
                self.record(Body::Spawned { task, attempt, pid: leader, start_time, session });
            }
            Happening::Live(live) => self.show(live),
            Happening::Controlled(controlled) => self.controlled(controlled),
            Happening::Due => {}
        }
    }

    /// Records that this executor has begun, and takes what the run needs.
    fn begin_now(&mut self) {
        for body in std::mem::take(&mut self.begin) {
            self.record_body(body);
        }
        self.take_locks();
    }

    fn view(&self) -> View<'_> {
        View { plan: &self.plan, registry: &self.registry, kernel: &self.kernel, facts: &self.facts }
    }

    /// Performs commands until nothing more follows at this moment, then hands the records to the journal.
    fn settle(&mut self) {
        loop {
            while let Some(command) = self.queue.pop_front() {
                self.perform(command);
            }
            self.ask();
            if self.queue.is_empty() {
                break;
            }
        }
        self.flush(&[]);
    }

    fn perform(&mut self, command: Command) {
        if self.stop.is_some() || self.fault.is_some() {
            // It is still outstanding in the kernel: whoever resumes performs it.
            return;
        }
        match command {
            // It was withdrawn before we came to it.
            Command::Prepare { task, attempt } if !self.is_preparing(task, attempt) => {}
            Command::Perform { task, .. }
                if needs_barrier(&self.plan, task) && self.durable < self.facts.last_seq =>
            {
                self.held.until(self.facts.last_seq, command);
            }
            Command::Prepare { task, .. } | Command::Check { task, .. } => self.start_or_hold(command, task),
            Command::Perform { .. } => self.start(command),
            Command::Close { task, attempt } => {
                let body = self.attempts.close(self.view(), task, attempt);
                self.record(body);
            }
            // These are done as they come.
            Command::Arm { .. } | Command::Disarm { .. } => {}
            Command::Ask { about } => self.asks.push(about),
            Command::Withdraw { about } => self.asks.retain(|ask| *ask != about),
            Command::Abandon { task } => self.abandon(task),
            Command::Interrupt { task } => self.interrupt(task),
            Command::Finish => self.finish(),
        }
    }

    fn is_preparing(&self, task: TaskId, attempt: u32) -> bool {
        let task = self.kernel.task(task);
        task.is_some_and(|task| task.state == TaskState::Preparing && task.attempt == attempt)
    }

    fn start(&mut self, command: Command) {
        let job = self.jobs.begin(command);
        let view =
            View { plan: &self.plan, registry: &self.registry, kernel: &self.kernel, facts: &self.facts };
        let (answer, at_once) = match command {
            Command::Prepare { task, attempt } => {
                (self.attempts.prepare(view, task, attempt, &job.cancel), true)
            }
            Command::Perform { task, attempt } => {
                let pure = view.plan.program.nodes[index(task.node)].effect == Effect::Pure;
                (self.attempts.perform(view, task, attempt, &job.cancel), pure)
            }
            Command::Check { task, probe, round } => {
                (self.attempts.check(view, task, probe, round, &job.cancel), false)
            }
            _ => return,
        };
        match answer {
            Answer::Now(body) => self.done(job.id, *body),
            Answer::Later(mut future) => {
                // What can be known without waiting is known before the next commit.
                let known = if at_once { (&mut future).now_or_never() } else { None };
                match known {
                    Some(body) => self.done(job.id, body),
                    None => self.jobs.spawn(job.id, future),
                }
            }
        }
    }

    /// A job has ended. If nobody waits for it any more it has no consequences.
    fn done(&mut self, job: JobId, body: Body) {
        if let Some(command) = self.jobs.end(job)
            && self.counts(command, &body)
        {
            self.record(body);
        }
    }

    /// A task is not to go on. What it still has outstanding is told by the kernel.
    fn abandon(&mut self, task: TaskId) {
        let outstanding = self.kernel.outstanding();
        let gone =
            |command: &Command| jobs::task_of(*command) == Some(task) && !outstanding.contains(command);
        self.held.forget(gone);
        self.jobs.abandon(gone);
    }

    /// What a task performs is to stop; its end is recorded all the same.
    fn interrupt(&mut self, task: TaskId) {
        let is_it = |command: &Command| matches!(command, Command::Perform { task: of, .. } if *of == task);
        if let Some(Command::Perform { task, attempt }) = self.held.take(is_it) {
            let body = Attempts::not_begun(self.view(), task, attempt);
            self.record(body);
        }
        let expired = self.kernel.task(task).is_some_and(|view| view.expired);
        self.jobs.cancel(is_it, if expired { Cancelled::Timeout } else { Cancelled::Run });
    }

    fn next_due(&self) -> Option<Ms> {
        [self.timers.next(), self.lock_deadline()].into_iter().flatten().min()
    }

    /// Timers that are due are facts.
    fn due(&mut self) {
        let now = self.clock.elapsed_ms();
        if self.stop.is_some() || self.next_due().is_none_or(|due| due > now) {
            return;
        }
        if self.lock_deadline().is_some_and(|deadline| deadline <= now) {
            self.take_locks();
        }
        while let Some(timer) = self.timers.take(now) {
            let task = self.view().name(timer.task);
            self.record(Body::Fired { task, timer: record::purpose(timer.purpose) });
        }
    }

    /// Puts the new questions, and answers those that the answers file answers.
    fn ask(&mut self) {
        for about in std::mem::take(&mut self.asks) {
            if self.facts.asked_at(about).is_none() {
                let (question, show) = question(self.view(), about);
                let deadline_wall_ms = self.deadline(about);
                let about = record::about(about, &|task| self.view().name(task));
                self.record(Body::Asked { about, question, show, deadline_wall_ms });
            }
            for message in self.answers.to(self.view(), about) {
                // More answers than were needed are no fault.
                if !self.kernel.questions().contains(&about) {
                    break;
                }
                if let Err(refusal) = self.obey(&message) {
                    let step = crate::facts::task_of(about)
                        .map_or_else(String::new, |task| format!("{}: ", self.view().name(task).path));
                    self.observer.warning(&format!("answers file: {step}{}", refusal.message));
                }
            }
        }
    }

    fn deadline(&self, about: About) -> Option<u64> {
        let task = crate::facts::task_of(about)?;
        let timer = runbook_kernel::Timer { task, purpose: runbook_kernel::TimerPurpose::GiveUp(None) };
        let left = self.timers.due(timer)?.saturating_sub(self.clock.elapsed_ms());
        Some(self.clock.wall_ms() + left)
    }

    fn show(&mut self, live: Live) {
        match live {
            Live::Progress(task, line) => self.observer.progress(&task, &line),
            Live::Output(task, attempt, stream, text) => {
                self.observer.output(&task, &LogLine { attempt, stream, text: &text });
            }
            Live::Warning(text) => self.observer.warning(&text),
        }
    }
}

/// Whether performing a task changes the world.
fn needs_barrier(plan: &Plan, task: TaskId) -> bool {
    matches!(plan.program.nodes[index(task.node)].effect, Effect::Write | Effect::Notify)
}
