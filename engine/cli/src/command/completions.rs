//! `runbook completions SHELL`.

use clap::Args;
use clap_complete::Shell;
use clap_complete::env::Shells;

use crate::error::{CommandError, Exit};
use crate::output;

/// Print a completion script for a shell. It asks `runbook` itself: step types, runs, environments are those of the moment.
///
/// For bash: `runbook completions bash > ~/.local/share/bash-completion/completions/runbook`.
/// For zsh: `runbook completions zsh > "${fpath[1]}/_runbook"`.
/// For fish: `runbook completions fish > ~/.config/fish/completions/runbook.fish`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(completions: &Completions) -> Result<Exit, CommandError> {
    let name = completions.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells
        .completer(&name)
        .ok_or_else(|| CommandError::usage(format!("there is no completion for {name}")))?;
    let mut script = Vec::new();
    shell
        .write_registration("COMPLETE", "runbook", "runbook", "runbook", &mut script)
        .map_err(|error| CommandError::unexpected(error.to_string()))?;
    output::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::SUCCESS)
}
