//! `for_each`.

use runbook_kernel::{Batch, BatchSize, Each, EachUndo, Kind, NodeId, Undo};
use runbook_step::{Type, Value};
use runbook_syntax::ast::{BatchDecl, Data, ForEach, Step};
use runbook_syntax::{Diagnostic, Spanned};

use super::Draft;
use crate::arena::Body;
use crate::codes;
use crate::model::{Template, Work};
use crate::planner::Planner;
use crate::scope::{At, Place};
use crate::setting::value_of;
use crate::template::Wanted;

impl Planner<'_> {
    pub(super) fn each(&self, id: NodeId, step: &Step, draft: &mut Draft) {
        let Some(each) = &step.for_each else { return };
        let Body::Each { body, between, .. } = self.graph.arena.node(id).body else { return };
        let place = self.place(id);
        let start = Place { at: At::Start, ..place };
        let count = |data: &Option<_>, what, least| {
            data.as_ref().and_then(|data| self.count(data, start, what, least))
        };
        let allow_empty = each.allow_empty.as_ref().is_some_and(|yes| yes.value);
        draft.kernel.undo = Undo::Nothing;
        draft.kernel.kind = Kind::Each(Each {
            body,
            max_parallel: count(&each.max_parallel, "`max_parallel`", 1).unwrap_or(1),
            max_failures: count(&each.max_failures, "`max_failures`", 0).unwrap_or(0),
            batches: self.batches(&each.batches, start),
            between,
            undo: match each.undo.as_ref().map(|undo| undo.value.as_str()) {
                Some("batch") => EachUndo::Batch,
                Some("failed") => EachUndo::Failed,
                _ => EachUndo::All,
            },
        });
        self.free_names(each, place);
        let list = Type::list(Type::Any);
        let wanted = Wanted { ty: &list, what: "`items`", always: self.always(id) };
        let items = self.template(&each.items, place, wanted);
        let of_item = Place { at: At::Item(id), ..place };
        let key = each.key.as_ref().map(|key| (key, self.free_template(key, of_item)));
        let expect_count = count(&each.expect_count, "`expect_count`", 0);
        let max_targets = count(&each.max_targets, "`max_targets`", 1);
        self.known_items(each, items.as_ref(), key.is_some(), (allow_empty, expect_count, max_targets));
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

    fn batches(&self, batches: &[BatchDecl], start: Place) -> Vec<Batch> {
        let mut built = Vec::new();
        let last = batches.len().saturating_sub(1);
        for (number, batch) in batches.iter().enumerate() {
            let count = |data: &Option<_>, what, least| {
                data.as_ref().and_then(|data| self.count(data, start, what, least))
            };
            let size = self.batch_size(&batch.size, start);
            if size == Some(BatchSize::Rest) && number < last {
                let message = "`rest` takes all that are left, so it comes last";
                self.report.push(Diagnostic::error(codes::BATCHES, batch.size.span, message));
            }
            built.push(Batch {
                size: size.unwrap_or(BatchSize::Rest),
                max_parallel: count(&batch.max_parallel, "`max_parallel`", 1).unwrap_or(1),
                max_failures: count(&batch.max_failures, "`max_failures`", 0).unwrap_or(0),
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

    /// Items that are known before the run can be looked at before the run.
    fn known_items(
        &self,
        each: &ForEach,
        items: Option<&Template>,
        has_key: bool,
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
            self.report.push(fault(format!("there are {count} items, and `expect_count` says {expected}")));
        }
        if let Some(most) = max_targets.filter(|most| count > *most as usize) {
            self.report
                .push(fault(format!("there are {count} items, and `max_targets` says at most {most}")));
        }
        if has_key {
            return;
        }
        let mut seen = std::collections::BTreeSet::new();
        for value in &values {
            if matches!(value, Value::Map(_) | Value::List(_)) {
                let hint = "Say what tells them apart: `key: ${{ item.name }}`.";
                self.report.push(fault("items that are maps need a `key`".into()).hint(hint));
                return;
            }
            if !seen.insert(value.to_string()) {
                self.report.push(fault(format!("the item `{value}` is there twice")));
            }
        }
    }
}
