//! What expressions see: the recorded facts, from where a task stands.

use std::borrow::Cow;

use runbook_kernel::{Forward, FrameRole, Kernel, NodeId, Rollback, TaskId, TaskState};
use runbook_plan::{EvalError, ModuleId, Plan, Reference, Resolve, Template, Withheld, Work};
use runbook_step::{Map, Path, Registry, Secret, Value};
use runbook_syntax::Span;
use runbook_wire::Task;

use crate::facts::{Facts, TaskFacts, index};
use crate::mask::MASKED;

/// The run as it stands, for whoever has to render something.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) registry: &'a Registry,
    pub(crate) kernel: &'a Kernel,
    pub(crate) facts: &'a Facts,
}

/// A view from a task (`None`: from the runbook's own place), for [`Template::evaluate`].
pub(crate) struct Place<'a> {
    view: View<'a>,
    task: Option<TaskId>,
    telling: bool,
}

impl<'a> View<'a> {
    pub(crate) fn at(self, task: TaskId) -> Place<'a> {
        Place { view: self, task: Some(task), telling: false }
    }

    pub(crate) fn outside(self) -> Place<'a> {
        Place { view: self, task: None, telling: false }
    }

    /// The task with its path: `broker[kafka4].joined`.
    pub(crate) fn name(self, task: TaskId) -> Task {
        Task { frame: task.frame, node: task.node.0, path: self.path(task) }
    }

    /// The path of a task; empty for the run itself.
    fn path(self, task: TaskId) -> String {
        let mut segments: Vec<Cow<'_, str>> = Vec::new();
        let mut frame = task.frame;
        let mut node = Some(task.node.0);
        let mut bracket: Option<String> = None;
        while let Some(entry) = node.and_then(|node| self.plan.outline.entries.get(node as usize)) {
            match bracket.take() {
                Some(bracket) => segments.push(format!("{}[{bracket}]", entry.segment).into()),
                None if entry.segment.is_empty() => {}
                None => segments.push(entry.segment.as_str().into()),
            }
            node = entry.parent;
            if let Some(described) = self.kernel.frame(frame)
                && let Some(parent) = described.parent.filter(|parent| Some(parent.node.0) == node)
            {
                bracket = Some(self.bracket(parent, described.role));
                frame = parent.frame;
            }
        }
        segments.reverse();
        segments.join(".")
    }

    fn bracket(self, each: TaskId, role: FrameRole) -> String {
        match role {
            FrameRole::Item(at) => {
                let items = self.facts.task(each).map(|facts| facts.items.as_slice()).unwrap_or_default();
                items.get(at as usize).map_or_else(|| at.to_string(), |(key, _)| key.clone())
            }
            FrameRole::Between(batch) => format!("between {batch}"),
            FrameRole::Run => String::new(),
        }
    }

    /// The item that a task is in, of this `for_each`: its number.
    fn item_of(self, task: TaskId, each: NodeId) -> Option<(TaskId, usize)> {
        let mut frame = task.frame;
        loop {
            let described = self.kernel.frame(frame)?;
            let parent = described.parent?;
            match described.role {
                FrameRole::Item(at) if parent.node == each => return Some((parent, at as usize)),
                _ => frame = parent.frame,
            }
        }
    }

    /// `steps.ID`.
    fn step(self, task: TaskId) -> Value {
        let status = self.kernel.task(task).map(|view| view.state);
        let mut step = Map::from([
            ("status".to_owned(), Value::Str(status_word(status).into())),
            ("outputs".to_owned(), Value::Map(self.outputs(task, self.unless_tolerated(task, status)))),
        ]);
        if let Work::Each { .. } = self.plan.nodes[index(task.node)].work {
            step.insert("each".into(), Value::List(self.each(task)));
        }
        Value::Map(step)
    }

    /// A failure that is put up with returns nothing, as a step that did not run.
    fn unless_tolerated(self, task: TaskId, status: Option<TaskState>) -> Option<TaskState> {
        let tolerated = self.plan.program.nodes[index(task.node)].continue_on_error;
        status.filter(|status| !(tolerated && *status == TaskState::Failed))
    }

    /// The outputs of a task: those that are not there are null, so that an expression may give a default.
    fn outputs(self, task: TaskId, status: Option<TaskState>) -> Map {
        let mut outputs: Map =
            self.output_names(task.node).into_iter().map(|name| (name, Value::Null)).collect();
        if let Some(facts) = self.returned(task, status) {
            outputs.extend(facts.outputs.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        outputs
    }

    /// What of [`View::step`] nobody may read.
    fn withheld(self, task: TaskId) -> Vec<Withheld> {
        let own = self.masked(task, &Path::default());
        let Work::Each { .. } = self.plan.nodes[index(task.node)].work else { return own };
        let items = self.items(task).into_iter().enumerate();
        let below = items.flat_map(|(at, item)| {
            let place = Path::default().name("each").item(at);
            item.map(|item| self.masked(item, &place)).unwrap_or_default()
        });
        own.into_iter().chain(below).collect()
    }

    /// What a task has returned, if it has run.
    fn returned(self, task: TaskId, status: Option<TaskState>) -> Option<&'a TaskFacts> {
        let gone =
            matches!(status, Some(TaskState::Skipped | TaskState::NotStarted | TaskState::Waiting) | None);
        self.facts.task(task).filter(|_| !gone)
    }

    /// The places in the outputs of a task where a secret was hidden; its `outputs` are below this one.
    fn masked(self, task: TaskId, below: &Path) -> Vec<Withheld> {
        let status = self.kernel.task(task).map(|view| view.state);
        let Some(facts) = self.returned(task, status) else { return Vec::new() };
        let withheld = |place: &Path| {
            Withheld {
            at: below.clone().name("outputs").join(place),
            reason: format!(
                "output `{place}` of `{}` cannot be used: a secret was hidden in it, so that it is not what was returned",
                self.path(task)
            ),
            hint: "Return something that holds no secret. One that is a common word is found where it is not meant: \
                   give it another content."
                .into(),
        }
        };
        facts.masked.iter().map(withheld).collect()
    }

    /// The tasks of the items of a `for_each`, as far as they have begun.
    fn items(self, each: TaskId) -> Vec<Option<TaskId>> {
        let items = self.facts.task(each).map(|facts| facts.items.as_slice()).unwrap_or_default();
        let mut frames = vec![None; items.len()];
        for (number, frame) in (0u32..).map_while(|n| Some((n, self.kernel.frame(n)?))) {
            if let (Some(parent), FrameRole::Item(at)) = (frame.parent, frame.role)
                && parent == each
                && let Some(slot) = frames.get_mut(at as usize)
            {
                *slot = Some(number);
            }
        }
        let body = self.body_of(each.node);
        frames.into_iter().map(|frame| Some(TaskId { frame: frame?, node: body? })).collect()
    }

    /// `steps.ID.each`: what became of each item.
    fn each(self, each: TaskId) -> Vec<Value> {
        let items = self.facts.task(each).map(|facts| facts.items.as_slice()).unwrap_or_default();
        let item = |((key, _), task): (&(String, Value), Option<TaskId>)| {
            let status = task.and_then(|task| self.kernel.task(task)).map(|view| view.state);
            // What an item did not come to return is not there, so that reading it fails unless there is a default.
            let outputs = match (task, status) {
                (Some(task), Some(TaskState::Done)) => self.outputs(task, status),
                (Some(task), _) => {
                    self.returned(task, status).map(|facts| facts.outputs.clone()).unwrap_or_default()
                }
                (None, _) => Map::default(),
            };
            Value::Map(Map::from([
                ("key".to_owned(), Value::Str(key.clone())),
                ("status".to_owned(), Value::Str(status_word(status).into())),
                ("outputs".to_owned(), Value::Map(outputs)),
            ]))
        };
        items.iter().zip(self.items(each)).map(item).collect()
    }

    /// The node that a `for_each` runs for each item.
    fn body_of(self, each: NodeId) -> Option<NodeId> {
        let runbook_kernel::Kind::Each(kind) = &self.plan.program.nodes.get(index(each))?.kind else {
            return None;
        };
        self.plan.program.scopes.get(kind.body.0 as usize)?.nodes.first().copied()
    }

    /// The names of the outputs that a node declares.
    fn output_names(self, node: NodeId) -> Vec<String> {
        let plan_node = &self.plan.nodes[index(node)];
        let declared =
            |outputs: &[(String, Template)]| outputs.iter().map(|(name, _)| name.clone()).collect();
        match &plan_node.work {
            Work::Step(invocation) => {
                let Some(step) = self.registry.get(&invocation.step) else { return Vec::new() };
                let declaration = step.declaration();
                let mut names: Vec<String> =
                    declaration.outputs.iter().map(|output| output.name.to_owned()).collect();
                names.extend(invocation.outputs.iter().map(|(name, _)| name.clone()));
                if declaration.outputs_from_all {
                    names.extend(invocation.params.iter().map(|(name, _)| name.clone()));
                }
                let from = invocation
                    .params
                    .iter()
                    .find(|(name, _)| Some(name.as_str()) == declaration.outputs_from);
                match from {
                    Some((_, Template::Map(entries))) => {
                        names.extend(entries.iter().map(|(name, _)| name.clone()))
                    }
                    Some((_, Template::Const(Value::Map(entries)))) => names.extend(entries.keys().cloned()),
                    _ => {}
                }
                names
            }
            Work::Switch { outputs, .. } => outputs.first().map(|case| declared(case)).unwrap_or_default(),
            Work::Prompt(_) => vec!["answer".into()],
            _ => declared(&plan_node.outputs),
        }
    }

    fn input(self, place: Option<TaskId>, module: ModuleId, name: &str) -> Option<Value> {
        match self.plan.modules.get(module.0 as usize)?.caller {
            None => self.plan.inputs.get(name).cloned(),
            Some(call) => {
                let call = self.kernel.visible(place?, call)?;
                let inputs = &self.facts.task(call)?.inputs;
                Some(inputs.get(name).cloned().unwrap_or_default())
            }
        }
    }

    /// `run`.
    fn run(self) -> Value {
        let text = |text: &str| Value::Str(text.to_owned());
        Value::Map(Map::from([
            ("id".to_owned(), text(&self.facts.run)),
            ("name".to_owned(), text(&self.plan.name)),
            ("status".to_owned(), text(forward_word(self.kernel.status().forward))),
            ("started_at".to_owned(), text(&rfc3339(self.facts.created_ms))),
        ]))
    }
}

