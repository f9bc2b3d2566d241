//! `runbook doctor`.

use std::path::Path;

use clap::Args;
use runbook_journal::Journal;

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::{history, host, output, project};

/// Check that this machine and this project have what runs need.
///
/// Writes nothing but a probe file in the journal's folder, which it removes.
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

/// How many runs are checked event by event: so many that it takes a moment.
const NEWEST: usize = 100;

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    verdict: Verdict,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Works, but not as well as it could.
    Mind,
    Bad,
}

pub(crate) fn run(_: &Doctor, global: &Global) -> Result<Exit, CommandError> {
    // First, because it makes the folder as a journal's has to be.
    let journal = history::writing(global);
    let record = record(journal.as_ref().ok());
    let findings = [
        Finding { what: "version", verdict: Verdict::Good, detail: env!("CARGO_PKG_VERSION").into() },
        Finding { what: "person", verdict: Verdict::Good, detail: host::person().name },
        journal_folder(global),
        unfinished(journal),
        record,
        program("bash", "scripts under `run:` need it, or say `shell:`"),
        project_file(),
        terminal(global),
    ];
    for finding in &findings {
        let mark = match finding.verdict {
            Verdict::Good => "ok  ",
            Verdict::Mind => "mind",
            Verdict::Bad => "BAD ",
        };
        match global.output {
            Format::Text => output::data_line(&format!("{mark}  {:<15} {}", finding.what, finding.detail))?,
            Format::Json => output::data_line(
                &serde_json::json!({"version": 1, "what": finding.what, "verdict": mark.trim().to_lowercase(), "detail": finding.detail})
                    .to_string(),
            )?,
        }
    }
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if bad == 0 {
        Ok(Exit::SUCCESS)
    } else {
        Err(CommandError::unexpected(format!("{bad} of {} are bad", findings.len())))
    }
}

fn journal_folder(global: &Global) -> Finding {
    let what = "journal folder";
    let folder = match project::state_folder(global) {
        Ok(folder) => folder,
        Err(error) => return Finding { what, verdict: Verdict::Bad, detail: error.message },
    };
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    let removed = std::fs::write(&probe, "probe\n").and_then(|()| std::fs::remove_file(&probe));
    match removed {
        Ok(()) => Finding { what, verdict: Verdict::Good, detail: folder.display().to_string() },
        Err(error) => {
            Finding { what, verdict: Verdict::Bad, detail: format!("{}: {error}", folder.display()) }
        }
    }
}

fn unfinished(journal: Result<Journal, CommandError>) -> Finding {
    let what = "journal";
    match journal.and_then(|journal| super::runs::unfinished(&journal)) {
        Ok(0) => Finding { what, verdict: Verdict::Good, detail: "opens; no run is unfinished".into() },
        Ok(n) => {
            Finding { what, verdict: Verdict::Mind, detail: format!("opens; {n} unfinished: runbook runs") }
        }
        Err(error) => Finding { what, verdict: Verdict::Bad, detail: error.message },
    }
}

/// Whether the newest runs, which people look at, are what was recorded, and whether one was deleted.
fn record(journal: Option<&Journal>) -> Finding {
    let what = "record";
    let Some(journal) = journal else {
        return Finding { what, verdict: Verdict::Mind, detail: "not checked".into() };
    };
    match journal.verify_newest(NEWEST) {
        Ok(found) => match found.damage.split_first() {
            None => Finding {
                what,
                verdict: Verdict::Good,
                detail: format!(
                    "no run was deleted, and the newest {} say what was recorded (unanchored; older ones not checked)",
                    found.runs
                ),
            },
            Some((first, others)) => {
                let more =
                    if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
                Finding { what, verdict: Verdict::Bad, detail: format!("{first}{more}") }
            }
        },
        Err(error) => Finding { what, verdict: Verdict::Bad, detail: error.to_string() },
    }
}

/// Whether a program is on the PATH.
fn program(name: &'static str, otherwise: &str) -> Finding {
    let path = project::environment_variable("PATH").unwrap_or_default();
    match path.split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.is_file()) {
        Some(file) => Finding { what: name, verdict: Verdict::Good, detail: file.display().to_string() },
        None => {
            Finding { what: name, verdict: Verdict::Bad, detail: format!("is not on the PATH; {otherwise}") }
        }
    }
}

fn project_file() -> Finding {
    let what = "project";
    match project::Project::of(Path::new(".")) {
        Err(error) => Finding { what, verdict: Verdict::Bad, detail: error.message },
        Ok(project) => match (&project.root, &project.settings.default_environment) {
            (None, _) => Finding {
                what,
                verdict: Verdict::Mind,
                detail: "no runbook.toml here or above: there are no environments".into(),
            },
            (Some(root), None) => {
                Finding { what, verdict: Verdict::Good, detail: root.display().to_string() }
            }
            (Some(root), Some(name)) => {
                let file = root.join("environments").join(format!("{name}.yaml"));
                if file.is_file() {
                    Finding {
                        what,
                        verdict: Verdict::Good,
                        detail: format!("{}, environment {name}", root.display()),
                    }
                } else {
                    Finding {
                        what,
                        verdict: Verdict::Bad,
                        detail: format!("{} is missing; runbook.toml names it", file.display()),
                    }
                }
            }
        },
    }
}

fn terminal(global: &Global) -> Finding {
    let what = "terminal";
    if host::attended(global) {
        Finding { what, verdict: Verdict::Good, detail: "questions can be asked here".into() }
    } else {
        Finding {
            what,
            verdict: Verdict::Mind,
            detail: "nobody can be asked here; a run that needs a person waits (exit 24)".into(),
        }
    }
}
