//! The only evaluator: templates and expressions to values. Pure, bounded in time, size and depth.

mod conversion;
mod filters;
mod strictness;
mod told;
mod written;

use std::fmt::Write;

use minijinja::machinery::{CodeGenerator, parse_expr};
use runbook_step::{Secret, SecretPart, Value};
use runbook_syntax::Span;

use crate::model::{EvalError, Expression, Reference, Resolve, Template};

/// The most bytes that a text may have after its expressions are filled in.
pub const MAX_TEXT: usize = 1 << 20;

impl Template {
    /// The value of this template.
    ///
    /// A template that is exactly one expression keeps the expression's type. Text around expressions becomes a string
    /// (`true`, `null`, `3`, `2.5`; lists and maps as JSON), or a secret if one of the expressions is one.
    ///
    /// # Errors
    /// The first expression that has no value, or a text longer than [`MAX_TEXT`].
    pub fn evaluate(&self, scope: &dyn Resolve) -> Result<Value, EvalError> {
        match self {
            Template::Const(value) => Ok(value.clone()),
            Template::Expr(expression) => expression.evaluate(scope),
            Template::Concat(parts) => concat(parts, scope),
            Template::List(items) => {
                items.iter().map(|item| item.evaluate(scope)).collect::<Result<_, _>>().map(Value::List)
            }
            Template::Map(entries) => entries
                .iter()
                .map(|(name, item)| Ok((name.clone(), item.evaluate(scope)?)))
                .collect::<Result<_, _>>()
                .map(Value::Map),
        }
    }

    /// Calls `visit` for each expression inside, in the order of the file.
    pub fn for_each_expression<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression)) {
        match self {
            Template::Const(_) => {}
            Template::Expr(expression) => visit(expression),
            Template::Concat(parts) | Template::List(parts) => {
                parts.iter().for_each(|part| part.for_each_expression(visit));
            }
            Template::Map(entries) => entries.iter().for_each(|(_, part)| part.for_each_expression(visit)),
        }
    }
}

impl Expression {
    /// The value of this expression, in its own type.
    ///
    /// # Errors
    /// An undefined name or field, one that is withheld, an operation that does not fit the values, a result that is no
    /// value (undefined, not a finite number), or too much work.
    pub fn evaluate(&self, scope: &dyn Resolve) -> Result<Value, EvalError> {
        if let [reference @ (Reference::Secret(_, name) | Reference::Input(_, name))] = self.refs.as_slice()
            && matches!(self.source.split_once('.'), Some(("inputs" | "secrets", rest)) if rest == name)
        {
            return scope.resolve(reference);
        }
        match self.compute(scope) {
            Err(error) if error.withheld => told::told(self, scope).unwrap_or(Err(error)),
            result => result,
        }
    }

    fn compute(&self, scope: &dyn Resolve) -> Result<Value, EvalError> {
        if !scope.may_work() {
            return Err(self.error("there is no work left for it".into(), None));
        }
        let root = conversion::root(self, scope)?;
        let environment = filters::environment();
        let result = parse_expr(&self.source).and_then(|tree| {
            let mut generator = CodeGenerator::new("<expression>", &self.source);
            generator.compile_expr(&strictness::make_strict(&tree));
            let (instructions, blocks) = generator.finish();
            let mut output = String::new();
            let mut output = minijinja::machinery::make_string_output(&mut output);
            let escape = minijinja::AutoEscape::None;
            minijinja::machinery::eval(environment, &instructions, root, &blocks, &mut output, escape)
                .map(|(value, state)| (value.unwrap_or_default(), state.fuel_levels()))
        });
        match result {
            Ok((value, fuel)) => {
                scope.worked(fuel.map_or(0, |(used, _)| used), self.span);
                conversion::from_jinja(&value).map_err(|message| self.error(message, None))
            }
            Err(error) => {
                scope.worked(filters::work_of_failure(&error), self.span);
                Err(self.explain(&error))
            }
        }
    }

    /// The value of this expression as a condition.
    ///
    /// # Errors
    /// As [`Expression::evaluate`], and if the value is not a boolean: nothing else is taken for one.
    pub fn condition(&self, scope: &dyn Resolve) -> Result<bool, EvalError> {
        match self.evaluate(scope)? {
            Value::Bool(value) => Ok(value),
            other => Err(self.error(
                format!("a condition must be true or false, and this is {}", other.kind()),
                Some("Compare it with something: `… == …`, `… is none`, `… | length > 0`.".into()),
            )),
        }
    }

    fn error(&self, message: String, hint: Option<String>) -> EvalError {
        EvalError { span: self.span, message, hint, withheld: false }
    }

    fn explain(&self, error: &minijinja::Error) -> EvalError {
        let filters::Explained { message, hint, withheld } = filters::explain(error);
        let span = match error.range() {
            Some(range)
                if self.stands_as_written() && range.end <= self.source.len() && !range.is_empty() =>
            {
                Span {
                    file: self.span.file,
                    start: self.span.start + range.start as u32,
                    end: self.span.start + range.end as u32,
                }
            }
            _ => self.span,
        };
        EvalError { span, message, hint, withheld }
    }

    /// Whether a place in `source` is the same place in the file (not so in folded and escaped scalars).
    fn stands_as_written(&self) -> bool {
        (self.span.end - self.span.start) as usize == self.source.len()
    }
}

fn concat(parts: &[Template], scope: &dyn Resolve) -> Result<Value, EvalError> {
    let mut pieces: Vec<SecretPart> = Vec::new();
    let mut text = String::new();
    for part in parts {
        match part.evaluate(scope)? {
            Value::Secret(secret) => {
                if !text.is_empty() {
                    pieces.push(SecretPart::Text(std::mem::take(&mut text)));
                }
                pieces.extend(secret.parts);
            }
            value => {
                // Writing to a string cannot fail.
                let _ = write!(text, "{value}");
                if text.len() > MAX_TEXT {
                    return Err(EvalError {
                        span: span_of(parts),
                        message: format!("the text is longer than {MAX_TEXT} bytes"),
                        hint: None,
                        withheld: false,
                    });
                }
            }
        }
    }
    if pieces.is_empty() {
        return Ok(Value::Str(text));
    }
    if !text.is_empty() {
        pieces.push(SecretPart::Text(text));
    }
    Ok(Value::Secret(Secret { parts: pieces }))
}

fn span_of(parts: &[Template]) -> Span {
    let mut found = None;
    parts.iter().for_each(|part| part.for_each_expression(&mut |e| found = found.or(Some(e.span))));
    found.unwrap_or(Span { file: runbook_syntax::FileId(0), start: 0, end: 0 })
}

#[cfg(test)]
mod tests;
