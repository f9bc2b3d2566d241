//! `runbook validate FILE…`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{Format, Global};
use crate::complete;
use crate::diagnostics::{self, Tally};
use crate::error::{CommandError, Exit};
use crate::output;
use crate::target::Target;

/// Say everything that is wrong with runbooks and environments, at once; run nothing.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The runbooks, and environments; `-` reads one from standard input.
    #[arg(required = true, value_name = "FILE", add = complete::runbooks())]
    files: Vec<PathBuf>,
    /// The environment [default: as runbook.toml says].
    #[arg(short, long, value_name = "ENV", add = complete::environments())]
    environment: Option<String>,
    /// Warnings are errors: above all, every write must say how it is undone.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(validate: &Validate, global: &Global) -> Result<Exit, CommandError> {
    let (mut wrong, mut unread) = (0, None);
    for file in &validate.files {
        let target = Target {
            file: file.clone(),
            environment: validate.environment.clone(),
            inputs: Vec::new(),
            strict: validate.strict,
            ..Target::default()
        };
        let planned = match target.check() {
            Ok(planned) => planned,
            // The others are looked at all the same.
            Err(error) => {
                if let Some(earlier) = unread.replace(error) {
                    output::line_to_stderr(&earlier.to_string());
                }
                continue;
            }
        };
        diagnostics::show(&planned.diagnostics, &planned.sources, global)?;
        let tally = Tally::of(&planned.diagnostics);
        if tally.errors > 0 {
            wrong += 1;
        }
        match global.output {
            Format::Text => {
                let verdict = match tally.words() {
                    None => "valid".to_owned(),
                    Some(words) if tally.errors == 0 => format!("valid, {words}"),
                    Some(words) => words,
                };
                output::line_to_stderr(&format!("{}: {verdict}", file.display()));
            }
            Format::Json => output::data_line(
                &serde_json::json!({
                    "version": 1, "type": "validated", "file": file.display().to_string(),
                    "valid": tally.errors == 0, "errors": tally.errors, "warnings": tally.warnings,
                })
                .to_string(),
            )?,
        }
    }
    if let Some(error) = unread {
        return Err(error);
    }
    match wrong {
        0 => Ok(Exit::SUCCESS),
        _ => Err(CommandError::usage(format!("{wrong} of {} invalid", validate.files.len()))
            .exit(Exit::INVALID)
            .hint("`runbook explain CODE` says more about a code")),
    }
}
