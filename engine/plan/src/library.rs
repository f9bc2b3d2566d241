//! The files of a plan: the runbook, what it calls, the environment. Read once each, whatever number of times they are
//! used.

use std::collections::BTreeMap;

use runbook_syntax::ast::{AfterPivotDecl, Document, Environment, RollbackDecl, Runbook, Step, StepKind};
use runbook_syntax::{Diagnostic, Sources, Span, Spanned, parse};

use crate::codes;
use crate::load::{LoadError, Loader};
use crate::path::{folder_of, join};
use crate::report::Report;
use crate::request::{GivenValue, Request};

/// How deep calls may be nested.
pub(crate) const MAX_DEPTH: usize = 16;

/// The files of a plan.
#[derive(Default)]
pub(crate) struct Library {
    pub(crate) sources: Sources,
    /// Everything that was read, by path.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// By path; `None` where the file is broken.
    runbooks: BTreeMap<String, Option<Box<Runbook>>>,
    pub(crate) environment: Option<Box<Environment>>,
    /// Places for the request's inputs, in its order: they stand in no file.
    pub(crate) given: Vec<Span>,
}

impl Library {
    /// Reads everything that the request names, and everything that is called from there.
    pub(crate) fn read(request: &Request, loader: &dyn Loader, report: &Report) -> Library {
        let mut library = Library::default();
        library.read_runbook(&request.file, &mut Vec::new(), None, loader, report);
        // One that is to be run itself was read, and refused.
        if let Some(environment) = request.environment.as_ref().filter(|e| e.path != request.file) {
            library.read_environment(&environment.path, loader, report);
        }
        for given in &request.inputs {
            let value = match &given.value {
                GivenValue::Text(text) => text.clone(),
                GivenValue::Json(json) => json.to_string(),
            };
            let text = format!("{}={value}", given.name);
            let range = given.name.len() + 1..text.len();
            library.given.push(Span::new(library.sources.add(&given.origin, text), range));
        }
        library
    }

    /// The runbook in this file.
    pub(crate) fn runbook(&self, path: &str) -> Option<&Runbook> {
        self.runbooks.get(path)?.as_deref()
    }

    /// `stack`: the files that are being read, and where each calls the next.
    fn read_runbook(
        &mut self,
        path: &str,
        stack: &mut Vec<(String, Span)>,
        call: Option<Span>,
        loader: &dyn Loader,
        report: &Report,
    ) {
        if let Some(call) = call {
            if let Some(first) = stack.iter().position(|(file, _)| file == path) {
                report.push(call_cycle(&stack[first..], path, call));
                return;
            }
            if stack.len() >= MAX_DEPTH {
                let message = format!("calls are nested more than {MAX_DEPTH} deep");
                let hint = "Call the inner runbooks from one that is further out.";
                report.push(Diagnostic::error(codes::CALL_TOO_DEEP, call, message).hint(hint));
                return;
            }
        }
        if self.runbooks.contains_key(path) {
            return;
        }
        let document = self.read_document(path, call, loader, report);
        let runbook = match document {
            Some(Document::Runbook(runbook)) => Some(runbook),
            Some(Document::Environment(environment)) => {
                let message = format!("`{path}` is an environment, not a runbook");
                let fault =
                    Diagnostic::error(codes::WRONG_DOCUMENT, call.unwrap_or(environment.span), message);
                report.push(fault.hint(match call {
                    Some(_) => "A `call` names a runbook.",
                    None => "A runbook is run in it with `-e NAME`; `runbook validate` checks it by itself.",
                }));
                None
            }
            None => None,
        };
        let calls: Vec<Spanned<String>> = runbook
            .as_deref()
            .map(|runbook| calls(runbook).into_iter().cloned().collect())
            .unwrap_or_default();
        self.runbooks.insert(path.to_owned(), runbook);
        for called in calls {
            match join(folder_of(path), &called.value) {
                Some(target) => {
                    stack.push((path.to_owned(), called.span));
                    self.read_runbook(&target, stack, Some(called.span), loader, report);
                    stack.pop();
                }
                None => report.push(outside(&called.value, called.span)),
            }
        }
    }

    fn read_environment(&mut self, path: &str, loader: &dyn Loader, report: &Report) {
        match self.read_document(path, None, loader, report) {
            Some(Document::Environment(environment)) => {
                for step in all_steps(&[&environment.setup]) {
                    if let StepKind::Call { path: called, .. } = &step.kind {
                        match join(folder_of(path), &called.value) {
                            Some(target) => {
                                let mut stack = vec![(path.to_owned(), called.span)];
                                self.read_runbook(&target, &mut stack, Some(called.span), loader, report);
                            }
                            None => report.push(outside(&called.value, called.span)),
                        }
                    }
                }
                self.environment = Some(environment);
            }
            Some(Document::Runbook(runbook)) => {
                let message = format!("`{path}` is a runbook, not an environment");
                let fault = Diagnostic::error(codes::WRONG_DOCUMENT, runbook.span, message);
                report.push(fault.hint("An environment begins with `kind: Environment`."));
            }
            None => {}
        }
    }

