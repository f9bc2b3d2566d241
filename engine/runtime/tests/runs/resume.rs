//! Killed anywhere, resumed, ended the same.
//!
//! Oracle: a finished run. For each prefix of its records a journal is made that holds exactly these, as if the process
//! had been killed after that commit; the stage is put back to how it was then, once with and once without the effects
//! that had been begun and not recorded. Resuming must end as the whole run did, and do nothing again that was recorded
//! as done.

use std::collections::{BTreeMap, BTreeSet};

use runbook_journal::{Journal, PlanFile, PlanFileKind, StoredPlan};
use runbook_runtime::Execution;
use runbook_wire::{Body, Outline, Record, Result as Ending};

use crate::stage::{Stage, Way};
use crate::world::{World, drive, folder, lines};

/// What there is of most things: groups, items, a case, a retry, a wait, a guard, a call, a word at the end.
const MANY: &str = "
apiVersion: runbook/v1
name: many
on_failure: {first: [{uses: stage.tell, with: {name: drain}}]}
steps:
  - {id: before, uses: stage.look, with: {name: x}}
  - id: pair
    parallel: true
    steps:
      - {id: left, uses: stage.put, with: {name: left}, retry: {max_attempts: 2, delay: 1m}}
      - {id: right, uses: stage.put, with: {name: 'right ${{ steps.pair_size.outputs.size }}'}, needs: [pair_size]}
      - {id: pair_size, uses: set, with: {size: 2}}
  - id: hosts
    for_each: {items: [k1, k2, k3], as: host, batches: [{size: 1}, rest]}
    uses: stage.put
    with: {name: 'host ${{ host }}'}
  - id: pick
    switch: '${{ steps.before.outputs.there }}'
    cases:
      'true': [{id: nothing, uses: set, with: {a: 1}}]
      default: [{id: picked, uses: stage.put, with: {name: picked}}]
  - id: soak
    guard: [{uses: stage.seen, with: {name: left}, every: 30s, failures: 2}]
    wait: {for: 2m}
  - {id: called, call: called.yaml, inputs: {name: called}}
  - {id: last, uses: stage.put, with: {name: last}, verify: {uses: stage.seen, with: {name: last}, within: 4s, every: 2s, not_done: {uses: stage.missing, with: {name: last}}}}
finally:
  - {uses: stage.tell, with: {name: 'told ${{ run.status }}'}}
outputs: {last: '${{ steps.last.outputs.put }}'}
";

const CALLED: &str = "
apiVersion: runbook/v1
name: called
inputs: {name: {type: string}}
steps:
  - {id: it, uses: stage.put, with: {name: '${{ inputs.name }}'}}
outputs: {put: '${{ steps.it.outputs.put }}'}
";

fn many(stage: &Stage, main: &str) -> World {
    World::new(stage.registry()).file("main.yaml", main).file("called.yaml", CALLED)
}

/// What a record means to the stage.
#[derive(Default)]
struct Stood {
    there: BTreeSet<String>,
    /// Begun and not ended: what it is called, and whether it puts or takes away.
    open: BTreeMap<(u32, u32, u32), (String, bool)>,
}

