//! Types as files declare them, and which type may stand where another is wanted.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use runbook_step::{Field, Type, Value, parse_duration};
use runbook_syntax::ast::{Data, TypeDecl};
use runbook_syntax::{Code, Diagnostic, Span, Spanned, did_you_mean};

use crate::codes;
use crate::report::Report;
use crate::setting::value_of;

/// The types of a plan's declarations.
pub(crate) struct Types<'a> {
    pub(crate) report: &'a Report,
    /// Patterns that have been looked at, and what is wrong with each.
    patterns: RefCell<HashMap<String, Option<PatternFault>>>,
    /// What patterns may still take, in bytes.
    left: Cell<usize>,
}

/// The most bytes of a compiled pattern, of one that is counted as small, and of all different ones of a plan.
const LARGEST_PATTERN: usize = 4 << 20;
const SMALL_PATTERN: usize = 1 << 16;
const ALL_PATTERNS: usize = 64 << 20;

impl<'a> Types<'a> {
    pub(crate) fn new(report: &'a Report) -> Types<'a> {
        Types { report, patterns: RefCell::default(), left: Cell::new(ALL_PATTERNS) }
    }

    /// The type that a declaration says. What makes no sense in it is reported and left out.
    pub(crate) fn declared(&self, decl: &TypeDecl) -> Type {
        let report = self.report;
        let fault = |span, message: String| Diagnostic::error(codes::TYPE_DECLARATION, span, message);
        let name = decl.name.value.as_str();
        let misplaced = |key: &str, span, goes_with: &str| {
            let message = format!("`{key}` goes with {goes_with}, not with `{name}`");
            report.push(fault(span, message).hint("Leave it out, or choose the other type."));
        };
        if let Some(pattern) = decl.pattern.as_ref().filter(|_| name != "string") {
            misplaced("pattern", pattern.span, "`string`");
        }
        for (key, bound) in [("min", &decl.min), ("max", &decl.max)] {
            if let Some(bound) = bound.as_ref().filter(|_| !matches!(name, "integer" | "number" | "duration"))
            {
                misplaced(key, bound.span, "numbers and durations");
            }
        }
        if let Some(first) = decl.one_of.first().filter(|_| !matches!(name, "enum" | "string")) {
            misplaced("one_of", first.span, "`enum`");
        }
        if let Some(of) = decl.of.as_ref().filter(|_| name != "list") {
            misplaced("of", of.span, "`list`");
        }
        if let Some((field, _)) = decl.fields.first().filter(|_| name != "map") {
            misplaced("fields", field.span, "`map`");
        }
        match name {
            "string" => Type::String { pattern: self.pattern(decl), one_of: words(decl, report) },
            "enum" => {
                let one_of = words(decl, report);
                if decl.one_of.is_empty() {
                    let diagnostic = fault(decl.span, "an `enum` says its values under `one_of`".into());
                    report.push(diagnostic.hint("Write `{type: enum, one_of: [a, b]}`."));
                }
                Type::String { pattern: None, one_of }
            }
            "integer" => {
                let bound = |bound| bounded(bound, report, "a whole number", Value::as_int);
                let (min, max) = ordered(decl, bound(&decl.min), bound(&decl.max), report);
                Type::Integer { min, max }
            }
            "number" => {
                let bound = |bound| bounded(bound, report, "a number", Value::as_float);
                let (min, max) = ordered(decl, bound(&decl.min), bound(&decl.max), report);
                Type::Number { min, max }
            }
            "duration" => {
                let read = |value: &Value| value.as_str().and_then(|text| parse_duration(text).ok());
                let bound = |bound| bounded(bound, report, "a duration such as `30s`", read);
                let (min_ms, max_ms) = ordered(decl, bound(&decl.min), bound(&decl.max), report);
                Type::Duration { min_ms, max_ms }
            }
            "boolean" => Type::Boolean,
            "list" => Type::list(decl.of.as_ref().map_or(Type::Any, |of| self.declared(of))),
            "map" => {
                let fields = (decl.fields.iter())
                    .map(|(name, ty)| Field::required(&name.value, self.declared(ty)))
                    .collect::<Vec<_>>();
                let open = decl.extra_ignore || fields.is_empty();
                Type::Map { fields, extra: open.then(|| Box::new(Type::Any)) }
            }
            "secret" => Type::Secret { plain: false },
            "file" => Type::File,
            // The shape of the file has been checked: what remains is `any`.
            _ => Type::Any,
        }
    }

    /// The pattern, if it is one. To compile one takes time, so each is compiled once, and all together are bounded.
    fn pattern(&self, decl: &TypeDecl) -> Option<String> {
        let pattern = decl.pattern.as_ref()?;
        let mut known = self.patterns.borrow_mut();
        let fault =
            known.entry(pattern.value.clone()).or_insert_with(|| self.fault_of_pattern(&pattern.value));
        let Some((message, hint)) = fault else { return Some(pattern.value.clone()) };
        let diagnostic = Diagnostic::error(codes::TYPE_DECLARATION, pattern.span, message.as_str());
        self.report.push(diagnostic.hint(*hint));
        None
    }

    fn fault_of_pattern(&self, pattern: &str) -> Option<PatternFault> {
        for size in [SMALL_PATTERN, LARGEST_PATTERN] {
            let Some(left) = self.left.get().checked_sub(size) else {
                return Some((
                    "the patterns of this plan are too many, or too large".into(),
                    "One that repeats `\\w` or `.` many times is large: `[a-z0-9]` in place of `\\w` is small.",
                ));
            };
            self.left.set(left);
            let error = match regex::RegexBuilder::new(pattern).size_limit(size).build() {
                Ok(_) => return None,
                Err(regex::Error::CompiledTooBig(_)) => continue,
                Err(error) => error.to_string(),
            };
            let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            return Some((
                format!("this is not a regular expression: {reason}"),
                "There is no look-around and no back-reference; a sign that is meant literally has a `\\` before it: `\\(`.",
            ));
        }
        Some((
            "this pattern is too large".into(),
            "Repeat less, or name the characters: `[a-z0-9]` in place of `\\w`.",
        ))
    }
}

/// Message and hint.
type PatternFault = (String, &'static str);

fn words(decl: &TypeDecl, report: &Report) -> Vec<String> {
    let word = |item: &Spanned<Data>| match value_of(&item.value) {
        Some(Value::Str(text)) => Some(text),
        _ => {
            let message = "the values of `one_of` are text";
            report.push(
                Diagnostic::error(codes::TYPE_DECLARATION, item.span, message).hint("Put it in quotes."),
            );
            None
        }
    };
    decl.one_of.iter().filter_map(word).collect()
}

fn bounded<T>(
    bound: &Option<Spanned<Data>>,
    report: &Report,
    wanted: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Option<T> {
    let bound = bound.as_ref()?;
    let found = value_of(&bound.value).as_ref().and_then(read);
    if found.is_none() {
        let message = format!("this bound must be {wanted}");
        let hint = "A bound is a value of the type that it bounds, without an expression.";
        report.push(Diagnostic::error(codes::TYPE_DECLARATION, bound.span, message).hint(hint));
    }
    found
}

/// The bounds, unless they exclude every value, which is reported.
fn ordered<T: PartialOrd>(
    decl: &TypeDecl,
    min: Option<T>,
    max: Option<T>,
    report: &Report,
) -> (Option<T>, Option<T>) {
    match (&min, &max, &decl.max) {
        (Some(least), Some(most), Some(at)) if least > most => {
            let message = "`max` is less than `min`: no value fits";
            let hint = "Exchange the two, or leave one out.";
            report.push(Diagnostic::error(codes::TYPE_DECLARATION, at.span, message).hint(hint));
            (None, None)
        }
        _ => (min, max),
    }
}

/// Whether some value of type `from` may stand where `to` is wanted. `false` only if surely none may.
pub(crate) fn may_be(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Any | Type::Payload, _) | (_, Type::Any | Type::Payload) => true,
        (Type::Either(types), _) => types.iter().any(|from| may_be(from, to)),
        (_, Type::Either(types)) => types.iter().any(|to| may_be(from, to)),
        (Type::String { one_of: from, .. }, Type::String { one_of: to, .. }) => {
            from.is_empty() || to.is_empty() || from.iter().any(|word| to.contains(word))
        }
        (Type::String { .. } | Type::File, Type::String { .. } | Type::File) => true,
        // Text is read as a duration or a comparison where one is wanted.
        (Type::String { .. }, Type::Duration { .. } | Type::Comparison(_)) => true,
        (Type::String { .. } | Type::File, Type::Secret { plain }) => *plain,
        (Type::Secret { .. }, Type::Secret { .. }) => true,
        (Type::Integer { .. } | Type::Number { .. }, Type::Integer { .. } | Type::Number { .. }) => true,
        (Type::Duration { .. }, Type::Duration { .. } | Type::Integer { .. } | Type::Number { .. }) => true,
        (Type::Boolean, Type::Boolean) => true,
        (Type::List(from), Type::List(to)) => may_be(from, to),
        (Type::Map { fields: from, .. }, Type::Map { fields: to, .. }) => {
            let same = |field: &Field| to.iter().find(|other| other.name == field.name);
            from.iter().all(|field| same(field).is_none_or(|other| may_be(&field.ty, &other.ty)))
        }
        _ => false,
    }
}

/// A value that is not of the type that is wanted. What the type says after a semicolon is what to do.
pub(crate) fn value_fault(code: Code, span: Span, message: String, wanted: &Type) -> Diagnostic {
    let (message, hint) = match message.rsplit_once("; ") {
        Some((fault, advice)) => {
            let mut letters = advice.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            (
                fault.to_owned(),
                format!("{}{}.", first.map(String::from).unwrap_or_default(), letters.as_str()),
            )
        }
        None => match wanted {
            Type::String { pattern: Some(_), .. } => {
                (message, "Write a text that this regular expression matches.".into())
            }
            _ => (message, format!("Such as `{}`.", example(wanted))),
        },
    };
    Diagnostic::error(code, span, message).hint(hint)
}

/// A value of a type, as it may stand in a file.
pub(crate) fn example(ty: &Type) -> String {
    match ty {
        Type::String { one_of, .. } if !one_of.is_empty() => one_of[0].clone(),
        Type::String { .. } => "'text'".into(),
        Type::Secret { .. } => "env:NAME".into(),
        Type::File => "folder/file.yaml".into(),
        Type::Integer { min, .. } => min.unwrap_or(1).to_string(),
        Type::Number { min, .. } => min.unwrap_or(0.5).to_string(),
        Type::Boolean => "true".into(),
        Type::Duration { min_ms, .. } => runbook_step::format_duration(min_ms.unwrap_or(30_000).max(1000)),
        Type::Comparison(_) => "< 10".into(),
        Type::List(of) => format!("[{}]", example(of)),
        Type::Map { fields, .. } => {
            let fields: Vec<String> = (fields.iter().filter(|field| field.required))
                .map(|field| format!("{}: {}", field.name, example(&field.ty)))
                .collect();
            format!("{{{}}}", if fields.is_empty() { "name: value".to_owned() } else { fields.join(", ") })
        }
        Type::Either(types) => types.first().map_or_else(|| "'text'".into(), example),
        Type::Any | Type::Payload => "value".into(),
    }
}

/// What to do about an expression of one type where another is wanted.
pub(crate) fn conversion_hint(from: &Type, to: &Type) -> Option<&'static str> {
    match (from, to) {
        (Type::Duration { .. }, Type::String { .. }) => {
            Some("`… | duration` writes a length of time as text.")
        }
        (Type::Integer { .. } | Type::Number { .. } | Type::Boolean, Type::String { .. }) => {
            Some("`… | string` makes text of it.")
        }
        (Type::Integer { .. } | Type::Number { .. }, Type::Duration { .. }) => {
            Some("Add the unit: `${{ … }}s`.")
        }
        (Type::String { .. }, Type::Integer { .. }) => Some("`… | int` makes a number of it."),
        (Type::String { .. }, Type::Number { .. }) => Some("`… | float` makes a number of it."),
        (_, Type::Boolean) => Some("Compare it with something."),
        (Type::List(_) | Type::Map { .. }, _) if may_be(&Type::string(), to) => {
            Some("`… | tojson` makes text of it.")
        }
        _ => None,
    }
}

/// "Did you mean", over the fields of a map.
pub(crate) fn field_hint(name: &str, fields: &[Field]) -> Option<String> {
    did_you_mean(name, fields.iter().map(|field| field.name.as_str()))
}
