//! Taking a run that nobody executes: plan again, replay, end what was left.

use std::sync::Arc;

use runbook_journal::Journal;
use runbook_kernel::{Event, Kernel, SEMANTICS};
use runbook_plan::{Plan, Request};
use runbook_wire::{Body, Record};
use tokio::sync::mpsc;

use super::create::{absolute, bundle};
use super::{Execution, ExecutionError, Inner};
use crate::facts::Facts;
use crate::leftovers;
use crate::process::Patience;
use crate::resolve::View;
use crate::{Control, Host};

impl Execution {
    /// Takes a run that nobody executes: plans again from what was stored, replays, ends what is left of earlier
    /// attempts. Nothing is recorded before it is driven. The host's root is the one that the run was made with.
    ///
    /// # Errors
    /// If there is no such run, another process executes it, its record or its plan cannot be used, or something that
    /// an earlier attempt left running cannot be ended.
    pub async fn open(mut host: Host, run: &str) -> Result<Execution, ExecutionError> {
        let journal = Arc::new(Journal::open(&host.state)?);
        let (to, wakes) = mpsc::unbounded_channel();
        // Nobody listens any more only when the execution is over.
        let executor = journal.claim(run, move |wake| drop(to.send(wake)))?;
        let records = journal.events(run, 1).collect::<Result<Vec<_>, _>>()?;
        let plan = Arc::new(plan_again(&journal, &mut host, run, &records)?);
        let mut facts = Facts::new(Arc::clone(&plan), Arc::clone(&host.registry));
        let mut kernel = Kernel::new(plan.program.clone());
        let mut commands = Vec::new();
        for record in &records {
            if let Some(fact) = facts.take(record)? {
                kernel.step(Event { at: record.elapsed_ms, fact }, &mut commands);
                commands.clear();
            }
        }
        let view = View { plan: &plan, registry: &host.registry, kernel: &kernel, facts: &facts };
        let warnings =
            if facts.finished.is_none() { left_elsewhere(view, &host.hostname) } else { Vec::new() };
        let left = facts.leftovers();
        if !left.is_empty() && facts.finished.is_none() {
            let (_, groups) = leftovers::end_all(&left, Patience::default().grace).await;
            if !groups.is_empty() {
                return Err(ExecutionError::Leftovers { run: run.to_owned(), groups });
            }
        }
        let gap_ms = host.clock.wall_ms().saturating_sub(facts.last_wall_ms);
        // What passed between the end of a run and its rollback is no part of it.
        let gap_ms = if facts.finished.is_some() { 0 } else { gap_ms };
        let begin =
            vec![Body::ExecutorStarted { pid: host.pid, host: host.hostname.clone(), resumed: true, gap_ms }];
        let (control, controlled) = Control::new();
        let inner = Inner {
            elapsed_ms: facts.last_elapsed_ms + gap_ms,
            since: host.clock.ms(),
            plan,
            journal,
            executor,
            wakes,
            kernel,
            facts,
            begin,
            requests: Vec::new(),
            warnings,
            answers: answers_given(&records),
            controlled,
            host,
        };
        Ok(Execution::of(inner, control))
    }
}

/// What is to be said of attempts that were begun on other machines.
fn left_elsewhere(view: View<'_>, host: &str) -> Vec<String> {
    let warning = |(task, other)| {
        let path = view.name(task).path;
        format!(
            "an attempt of `{path}` was begun on {other}: if that is another machine, what may still run of it there is not ended from here"
        )
    };
    view.facts.left_elsewhere(host).map(warning).collect()
}

/// The answers file that the run was made with.
fn answers_given(records: &[Record]) -> Option<String> {
    match records.first().map(|record| &record.body) {
        Some(Body::RunCreated { answers, .. }) => answers.clone(),
        _ => None,
    }
}

/// The plan that the run began with: from what was stored, whatever happened to the files since.
fn plan_again(
    journal: &Journal,
    host: &mut Host,
    run: &str,
    records: &[Record],
) -> Result<Plan, ExecutionError> {
    let fault = |reason: &str| ExecutionError::Plan { run: run.to_owned(), reason: reason.to_owned() };
    let Some(Record {
        body: Body::RunCreated { plan, semantics, version, root, request, max_parallel, .. },
        ..
    }) = records.first()
    else {
        return Err(fault("its first event does not say what it is"));
    };
    if *semantics != SEMANTICS {
        return Err(ExecutionError::OtherSemantics { run: run.to_owned(), version: version.clone() });
    }
    host.root = absolute(std::path::Path::new(root))?;
    let request: Request = serde_json::from_value(request.clone())
        .map_err(|error| fault(&format!("what was asked: {error}")))?;
    let stored = journal.plan(plan)?.ok_or_else(|| fault("it is not in the journal"))?;
    let bundle = bundle(stored, request.clone());
    let planned = runbook_plan::plan(&request, &bundle, &host.registry);
    let Some(mut again) = planned.plan else {
        return Err(fault("this version of runbook finds faults in it"));
    };
    if again.digest.0 != *plan {
        return Err(fault("this version of runbook makes another plan of it"));
    }
    if let Some(most) = max_parallel {
        again.program.max_parallel = *most;
    }
    Ok(again)
}
