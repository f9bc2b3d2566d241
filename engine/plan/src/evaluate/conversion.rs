//! Between our values and the expression engine's.

use std::collections::BTreeMap;

use minijinja::Value as Jinja;
use minijinja::value::ValueKind;
use runbook_step::Value;

use super::filters;
use crate::model::{EvalError, Expression, Reference, Resolve, Withheld};

/// The most items, on all levels, that a result may have.
pub(super) const MAX_ITEMS: usize = 100_000;

/// The names that an expression sees: exactly those that it refers to. What is withheld is an invalid value there.
pub(super) fn root(expression: &Expression, scope: &dyn Resolve) -> Result<Jinja, EvalError> {
    let mut names: BTreeMap<&str, Jinja> = BTreeMap::new();
    let mut inputs: BTreeMap<&str, Jinja> = BTreeMap::new();
    let mut steps: BTreeMap<&str, Jinja> = BTreeMap::new();
    let key_names: Vec<String> = (expression.refs.iter())
        .map(|reference| match reference {
            Reference::ItemKey { name, .. } => format!("{name}_key"),
            _ => String::new(),
        })
        .collect();
    for (reference, key_name) in expression.refs.iter().zip(&key_names) {
        let value = scope.resolve(reference)?;
        let withheld = scope.withheld(reference);
        let value = to_jinja_without(&value, &places(&value, &withheld)).ok_or_else(|| EvalError {
            span: expression.span,
            message: "a secret can only stand alone, not inside an expression".into(),
            hint: Some("Write `${{ secrets.name }}` with nothing around it inside the braces.".into()),
            withheld: false,
        })?;
        match reference {
            Reference::Input(_, name) => inputs.insert(name, value),
            Reference::Step { id, .. } => steps.insert(id, value),
            Reference::Environment => names.insert("environment", value),
            Reference::Item { name, .. } => names.insert(name, value),
            Reference::ItemKey { .. } => names.insert(key_name, value),
            Reference::Run => names.insert("run", value),
            Reference::Rollback => names.insert("rollback", value),
            Reference::Prepared(_) => names.insert("prepared", value),
            Reference::Secret(..) => None,
        };
    }
    names.insert("inputs", Jinja::from_pairs(inputs));
    names.insert("steps", Jinja::from_pairs(steps));
    Ok(Jinja::from_pairs(names))
}

/// The values inside this one that are withheld.
fn places<'v>(value: &'v Value, withheld: &'v [Withheld]) -> Vec<(&'v Value, &'v Withheld)> {
    withheld.iter().filter_map(|withheld| Some((value.at(&withheld.at)?, withheld))).collect()
}

/// `None` if there is a secret inside.
pub(super) fn to_jinja(value: &Value) -> Option<Jinja> {
    to_jinja_without(value, &[])
}

fn to_jinja_without(value: &Value, withheld: &[(&Value, &Withheld)]) -> Option<Jinja> {
    if let Some((_, withheld)) = withheld.iter().find(|(place, _)| std::ptr::eq(*place, value)) {
        return Some(filters::withhold(withheld).into());
    }
    let to_jinja = |value: &Value| to_jinja_without(value, withheld);
    Some(match value {
        Value::Null => Jinja::from(()),
        Value::Bool(v) => Jinja::from(*v),
        Value::Int(v) => Jinja::from(*v),
        Value::Float(v) => Jinja::from(*v),
        Value::Str(v) => Jinja::from(v.as_str()),
        Value::List(items) => Jinja::from(items.iter().map(to_jinja).collect::<Option<Vec<_>>>()?),
        Value::Map(entries) => {
            let pairs = entries.iter().map(|(name, item)| Some((name.as_str(), to_jinja(item)?)));
            Jinja::from_pairs(pairs.collect::<Option<Vec<_>>>()?)
        }
        Value::Secret(_) => return None,
    })
}

/// Back. `Err` is a sentence: there is something in it that is not a value of the language, or too much of it (`[1] * n`
/// costs nothing until somebody looks).
pub(super) fn from_jinja(value: &Jinja) -> Result<Value, String> {
    convert(value, &mut 0)
}

fn convert(value: &Jinja, items: &mut usize) -> Result<Value, String> {
    *items += 1;
    if *items > MAX_ITEMS {
        return Err(format!("the result has more than {MAX_ITEMS} items"));
    }
    Ok(match value.kind() {
        ValueKind::Undefined => return Err("the result is undefined".into()),
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => number(value)?,
        ValueKind::String => Value::Str(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Map => {
            let mut map = runbook_step::Map::new();
            for key in value.try_iter().map_err(|e| e.to_string())? {
                let name = match key.as_str() {
                    Some(name) => name.to_owned(),
                    None => return Err(format!("the map's key `{key}` is not a text")),
                };
                let item = value.get_item(&key).map_err(|e| e.to_string())?;
                map.insert(name, convert(&item, items)?);
            }
            Value::Map(map)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut list = Vec::new();
            for item in value.try_iter().map_err(|e| e.to_string())? {
                list.push(convert(&item, items)?);
            }
            Value::List(list)
        }
        _ => return Err(format!("the result is a {}, which is not a value", value.kind())),
    })
}

fn number(value: &Jinja) -> Result<Value, String> {
    if let Some(int) = value.as_i64().filter(|_| value.is_integer()) {
        return Ok(Value::Int(int));
    }
    if value.is_integer() {
        return Err(format!("{value} is too large a whole number (64 bits)"));
    }
    match f64::try_from(value.clone()) {
        Ok(float) if float.is_finite() => Ok(Value::Float(float)),
        _ => Err("the result is not a finite number".into()),
    }
}
