//! The corpus: wrong runbooks, each with its faults written at its head by hand, and good ones that have none.
//!
//! ```yaml
//! # expect: E204 12:5
//! # expect: E201 14:3
//! ```
//!
//! Line and column count from 1, columns in characters, these comments included. A fault that is missing fails the test,
//! and so does one that is not written down.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use runbook_syntax::{Sources, parse};

/// A fault: its code, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub line: u32,
    pub column: u32,
    pub code: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}:{}", self.code, self.line, self.column)
    }
}

/// The corpus's own folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The runbooks in a folder, by name.
pub fn runbooks(folder: &Path) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("the corpus is a folder of the project")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a file of the corpus is text"))
        })
        .collect();
    found.sort();
    found
}

/// What a file says is wrong with it.
///
/// # Errors
/// A line that begins as an expectation and is none.
pub fn expected(text: &str) -> Result<Vec<Fault>, String> {
    let lines =
        text.lines().filter_map(|line| line.trim_start_matches('\u{feff}').strip_prefix("# expect: "));
    let mut faults: Vec<Fault> = lines
        .map(|line| {
            let malformed = || format!("`# expect: {line}` is not a code, a line and a column");
            let (code, place) = line.trim().split_once(' ').ok_or_else(malformed)?;
            let (line_number, column) = place.split_once(':').ok_or_else(malformed)?;
            let number = |text: &str| text.parse().map_err(|_| malformed());
            Ok(Fault { line: number(line_number)?, column: number(column)?, code: code.to_owned() })
        })
        .collect::<Result<_, String>>()?;
    faults.sort();
    Ok(faults)
}

/// What is found wrong with a text.
pub fn found(name: &str, text: &str) -> Vec<Fault> {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let (_, diagnostics) = parse(&sources, file);
    let mut faults: Vec<Fault> = diagnostics
        .iter()
        .map(|diagnostic| {
            let place = sources.position(diagnostic.primary.span);
            Fault { line: place.line, column: place.column, code: diagnostic.code.to_string() }
        })
        .collect();
    faults.sort();
    faults
}

/// Every code that exists.
pub fn codes() -> BTreeSet<&'static str> {
    runbook_syntax::codes::ALL.iter().map(|entry| entry.code.0).collect()
}

/// The title of a code.
pub fn title(code: &str) -> Option<&'static str> {
    runbook_syntax::codes::ALL.iter().find(|entry| entry.code.0 == code).map(|entry| entry.title)
}
