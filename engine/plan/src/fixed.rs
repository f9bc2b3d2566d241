//! Values that are fixed when the plan is made: durations, counts, names of locks.

use runbook_step::{Type, Value};
use runbook_syntax::ast::{Data, Expr, Segment};
use runbook_syntax::{Diagnostic, Spanned};

use crate::codes;
use crate::model::{Reference, Template};
use crate::planner::Planner;
use crate::scope::{At, Place};
use crate::template::Wanted;
use crate::types::value_fault;

impl Planner<'_> {
    /// A value that is fixed when the plan is made. `None`: it is wrong, which has been reported, or it depends on an
    /// input that an incomplete request does not give.
    pub(crate) fn fixed(&self, data: &Spanned<Data>, place: Place, ty: &Type, what: &str) -> Option<Value> {
        for expr in expressions(&data.value) {
            if let Some(read) = expr.reads.iter().find(|read| {
                let root = read.path.first().map_or("", String::as_str);
                !matches!(root, "inputs" | "environment" | "null")
            }) {
                let message = format!(
                    "{what} is fixed before the run, and `{}` is not known then",
                    read.path.join(".")
                );
                let diagnostic = Diagnostic::error(codes::NOT_FIXED, read.span, message);
                self.report.push(diagnostic.hint("Only `inputs` and `environment` may stand here."));
                return None;
            }
        }
        let template =
            self.template(data, Place { at: At::Start, ..place }, Wanted { ty, what, always: true })?;
        let mut unknown = None;
        template.for_each_expression(&mut |expression| {
            unknown = unknown.take().or_else(|| {
                let missing = |reference: &&Reference| !self.knows(reference);
                expression.refs.iter().find(missing).map(|reference| (expression.span, reference.clone()))
            });
        });
        if let Some((span, reference)) = unknown {
            self.not_fixed(span, &reference, what);
            return None;
        }
        let value = match &template {
            Template::Const(value) => ty.literal(value.clone()),
            other => match other.evaluate(self) {
                Ok(value) => ty.coerce(value),
                // Reported when the template was made.
                Err(_) => return None,
            },
        };
        match value {
            Ok(value) => Some(value),
            Err(error) => {
                self.report.push(value_fault(codes::VALUE_TYPE, data.span, format!("{what}: {error}"), ty));
                None
            }
        }
    }

    fn not_fixed(&self, span: runbook_syntax::Span, reference: &Reference, what: &str) {
        let Reference::Input(module, name) = reference else { return };
        if self.is_open(reference) {
            return;
        }
        let message =
            format!("{what} is fixed before the run, and the caller only knows `inputs.{name}` in the run");
        let hint = "Give the input a value that does not depend on a step.";
        let mut diagnostic = Diagnostic::error(codes::NOT_FIXED, span, message).hint(hint);
        if let Some(caller) = self.graph.arena.module(*module).caller {
            diagnostic = diagnostic.also(self.graph.arena.span(caller), "called here");
        }
        self.report.push(diagnostic);
    }

    /// A length of time in milliseconds, fixed before the run.
    pub(crate) fn duration(&self, data: &Spanned<Data>, place: Place, what: &str) -> Option<u64> {
        let value = self.fixed(data, place, &Type::duration(), what)?;
        value.as_int().and_then(|ms| u64::try_from(ms).ok())
    }

    /// A length of time that is more than none, in milliseconds, fixed before the run: one in which something is to
    /// happen, or after which it happens again.
    pub(crate) fn period(&self, data: &Spanned<Data>, place: Place, what: &str) -> Option<u64> {
        let value = self.fixed(data, place, &Type::positive_duration(), what)?;
        value.as_int().and_then(|ms| u64::try_from(ms).ok())
    }

    /// A whole number, fixed before the run.
    pub(crate) fn count(&self, data: &Spanned<Data>, place: Place, what: &str, least: i64) -> Option<u32> {
        let ty = Type::Integer { min: Some(least), max: Some(i64::from(u32::MAX)) };
        let value = self.fixed(data, place, &ty, what)?;
        value.as_int().and_then(|count| u32::try_from(count).ok())
    }

    /// A number in thousandths, fixed before the run.
    pub(crate) fn thousandths(
        &self,
        data: &Spanned<Data>,
        place: Place,
        what: &str,
        least: f64,
    ) -> Option<u32> {
        let ty = Type::Number { min: Some(least), max: Some(1000.0) };
        let value = self.fixed(data, place, &ty, what)?;
        value.as_float().map(|number| (number * 1000.0).round() as u32)
    }
}

/// The expressions in a value, in the order of the file.
fn expressions(data: &Data) -> Vec<&Expr> {
    match data {
        Data::Text(text) => (text.segments.iter())
            .filter_map(|segment| match segment {
                Segment::Expr(expr) => Some(expr),
                Segment::Literal(_) => None,
            })
            .collect(),
        Data::List(items) => items.iter().flat_map(|item| expressions(&item.value)).collect(),
        Data::Map(entries) => entries.iter().flat_map(|(_, item)| expressions(&item.value)).collect(),
        _ => Vec::new(),
    }
}
