//! `runbook exec FILE`.

use std::path::{Path, PathBuf};

use clap::Args;
use runbook_plan::{Given, GivenValue};
use runbook_runtime::NewRun;

use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::target::{Planned, Target};
use crate::{drive, host, inputs};

const EXAMPLES: &str = "\
Examples:
  runbook exec golive.yaml -e production -i version=v1.4.2
  runbook exec golive.yaml -i alert=@payload.json --dry-run
  runbook exec golive.yaml --detach, then: runbook watch";

/// Run a runbook.
///
/// Everything that happens is in the journal before it counts: kill this process anywhere, and `runbook resume` goes on.
/// The first Ctrl-C asks whether to go on, to cancel and roll back, or to stop here.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", crate::args::EXIT_CODES))]
pub(crate) struct Exec {
    #[command(flatten)]
    target: Target,
    /// At most this many steps at once [default: as many as the runbook allows].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
    /// Answers to what the run asks, as YAML; marked as such in the record. Not in a protected environment.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Show what would run, and run nothing: the same as `runbook plan`.
    #[arg(long)]
    dry_run: bool,
    /// Leave the terminal at once: the run goes on by itself. Follow it with `runbook watch`.
    #[arg(long)]
    detach: bool,
}

pub(crate) fn run(exec: &Exec, global: &Global) -> Result<Exit, CommandError> {
    let planned = plan(exec, global)?;
    if exec.dry_run {
        return super::plan::show(&exec.target, planned, global);
    }
    let (plan, root, environment) = exec.target.plan_or_show(planned, global)?;
    let answers = match &exec.answers {
        None => None,
        Some(path) => Some(answers(path)?),
    };
    let host = host::host(global, root)?;
    let file = exec.target.file.display().to_string();
    let answers_file = exec.answers.as_ref().map(|path| path.display().to_string());
    let new = NewRun { file, environment, max_parallel: exec.max_parallel, answers, answers_file };
    if exec.detach {
        drive::new_detached(plan, new, host, global)
    } else {
        drive::new(plan, new, host, global)
    }
}

/// The text of an answers file, which reads: a run that cannot use it is not begun.
fn answers(path: &Path) -> Result<String, CommandError> {
    let fault = |place: String, error: &dyn std::fmt::Display| {
        CommandError::usage(format!("--answers {place}: {error}"))
            .hint("it names a YAML file, a map from the path of a step to its answer: `signoff: approve`")
    };
    let text = std::fs::read_to_string(path).map_err(|error| fault(path.display().to_string(), &error))?;
    runbook_runtime::read_answers(&text).map_err(|error| {
        let line = error.line.map_or_else(String::new, |line| format!(":{line}"));
        fault(format!("{}{line}", path.display()), &error)
    })?;
    Ok(text)
}

/// Plans; asks for required inputs that are missing, if there is somebody to ask.
fn plan(exec: &Exec, global: &Global) -> Result<Planned, CommandError> {
    if !host::attended(global) {
        return exec.target.plan(false, Vec::new());
    }
    let looked = exec.target.plan(true, Vec::new())?;
    let mut typed = Vec::new();
    for input in inputs::missing(&looked.planned) {
        let text = inputs::ask(input)?;
        typed.push(Given { origin: "typed".into(), name: input.name.clone(), value: GivenValue::Text(text) });
    }
    exec.target.plan(false, typed)
}
