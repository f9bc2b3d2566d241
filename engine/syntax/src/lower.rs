//! From the checked tree to the [`crate::ast`].
//!
//! Shapes have been checked, and what did not fit is [`Value::Broken`]: nothing is said of it again. What is reported
//! here is what a shape cannot say: expressions, ids that are there twice, conditions of several pieces.

mod declare;
mod document;
mod people;
mod policy;
mod step;

use std::collections::HashMap;

use crate::ast::{Data, Entries, Expr, Segment, Text};
use crate::report::Report;
use crate::scalar::{self, Piece, Placement};
use crate::tree::{Node, Value};
use crate::{Diagnostic, FileId, Span, Spanned, codes, expression};

pub(crate) use document::{environment, runbook};

/// The lowering of one file.
pub(crate) struct Lower<'r> {
    pub(crate) file: FileId,
    pub(crate) text: &'r str,
    pub(crate) report: &'r mut Report,
    /// Ids of steps, and where they stand.
    pub(crate) ids: HashMap<String, Span>,
}

/// The entries of a node that has been checked to be a map.
fn entries<'n, 'a>(node: &'n Node<'a>) -> impl Iterator<Item = (&'n str, &'n Node<'a>, &'n Node<'a>)> {
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().filter_map(|(key, value)| match &key.value {
        Value::Text(name) => Some((name.as_ref(), key, value)),
        _ => None,
    })
}

/// The items of a node that has been checked to be a list.
fn items<'n, 'a>(node: &'n Node<'a>) -> &'n [Node<'a>] {
    match &node.value {
        Value::List(items) => items,
        _ => &[],
    }
}

