//! `runbook completions SHELL`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::error::{CommandError, Exit};
use crate::output;

/// Print a completion script for a shell.
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
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut crate::args::Args::command(), "runbook", &mut script);
    output::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::SUCCESS)
}
