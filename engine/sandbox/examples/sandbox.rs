//! The sandbox without the `runbook` command: `sandbox up|down|status FOLDER [BASE_PORT]`, and `sandbox ROLE FOLDER`
//! for its own processes. The tests of this crate start it.

use std::path::Path;
use std::process::ExitCode;

use runbook_sandbox::{Error, Launcher, Options, down, serve, status, up};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [word, folder, rest @ ..] = arguments.as_slice() else {
        return refuse("usage: sandbox up|down|status|ROLE FOLDER [BASE_PORT]");
    };
    match call(word, Path::new(folder), rest.first().and_then(|port| port.parse().ok())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error.to_string()),
    }
}

async fn call(word: &str, folder: &Path, base_port: Option<u16>) -> Result<(), Error> {
    match word {
        "up" => {
            let program = std::env::current_exe().unwrap_or_default();
            let launcher = Launcher { program, arguments: Vec::new() };
            show(&up(folder, &Options { launcher, base_port }).await?);
        }
        "down" => show(&down(folder).await?),
        "status" => show(&status(folder).await?),
        role => serve(role.parse()?, folder).await?,
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program of its own")]
fn show(value: &impl serde::Serialize) {
    println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

#[expect(clippy::print_stderr, reason = "a program of its own")]
fn refuse(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
