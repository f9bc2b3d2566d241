//! `runbook schema`.

use clap::Args;

use crate::error::{CommandError, Exit};
use crate::output;

/// Print the JSON Schema of runbooks and environments, for editors.
#[derive(Debug, Args)]
pub(crate) struct Schema {}

pub(crate) fn run(_: &Schema) -> Result<Exit, CommandError> {
    let schema = runbook_plan::schema(&runbook_stdlib::registry());
    output::data_line(&format!("{schema:#}"))?;
    Ok(Exit::SUCCESS)
}
