//! Maintenance commands of the project: `cargo dev …`.

mod bench;
mod hostile;
mod reference;
mod schema;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo dev", about = "Maintenance commands of the project.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bench(bench::Bench),
    /// Write `docs/reference/` from the declarations of the standard step types.
    Reference,
    /// Write `schemas/` from the tables of the language and the declarations of the standard step types.
    Schema,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Bench(bench) => bench::run(&bench),
        Command::Reference => {
            reference::write(&root().join("docs/reference")).map_err(|error| error.to_string())
        }
        Command::Schema => schema::write(&root().join("schemas")).map_err(|error| error.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command of the project's own, for those who work on it")]
fn tell(message: &str) {
    eprintln!("{message}");
}

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