impl Resolve for Place<'_> {
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError> {
        let view = self.view;
        let visible = |node| self.visible(node);
        let found = match reference {
            Reference::Input(module, name) => view.input(self.task, *module, name),
            Reference::Environment => Some(view.plan.environment.clone()),
            Reference::Step { node, .. } => visible(*node).map(|task| view.step(task)),
            Reference::Item { each, .. } => self.item(*each).map(|(_, value)| value),
            Reference::ItemKey { each, .. } => self.item(*each).map(|(key, _)| Value::Str(key)),
            Reference::Secret(module, name) => {
                Some(Value::Secret(Secret::named(Plan::secret_name(*module, name))))
            }
            Reference::Run => Some(view.run()),
            Reference::Rollback => {
                let status = Value::Str(rollback_word(view.kernel.status().rollback).into());
                Some(Value::Map(Map::from([("status".to_owned(), status)])))
            }
            Reference::Prepared(node) => visible(*node)
                .and_then(|task| view.facts.task(task)?.started.as_ref())
                .map(|intent| intent.prepared.clone()),
        };
        found.ok_or_else(|| EvalError {
            span: self.span(),
            message: format!("{reference:?} has no value here"),
            hint: Some("this is a fault of runbook: the plan should have refused it".into()),
            withheld: false,
        })
    }

    fn withheld(&self, reference: &Reference) -> Vec<Withheld> {
        match reference {
            Reference::Step { node, .. } => {
                self.visible(*node).map(|task| self.view.withheld(task)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.telling.then_some(MASKED)
    }
}

impl Place<'_> {
    /// The same place, for what people read: see [`Resolve::stand_in`].
    pub(crate) fn telling(self) -> Self {
        Place { telling: true, ..self }
    }

    fn visible(&self, node: NodeId) -> Option<TaskId> {
        match self.task {
            Some(task) => self.view.kernel.visible(task, node),
            None => Some(TaskId { frame: 0, node }),
        }
    }

    fn item(&self, each: NodeId) -> Option<(String, Value)> {
        let (each, at) = self.view.item_of(self.task?, each)?;
        self.view.facts.task(each)?.items.get(at).cloned()
    }

    fn span(&self) -> Span {
        match self.task {
            Some(task) if index(task.node) < self.view.plan.nodes.len() => {
                self.view.plan.nodes[index(task.node)].span
            }
            _ => Span { file: runbook_syntax::FileId(0), start: 0, end: 0 },
        }
    }
}

/// A place inside an item that is not recorded yet: for its key.
pub(crate) struct WithItem<'a> {
    pub(crate) place: &'a Place<'a>,
    pub(crate) each: NodeId,
    pub(crate) item: &'a Value,
}

