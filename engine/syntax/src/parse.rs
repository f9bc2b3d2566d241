//! The entry: a file's text to what it says, with everything that is wrong with it.

use std::collections::HashMap;

use crate::ast::Document;
use crate::check::Check;
use crate::lower::{self, Lower};
use crate::report::Report;
use crate::shape::{ENVIRONMENT, Place, RUNBOOK, Shape};
use crate::suggestion::did_you_mean;
use crate::tree::{self, Node, Value};
use crate::{Diagnostic, FileId, Sources, Span, codes, fault};

const API_VERSION: &str = "runbook/v1";

/// Reads a file.
///
/// The document is there wherever enough of it could be read to go on checking, faults or not; what is broken in it is
/// left out. It may be *executed* only if there is no diagnostic of [`crate::Severity::Error`]. A fault of the YAML
/// itself ends the reading: then there is that one diagnostic, and no document.
pub fn parse(sources: &Sources, file: FileId) -> (Option<Document>, Vec<Diagnostic>) {
    let text = sources.file(file).text.as_str();
    if text.len() > tree::MAX_BYTES {
        return (None, vec![fault::too_long(file, text.len())]);
    }
    let mut root = match tree::read(text) {
        Ok(root) => root,
        Err(error) => return (None, vec![fault::diagnose(sources, file, &error)]),
    };
    let mut report = Report::new(file);
    let document = document(text, file, &mut root, &mut report);
    (document, report.finish())
}

fn document(text: &str, file: FileId, root: &mut Node<'_>, report: &mut Report) -> Option<Document> {
    let span = Span::new(file, root.range());
    if matches!(root.value, Value::Null) {
        report.add(|| {
            Diagnostic::error(codes::EMPTY, Span::new(file, 0..0), "the file is empty")
                .hint("A runbook begins with `apiVersion: runbook/v1`, `name: …` and `steps:`.")
        });
        return None;
    }
    if !matches!(root.value, Value::Map(_)) {
        report.add(|| {
            Diagnostic::error(
                codes::WRONG_SHAPE,
                span,
                "a runbook is a map with keys such as `name` and `steps`",
            )
            .hint("It begins with `apiVersion: runbook/v1`, `name: …` and `steps:`.")
        });
        return None;
    }
    let place = place(file, root, report)?;
    Check { file, text, report }.node(root, &Shape::Map(place), "the file");
    if report.is_full() {
        // What is left of such a file is not worth its memory.
        return None;
    }
    let mut lower = Lower { file, text, report, ids: HashMap::new() };
    Some(match place.name {
        "environment" => Document::Environment(Box::new(lower::environment(&mut lower, root))),
        _ => Document::Runbook(Box::new(lower::runbook(&mut lower, root))),
    })
}

/// Which document it is; `None` if it is none of ours, which is then all that is said of it.
fn place(file: FileId, root: &Node<'_>, report: &mut Report) -> Option<&'static Place> {
    let find = |name: &str| {
        let Value::Map(entries) = &root.value else { return None };
        entries.iter().find_map(|(key, value)| match (&key.value, &value.value) {
            (Value::Text(key), Value::Text(text)) if key == name => {
                Some((text.as_ref(), Span::new(file, value.range())))
            }
            _ => None,
        })
    };
    let version_known = match find("apiVersion") {
        Some((version, span)) if version != API_VERSION => {
            report.add(|| {
                let message = format!(
                    "this program reads `apiVersion: {API_VERSION}`, and this is `{}`",
                    version.lines().next().unwrap_or_default()
                );
                let fault = Diagnostic::error(codes::API_VERSION, span, message);
                match version.starts_with("runbook/") {
                    true => fault.hint("Is there a newer version of `runbook`?"),
                    false => fault.hint("Is this file a runbook?"),
                }
            });
            false
        }
        _ => true,
    };
    let place = match find("kind") {
        None | Some(("Runbook", _)) => Some(&RUNBOOK),
        Some(("Environment", _)) => Some(&ENVIRONMENT),
        Some((kind @ ("Library" | "Scenario"), span)) => {
            report.add(|| {
                Diagnostic::error(codes::DOCUMENT_KIND, span, format!("`kind: {kind}` is not supported yet"))
                    .hint("There are `Runbook` and `Environment`.")
            });
            None
        }
        Some((kind, span)) => {
            report.add(|| {
                let hint = did_you_mean(kind, ["Runbook", "Environment"])
                    .unwrap_or_else(|| "It is `Runbook` or `Environment`.".into());
                Diagnostic::error(
                    codes::DOCUMENT_KIND,
                    span,
                    format!("there is no `kind: {}`", kind.lines().next().unwrap_or_default()),
                )
                .hint(hint)
            });
            None
        }
    };
    place.filter(|_| version_known)
}
