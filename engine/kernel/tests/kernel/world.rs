//! A world that answers commands: on a virtual clock, in an order that a seed decides, and with outcomes that are a
//! function of what is done, not of when.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use runbook_kernel::{
    About, Answer, Command, Effect, Ended, Event, Fact, FailureClass, Frame, FrameRole, Kernel, Kind, Ms,
    NodeId, PersonId, Probe, Program, Seen, TaskId,
};

use crate::generate::LONGEST;

/// A task as the world knows it: by where it is, not by the number of its frame.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) node: NodeId,
    /// The items around it.
    pub(crate) items: Vec<u32>,
    pub(crate) incarnation: u32,
}

/// How likely things go wrong, in percent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Temper {
    pub(crate) seed: u64,
    pub(crate) trouble: u32,
    /// Probes of guards fail, things take long, people let time pass.
    pub(crate) timing: bool,
    /// Nothing fails for good: answers get lost, gates close, and people say what is there.
    pub(crate) mild: bool,
}

/// How an attempt really goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Done {
        warning: bool,
    },
    /// It says that it is done, and is not.
    Lied,
    /// Whether a part of its effect is there.
    Failed {
        partial: bool,
    },
    NotDone,
    /// The answer is lost; whether the effect is there.
    Unknown {
        applied: bool,
    },
}

impl Deed {
    /// Its effect is there.
    fn applies(self) -> bool {
        matches!(self, Deed::Done { .. } | Deed::Unknown { applied: true })
    }
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) program: Program,
    temper: Temper,
    pub(crate) now: Ms,
    /// Decides the order of answers.
    order: u64,
    /// Commands that are not answered, and from when on the answer may come.
    pub(crate) open: Vec<(Command, Ms)>,
    /// How many attempts of a task came to an end.
    attempts: BTreeMap<Place, u32>,
    probes: BTreeMap<(Place, Probe), u32>,
    /// Whether the effect of a write is there.
    pub(crate) applied: BTreeSet<Place>,
    /// Whether a part of it is, which no probe takes for all of it.
    partial: BTreeSet<Place>,
    /// How often a task looked at its gates.
    looks: BTreeMap<(Place, &'static str), u32>,
    asked: BTreeMap<String, u32>,
    pub(crate) interrupted: BTreeSet<TaskId>,
}

impl World {
    pub(crate) fn new(program: Program, temper: Temper, order: u64) -> World {
        World {
            program,
            temper,
            now: 0,
            order,
            open: Vec::new(),
            attempts: BTreeMap::new(),
            probes: BTreeMap::new(),
            applied: BTreeSet::new(),
            partial: BTreeSet::new(),
            looks: BTreeMap::new(),
            asked: BTreeMap::new(),
            interrupted: BTreeSet::new(),
        }
    }

    /// Takes the kernel's commands.
    pub(crate) fn accept(&mut self, commands: &[Command], kernel: &Kernel) {
        for &command in commands {
            match command {
                Command::Disarm { timer } => {
                    self.open.retain(
                        |(open, _)| !matches!(open, Command::Arm { timer: armed, .. } if *armed == timer),
                    );
                }
                Command::Withdraw { about } => {
                    self.open.retain(|(open, _)| *open != Command::Ask { about });
                }
                Command::Abandon { task } => {
                    self.interrupted.remove(&task);
                    self.open.retain(|(open, _)| match open {
                        Command::Prepare { task: of, .. }
                        | Command::Perform { task: of, .. }
                        | Command::Check { task: of, .. } => *of != task,
                        _ => true,
                    });
                }
                Command::Interrupt { task } => {
                    self.interrupted.insert(task);
                }
                Command::Arm { timer, due } => {
                    self.open.retain(
                        |(open, _)| !matches!(open, Command::Arm { timer: armed, .. } if *armed == timer),
                    );
                    self.open.push((command, due));
                }
                _ => {
                    let lasts = self.lasts(command, kernel);
                    self.open.push((command, self.now + lasts));
                }
            }
        }
    }

