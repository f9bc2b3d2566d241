//! The commands: one file each.

mod answer;
mod approve;
mod cancel;
mod completions;
mod doctor;
mod exec;
mod explain;
mod graph;
mod init;
mod logs;
mod plan;
mod reject;
mod report;
mod resume;
mod rollback;
mod runs;
mod sandbox;
mod schema;
mod show;
mod steps;
mod validate;
mod watch;

use clap::Subcommand;

pub(crate) use explain::codes as error_codes;
pub(crate) use runs::words as run_words;

use crate::args::Args;
use crate::error::{CommandError, Exit};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Exec(exec::Exec),
    Plan(plan::PlanCommand),
    Validate(validate::Validate),
    Graph(graph::Graph),
    Runs(runs::Runs),
    Show(show::Show),
    Logs(logs::Logs),
    Watch(watch::Watch),
    Report(report::Report),
    Resume(resume::Resume),
    Cancel(cancel::Cancel),
    Rollback(rollback::Rollback),
    Approve(approve::Approve),
    Reject(reject::Reject),
    Answer(answer::Answer),
    Steps(steps::Steps),
    Schema(schema::Schema),
    Explain(explain::Explain),
    Init(init::Init),
    Sandbox(sandbox::Sandbox),
    Completions(completions::Completions),
    Doctor(doctor::Doctor),
}

pub(crate) fn run(args: Args) -> Result<Exit, CommandError> {
    let global = &args.global;
    match &args.command {
        Command::Exec(command) => exec::run(command, global),
        Command::Plan(command) => plan::run(command, global),
        Command::Validate(command) => validate::run(command, global),
        Command::Graph(command) => graph::run(command, global),
        Command::Runs(command) => runs::run(command, global),
        Command::Show(command) => show::run(command, global),
        Command::Logs(command) => logs::run(command, global),
        Command::Watch(command) => watch::run(command, global),
        Command::Report(command) => report::run(command, global),
        Command::Resume(command) => resume::run(command, global),
        Command::Cancel(command) => cancel::run(command, global),
        Command::Rollback(command) => rollback::run(command, global),
        Command::Approve(command) => approve::run(command, global),
        Command::Reject(command) => reject::run(command, global),
        Command::Answer(command) => answer::run(command, global),
        Command::Steps(command) => steps::run(command, global),
        Command::Schema(command) => schema::run(command),
        Command::Explain(command) => explain::run(command, global),
        Command::Init(command) => init::run(command),
        Command::Sandbox(command) => sandbox::run(command, global),
        Command::Completions(command) => completions::run(command),
        Command::Doctor(command) => doctor::run(command, global),
    }
}
