//! Calls of step types: parameters against the declaration.

use std::collections::HashSet;

use runbook_kernel::NodeId;
use runbook_step::{Choice, Declaration, Type, Value};
use runbook_syntax::ast::{Action, ActionUse, Data, Step, TypeDecl};
use runbook_syntax::{Diagnostic, Span, Spanned, alternatives, codes as syntax_codes, did_you_mean, nearest};

use crate::arena::{Doc, What, step_type};
use crate::codes;
use crate::model::{Invocation, ModuleId, Template};
use crate::planner::Planner;
use crate::scope::{At, Place};
use crate::setting::value_of;
use crate::template::Wanted;
use crate::types::example;

/// Parameters as a file writes them.
type With = [(Spanned<String>, Spanned<Data>)];

/// Where an action stands, and what goes with it there.
#[derive(Clone, Copy)]
pub(crate) struct Stand<'s> {
    pub(crate) place: Place,
    /// The node whose groups give it their `env` and `cwd`; none for what belongs to the whole runbook.
    pub(crate) node: Option<NodeId>,
    pub(crate) span: Span,
    /// `env` and `cwd` of a check, over those of its step.
    pub(crate) env: &'s With,
    pub(crate) cwd: Option<&'s Spanned<Data>>,
    pub(crate) stdout: Option<&'s Spanned<String>>,
    pub(crate) outputs: &'s [(Spanned<String>, TypeDecl)],
    /// It runs whatever happens, see [`Wanted::always`].
    pub(crate) always: bool,
}

