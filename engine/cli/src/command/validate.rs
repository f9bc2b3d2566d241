//! `runbook validate FILE…`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{Format, Global};
use crate::diagnostics::{self, Tally};
use crate::error::{CommandError, Exit};
use crate::output;
use crate::target::Target;

/// Say everything that is wrong with runbooks and environments, at once; run nothing.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The runbooks, and environments; `-` reads one from standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The environment [default: as runbook.toml says].
    #[arg(short, long, value_name = "ENV")]
    environment: Option<String>,
    /// Warnings are errors: above all, every write must say how it is undone.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(validate: &Validate, global: &Global) -> Result<Exit, CommandError> {
    let mut wrong = 0;
    for file in &validate.files {
        let target = Target {
            file: file.clone(),
            environment: validate.environment.clone(),
            inputs: Vec::new(),
            strict: validate.strict,
            ..Target::default()
        };
        let planned = target.check()?;
        diagnostics::show(&planned.diagnostics, &planned.sources, global)?;
        let tally = Tally::of(&planned.diagnostics);
        if tally.errors > 0 {
            wrong += 1;
        }
        if global.output == Format::Text {
            let verdict = match tally.words() {
                None => "valid".to_owned(),
                Some(words) if tally.errors == 0 => format!("valid, {words}"),
                Some(words) => words,
            };
            output::line_to_stderr(&format!("{}: {verdict}", file.display()));
        }
    }
    match wrong {
        0 => Ok(Exit::SUCCESS),
        _ => Err(CommandError::usage(format!("{wrong} of {} invalid", validate.files.len()))
            .exit(Exit::INVALID)
            .hint("`runbook explain CODE` says more about a code")),
    }
}
