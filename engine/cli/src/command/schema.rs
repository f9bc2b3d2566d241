//! `runbook schema`.

use clap::Args;

use crate::error::{CommandError, Exit};
use crate::output;

/// Print the JSON Schema of runbooks and environments, for editors.
///
/// `runbook schema > runbook.schema.json`, then begin a file with
/// `# yaml-language-server: $schema=runbook.schema.json`.
#[derive(Debug, Args)]
pub(crate) struct Schema {}

pub(crate) fn run(_: &Schema) -> Result<Exit, CommandError> {
    let schema = runbook_plan::schema(&runbook_stdlib::registry());
    let text =
        serde_json::to_string_pretty(&schema).map_err(|error| CommandError::unexpected(error.to_string()))?;
    output::data_line(&text)?;
    Ok(Exit::SUCCESS)
}
