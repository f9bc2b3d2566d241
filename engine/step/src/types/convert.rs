//! Values become values of a type, or the reason why not.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

use crate::path::push_name;
use crate::value::{SECRET_KEY, looks_like_secret};
use crate::{Comparison, Field, Map, Secret, SecretPart, Type, TypeError, Value, parse_duration};

/// Where a value comes from, which decides what its notation means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Written in a file: `30` is no duration.
    Literal,
    /// What an expression gave: a whole number is a duration in milliseconds, since that is how one is held.
    Expression,
    /// The journal's JSON: as an expression's, and `{"$secret": …}` is a secret where the type allows one.
    Journal,
}

impl Type {
    /// A value as a file writes it. A duration needs its unit.
    pub fn literal(&self, value: Value) -> Result<Value, TypeError> {
        self.first_fault(value, Origin::Literal)
    }

    /// As [`Type::literal`], with all faults rather than the first.
    pub fn literal_faults(&self, value: Value) -> Result<Value, Vec<TypeError>> {
        self.convert_all(value, Origin::Literal)
    }

    /// A value as an expression or a step gave it. Text becomes a duration where the type is one, and a number without
    /// a fraction becomes a whole one (division gives `2.0`); nothing else is converted: `"3"` is no number.
    pub fn coerce(&self, value: Value) -> Result<Value, TypeError> {
        self.first_fault(value, Origin::Expression)
    }

    /// As [`Type::coerce`], with all faults rather than the first.
    pub fn coerce_faults(&self, value: Value) -> Result<Value, Vec<TypeError>> {
        self.convert_all(value, Origin::Expression)
    }

    /// Whether a value is of this type.
    pub fn check(&self, value: &Value) -> Result<(), TypeError> {
        self.coerce(value.clone()).map(drop)
    }

    /// A value in the JSON form that [`Value::to_json`] writes. A secret is read only where the type allows one;
    /// elsewhere what looks like one is data.
    pub fn decode(&self, json: &serde_json::Value) -> Result<Value, TypeError> {
        self.first_fault(Value::from_json(json.clone()), Origin::Journal)
    }

    /// A value from one line of text: `-i replicas=3`, or what a script wrote to `$RUNBOOK_OUTPUT`. Text stands for
    /// itself; numbers, booleans and durations are written as in a file, lists and maps as JSON. Where the type is
    /// anything at all, the text stays text.
    pub fn parse(&self, text: &str) -> Result<Value, TypeError> {
        let trimmed = text.trim();
        let wrong =
            || TypeError { path: String::new(), message: format!("wanted {self}, got {}", quoted(text)) };
        match self {
            Type::Integer { .. } => self.literal(Value::Int(trimmed.parse().map_err(|_| wrong())?)),
            Type::Number { .. } => match trimmed.parse::<i64>() {
                Ok(value) => self.literal(Value::Int(value)),
                Err(_) => self.literal(Value::Float(trimmed.parse().map_err(|_| wrong())?)),
            },
            Type::Boolean => Ok(Value::Bool(trimmed.parse().map_err(|_| wrong())?)),
            Type::Duration { .. } => self.literal(Value::from(trimmed)),
            Type::List(_) | Type::Map { .. } => {
                let value = Value::parse_json(trimmed.as_bytes()).map_err(|error| TypeError {
                    path: String::new(),
                    message: format!("wanted {self} as JSON, got {}: {error}", quoted(text)),
                })?;
                self.literal(value)
            }
            Type::Either(types) => types.iter().find_map(|ty| ty.parse(text).ok()).ok_or_else(wrong),
            Type::Any
            | Type::Payload
            | Type::String { .. }
            | Type::File
            | Type::Secret { .. }
            | Type::Comparison(_) => self.literal(Value::from(text)),
        }
    }

    fn first_fault(&self, value: Value, origin: Origin) -> Result<Value, TypeError> {
        self.convert_all(value, origin).map_err(|mut faults| faults.swap_remove(0))
    }

    fn convert_all(&self, value: Value, origin: Origin) -> Result<Value, Vec<TypeError>> {
        let mut walk = Walk { origin, path: String::new(), faults: Vec::new() };
        let value = walk.convert(self, value);
        if walk.faults.is_empty() { Ok(value) } else { Err(walk.faults) }
    }
}

/// One conversion under way: where it is, and what was wrong so far.
struct Walk {
    origin: Origin,
    path: String,
    faults: Vec<TypeError>,
}

impl Walk {
    fn fault(&mut self, message: String) -> Value {
        self.faults.push(TypeError { path: self.path.clone(), message });
        Value::Null
    }

    fn mismatch(&mut self, ty: &Type, value: &Value) -> Value {
        if *ty == (Type::Secret { plain: false }) {
            // What stands here instead may well be the secret itself.
            return self.fault(format!("wanted {ty}, got {}; declare it under `secrets:`", value.kind()));
        }
        self.fault(format!("wanted {ty}, got {}{}", shown(value), advice(ty, value)))
    }

    fn inside<T>(&mut self, enter: impl FnOnce(&mut String), work: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        enter(&mut self.path);
        let result = work(self);
        self.path.truncate(length);
        result
    }

