//! What is said of what does not fit.

use super::is_name;
use crate::shape::{Key, Place, Shape};
use crate::suggestion::alternatives;
use crate::tree::{Node, Value};
use crate::{Diagnostic, Span, codes};

/// None of the keys of which there must be one. `companion` is a key that is there and goes with one of them only.
pub(super) fn no_kind(place: &'static Place, companion: Option<(String, &str)>, span: Span) -> Diagnostic {
    let kinds = place.exactly_one.iter().copied();
    let enforced = kinds.filter(|kind| place.key(kind, None).is_some_and(|key| key.enforced));
    let words = alternatives(enforced);
    let fault = |message: String| Diagnostic::error(codes::NO_KIND, span, message);
    if !place.exactly_one.contains(&"run") {
        return fault(format!("this {} has none of {words}", place.name))
            .hint(format!("Such as `{}`.", place.example));
    }
    fault(format!("this {} says nothing to do", place.name)).hint(match companion {
        Some((key, kind)) => format!("`{key}` goes with `{kind}`, which is missing."),
        None => format!("Give it one of {words}."),
    })
}

/// The keys of a place, if they are few enough to be read.
pub(super) fn known_keys(place: &'static Place) -> String {
    let mut names: Vec<&str> = Vec::new();
    for key in place.all_keys().filter(|key| key.enforced) {
        if !names.contains(&key.name) {
            names.push(key.name);
        }
    }
    match names.len() {
        0..=12 => format!("It may have {}.", alternatives(names)),
        _ => format!("`runbook schema` describes every key of a {}; leave this one out.", place.name),
    }
}

pub(super) fn missing_keys(missing: &[&Key], place: &Place, span: Span) -> Diagnostic {
    let names = alternatives(missing.iter().map(|key| key.name)).replace(" or ", " and ");
    let docs: Vec<String> = missing.iter().map(|key| format!("`{}`: {}", key.name, key.doc)).collect();
    Diagnostic::error(codes::MISSING_KEY, span, format!("this {} has no {names}", place.name))
        .hint(docs.join("\n"))
}

pub(super) fn not_enforced(key: &Key, span: Span) -> Diagnostic {
    let message = format!("`{}` is part of the language and not enforced yet", key.name);
    Diagnostic::error(codes::NOT_ENFORCED, span, message)
        .hint("A key that promises something and does nothing would mislead. Leave it out until it works.")
}

pub(super) fn misplaced(key: &Key, kind: &str, place: &Place, span: Span) -> Diagnostic {
    let message = format!("`{}` does not go with `{kind}`", key.name);
    let goes_with: Vec<&str> = place
        .keys
        .iter()
        .chain(place.includes.iter().flat_map(|place| place.keys))
        .filter(|other| other.name == key.name)
        .flat_map(|other| other.with)
        .copied()
        .collect();
    Diagnostic::error(codes::MISPLACED_KEY, span, message).hint(match (key.name, kind) {
        ("with", "call") => "What a called runbook is given stands under `inputs`.".to_owned(),
        _ => format!("It goes with {}.", alternatives(goes_with)),
    })
}

/// Whether a value is a scalar that is no text.
pub(super) fn is_plain(value: &Value<'_>) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_))
}

pub(super) fn key_not_text(key: &Node<'_>, span: Span) -> Diagnostic {
    let message = format!("a key is text, and this is {}", form(&key.value));
    let fault = Diagnostic::error(codes::KEY_NOT_TEXT, span, message);
    match key.value {
        Value::Map(_) => {
            fault.hint("An expression is written `${{ … }}`. Text that begins with a brace needs quotes.")
        }
        Value::Null | Value::List(_) | Value::Broken => fault.hint("Write a name before the colon."),
        _ => fault.hint("Put it in quotes."),
    }
}

pub(super) fn bad_name(span: Span, what: &str, name: &str) -> Diagnostic {
    let message = format!("{what} cannot be `{}`", shorten(name));
    let mended: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let mended = mended.trim_matches('_').trim_start_matches(|c: char| c == '_' || c.is_ascii_digit());
    let rule = "A name begins with a lower-case letter and goes on with lower-case letters, digits and `_`.";
    let hint = match is_name(mended) && mended.len() <= 60 {
        true => format!("Write `{mended}`. {rule}"),
        false => rule.to_owned(),
    };
    Diagnostic::error(codes::BAD_NAME, span, message).hint(hint)
}

