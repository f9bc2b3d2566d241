//! What must hold in every run, watched from outside: from the program, the events and the commands, and only for what
//! became of a task from the kernel's own word.

use std::collections::{BTreeMap, BTreeSet};

use runbook_kernel::{
    BatchSize, Command, Each, Event, Fact, Forward, FrameRole, Kernel, Kind, NodeId, Program, Rollback,
    ScopeRole, TaskId, TaskState, Undo, UndoState,
};

use crate::begin::{Begin, tolerated};
use crate::world::{Place, World};

#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    /// Where the tasks are that were performed.
    tasks: BTreeMap<Place, TaskId>,
    /// When each began, by the number of the event.
    begun: BTreeMap<Place, usize>,
    done: BTreeSet<Place>,
    /// Ended for good.
    over: BTreeSet<Place>,
    /// Owners whose undo completed.
    undone: BTreeSet<Place>,
    /// Undos under way, and whose.
    undoing: BTreeMap<Place, TaskId>,
    pivot: Option<usize>,
    requested: bool,
    count: usize,
    begin: Begin,
    /// What was to be prepared, by the attempt: a new executor is told again.
    prepared: BTreeSet<(TaskId, u32)>,
}

pub(crate) type Verdict = Result<(), String>;

pub(crate) fn require(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

impl Watch {
    /// Looks at one step: the kernel is the one after it.
    pub(crate) fn step(
        &mut self,
        event: &Event,
        commands: &[Command],
        kernel: &Kernel,
        world: &World,
    ) -> Verdict {
        self.count += 1;
        self.note(event, kernel, world)?;
        let mut commands = commands.to_vec();
        commands.retain(|command| match *command {
            Command::Prepare { task, attempt } => self.prepared.insert((task, attempt)),
            _ => true,
        });
        self.begin.step(event, &commands, kernel, world)?;
        for command in commands {
            match command {
                Command::Prepare { task, .. } => self.prepare(task, kernel, world)?,
                Command::Perform { task, .. } => {
                    let place = world.place(task, kernel);
                    require(!self.done.contains(&place), || {
                        format!("{place:?} is done and performed again")
                    })?;
                    self.tasks.insert(place, task);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Looks at what is out: the world and the kernel agree, and the limits hold.
    pub(crate) fn outstanding(&self, kernel: &Kernel, world: &World) -> Verdict {
        let mut theirs = kernel.outstanding();
        let stops = world.interrupted.iter().map(|task| Command::Interrupt { task: *task });
        let mut ours = world.open.iter().map(|(command, _)| *command).chain(stops);
        let missing = ours.find(|command| match theirs.iter().position(|other| other == command) {
            Some(at) => {
                theirs.swap_remove(at);
                false
            }
            None => true,
        });
        require(missing.is_none(), || format!("{missing:?} is open and not outstanding"))?;
        require(theirs.is_empty(), || format!("{theirs:?} are outstanding and were not issued"))?;
        let busy = world.open.iter().filter(|(command, _)| match *command {
            Command::Prepare { task, .. } | Command::Perform { task, .. } => !asks(&world.program, task.node),
            _ => false,
        });
        let limit = world.program.max_parallel.max(1) as usize;
        require(busy.count() <= limit, || format!("more than {limit} at once"))?;
        self.people(kernel, world)?;
        self.items(kernel, world)
    }

    /// Whoever could be asked is: a question waits for no work that is under way.
    fn people(&self, kernel: &Kernel, world: &World) -> Verdict {
        // Before anything began the run may be kept from starting.
        if kernel.status().paused || kernel.untouched() {
            return Ok(());
        }
        let nodes = (0u32..).map(NodeId).take(world.program.nodes.len());
        for node in nodes.filter(|node| asks(&world.program, *node)) {
            let frames = (0u32..).take_while(|frame| kernel.frame(*frame).is_some());
            let mut tasks = frames.map(|frame| TaskId { frame, node });
            let stands = |task: &TaskId| kernel.task(*task).map(|view| view.state) == Some(TaskState::Ready);
            let waits = tasks.find(stands);
            require(waits.is_none(), || format!("{waits:?} could be asked, and is not"))?;
        }
        Ok(())
    }

    fn note(&mut self, event: &Event, kernel: &Kernel, world: &World) -> Verdict {
        if let Fact::RollbackRequested { .. } = event.fact {
            self.requested = true;
        }
        let undoing = std::mem::take(&mut self.undoing);
        for (place, owner) in undoing {
            match kernel.task(owner).map(|view| view.undo) {
                Some(UndoState::Done) => drop(self.undone.insert(place)),
                Some(UndoState::Running) => drop(self.undoing.insert(place, owner)),
                _ => {}
            }
        }
        let Some(task) = subject(&event.fact) else { return Ok(()) };
        let Some(view) = kernel.task(task) else { return Ok(()) };
        let place = world.place(task, kernel);
        if matches!(
            event.fact,
            Fact::Started { .. } | Fact::Entered { .. } | Fact::Items { .. } | Fact::Branch { .. }
        ) {
            let count = self.count;
            self.begun.entry(place.clone()).or_insert(count);
            if world.program.nodes[task.node.0 as usize].pivot && kernel.pivot_crossed() {
                self.pivot.get_or_insert(count);
            }
        }
        if !kernel.pivot_crossed() {
            self.pivot = None;
        }
        if view.state == TaskState::Done {
            self.done.insert(place.clone());
        }
        if matches!(view.state, TaskState::Done | TaskState::Failed | TaskState::Skipped) {
            self.over.insert(place.clone());
        }
        Ok(())
    }

    fn prepare(&mut self, task: TaskId, kernel: &Kernel, world: &World) -> Verdict {
        let place = world.place(task, kernel);
        let node = &world.program.nodes[task.node.0 as usize];
        for &need in &node.needs {
            let need = TaskId { frame: task.frame, node: need };
            let state = kernel.task(need).map(|view| view.state);
            let satisfied = matches!(state, Some(TaskState::Done | TaskState::Skipped))
                || state == Some(TaskState::Failed) && tolerated(need, &world.program)
                // A gate that was passed may wait again for somebody else.
                || matches!(world.program.nodes[need.node.0 as usize].kind, Kind::Human(_))
                    && self.done.contains(&world.place(need, kernel));
            require(satisfied, || format!("{place:?} starts while it needs {need:?}, which is {state:?}"))?;
        }
        for &gate in &node.gates {
            let gate = kernel.visible(task, gate);
            let state = gate.and_then(|gate| kernel.task(gate)).map(|view| view.state);
            let passed = matches!(state, Some(TaskState::Done | TaskState::Skipped));
            require(passed, || format!("{place:?} starts while its gate {gate:?} is {state:?}"))?;
        }
        let Some((owner, role)) = owner_of(&world.program, task) else { return Ok(()) };
        if role == ScopeRole::Finally {
            require(!self.over.contains(&place), || format!("{place:?} of a finally runs twice"))?;
        }
        if role == ScopeRole::Undo {
            self.undo_starts(owner, kernel, world)?;
        }
        Ok(())
    }

    fn undo_starts(&mut self, owner: TaskId, kernel: &Kernel, world: &World) -> Verdict {
        let place = world.place(owner, kernel);
        require(!self.undone.contains(&place), || format!("{place:?} is undone twice"))?;
        if let Some(pivot) = self.pivot {
            let begun = self.begun.get(&place).copied().unwrap_or(0);
            require(begun > pivot, || format!("{place:?} is undone, and the pivot came after it"))?;
            let by_itself = self.requested || undone_inside(owner, kernel, &world.program);
            require(by_itself, || format!("{place:?} is undone by itself after the pivot"))?;
        }
        if self.undoing.insert(place.clone(), owner).is_some() {
            return Ok(());
        }
        // Nothing that rests on it is still in effect, but for what was decided to be left.
        for later in world.in_effect() {
            let Some(&task) = self.tasks.get(later) else { continue };
            if self.is_undone(later, task, kernel, world) || !comes_after(task, owner, kernel, &world.program)
            {
                continue;
            }
            require(excused(task, kernel, &world.program), || {
                format!("{place:?} is undone while {later:?}, which came after it, is in effect")
            })?;
        }
        Ok(())
    }

    /// Undone itself, or by the undo of a group around it.
    fn is_undone(&self, place: &Place, task: TaskId, kernel: &Kernel, world: &World) -> bool {
        self.undone.contains(place)
            || above(task, kernel, &world.program).into_iter().any(|around| {
                // The group began last before it in the incarnation that it is of: their numbers only rise.
                let last = world.place(around, kernel);
                let last = Place { incarnation: place.incarnation, ..last };
                let of = self.begun.range(..=&last).next_back().map(|(group, _)| group);
                of.is_some_and(|of| {
                    (of.node, &of.items) == (last.node, &last.items) && self.undone.contains(of)
                })
            })
    }

    /// No more items at work than their batch allows, and all of one batch.
    fn items(&self, kernel: &Kernel, world: &World) -> Verdict {
        let mut active: BTreeMap<TaskId, BTreeSet<u32>> = BTreeMap::new();
        for (command, _) in &world.open {
            let (Command::Prepare { task, .. } | Command::Perform { task, .. }) = *command else { continue };
            if owner_of(&world.program, task).is_some_and(|(_, role)| role == ScopeRole::Finally) {
                continue;
            }
            let mut frame = task.frame;
            while let Some(described) = kernel.frame(frame) {
                let Some(parent) = described.parent else { break };
                if let FrameRole::Item(index) = described.role {
                    active.entry(parent).or_default().insert(index);
                }
                frame = parent.frame;
            }
        }
        for (task, items) in active {
            let Kind::Each(each) = &world.program.nodes[task.node.0 as usize].kind else { continue };
            let total = world.items(task, kernel);
            let batches: BTreeSet<(u32, u32)> =
                items.iter().map(|item| batch_of(each, total, *item)).collect();
            require(batches.len() == 1, || format!("items {items:?} of {task:?} are of several batches"))?;
            let limit = batches.first().map_or(0, |batch| batch.1);
            require(items.len() <= limit as usize, || format!("items {items:?} of {task:?} exceed {limit}"))?;
        }
        Ok(())
    }

    /// What must hold when the run has ended.
    pub(crate) fn end(&self, kernel: &Kernel, world: &World) -> Verdict {
        let program = &world.program;
        let status = kernel.status();
        for scope in program.scopes.iter().filter(|scope| scope.role == ScopeRole::Finally) {
            let frames = (0u32..).take_while(|frame| kernel.frame(*frame).is_some());
            for frame in frames {
                let ran = |node: NodeId| {
                    let state = kernel.task(TaskId { frame, node }).map(|view| view.state);
                    matches!(state, Some(TaskState::Done | TaskState::Failed | TaskState::Skipped))
                };
                let owed = match scope.owner {
                    None => frame == 0 && status.forward != Forward::Refused,
                    Some(owner) => self.has_begun(TaskId { frame, node: owner }, kernel, world),
                };
                require(!owed || scope.nodes.iter().all(|node| ran(*node)), || {
                    format!("the finally of {:?} in frame {frame} did not run", scope.owner)
                })?;
            }
        }
        if status.rollback == Rollback::Incomplete {
            require(!kernel.blocked().is_empty() || program.revert.is_some(), || {
                "incomplete, but of what?".into()
            })?;
        }
        if matches!(status.rollback, Rollback::Complete | Rollback::NothingToUndo) && !self.requested {
            for place in world.in_effect() {
                let Some(&task) = self.tasks.get(place) else { continue };
                let undone = self.is_undone(place, task, kernel, world);
                require(undone || left(task, kernel, program), || {
                    format!("rolled back, and {place:?} is in effect")
                })?;
            }
        }
        Ok(())
    }

    fn has_begun(&self, task: TaskId, kernel: &Kernel, world: &World) -> bool {
        kernel.task(task).is_some() && self.begun.contains_key(&world.place(task, kernel))
    }
}

fn asks(program: &Program, node: NodeId) -> bool {
    matches!(program.nodes[node.0 as usize].kind, Kind::Human(_))
}

fn subject(fact: &Fact) -> Option<TaskId> {
    match *fact {
        Fact::Skipped { task, .. }
        | Fact::Entered { task, .. }
        | Fact::Items { task, .. }
        | Fact::Branch { task, .. }
        | Fact::Started { task, .. }
        | Fact::GateClosed { task, .. }
        | Fact::Ended { task, .. }
        | Fact::Checked { task, .. }
        | Fact::Closed { task, .. } => Some(task),
        Fact::Fired { timer } => Some(timer.task),
        Fact::Answered { about, .. } => match about {
            runbook_kernel::About::Human(task)
            | runbook_kernel::About::InDoubt(task)
            | runbook_kernel::About::Warning(task)
            | runbook_kernel::About::Drift(task) => Some(task),
            runbook_kernel::About::Rollback(task) => task,
            runbook_kernel::About::AfterPivot => None,
        },
        _ => None,
    }
}

/// The task that a task's scope belongs to, in the frame around it for an item's body, and the scope's role.
fn owner_of(program: &Program, task: TaskId) -> Option<(TaskId, ScopeRole)> {
    let scope = &program.scopes[program.nodes[task.node.0 as usize].scope.0 as usize];
    let owner = scope.owner?;
    Some((TaskId { frame: task.frame, node: owner }, scope.role))
}

/// The composites around a task, innermost first; empty beside the run's own work.
pub(crate) fn above(task: TaskId, kernel: &Kernel, program: &Program) -> Vec<TaskId> {
    let mut around = Vec::new();
    let mut at = task;
    while let Some((mut owner, role)) = owner_of(program, at) {
        if !matches!(role, ScopeRole::Body) {
            return Vec::new();
        }
        if matches!(program.nodes[owner.node.0 as usize].kind, Kind::Each(_)) {
            let Some(parent) = kernel.frame(at.frame).and_then(|frame| frame.parent) else { break };
            owner = parent;
        }
        around.push(owner);
        at = owner;
    }
    around
}

pub(crate) fn is_forward(task: TaskId, kernel: &Kernel, program: &Program) -> bool {
    let outermost = above(task, kernel, program).last().copied().unwrap_or(task);
    let scope = &program.scopes[program.nodes[outermost.node.0 as usize].scope.0 as usize];
    scope.owner.is_none() && scope.role == ScopeRole::Body
}

/// Whether `later` rests on `earlier`: where the ways to them part, its branch needs the other's.
fn comes_after(later: TaskId, earlier: TaskId, kernel: &Kernel, program: &Program) -> bool {
    if !is_forward(later, kernel, program) || !is_forward(earlier, kernel, program) {
        return false;
    }
    let way = |task: TaskId| {
        let mut way = above(task, kernel, program);
        way.reverse();
        way.push(task);
        way
    };
    let (later, earlier) = (way(later), way(earlier));
    let parting = later.iter().zip(&earlier).find(|(one, other)| one != other);
    parting.is_some_and(|(one, other)| one.frame == other.frame && needs(program, one.node, other.node))
}

/// In a group that is tried again, or in an item whose failure is tolerated: what of it is undone is its own affair.
fn undone_inside(task: TaskId, kernel: &Kernel, program: &Program) -> bool {
    above(task, kernel, program).into_iter().chain([task]).any(|around| {
        let node = &program.nodes[around.node.0 as usize];
        match &node.kind {
            Kind::Each(each) => each.max_failures > 0 || node.retry.max_attempts > 1,
            Kind::Action => false,
            _ => node.retry.max_attempts > 1,
        }
    })
}

fn needs(program: &Program, node: NodeId, other: NodeId) -> bool {
    program.nodes[node.0 as usize].needs.iter().any(|need| *need == other || needs(program, *need, other))
}

/// Left as it is by declaration: its own, or that of something around it. (Where there is no undo and nobody says that
/// this is well, it is left too, but the rollback is not complete.)
fn left(task: TaskId, kernel: &Kernel, program: &Program) -> bool {
    if !is_forward(task, kernel, program) {
        return true;
    }
    // What is around it stands for it.
    let around = above(task, kernel, program);
    let mut undos =
        std::iter::once(&task).chain(&around).map(|task| program.nodes[task.node.0 as usize].undo);
    matches!(undos.rfind(|undo| *undo != Undo::Nothing), None | Some(Undo::Left))
}

/// Left as it is by declaration, by policy, or by a person.
fn excused(task: TaskId, kernel: &Kernel, program: &Program) -> bool {
    let kept = |task: &TaskId| kernel.task(*task).is_some_and(|view| view.undo == UndoState::Kept);
    let own = matches!(program.nodes[task.node.0 as usize].undo, Undo::Scope(_));
    let around = above(task, kernel, program);
    let given_up =
        |task: &TaskId| matches!(program.nodes[task.node.0 as usize].undo, Undo::Left | Undo::Missing);
    !own || left(task, kernel, program)
        || around.iter().any(given_up)
        || kept(&task)
        || around.iter().any(kept)
}

/// The first item and the limit of the batch that an item is in.
fn batch_of(each: &Each, total: u32, item: u32) -> (u32, u32) {
    let Some(last) = each.batches.last() else { return (0, each.max_parallel.max(1)) };
    let mut start = 0;
    for batch in each.batches.iter().chain(std::iter::repeat(last)) {
        let size = match batch.size {
            BatchSize::Count(size) => size.max(1),
            BatchSize::Percent(percent) => (total * percent).div_ceil(100).max(1),
            BatchSize::Rest => total,
        };
        if item < start + size {
            return (start, batch.max_parallel.max(1));
        }
        start += size;
    }
    unreachable!("the last batch repeats without end")
}
