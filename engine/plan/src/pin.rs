//! The files that steps read or run: stored with the plan, so that a run uses what was planned.

use std::collections::BTreeMap;

use runbook_kernel::NodeId;
use runbook_step::Value;
use runbook_syntax::{Diagnostic, Span, Spanned};

use crate::arena::Doc;
use crate::codes;
use crate::library::{not_read, outside};
use crate::load::Loader;
use crate::lower::Draft;
use crate::model::{Invocation, ModuleId, Template, Work};
use crate::path::{folder_of, join, matches};
use crate::planner::{NamedPath, Planner};

/// The longest file that is pinned, and the most bytes of all of them.
const MAX_FILE: usize = 16 << 20;
const MAX_ALL: usize = 64 << 20;
/// The most names that patterns of files look at.
const MAX_NAMES: usize = 10_000;

/// The pinned files, by path from the root.
pub(crate) struct Pins<'p, 'a> {
    planner: &'p Planner<'a>,
    loader: &'p dyn Loader,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    bytes: usize,
}

impl<'p, 'a> Pins<'p, 'a> {
    /// Pins everything that the nodes and the runbooks name.
    pub(crate) fn collect(
        planner: &'p Planner<'a>,
        loader: &'p dyn Loader,
        drafts: &[Draft],
    ) -> Pins<'p, 'a> {
        let mut pins = Pins { planner, loader, files: BTreeMap::new(), bytes: 0 };
        for number in 0..planner.graph.arena.modules.len() {
            let module = planner.graph.arena.module(ModuleId(number as u32));
            if let Doc::Runbook(runbook) = module.doc {
                runbook.files.iter().for_each(|pattern| pins.pattern(module.folder(), pattern));
            }
        }
        if let Some(answers) = planner.setting.doc.and_then(|doc| doc.answers.as_ref()) {
            pins.named(folder_of(planner.setting.path.unwrap_or_default()), &answers.value, answers.span);
        }
        for NamedPath { module, path, span } in planner.paths.take() {
            pins.path(module, &path, span);
        }
        for (number, draft) in drafts.iter().enumerate() {
            pins.node(NodeId(number as u32), draft);
        }
        pins
    }

    fn node(&mut self, id: NodeId, draft: &Draft) {
        let module = self.planner.graph.arena.node(id).module;
        match &draft.plan.work {
            Work::Step(invocation) | Work::WaitUntil(invocation) => self.programs(module, invocation),
            _ => {}
        }
        let probes = [&draft.plan.verify, &draft.plan.verify_not_done].into_iter().flatten();
        for invocation in probes.chain(&draft.plan.guards).chain(&draft.plan.asserts) {
            self.programs(module, invocation);
        }
    }

    fn path(&mut self, module: ModuleId, template: &Template, span: Span) {
        let (mut known, mut open) = (true, true);
        let mut at = span;
        template.for_each_expression(&mut |expression| {
            for reference in expression.refs.iter().filter(|reference| !self.planner.knows(reference)) {
                known = false;
                open &= self.planner.is_open(reference);
            }
            at = expression.span;
        });
        let site = self.planner.graph.arena.module(module);
        if known {
            if let Ok(Value::Str(path)) = template.evaluate(self.planner) {
                self.named(site.folder(), &path, at);
            }
            return;
        }
        let listed = matches!(site.doc, Doc::Runbook(runbook) if !runbook.files.is_empty());
        if !listed && !open {
            let message =
                "which file this names is only known in the run, so it cannot be stored with the plan";
            let hint = "Say under `files` of the runbook what it may be: `files: [\"k8s/*.yaml\"]`.";
            self.planner.report.push(Diagnostic::error(codes::PATH_NOT_LISTED, at, message).hint(hint));
        }
    }

    /// A file that must be there.
    fn named(&mut self, folder: &str, path: &str, span: Span) {
        match join(folder, path) {
            Some(file) => self.load(&file, span, true),
            None => self.planner.report.push(outside(path, span)),
        }
    }

    fn load(&mut self, path: &str, span: Span, must_exist: bool) {
        if self.files.contains_key(path) {
            return;
        }
        match self.loader.load(path) {
            Ok(bytes) if bytes.len() > MAX_FILE || self.bytes + bytes.len() > MAX_ALL => {
                let message = format!("`{path}` is too large to be stored with the plan");
                let hint = format!(
                    "A file may have {} MiB, and all together {} MiB.",
                    MAX_FILE >> 20,
                    MAX_ALL >> 20
                );
                self.planner.report.push(Diagnostic::error(codes::FILE_TOO_LARGE, span, message).hint(hint));
            }
            Ok(bytes) => {
                self.bytes += bytes.len();
                self.files.insert(path.to_owned(), bytes);
            }
            // Not there yet, or a folder: not a program.
            Err(_) if !must_exist => {}
            Err(error) => {
                self.planner.report.push(not_read(path, span, &error));
            }
        }
    }

