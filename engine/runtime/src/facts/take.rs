//! What a record means: to what later steps read, and to the kernel.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_kernel::{self as kernel, About, Fact, PersonId, TaskId, Timer};
use runbook_plan::Work;
use runbook_step::{Map, Path, PathError, Type, Value};
use runbook_wire::{Answer, Body, Person, Record, Result as Ending};
use serde_json::Value as Json;

use super::{Awaited, Facts, Intent, Misfit, Refused, TaskFacts, held_by, task_of};
use crate::leftovers::{Group, Leftover};
use crate::record;

impl Facts {
    /// Takes a record: what it says is remembered, and what the kernel has to know of it comes back.
    pub(crate) fn take(&mut self, record: &Record) -> Result<Option<Fact>, Misfit> {
        self.last_seq = record.seq;
        self.last_wall_ms = record.wall_ms;
        self.last_elapsed_ms = record.elapsed_ms;
        self.take_body(record).map_err(|reason| Misfit { seq: record.seq, reason })
    }

    fn take_body(&mut self, record: &Record) -> Result<Option<Fact>, String> {
        Ok(Some(match &record.body {
            Body::RunCreated { run, requester, seed, .. } => {
                self.run.clone_from(run);
                self.created_ms = record.wall_ms;
                self.seed = *seed;
                self.intern(requester);
                Fact::Began { seed: *seed }
            }
            Body::ExecutorStarted { host, resumed, gap_ms, .. } => {
                self.host.clone_from(host);
                if !resumed {
                    return Ok(None);
                }
                Fact::Resumed { gap: *gap_ms }
            }
            Body::LockAwaited { name, holder, until_wall_ms, .. } => {
                let left = until_wall_ms.saturating_sub(record.wall_ms);
                let until = record.elapsed_ms.saturating_add(left);
                self.awaited = Some(Awaited { name: name.clone(), holder: holder.clone(), until });
                Fact::Barred
            }
            Body::LockRefused { name, holder, reason, skip, .. } => {
                let late = if self.awaited.take().is_some() { ", and was not freed in time" } else { "" };
                let reason = format!("{}{late}", held_by(name, holder, reason));
                self.refused = Some(Refused { reason, skip: *skip });
                Fact::Refused
            }
            Body::LockTaken { .. } => {
                self.awaited = None;
                Fact::Admitted
            }
            Body::Skipped { task, attempt, .. } => {
                let task = self.known_task(task)?;
                self.entry(task).returns(Map::new(), Vec::new());
                Fact::Skipped { task, attempt: *attempt }
            }
            Body::Entered { task, attempt, inputs, .. } => {
                let task = self.known_task(task)?;
                let inputs = self.decode_inputs(task, inputs)?;
                self.entry(task).inputs = inputs;
                Fact::Entered { task, attempt: *attempt }
            }
            Body::Items { task, attempt, keys, items } => {
                let task = self.known_task(task)?;
                let values = items.iter().map(decode_any).collect::<Result<Vec<_>, _>>()?;
                let count = u32::try_from(values.len()).map_err(|e| e.to_string())?;
                self.entry(task).items = keys.iter().cloned().zip(values).collect();
                Fact::Items { task, attempt: *attempt, count }
            }
            Body::Branch { task, attempt, case, .. } => {
                let task = self.known_task(task)?;
                self.entry(task).case = Some(*case);
                Fact::Branch { task, attempt: *attempt, case: *case }
            }
            Body::Started { task, attempt, incarnation, params, prepared, key, .. } => {
                let task = self.known_task(task)?;
                self.asked.retain(|(about, _)| task_of(*about) != Some(task));
                let intent = Intent {
                    incarnation: *incarnation,
                    params: self.decode_params(task, params)?,
                    prepared: decode_any(prepared)?,
                    key: key.clone(),
                };
                let left = Leftover { host: self.host.clone(), key: key.clone(), groups: Vec::new() };
                self.leftovers.insert((task, *attempt), left);
                let facts = self.entry(task);
                facts.votes.clear();
                facts.ticks.clear();
                if facts.started.as_ref().is_none_or(|started| started.incarnation != *incarnation) {
                    facts.returns(Map::new(), Vec::new());
                    facts.started = Some(Arc::new(intent));
                }
                Fact::Started { task, attempt: *attempt }
            }
            Body::Spawned { task, attempt, pid, start_time, session } => {
                let task = self.known_task(task)?;
                let group = Group { leader: *pid, start_time: *start_time, session: *session };
                let left = self.leftovers.entry((task, *attempt)).or_default();
                left.host.clone_from(&self.host);
                left.groups.push(group);
                return Ok(None);
            }
            Body::Ended { task, attempt, result, outputs, masked, warning, failure, .. } => {
                let task = self.known_task(task)?;
                self.leftovers.remove(&(task, *attempt));
                self.asked.retain(|(about, _)| task_of(*about) != Some(task));
                let (outputs, masked) = (decode_outputs(outputs)?, decode_masked(masked)?);
                let facts = self.entry(task);
                if *result == Ending::Done || !outputs.is_empty() {
                    facts.returns(outputs, masked);
                }
                facts.failure = failure.as_ref().map(|failure| failure.message.clone());
                facts.warning.clone_from(warning);
                Fact::Ended {
                    task,
                    attempt: *attempt,
                    how: record::ended(*result, failure.as_ref(), warning.is_some()),
                }
            }
            Body::GateClosed { task, attempt, gate, .. } => {
                let task = self.known_task(task)?;
                self.leftovers.remove(&(task, *attempt));
                Fact::GateClosed { task, attempt: *attempt, gate: self.known_task(gate)? }
            }
            Body::Checked { task, probe, round, grade, message, outputs, masked } => {
                let task = self.known_task(task)?;
                if *probe == runbook_wire::Probe::Verify {
                    self.entry(task).verified = Some((*grade, message.clone()));
                }
                if !outputs.is_empty() {
                    let (outputs, masked) = (decode_outputs(outputs)?, decode_masked(masked)?);
                    self.entry(task).returns(outputs, masked);
                }
                let probe = record::probe_back(*probe);
                // While it was made, the task ran nothing besides it; a guard's check is made beside an attempt.
                if !matches!(probe, kernel::Probe::Guard(_)) {
                    for (_, leftover) in self.leftovers.iter_mut().filter(|((of, _), _)| *of == task) {
                        leftover.groups.clear();
                    }
                    self.leftovers
                        .retain(|_, leftover| !(leftover.key.is_empty() && leftover.groups.is_empty()));
                }
                Fact::Checked { task, probe, round: *round, seen: record::seen(*grade) }
            }
            Body::Closed { task, attempt, outputs, masked, failure } => {
                let task = self.known_task(task)?;
                let (outputs, masked) = (decode_outputs(outputs)?, decode_masked(masked)?);
                let facts = self.entry(task);
                facts.returns(outputs, masked);
                facts.failure = failure.as_ref().map(|failure| failure.message.clone());
                Fact::Closed { task, attempt: *attempt, ok: failure.is_none() }
            }
            Body::Fired { task, timer } => {
                let task = record::id(task);
                Fact::Fired { timer: Timer { task, purpose: record::purpose_back(*timer) } }
            }
            Body::Asked { about, .. } => {
                let about = record::about_back(about);
                if self.asked_at(about).is_none() {
                    self.asked.push((about, record.seq));
                }
                return Ok(None);
            }
            Body::Answered { about, answer, by, .. } => {
                return Ok(self.answered(record::about_back(about), answer, by, record.wall_ms));
            }
            Body::CancelRequested { .. } => Fact::CancelRequested,
            Body::ProgramAccepted { path, digest, .. } => {
                self.meant.insert(path.clone(), digest.clone());
                return Ok(None);
            }
            Body::Paused { .. } => Fact::Paused,
            Body::Unpaused { .. } => Fact::Unpaused,
            Body::RollbackRequested { to, .. } => {
                self.finished = None;
                let to = to.as_ref().map(|task| self.known_task(task)).transpose()?;
                Fact::RollbackRequested { to }
            }
            Body::Finished { exit_code, no_outputs, .. } => {
                self.finished = Some(*exit_code);
                self.lacks_outputs = !no_outputs.is_empty();
                Fact::Finished
            }
            _ => return Ok(None),
        }))
    }

