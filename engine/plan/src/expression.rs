//! Expressions with their names resolved to inputs, steps, secrets and items.

mod steps;

use runbook_kernel::NodeId;
use runbook_step::{Field, Type, Value};
use runbook_syntax::ast::{Expr, Read};
use runbook_syntax::{Code, Diagnostic, Span, did_you_mean};

use crate::arena::Doc;
use crate::codes;
use crate::model::{Expression, ModuleId, Reference};
use crate::planner::Planner;
use crate::report::and;
use crate::scope::Place;

/// The fields of `run`.
const RUN: [&str; 4] = ["id", "name", "started_at", "status"];

impl Planner<'_> {
    /// An expression at a place, its names resolved. `None`: something in it is wrong, which has been reported.
    ///
    /// `secrets`: whether an expression that is exactly a secret may stand here.
    pub(crate) fn expression(&self, expr: &Expr, place: Place, secrets: bool) -> Option<Expression> {
        let mut refs = Vec::new();
        let mut fine = true;
        for read in &expr.reads {
            match self.reference(expr, read, place, secrets) {
                Ok(Some(reference)) => {
                    if !refs.contains(&reference) {
                        refs.push(reference);
                    }
                }
                Ok(None) => {}
                Err(diagnostic) => {
                    self.report.extend(diagnostic.map(|diagnostic| *diagnostic));
                    fine = false;
                }
            }
        }
        // Without reads it is a constant, or broken: which has been reported where it was read.
        if expr.reads.is_empty() && minijinja::machinery::parse_expr(&expr.source).is_err() {
            return None;
        }
        fine.then(|| Expression { source: expr.source.clone(), span: expr.span, refs })
    }

    /// What one name refers to; `None` where nothing has to be looked up. An error without a diagnostic has been
    /// reported elsewhere.
    fn reference(
        &self,
        expr: &Expr,
        read: &Read,
        place: Place,
        secrets: bool,
    ) -> Result<Option<Reference>, Fault> {
        let path: Vec<&str> = read.path.iter().map(String::as_str).collect();
        let items = || self.graph.items(place);
        match path.as_slice() {
            ["null"] => Ok(None),
            ["inputs", name, rest @ ..] => {
                self.input(expr, read, place.module, name, rest, secrets).map(Some)
            }
            ["environment", rest @ ..] => self.environment(read, rest).map(|()| Some(Reference::Environment)),
            ["steps", id, rest @ ..] => self.step(read, place, id, rest).map(Some),
            ["secrets", name] => self.secret(expr, read, place.module, name, secrets).map(Some),
            ["secrets", ..] => Err(in_expression(read.span, "a secret has no fields")),
            ["run", rest @ ..] => self.run(read, place, rest),
            ["rollback", rest @ ..] => self.rollback(read, place, rest),
            ["prepared", ..] => match self.graph.undoes(place) {
                Some(node) => Ok(Some(Reference::Prepared(node))),
                None => Err(not_here(
                    read.span,
                    "`prepared` is what a step gathered for its undo",
                    "its `rollback`",
                )),
            },
            ["inputs"] => Err(whole(read.span, "inputs", "inputs.NAME")),
            [name, ..] => {
                let items = items();
                for (item, each) in &items {
                    if name == item {
                        return Ok(Some(Reference::Item { name: item.clone(), each: *each }));
                    }
                    if name.strip_suffix("_key") == Some(item) {
                        return Ok(Some(Reference::ItemKey { name: item.clone(), each: *each }));
                    }
                }
                Err(self.unknown_name(read, place, name, &items))
            }
            [] => Ok(None),
        }
    }

    fn unknown_name(&self, read: &Read, place: Place, name: &str, items: &[(String, NodeId)]) -> Fault {
        let message = format!("`{name}` means nothing here");
        let module = self.graph.arena.module(place.module);
        let hint = if module.ids.contains_key(name) {
            Some(format!("A step is read as `steps.{name}.outputs.…`."))
        } else if self.inputs[place.module.0 as usize].spec(name).is_some() {
            Some(format!("An input is read as `inputs.{name}`."))
        } else if self.setting.vars().is_some_and(|vars| vars.contains_key(name)) {
            Some(format!("A variable of the environment is read as `environment.vars.{name}`."))
        } else if name == "env" {
            Some("A script reads its environment itself, as `$NAME`. A value that a place has is `environment.vars.NAME`.".into())
        } else {
            let keys: Vec<String> =
                items.iter().flat_map(|(item, _)| [item.clone(), format!("{item}_key")]).collect();
            let roots = ["inputs", "environment", "steps", "secrets", "run", "rollback", "prepared"];
            let names = roots.into_iter().chain(keys.iter().map(String::as_str));
            Some(
                (self.report.did_you_mean(name, names))
                    .unwrap_or_else(|| format!("Text is written in quotes: `'{name}'`.")),
            )
        };
        fault(codes::UNKNOWN_NAME, read.span, message, hint)
    }

    fn input(
        &self,
        expr: &Expr,
        read: &Read,
        module: ModuleId,
        name: &str,
        rest: &[&str],
        secrets: bool,
    ) -> Result<Reference, Fault> {
        let inputs = &self.inputs[module.0 as usize];
        let Some(spec) = inputs.spec(name) else {
            let names = inputs.specs.iter().map(|spec| spec.name.as_str());
            let hint = (self.report.did_you_mean(name, names))
                .unwrap_or_else(|| format!("Declare it: `inputs: {{{name}: string}}`."));
            return Err(fault(
                codes::UNKNOWN_INPUT,
                read.span,
                format!("there is no input `{name}`"),
                Some(hint),
            ));
        };
        if matches!(spec.ty, Type::Secret { .. }) {
            secret_alone(expr, read, secrets)?;
        }
        self.fields(read, &format!("inputs.{name}"), &spec.ty, rest)?;
        Ok(Reference::Input(module, name.to_owned()))
    }

    /// Checks the fields that follow a name whose type is known.
    fn fields(&self, read: &Read, path: &str, ty: &Type, rest: &[&str]) -> Result<(), Fault> {
        let Some((name, deeper)) = rest.split_first() else { return Ok(()) };
        if read.guarded {
            return Ok(());
        }
        match ty {
            Type::Any | Type::Payload | Type::Either(_) => Ok(()),
            Type::Map { fields, extra } => match fields.iter().find(|field| field.name == *name) {
                Some(Field { ty, .. }) => self.fields(read, &format!("{path}.{name}"), ty, deeper),
                None if extra.is_some() => Ok(()),
                None => {
                    let message = format!("`{path}` has no `{name}`");
                    let names = fields.iter().map(|field| field.name.as_str());
                    Err(fault(codes::UNKNOWN_FIELD, read.span, message, self.report.which_of(name, names)))
                }
            },
            other => {
                let message = format!("`{path}` is {other}, which has no `{name}`");
                let hint = format!("Read `{path}` as a whole.");
                Err(fault(codes::UNKNOWN_FIELD, read.span, message, Some(hint)))
            }
        }
    }

    fn environment(&self, read: &Read, rest: &[&str]) -> Result<(), Fault> {
        if self.setting.open {
            return Ok(());
        }
        let unknown = |path: &str, name: &str, names: &[&str]| {
            let message = format!("`{path}` has no `{name}`");
            fault(codes::UNKNOWN_FIELD, read.span, message, self.report.which_of(name, names.iter().copied()))
        };
        if self.setting.doc.is_none() && !read.guarded {
            let message = "this reads the environment, and there is none";
            return Err(fault(
                codes::NO_ENVIRONMENT,
                read.span,
                message.into(),
                Some("Choose one: `-e NAME`.".into()),
            ));
        }
        match rest {
            [] | ["name" | "protected" | "vars"] => Ok(()),
            ["name" | "protected", ..] => Err(fault(
                codes::UNKNOWN_FIELD,
                read.span,
                format!("`environment.{}` has no fields", rest[0]),
                Some(format!("Read `environment.{}` as a whole.", rest[0])),
            )),
            ["vars", path @ ..] => {
                let mut at = &self.setting.value;
                at = at.as_map().and_then(|map| map.get("vars")).unwrap_or(at);
                let mut written = "environment.vars".to_owned();
                for name in path {
                    match at.as_map().map(|map| (map.get(*name), map)) {
                        Some((Some(inner), _)) => at = inner,
                        _ if read.guarded => return Ok(()),
                        Some((None, map)) => {
                            let names: Vec<&str> = map.keys().map(String::as_str).collect();
                            return Err(unknown(&written, name, &names));
                        }
                        None => {
                            let message = format!("`{written}` is {}, which has no `{name}`", at.kind());
                            let hint = format!("Read `{written}` as a whole.");
                            return Err(fault(codes::UNKNOWN_FIELD, read.span, message, Some(hint)));
                        }
                    }
                    written = format!("{written}.{name}");
                }
                Ok(())
            }
            [name, ..] => Err(unknown("environment", name, &["name", "vars", "protected"])),
        }
    }

    fn secret(
        &self,
        expr: &Expr,
        read: &Read,
        module: ModuleId,
        name: &str,
        allowed: bool,
    ) -> Result<Reference, Fault> {
        let own = match self.graph.arena.module(module).doc {
            Doc::Runbook(runbook) => &runbook.secrets[..],
            Doc::Environment(environment) => &environment.secrets,
        };
        let of_environment = self.setting.doc.map_or(&[][..], |doc| &doc.secrets);
        let owner = if own.iter().any(|(declared, _)| declared.value == name) {
            module
        } else if of_environment.iter().any(|(declared, _)| declared.value == name) {
            ModuleId::ENVIRONMENT
        } else if self.setting.open {
            // It may well be a secret of the environment.
            module
        } else {
            let names = own.iter().chain(of_environment).map(|(declared, _)| declared.value.as_str());
            let hint = self.report.did_you_mean(name, names).unwrap_or_else(|| {
                format!("Say where it comes from: `secrets: {{{name}: {{env: VARIABLE}}}}`.")
            });
            return Err(fault(
                codes::UNKNOWN_SECRET,
                read.span,
                format!("there is no secret `{name}`"),
                Some(hint),
            ));
        };
        secret_alone(expr, read, allowed)?;
        Ok(Reference::Secret(owner, name.to_owned()))
    }

    fn run(&self, read: &Read, place: Place, rest: &[&str]) -> Result<Option<Reference>, Fault> {
        match rest {
            ["status", ..] if !self.graph.is_aftermath(place) => {
                Err(not_here(read.span, "`run.status` is how the run went", "`finally` and `on_failure`"))
            }
            [name] if RUN.contains(name) => Ok(Some(Reference::Run)),
            [] => Err(whole(read.span, "run", "run.id")),
            [name, ..] => {
                let hint = did_you_mean(name, RUN).unwrap_or_else(|| format!("It has {}.", and(&RUN)));
                Err(fault(codes::UNKNOWN_FIELD, read.span, format!("`run` has no `{name}`"), Some(hint)))
            }
        }
    }

    fn rollback(&self, read: &Read, place: Place, rest: &[&str]) -> Result<Option<Reference>, Fault> {
        match rest {
            ["status"] if self.graph.is_aftermath(place) => Ok(Some(Reference::Rollback)),
            ["status"] => Err(not_here(read.span, "`rollback.status` is how the rollback went", "`finally`")),
            [] => Err(whole(read.span, "rollback", "rollback.status")),
            [name, ..] => {
                let hint = Some("It has `status`.".into());
                Err(fault(codes::UNKNOWN_FIELD, read.span, format!("`rollback` has no `{name}`"), hint))
            }
        }
    }

    /// The type of what a path reads, as far as it is known.
    pub(crate) fn type_of_path(&self, path: &[String], place: Place) -> Type {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (ty, rest) = match path.as_slice() {
            ["inputs", name, rest @ ..] => match self.inputs[place.module.0 as usize].spec(name) {
                Some(spec) => (spec.ty.clone(), rest),
                None => return Type::Any,
            },
            ["environment", "name"] => return Type::string(),
            ["environment", "protected"] => return Type::Boolean,
            ["environment", "vars", rest @ ..] if !self.setting.open => return self.type_of_var(rest),
            ["run", _] | ["rollback", _] | ["steps", _, "status"] => return Type::string(),
            ["steps", id, "outputs", name, rest @ ..] => {
                let Some(target) = self.graph.arena.module(place.module).ids.get(id) else {
                    return Type::Any;
                };
                match self.outputs_of(*target).get(name) {
                    Some(ty) => (ty.clone(), rest),
                    None => return Type::Any,
                }
            }
            _ => return Type::Any,
        };
        rest.iter().fold(ty, |ty, name| match ty {
            Type::Map { fields, .. } => {
                fields.into_iter().find(|field| field.name == *name).map_or(Type::Any, |field| field.ty)
            }
            _ => Type::Any,
        })
    }

    fn type_of_var(&self, rest: &[&str]) -> Type {
        let found = rest.iter().try_fold(self.setting.vars().cloned().map(Value::Map), |at, name| {
            let Some(Value::Map(mut map)) = at else { return None };
            Some(map.remove(*name))
        });
        match found.flatten() {
            // Text may be meant as a duration, a number is a number.
            Some(Value::Bool(_)) => Type::Boolean,
            Some(Value::Int(_)) => Type::integer(),
            Some(Value::Float(_)) => Type::number(),
            Some(Value::Str(_)) => Type::string(),
            Some(Value::List(_)) => Type::list(Type::Any),
            Some(Value::Map(_)) => Type::map_of(Type::Any),
            _ => Type::Any,
        }
    }
}

