//! `Prepare`: what a task will do, fixed before it does anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runbook_kernel::TaskId;
use runbook_plan::{ApprovalSpec, EvalError, Module, PlanNode, Template, Work};
use runbook_step::{Call, FailureKind, Map, Value};
use runbook_wire::{Body, Task};
use serde_json::Value as Json;

use super::{Answer, Attempts, Log, Ready, Unready, check, keepable, outcome, render, to_json, undo};
use crate::cancel::Cancel;
use crate::facts::index;
use crate::mask::Mask;
use crate::resolve::{View, WithItem};

/// How long `prepare` may look around, where the plan sets no time for an attempt.
const PREPARE_TIME: Duration = Duration::from_secs(600);

/// The most that is kept for the undo, as JSON.
const MOST_PREPARED: usize = 16 << 20;

/// What becomes of a task before it begins.
enum Next {
    Body(Box<Body>),
    /// The step type's own `prepare`, and the target checks.
    Prepare(Box<Ready>),
}

impl Attempts {
    /// Answers `Prepare`.
    pub(crate) fn prepare(&self, view: View<'_>, task: TaskId, attempt: u32, cancel: &Cancel) -> Answer {
        let name = view.name(task);
        let mask = &self.shared.mask;
        match self.next(view, task, attempt, cancel) {
            Err(unready) => Answer::now(outcome::unready(name, attempt, unready, mask)),
            Ok(Next::Body(body)) => Answer::Now(body),
            Ok(Next::Prepare(ready)) => match self.asserts(view, task, attempt, cancel) {
                Err(unready) => Answer::now(outcome::unready(name, attempt, unready, mask)),
                Ok(asserts) => self.gather(view, task, attempt, *ready, asserts),
            },
        }
    }

    fn next(&self, view: View<'_>, task: TaskId, attempt: u32, cancel: &Cancel) -> Result<Next, Unready> {
        let node = &view.plan.nodes[index(task.node)];
        let place = view.at(task);
        let eval = |error: EvalError| Unready::of_eval(view.plan, &error);
        let first = view.facts.task(task).is_none_or(|facts| {
            facts.started.as_ref().is_none_or(|started| started.incarnation != view.kernel.incarnation(task))
        });
        // What an earlier attempt has begun is not called off by its condition any more.
        if let Some(when) = node.when.as_ref().filter(|_| first)
            && !when.condition(&place).map_err(eval)?
        {
            let reason = format!("`when: {}` is false", when.source);
            return Ok(Next::Body(Box::new(Body::Skipped { task: view.name(task), attempt, reason })));
        }
        if first {
            undo::can_run(view, task)?;
        }
        self.gates(view, task).closed(&view.name(task), attempt).map_or_else(
            || match &node.work {
                Work::Step(_) | Work::OwnUndo { .. } => self.step(view, task, attempt, cancel),
                _ => self.composite(view, task, attempt).map(|body| Next::Body(Box::new(body))),
            },
            |closed| Ok(Next::Body(Box::new(closed))),
        )
    }

    /// Groups, waits and people: there is nothing to look at in the world.
    fn composite(&self, view: View<'_>, task: TaskId, attempt: u32) -> Result<Body, Unready> {
        let node = &view.plan.nodes[index(task.node)];
        let name = view.name(task);
        let title = self.title(view, task);
        Ok(match &node.work {
            Work::Group => Body::Entered { task: name, attempt, inputs: BTreeMap::new(), title },
            Work::Call { inputs } => {
                let module = view.plan.modules.iter().find(|module| module.caller == Some(task.node));
                let module = module.ok_or_else(|| Unready::invalid("it calls nothing".into()))?;
                let inputs = to_json(&call_inputs(view, task, module, inputs)?);
                keepable(&inputs, MOST_PREPARED)
                    .map_err(|why| Unready::invalid(format!("its inputs {why}")))?;
                Body::Entered { task: name, attempt, inputs, title }
            }
            Work::Switch { on, labels, default, .. } => {
                let (case, label) = branch(view, task, on, labels, *default)?;
                Body::Branch { task: name, attempt, case, label }
            }
            Work::Each { .. } => {
                let (keys, items) = items(view, task, node)?;
                let items: Vec<Json> = items.iter().map(Value::to_json).collect();
                keepable(&keys.iter().cloned().zip(items.iter().cloned()).collect(), MOST_PREPARED)
                    .map_err(|why| Unready::invalid(format!("its items {why}")))?;
                Body::Items { task: name, attempt, keys, items }
            }
            _ => {
                let params = self.shown(view, task, node)?;
                self.started(view, &name, task, attempt, params, Json::Null)
            }
        })
    }