    /// What an answer comes to: an item of a checklist only counts when it was the last that is required.
    fn answered(&mut self, about: About, answer: &Answer, by: &Person, wall_ms: u64) -> Option<Fact> {
        let person = self.intern(by);
        let answer = match answer {
            Answer::Approve => {
                let About::Human(task) = about else { return None };
                self.entry(task).votes.push((person, wall_ms));
                kernel::Answer::Approve(person)
            }
            Answer::Reject => kernel::Answer::Reject(person),
            Answer::Value { value } => {
                let About::Human(task) = about else { return None };
                let value = decode_any(value).ok()?;
                self.entry(task).returns(Map::from([("answer".to_owned(), value)]), Vec::new());
                kernel::Answer::Complete
            }
            Answer::Item { item, done, .. } => {
                let About::Human(task) = about else { return None };
                let ticks = &mut self.entry(task).ticks;
                if *done {
                    ticks.insert(item.clone())
                } else {
                    ticks.remove(item)
                };
                if !self.all_ticked(task) {
                    return None;
                }
                kernel::Answer::Complete
            }
            Answer::Done => kernel::Answer::Done,
            Answer::NotDone => kernel::Answer::NotDone,
            Answer::Undo => kernel::Answer::Undo,
            Answer::Keep => kernel::Answer::Keep,
            Answer::Retry => kernel::Answer::Retry,
            Answer::Skip => kernel::Answer::Skip,
            Answer::Fail => kernel::Answer::Fail,
        };
        if !matches!(answer, kernel::Answer::Approve(_)) {
            self.asked.retain(|(asked, _)| *asked != about);
        }
        Some(Fact::Answered { about, answer })
    }

