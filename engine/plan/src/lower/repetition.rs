//! `for_each`.

use std::collections::BTreeSet;

use runbook_kernel::{Batch, BatchSize, Each, EachUndo, Kind, NodeId, Undo};
use runbook_step::{Type, Value};
use runbook_syntax::ast::{BatchDecl, Data, ForEach, Step};
use runbook_syntax::{Diagnostic, Span, Spanned};

use super::{Draft, data_mentions};
use crate::arena::Body;
use crate::codes;
use crate::model::{EvalError, Reference, Resolve, Template, Work};
use crate::planner::Planner;
use crate::scope::{At, Place};
use crate::setting::value_of;
use crate::template::Wanted;

/// The keys of so many items are looked at before the run.
const MOST_KEYS: usize = 1_000;

/// The `key` of a `for_each`.
struct Keys<'k> {
    span: Span,
    /// `None` where it is wrong, which has been reported.
    template: Option<&'k Template>,
    each: NodeId,
}

/// What is known before the run, and an item.
struct WithItem<'w, 'a> {
    planner: &'w Planner<'a>,
    item: &'w Value,
}

impl Resolve for WithItem<'_, '_> {
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError> {
        match reference {
            Reference::Item { .. } => Ok(self.item.clone()),
            other => self.planner.resolve(other),
        }
    }

    fn may_work(&self) -> bool {
        self.planner.may_work()
    }

    fn worked(&self, units: u64, at: Span) {
        self.planner.worked(units, at);
    }
}

