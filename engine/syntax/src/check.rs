//! Holds the tree against the shape table, and reports every place where the two differ.
//!
//! What does not fit is taken out of the tree (duplicate keys) or marked as broken, so that the lowering may rely on
//! the shapes and stays silent.

mod wording;

use std::collections::HashMap;

use crate::shape::{Key, Names, Place, Shape};
use crate::suggestion::{did_you_mean, nearest};
use crate::tree::{Node, Value};
use crate::{Diagnostic, FileId, Span, codes, report::Report};

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
        self.too_large(node);
        match (shape, &mut node.value) {
            (_, Value::Broken) => return,
            (either @ Shape::Either(shapes), value) => {
                match shapes.iter().find(|shape| same_form(shape, value)) {
                    Some(Shape::OneOf(words)) if matches!(value, Value::Text(text) if !words.contains(&text.as_ref())) =>
                    {
                        // More than a word may stand here too, so the words alone are half of the answer.
                        let remedy = || wording::remedy(either, &node.value);
                        self.unknown_word(node, words, remedy, what);
                    }
                    Some(shape) => return self.node(node, shape, what),
                    None => self.wrong(node, shape, what),
                }
            }
            (Shape::Map(place), Value::Map(_)) => return self.map(node, place),
            (Shape::Entries(names, shape), Value::Map(_)) => return self.entries(node, *names, shape, what),
            (Shape::List(item) | Shape::Some(item), Value::List(items)) => {
                if items.is_empty() && matches!(shape, Shape::Some(_)) {
                    let fault = || {
                        Diagnostic::error(codes::EMPTY, span, format!("{what} is an empty list"))
                            .hint("Leave the key out, or put something into the list.")
                    };
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
                let fault = || {
                    Diagnostic::error(codes::EMPTY, span, format!("{what} is an empty text"))
                        .hint("Leave the key out, or write something.")
                };
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
                    let fault = || wording::bad_name(span, what, text);
                    self.report.add(fault);
                }
                return;
            }
            Shape::Text | Shape::Prose => !expression,
            _ => false,
        };
        if fits {
            if matches!(shape, Shape::Text | Shape::Prose | Shape::Template) {
                self.ambiguous(node);
            }
            return;
        }
        match shape {
            Shape::Text | Shape::Prose => {
                let fault = || {
                    Diagnostic::error(codes::EXPRESSION_NOT_ALLOWED, span, format!("{what} is fixed: it cannot hold an expression"))
                        .hint(match shape {
                            Shape::Prose => "People read it before anything is known. A step's `name`, and what an approval `show`s, may hold expressions.",
                            _ => "It must be known before the run. Choose with `switch`, or write two steps with `when`.",
                        })
                };
                self.report.add(fault);
            }
            Shape::OneOf(words) => {
                self.unknown_word(node, words, || wording::remedy(shape, &node.value), what);
            }
            _ => self.wrong(node, shape, what),
        }
        // Prose is as good as any other: what needs a reason has one.
        if !matches!(shape, Shape::Prose) {
            node.value = Value::Broken;
        }
    }

    /// A map with known keys.
    fn map(&mut self, node: &mut Node<'_>, place: &'static Place) {
        let span = self.span(node);
        let Value::Map(entries) = &mut node.value else { return };
        self.keys(entries, false);
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
                    meant.extend(self.unknown_key(&name, key_span, place, kind));
                    value.value = Value::Broken;
                }
                Some(key) if !key.enforced => {
                    self.report.add(|| wording::not_enforced(key, key_span));
                    value.value = Value::Broken;
                }
                Some(key) => {
                    if !key.goes_with(kind) {
                        self.report
                            .add(|| wording::misplaced(key, kind.unwrap_or_default(), place, key_span));
                    }
                    self.value(value, key, key_span);
                }
            }
        }
        let has = |name: &str| entries.iter().any(|(key, _)| text_of(key) == name);
        let missing: Vec<&Key> = place
            .all_keys()
            .filter(|key| key.required && !has(key.name) && !meant.contains(&key.name))
            // A place may make a key optional that a place which it includes requires.
            .filter(|key| place.key(key.name, kind).is_some_and(|found| std::ptr::eq(found, *key)))
            .collect();
        if !missing.is_empty() {
            self.report.add(|| wording::missing_keys(&missing, place, span));
        }
        // A key that goes with one kind alone tells which one was forgotten.
        let companion = entries.iter().find_map(|(key, _)| match place.key(text_of(key), None)?.with {
            [kind] => Some((text_of(key).to_owned(), *kind)),
            _ => None,
        });
        self.one_kind(&kinds, &meant, companion, place, span);
    }

    /// A value under a known key.
    fn value(&mut self, value: &mut Node<'_>, key: &'static Key, key_span: Span) {
        let what = format!("`{}`", key.name);
        if matches!(value.value, Value::Null) && !matches!(key.shape, Shape::Data) {
            let fault = || {
                Diagnostic::error(codes::EMPTY, key_span, format!("{what} has no value")).hint(format!(
                    "It wants {}. {}",
                    wording::describe(&key.shape),
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
        companion: Option<(String, &str)>,
        place: &'static Place,
        span: Span,
    ) {
        match kinds {
            [] if place.exactly_one.is_empty()
                || place.exactly_one.iter().any(|kind| meant.contains(kind)) => {}
            [] => self.report.add(|| wording::no_kind(place, companion, span)),
            [_] => {}
            [(first, first_span), rest @ ..] => {
                for (other, other_span) in rest {
                    let fault = || {
                        let message = format!("this {} has both `{first}` and `{other}`", place.name);
                        Diagnostic::error(codes::SEVERAL_KINDS, *other_span, message)
                            .also(*first_span, format!("`{first}` is here"))
                            .hint(match place.name {
                                "step" => {
                                    "Each says what to do, and there can be only one. Make two steps of it."
                                }
                                _ => "There can be only one of them.",
                            })
                    };
                    self.report.add(fault);
                }
            }
        }
    }

    /// A key that the place does not have. Returns the key that was meant, if that is plain.
    fn unknown_key(
        &mut self,
        name: &str,
        span: Span,
        place: &'static Place,
        kind: Option<&str>,
    ) -> Option<&'static str> {
        let words =
            std::iter::once(place).chain(place.includes.iter().copied()).flat_map(|place| place.foreign);
        let foreign = words.into_iter().find(|foreign| foreign.word == name);
        // Once there are enough faults nobody reads what was meant.
        let close = match foreign {
            None if !self.report.is_full() => {
                nearest(name, place.all_keys().filter(|key| key.enforced).map(|key| key.name))
            }
            _ => None,
        };
        self.report.add(|| {
            let message = format!("unknown key `{}` in this {}", wording::shorten(name), place.name);
            let fault = Diagnostic::error(codes::UNKNOWN_KEY, span, message);
            match (foreign, close) {
                (Some(foreign), _) => fault.hint(foreign.hint),
                (None, Some(close)) => fault.hint(format!("Did you mean `{close}`?")),
                (None, None) if kind == Some("uses") => {
                    fault.hint("Parameters of a step type stand under `with`.")
                }
                (None, None) => fault.hint(wording::known_keys(place)),
            }
        });
        foreign.and_then(|foreign| foreign.key).or(close)
    }

    /// A map whose keys are the author's.
    fn entries(&mut self, node: &mut Node<'_>, names: Names, shape: &Shape, what: &str) {
        let Value::Map(entries) = &mut node.value else { return };
        // Data may be a map of a system that has such keys; of ours, what is missing would be said as well.
        self.keys(entries, names == Names::Any && !matches!(shape, Shape::Data));
        for (key, value) in entries {
            let span = self.span(key);
            let name = text_of(key);
            match names {
                Names::Name if !is_name(name) => {
                    self.report.add(|| wording::bad_name(span, &format!("a name under {what}"), name))
                }
                Names::Variable if !is_variable(name) => self.report.add(|| {
                    let message =
                        format!("an environment variable cannot be called `{}`", wording::shorten(name));
                    Diagnostic::error(codes::BAD_NAME, span, message)
                        .hint("It begins with a letter or `_` and goes on with letters, digits and `_`.")
                }),
                _ => self.ambiguous(key),
            }
            let what = format!("`{}`", wording::shorten(text_of(key)));
            self.node(value, shape, &what);
        }
    }

    /// Any value: only keys are looked at, and words that are not what they seem.
    fn data(&mut self, node: &mut Node<'_>, what: &str) {
        self.too_large(node);
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.data(item, what)),
            Value::Map(_) => self.entries(node, Names::Any, &Shape::Data, what),
            Value::Text(_) => self.ambiguous(node),
            _ => {}
        }
    }

    /// Takes keys out that are not text, or there already. With `labels`, a key that is a number or a boolean stays, as the
    /// text that it was meant to be.
    fn keys(&mut self, entries: &mut Vec<(Node<'_>, Node<'_>)>, labels: bool) {
        let mut superfluous = Vec::new();
        for (key, _) in entries.iter_mut().filter(|(key, _)| labels && wording::is_plain(&key.value)) {
            let span = self.span(key);
            self.report.add(|| wording::key_not_text(key, span));
            key.value = Value::Text(self.text[span.range()].to_owned().into());
        }
        // Most maps have a handful of keys, where looking back is faster than hashing.
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for (at, (key, _)) in entries.iter().enumerate() {
            let span = self.span(key);
            let Value::Text(name) = &key.value else {
                self.report.add(|| wording::key_not_text(key, span));
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
                    let message = format!("`{}` is there twice", wording::shorten(name));
                    Diagnostic::error(codes::DUPLICATE_KEY, span, message)
                        .also(first, "first here")
                        .hint("Only one of them could hold: remove the other, or make one of both.")
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

    /// A whole number that the reader could only keep as a fraction has lost its last digits.
    fn too_large(&mut self, node: &mut Node<'_>) {
        if !matches!(node.value, Value::Float(_)) {
            return;
        }
        let digits = self.text.get(node.range()).unwrap_or_default();
        if !digits.contains(['.', 'e', 'E']) {
            let span = self.span(node);
            let fault = || {
                Diagnostic::error(codes::NUMBER, span, "this number is too large")
                    .hint("Whole numbers lie within 64 bits. Put it in quotes if it is text.")
            };
            self.report.add(fault);
            node.value = Value::Broken;
        }
    }

    /// A word that is none of those that are allowed.
    fn unknown_word(&mut self, node: &Node<'_>, words: &[&str], remedy: impl FnOnce() -> String, what: &str) {
        let span = self.span(node);
        let Value::Text(text) = &node.value else { return };
        let fault = || {
            let hint = did_you_mean(text, words.iter().copied()).unwrap_or_else(remedy);
            let message = format!("{what} cannot be `{}`", wording::shorten(text));
            Diagnostic::error(codes::UNKNOWN_VALUE, span, message).hint(hint)
        };
        self.report.add(fault);
    }

    fn wrong(&mut self, node: &Node<'_>, shape: &Shape, what: &str) {
        let span = self.span(node);
        let fault = || {
            let message = format!(
                "{what} wants {}, and this is {}",
                wording::describe(shape),
                wording::form(&node.value)
            );
            Diagnostic::error(codes::WRONG_SHAPE, span, message).hint(wording::remedy(shape, &node.value))
        };
        self.report.add(fault);
    }

    pub(crate) fn span(&self, node: &Node<'_>) -> Span {
        Span::new(self.file, node.range())
    }
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
