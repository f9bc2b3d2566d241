//! What is to be planned.

use serde::{Deserialize, Serialize};

/// What is to be planned. All paths are relative to the root of the project (the folder with `runbook.toml`, or the
/// runbook's own where there is none), with `/` between names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Request {
    /// The runbook's path.
    pub file: String,
    /// The environment; which one is the default, and where it lies, is the caller's business.
    #[serde(default)]
    pub environment: Option<EnvironmentFile>,
    /// Values for the runbook's inputs. Of several for one name the last holds.
    #[serde(default)]
    pub inputs: Vec<Given>,
    /// Warnings are errors.
    #[serde(default)]
    pub strict: bool,
    /// Required inputs may be missing: what depends on them is left open, and the plan must not be run. For checking
    /// and drawing a runbook as it stands in its file.
    #[serde(default)]
    pub incomplete: bool,
    /// Who asks for the run, where the plan is made to be run: somebody whom an approval may leave out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
}

/// An environment and its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentFile {
    pub name: String,
    pub path: String,
}

/// A value for an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Given {
    pub name: String,
    pub value: GivenValue,
    /// Where it came from, for messages: `-i version`, `inputs.json`.
    pub origin: String,
}

/// A value as it was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenValue {
    /// Text from a command line; the input's type says how it is read.
    Text(String),
    /// A value that already has a type of its own.
    Json(serde_json::Value),
}