    fn named<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let enter = |path: &mut String| {
            let first = path.is_empty();
            push_name(path, first, name).expect("writing to a string cannot fail");
        };
        self.inside(enter, work)
    }

    fn convert(&mut self, ty: &Type, value: Value) -> Value {
        match (ty, value) {
            (Type::Any, value) => self.data(value, false),
            (Type::Payload, value) => self.data(value, true),
            (Type::String { pattern, one_of }, Value::Str(text)) => {
                self.text(ty, pattern.as_deref(), one_of, text)
            }
            (Type::File, Value::Str(text)) if text.is_empty() => self.fault("the path is empty".into()),
            (Type::File | Type::Secret { plain: true }, value @ Value::Str(_)) => value,
            (Type::Secret { .. }, value @ Value::Secret(_)) => value,
            (Type::Secret { .. }, Value::Map(entries)) if self.origin == Origin::Journal => {
                match secret_of(&entries) {
                    Some(secret) => Value::Secret(secret),
                    None => self.mismatch(ty, &Value::Map(entries)),
                }
            }
            (Type::Boolean, value @ Value::Bool(_)) => value,
            (Type::Integer { min, max }, Value::Int(number)) => {
                if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
                    return self.mismatch(ty, &Value::Int(number));
                }
                Value::Int(number)
            }
            (Type::Integer { .. }, Value::Float(number)) => match whole(number) {
                Some(number) => self.convert(ty, Value::Int(number)),
                None => self.mismatch(ty, &Value::Float(number)),
            },
            (Type::Number { min, max }, value @ (Value::Int(_) | Value::Float(_))) => {
                let number = value.as_float().unwrap_or(f64::NAN);
                let within = min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max);
                if within && number.is_finite() { value } else { self.mismatch(ty, &value) }
            }
            (Type::Comparison(quantity), Value::Str(text)) => match Comparison::parse(&text, *quantity) {
                Ok(_) => Value::Str(text),
                Err(message) => self.fault(message),
            },
            (Type::Duration { min_ms, max_ms }, value) => self.duration(ty, *min_ms, *max_ms, value),
            (Type::List(of), Value::List(items)) => {
                let items = items.into_iter().enumerate();
                Value::List(
                    items
                        .map(|(index, item)| {
                            self.inside(
                                |path| path.push_str(&format!("[{index}]")),
                                |walk| walk.convert(of, item),
                            )
                        })
                        .collect(),
                )
            }
            (Type::Map { fields, extra }, Value::Map(entries)) => self.map(fields, extra.as_deref(), entries),
            (Type::Either(types), value) => self.either(ty, types, value),
            (ty, value) => self.mismatch(ty, &value),
        }
    }

    fn text(&mut self, ty: &Type, pattern: Option<&str>, one_of: &[String], text: String) -> Value {
        if !one_of.is_empty() && !one_of.contains(&text) {
            return self.mismatch(ty, &Value::Str(text));
        }
        match pattern.map(|pattern| matches_pattern(pattern, &text)) {
            Some(None) => self.fault(format!("{ty}: the pattern itself is not a regular expression")),
            Some(Some(false)) => self.mismatch(ty, &Value::Str(text)),
            Some(Some(true)) | None => Value::Str(text),
        }
    }

    fn duration(&mut self, ty: &Type, min: Option<u64>, max: Option<u64>, value: Value) -> Value {
        let ms = match &value {
            Value::Str(text) => match parse_duration(text) {
                Ok(ms) => ms,
                Err(message) => return self.fault(message),
            },
            Value::Int(ms) if self.origin != Origin::Literal && *ms >= 0 => ms.unsigned_abs(),
            Value::Float(ms) if self.origin != Origin::Literal && *ms >= 0.0 => match whole(*ms) {
                Some(ms) => ms.unsigned_abs(),
                None => return self.mismatch(ty, &value),
            },
            _ => return self.mismatch(ty, &value),
        };
        if min.is_some_and(|min| ms < min) || max.is_some_and(|max| ms > max) {
            let text = Value::Str(crate::format_duration(ms));
            return self.mismatch(ty, &text);
        }
        Value::Int(i64::try_from(ms).unwrap_or(i64::MAX))
    }

    fn map(&mut self, fields: &[Field], extra: Option<&Type>, mut entries: Map) -> Value {
        if self.origin == Origin::Journal {
            entries = unescaped(entries);
        }
        let mut typed = Map::new();
        for field in fields {
            match entries.remove(&field.name) {
                None | Some(Value::Null) if field.required => {
                    self.fault(format!("`{}` is missing: {}", field.name, field.ty));
                }
                None | Some(Value::Null) => {}
                Some(value) => {
                    let value = self.named(&field.name, |walk| walk.convert(&field.ty, value));
                    typed.insert(field.name.clone(), value);
                }
            }
        }
        for (name, value) in entries {
            let value = self.named(&name, |walk| match extra {
                Some(extra) => walk.convert(extra, value),
                None => {
                    let known: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
                    walk.fault(format!("unknown name; known are {}", known.join(", ")))
                }
            });
            typed.insert(name, value);
        }
        Value::Map(typed)
    }

    fn either(&mut self, ty: &Type, types: &[Type], value: Value) -> Value {
        let mut nearest = None;
        for candidate in types {
            let mut walk = Walk { origin: self.origin, path: self.path.clone(), faults: Vec::new() };
            let converted = walk.convert(candidate, value.clone());
            if walk.faults.is_empty() {
                return converted;
            }
            // A list or a map that is wrong inside is better explained by what is wrong inside.
            if matches!(
                (candidate, &value),
                (Type::List(_), Value::List(_))
                    | (Type::Map { .. }, Value::Map(_))
                    | (Type::Duration { .. } | Type::Comparison(_), Value::Str(_))
            ) {
                nearest = Some(walk.faults);
            }
        }
        match nearest {
            Some(faults) => {
                self.faults.extend(faults);
                Value::Null
            }
            None => self.mismatch(ty, &value),
        }
    }

    /// Data of any shape, with secrets or without.
    fn data(&mut self, value: Value, secrets: bool) -> Value {
        match value {
            Value::Secret(secret) if !secrets => self.fault(format!("a secret cannot stand here: {secret}")),
            Value::List(items) => {
                Value::List(items.into_iter().map(|item| self.data(item, secrets)).collect())
            }
            Value::Map(entries) if self.origin == Origin::Journal => {
                match secret_of(&entries).filter(|_| secrets) {
                    Some(secret) => Value::Secret(secret),
                    None => self.entries(unescaped(entries), secrets),
                }
            }
            Value::Map(entries) => self.entries(entries, secrets),
            other => other,
        }
    }

    fn entries(&mut self, entries: Map, secrets: bool) -> Value {
        let entries = entries.into_iter();
        Value::Map(
            entries
                .map(|(name, value)| {
                    let value = self.named(&name, |walk| walk.data(value, secrets));
                    (name, value)
                })
                .collect(),
        )
    }
}

