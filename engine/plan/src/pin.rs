//! The files that steps read or run: stored with the plan, so that a run uses what was planned.

use std::collections::BTreeMap;

use runbook_kernel::NodeId;
use runbook_step::{Type, Value};
use runbook_syntax::{Diagnostic, Span, Spanned};

use crate::arena::Doc;
use crate::codes;
use crate::library::{not_read, outside};
use crate::load::Loader;
use crate::lower::Draft;
use crate::model::{Invocation, ModuleId, Template, Work};
use crate::path::{folder_of, join, matches};
use crate::planner::{NamedPath, Planner};
use crate::programs::{Named, in_command, in_script, is_shell};

/// The longest file that is pinned, and the most bytes of all of them.
const MAX_FILE: usize = 16 << 20;
const MAX_ALL: usize = 64 << 20;
/// The most names that patterns of files look at.
const MAX_NAMES: usize = 10_000;

/// A value before the run.
enum Known {
    Value(Value),
    /// It depends on what an incomplete request does not give.
    Open,
    /// A step decides.
    InTheRun,
}

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
        drafts: &mut [Draft],
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
        for (path, span) in &planner.inputs[ModuleId::ROOT.0 as usize].files {
            pins.named(planner.graph.arena.module(ModuleId::ROOT).folder(), path, *span);
        }
        for NamedPath { module, path, span } in planner.paths.take() {
            pins.path(module, &path, span);
        }
        for (number, draft) in drafts.iter_mut().enumerate() {
            pins.node(NodeId(number as u32), draft);
        }
        pins
    }

    fn node(&mut self, id: NodeId, draft: &mut Draft) {
        let module = self.planner.graph.arena.node(id).module;
        let plan = &mut draft.plan;
        let work = match &mut plan.work {
            Work::Step(invocation) | Work::WaitUntil(invocation) => Some(invocation),
            _ => None,
        };
        let probes = [&mut plan.verify, &mut plan.verify_not_done].into_iter().flatten();
        let checks = plan.guards.iter_mut().chain(&mut plan.asserts);
        work.into_iter().chain(probes).chain(checks).for_each(|invocation| self.programs(module, invocation));
    }

    fn path(&mut self, module: ModuleId, template: &Template, span: Span) {
        let mut at = span;
        template.for_each_expression(&mut |expression| at = expression.span);
        let site = self.planner.graph.arena.module(module);
        // An environment has no `files`: what it computes is made of its own values, and read with the plan.
        let (patterns, may_list) = match site.doc {
            Doc::Runbook(runbook) => (&runbook.files[..], true),
            Doc::Environment(_) => (&[][..], false),
        };
        let message = match self.value(template) {
            Known::Value(Value::Str(path)) => {
                let by_type = self.is_file_input(module, template);
                let computed = may_list && !by_type && !matches!(template, Template::Const(_));
                let listed = |file: String| is_listed(site.folder(), patterns, &file) || self.is_given(&file);
                if !computed || join(site.folder(), &path).is_none_or(listed) {
                    return self.named(site.folder(), &path, at);
                }
                format!("this path is computed, and no pattern under `files` matches `{path}`")
            }
            Known::Open if !may_list || self.is_file_input(module, template) => return,
            Known::InTheRun | Known::Open if patterns.is_empty() => {
                "which file this names is only known in the run, so it cannot be stored with the plan".into()
            }
            Known::Value(_) | Known::Open | Known::InTheRun => return,
        };
        let hint = "Say under `files` of the runbook what it may be: `files: [\"k8s/*.yaml\"]`.";
        self.planner.report.push(Diagnostic::error(codes::PATH_NOT_LISTED, at, message).hint(hint));
    }

    /// Whether an input whose type is `file` names it: that says what it may be as `files` does.
    fn is_given(&self, file: &str) -> bool {
        let folder = self.planner.graph.arena.module(ModuleId::ROOT).folder();
        let given = &self.planner.inputs[ModuleId::ROOT.0 as usize].files;
        given.iter().any(|(path, _)| join(folder, path).as_deref() == Some(file))
    }

    /// Whether it is an input of its runbook whose type is `file`, and nothing else: that says what it may be.
    fn is_file_input(&self, module: ModuleId, template: &Template) -> bool {
        let Template::Expr(expression) = template else { return false };
        let specs = &self.planner.inputs[module.0 as usize].specs;
        let is_file = |input: &str| specs.iter().any(|spec| spec.name == input && spec.ty == Type::File);
        expression.source.trim().strip_prefix("inputs.").is_some_and(is_file)
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

    /// The programs of a call that stand in the project: what its `argv`, or its script, names. One that is not there may
    /// be made by an earlier step.
    fn programs(&mut self, module: ModuleId, invocation: &mut Invocation) {
        let (mut named, mut unpinned) = (Vec::new(), None);
        let mut is_script = true;
        if let Some(shell) = self.known(invocation, "shell").as_ref().and_then(Value::as_str) {
            let words: Vec<Option<&str>> = shell.split_whitespace().map(Some).collect();
            is_script = words.first().is_none_or(|program| program.is_some_and(is_shell));
            named.extend(in_command(&words).named);
        }
        if let Some(script) = self.known(invocation, "script").filter(|_| is_script) {
            named.extend(script.as_str().map(in_script).unwrap_or_default());
        }
        if let Some(argv) = self.argv(invocation) {
            let words: Vec<Option<&str>> = argv.iter().map(Option::as_deref).collect();
            let command = in_command(&words);
            unpinned = command.computed.then_some("the program");
            named.extend(command.named);
        }
        let base = self.planner.graph.arena.module(module).folder();
        let folder = match invocation.params.iter().find(|(name, _)| name == "cwd") {
            None => Some(base.to_owned()),
            Some((_, cwd)) => match self.value(cwd) {
                Known::Value(Value::Str(cwd)) => join(base, &cwd),
                Known::Value(_) | Known::Open => None,
                Known::InTheRun => {
                    unpinned = unpinned.or((!named.is_empty()).then_some("the folder of the program"));
                    None
                }
            },
        };
        let Some(folder) = folder else {
            invocation.unpinned = unpinned;
            return;
        };
        let mut programs: Vec<String> =
            named.iter().filter_map(|named| self.program(&folder, named, invocation.span)).collect();
        programs.sort();
        programs.dedup();
        invocation.programs = programs;
        invocation.unpinned = unpinned;
    }

    /// Pins the file that a command names, if there is one.
    fn program(&mut self, folder: &str, named: &Named, span: Span) -> Option<String> {
        let inner = named.folder.as_ref().and_then(|inner| join(folder, inner));
        let folders = inner.iter().map(String::as_str).chain([folder]);
        let places: Vec<String> = folders
            .flat_map(|folder| named.words.iter().filter_map(move |word| join(folder, word)))
            .filter(|file| !file.is_empty())
            .collect();
        places.into_iter().find(|file| {
            self.load(file, span, false);
            self.files.contains_key(file)
        })
    }

    /// The words of `argv`; one that is only known in the run is `None`. `None` for all: there is no `argv`, or what it is
    /// depends on an input that an incomplete request does not give.
    fn argv(&self, invocation: &Invocation) -> Option<Vec<Option<String>>> {
        let (_, argv) = invocation.params.iter().find(|(name, _)| name == "argv")?;
        let word = |value: Known| match value {
            Known::Value(value) => Some(Some(value.to_string())),
            Known::InTheRun => Some(None),
            Known::Open => None,
        };
        match (argv, self.value(argv)) {
            (_, Known::Value(Value::List(words))) => {
                Some(words.iter().map(|word| Some(word.to_string())).collect())
            }
            (Template::List(words), _) => words.iter().map(|item| word(self.value(item))).collect(),
            (_, Known::InTheRun) => Some(vec![None]),
            _ => None,
        }
    }

    fn known(&self, invocation: &Invocation, name: &str) -> Option<Value> {
        let (_, template) = invocation.params.iter().find(|(param, _)| param == name)?;
        match self.value(template) {
            Known::Value(value) => Some(value),
            Known::Open | Known::InTheRun => None,
        }
    }

    /// A value as far as it is known before the run.
    fn value(&self, template: &Template) -> Known {
        let (mut known, mut open) = (true, true);
        template.for_each_expression(&mut |expression| {
            for reference in expression.refs.iter().filter(|reference| !self.planner.knows(reference)) {
                known = false;
                open &= self.planner.is_open(reference);
            }
        });
        match (known, open) {
            // What has no value has been reported, or fails in the run.
            (true, _) => template.evaluate(self.planner).map_or(Known::Open, Known::Value),
            (false, true) => Known::Open,
            (false, false) => Known::InTheRun,
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

/// Whether one of the patterns of a runbook in this folder matches a file, which is relative to the root.
fn is_listed(folder: &str, patterns: &[Spanned<String>], file: &str) -> bool {
    patterns.iter().any(|pattern| join(folder, &pattern.value).is_some_and(|pattern| matches(&pattern, file)))
}