pub(super) fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Prose | Shape::Name | Shape::Template => "text".into(),
        Shape::Script => "a script as text".into(),
        Shape::Data => "a value".into(),
        Shape::Duration => "a duration such as `30s`".into(),
        Shape::Count => "a whole number".into(),
        Shape::Number => "a number".into(),
        Shape::Size => "a whole number, a percentage such as `25%`, or `rest`".into(),
        Shape::Bool => "`true` or `false`".into(),
        Shape::OneOf([first, _, _, _, _, _, ..]) => format!("a word such as `{first}`"),
        Shape::OneOf(words) => alternatives(words.iter().copied()),
        Shape::Condition => "a condition".into(),
        Shape::Map(_) | Shape::Entries(..) => "a map".into(),
        Shape::List(_) | Shape::Some(_) => "a list".into(),
        Shape::Either(shapes) => {
            let parts: Vec<String> = shapes.iter().map(describe).collect();
            parts.join(" or ")
        }
    }
}

pub(super) fn form(value: &Value<'_>) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Int(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Text(text) => format!("the text `{}`", shorten(text)),
        Value::List(_) => "a list".into(),
        Value::Map(_) => "a map".into(),
        Value::Broken => "not understood".into(),
    }
}

pub(super) fn remedy(shape: &Shape, value: &Value<'_>) -> String {
    match (shape, value) {
        (Shape::Either(shapes), _) => {
            // What is nearest to what stands there: a list where a list may stand.
            let same = shapes.iter().find(|shape| super::same_form(shape, value)).or(shapes.first());
            let map = shapes
                .iter()
                .find_map(|shape| if let Shape::Map(place) = shape { Some(place) } else { None });
            match (same, map) {
                // A word that is none of those may as well stand for what takes more than a word.
                (Some(word @ Shape::OneOf(_)), Some(place)) => {
                    format!("{} Or such as `{}`.", remedy(word, value), place.example)
                }
                (Some(same), _) => remedy(same, value),
                (None, _) => describe(shape),
            }
        }
        (Shape::Duration, Value::Int(number)) => {
            format!("Say the unit: `{number}s`, `{number}m`, `{number}ms`.")
        }
        (Shape::Duration, _) => "Write it with its unit: `30s`, `10m`, `1h30m`.".into(),
        (Shape::Bool, Value::Text(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => "Write `true`.".into(),
            "no" | "off" | "n" | "false" => "Write `false`.".into(),
            _ => "Write `true` or `false`.".into(),
        },
        (Shape::Bool, _) => "Write `true` or `false`.".into(),
        (Shape::Count | Shape::Number, Value::Text(text)) if text.parse::<f64>().is_ok() => {
            format!("Take the quotes away: `{text}`.")
        }
        (Shape::Count | Shape::Number, _) => "Write it in digits, such as `3`.".into(),
        (Shape::Size, _) => "Such as `2`, `25%` or `rest`.".into(),
        (Shape::Script, Value::List(_)) => {
            "Write the lines of the script below `run: |`. A program and its arguments are `argv: […]`."
                .into()
        }
        (
            Shape::Text | Shape::Prose | Shape::Name | Shape::Template | Shape::Script,
            Value::Int(_) | Value::Float(_) | Value::Bool(_),
        ) => "Put it in quotes.".into(),
        (Shape::Text | Shape::Prose | Shape::Name | Shape::Template | Shape::Script, _) => {
            "Write one text, in quotes if it has signs of its own.".into()
        }
        (Shape::Condition, _) => "Write one expression, such as `inputs.version != ''`.".into(),
        (Shape::OneOf(words), _) => format!("Write {}.", alternatives(words.iter().copied())),
        (Shape::Some(Shape::Map(_)) | Shape::List(Shape::Map(_)), Value::Map(_)) => {
            "Put a `- ` before each item.".into()
        }
        (Shape::List(_) | Shape::Some(_), Value::Text(text)) => format!("Write `[{}]`.", words(text)),
        (Shape::List(_) | Shape::Some(_), _) => "Write `[…, …]`, or a `- ` before each item.".into(),
        (Shape::Map(_) | Shape::Entries(..), Value::List(_)) => {
            "Leave out the `- `: each line is `key: value`.".into()
        }
        (Shape::Map(place), _) => format!("Such as `{}`.", place.example),
        (Shape::Entries(..), _) => "Write `key: value` below it, a line for each.".into(),
        (Shape::Data, _) => "Write a value.".into(),
    }
}

/// The words of a text as items of a list.
fn words(text: &str) -> String {
    let quoted = |word: &str| match word.contains(|c: char| ":{}[],#&*!|>'\"%@`".contains(c)) {
        true => format!("'{}'", word.replace('\'', "''")),
        false => word.to_owned(),
    };
    let line = text.lines().next().unwrap_or_default();
    let mut words: Vec<String> = line.split_whitespace().take(8).map(quoted).collect();
    if line.split_whitespace().nth(8).is_some() {
        words.push("…".to_owned());
    }
    words.join(", ")
}

/// A text for a message.
pub(super) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}
