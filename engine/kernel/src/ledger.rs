//! The commands that are out and not answered.
//!
//! Nothing else remembers what was asked for: an answer that matches no entry is late or a duplicate and is absorbed
//! at this door, and what a resumed run must issue again is simply what is still written here.

use std::collections::{BTreeMap, BTreeSet};

use crate::{About, Command, Ms, Probe, TaskId, Timer, TimerPurpose};

/// What an entry is about; the entries of a task lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Work,
    Check(Probe),
    Close,
    Timer(TimerPurpose),
    Ask(Question),
    Finish,
}

/// [`About`] without its task. Its order is not otherwise used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Human,
    InDoubt,
    Warning,
    Rollback,
    AfterPivot,
    Drift,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// `Prepare`, and whether it takes one of the slots of `max_parallel`.
    Prepare(u32, bool),
    /// `Perform`, and whether it was told to stop.
    Perform(u32, bool),
    /// A round, an attempt, a due time, or nothing.
    Number(u64),
}

impl Entry {
    /// How many slots it takes.
    fn slots(self) -> u32 {
        u32::from(matches!(self, Entry::Prepare(_, true) | Entry::Perform(..)))
    }
}

/// What is being worked on for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Prepare { attempt: u32 },
    Perform { attempt: u32, interrupted: bool },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ledger {
    entries: BTreeMap<(TaskId, Item), Entry>,
    /// The task that stands for the run.
    run: TaskId,
    /// Entries that take a slot.
    busy: u32,
    /// The last round given to a `Check`.
    round: u32,
    /// Issued since the last [`Ledger::drain`].
    out: Vec<Command>,
}

impl Ledger {
    pub(crate) fn new(run: TaskId) -> Ledger {
        Ledger { entries: BTreeMap::new(), run, busy: 0, round: 0, out: Vec::new() }
    }

    /// How many tasks are in prepare or in an attempt, but for those that wait for people.
    pub(crate) fn busy(&self) -> u32 {
        self.busy
    }

    /// What was issued since the last call.
    pub(crate) fn drain(&mut self, out: &mut Vec<Command>) {
        out.append(&mut self.out);
    }

    /// All that is out, as commands; replaces what was issued since the last [`Ledger::drain`].
    pub(crate) fn reissue(&mut self) {
        self.out = self.outstanding();
    }

    pub(crate) fn outstanding(&self) -> Vec<Command> {
        let mut commands = Vec::with_capacity(self.entries.len());
        for (&(task, item), &entry) in &self.entries {
            let command = match (item, entry) {
                (Item::Work, Entry::Prepare(attempt, _)) => Command::Prepare { task, attempt },
                (Item::Work, Entry::Perform(attempt, _)) => Command::Perform { task, attempt },
                (Item::Check(probe), Entry::Number(round)) => {
                    Command::Check { task, probe, round: round as u32 }
                }
                (Item::Close, Entry::Number(attempt)) => Command::Close { task, attempt: attempt as u32 },
                (Item::Timer(purpose), Entry::Number(due)) => {
                    Command::Arm { timer: Timer { task, purpose }, due }
                }
                (Item::Ask(question), _) => Command::Ask { about: self.about(task, question) },
                (Item::Finish, _) => Command::Finish,
                (Item::Work, Entry::Number(_)) | (_, Entry::Prepare(..) | Entry::Perform(..)) => {
                    unreachable!("entries are written by the methods below, each with its own kind of item")
                }
            };
            commands.push(command);
            if let Entry::Perform(_, true) = entry {
                commands.push(Command::Interrupt { task });
            }
        }
        commands
    }

    /// `slot`: it takes one of those that `max_parallel` counts.
    pub(crate) fn prepare(&mut self, task: TaskId, attempt: u32, slot: bool) {
        self.work_on(task, Entry::Prepare(attempt, slot));
        self.out.push(Command::Prepare { task, attempt });
    }

    pub(crate) fn perform(&mut self, task: TaskId, attempt: u32) {
        self.work_on(task, Entry::Perform(attempt, false));
        self.out.push(Command::Perform { task, attempt });
    }

    fn work_on(&mut self, task: TaskId, entry: Entry) {
        let before = self.entries.insert((task, Item::Work), entry);
        self.busy += entry.slots();
        self.busy -= before.map_or(0, Entry::slots);
    }

    pub(crate) fn interrupt(&mut self, task: TaskId) {
        if let Some(Entry::Perform(_, interrupted)) = self.entries.get_mut(&(task, Item::Work))
            && !std::mem::replace(interrupted, true)
        {
            self.out.push(Command::Interrupt { task });
        }
    }