impl Planner<'_> {
    pub(super) fn each(&self, id: NodeId, step: &Step, draft: &mut Draft) {
        let Some(each) = &step.for_each else { return };
        let Body::Each { body, between, .. } = self.graph.arena.node(id).body else { return };
        let place = self.place(id);
        let start = Place { at: At::Start, ..place };
        let count = |data: &Option<_>, what, least| {
            data.as_ref().and_then(|data| self.count(data, start, what, least))
        };
        let max_failures = count(&each.max_failures, "`max_failures`", 0).unwrap_or(0);
        let allow_empty = each.allow_empty.as_ref().is_some_and(|yes| yes.value);
        draft.kernel.undo = Undo::Nothing;
        draft.kernel.kind = Kind::Each(Each {
            body,
            max_parallel: count(&each.max_parallel, "`max_parallel`", 1).unwrap_or(1),
            max_failures,
            batches: self.batches(&each.batches, start, max_failures),
            between,
            undo: match each.undo.as_ref().map(|undo| undo.value.as_str()) {
                Some("batch") => EachUndo::Batch,
                Some("failed") => EachUndo::Failed,
                _ => EachUndo::All,
            },
        });
        if let Some(first) = each.between.first().filter(|_| each.batches.is_empty()) {
            let message = "`between` has no effect here: without `batches` all items are one batch";
            let hint = "Say what it stands between: `batches: [1]` is one item after the other, with this in between.";
            self.report.push(Diagnostic::error(codes::WITHOUT_EFFECT, first.span, message).hint(hint));
        }
        self.free_names(each, place);
        let list = Type::list(Type::Any);
        let wanted = Wanted { ty: &list, what: "`items`", always: self.always(id) };
        let items = self.template(&each.items, place, wanted);
        let of_item = Place { at: At::Item(id), ..place };
        let key = each.key.as_ref().map(|key| (key, self.free_template(key, of_item)));
        let constant = key.as_ref().filter(|(key, _)| !data_mentions(key, &self.items_of(step)));
        if let Some((key, _)) = constant {
            let name = each.name.as_ref().map_or("item", |name| name.value.as_str());
            let message = "the key reads no item, so it is the same for all";
            let hint = match value_of(&key.value) {
                Some(Value::Str(text)) if text.starts_with(name) => {
                    format!("Write it as an expression: `${{{{ {text} }}}}`.")
                }
                _ => format!("Say what tells items apart: `key: ${{{{ {name}.name }}}}`."),
            };
            self.report.push(Diagnostic::error(codes::EACH_ITEMS, key.span, message).hint(hint));
        }
        let expect_count = count(&each.expect_count, "`expect_count`", 0);
        let max_targets = count(&each.max_targets, "`max_targets`", 1);
        let keys = key.as_ref().map(|(data, key)| Keys {
            span: data.span,
            template: key.as_ref().filter(|_| constant.is_none()),
            each: id,
        });
        self.known_items(each, items.as_ref(), keys.as_ref(), (allow_empty, expect_count, max_targets));
        if let Some(items) = items {
            draft.plan.work = Work::Each {
                items,
                name: each.name.as_ref().map_or_else(|| "item".into(), |name| name.value.clone()),
                key: key.and_then(|(_, key)| key),
                allow_empty,
                expect_count: expect_count.map(u64::from),
                max_targets: max_targets.map(u64::from),
            };
        }
    }

    /// The name of the item must not hide that of an item around it.
    fn free_names(&self, each: &ForEach, place: Place) {
        let name = each.name.as_ref().map_or("item", |name| name.value.as_str());
        let span = each.name.as_ref().map_or(each.span, |name| name.span);
        let clash = |outer: &str| {
            name == outer
                || name.strip_suffix("_key") == Some(outer)
                || outer.strip_suffix("_key") == Some(name)
        };
        if let Some((outer, node)) = self.graph.items(place).into_iter().find(|(outer, _)| clash(outer)) {
            let message = format!("`{name}` already means the item of the `for_each` around this one");
            let diagnostic = Diagnostic::error(codes::NAME_TAKEN, span, message)
                .hint("Give this one another name with `as`.")
                .also(self.graph.arena.span(node), format!("`{outer}` is the item of this one"));
            self.report.push(diagnostic);
        }
    }

    /// `most`: how many failures the whole puts up with.
    fn batches(&self, batches: &[BatchDecl], start: Place, most: u32) -> Vec<Batch> {
        let mut built = Vec::new();
        let last = batches.len().saturating_sub(1);
        for (number, batch) in batches.iter().enumerate() {
            let count = |data: &Option<_>, what, least| {
                data.as_ref().and_then(|data| self.count(data, start, what, least))
            };
            let size = self.batch_size(&batch.size, start);
            if size == Some(BatchSize::Rest) && number < last {
                let message = "`rest` takes all that are left, so it comes last";
                let fault = Diagnostic::error(codes::BATCHES, batch.size.span, message);
                self.report.push(fault.hint("Move it to the end of `batches`."));
            }
            let max_failures = count(&batch.max_failures, "`max_failures`", 0).unwrap_or(0);
            if let Some(span) =
                batch.max_failures.as_ref().map(|data| data.span).filter(|_| max_failures > most)
            {
                let message =
                    format!("the whole `for_each` puts up with {most}, so no batch can with {max_failures}");
                let fault = Diagnostic::error(codes::BATCHES, span, message);
                self.report.push(fault.hint(format!(
                    "Say it of the whole too: `for_each: {{max_failures: {max_failures}, …}}`."
                )));
            }
            built.push(Batch {
                size: size.unwrap_or(BatchSize::Rest),
                max_parallel: count(&batch.max_parallel, "`max_parallel`", 1).unwrap_or(1),
                max_failures,
            });
        }
        built
    }

    fn batch_size(&self, size: &Spanned<Data>, start: Place) -> Option<BatchSize> {
        let value = match value_of(&size.value) {
            Some(value) => value,
            None => self.fixed(size, start, &Type::Any, "`size`")?,
        };
        let found = match &value {
            Value::Int(count) => u32::try_from(*count).ok().filter(|count| *count > 0).map(BatchSize::Count),
            Value::Str(text) if text == "rest" => Some(BatchSize::Rest),
            Value::Str(text) => text
                .strip_suffix('%')
                .and_then(|percent| percent.parse().ok())
                .filter(|percent| (1..=100).contains(percent))
                .map(BatchSize::Percent),
            _ => None,
        };
        if found.is_none() {
            let message = format!("`{value}` is no size of a batch");
            let hint = "It is a number from 1, a percentage from `1%` to `100%`, or `rest`.";
            self.report.push(Diagnostic::error(codes::BATCHES, size.span, message).hint(hint));
        }
        found
    }

    /// Keys of known items: one that fails or is there twice would end the run after the steps before.
    fn known_keys(&self, keys: &Keys<'_>, items: &[Value]) {
        let Some(template) = keys.template else { return };
        let mut known = true;
        template.for_each_expression(&mut |expression| {
            known &= expression.refs.iter().all(|reference| match reference {
                Reference::Item { each, .. } => *each == keys.each,
                other => self.knows(other),
            });
        });
        if !known {
            return;
        }
        let mut seen = BTreeSet::new();
        for item in items.iter().take(MOST_KEYS) {
            let key = match template.evaluate(&WithItem { planner: self, item }) {
                Ok(key) => key,
                // That there is no work left has been said.
                Err(_) if !self.may_work() => return,
                Err(error) => {
                    let hint = error.hint.unwrap_or_else(|| "Every item needs a key.".into());
                    let fault = Diagnostic::error(codes::EACH_ITEMS, error.span, error.message);
                    self.report.push(fault.hint(hint));
                    return;
                }
            };
            let message = match &key {
                Value::Null | Value::Map(_) | Value::List(_) => {
                    format!("a key is text or a number, and this is {}", key.kind())
                }
                key if !seen.insert(key.to_string()) => format!("two items have the key `{key}`"),
                _ => continue,
            };
            let hint = "A key tells each item from all others, in this run and in its undo.";
            self.report.push(Diagnostic::error(codes::EACH_ITEMS, keys.span, message).hint(hint));
            return;
        }
    }

    /// Items that are known before the run can be looked at before the run.
    fn known_items(
        &self,
        each: &ForEach,
        items: Option<&Template>,
        keys: Option<&Keys<'_>>,
        (allow_empty, expect_count, max_targets): (bool, Option<u32>, Option<u32>),
    ) {
        let mut known = true;
        let Some(items) = items else { return };
        items.for_each_expression(&mut |expression| known &= self.is_known(&expression.refs));
        let Some(Ok(Value::List(values))) = known.then(|| items.evaluate(self)) else { return };
        let fault = |message: String| Diagnostic::error(codes::EACH_ITEMS, each.items.span, message);
        let count = values.len();
        if values.is_empty() && !allow_empty {
            self.report
                .push(fault("there are no items".into()).hint("`allow_empty: true` says that this is fine."));
        }
        if let Some(expected) = expect_count.filter(|expected| *expected as usize != count) {
            let message = format!("there are {count} items, and `expect_count` says {expected}");
            self.report.push(fault(message).hint("Mend the one that is wrong."));
        }
        if let Some(most) = max_targets.filter(|most| count > *most as usize) {
            let message = format!("there are {count} items, and `max_targets` says at most {most}");
            self.report.push(fault(message).hint("Choose fewer, or raise `max_targets`."));
        }
        if let Some(keys) = keys {
            self.known_keys(keys, &values);
            return;
        }
        let mut seen = BTreeSet::new();
        for value in &values {
            if matches!(value, Value::Map(_) | Value::List(_)) {
                let hint = "Say what tells them apart: `key: ${{ item.name }}`.";
                self.report.push(fault("items that are maps need a `key`".into()).hint(hint));
                return;
            }
            if !seen.insert(value.to_string()) {
                let message = format!("the item `{value}` is there twice");
                self.report.push(fault(message).hint("Each is done once: leave one of them out."));
            }
        }
    }
}