    fn step(&self, view: View<'_>, task: TaskId, attempt: u32, cancel: &Cancel) -> Result<Next, Unready> {
        let incarnation = view.kernel.incarnation(task);
        let intent = view.facts.task(task).and_then(|facts| facts.started.clone());
        let name = view.name(task);
        if let Some(intent) = intent.filter(|intent| intent.incarnation == incarnation) {
            // What the first attempt was to do, and what it saw before, holds for all of them: after a partial effect
            // `prepare` would see that instead.
            let prepared = intent.prepared.to_json();
            if view.plan.nodes[index(task.node)].asserts.is_empty() {
                let params = to_json(&intent.params);
                let body = self.started(view, &name, task, attempt, params, prepared);
                return Ok(Next::Body(Box::new(body)));
            }
            return self.ready(view, task, attempt, cancel).map(|ready| Next::Prepare(Box::new(ready)));
        }
        let node = &view.plan.nodes[index(task.node)];
        let Work::Step(invocation) = &node.work else {
            // An own undo uses what its owner has recorded; it has nothing to gather.
            let body = self.started(view, &name, task, attempt, BTreeMap::new(), Json::Null);
            return Ok(Next::Body(Box::new(body)));
        };
        let (step, params) = render(view, task, invocation)?;
        let key = Self::key(view, &name, incarnation);
        let context = self.context(view, task, attempt, &key, cancel, Log::Attempt).of(invocation);
        let call = Call {
            path: name.path,
            params,
            declared: invocation.outputs.iter().cloned().collect(),
            idempotency_key: key,
            attempt,
            ..Call::default()
        };
        Ok(Next::Prepare(Box::new(Ready { step, call, context })))
    }

    /// Lets the step type look around, checks the target, and says what will be done.
    fn gather(
        &self,
        view: View<'_>,
        task: TaskId,
        attempt: u32,
        ready: Ready,
        asserts: Vec<check::Check>,
    ) -> Answer {
        let name = view.name(task);
        let node = &view.plan.nodes[index(task.node)];
        let incarnation = view.kernel.incarnation(task);
        let earlier = view.facts.task(task).and_then(|facts| facts.started.clone());
        let earlier = earlier.filter(|intent| intent.incarnation == incarnation);
        let title = self.title(view, task);
        let time = node.timeout.map_or(PREPARE_TIME, Duration::from_millis);
        let mask = self.shared.mask.clone();
        let gates = self.gates(view, task);
        Answer::later(async move {
            let Ready { step, call, context } = &ready;
            let prepared = match earlier {
                Some(intent) => Ok(intent.prepared.clone()),
                None => {
                    let stopped =
                        |kind, message: &str| Err(Unready { kind, message: message.into(), hint: None });
                    tokio::select! {
                        biased;
                        prepared = step.prepare(call, context) => prepared.map_err(|failure| Unready {
                            kind: failure.kind,
                            message: failure.message,
                            hint: failure.hint,
                        }),
                        _ = context.cancel.cancelled() => {
                            stopped(FailureKind::Cancelled, "told to stop while it looked at what is there now")
                        }
                        () = tokio::time::sleep(time) => {
                            stopped(FailureKind::Timeout, "looking at what is there now took too long")
                        }
                    }
                }
            };
            let prepared = match prepared {
                Ok(prepared) => check::all_hold(&asserts).await.map(|()| prepared),
                Err(unready) => Err(unready),
            };
            // Looking around takes time.
            if let Some(closed) = gates.closed(&name, attempt) {
                return closed;
            }
            let prepared = prepared.and_then(|prepared| without_secrets(prepared, &mask));
            match prepared.and_then(|prepared| fits(&call.params, &prepared)) {
                Ok((params, prepared)) => Body::Started {
                    task: name,
                    attempt,
                    incarnation,
                    params,
                    prepared,
                    key: call.idempotency_key.clone(),
                    title,
                },
                Err(unready) => outcome::unready(name, attempt, unready, &mask),
            }
        })
    }

