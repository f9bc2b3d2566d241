//! The `runbook` command: reads the command line and the process environment, calls the library crates, renders.
//!
//! One file per command under `command/`: its arguments, whose doc comments are the help text, and one function.

mod act;
mod args;
mod command;
mod complete;
mod diagnostics;
mod drive;
mod error;
mod history;
mod host;
mod inputs;
mod output;
mod project;
mod target;
mod terminal;

use clap::{CommandFactory, Parser};
use clap_complete::CompleteEnv;

use crate::error::Exit;

fn main() -> std::process::ExitCode {
    // Where a shell asks for completion, this answers and ends the process.
    CompleteEnv::with_factory(args::Args::command).bin("runbook").completer("runbook").complete();
    let args = args::Args::parse();
    let state = project::named_state(&args.global);
    let exit = match command::run(args) {
        Ok(exit) => exit,
        Err(error) => {
            // Only a reader that went away is a success, and nobody is there to be told.
            if error.exit != Exit::SUCCESS {
                output::line_to_stderr(&runbook_view::with_state(&error.to_string(), state.as_deref()));
            }
            error.exit
        }
    };
    exit.into()
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit.0)
    }
}
