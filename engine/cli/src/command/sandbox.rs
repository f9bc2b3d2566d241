//! `runbook sandbox up|down|status`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use runbook_sandbox::{Launcher, Options, Role};

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::project::Project;
use crate::{output, project};

/// A production to practise on: a web shop in two colours, a router, a deployer, a sink for messages, on this machine.
#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start it, or what of it does not run; print where it is.
    Up {
        #[command(flatten)]
        place: Place,
        /// The first of nine consecutive ports [default: those that `runbook.toml` gives to the project's
        /// sandbox, else any free ones].
        #[arg(long, value_name = "PORT")]
        base_port: Option<u16>,
    },
    /// Stop it; what it wrote stays.
    Down {
        #[command(flatten)]
        place: Place,
    },
    /// Show what runs, and what is live.
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// One of its processes.
    #[command(hide = true)]
    Serve { role: String, folder: PathBuf },
}

/// Where the sandbox keeps its files.
#[derive(Debug, Args)]
struct Place {
    /// The sandbox's folder [default: `.sandbox` in the project, else `sandbox` in the journal's folder].
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Place {
    fn folder(&self, global: &Global) -> Result<PathBuf, CommandError> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        match Project::of(Path::new("."))?.root {
            Some(root) => Ok(root.join(".sandbox")),
            None => Ok(project::state_folder(global)?.join("sandbox")),
        }
    }
}

impl From<runbook_sandbox::Error> for CommandError {
    fn from(error: runbook_sandbox::Error) -> Self {
        CommandError::unexpected(error.to_string())
    }
}

pub(crate) fn run(sandbox: &Sandbox, global: &Global) -> Result<Exit, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::unexpected(error.to_string()))?;
    runtime.block_on(act(&sandbox.action, global))
}

async fn act(action: &Action, global: &Global) -> Result<Exit, CommandError> {
    match action {
        Action::Up { place, base_port } => {
            let program = std::env::current_exe()
                .map_err(|error| CommandError::unexpected(format!("our own path: {error}")))?;
            let launcher = Launcher { program, arguments: vec!["sandbox".into(), "serve".into()] };
            let base_port = match (base_port, &place.folder) {
                (Some(port), _) => Some(*port),
                (None, None) => Project::of(Path::new("."))?.settings.sandbox_base_port,
                // Another one beside the project's.
                (None, Some(_)) => None,
            };
            let options = Options { launcher, base_port };
            let sandbox = runbook_sandbox::up(&place.folder(global)?, &options).await?;
            match global.output {
                Format::Json => output::data_line(&json(&sandbox)?)?,
                Format::Text => {
                    for (name, url) in &sandbox.urls {
                        output::data_line(&format!("{name:<9} {url}"))?;
                    }
                    output::line_to_stderr(&format!("files in {}", sandbox.folder.display()));
                }
            }
            for warning in &sandbox.warnings {
                output::line_to_stderr(&format!("warning: {warning}"));
            }
        }
        Action::Down { place } => {
            for stopped in runbook_sandbox::down(&place.folder(global)?).await? {
                match global.output {
                    Format::Json => output::data_line(&json(&stopped)?)?,
                    Format::Text => {
                        output::data_line(&format!("stopped {} (pid {})", stopped.role, stopped.pid))?
                    }
                }
            }
        }
        Action::Status { place } => {
            let status = runbook_sandbox::status(&place.folder(global)?).await?;
            match global.output {
                Format::Json => output::data_line(&json(&status)?)?,
                Format::Text => output::data(&table(&status))?,
            }
        }
        Action::Serve { role, folder } => runbook_sandbox::serve(role.parse::<Role>()?, folder).await?,
    }
    Ok(Exit::SUCCESS)
}

fn json(value: &impl serde::Serialize) -> Result<String, CommandError> {
    let mut value =
        serde_json::to_value(value).map_err(|error| CommandError::unexpected(error.to_string()))?;
    if let serde_json::Value::Object(fields) = &mut value {
        fields.insert("version".into(), 1.into());
    }
    Ok(value.to_string())
}

/// A line a part, and what is live.
fn table(status: &runbook_sandbox::Status) -> String {
    let mut text = String::new();
    for part in &status.parts {
        let pid = part.pid.map_or("-".to_owned(), |pid| pid.to_string());
        let version = [part.version.as_deref(), part.behaviour.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        let row = format!("{:<13} {pid:>8}  {version:<18} {}", part.role, part.addresses.join(" "));
        text.push_str(row.trim_end());
        text.push('\n');
    }
    match &status.live {
        Some((colour, version)) => text.push_str(&format!("live: {colour}, {version}\n")),
        None => text.push_str("nothing is live\n"),
    }
    text
}
