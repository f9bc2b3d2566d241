//! The corpus: wrong runbooks, each with its faults written at its head by hand, and good ones that have none.
//!
//! ```yaml
//! # expect: E204 12:5
//! # expect: E501 14:3
//! # expect: E205 support/called.yaml:3:7
//! # expect: E331 -i count:1
//! # environment: support/production.yaml
//! # input: count=many
//! # requester: ana
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

use runbook_plan::{EnvironmentFile, Given, GivenValue, LoadError, Loader, Planned, Request, check};

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

/// Files of the corpus, and some that need not be there.
struct Folder<'t> {
    root: PathBuf,
    others: &'t [(&'t str, &'t str)],
}

impl Loader for Folder<'_> {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if let Some((_, text)) = self.others.iter().find(|(other, _)| *other == path) {
            return Ok(text.as_bytes().to_vec());
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

/// What is to be planned for a file: its own comments say with which environment and inputs.
fn request(path: &str, text: &str) -> Request {
    let input = |line: &str| {
        let (name, value) = line.split_once('=').expect("an input is name=value");
        Given {
            name: name.to_owned(),
            value: GivenValue::Text(value.to_owned()),
            origin: format!("-i {name}"),
        }
    };
    Request {
        file: path.to_owned(),
        environment: remarks(text, "environment:")
            .next()
            .map(|path| EnvironmentFile { name: "corpus".to_owned(), path: path.to_owned() }),
        inputs: remarks(text, "input:").map(input).collect(),
        strict: remarks(text, "strict").next().is_some(),
        incomplete: remarks(text, "complete").next().is_none(),
        requester: remarks(text, "requester:").next().map(str::to_owned),
    }
}

/// Plans a file as its comments ask.
pub fn planned(path: &str, text: &str) -> Planned {
    planned_beside(&[(path, text)])
}

/// Plans the first of these files, beside the others and those of the corpus.
pub fn planned_beside(files: &[(&str, &str)]) -> Planned {
    let [(path, text), ..] = files else { panic!("there is a file to plan") };
    check(&request(path, text), &Folder { root: root(), others: files }, &runbook_stdlib::registry())
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

/// Faults of files that are too large for the repository, each with its code: the files, the first is planned.
pub fn too_large() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let head = "apiVersion: runbook/v1\nname: large\n";
    let steps = |line: &str, count: usize| format!("{head}steps:\n{}", line.repeat(count));
    let pin = "steps: [{uses: file.write, with: {path: out, from: big.bin}}]\n";
    vec![
        ("E109", vec![("wrong/large.yaml", " ".repeat(9 << 20))]),
        ("E199", vec![("wrong/large.yaml", "a: b\n".repeat(20_000))]),
        ("E419", vec![("wrong/large.yaml", steps("- {run: 'true', effect: read}\n", 20_001))]),
        (
            "E605",
            vec![("wrong/large.yaml", format!("{head}{pin}")), ("wrong/big.bin", "x".repeat((16 << 20) + 1))],
        ),
    ]
}

/// The codes that the corpus expects somewhere.
pub fn covered() -> BTreeSet<String> {
    let wrong = runbooks("wrong");
    wrong.iter().filter_map(|(_, text)| expected(text).ok()).flatten().map(|fault| fault.code).collect()
}