impl Lower<'_> {
    fn span(&self, node: &Node<'_>) -> Span {
        Span::new(self.file, node.range())
    }

    /// Fixed text.
    fn fixed(&self, node: &Node<'_>) -> Option<Spanned<String>> {
        match &node.value {
            Value::Text(text) => Some(Spanned::new(text.clone().into_owned(), self.span(node))),
            _ => None,
        }
    }

    fn fixed_list(&self, node: &Node<'_>) -> Vec<Spanned<String>> {
        items(node).iter().filter_map(|item| self.fixed(item)).collect()
    }

    fn flag(&self, node: &Node<'_>) -> Option<Spanned<bool>> {
        match node.value {
            Value::Bool(flag) => Some(Spanned::new(flag, self.span(node))),
            _ => None,
        }
    }

    /// A value with expressions; `None` where it is broken.
    fn data(&mut self, node: &Node<'_>) -> Option<Spanned<Data>> {
        let value = match &node.value {
            Value::Null => Data::Null,
            Value::Bool(flag) => Data::Bool(*flag),
            Value::Int(number) => Data::Int(*number),
            Value::Float(number) => Data::Float(*number),
            Value::Text(text) => Data::Text(self.template(node, text)),
            Value::List(list) => Data::List(list.iter().filter_map(|item| self.data(item)).collect()),
            Value::Map(_) => Data::Map(self.data_entries(node)),
            Value::Broken => return None,
        };
        Some(Spanned::new(value, self.span(node)))
    }

    fn data_entries(&mut self, node: &Node<'_>) -> Entries<Spanned<Data>> {
        self.named(node, Lower::data)
    }

    fn data_list(&mut self, node: &Node<'_>) -> Vec<Spanned<Data>> {
        items(node).iter().filter_map(|item| self.data(item)).collect()
    }

    /// A map from names to things.
    fn named<T>(
        &mut self,
        node: &Node<'_>,
        mut thing: impl FnMut(&mut Self, &Node<'_>) -> Option<T>,
    ) -> Entries<T> {
        entries(node)
            .filter_map(|(name, key, value)| {
                Some((Spanned::new(name.to_owned(), self.span(key)), thing(self, value)?))
            })
            .collect()
    }

    fn template(&mut self, node: &Node<'_>, text: &str) -> Text {
        if !text.contains("${{") {
            return Text { segments: vec![Segment::Literal(text.to_owned())] };
        }
        let placement = Placement::new(self.text, node.range(), text);
        let mut segments: Vec<Segment> = Vec::new();
        for piece in scalar::pieces(text) {
            let literal = match piece {
                Piece::Literal(range) => &text[range],
                Piece::Escaped => "${{",
                Piece::Expression(range) => {
                    let expr = self.expression(&placement, text, range);
                    segments.push(Segment::Expr(expr));
                    continue;
                }
                Piece::Open(range) => {
                    self.open_expression(&placement, range.start - 3);
                    &text[range]
                }
            };
            match segments.last_mut() {
                Some(Segment::Literal(before)) => before.push_str(literal),
                _ => segments.push(Segment::Literal(literal.to_owned())),
            }
        }
        Text { segments }
    }

    fn expression(&mut self, placement: &Placement, text: &str, range: std::ops::Range<usize>) -> Expr {
        let file = self.file;
        let place = |inner: std::ops::Range<usize>| {
            Span::new(file, placement.range(range.start + inner.start..range.start + inner.end))
        };
        let mut faults = Vec::new();
        let expr = expression::parse(&text[range.clone()], &place, &mut faults);
        for fault in faults {
            self.report.add(|| fault);
        }
        expr
    }

    fn open_expression(&mut self, placement: &Placement, at: usize) {
        let span = Span::new(self.file, placement.range(at..at + 3));
        self.report.add(|| {
            Diagnostic::error(codes::EXPRESSION_OPEN, span, "this `${{` has no `}}`").hint(
                "Close it, its quotes and its brackets. An unquoted text ends at ` #`. A literal `${{` is written `$${{`.",
            )
        });
    }

    /// A condition, braces optional.
    fn condition(&mut self, node: &Node<'_>) -> Option<Expr> {
        let span = self.span(node);
        let text = match &node.value {
            Value::Bool(flag) => return Some(Expr { source: flag.to_string(), span, reads: Vec::new() }),
            Value::Text(text) => text,
            _ => return None,
        };
        let placement = Placement::new(self.text, node.range(), text);
        let lead = text.len() - text.trim_start().len();
        match scalar::pieces(text.trim()).as_slice() {
            [Piece::Expression(range)] => {
                Some(self.expression(&placement, text, range.start + lead..range.end + lead))
            }
            [Piece::Open(_)] => {
                self.open_expression(&placement, lead);
                None
            }
            [Piece::Literal(_)] => Some(self.expression(&placement, text, 0..text.len())),
            _ => {
                self.report.add(|| expression::not_one(span));
                None
            }
        }
    }

    /// A script. Values reach it through its environment, never by being pasted into it.
    fn script(&mut self, node: &Node<'_>) -> Option<Spanned<String>> {
        let Value::Text(text) = &node.value else { return None };
        let span = self.span(node);
        if !text.contains("${{") {
            return Some(Spanned::new(text.clone().into_owned(), span));
        }
        let placement = Placement::new(self.text, node.range(), text);
        let mut script = String::with_capacity(text.len());
        for piece in scalar::pieces(text) {
            match piece {
                Piece::Literal(range) => script.push_str(&text[range]),
                Piece::Escaped => script.push_str("${{"),
                Piece::Expression(range) => {
                    let place = Span::new(self.file, placement.range(range.start - 3..range.end + 2));
                    let inner = text[range].trim();
                    self.report.add(|| in_script(place, inner));
                }
                Piece::Open(range) => {
                    let place = Span::new(self.file, placement.range(range.start - 3..range.start));
                    self.report.add(|| in_script(place, ""));
                }
            }
        }
        Some(Spanned::new(script, span))
    }
}

fn in_script(place: Span, inner: &str) -> Diagnostic {
    // Named after the last word of the path: `steps.target.outputs.colour` is `$COLOUR`.
    let path = inner
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        .next()
        .unwrap_or_default();
    let name: String = path.rsplit('.').next().unwrap_or_default().to_ascii_uppercase();
    let name = if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        "VALUE".to_owned()
    } else {
        name
    };
    let message = "an expression is not pasted into a script: what it holds could run";
    let quote = if inner.contains('"') { '\'' } else { '"' };
    let hint = match inner {
        "" => "Values reach a script through `env`. A literal `${{` is written `$${{`.".to_owned(),
        _ if inner.len() > 200 || inner.contains('\n') => {
            "Put it under `env` of the step, and read the variable in the script.".to_owned()
        }
        _ => format!(
            "Put it into the environment of the step, and write \"${name}\" in the script:\n  env:\n    {name}: {quote}${{{{ {inner} }}}}{quote}"
        ),
    };
    Diagnostic::error(codes::EXPRESSION_IN_SCRIPT, place, message).hint(hint)
}