/// Why a name refers to nothing: a diagnostic, or nothing where that has been said already.
type Fault = Option<Box<Diagnostic>>;

fn fault(code: Code, span: Span, message: String, hint: Option<String>) -> Fault {
    Some(Box::new(Diagnostic::error(code, span, message).maybe_hint(hint)))
}

fn not_here(span: Span, what: &str, only_in: &str) -> Fault {
    let hint = format!("Read it in {only_in} only.");
    fault(codes::NAME_NOT_HERE, span, format!("{what}, and means nothing outside of {only_in}"), Some(hint))
}

fn whole(span: Span, name: &str, example: &str) -> Fault {
    let message = format!("`{name}` as a whole has no value");
    fault(codes::UNKNOWN_FIELD, span, message, Some(format!("Name what you need: `{example}`.")))
}

fn in_expression(span: Span, message: &str) -> Fault {
    let hint = "Write `${{ secrets.NAME }}` with nothing around it inside the braces.";
    fault(codes::SECRET_IN_EXPRESSION, span, message.into(), Some(hint.into()))
}

/// A secret is opaque: it stands alone, and only where its content may go.
fn secret_alone(expr: &Expr, read: &Read, allowed: bool) -> Result<(), Fault> {
    if expr.source != read.path.join(".") {
        return Err(in_expression(read.span, "a secret is used inside an expression"));
    }
    match allowed {
        true => Ok(()),
        false => {
            let message = "a secret may not stand here: this is shown, stored, or handed on as plain text";
            let hint = "Secrets go into `env`, and into parameters that take a secret.";
            Err(fault(codes::SECRET_PLACE, read.span, message.into(), Some(hint.into())))
        }
    }
}