/// The names of steps by their task, from their parameters.
fn stood(records: &[Record], outline: &Outline) -> Stood {
    let mut stood = Stood::default();
    let mut names = BTreeMap::new();
    for record in records {
        match &record.body {
            Body::Started { task, attempt, params, .. } => {
                let owner = task.path.strip_suffix(".undo").unwrap_or(&task.path).to_owned();
                let undo = owner != task.path;
                if let Some(name) = params.get("name").and_then(|name| name.as_str()) {
                    names.insert(task.path.clone(), name.to_owned());
                }
                if let Some(name) = names.get(&owner)
                    && matches!(outline.entries[task.node as usize].effect.as_str(), "write" | "notify")
                {
                    stood.open.insert((task.frame, task.node, *attempt), (name.clone(), !undo));
                }
            }
            Body::Ended { task, attempt, result, .. } => {
                let Some((name, puts)) = stood.open.remove(&(task.frame, task.node, *attempt)) else {
                    continue;
                };
                match (result, puts) {
                    (Ending::Done | Ending::Failed, true) => drop(stood.there.insert(name)),
                    (Ending::Done, false) => drop(stood.there.remove(&name)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    stood
}

/// A journal that holds these records of a run and nothing else.
fn journal_of(world: &World, into: &std::path::Path, run: &str, records: &[Record]) {
    let whole = Journal::open(&world.state()).unwrap();
    let Body::RunCreated { plan, .. } = &records[0].body else { panic!("a run begins with its creation") };
    let stored = whole.plan(plan).unwrap().unwrap();
    let journal = Journal::open(into).unwrap();
    let files = stored.files.iter().map(|file| PlanFile {
        kind: PlanFileKind::Source,
        name: file.name.clone(),
        content: file.content.clone(),
    });
    let stored = StoredPlan { files: files.collect(), ..stored };
    let mut executor = journal.create(run, stored, |_| ()).unwrap();
    executor.append(records).unwrap();
}

fn end(records: &[Record]) -> Body {
    let end = records.iter().rev().find(|record| matches!(record.body, Body::Finished { .. }));
    end.unwrap_or_else(|| panic!("not finished:\n{}", lines(records))).body.clone()
}

/// Names of what was recorded as done, or as undone.
fn completed(records: &[Record], undo: bool) -> Vec<String> {
    let mut names = BTreeMap::new();
    let mut out = Vec::new();
    for record in records {
        match &record.body {
            Body::Started { task, params, .. } => {
                if let Some(name) = params.get("name").and_then(|name| name.as_str()) {
                    names.insert(task.path.clone(), name.to_owned());
                }
            }
            Body::Ended { task, result: Ending::Done, .. } if task.path.ends_with(".undo") == undo => {
                let owner = task.path.strip_suffix(".undo").unwrap_or(&task.path);
                out.extend(names.get(owner).cloned());
            }
            _ => {}
        }
    }
    out
}

async fn every_prefix_ends_the_same(main: &str, script: &[(&str, &[Way])]) {
    let stage = Stage::default();
    script.iter().for_each(|(name, ways)| stage.next(name, ways));
    let world = many(&stage, main);
    let whole = world.run().await;
    let run = whole.outcome.run.clone();
    let at_the_end = stage.there();
    let wanted = end(&whole.records);
    let outline = world.plan("main.yaml").outline;
    for length in 1..whole.records.len() {
        for happened in [true, false] {
            let prefix = &whole.records[..length];
            let mut stood = stood(prefix, &outline);
            if !happened && stood.open.is_empty() {
                continue;
            }
            if happened {
                for (name, puts) in stood.open.values() {
                    if *puts {
                        stood.there.insert(name.clone())
                    } else {
                        stood.there.remove(name)
                    };
                }
            }
            let again = Stage::default();
            again.things().there = stood.there.clone();
            // What the whole run was told goes on being told, but for what has been used up.
            for (name, ways) in script {
                let attempts = prefix
                    .iter()
                    .filter(|record| {
                        matches!(&record.body,
                    Body::Ended { task, .. } if task.path.ends_with(name) || *name == task.path)
                    })
                    .count();
                again.next(name, &ways[attempts.min(ways.len())..]);
            }
            let folder = folder();
            journal_of(&world, folder.path(), &run, prefix);
            let mut host = world.host();
            host.state = folder.path().to_owned();
            host.registry = std::sync::Arc::new(again.registry());
            let resumed = drive(Execution::open(host, &run).await.unwrap()).await;
            let mut all = prefix.to_vec();
            all.extend(resumed.records.iter().cloned());
            let told = || format!("after {length} (happened: {happened})\n{}", lines(&all));
            assert_eq!(end(&all), wanted, "{}", told());
            assert_eq!(resumed.outcome.exit, whole.outcome.exit, "{}", told());
            let there = |there: Vec<String>| -> Vec<String> {
                there.into_iter().filter(|name| !name.starts_with("told") && name != "drain").collect()
            };
            assert_eq!(there(again.there()), there(at_the_end.clone()), "{}", told());
            for (undo, verb) in [(false, "do"), (true, "undo")] {
                for name in completed(prefix, undo) {
                    let line = format!("{verb} {name}");
                    assert!(!again.done().contains(&line), "`{line}` was done twice\n{}", told());
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_run_that_succeeds() {
    every_prefix_ends_the_same(MANY, &[("left", &[Way::NotDone, Way::Done])]).await;
}

#[tokio::test(start_paused = true)]
async fn of_a_run_that_is_rolled_back() {
    let main = MANY.replace("finally:", "  - {id: gone, uses: stage.seen, with: {name: missing}}\nfinally:");
    every_prefix_ends_the_same(&main, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn what_another_machine_may_have_left_running_is_said() {
    let stage = Stage::default();
    let world = many(&stage, MANY);
    let whole = world.run().await;
    let run = whole.outcome.run.clone();
    let begun = whole
        .records
        .iter()
        .position(|record| matches!(&record.body, Body::Started { task, .. } if task.path == "pair.left"));
    let prefix = &whole.records[..=begun.unwrap()];
    for (hostname, told) in [("here", 0), ("elsewhere", 1)] {
        let folder = folder();
        journal_of(&world, folder.path(), &run, prefix);
        let mut host = world.host();
        host.state = folder.path().to_owned();
        host.hostname = hostname.into();
        let resumed = drive(Execution::open(host, &run).await.unwrap()).await;
        let warnings = resumed.warnings.iter().filter(|text| text.contains("`pair.left` was begun on here"));
        assert_eq!(warnings.count(), told, "{:?}", resumed.warnings);
    }
}
