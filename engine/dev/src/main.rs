//! Maintenance commands of the project: `cargo dev …`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for the project's own developers")]

mod bench;
mod hostile;

use clap::Parser;

/// Maintenance commands of the project.
#[derive(Debug, Parser)]
enum Dev {
    Bench(bench::Bench),
}

fn main() -> std::process::ExitCode {
    let result = match Dev::parse() {
        Dev::Bench(bench) => bench::run(&bench),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
