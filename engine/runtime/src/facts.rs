//! What has been recorded, as far as later steps read it, and what a record means to the kernel.
//!
//! Live and on resume every record goes through [`Facts::take`], which is the only place where a kernel fact is made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use runbook_kernel::{self as kernel, About, Fact, Ms, NodeId, PersonId, TaskId, Timer};
use runbook_plan::{Plan, Work};
use runbook_step::{Map, Path, PathError, Registry, Type, Value};
use runbook_wire::{Answer, Body, Grade, Person, Record, Result as Ending};
use serde_json::Value as Json;

use crate::leftovers::{Group, Leftover};
use crate::record;

/// What has been recorded of a run.
pub(crate) struct Facts {
    plan: Arc<Plan>,
    registry: Arc<Registry>,
    pub(crate) run: String,
    pub(crate) created_ms: u64,
    pub(crate) seed: u64,
    /// The machine of the executor.
    host: String,
    /// By their number; 0 is the one who started the run.
    people: Vec<Person>,
    tasks: HashMap<TaskId, TaskFacts>,
    /// Process groups of attempts that have not ended, and the keys of those attempts.
    leftovers: BTreeMap<(TaskId, u32), Leftover>,
    /// Digests of programs that were changed since the plan, where somebody said that this is meant, by their paths.
    pub(crate) meant: BTreeMap<String, String>,
    /// Questions that were recorded and not answered since, and the event that put them.
    asked: Vec<(About, u64)>,
    /// The lock that the run waits for before it starts.
    pub(crate) awaited: Option<Awaited>,
    /// The run was not let start.
    pub(crate) refused: Option<Refused>,
    pub(crate) finished: Option<i32>,
    /// Declared outputs of the run could not be computed.
    pub(crate) lacks_outputs: bool,
    pub(crate) last_seq: u64,
    pub(crate) last_wall_ms: u64,
    pub(crate) last_elapsed_ms: u64,
}

/// A lock that another run holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Awaited {
    name: String,
    holder: String,
    /// When to give up, in run-elapsed time.
    pub(crate) until: Ms,
}

impl Awaited {
    pub(crate) fn is(&self, name: &str, holder: &str) -> bool {
        self.name == name && self.holder == holder
    }
}

/// Why a run was not let start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: String,
    /// It is as it should be.
    pub(crate) skip: bool,
}

/// That another run holds a lock, in words.
pub(crate) fn held_by(lock: &str, run: &str, reason: &str) -> String {
    format!("lock `{lock}` is held by run {run} ({reason})")
}

/// What has been recorded of a task.
#[derive(Debug, Default)]
pub(crate) struct TaskFacts {
    /// The first intent of the latest incarnation: what all attempts of it use.
    pub(crate) started: Option<Arc<Intent>>,
    pub(crate) outputs: Map,
    /// Where a secret was hidden in them: there stands `***`, and nobody may take that for data.
    pub(crate) masked: Vec<Path>,
    /// Of a call.
    pub(crate) inputs: Map,
    /// Of a `for_each`: keys and values.
    pub(crate) items: Vec<(String, Value)>,
    pub(crate) case: Option<u32>,
    /// Why its last attempt did not succeed.
    pub(crate) failure: Option<String>,
    pub(crate) warning: Option<String>,
    /// What the last look at its effect said.
    pub(crate) verified: Option<(Grade, String)>,
    /// Of an approval: who, and when.
    pub(crate) votes: Vec<(PersonId, u64)>,
    /// Of a checklist: items that are done.
    ticks: BTreeSet<String>,
}

impl TaskFacts {
    fn returns(&mut self, outputs: Map, masked: Vec<Path>) {
        (self.outputs, self.masked) = (outputs, masked);
    }

