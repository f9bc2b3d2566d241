//! Making a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_journal::{
    ClaimError, Executor, Journal, MIN_LENGTH, PlanFile, PlanFileKind, StoredPlan, Wake, run_id,
};
use runbook_kernel::{Kernel, SEMANTICS};
use runbook_plan::{Bundle, Plan, Request};
use runbook_wire::{Body, Record};
use tokio::sync::mpsc;

use super::{Execution, ExecutionError, Inner};
use crate::facts::Facts;
use crate::{Control, Host};

/// What the command line says of a new run, beside its plan.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    /// The runbook's path as it was given.
    pub file: String,
    /// Name of the environment.
    pub environment: Option<String>,
    /// At most this many steps at once; `None`: as the plan says.
    pub max_parallel: Option<u32>,
    /// Answers that it named (`--answers`), as read; they come before the environment's.
    pub answers: Option<String>,
    /// Their path as it was given.
    pub answers_file: Option<String>,
}

impl Execution {
    /// Makes a run of a plan. Nothing has started when this returns; the run is in the journal as soon as it is driven,
    /// or dropped.
    ///
    /// # Errors
    /// If the plan was made to be looked at only, required inputs are missing, or the journal cannot be written.
    pub async fn create(mut host: Host, mut plan: Plan, new: NewRun) -> Result<Execution, ExecutionError> {
        if plan.bundle.request.incomplete {
            return Err(ExecutionError::Incomplete);
        }
        if !plan.missing.is_empty() {
            return Err(ExecutionError::MissingInputs(plan.missing));
        }
        host.root = absolute(&host.root)?;
        if let Some(most) = new.max_parallel {
            plan.program.max_parallel = most;
        }
        let journal = Arc::new(Journal::open(&host.state)?);
        let (executor, wakes) = begin(&journal, &plan, &host.entropy)?;
        let created = Body::RunCreated {
            run: executor.run().to_owned(),
            runbook: plan.name.clone(),
            file: new.file,
            plan: plan.digest.0.clone(),
            environment: new.environment,
            inputs: plan.inputs.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
            requester: host.person.clone(),
            seed: host.entropy[24..].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte)),
            semantics: SEMANTICS,
            version: host.version.clone(),
            unattended: host.unattended,
            root: host.root.to_string_lossy().into_owned(),
            request: serde_json::to_value(&plan.bundle.request).unwrap_or_default(),
            max_parallel: new.max_parallel,
            answers: new.answers.clone(),
            answers_file: new.answers_file,
        };
        let started =
            Body::ExecutorStarted { pid: host.pid, host: host.hostname.clone(), resumed: false, gap_ms: 0 };
        let (control, controlled) = Control::new();
        let plan = Arc::new(plan);
        let inner = Inner {
            kernel: Kernel::new(plan.program.clone()),
            facts: Facts::new(Arc::clone(&plan), Arc::clone(&host.registry)),
            plan,
            journal,
            executor,
            wakes,
            elapsed_ms: 0,
            since: host.clock.ms(),
            begin: vec![created, started],
            requests: Vec::new(),
            warnings: Vec::new(),
            answers: new.answers,
            controlled,
            host,
        };
        Ok(Execution::of(inner, control))
    }
}

pub(super) fn absolute(root: &std::path::Path) -> Result<std::path::PathBuf, ExecutionError> {
    std::fs::canonicalize(root)
        .map_err(|error| ExecutionError::Root { folder: root.to_owned(), reason: error.to_string() })
}

/// Takes an id that is free: short ones first.
fn begin(
    journal: &Journal,
    plan: &Plan,
    entropy: &[u8; 32],
) -> Result<(Executor, mpsc::UnboundedReceiver<Wake>), ExecutionError> {
    let stored = stored(plan);
    let mut taken = None;
    for (try_no, length) in (0..12).map(|n| (n, MIN_LENGTH + n / 2)) {
        let bytes: Vec<u8> = entropy.iter().cycle().skip(try_no * 7).take(length).copied().collect();
        let (to, wakes) = mpsc::unbounded_channel();
        // Nobody listens any more only when the execution is over.
        match journal.create(&run_id(&bytes), stored.clone(), move |wake| drop(to.send(wake))) {
            Ok(executor) => return Ok((executor, wakes)),
            Err(error @ (ClaimError::Exists(_) | ClaimError::Held { .. })) => taken = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(taken.map_or_else(|| ExecutionError::NoSuchRun(String::new()), Into::into))
}

/// The plan as it is stored: what it was made of. What was asked differs from run to run, and stands in its first record.
fn stored(plan: &Plan) -> StoredPlan {
    let files = plan.bundle.files.iter().map(|(name, content)| (PlanFileKind::Source, name, content));
    let pinned = plan.pinned.iter().filter(|(name, _)| !plan.bundle.files.contains_key(*name));
    let pinned = pinned.map(|(name, content)| (PlanFileKind::Pinned, name, content));
    StoredPlan {
        digest: plan.digest.0.clone(),
        outline: plan.outline.clone(),
        files: files
            .chain(pinned)
            .map(|(kind, name, content)| PlanFile { kind, name: name.clone(), content: content.clone() })
            .collect(),
    }
}

/// Puts a run that was made into the journal, for another process to drive.
pub(super) fn leave(mut inner: Inner) {
    let Some(body) = inner.begin.into_iter().next() else { return };
    let record = Record {
        seq: inner.executor.next_seq(),
        wall_ms: inner.host.clock.wall_ms(),
        elapsed_ms: 0,
        epoch: inner.executor.epoch(),
        body,
    };
    // A journal that does not take it has no such run, which is what whoever wants to drive it finds.
    let _ = inner.executor.append(&[record]);
}

/// What was planned, from what is stored of a run.
pub(super) fn bundle(stored: StoredPlan, request: Request) -> Bundle {
    let files: BTreeMap<String, Vec<u8>> =
        stored.files.into_iter().map(|file| (file.name, file.content)).collect();
    Bundle { request, files }
}
