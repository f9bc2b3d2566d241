//! The parser from outside: text in, document and diagnostics out.

mod design;
mod faults;
mod hostile;
mod places;
mod shapes;

use runbook_syntax::ast::{Document, Runbook};
use runbook_syntax::{Sources, parse};

/// What is said of a text: code, place, the text under the caret, the message; then other places and the hint.
fn said(text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text);
    let mut said = String::new();
    for fault in parse(&sources, file).1 {
        let at = sources.position(fault.primary.span);
        let under = sources.text(fault.primary.span).lines().next().unwrap_or_default();
        said += &format!("{} {}:{} [{under}] {}\n", fault.code, at.line, at.column, fault.message);
        for other in &fault.secondary {
            let at = sources.position(other.span);
            said += &format!("  {}:{} {}\n", at.line, at.column, other.text);
        }
        for line in fault.hint.iter().flat_map(|hint| hint.lines()) {
            said += &format!("  = {line}\n");
        }
    }
    said
}

/// What is said of a runbook whose steps these are.
fn said_of_steps(steps: &str) -> String {
    said(&format!("apiVersion: runbook/v1\nname: test\nsteps:\n{steps}"))
}

/// A runbook without faults.
fn runbook(text: &str) -> Runbook {
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text);
    let (document, faults) = parse(&sources, file);
    assert_eq!(faults, [], "{}", said(text));
    match document {
        Some(Document::Runbook(runbook)) => *runbook,
        other => panic!("not a runbook: {other:?}"),
    }
}