    /// What its own undo and verify get of its outputs, if there are any: none in which a secret was hidden.
    pub(crate) fn returned(&self) -> Option<Map> {
        let whole = |name: &String, value: &Value| {
            let alone = Value::Map(Map::from([(name.clone(), value.clone())]));
            self.masked.iter().all(|place| alone.at(place).is_none())
        };
        let mut outputs = self.outputs.clone();
        outputs.retain(|name, value| self.masked.is_empty() || whole(name, value));
        (!outputs.is_empty()).then_some(outputs)
    }
}

/// What was on disk before an attempt started.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Intent {
    pub(crate) incarnation: u32,
    pub(crate) params: Map,
    pub(crate) prepared: Value,
    pub(crate) key: String,
}

/// A record that does not fit the plan: of another version, or tampered with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("event {seq} does not fit the plan: {reason}")]
pub struct Misfit {
    seq: u64,
    reason: String,
}

impl Facts {
    pub(crate) fn new(plan: Arc<Plan>, registry: Arc<Registry>) -> Facts {
        Facts {
            plan,
            registry,
            run: String::new(),
            created_ms: 0,
            seed: 0,
            host: String::new(),
            people: Vec::new(),
            tasks: HashMap::new(),
            leftovers: BTreeMap::new(),
            meant: BTreeMap::new(),
            asked: Vec::new(),
            awaited: None,
            refused: None,
            finished: None,
            lacks_outputs: false,
            last_seq: 0,
            last_wall_ms: 0,
            last_elapsed_ms: 0,
        }
    }

    pub(crate) fn task(&self, task: TaskId) -> Option<&TaskFacts> {
        self.tasks.get(&task)
    }

    pub(crate) fn requester(&self) -> &Person {
        // The first record of a run says who; nothing reads this before it.
        &self.people[0]
    }

    pub(crate) fn known(&self, person: &Person) -> Option<PersonId> {
        let at = self.people.iter().position(|known| known == person)?;
        Some(PersonId(at as u32))
    }

    /// The event that put this question, if it was recorded and stands since then.
    pub(crate) fn asked_at(&self, about: About) -> Option<u64> {
        self.asked.iter().find(|(asked, _)| *asked == about).map(|(_, seq)| *seq)
    }

    /// What may still run of attempts that nobody saw the end of. A machine may have got another name since: those of all
    /// machines are looked for.
    pub(crate) fn leftovers(&self) -> Vec<Leftover> {
        self.leftovers.values().cloned().collect()
    }

    /// Attempts that nobody saw the end of and that were begun on machines of other names, with the name.
    pub(crate) fn left_elsewhere(&self, host: &str) -> impl Iterator<Item = (TaskId, &str)> {
        let others = self.leftovers.iter().filter(move |(_, leftover)| leftover.host != host);
        others.map(|((task, _), leftover)| (*task, leftover.host.as_str()))
    }

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

/// The task that a question is about.
pub(crate) fn task_of(about: About) -> Option<TaskId> {
    match about {
        About::Human(task) | About::InDoubt(task) | About::Warning(task) | About::Drift(task) => Some(task),
        About::Rollback(task) => task,
        About::AfterPivot => None,
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

/// A node's number as an index.
pub(crate) fn index(node: NodeId) -> usize {
    node.0 as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undo_gets_no_output_in_which_a_secret_was_hidden() {
        let mut facts = TaskFacts::default();
        let outputs = Map::from([
            ("colour".to_owned(), "***".into()),
            ("json".to_owned(), Map::from([("token".to_owned(), "***".into())]).into()),
            ("size".to_owned(), 2.into()),
        ]);
        facts.returns(outputs.clone(), decode_masked(&["colour".into(), "json.token".into()]).unwrap());
        assert_eq!(facts.returned(), Some(Map::from([("size".to_owned(), 2.into())])));
        facts.returns(outputs.clone(), Vec::new());
        assert_eq!(facts.returned(), Some(outputs));
        facts.returns(Map::new(), Vec::new());
        assert_eq!(facts.returned(), None);
    }
}
