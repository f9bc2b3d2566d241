//! What a shell offers after TAB, from the same declarations and files that the commands read.
//!
//! Completion never fails: where nothing can be read, nothing is offered.

use std::ffi::OsStr;
use std::path::Path;

use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};

use crate::args::{Colour, Format, Global};
use crate::{command, history, project, target};

fn all<T: Into<String>>(values: impl IntoIterator<Item = (T, String)>) -> Vec<CompletionCandidate> {
    let one = |(value, help): (T, String)| CompletionCandidate::new(value.into()).help(Some(help.into()));
    values.into_iter().map(one).collect()
}

/// Runbooks: YAML files, and folders on the way to them.
pub(crate) fn runbooks() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let yaml = |path: &Path| {
            path.is_dir()
                || path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
        };
        PathCompleter::any().filter(yaml).complete(current)
    })
}

/// Environments of the project that we stand in.
pub(crate) fn environments() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let root = project::Project::of(Path::new(".")).ok().and_then(|project| project.root);
        let names = root.map(|root| target::environments(&root)).unwrap_or_default();
        names.into_iter().map(CompletionCandidate::new).collect()
    })
}

/// Step types.
pub(crate) fn steps() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let registry = runbook_stdlib::registry();
        all(registry.declarations().map(|d| (d.name, d.summary.to_owned())))
    })
}

/// Error codes.
pub(crate) fn codes() -> ArgValueCandidates {
    ArgValueCandidates::new(|| all(command::error_codes().map(|(code, title)| (code, title.to_owned()))))
}

/// The newest runs of the journal that the environment names.
pub(crate) fn runs() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let global = Global { color: Colour::Never, no_input: true, output: Format::Text, state: None };
        let runs = history::reading(&global).and_then(|journal| Ok(journal.runs(&history::filter(50))?));
        all(runs.unwrap_or_default().into_iter().map(|run| {
            let said = format!("{}: {}", run.runbook, command::run_words(&run.status));
            (run.id, said)
        }))
    })
}