    /// Programs that stand in the project: of `argv` the first word, of a script what it calls by a name that begins
    /// with `./` or `../`. One that is not there may be made by an earlier step.
    fn programs(&mut self, module: ModuleId, invocation: &Invocation) {
        let constant = |name: &str| {
            invocation.params.iter().find(|(param, _)| param == name).map(|(_, template)| match template {
                Template::Const(value) => Some(value.clone()),
                Template::List(items) => match items.first() {
                    Some(Template::Const(value)) => Some(Value::List(vec![value.clone()])),
                    _ => None,
                },
                _ => None,
            })
        };
        let folder = self.planner.graph.arena.module(module).folder();
        let folder = match constant("cwd") {
            None => Some(folder.to_owned()),
            Some(cwd) => cwd.as_ref().and_then(Value::as_str).and_then(|cwd| join(folder, cwd)),
        };
        let Some(folder) = folder else { return };
        let mut words: Vec<String> = Vec::new();
        if let Some(Some(Value::List(argv))) = constant("argv") {
            words.extend(argv.first().and_then(Value::as_str).map(str::to_owned));
        }
        for name in ["shell", "script"] {
            if let Some(Some(Value::Str(text))) = constant(name) {
                words
                    .extend(commands(&text).filter(|word| word.starts_with("./") || word.starts_with("../")));
            }
        }
        for word in words.iter().filter(|word| word.contains('/') && !word.starts_with('/')) {
            if let Some(file) = join(&folder, word).filter(|file| !file.is_empty()) {
                self.load(&file, invocation.span, false);
            }
        }
    }

    /// All files that a pattern matches.
    fn pattern(&mut self, folder: &str, pattern: &Spanned<String>) {
        let fault = |message: String| Diagnostic::error(codes::FILES_PATTERN, pattern.span, message);
        let Some(full) = join(folder, &pattern.value) else {
            self.planner.report.push(outside(&pattern.value, pattern.span));
            return;
        };
        // The folder that all matches are in.
        let fixed: Vec<&str> = full.split('/').take_while(|name| !name.contains(['*', '?'])).collect();
        let is_plain = fixed.len() == full.split('/').count();
        if is_plain {
            self.load(&full, pattern.span, true);
            return;
        }
        let deep = full.split('/').count() - fixed.len();
        let deep = if full.split('/').any(|name| name == "**") { usize::MAX } else { deep };
        let mut found = 0;
        let mut seen = 0;
        let mut todo = vec![(fixed.join("/"), 1)];
        while let Some((folder, depth)) = todo.pop() {
            let Ok(names) = self.loader.list(&folder) else { continue };
            for name in names {
                seen += 1;
                if seen > MAX_NAMES {
                    let message = format!("the pattern looks at more than {MAX_NAMES} files");
                    self.planner.report.push(fault(message).hint("Name a folder further inside."));
                    return;
                }
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                match path.strip_suffix('/') {
                    Some(inner) if depth < deep => todo.push((inner.to_owned(), depth + 1)),
                    Some(_) => {}
                    None if matches(&full, &path) => {
                        found += 1;
                        self.load(&path, pattern.span, true);
                    }
                    None => {}
                }
            }
        }
        if found == 0 {
            let message = format!("no file matches `{}`", pattern.value);
            let fault = Diagnostic::warning(codes::FILES_PATTERN, pattern.span, message);
            self.planner
                .report
                .push(fault.hint(
                    "`*` stays within a folder, `**` goes through all below; from this file's folder.",
                ));
        }
    }
}
/// The words of a shell script that stand where a command's name does. A guess, and a good one: a file that is merely an
/// argument (`> ./out.json`) must not be pinned, since the script may be there to change it.
fn commands(script: &str) -> impl Iterator<Item = String> {
    const BEFORE: [&str; 14] = [
        "if", "then", "else", "elif", "while", "until", "do", "!", "exec", "source", ".", "bash", "sh",
        "time",
    ];
    script.split(|c: char| "\n;|&(){}`".contains(c)).filter_map(|command| {
        let mut words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
        let is_assignment = |word: &str| word.split_once('=').is_some_and(|(name, _)| !name.contains('/'));
        words.find(|word| !BEFORE.contains(word) && !is_assignment(word)).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_script_calls_and_what_it_merely_names() {
        let script = "set -e\nif ./check.sh ./data.json; then X=1 \"./go\" | ./tee out; fi\n. ./lib.sh\n\"$BIN\" up ../.folder";
        let called: Vec<String> = super::commands(script).filter(|word| word.starts_with('.')).collect();
        assert_eq!(called, ["./check.sh", "./go", "./tee", "./lib.sh"]);
    }
}