impl Resolve for WithItem<'_> {
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError> {
        match reference {
            Reference::Item { each, .. } if *each == self.each => Ok(self.item.clone()),
            other => self.place.resolve(other),
        }
    }

    fn withheld(&self, reference: &Reference) -> Vec<Withheld> {
        match reference {
            Reference::Item { each, .. } if *each == self.each => Vec::new(),
            other => self.place.withheld(other),
        }
    }
}

fn status_word(state: Option<TaskState>) -> &'static str {
    match state {
        Some(TaskState::Done) => "done",
        Some(TaskState::Failed) => "failed",
        Some(TaskState::Skipped) => "skipped",
        Some(TaskState::Stopped) => "stopped",
        Some(TaskState::NotStarted | TaskState::Waiting | TaskState::Ready) | None => "not_started",
        Some(_) => "running",
    }
}

/// The words of the wire and of `run.status`.
pub(crate) fn forward_word(forward: Forward) -> &'static str {
    match forward {
        Forward::Running => "running",
        Forward::Succeeded => "succeeded",
        Forward::SucceededWithFailures => "succeeded_with_failures",
        Forward::Failed => "failed",
        Forward::Cancelled => "cancelled",
        Forward::Refused => "locked",
    }
}

/// The words of the wire and of `rollback.status`.
pub(crate) fn rollback_word(rollback: Rollback) -> &'static str {
    match rollback {
        Rollback::None => "none",
        Rollback::Running => "running",
        Rollback::NothingToUndo => "nothing_to_undo",
        Rollback::Complete => "complete",
        Rollback::Partial => "partial",
        Rollback::Incomplete => "incomplete",
        Rollback::Declined => "declined",
    }
}

fn rfc3339(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|timestamp| timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}