    fn started(
        &self,
        view: View<'_>,
        name: &Task,
        task: TaskId,
        attempt: u32,
        params: BTreeMap<String, Json>,
        prepared: Json,
    ) -> Body {
        let incarnation = view.kernel.incarnation(task);
        let key = Self::key(view, name, incarnation);
        Body::Started {
            task: name.clone(),
            attempt,
            incarnation,
            params,
            prepared,
            key,
            title: self.title(view, task),
        }
    }

    /// `name:`, rendered, where it has expressions. One that has no value is left out: a step does not fail for it.
    fn title(&self, view: View<'_>, task: TaskId) -> Option<String> {
        let template = view.plan.nodes[index(task.node)].name.as_ref()?;
        if matches!(template, Template::Const(_)) {
            return None;
        }
        let value = template.evaluate(&view.at(task).telling()).ok()?;
        Some(outcome::message(&value.to_string(), &self.shared.mask))
    }

    /// What a human node shows, or a wait waits for.
    fn shown(
        &self,
        view: View<'_>,
        task: TaskId,
        node: &PlanNode,
    ) -> Result<BTreeMap<String, Json>, Unready> {
        let place = view.at(task).telling();
        let eval = |template: &Template| {
            let value = template.evaluate(&place).map_err(|error| Unready::of_eval(view.plan, &error))?;
            Ok::<Json, Unready>(value.to_json())
        };
        let mut shown = BTreeMap::new();
        match &node.work {
            Work::Approval(ApprovalSpec { message, show, .. }) => {
                if let Some(message) = message {
                    shown.insert("message".to_owned(), eval(message)?);
                }
                let show = show.iter().map(|(name, template)| Ok((name.clone(), eval(template)?)));
                let show = show.collect::<Result<serde_json::Map<_, _>, Unready>>()?;
                if !show.is_empty() {
                    shown.insert("show".to_owned(), Json::Object(show));
                }
            }
            Work::Checklist(items) => {
                let items = items.iter().map(|item| Ok((item.id.clone(), eval(&item.text)?)));
                let items = items.collect::<Result<serde_json::Map<_, _>, Unready>>()?;
                shown.insert("items".to_owned(), Json::Object(items));
            }
            Work::Prompt(prompt) => {
                shown.insert("message".to_owned(), eval(&prompt.message)?);
            }
            _ => {}
        }
        shown.values_mut().for_each(|value| drop(self.shared.mask.json(value)));
        Ok(shown)
    }
}

/// What an undo needs is recorded as it is: masked, it would put back something else.
fn without_secrets(prepared: Value, mask: &Mask) -> Result<Value, Unready> {
    let places = mask.json(&mut prepared.to_json());
    let Some(place) = places.first() else { return Ok(prepared) };
    let place = place.to_string();
    let at = if place.is_empty() { String::new() } else { format!(" (at `{place}`)") };
    Err(Unready {
        kind: FailureKind::Invalid,
        message: format!("a secret is in what is there now{at}: it would have to be recorded before it is changed, and a secret is not"),
        hint: Some("change it with a script, which records nothing of it; or give a secret that is a common word another content".into()),
    })
}

fn fits(params: &Map, prepared: &Value) -> Result<(BTreeMap<String, Json>, Json), Unready> {
    let (params, prepared) = (to_json(params), prepared.to_json());
    let mut all = params.clone();
    all.insert("prepared".into(), prepared.clone());
    keepable(&all, MOST_PREPARED)
        .map_err(|why| Unready::invalid(format!("its parameters and what its undo needs {why}")))?;
    Ok((params, prepared))
}