    pub(crate) fn work(&self, task: TaskId) -> Option<Work> {
        match self.entries.get(&(task, Item::Work))? {
            Entry::Prepare(attempt, _) => Some(Work::Prepare { attempt: *attempt }),
            Entry::Perform(attempt, interrupted) => {
                Some(Work::Perform { attempt: *attempt, interrupted: *interrupted })
            }
            Entry::Number(_) => None,
        }
    }

    /// The work of a task was answered.
    pub(crate) fn worked(&mut self, task: TaskId) {
        self.busy -= self.entries.remove(&(task, Item::Work)).map_or(0, Entry::slots);
    }

    /// Every `Perform` that is out.
    pub(crate) fn performing(&self) -> Vec<(TaskId, bool)> {
        let performs = self.entries.iter().filter_map(|(&(task, _), entry)| match entry {
            Entry::Perform(_, interrupted) => Some((task, *interrupted)),
            Entry::Prepare(..) | Entry::Number(_) => None,
        });
        performs.collect()
    }

    pub(crate) fn check(&mut self, task: TaskId, probe: Probe) {
        self.round += 1;
        self.entries.insert((task, Item::Check(probe)), Entry::Number(self.round.into()));
        self.out.push(Command::Check { task, probe, round: self.round });
    }

    pub(crate) fn checking(&self, task: TaskId, probe: Probe) -> bool {
        self.entries.contains_key(&(task, Item::Check(probe)))
    }

    /// Takes the answer of a check; whether it was waited for.
    pub(crate) fn checked(&mut self, task: TaskId, probe: Probe, round: u32) -> bool {
        self.answered((task, Item::Check(probe)), round.into())
    }

    pub(crate) fn close(&mut self, task: TaskId, attempt: u32) {
        self.entries.insert((task, Item::Close), Entry::Number(attempt.into()));
        self.out.push(Command::Close { task, attempt });
    }

    pub(crate) fn closed(&mut self, task: TaskId, attempt: u32) -> bool {
        self.answered((task, Item::Close), attempt.into())
    }

    fn answered(&mut self, key: (TaskId, Item), number: u64) -> bool {
        let expected = self.entries.get(&key) == Some(&Entry::Number(number));
        if expected {
            self.entries.remove(&key);
        }
        expected
    }

    pub(crate) fn arm(&mut self, task: TaskId, purpose: TimerPurpose, due: Ms) {
        if self.entries.insert((task, Item::Timer(purpose)), Entry::Number(due)) != Some(Entry::Number(due)) {
            self.out.push(Command::Arm { timer: Timer { task, purpose }, due });
        }
    }

    /// When a timer is due, if it is armed.
    pub(crate) fn due(&self, task: TaskId, purpose: TimerPurpose) -> Option<Ms> {
        match self.entries.get(&(task, Item::Timer(purpose)))? {
            Entry::Number(due) => Some(*due),
            Entry::Prepare(..) | Entry::Perform(..) => None,
        }
    }

    /// Every armed timer for this purpose.
    pub(crate) fn armed(&self, purpose: TimerPurpose) -> Vec<(TaskId, Ms)> {
        let timers = self.entries.iter().filter_map(|(&(task, item), &entry)| match entry {
            Entry::Number(due) if item == Item::Timer(purpose) => Some((task, due)),
            _ => None,
        });
        timers.collect()
    }

    /// Takes the firing of a timer; whether it was armed and is due.
    pub(crate) fn fired(&mut self, timer: Timer, now: Ms) -> bool {
        let key = (timer.task, Item::Timer(timer.purpose));
        let due = matches!(self.entries.get(&key), Some(Entry::Number(due)) if *due <= now);
        if due {
            self.entries.remove(&key);
        }
        due
    }

    pub(crate) fn disarm(&mut self, task: TaskId, purpose: TimerPurpose) {
        if self.entries.remove(&(task, Item::Timer(purpose))).is_some() {
            self.out.push(Command::Disarm { timer: Timer { task, purpose } });
        }
    }

    pub(crate) fn ask(&mut self, about: About) {
        if self.entries.insert(self.key(about), Entry::Number(0)).is_none() {
            self.out.push(Command::Ask { about });
        }
    }

    pub(crate) fn asking(&self, about: About) -> bool {
        self.entries.contains_key(&self.key(about))
    }

    pub(crate) fn withdraw(&mut self, about: About) {
        if self.entries.remove(&self.key(about)).is_some() {
            self.out.push(Command::Withdraw { about });
        }
    }