    fn read_document(
        &mut self,
        path: &str,
        call: Option<Span>,
        loader: &dyn Loader,
        report: &Report,
    ) -> Option<Document> {
        let read = loader.load(path).and_then(|bytes| match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => Err(LoadError::Other("it is not text (UTF-8)".into())),
        });
        match read {
            Ok(text) => {
                self.files.insert(path.to_owned(), text.clone().into_bytes());
                let file = self.sources.add(path, text);
                let (document, faults) = parse(&self.sources, file);
                report.extend(faults);
                document
            }
            Err(error) => {
                let at = call.unwrap_or_else(|| Span::new(self.sources.add(path, ""), 0..0));
                report.push(not_read(path, at, &error));
                None
            }
        }
    }
}

/// A file that cannot be read.
pub(crate) fn not_read(path: &str, span: Span, error: &LoadError) -> Diagnostic {
    let hint = match error {
        LoadError::NotFound => "A path is relative to the file that it stands in.",
        LoadError::Other(_) => "Look at the file's permissions and content.",
    };
    Diagnostic::error(codes::FILE_NOT_READ, span, format!("`{path}`: {error}")).hint(hint)
}

/// A path that leaves the project.
pub(crate) fn outside(path: &str, span: Span) -> Diagnostic {
    let (message, hint) = match path.starts_with('/') {
        true => (format!("`{path}` is an absolute path"), "Write it relative to this file."),
        false => (
            format!("`{path}` leaves the project"),
            "The project is the nearest folder with a `runbook.toml`, else the runbook's own: put one above both.",
        ),
    };
    Diagnostic::error(codes::PATH_OUTSIDE, span, message).hint(hint)
}

fn call_cycle(stack: &[(String, Span)], path: &str, call: Span) -> Diagnostic {
    let mut files: Vec<&str> = stack.iter().map(|(file, _)| file.as_str()).collect();
    files.push(path);
    let message = match files.len() {
        2 => "the runbook calls itself".to_owned(),
        _ => format!("the runbook calls itself: {}", files.join(" → ")),
    };
    let fault = Diagnostic::error(codes::CALL_CYCLE, call, message)
        .hint("It would never end. To repeat steps, use `for_each` or `retry`.");
    stack.iter().skip(1).fold(fault, |fault, (file, span)| fault.also(*span, format!("`{file}` calls on")))
}

fn calls(runbook: &Runbook) -> Vec<&Spanned<String>> {
    let first = runbook.on_failure.as_ref().map_or(&[][..], |policy| &policy.first);
    let after = match runbook.on_failure.as_ref().and_then(|policy| policy.after_pivot.as_ref()) {
        Some(AfterPivotDecl::Steps(steps)) => &steps[..],
        _ => &[],
    };
    let revert = runbook.revert.as_deref().unwrap_or_default();
    all_steps(&[&runbook.steps, &runbook.finally, first, after, revert])
        .into_iter()
        .filter_map(|step| match &step.kind {
            StepKind::Call { path, .. } => Some(path),
            _ => None,
        })
        .collect()
}

/// These steps and all that stand inside them, in the order of the file.
fn all_steps<'a>(lists: &[&'a [Step]]) -> Vec<&'a Step> {
    let mut todo: Vec<&Step> = lists.iter().rev().flat_map(|list| list.iter().rev()).collect();
    let mut found = Vec::new();
    while let Some(step) = todo.pop() {
        found.push(step);
        let mut inner: Vec<&[Step]> = Vec::new();
        match &step.kind {
            StepKind::Group(steps) => inner.push(steps),
            StepKind::Switch { cases, .. } => inner.extend(cases.iter().map(|case| &case.steps[..])),
            _ => {}
        }
        if let Some(each) = &step.for_each {
            inner.push(&each.between);
        }
        if let Some(RollbackDecl::Steps { steps, .. }) = step.rollback.as_deref() {
            inner.push(steps);
        }
        if let Some(policy) = &step.on_failure {
            inner.push(&policy.first);
            if let Some(AfterPivotDecl::Steps(steps)) = &policy.after_pivot {
                inner.push(steps);
            }
        }
        inner.push(&step.finally);
        todo.extend(inner.into_iter().rev().flat_map(|list| list.iter().rev()));
    }
    found
}
