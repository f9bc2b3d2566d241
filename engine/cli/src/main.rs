//! The `runbook` command: reads the command line and the process environment, calls the library crates, renders.
//!
//! One file per command under `command/`: its arguments, whose doc comments are the help text, and one function.

mod act;
mod args;
mod command;
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

use clap::Parser;

use crate::error::Exit;

fn main() -> std::process::ExitCode {
    let args = args::Args::parse();
    let exit = match command::run(args) {
        Ok(exit) => exit,
        Err(error) => {
            output::line_to_stderr(&error.to_string());
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
