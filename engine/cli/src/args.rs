//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::command::Command;

/// What exit codes mean.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0 succeeded            3 succeeded with failures     2 usage          10 invalid runbook
  20 failed, rolled back 21 failed, not rolled back    22 rollback incomplete
  23 in doubt            24 waiting for a person       25 rejected or expired
  30 locked              31 journal fault              128+n stopped by signal n, unfinished
20: every undo that the runbook has was done. Writes that have none stay, and the run names them at its end.";

const START: &str = "\
Start here:
  runbook init                     write a first runbook beside you
  runbook validate FILE            everything that is wrong with it, at once
  runbook exec FILE                run it; kill it anywhere, `runbook resume` goes on
  runbook sandbox up               a production to practise on";

/// Executable runbooks: procedures as YAML, run as a graph of steps, with undo.
#[derive(Debug, Parser)]
#[command(name = "runbook", version, after_help = format!("{START}\n\n{EXIT_CODES}"), propagate_version = true, disable_help_subcommand = false)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Global {
    /// When to use colour.
    #[arg(long, value_enum, default_value_t = Colour::Auto, global = true, value_name = "WHEN")]
    pub(crate) color: Colour,
    /// Never ask; what would have to be asked makes the run wait (exit 24).
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// What goes to stdout: text for people, or JSON.
    #[arg(short, long, value_enum, default_value_t = Format::Text, global = true)]
    pub(crate) output: Format,
    /// The journal's folder, one per team [default: RUNBOOK_STATE, else the XDG state folder].
    // Not clap's `env`: it would show the option in every usage line as if it had been typed.
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) state: Option<PathBuf>,
}

/// Who goes on with a run that nobody executes.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Takeover {
    /// Where nobody executes the run, have it go on by itself, and leave the terminal once this is recorded. Follow it with
    /// `runbook watch`.
    #[arg(long)]
    pub(crate) detach: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

/// What goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}
