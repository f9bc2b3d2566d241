//! The corpus: wrong runbooks, each with its faults written at its head by hand, and good ones that have none.
//!
//! ```yaml
//! # expect: E204 12:5
//! # expect: E501 14:3
//! # expect: E205 support/called.yaml:3:7
//! # expect: E331 -i count:1
//! # environment: support/production.yaml
//! # input: count=many
//! # strict
//! # complete
//! ```
//!
//! Errors and warnings alike. Line and column count from 1, columns in characters, these comments included; a fault of
//! another file is written with its name, one of a given input with its flag. A fault that is missing fails the test, and so
//! does one that is not written down. Paths start from the corpus's own folder, which is the root of the project to the
//! planner. Inputs that nobody gives and an environment that nobody names are left open, unless it says `complete`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use runbook_plan::{EnvironmentFile, Given, GivenValue, LoadError, Loader, Planned, Request, plan};

/// A fault: its code, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Empty: the runbook itself.
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub code: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let separator = if self.file.is_empty() { "" } else { ":" };
        write!(f, "{} {}{separator}{}:{}", self.code, self.file, self.line, self.column)
    }
}

/// The corpus's own folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The runbooks in a folder of the corpus: path and text.
pub fn runbooks(folder: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(root().join(folder))
        .expect("the corpus is a folder of the project")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_name().expect("a file has a name").to_string_lossy();
            (
                format!("{folder}/{name}"),
                std::fs::read_to_string(&path).expect("a file of the corpus is text"),
            )
        })
        .collect();
    found.sort();
    found
}

/// What follows this word in the comments of a file.
fn remarks<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines()
        .filter_map(|line| line.trim_start_matches('\u{feff}').strip_prefix("# "))
        .filter_map(move |line| line.strip_prefix(word))
        .map(str::trim)
}

/// What a file says is wrong with it.
///
/// # Errors
/// A line that begins as an expectation and is none.
pub fn expected(text: &str) -> Result<Vec<Fault>, String> {
    let fault = |line: &str| {
        let (code, place) = line.split_once(' ')?;
        let mut parts = place.rsplitn(3, ':');
        let (column, number) = (parts.next()?, parts.next()?);
        let file = parts.next().unwrap_or_default().to_owned();
        Some(Fault {
            file,
            line: number.trim().parse().ok()?,
            column: column.parse().ok()?,
            code: code.to_owned(),
        })
    };
    let mut faults: Vec<Fault> = remarks(text, "expect:")
        .map(|line| {
            fault(line).ok_or_else(|| format!("`# expect: {line}` is not a code, a line and a column"))
        })
        .collect::<Result<_, String>>()?;
    faults.sort();
    Ok(faults)
}

/// Files of the corpus, and one that need not be there.
struct Folder<'t> {
    root: PathBuf,
    path: &'t str,
    text: &'t str,
}

impl Loader for Folder<'_> {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if path == self.path {
            return Ok(self.text.as_bytes().to_vec());
        }
        std::fs::read(self.root.join(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => LoadError::NotFound,
            _ => LoadError::Other(error.to_string()),
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LoadError> {
        let entries = std::fs::read_dir(self.root.join(folder)).map_err(|_| LoadError::NotFound)?;
        let name = |entry: std::fs::DirEntry| {
            let end = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{end}", entry.file_name().to_string_lossy())
        };
        Ok(entries.flatten().map(name).collect())
    }
}

/// What is to be planned for a file: its own comments say with which environment and inputs. An environment is planned
/// with a runbook that does nothing.
fn request(path: &str, text: &str) -> Request {
    let is_environment = text.lines().any(|line| line == "kind: Environment");
    let environment = if is_environment { Some(path) } else { remarks(text, "environment:").next() };
    let input = |line: &str| {
        let (name, value) = line.split_once('=').expect("an input is name=value");
        Given {
            name: name.to_owned(),
            value: GivenValue::Text(value.to_owned()),
            origin: format!("-i {name}"),
        }
    };
    Request {
        file: if is_environment { "support/nothing.yaml".to_owned() } else { path.to_owned() },
        environment: environment
            .map(|path| EnvironmentFile { name: "corpus".to_owned(), path: path.to_owned() }),
        inputs: remarks(text, "input:").map(input).collect(),
        strict: remarks(text, "strict").next().is_some(),
        incomplete: remarks(text, "complete").next().is_none(),
    }
}

/// Plans a file as its comments ask.
pub fn planned(path: &str, text: &str) -> Planned {
    plan(&request(path, text), &Folder { root: root(), path, text }, &runbook_stdlib::registry())
}

/// What is found wrong with a file of the corpus.
pub fn found(path: &str, text: &str) -> Vec<Fault> {
    let planned = planned(path, text);
    let mut faults: Vec<Fault> = planned
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let place = planned.sources.position(diagnostic.primary.span);
            let file = &planned.sources.file(diagnostic.primary.span.file).name;
            let file = if file == path { String::new() } else { file.clone() };
            Fault { file, line: place.line, column: place.column, code: diagnostic.code.to_string() }
        })
        .collect();
    faults.sort();
    faults
}

/// Every code of the syntax and of the plan, with its title.
pub fn codes() -> Vec<(&'static str, &'static str)> {
    let syntax = runbook_syntax::codes::ALL.iter().map(|entry| (entry.code.0, entry.title));
    syntax.chain(runbook_plan::codes::ALL.iter().map(|entry| (entry.code.0, entry.title))).collect()
}

/// The codes that the corpus expects somewhere.
pub fn covered() -> BTreeSet<String> {
    let wrong = runbooks("wrong");
    wrong.iter().filter_map(|(_, text)| expected(text).ok()).flatten().map(|fault| fault.code).collect()
}
