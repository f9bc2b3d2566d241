//! `runbook init`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{CommandError, Exit};
use crate::output;

/// Write a first runbook, with its project file and an environment.
///
/// Nothing that exists is overwritten.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder to write into; created if it does not exist.
    #[arg(default_value = ".")]
    folder: PathBuf,
}

const PROJECT: &str = "\
# This folder and those below it are one project; environments/NAME.yaml are its environments.
default_environment = \"local\"
";

const ENVIRONMENT: &str = "\
apiVersion: runbook/v1
kind: Environment
name: local
summary: This machine.
vars:
  greeting: Hello
";

const RUNBOOK: &str = include_str!("init/first.yaml");

pub(crate) fn run(init: &Init) -> Result<Exit, CommandError> {
    let files = [
        (init.folder.join("runbook.toml"), PROJECT),
        (init.folder.join("environments/local.yaml"), ENVIRONMENT),
        (init.folder.join("first.yaml"), RUNBOOK),
    ];
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(CommandError::usage(format!("{} exists already; nothing was written", path.display()))
            .hint("name a new folder: runbook init my-runbooks"));
    }
    for (path, content) in &files {
        write(path, content)?;
        output::line_to_stderr(&format!("wrote {}", path.display()));
    }
    let first = init.folder.join("first.yaml");
    let first = runbook_view::quote(&first.display().to_string());
    output::line_to_stderr(&format!("next: runbook exec {first}"));
    Ok(Exit::SUCCESS)
}

fn write(path: &Path, content: &str) -> Result<(), CommandError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, content))
        .map_err(|error| CommandError::unexpected(format!("{}: {error}", path.display())))
}