impl Planner<'_> {
    /// What a step does, of the kinds with attempts.
    pub(crate) fn action(
        &self,
        node: NodeId,
        step: &Step,
        action: &Action,
        always: bool,
    ) -> Option<Invocation> {
        let module = self.graph.arena.node(node).module;
        if let (Action::Uses { step: name, .. }, Some(found)) = (action, self.registry.get(step_type(action)))
        {
            self.only_for_scripts(step, &name.value, found.declaration());
        }
        let stand = Stand {
            place: Place { module, at: At::Node(node) },
            node: Some(node),
            span: step.span,
            env: &[],
            cwd: None,
            stdout: step.stdout.as_ref(),
            outputs: &step.output_types,
            always,
        };
        self.invocation(action, stand)
    }

    /// A check inside another key.
    pub(crate) fn check(
        &self,
        check: &ActionUse,
        place: Place,
        node: Option<NodeId>,
        key: &str,
    ) -> Option<Invocation> {
        let ActionUse { span, action, env, cwd } = check;
        if let Action::Uses { step, .. } = action
            && let Some(found) = self.registry.get(&step.value)
            && !found.declaration().is_check
        {
            let message = format!(
                "`{key}` wants a check, and `{}` is none: it does not say whether something holds",
                step.value
            );
            let checks = self.registry.declarations().filter(|other| other.is_check).map(|other| other.name);
            let hint = format!("Checks are {}; a script is one by its exit code.", alternatives(checks));
            self.report.push(Diagnostic::error(codes::NOT_A_CHECK, step.span, message).hint(hint));
            return None;
        }
        let (env, cwd) = (&env[..], cwd.as_ref());
        let stand = Stand { place, node, span: *span, env, cwd, stdout: None, outputs: &[], always: false };
        self.invocation(action, stand)
    }

    fn invocation(&self, action: &Action, stand: Stand<'_>) -> Option<Invocation> {
        let name = step_type(action);
        let Some(found) = self.registry.get(name) else {
            let span = if let Action::Uses { step, .. } = action { step.span } else { stand.span };
            self.unknown_step_type(name, span);
            return None;
        };
        let declaration = found.declaration();
        let mut params: Vec<(String, Option<Template>)> = Vec::new();
        match action {
            Action::Run { script, shell } => {
                params.push(("script".into(), Some(Template::Const(Value::Str(script.value.clone())))));
                let shell = shell.as_ref().or_else(|| self.default_shell(stand.place.module));
                params.extend(shell.map(|shell| {
                    ("shell".to_owned(), Some(Template::Const(Value::Str(shell.value.clone()))))
                }));
            }
            Action::Argv(argv) => params.push(("argv".into(), self.argv(declaration, argv, stand))),
            Action::Uses { step, with } => params = self.with(declaration, step, with, stand),
        }
        if declaration.find_param("env").is_some() && params.iter().all(|(name, _)| name != "env") {
            params.extend(self.env(stand).map(|env| ("env".to_owned(), env)));
        }
        if declaration.find_param("cwd").is_some() && params.iter().all(|(name, _)| name != "cwd") {
            params.extend(self.cwd(stand).map(|cwd| ("cwd".to_owned(), cwd)));
        }
        if let Some(stdout) = stand.stdout.filter(|_| !matches!(action, Action::Uses { .. })) {
            params.push(("stdout".into(), Some(Template::Const(Value::Str(stdout.value.clone())))));
        }
        for param in &declaration.params {
            if let Some(default) =
                param.default.as_ref().filter(|_| params.iter().all(|(name, _)| name != param.name))
            {
                params.push((param.name.to_owned(), Some(Template::Const(default.clone()))));
            }
        }
        let outputs = stand.outputs.iter();
        let outputs = outputs.map(|(name, decl)| (name.value.clone(), self.types.declared(decl))).collect();
        let params =
            params.into_iter().map(|(name, template)| Some((name, template?))).collect::<Option<Vec<_>>>()?;
        Some(Invocation {
            step: name.to_owned(),
            params,
            outputs,
            programs: Vec::new(),
            unpinned: None,
            span: stand.span,
        })
    }

    /// Parameters under `with`, and those that `defaults.with` of the runbook and of the environment add.
    fn with(
        &self,
        declaration: &Declaration,
        step: &Spanned<String>,
        with: &With,
        stand: Stand<'_>,
    ) -> Vec<(String, Option<Template>)> {
        let mut built = Vec::new();
        let mut names: HashSet<&str> = HashSet::new();
        let start = |module| Place { module, at: At::Start };
        let defaults = self.default_with(stand.place.module, &step.value);
        let given = with.iter().map(|entry| (entry, stand.place));
        let defaults = defaults
            .into_iter()
            .flat_map(|(module, with)| with.iter().map(move |entry| (entry, start(module))));
        for ((name, data), place) in given.chain(defaults) {
            if names.contains(name.value.as_str()) {
                continue;
            }
            // `null` is the same as leaving it out.
            let param = declaration.find_param(&name.value);
            if param.is_some_and(|param| !param.required) && matches!(data.value, Data::Null) {
                continue;
            }
            names.insert(&name.value);
            if declaration.outputs_from_all {
                self.output_name(name);
            }
            if let (true, Data::Map(entries)) = (declaration.outputs_from == Some(&name.value), &data.value) {
                entries.iter().for_each(|(name, _)| self.output_name(name));
            }
            built.push((name.value.clone(), self.parameter(declaration, name, data, place, stand)));
        }
        let given = |name: &str| names.contains(name);
        for param in declaration.params.iter().filter(|param| param.required && !given(param.name)) {
            let message = format!("`{}` lacks the parameter `{}`: {}", step.value, param.name, param.ty);
            let hint = match param.doc {
                "" => format!("Add it: `{}: {}`.", param.name, example(&param.ty)),
                doc => doc.to_owned(),
            };
            self.report.push(Diagnostic::error(codes::PARAMETER_MISSING, step.span, message).hint(hint));
        }
        for (choice, names) in &declaration.choices {
            let count = names.iter().filter(|name| given(name)).count();
            let wanted = match (choice, count) {
                (Choice::AtMostOne, 2..) => "at most one",
                (Choice::ExactlyOne, 0 | 2..) => "exactly one",
                (Choice::AtLeastOne, 0) => "at least one",
                _ => continue,
            };
            let message = format!("give {wanted} of {}", alternatives(names.iter().copied()));
            let hint = format!("`runbook steps {}` says what each is for.", step.value);
            self.report.push(Diagnostic::error(codes::PARAMETER_CHOICE, step.span, message).hint(hint));
        }
        built
    }

    fn parameter(
        &self,
        declaration: &Declaration,
        name: &Spanned<String>,
        data: &Spanned<Data>,
        place: Place,
        stand: Stand<'_>,
    ) -> Option<Template> {
        let what = format!("`{}`", name.value);
        let Some(param) = declaration.find_param(&name.value) else {
            if declaration.outputs_from_all {
                let wanted = Wanted { ty: &Type::Any, what: &what, always: stand.always };
                return self.template(data, place, wanted);
            }
            self.unknown_parameter(declaration, name);
            return None;
        };
        if param.verbatim && value_of(&data.value).is_none() {
            let message = format!("`{}` decides what runs, so there are no expressions in it", name.value);
            let hint = match declaration.find_param("env") {
                Some(_) => "Hand values in through `env`.",
                None => "Hand values in through another parameter.",
            };
            self.report.push(Diagnostic::error(codes::PARAMETER_VERBATIM, data.span, message).hint(hint));
            return None;
        }
        self.template(data, place, Wanted { ty: &param.ty, what: &what, always: stand.always })
    }

    fn unknown_parameter(&self, declaration: &Declaration, name: &Spanned<String>) {
        let names = declaration.params.iter().map(|param| param.name);
        let hint =
            did_you_mean(&name.value, names.clone()).unwrap_or_else(|| match declaration.params.is_empty() {
                true => "It takes none.".into(),
                false => format!("It takes {}.", alternatives(names).replace(" or ", " and ")),
            });
        let message = format!("`{}` has no parameter `{}`", declaration.name, name.value);
        self.report.push(Diagnostic::error(codes::PARAMETER_UNKNOWN, name.span, message).hint(hint));
    }

    fn unknown_step_type(&self, name: &str, span: Span) {
        // `tcp.check` is near to any `….check` by its letters, and means another thing.
        let family = |name: &'_ str| name.split_once('.').map_or("", |(family, _)| family).to_owned();
        let mine = family(name);
        let related = |other: &&str| {
            let other = family(other);
            other == mine || nearest(&mine, [other.as_str()]).is_some()
        };
        let names = self.registry.declarations().map(|declaration| declaration.name).filter(related);
        let hint =
            did_you_mean(name, names).unwrap_or_else(|| "`runbook steps` lists those that there are.".into());
        let message = format!("there is no step type `{name}`");
        self.report.push(Diagnostic::error(codes::UNKNOWN_STEP_TYPE, span, message).hint(hint));
    }

    /// `defaults.with`: a name in it that nothing is called would never be used.
    pub(crate) fn check_defaults(&self) {
        let modules = (0..self.graph.arena.modules.len()).map(|number| ModuleId(number as u32));
        for (step, with) in modules.flat_map(|module| self.defaults(module)).flat_map(|(_, all)| &all.with) {
            let Some(found) = self.registry.get(&step.value) else {
                self.unknown_step_type(&step.value, step.span);
                continue;
            };
            let declaration = found.declaration();
            if matches!(declaration.name, "run" | "argv") {
                let message = format!("`{}` takes no `with`, so there are no defaults for it", step.value);
                let hint = "`defaults` has `shell` and `timeout`; `env` stands at a step or a group.";
                self.report.push(Diagnostic::error(codes::WITHOUT_EFFECT, step.span, message).hint(hint));
                continue;
            }
            let unknown =
                |name: &str| !declaration.outputs_from_all && declaration.find_param(name).is_none();
            for (name, _) in with.iter().filter(|(name, _)| unknown(&name.value)) {
                self.unknown_parameter(declaration, name);
            }
        }
    }

    /// What becomes the name of an output is read with a dot.
    fn output_name(&self, name: &Spanned<String>) {
        let text = &name.value;
        let readable = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !readable {
            let message = format!("an output cannot be called `{text}`: expressions read it after a dot");
            let hint = "Its name begins with a letter or `_` and goes on with letters, digits and `_`.";
            self.report.push(Diagnostic::error(syntax_codes::BAD_NAME, name.span, message).hint(hint));
        }
    }

    fn argv(&self, declaration: &Declaration, argv: &[Spanned<Data>], stand: Stand<'_>) -> Option<Template> {
        let any = Type::list(Type::Any);
        let ty = declaration.find_param("argv").map_or(&any, |param| &param.ty);
        let Type::List(of) = ty else { return None };
        let wanted = Wanted { ty: of, what: "an argument", always: stand.always };
        if let Some(script) = script_of_a_shell(argv).filter(|script| value_of(&script.value).is_none()) {
            let message = "an expression is not pasted into a script: what it holds could run";
            let hint = "Hand it in after the script, where it is `$1`: `argv: [bash, -c, 'echo \"$1\"', bash, \"${{ … }}\"]`; \
                        or through `env`.";
            let fault = Diagnostic::error(syntax_codes::EXPRESSION_IN_SCRIPT, script.span, message);
            self.report.push(fault.hint(hint));
            return None;
        }
        crate::template::all(argv.iter().map(|item| self.template(item, stand.place, wanted)))
            .map(Template::List)
    }

    /// Environment variables, from the outermost group to the step and its check.
    fn env(&self, stand: Stand<'_>) -> Option<Option<Template>> {
        let ty = Type::printable();
        let mut layers: Vec<(&With, Place)> = Vec::new();
        self.enclosing(stand.node, &mut |step, place| layers.push((&step.env, place)));
        layers.reverse();
        layers.push((stand.env, stand.place));
        let mut built: Vec<(String, Option<Template>)> = Vec::new();
        for ((name, data), place) in
            layers.iter().flat_map(|(with, place)| with.iter().map(move |entry| (entry, *place)))
        {
            let what = format!("`{}`", name.value);
            let template = self.template(data, place, Wanted { ty: &ty, what: &what, always: stand.always });
            built.retain(|(other, _)| *other != name.value);
            built.push((name.value.clone(), template));
        }
        if built.is_empty() {
            return None;
        }
        let entries = built.into_iter().map(|(name, template)| Some((name, template?)));
        Some(entries.collect::<Option<Vec<_>>>().map(Template::Map))
    }

    fn cwd(&self, stand: Stand<'_>) -> Option<Option<Template>> {
        let mut found = stand.cwd.map(|cwd| (cwd, stand.place));
        self.enclosing(stand.node, &mut |step, place| {
            found = found.or(step.cwd.as_ref().map(|cwd| (cwd, place)));
        });
        let (cwd, place) = found?;
        Some(self.template(cwd, place, Wanted { ty: &Type::string(), what: "`cwd`", always: stand.always }))
    }

    /// The step of a node and those around it, innermost first.
    fn enclosing<'p>(&'p self, node: Option<NodeId>, visit: &mut dyn FnMut(&'p Step, Place)) {
        let mut at = node;
        while let Some(node) = at {
            let site = self.graph.arena.node(node);
            // The two nodes of a `for_each` are one step.
            if let (What::Step(step), true) =
                (site.what, !matches!(site.body, crate::arena::Body::Each { .. }))
            {
                visit(step, Place { module: site.module, at: At::Node(node) });
            }
            at = self.graph.arena.owner(node);
        }
    }

    fn only_for_scripts(&self, step: &Step, name: &str, declaration: &Declaration) {
        let useless = |key: &str, span: Span| {
            let message = format!("`{key}` is for scripts and programs; `{name}` does not read it");
            let hint = "Leave it out, or hand the value in through `with`.";
            self.report.push(Diagnostic::error(codes::WITHOUT_EFFECT, span, message).hint(hint));
        };
        if let Some((first, _)) = step.env.first().filter(|_| declaration.find_param("env").is_none()) {
            useless("env", first.span);
        }
        if let Some(cwd) = step.cwd.as_ref().filter(|_| declaration.find_param("cwd").is_none()) {
            useless("cwd", cwd.span);
        }
        if let Some((first, _)) = step.output_types.first().filter(|_| !declaration.outputs_declared) {
            let message = format!("the outputs of `{name}` are its own to declare");
            let hint = format!("Leave `outputs` out; `runbook steps {name}` lists what it returns.");
            self.report.push(Diagnostic::error(codes::WITHOUT_EFFECT, first.span, message).hint(hint));
        }
    }

    fn default_shell(&self, module: ModuleId) -> Option<&Spanned<String>> {
        self.defaults(module).find_map(|(_, defaults)| defaults.shell.as_ref())
    }

    fn default_with(&self, module: ModuleId, step: &str) -> Vec<(ModuleId, &With)> {
        let of = |defaults: &'_ runbook_syntax::ast::Defaults| {
            defaults.with.iter().position(|(name, _)| name.value == step)
        };
        self.defaults(module)
            .filter_map(|(module, defaults)| Some((module, &defaults.with[of(defaults)?].1[..])))
            .collect()
    }

    /// `defaults` of a module, then those of the environment.
    pub(crate) fn defaults(
        &self,
        module: ModuleId,
    ) -> impl Iterator<Item = (ModuleId, &runbook_syntax::ast::Defaults)> {
        let own = match self.graph.arena.module(module).doc {
            Doc::Runbook(runbook) => Some((module, &runbook.defaults)),
            Doc::Environment(_) => None,
        };
        own.into_iter().chain(self.setting.doc.map(|doc| (ModuleId::ENVIRONMENT, &doc.defaults)))
    }
}

/// What stands after `-c` of a shell: a script, whatever key it stands under.
fn script_of_a_shell(argv: &[Spanned<Data>]) -> Option<&Spanned<Data>> {
    let word = |item: &Spanned<Data>| value_of(&item.value)?.as_str().map(str::to_owned);
    let program = word(argv.first()?)?;
    let name = program.rsplit('/').next().unwrap_or_default();
    if !matches!(name, "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash") {
        return None;
    }
    let option = argv.iter().position(|item| {
        word(item).is_some_and(|word| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'))
    })?;
    argv.get(option + 1)
}