    fn lasts(&self, command: Command, kernel: &Kernel) -> Ms {
        if !self.temper.timing {
            return 0;
        }
        match command {
            Command::Perform { task, .. } | Command::Check { task, .. } => {
                let place = self.place(task, kernel);
                self.roll(&(place, "lasts")) % LONGEST
            }
            Command::Ask { .. } => self.roll(&(format!("{command:?}"), "lasts")) % 300,
            _ => 0,
        }
    }

    /// What happens next; `None` if nothing can.
    pub(crate) fn next(&mut self, kernel: &Kernel) -> Option<Event> {
        let now = self.open.iter().map(|(_, from)| *from).min()?.max(self.now);
        let ripe: Vec<usize> = (0..self.open.len()).filter(|at| self.open[*at].1 <= now).collect();
        self.order = self.order.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let at = ripe[(self.order >> 33) as usize % ripe.len()];
        self.now = now;
        let (command, from) = self.open[at];
        if !matches!(command, Command::Ask { .. }) {
            self.open.remove(at);
        } else {
            // Asked until it is withdrawn; people answer again after a while.
            self.open[at].1 = from.max(now) + 1;
        }
        Some(Event { at: self.now, fact: self.answer(command, kernel) })
    }

    /// The executor dies: what it was performing may have had its effect, and is answered by nobody.
    pub(crate) fn crash(&mut self, kernel: &Kernel) {
        for (command, _) in std::mem::take(&mut self.open) {
            if let Command::Perform { task, .. } = command {
                let place = self.place(task, kernel);
                let deed = self.deed(&place);
                let half = self.roll(&(place.clone(), "crash")).is_multiple_of(2);
                if half && deed.applies() {
                    self.apply(&place);
                }
            }
        }
        self.interrupted.clear();
    }

    pub(crate) fn place(&self, task: TaskId, kernel: &Kernel) -> Place {
        let mut items = Vec::new();
        let mut frame = task.frame;
        while let Some(Frame { parent: Some(parent), role }) = kernel.frame(frame) {
            items.push(match role {
                FrameRole::Item(index) => index,
                FrameRole::Between(batch) => 1000 + batch,
                FrameRole::Run => 0,
            });
            frame = parent.frame;
        }
        Place { node: task.node, items, incarnation: kernel.incarnation(task) }
    }

