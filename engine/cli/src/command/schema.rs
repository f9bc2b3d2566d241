//! `runbook schema`.

use clap::{Args, ValueEnum};

use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::output;

/// Print the JSON Schema of a kind of file, for editors.
///
/// `runbook schema > runbook.schema.json`, then begin a runbook with
/// `# yaml-language-server: $schema=runbook.schema.json`.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The kind of file.
    #[arg(value_enum, default_value_t = Kind::Runbook)]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Runbook,
    Environment,
}

pub(crate) fn run(schema: &Schema, _: &Global) -> Result<Exit, CommandError> {
    let registry = runbook_stdlib::registry();
    let value = match schema.kind {
        Kind::Runbook => runbook_plan::schema::runbook(&registry),
        Kind::Environment => runbook_plan::schema::environment(&registry),
    };
    let text =
        serde_json::to_string_pretty(&value).map_err(|error| CommandError::unexpected(error.to_string()))?;
    output::data_line(&text)?;
    Ok(Exit::SUCCESS)
}