fn call_inputs(
    view: View<'_>,
    task: TaskId,
    module: &Module,
    given: &[(String, Template)],
) -> Result<Map, Unready> {
    let place = view.at(task);
    let mut values = Map::new();
    for (name, template) in given {
        let value = template.evaluate(&place).map_err(|error| Unready::of_eval(view.plan, &error))?;
        values.insert(name.clone(), value);
    }
    let mut inputs = Map::new();
    for spec in &module.inputs {
        let value = match values.remove(&spec.name).filter(|value| !value.is_null()) {
            Some(value) => spec.ty.coerce(value).map_err(|error| {
                Unready::invalid(format!("input `{}` of {}: {error}", spec.name, module.file))
            })?,
            None => match &spec.default {
                Some(default) => default.clone(),
                None if spec.required => {
                    let message = format!("input `{}` of {} has no value", spec.name, module.file);
                    return Err(Unready::invalid(message));
                }
                None => Value::Null,
            },
        };
        inputs.insert(spec.name.clone(), value);
    }
    Ok(inputs)
}

fn branch(
    view: View<'_>,
    task: TaskId,
    on: &Template,
    labels: &[String],
    default: Option<u32>,
) -> Result<(u32, String), Unready> {
    let value = on.evaluate(&view.at(task)).map_err(|error| Unready::of_eval(view.plan, &error))?;
    let text = value.to_string();
    let found = (0..).zip(labels).find(|(at, label)| Some(*at) != default && **label == text);
    match (found, default) {
        (Some((case, _)), _) | (None, Some(case)) => Ok((case, text)),
        (None, None) => {
            Err(Unready::invalid(format!("no case fits `{text}`; there are {}", labels.join(", "))))
        }
    }
}

/// The items of a `for_each` with their keys.
fn items(view: View<'_>, task: TaskId, node: &PlanNode) -> Result<(Vec<String>, Vec<Value>), Unready> {
    let Work::Each { items, key, allow_empty, expect_count, max_targets, .. } = &node.work else {
        return Err(Unready::invalid("it has no items".into()));
    };
    let place = view.at(task);
    let value = items.evaluate(&place).map_err(|error| Unready::of_eval(view.plan, &error))?;
    let Value::List(items) = value else {
        return Err(Unready::invalid(format!("`items` must be a list, and this is {}", value.kind())));
    };
    let count = items.len() as u64;
    if count == 0 && !allow_empty {
        return Err(Unready::invalid(
            "there is nothing to do it for (`allow_empty: true` permits that)".into(),
        ));
    }
    if let Some(wanted) = expect_count.filter(|wanted| *wanted != count) {
        return Err(Unready::invalid(format!("{wanted} items were expected, and there are {count}")));
    }
    if let Some(most) = max_targets.filter(|most| *most < count) {
        return Err(Unready::invalid(format!(
            "there are {count} items, more than the {most} of `max_targets`"
        )));
    }
    if items.iter().any(Value::has_secret) {
        return Err(Unready::invalid("items are recorded, and cannot hold secrets".into()));
    }
    let mut keys = Vec::with_capacity(items.len());
    let mut seen = BTreeSet::new();
    for item in &items {
        let text = match key {
            Some(template) => {
                let inside = WithItem { place: &place, each: task.node, item };
                let key = template.evaluate(&inside).map_err(|error| Unready::of_eval(view.plan, &error))?;
                if matches!(key, Value::Null | Value::Map(_) | Value::List(_)) {
                    return Err(Unready::invalid(format!(
                        "a key must be text or a number, and this is {}",
                        key.kind()
                    )));
                }
                key.to_string()
            }
            None if matches!(item, Value::Map(_) | Value::List(_)) => {
                return Err(Unready::invalid("items that are maps or lists need a `key`".into()));
            }
            None => item.to_string(),
        };
        if !seen.insert(text.clone()) {
            return Err(Unready::invalid(format!("two items have the key `{text}`")));
        }
        keys.push(text);
    }
    Ok((keys, items))
}