    /// Every question that stands.
    pub(crate) fn questions(&self) -> Vec<About> {
        let asked = self.entries.keys().filter_map(|&(task, item)| match item {
            Item::Ask(question) => Some(self.about(task, question)),
            _ => None,
        });
        asked.collect()
    }

    pub(crate) fn finish(&mut self) {
        self.entries.insert((self.run, Item::Finish), Entry::Number(0));
        self.out.push(Command::Finish);
    }

    pub(crate) fn finished(&mut self) -> bool {
        self.entries.remove(&(self.run, Item::Finish)).is_some()
    }

    /// Ends all that goes on for a task.
    pub(crate) fn release(&mut self, task: TaskId) {
        self.drop_where(task, |_| true);
    }

    /// Ends all that goes on.
    pub(crate) fn release_all(&mut self) {
        let tasks: BTreeSet<TaskId> = self.entries.keys().map(|(task, _)| *task).collect();
        tasks.into_iter().for_each(|task| self.release(task));
    }

    /// Tasks with such a probe that looks, or will when that is due.
    pub(crate) fn polled(&self, is: impl Fn(Probe) -> bool) -> Vec<TaskId> {
        let looks = self.entries.keys().filter(|(_, item)| match item {
            Item::Check(probe) | Item::Timer(TimerPurpose::Poll(probe)) => is(*probe),
            _ => false,
        });
        looks.map(|(task, _)| *task).collect()
    }

    /// Ends every `Prepare` that is out; whose they were.
    pub(crate) fn abandon_prepares(&mut self) -> Vec<TaskId> {
        let prepares = self.entries.iter().filter(|(_, entry)| matches!(entry, Entry::Prepare(..)));
        let tasks: Vec<TaskId> = prepares.map(|(&(task, _), _)| task).collect();
        for &task in &tasks {
            self.drop_where(task, |item| item == Item::Work);
        }
        tasks
    }

    /// The attempt that is being prepared, or waits for its delay, does not come.
    pub(crate) fn call_off(&mut self, task: TaskId) {
        self.drop_where(task, |item| matches!(item, Item::Work | Item::Timer(TimerPurpose::Retry)));
    }

    /// Ends the guards of a task.
    pub(crate) fn unwatch(&mut self, task: TaskId) {
        self.drop_where(task, |item| {
            matches!(item, Item::Check(Probe::Guard(_)) | Item::Timer(TimerPurpose::Poll(Probe::Guard(_))))
        });
    }

    /// Lets the guards of a task look no more, but for the looks that are under way.
    pub(crate) fn unwatch_polls(&mut self, task: TaskId) {
        self.drop_where(task, |item| matches!(item, Item::Timer(TimerPurpose::Poll(Probe::Guard(_)))));
    }

    fn drop_where(&mut self, task: TaskId, which: impl Fn(Item) -> bool) {
        let all = (task, Item::Work)..=(task, Item::Finish);
        let dropped: Vec<Item> =
            self.entries.range(all).map(|(&(_, item), _)| item).filter(|item| which(*item)).collect();
        let mut abandoned = false;
        for item in dropped {
            self.busy -= self.entries.remove(&(task, item)).map_or(0, Entry::slots);
            match item {
                Item::Timer(purpose) => self.out.push(Command::Disarm { timer: Timer { task, purpose } }),
                Item::Ask(question) => {
                    let about = self.about(task, question);
                    self.out.push(Command::Withdraw { about });
                }
                Item::Work | Item::Check(_) | Item::Close | Item::Finish => {}
            }
            if matches!(item, Item::Work | Item::Check(_)) && !std::mem::replace(&mut abandoned, true) {
                self.out.push(Command::Abandon { task });
            }
        }
    }

    fn key(&self, about: About) -> (TaskId, Item) {
        let (task, question) = match about {
            About::Human(task) => (task, Question::Human),
            About::InDoubt(task) => (task, Question::InDoubt),
            About::Warning(task) => (task, Question::Warning),
            About::Rollback(task) => (task.unwrap_or(self.run), Question::Rollback),
            About::AfterPivot => (self.run, Question::AfterPivot),
            About::Drift(task) => (task, Question::Drift),
        };
        (task, Item::Ask(question))
    }

    fn about(&self, task: TaskId, question: Question) -> About {
        match question {
            Question::Human => About::Human(task),
            Question::InDoubt => About::InDoubt(task),
            Question::Warning => About::Warning(task),
            Question::Rollback => About::Rollback((task != self.run).then_some(task)),
            Question::AfterPivot => About::AfterPivot,
            Question::Drift => About::Drift(task),
        }
    }
}
