//! A run of a kernel in a world, watched.

use runbook_kernel::{Command, Event, Fact, Kernel, Ms, Phase, TaskId};

use crate::watch::Watch;
use crate::world::{Temper, World};

/// What is done to a run while it goes on, each about once in so many events; 0 is never.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mischief {
    pub(crate) crash: u64,
    pub(crate) gap: Ms,
    pub(crate) pause: u64,
    pub(crate) cancel: u64,
    /// An event that was heard before comes again.
    pub(crate) echo: u64,
    /// How often a run that has ended is asked to roll back.
    pub(crate) rollbacks: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Simulation {
    pub(crate) kernel: Kernel,
    pub(crate) world: World,
    pub(crate) watch: Watch,
    pub(crate) events: Vec<Event>,
    mischief: Mischief,
    dice: u64,
}

/// More than any run of a generated program takes.
const MANY: usize = 20_000;

impl Simulation {
    pub(crate) fn new(
        program: runbook_kernel::Program,
        temper: Temper,
        mischief: Mischief,
        order: u64,
    ) -> Simulation {
        Simulation {
            kernel: Kernel::new(program.clone()),
            world: World::new(program, temper, order),
            watch: Watch::default(),
            events: Vec::new(),
            mischief,
            dice: order ^ 0x5bd1_e995,
        }
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        if self.events.is_empty() {
            self.feed(Fact::Began { seed: 11 })?;
            if self.once_in(self.mischief.pause) {
                self.feed(Fact::Barred)?;
                self.crash()?;
                let refused = self.once_in(4);
                self.feed(if refused { Fact::Refused } else { Fact::Admitted })?;
            }
        }
        while self.advance()? {}
        Ok(())
    }

    /// One event; false when the run has ended and nobody wants it rolled back any more.
    pub(crate) fn advance(&mut self) -> Result<bool, String> {
        if self.events.len() > MANY {
            return Err("it never ends".into());
        }
        if self.kernel.phase() == Phase::Ended {
            self.watch.end(&self.kernel, &self.world)?;
            if self.mischief.rollbacks == 0 {
                return Ok(false);
            }
            self.mischief.rollbacks -= 1;
            let to = self.some_task();
            self.feed(Fact::RollbackRequested { to })?;
            return Ok(true);
        }
        self.meddle()?;
        if self.kernel.phase() == Phase::Ended {
            return Ok(true);
        }
        match self.world.next(&self.kernel) {
            Some(event) => self.take(event)?,
            None if self.kernel.status().paused => self.feed(Fact::Unpaused)?,
            None => return Err(format!("stalled in {:?}", self.kernel.status())),
        }
        Ok(true)
    }

    /// The executor dies, and another takes the run over.
    pub(crate) fn crash(&mut self) -> Result<(), String> {
        let program = self.world.program.clone();
        let replayed = Kernel::replay(program, self.events.iter().copied());
        if replayed != self.kernel {
            return Err("the replay differs from the live state".into());
        }
        self.world.crash(&self.kernel);
        self.kernel = replayed;
        let gap = self.mischief.gap;
        self.world.now += gap;
        self.feed(Fact::Resumed { gap })
    }

    pub(crate) fn feed(&mut self, fact: Fact) -> Result<(), String> {
        self.take(Event { at: self.world.now, fact })
    }

    fn take(&mut self, event: Event) -> Result<(), String> {
        let mut commands: Vec<Command> = Vec::new();
        self.events.push(event);
        self.kernel.step(event, &mut commands);
        self.world.accept(&commands, &self.kernel);
        self.watch.step(&event, &commands, &self.kernel, &self.world)?;
        self.watch.outstanding(&self.kernel, &self.world)
    }

    fn once_in(&mut self, many: u64) -> bool {
        self.dice = self.dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        many > 0 && (self.dice >> 33).is_multiple_of(many)
    }

    fn some_task(&mut self) -> Option<TaskId> {
        if self.once_in(2) {
            return None;
        }
        let nodes = self.world.program.nodes.len() as u64;
        let node = runbook_kernel::NodeId(((self.dice >> 40) % nodes) as u32);
        let to = TaskId { frame: 0, node };
        self.kernel.may_roll_back(Some(to)).is_ok().then_some(to)
    }

    fn meddle(&mut self) -> Result<(), String> {
        let Mischief { crash, pause, cancel, echo, .. } = self.mischief;
        if self.once_in(crash) {
            self.crash()?;
        }
        if self.once_in(pause) {
            self.feed(Fact::Paused)?;
        }
        if self.once_in(pause) {
            self.feed(Fact::Unpaused)?;
        }
        if self.once_in(cancel) {
            self.feed(Fact::CancelRequested)?;
        }
        if self.once_in(echo) {
            self.echo()?;
        }
        Ok(())
    }

    /// An event that was heard before comes again, and changes nothing.
    fn echo(&mut self) -> Result<(), String> {
        let Event { fact, .. } = self.events[(self.dice >> 35) as usize % self.events.len()];
        let fits = match fact {
            Fact::Fired { timer } => self.world.open.iter().any(|(command, from)| {
                matches!(command, Command::Arm { timer: armed, .. } if *armed == timer && *from <= self.world.now)
            }),
            Fact::Answered { about, .. } => {
                self.world.open.iter().any(|(command, _)| *command == Command::Ask { about })
            }
            Fact::CancelRequested
            | Fact::Barred
            | Fact::Admitted
            | Fact::Refused
            | Fact::Paused
            | Fact::Unpaused
            | Fact::Resumed { .. }
            | Fact::Finished => true,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let before = self.kernel.clone();
        let mut commands = Vec::new();
        // Not later than what the kernel has heard: time alone would be a difference.
        self.kernel.step(Event { at: 0, fact }, &mut commands);
        let absorbed = commands.is_empty() && before == self.kernel;
        if absorbed { Ok(()) } else { Err(format!("{fact:?} came again and was not absorbed: {commands:?}")) }
    }
}