/// The secret that `{"$secret": [{"text": …}, {"name": …}]}` stands for.
fn secret_of(entries: &Map) -> Option<Secret> {
    let parts = entries.get(SECRET_KEY).filter(|_| entries.len() == 1)?.as_list()?;
    let part = |part: &Value| {
        let part = part.as_map().filter(|part| part.len() == 1)?;
        match (part.get("text"), part.get("name")) {
            (Some(Value::Str(text)), _) => Some(SecretPart::Text(text.clone())),
            (_, Some(Value::Str(name))) => Some(SecretPart::Name(name.clone())),
            _ => None,
        }
    };
    Some(Secret { parts: parts.iter().map(part).collect::<Option<_>>()? })
}

/// Takes the `$` away that [`Value::to_json`] added to data that looks like a secret.
fn unescaped(entries: Map) -> Map {
    if looks_like_secret(&entries) && !entries.contains_key(SECRET_KEY) {
        return entries.into_iter().map(|(name, value)| (name[1..].to_owned(), value)).collect();
    }
    entries
}

/// The whole number that a float is, if it is one and exactly so.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// A value for a message: short, and never the content of a long text.
fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) => quoted(text),
        Value::Float(number) => format!("`{number}`"),
        Value::Int(_) | Value::Bool(_) => format!("`{value}`"),
        Value::Secret(_) => format!("the secret `{value}`"),
        other => other.kind().to_owned(),
    }
}

/// Whether the pattern matches somewhere in the text; `None` where it is no pattern.
fn matches_pattern(pattern: &str, text: &str) -> Option<bool> {
    /// Compiling takes far longer than matching, and one type meets many values.
    const KEPT: usize = 64;
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        if let Some(regex) = compiled.get(pattern) {
            return Some(regex.is_match(text));
        }
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        let regex = Regex::new(pattern).ok()?;
        let found = regex.is_match(text);
        compiled.insert(pattern.to_owned(), regex);
        Some(found)
    })
}

/// Text for a message, cut where it is long.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let line: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    let cut = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("the text `{line}{cut}`")
}

/// What to do about the usual mix-ups.
fn advice(ty: &Type, value: &Value) -> &'static str {
    match (ty, value) {
        (Type::String { .. } | Type::Secret { .. }, Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
            "; put it in quotes"
        }
        (Type::Integer { .. } | Type::Number { .. }, Value::Str(text))
            if text.parse::<i128>().is_ok_and(|number| i64::try_from(number).is_err()) =>
        {
            "; it has more digits than a number here can have"
        }
        (Type::Integer { .. } | Type::Number { .. } | Type::Boolean, Value::Str(text))
            if text.parse::<f64>().is_ok() || text == "true" || text == "false" =>
        {
            "; take the quotes away"
        }
        (Type::Duration { .. }, Value::Int(_) | Value::Float(_)) => "; add a unit, as in `30s`",
        (Type::Comparison(_), Value::Int(_) | Value::Float(_)) => "; say how to compare",
        (Type::List(_), Value::Str(_) | Value::Map(_)) => "; write a list, even of one",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
