//! Values as files write them, turned into templates: types checked as far as they can be before the run.

use runbook_step::{Field, Type, Value};
use runbook_syntax::ast::{Data, Expr, Segment, Text};
use runbook_syntax::{Diagnostic, Span, Spanned, condition, did_you_mean};

use crate::codes;
use crate::model::{Expression, Resolve, Template};
use crate::planner::{NamedPath, Planner};
use crate::scope::Place;
use crate::setting::value_of;
use crate::types::{conversion_hint, example, field_hint, may_be, value_fault};

/// What a value is for, as far as it matters to what may stand in it.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'t> {
    pub(crate) ty: &'t Type,
    /// What a message calls it: `` `url` ``.
    pub(crate) what: &'t str,
    /// It is evaluated whatever happens, so that an expression that must fail is an error of the file.
    pub(crate) always: bool,
}

impl Planner<'_> {
    /// A template for a value of any type, without secrets.
    pub(crate) fn free_template(&self, data: &Spanned<Data>, place: Place) -> Option<Template> {
        self.template(data, place, Wanted { ty: &Type::Any, what: "this", always: false })
    }

    /// A template for text, such as a name or a message.
    pub(crate) fn text_template(&self, data: &Spanned<Data>, place: Place) -> Option<Template> {
        match value_of(&data.value) {
            Some(value) => Some(Template::Const(value)),
            None => self.free_template(data, place),
        }
    }

    /// A condition: an expression that gives true or false.
    pub(crate) fn condition(&self, expr: &Expr, place: Place, always: bool) -> Option<Expression> {
        let expression = self.expression(expr, place, false)?;
        let ty = self.type_of(expr, place);
        if !may_be(&ty, &Type::Boolean) {
            let message = format!("a condition must be true or false, and this is {ty}");
            let diagnostic = Diagnostic::error(codes::EXPRESSION_TYPE, expr.span, message);
            self.report.push(diagnostic.hint("Compare it with something."));
            return None;
        }
        if self.may_be_null(expr, place) {
            let message =
                "a condition must be true or false, and this may be null: the input need not be given";
            let hint = "Say what holds then: `… | default(false)`; or give the input a default.";
            self.report.push(Diagnostic::error(codes::EXPRESSION_TYPE, expr.span, message).hint(hint));
            return None;
        }
        let wanted = Wanted { ty: &Type::Boolean, what: "a condition", always };
        self.probe(&Template::Expr(expression.clone()), expr.span, wanted).then_some(expression)
    }

    /// A template for a value of a type. `None`: something in it is wrong, which has been reported.
    pub(crate) fn template(
        &self,
        data: &Spanned<Data>,
        place: Place,
        wanted: Wanted<'_>,
    ) -> Option<Template> {
        let template = self.typed(data, place, wanted)?;
        if *wanted.ty == Type::File {
            let (module, span) = (place.module, data.span);
            self.paths.borrow_mut().push(NamedPath { module, path: template.clone(), span });
        }
        Some(template)
    }

    fn typed(&self, data: &Spanned<Data>, place: Place, wanted: Wanted<'_>) -> Option<Template> {
        if let Some(value) = value_of(&data.value) {
            return self.constant(data, value, place, wanted);
        }
        match (&data.value, wanted.ty) {
            (Data::Text(text), _) => self.text(text, data.span, place, wanted),
            (Data::List(items), Type::List(of)) => {
                let what = format!("an item of {}", wanted.what);
                let wanted = Wanted { ty: of, what: &what, ..wanted };
                all(items.iter().map(|item| self.template(item, place, wanted))).map(Template::List)
            }
            (Data::List(items), Type::Any | Type::Payload) => {
                all(items.iter().map(|item| self.template(item, place, wanted))).map(Template::List)
            }
            (Data::Map(entries), Type::Map { fields, extra }) => {
                self.record(data.span, entries, fields, extra.as_deref(), place, wanted)
            }
            (Data::Map(entries), Type::Any | Type::Payload) => {
                let entry = |(name, item): &(Spanned<String>, Spanned<Data>)| {
                    Some((name.value.clone(), self.template(item, place, wanted)?))
                };
                all(entries.iter().map(entry)).map(Template::Map)
            }
            (composite, Type::Either(types)) => {
                let fits = |ty: &&Type| {
                    matches!(
                        (composite, ty),
                        (Data::List(_), Type::List(_))
                            | (Data::Map(_), Type::Map { .. })
                            | (_, Type::Any | Type::Payload)
                    )
                };
                match types.iter().find(fits) {
                    Some(ty) => self.template(data, place, Wanted { ty, ..wanted }),
                    None => self.mismatch(data, wanted),
                }
            }
            _ => self.mismatch(data, wanted),
        }
    }

    /// Where neither a list nor a map may stand.
    fn mismatch(&self, data: &Spanned<Data>, wanted: Wanted<'_>) -> Option<Template> {
        let got = if matches!(data.value, Data::List(_)) { "a list" } else { "a map" };
        let message = format!("{} wants {}, got {got}", wanted.what, wanted.ty);
        self.report.push(value_fault(codes::VALUE_TYPE, data.span, message, wanted.ty));
        None
    }

    fn constant(
        &self,
        data: &Spanned<Data>,
        value: Value,
        place: Place,
        wanted: Wanted<'_>,
    ) -> Option<Template> {
        if let Some(condition) = self.bare_condition(data, &value, place, wanted) {
            return condition;
        }
        // Looked at piece by piece, so that each fault is shown where it stands.
        match (&data.value, wanted.ty) {
            (Data::List(items), Type::List(of)) => {
                let what = format!("an item of {}", wanted.what);
                let wanted = Wanted { ty: of, what: &what, ..wanted };
                return all(items.iter().map(|item| self.template(item, place, wanted))).map(Template::List);
            }
            (Data::Map(entries), Type::Map { fields, extra }) => {
                return self.record(data.span, entries, fields, extra.as_deref(), place, wanted);
            }
            (Data::List(_) | Data::Map(_), Type::Either(types)) => {
                let conditions = |ty: &&Type| {
                    matches!(
                        (&data.value, ty),
                        (Data::List(_), Type::List(_)) | (Data::Map(_), Type::Map { .. })
                    )
                };
                if let Some(ty) = types.iter().find(conditions) {
                    return self.template(data, place, Wanted { ty, ..wanted });
                }
            }
            _ => {}
        }
        match wanted.ty.literal_faults(value.clone()) {
            Ok(_) => Some(Template::Const(value)),
            Err(errors) => {
                for error in errors {
                    let message = format!("{}: {error}", wanted.what);
                    self.report.push(value_fault(codes::VALUE_TYPE, data.span, message, wanted.ty));
                }
                None
            }
        }
    }

    /// Where a boolean is wanted, an expression may stand without braces: `that: inputs.a == 1`.
    fn bare_condition(
        &self,
        data: &Spanned<Data>,
        value: &Value,
        place: Place,
        wanted: Wanted<'_>,
    ) -> Option<Option<Template>> {
        let Value::Str(text) = value else { return None };
        let takes_conditions = match wanted.ty {
            Type::Boolean => true,
            Type::Either(types) => {
                types.contains(&Type::Boolean)
                    && types.iter().all(|ty| matches!(ty, Type::Boolean | Type::List(_) | Type::Map { .. }))
            }
            _ => false,
        };
        // A word alone is a slip, not an expression.
        if !takes_conditions || text.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let mut faults = Vec::new();
        let expr = condition(&self.library.sources, data, &mut faults);
        let broken = !faults.is_empty();
        self.report.extend(faults);
        let expr = expr.filter(|_| !broken);
        Some(expr.and_then(|expr| self.condition(&expr, place, wanted.always)).map(Template::Expr))
    }

    fn record(
        &self,
        span: Span,
        entries: &[(Spanned<String>, Spanned<Data>)],
        fields: &[Field],
        extra: Option<&Type>,
        place: Place,
        wanted: Wanted<'_>,
    ) -> Option<Template> {
        let mut built = Vec::new();
        let mut fine = true;
        for (name, item) in entries {
            let ty = match fields.iter().find(|field| field.name == name.value) {
                Some(field) => &field.ty,
                None => match extra {
                    Some(extra) => extra,
                    None => {
                        let message = format!("{} has no field `{}`", wanted.what, name.value);
                        let names = fields.iter().map(|field| field.name.as_str());
                        let hint = field_hint(&name.value, fields)
                            .or_else(|| Some(format!("It has {}.", runbook_syntax::alternatives(names))));
                        self.report.push(
                            Diagnostic::error(codes::PARAMETER_UNKNOWN, name.span, message).maybe_hint(hint),
                        );
                        fine = false;
                        continue;
                    }
                },
            };
            // `null` is the same as leaving it out.
            let optional = fields.iter().any(|field| field.name == name.value && !field.required);
            if optional && matches!(item.value, Data::Null) {
                continue;
            }
            let what = format!("`{}`", name.value);
            match self.template(item, place, Wanted { ty, what: &what, ..wanted }) {
                Some(template) => built.push((name.value.clone(), template)),
                None => fine = false,
            }
        }
        for field in fields.iter().filter(|field| field.required) {
            if entries.iter().all(|(name, _)| name.value != field.name) {
                let message = format!("{} lacks the field `{}`: {}", wanted.what, field.name, field.ty);
                let hint = format!("Add it: `{}: {}`.", field.name, example(&field.ty));
                self.report.push(Diagnostic::error(codes::PARAMETER_MISSING, span, message).hint(hint));
                fine = false;
            }
        }
        fine.then_some(Template::Map(built))
    }

    fn text(&self, text: &Text, span: Span, place: Place, wanted: Wanted<'_>) -> Option<Template> {
        let secrets = wanted.ty.admits_secret();
        if let [Segment::Expr(expr)] = text.segments.as_slice() {
            let expression = self.expression(expr, place, secrets)?;
            let ty = self.type_of(expr, place);
            if !may_be(&ty, wanted.ty) {
                let message = format!("{} wants {}, and this gives {ty}", wanted.what, wanted.ty);
                let hint = conversion_hint(&ty, wanted.ty)
                    .map(str::to_owned)
                    .or_else(|| word_hint(&ty, wanted.ty))
                    .unwrap_or_else(|| format!("Such as `{}`.", example(wanted.ty)));
                self.report.push(Diagnostic::error(codes::EXPRESSION_TYPE, expr.span, message).hint(hint));
                return None;
            }
            let template = Template::Expr(expression);
            return self.probe(&template, expr.span, wanted).then_some(template);
        }
        let parts = text.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => Some(Template::Const(Value::Str(text.clone()))),
            Segment::Expr(expr) => self.expression(expr, place, secrets).map(Template::Expr),
        });
        let template = Template::Concat(all(parts)?);
        if !may_be(&Type::string(), wanted.ty) {
            let message = format!("{} wants {}, and this gives text", wanted.what, wanted.ty);
            self.report.push(
                Diagnostic::error(codes::EXPRESSION_TYPE, span, message)
                    .hint("One expression with nothing around it keeps its type."),
            );
            return None;
        }
        self.probe(&template, span, wanted).then_some(template)
    }

    /// Evaluates what is known before the run. What then has no value, or one of the wrong type, never will.
    fn probe(&self, template: &Template, span: Span, wanted: Wanted<'_>) -> bool {
        let mut known = true;
        template.for_each_expression(&mut |expression| known &= self.is_known(&expression.refs));
        if !known || !wanted.always || self.report.has_fault_in(span) {
            return true;
        }
        match template.evaluate(self) {
            // An input without a value is null; whether that is allowed is seen when it is used.
            Ok(Value::Null) => true,
            Ok(value) => match wanted.ty.coerce(value) {
                Ok(_) => true,
                Err(error) => {
                    let message = format!("{}: {error}", wanted.what);
                    self.report.push(value_fault(codes::VALUE_TYPE, span, message, wanted.ty));
                    false
                }
            },
            // That there is no work left has been said.
            Err(_) if !self.may_work() => false,
            Err(error) => {
                let diagnostic = Diagnostic::error(codes::EXPRESSION_FAILS, error.span, error.message);
                // Its reads are known, so that it would fail in every run.
                let hint = error.hint.unwrap_or_else(|| {
                    "Mend the expression, or the value that it reads: both are known before the run.".into()
                });
                self.report.push(diagnostic.hint(hint));
                false
            }
        }
    }
}

/// Of words, the one that was meant.
fn word_hint(from: &Type, to: &Type) -> Option<String> {
    match (from, to) {
        (Type::String { one_of: from, .. }, Type::String { one_of: to, .. }) => {
            did_you_mean(from.first()?, to.iter().map(String::as_str))
        }
        _ => None,
    }
}

/// All of them, or nothing; every one is looked at, so that every fault is found.
pub(crate) fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let items: Vec<Option<T>> = items.collect();
    items.into_iter().collect()
}
