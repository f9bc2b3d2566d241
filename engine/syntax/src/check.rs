//! Holds the tree against the shape table, and reports every place where the two differ.
//!
//! What does not fit is taken out of the tree (duplicate keys) or marked as broken, so that the lowering may rely on
//! the shapes and stays silent.

use std::collections::HashMap;

use crate::shape::{Key, Names, Place, Shape};
use crate::suggestion::{alternatives, did_you_mean, nearest};
use crate::tree::{Node, Value};
use crate::{Code, Diagnostic, FileId, Span, codes, report::Report};

/// Words that YAML 1.1 tools read as booleans, and YAML 1.2 as text.
const AMBIGUOUS: &[&str] = &["yes", "no", "on", "off"];

/// The checker of one file.
pub(crate) struct Check<'r> {
    pub(crate) file: FileId,
    pub(crate) text: &'r str,
    pub(crate) report: &'r mut Report,
}

impl Check<'_> {
    /// Checks a node against a shape. `what` names the node in messages: `` `timeout` ``.
    pub(crate) fn node(&mut self, node: &mut Node<'_>, shape: &Shape, what: &str) {
        let span = self.span(node);
        match (shape, &mut node.value) {
            (_, Value::Broken) => return,
            (Shape::Either(shapes), value) => match shapes.iter().find(|shape| same_form(shape, value)) {
                Some(shape) => return self.node(node, shape, what),
                None => self.wrong(node, shape, what),
            },
            (Shape::Map(place), Value::Map(_)) => return self.map(node, place),
            (Shape::Entries(names, shape), Value::Map(_)) => return self.entries(node, *names, shape, what),
            (Shape::List(item) | Shape::Some(item), Value::List(items)) => {
                if items.is_empty() && matches!(shape, Shape::Some(_)) {
                    let fault = || Diagnostic::error(codes::EMPTY, span, format!("{what} is an empty list"));
                    self.report.add(fault);
                }
                for item_node in items {
                    self.node(item_node, item, &format!("an item of {what}"));
                }
                return;
            }
            (Shape::Data, _) => return self.data(node, what),
            (Shape::Bool, Value::Bool(_)) | (Shape::Condition, Value::Bool(_)) => return,
            (Shape::Count | Shape::Size, Value::Int(_)) => return,
            (Shape::Number, Value::Int(_) | Value::Float(_)) => return,
            (Shape::Template, Value::Int(_) | Value::Float(_) | Value::Bool(_)) => return,
            (_, Value::Text(text)) if text.is_empty() => {
                let fault = || Diagnostic::error(codes::EMPTY, span, format!("{what} is an empty text"));
                self.report.add(fault);
            }
            (_, Value::Text(_)) => return self.word(node, shape, what),
            (_, _) => self.wrong(node, shape, what),
        }
        node.value = Value::Broken;
    }

    /// Text, where some shape of scalar is wanted.
    fn word(&mut self, node: &mut Node<'_>, shape: &Shape, what: &str) {
        let span = self.span(node);
        let Value::Text(text) = &node.value else { return };
        let expression = text.contains("${{");
        let fits = match shape {
            Shape::Duration | Shape::Template | Shape::Script | Shape::Condition => true,
            Shape::Count | Shape::Number => expression,
            Shape::Size => expression || text == "rest" || text.strip_suffix('%').is_some_and(is_number),
            Shape::OneOf(words) => words.contains(&text.as_ref()),
            Shape::Name => {
                if !is_name(text) {
                    let fault = || bad_name(span, what, text);
                    self.report.add(fault);
                }
                return;
            }
            Shape::Text => !expression,
            _ => false,
        };
        if fits {
            if matches!(shape, Shape::Text | Shape::Template) {
                self.ambiguous(node);
            }
            return;
        }
        match shape {
            Shape::Text => {
                let fault = || {
                    Diagnostic::error(codes::EXPRESSION_NOT_ALLOWED, span, format!("{what} is fixed: it cannot hold an expression"))
                        .hint("It must be known before the run. Choose with `switch`, or write two steps with `when`.")
                };
                self.report.add(fault);
            }
            Shape::OneOf(words) => {
                let fault = || {
                    let hint = did_you_mean(text, words.iter().copied())
                        .unwrap_or_else(|| format!("Write {}.", alternatives(words.iter().copied())));
                    Diagnostic::error(
                        codes::UNKNOWN_VALUE,
                        span,
                        format!("{what} cannot be `{}`", shorten(text)),
                    )
                    .hint(hint)
                };
                self.report.add(fault);
            }
            _ => self.wrong(node, shape, what),
        }
        node.value = Value::Broken;
    }

    /// A map with known keys.
    fn map(&mut self, node: &mut Node<'_>, place: &'static Place) {
        let span = self.span(node);
        let Value::Map(entries) = &mut node.value else { return };
        self.keys(entries);
        let kinds: Vec<(&'static str, Span)> = entries
            .iter()
            .filter_map(|(key, _)| {
                let name = text_of(key);
                let kind = place.exactly_one.iter().find(|kind| **kind == name)?;
                Some((*kind, self.span(key)))
            })
            .collect();
        let kind = match kinds.as_slice() {
            [(only, _)] => Some(*only),
            _ => None,
        };
        // Keys that were meant by a word that is not known: they are not missing as well.
        let mut meant = Vec::new();
        for (key_node, value) in entries.iter_mut() {
            let name = text_of(key_node).to_owned();
            let key_span = self.span(key_node);
            match place.key(&name, kind) {
                None => {
                    meant.extend(self.unknown_key(&name, key_span, place));
                    value.value = Value::Broken;
                }
                Some(key) if !key.enforced => {
                    self.report.add(|| not_enforced(key, key_span));
                    value.value = Value::Broken;
                }
                Some(key) => {
                    if !key.goes_with(kind) {
                        self.report.add(|| misplaced(key, kind.unwrap_or_default(), place, key_span));
                    }
                    self.value(value, key, key_span);
                }
            }
        }
        let has = |name: &str| entries.iter().any(|(key, _)| text_of(key) == name);
        for key in place.all_keys().filter(|key| key.required) {
            if !has(key.name)
                && !meant.contains(&key.name)
                && place.key(key.name, kind).is_some_and(|found| std::ptr::eq(found, key))
            {
                let fault = || {
                    Diagnostic::error(
                        codes::MISSING_KEY,
                        span,
                        format!("this {} has no `{}`", place.name, key.name),
                    )
                    .hint(format!("`{}`: {}", key.name, key.doc))
                };
                self.report.add(fault);
            }
        }
        self.one_kind(&kinds, &meant, place, span);
    }

    /// A value under a known key.
    fn value(&mut self, value: &mut Node<'_>, key: &'static Key, key_span: Span) {
        let what = format!("`{}`", key.name);
        if matches!(value.value, Value::Null) && !matches!(key.shape, Shape::Data) {
            let fault = || {
                Diagnostic::error(codes::EMPTY, key_span, format!("{what} has no value")).hint(format!(
                    "It wants {}. {}",
                    describe(&key.shape),
                    key.doc
                ))
            };
            self.report.add(fault);
            value.value = Value::Broken;
        } else {
            self.node(value, &key.shape, &what);
        }
    }

    /// Exactly one of the keys that say what to do.
    fn one_kind(
        &mut self,
        kinds: &[(&'static str, Span)],
        meant: &[&str],
        place: &'static Place,
        span: Span,
    ) {
        let kind_names = place.exactly_one.iter().copied();
        match kinds {
            [] if place.exactly_one.is_empty()
                || place.exactly_one.iter().any(|kind| meant.contains(kind)) => {}
            [] => {
                let fault = || {
                    Diagnostic::error(codes::NO_KIND, span, format!("this {} says nothing to do", place.name))
                        .hint(format!("Give it one of {}.", alternatives(kind_names)))
                };
                self.report.add(fault);
            }
            [_] => {}
            [(first, first_span), rest @ ..] => {
                for (other, other_span) in rest {
                    let fault = || {
                        let message = format!("this {} has both `{first}` and `{other}`", place.name);
                        Diagnostic::error(codes::SEVERAL_KINDS, *other_span, message)
                            .also(*first_span, format!("`{first}` is here"))
                            .hint("Each says what to do, and there can be only one. Make two of it.")
                    };
                    self.report.add(fault);
                }
            }
        }
    }

    /// A key that the place does not have. Returns the key that was meant, if that is plain.
    fn unknown_key(&mut self, name: &str, span: Span, place: &'static Place) -> Option<&'static str> {
        let words =
            std::iter::once(place).chain(place.includes.iter().copied()).flat_map(|place| place.foreign);
        let foreign = words.into_iter().find(|foreign| foreign.word == name);
        let close = match foreign {
            Some(_) => None,
            None => nearest(name, place.all_keys().map(|key| key.name)),
        };
        self.report.add(|| {
            let hint = match (foreign, close) {
                (Some(foreign), _) => foreign.hint.to_owned(),
                (None, Some(close)) => format!("Did you mean `{close}`?"),
                (None, None) => format!(
                    "A {} has {}.",
                    place.name,
                    alternatives(place.all_keys().map(|key| key.name)).replace(" or ", " and ")
                ),
            };
            Diagnostic::error(
                codes::UNKNOWN_KEY,
                span,
                format!("unknown key `{}` in this {}", shorten(name), place.name),
            )
            .hint(hint)
        });
        foreign.and_then(|foreign| foreign.key).or(close)
    }

    /// A map whose keys are the author's.
    fn entries(&mut self, node: &mut Node<'_>, names: Names, shape: &Shape, what: &str) {
        let Value::Map(entries) = &mut node.value else { return };
        self.keys(entries);
        for (key, value) in entries {
            let span = self.span(key);
            let name = text_of(key);
            let fits = match names {
                Names::Any => true,
                Names::Name => is_name(name),
                Names::Variable => is_variable(name),
            };
            if !fits {
                let fault = || bad_name(span, &format!("a name under {what}"), name);
                self.report.add(fault);
            } else {
                self.ambiguous(key);
            }
            let what = format!("`{}`", shorten(text_of(key)));
            self.node(value, shape, &what);
        }
    }

    /// Any value: only keys are looked at, and words that are not what they seem.
    fn data(&mut self, node: &mut Node<'_>, what: &str) {
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.data(item, what)),
            Value::Map(_) => self.entries(node, Names::Any, &Shape::Data, what),
            Value::Text(_) => self.ambiguous(node),
            _ => {}
        }
    }

    /// Takes keys out that are not text, or there already.
    fn keys(&mut self, entries: &mut Vec<(Node<'_>, Node<'_>)>) {
        let mut superfluous = Vec::new();
        // Most maps have a handful of keys, where looking back is faster than hashing.
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for (at, (key, _)) in entries.iter().enumerate() {
            let span = self.span(key);
            let Value::Text(name) = &key.value else {
                self.report.add(|| key_not_text(key, span));
                superfluous.push(at);
                continue;
            };
            let first = if entries.len() <= 12 {
                entries[..at]
                    .iter()
                    .find(|(other, _)| text_of(other) == name)
                    .map(|(other, _)| self.span(other))
            } else {
                let first = *seen.entry(name).or_insert(span);
                (first != span).then_some(first)
            };
            if let Some(first) = first {
                let fault = || {
                    let message = format!("`{}` is there twice", shorten(name));
                    Diagnostic::error(codes::DUPLICATE_KEY, span, message).also(first, "first here")
                };
                self.report.add(fault);
                superfluous.push(at);
            }
        }
        for at in superfluous.into_iter().rev() {
            entries.remove(at);
        }
    }

    /// `yes`, `no`, `on`, `off` without quotes.
    fn ambiguous(&mut self, node: &Node<'_>) {
        let Value::Text(word) = &node.value else { return };
        let plain = || self.text.get(node.range()) == Some(word.as_ref());
        if word.len() <= 3 && AMBIGUOUS.iter().any(|other| word.eq_ignore_ascii_case(other)) && plain() {
            let span = self.span(node);
            let meaning = if word.eq_ignore_ascii_case("yes") || word.eq_ignore_ascii_case("on") {
                "true"
            } else {
                "false"
            };
            let fault = || {
                let message = format!("`{word}` is text here and a boolean to tools that read YAML 1.1");
                Diagnostic::error(codes::AMBIGUOUS_BOOLEAN, span, message)
                    .hint(format!("Write \"{word}\" for the text, or {meaning} for the boolean."))
            };
            self.report.add(fault);
        }
    }

    fn wrong(&mut self, node: &Node<'_>, shape: &Shape, what: &str) {
        let span = self.span(node);
        let fault = || {
            let message = format!("{what} wants {}, and this is {}", describe(shape), form(&node.value));
            Diagnostic::error(codes::WRONG_SHAPE, span, message).maybe_hint(remedy(shape, &node.value))
        };
        self.report.add(fault);
    }

    pub(crate) fn span(&self, node: &Node<'_>) -> Span {
        Span::new(self.file, node.range())
    }
}

fn not_enforced(key: &Key, span: Span) -> Diagnostic {
    let message = format!("`{}` is part of the language and not enforced yet", key.name);
    Diagnostic::error(codes::NOT_ENFORCED, span, message)
        .hint("A key that promises something and does nothing would mislead. Leave it out until it works.")
}

fn misplaced(key: &Key, kind: &str, place: &Place, span: Span) -> Diagnostic {
    let message = format!("`{}` does not go with `{kind}`", key.name);
    let goes_with: Vec<&str> = place
        .keys
        .iter()
        .chain(place.includes.iter().flat_map(|place| place.keys))
        .filter(|other| other.name == key.name)
        .flat_map(|other| other.with)
        .copied()
        .collect();
    Diagnostic::error(codes::MISPLACED_KEY, span, message)
        .hint(format!("It goes with {}.", alternatives(goes_with)))
}

fn key_not_text(key: &Node<'_>, span: Span) -> Diagnostic {
    let fault = |code: Code| {
        Diagnostic::error(code, span, format!("a key is text, and this is {}", form(&key.value)))
    };
    match key.value {
        Value::Map(_) => fault(codes::KEY_NOT_TEXT)
            .hint("An expression is written `${{ … }}`. Text that begins with a brace needs quotes."),
        Value::Null | Value::List(_) | Value::Broken => fault(codes::KEY_NOT_TEXT),
        _ => fault(codes::KEY_NOT_TEXT).hint("Put it in quotes."),
    }
}

fn bad_name(span: Span, what: &str, name: &str) -> Diagnostic {
    let message = format!("{what} cannot be `{}`", shorten(name));
    let mended: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let mended = mended.trim_matches(|c: char| c == '_' || c.is_ascii_digit());
    let rule = "A name begins with a lower-case letter and goes on with lower-case letters, digits and `_`.";
    let hint = match is_name(mended) && mended.len() <= 60 {
        true => format!("Write `{mended}`. {rule}"),
        false => rule.to_owned(),
    };
    Diagnostic::error(codes::BAD_NAME, span, message).hint(hint)
}

pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn text_of<'n>(node: &'n Node<'_>) -> &'n str {
    match &node.value {
        Value::Text(text) => text,
        _ => "",
    }
}

/// Whether a shape and a value are both maps, both lists, or both neither.
fn same_form(shape: &Shape, value: &Value<'_>) -> bool {
    match shape {
        Shape::Map(_) | Shape::Entries(..) => matches!(value, Value::Map(_)),
        Shape::List(_) | Shape::Some(_) => matches!(value, Value::List(_)),
        Shape::Data => true,
        Shape::Either(shapes) => shapes.iter().any(|shape| same_form(shape, value)),
        _ => !matches!(value, Value::Map(_) | Value::List(_) | Value::Null),
    }
}

fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Name | Shape::Template => "text".into(),
        Shape::Script => "a script as text".into(),
        Shape::Data => "a value".into(),
        Shape::Duration => "a duration such as `30s`".into(),
        Shape::Count => "a whole number".into(),
        Shape::Number => "a number".into(),
        Shape::Size => "a whole number, a percentage such as `25%`, or `rest`".into(),
        Shape::Bool => "`true` or `false`".into(),
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

fn form(value: &Value<'_>) -> String {
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

fn remedy(shape: &Shape, value: &Value<'_>) -> Option<String> {
    Some(match (shape, value) {
        (Shape::Duration, Value::Int(number)) => {
            format!("Say the unit: `{number}s`, `{number}m`, `{number}ms`.")
        }
        (Shape::Bool, Value::Text(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => "Write `true`.".into(),
            "no" | "off" | "n" | "false" => "Write `false`.".into(),
            _ => return None,
        },
        (
            Shape::Text | Shape::Name | Shape::Template | Shape::Script,
            Value::Int(_) | Value::Float(_) | Value::Bool(_),
        ) => "Put it in quotes.".into(),
        (Shape::List(_) | Shape::Some(_), Value::Text(text)) => format!("Write `[{}]`.", shorten(text)),
        (Shape::Some(Shape::Map(_)) | Shape::List(Shape::Map(_)), Value::Map(_)) => {
            "Put a `- ` before each item.".into()
        }
        (Shape::Map(_) | Shape::Entries(..), Value::List(_)) => {
            "Leave out the `- `: each line is `key: value`.".into()
        }
        (Shape::Map(place), Value::Text(_) | Value::Int(_)) => {
            let keys: Vec<String> = place
                .all_keys()
                .filter(|key| key.enforced)
                .take(4)
                .map(|key| format!("`{}`", key.name))
                .collect();
            format!("Its keys are {}{}.", keys.join(", "), if keys.len() == 4 { ", …" } else { "" })
        }
        _ => return None,
    })
}

/// A text for a message.
fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}
