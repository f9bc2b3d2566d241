//! What has been recorded, as far as later steps read it, and what a record means to the kernel.
//!
//! Live and on resume every record goes through [`Facts::take`], which is the only place where a kernel fact is made.

mod take;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use runbook_kernel::{About, Ms, NodeId, PersonId, TaskId};
use runbook_plan::Plan;
use runbook_step::{Map, Path, Registry, Value};
use runbook_wire::{Grade, Person};

use crate::leftovers::Leftover;

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
}

/// The task that a question is about.
pub(crate) fn task_of(about: About) -> Option<TaskId> {
    match about {
        About::Human(task) | About::InDoubt(task) | About::Warning(task) | About::Drift(task) => Some(task),
        About::Rollback(task) => task,
        About::AfterPivot => None,
    }
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
        facts.returns(outputs.clone(), ["colour", "json.token"].map(|place| place.parse().unwrap()).into());
        assert_eq!(facts.returned(), Some(Map::from([("size".to_owned(), 2.into())])));
        facts.returns(outputs.clone(), Vec::new());
        assert_eq!(facts.returned(), Some(outputs));
        facts.returns(Map::new(), Vec::new());
        assert_eq!(facts.returned(), None);
    }
}