    fn roll(&self, of: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.temper.seed, of).hash(&mut hasher);
        hasher.finish()
    }

    fn trouble(&self, of: &impl Hash) -> bool {
        self.roll(of) % 100 < u64::from(self.temper.trouble)
    }

    /// How the next attempt at this place goes.
    pub(crate) fn deed(&self, place: &Place) -> Deed {
        let nth = self.attempts.get(place).copied().unwrap_or(0);
        let write = self.program.nodes[place.node.0 as usize].effect == Effect::Write;
        if !self.trouble(&(place, nth)) {
            return Deed::Done { warning: self.roll(&(place, nth, "warning")).is_multiple_of(10) };
        }
        match self.roll(&(place, nth, "deed")) % 8 {
            _ if self.temper.mild && write => Deed::Unknown { applied: true },
            _ if self.temper.mild => Deed::Done { warning: false },
            0..=1 => Deed::Failed { partial: false },
            2 => Deed::Failed { partial: write },
            3 => Deed::NotDone,
            4 if write => Deed::Lied,
            5 if write => Deed::Unknown { applied: true },
            6 if write => Deed::Unknown { applied: false },
            _ => Deed::Failed { partial: false },
        }
    }

    /// Writes whose effect is there, or some of it.
    pub(crate) fn in_effect(&self) -> impl Iterator<Item = &Place> {
        self.applied.union(&self.partial)
    }

    fn effect(&self, task: TaskId) -> Effect {
        self.program.nodes[task.node.0 as usize].effect
    }

    fn apply(&mut self, place: &Place) {
        if self.program.nodes[place.node.0 as usize].effect == Effect::Write {
            self.applied.insert(place.clone());
        }
    }

    fn answer(&mut self, command: Command, kernel: &Kernel) -> Fact {
        match command {
            Command::Prepare { task, attempt } => self.prepare(task, attempt, kernel),
            Command::Perform { task, attempt } => {
                let place = self.place(task, kernel);
                if self.interrupted.contains(&task) {
                    // It ends in another way.
                } else if let Some(gate) = self.closed_gate(&place, "gate at the effect", task, kernel) {
                    return Fact::GateClosed { task, attempt, gate };
                }
                let mut deed = self.deed(&place);
                if self.interrupted.remove(&task) {
                    deed = if self.roll(&(&place, "stop")).is_multiple_of(2) {
                        Deed::Failed { partial: true }
                    } else {
                        Deed::Unknown { applied: false }
                    };
                }
                *self.attempts.entry(place.clone()).or_default() += 1;
                let how = match deed {
                    Deed::Done { warning } => Ended::Done { warning },
                    Deed::Lied => Ended::Done { warning: false },
                    // Half of the checks that fail could not see what they look for.
                    Deed::Failed { .. }
                        if self.effect(task) == Effect::Read
                            && self.roll(&(&place, "blind")).is_multiple_of(2) =>
                    {
                        Ended::Failed(FailureClass::Inconclusive)
                    }
                    Deed::Failed { .. } => Ended::Failed(FailureClass::Error),
                    Deed::NotDone => Ended::NotDone(FailureClass::Connect),
                    Deed::Unknown { .. } => Ended::Unknown(FailureClass::Timeout),
                };
                if deed.applies() {
                    self.apply(&place);
                } else if deed == (Deed::Failed { partial: true }) && self.effect(task) == Effect::Write {
                    self.partial.insert(place);
                }
                Fact::Ended { task, attempt, how }
            }
            Command::Check { task, probe, round } => {
                Fact::Checked { task, probe, round, seen: self.see(task, probe, kernel) }
            }
            Command::Close { task, attempt } => {
                let ok = self.temper.mild || !self.trouble(&(self.place(task, kernel), "close"));
                Fact::Closed { task, attempt, ok }
            }
            Command::Arm { timer, .. } => Fact::Fired { timer },
            Command::Ask { about } => Fact::Answered { about, answer: self.say(about, kernel) },
            Command::Finish => Fact::Finished,
            Command::Disarm { .. }
            | Command::Withdraw { .. }
            | Command::Abandon { .. }
            | Command::Interrupt { .. } => unreachable!("these are not kept open"),
        }
    }

    fn prepare(&mut self, task: TaskId, attempt: u32, kernel: &Kernel) -> Fact {
        let place = self.place(task, kernel);
        if self.roll(&(place.node, &place.items, "when")).is_multiple_of(12) {
            return Fact::Skipped { task, attempt };
        }
        let nth = self.attempts.get(&place).copied().unwrap_or(0);
        if !self.temper.mild
            && self.trouble(&(&place, nth, "prepare"))
            && self.roll(&(&place, nth)).is_multiple_of(4)
        {
            *self.attempts.entry(place).or_default() += 1;
            return Fact::Ended { task, attempt, how: Ended::Failed(FailureClass::Error) };
        }
        if let Some(gate) = self.closed_gate(&place, "gate", task, kernel) {
            return Fact::GateClosed { task, attempt, gate };
        }
        match &self.program.nodes[task.node.0 as usize].kind {
            Kind::Action | Kind::WaitFor(_) | Kind::WaitUntil(_) | Kind::Human(_) => {
                Fact::Started { task, attempt }
            }
            Kind::Group { .. } => Fact::Entered { task, attempt },
            Kind::Switch { cases } => {
                let case = self.roll(&(place.node, &place.items, "case")) % cases.len() as u64;
                Fact::Branch { task, attempt, case: case as u32 }
            }
            Kind::Each(_) => Fact::Items { task, attempt, count: self.items(task, kernel) },
        }
    }

    /// A gate that a task had passed, and finds closed: any of them, any time that it looks.
    fn closed_gate(
        &mut self,
        place: &Place,
        when: &'static str,
        task: TaskId,
        kernel: &Kernel,
    ) -> Option<TaskId> {
        let looks = self.looks.entry((place.clone(), when)).or_default();
        *looks += 1;
        let of = (place, when, *looks);
        let gates = &self.program.nodes[task.node.0 as usize].gates;
        let gate = *gates.get(self.roll(&(&of, "which")) as usize % gates.len().max(1))?;
        let gate = kernel.visible(task, gate)?;
        let passed = kernel.task(gate).is_some_and(|view| view.state == runbook_kernel::TaskState::Done);
        (passed && self.roll(&of).is_multiple_of(6)).then_some(gate)
    }

    /// How many items a `for_each` has.
    pub(crate) fn items(&self, task: TaskId, kernel: &Kernel) -> u32 {
        let place = self.place(task, kernel);
        (self.roll(&(place.node, &place.items, "items")) % 6) as u32
    }

    fn see(&mut self, task: TaskId, probe: Probe, kernel: &Kernel) -> Seen {
        let place = self.place(task, kernel);
        let nth = self.probes.entry((place.clone(), probe)).or_default();
        *nth += 1;
        let nth = *nth;
        let blurred = self.roll(&(&place, probe, nth)).is_multiple_of(10);
        let action = matches!(self.program.nodes[task.node.0 as usize].kind, Kind::Action);
        match probe {
            // Of a whole group: the same whenever one looks.
            Probe::Verify if !action && !self.temper.mild && self.trouble(&(&place, "whole")) => Seen::Fail,
            Probe::Verify if !action => Seen::Pass,
            Probe::Verify if self.applied.contains(&place) => Seen::Pass,
            Probe::Verify | Probe::NotDone if blurred => Seen::Inconclusive,
            Probe::Verify => Seen::Fail,
            Probe::NotDone if self.applied.contains(&place) => Seen::Fail,
            Probe::NotDone => Seen::Pass,
            Probe::Until => {
                let from = self.roll(&(&place, "until")) % 5;
                if self.temper.timing && !self.temper.mild && self.trouble(&(&place, "never")) {
                    Seen::Fail
                } else if u64::from(nth) > from {
                    Seen::Pass
                } else {
                    Seen::Fail
                }
            }
            Probe::Guard(_) if !self.temper.mild && self.trouble(&(&place, probe, nth, "guard")) => {
                Seen::Fail
            }
            Probe::Guard(_) => Seen::Pass,
        }
    }

    fn say(&mut self, about: About, kernel: &Kernel) -> Answer {
        let nth = self.asked.entry(format!("{about:?}")).or_default();
        *nth += 1;
        let nth = *nth;
        match about {
            About::Human(task) => {
                let place = self.place(task, kernel);
                if !self.temper.mild
                    && self.trouble(&(&place, "reject"))
                    && self.roll(&(&place, "no")).is_multiple_of(3)
                {
                    Answer::Reject(PersonId(0))
                } else {
                    // Some approve twice, and the one who started the run tries too.
                    Answer::Approve(PersonId(nth / 2 % 5))
                }
            }
            About::InDoubt(task) => {
                let place = self.place(task, kernel);
                // Some would rather have it done once more, or undone.
                let rather = self.temper.timing && !self.temper.mild && nth % 3 == 1;
                match self.roll(&(&place, "rather")) % 8 {
                    0..2 if rather => Answer::Retry,
                    2 if rather => Answer::Undo,
                    _ if self.applied.contains(&place) => Answer::Done,
                    _ => Answer::NotDone,
                }
            }
            About::Warning(task) => {
                let place = self.place(task, kernel);
                if !self.temper.mild && self.trouble(&(&place, "warning")) {
                    Answer::Fail
                } else {
                    Answer::Keep
                }
            }
            About::Rollback(task) => {
                let place = task.map(|task| self.place(task, kernel));
                if self.roll(&(place, "rollback")).is_multiple_of(3) { Answer::Keep } else { Answer::Undo }
            }
            About::AfterPivot if nth == 1 && self.roll(&"pivot").is_multiple_of(2) => Answer::Retry,
            About::AfterPivot => Answer::Keep,
            About::Drift(task) => {
                let place = self.place(task, kernel);
                if self.roll(&(place, "drift")).is_multiple_of(5) { Answer::Keep } else { Answer::Undo }
            }
        }
    }
}
