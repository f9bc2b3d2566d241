//! Where things are: the project root, the environment's file, the journal's folder.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::args::Global;
use crate::error::CommandError;

/// A folder with `runbook.toml`: the nearest parent of a runbook that has one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Project {
    pub(crate) root: Option<PathBuf>,
    pub(crate) settings: Settings,
}

/// `runbook.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The environment that is used without `-e`.
    pub(crate) default_environment: Option<String>,
    /// The first of the nine ports of the project's sandbox.
    pub(crate) sandbox_base_port: Option<u16>,
}

/// A variable of the process environment; the one place that reads it.
#[expect(clippy::disallowed_methods, reason = "the cli is where the process environment is read")]
pub(crate) fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The whole process environment, for what scripts may see of it.
#[expect(clippy::disallowed_methods, reason = "the cli is where the process environment is read")]
pub(crate) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Project {
    /// The project that a folder belongs to.
    ///
    /// # Errors
    /// If there is a `runbook.toml` that cannot be read or has unknown keys.
    pub(crate) fn of(folder: &Path) -> Result<Project, CommandError> {
        let folder = std::path::absolute(folder)
            .map_err(|e| CommandError::unexpected(format!("{}: {e}", folder.display())))?;
        for candidate in folder.ancestors() {
            let file = candidate.join("runbook.toml");
            match std::fs::read_to_string(&file) {
                Ok(text) => {
                    let settings = toml::from_str(&text).map_err(|error| {
                        CommandError::usage(format!("{}: {}", file.display(), error.message())).hint(
                            "runbook.toml knows: default_environment = \"NAME\", sandbox_base_port = PORT",
                        )
                    })?;
                    return Ok(Project { root: Some(candidate.to_path_buf()), settings });
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(CommandError::unexpected(format!("{}: {error}", file.display()))),
            }
        }
        Ok(Project::default())
    }
}

/// The journal's folder: `--state` or `RUNBOOK_STATE`, else `$XDG_STATE_HOME/runbook`, else `~/.local/state/runbook`.
///
/// # Errors
/// If none of them is known.
pub(crate) fn state_folder(global: &Global) -> Result<PathBuf, CommandError> {
    let named = environment_variable("RUNBOOK_STATE").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if let Some(folder) = global.state.as_ref().or(named.as_ref()) {
        if folder.exists() && !folder.is_dir() {
            return Err(CommandError::usage(format!("{} is not a folder", folder.display()))
                .hint("--state and RUNBOOK_STATE name the folder of your team's journal"));
        }
        return std::path::absolute(folder)
            .map_err(|e| CommandError::unexpected(format!("{}: {e}", folder.display())));
    }
    let absolute =
        |name: &str| environment_variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = absolute("XDG_STATE_HOME") {
        return Ok(folder.join("runbook"));
    }
    if let Some(home) = absolute("HOME") {
        return Ok(home.join(".local/state/runbook"));
    }
    Err(CommandError::usage(
        "there is no folder for the journal: neither RUNBOOK_STATE, XDG_STATE_HOME nor HOME is set",
    )
    .hint("set RUNBOOK_STATE to a folder of your team"))
}

/// The journal's folder, where it was named by an option and would not be found without: whoever is told a command has to
/// name it too.
pub(crate) fn named_state(global: &Global) -> Option<String> {
    let named = state_folder(global).ok().filter(|_| global.state.is_some())?;
    let usual = state_folder(&Global { state: None, ..global.clone() }).ok();
    (usual.as_ref() != Some(&named)).then(|| named.display().to_string())
}