    /// Whether every required item of a checklist is done.
    fn all_ticked(&self, task: TaskId) -> bool {
        let Work::Checklist(items) = &self.plan.nodes[task.node.0 as usize].work else { return false };
        let ticks = self.tasks.get(&task).map(|facts| &facts.ticks);
        let done = |id: &str| ticks.is_some_and(|ticks| ticks.contains(id));
        items.iter().filter(|item| item.required).all(|item| done(&item.id))
    }

    fn intern(&mut self, person: &Person) -> PersonId {
        self.known(person).unwrap_or_else(|| {
            self.people.push(person.clone());
            PersonId(self.people.len() as u32 - 1)
        })
    }

    fn entry(&mut self, task: TaskId) -> &mut TaskFacts {
        self.tasks.entry(task).or_default()
    }

    fn known_task(&self, task: &runbook_wire::Task) -> Result<TaskId, String> {
        let id = record::id(task);
        if (id.node.0 as usize) < self.plan.nodes.len() {
            Ok(id)
        } else {
            Err(format!("there is no node {}", task.node))
        }
    }

    fn decode_params(&self, task: TaskId, params: &BTreeMap<String, Json>) -> Result<Map, String> {
        let Work::Step(invocation) = &self.plan.nodes[task.node.0 as usize].work else {
            return params.iter().map(|(name, json)| Ok((name.clone(), decode_any(json)?))).collect();
        };
        let step = self.registry.get(&invocation.step);
        let step = step.ok_or_else(|| format!("there is no step type `{}`", invocation.step))?;
        let json = params.iter().map(|(name, json)| (name.clone(), json.clone())).collect();
        step.declaration().decode(&json).map_err(|faults| faults[0].to_string())
    }

    fn decode_inputs(&self, task: TaskId, inputs: &BTreeMap<String, Json>) -> Result<Map, String> {
        let module = self.plan.modules.iter().find(|module| module.caller == Some(task.node));
        let decode = |(name, json): (&String, &Json)| {
            let spec = module.and_then(|module| module.inputs.iter().find(|spec| spec.name == *name));
            let ty = spec.map_or(&Type::Any, |spec| &spec.ty);
            let value = ty.decode(json).map_err(|error| format!("input `{name}`: {error}"))?;
            Ok((name.clone(), value))
        };
        inputs.iter().map(decode).collect()
    }
}

fn decode_any(json: &Json) -> Result<Value, String> {
    Type::Any.decode(json).map_err(|error| error.to_string())
}

fn decode_outputs(outputs: &BTreeMap<String, Json>) -> Result<Map, String> {
    outputs.iter().map(|(name, json)| Ok((name.clone(), decode_any(json)?))).collect()
}

fn decode_masked(masked: &[String]) -> Result<Vec<Path>, String> {
    masked.iter().map(|place| place.parse().map_err(|error: PathError| error.to_string())).collect()
}
