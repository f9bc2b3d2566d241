//! What an expression may read of a step: one that is over when the reader starts, and what it surely has then.

use runbook_kernel::NodeId;
use runbook_step::Type;
use runbook_syntax::ast::{Read, Step};
use runbook_syntax::{Diagnostic, did_you_mean};

use super::{Fault, fault, whole};
use crate::arena::{Body, What};
use crate::codes;
use crate::model::Reference;
use crate::planner::Planner;
use crate::report::and;
use crate::scope::{Place, Sight};

impl Planner<'_> {
    /// What `steps.ID…` refers to.
    pub(super) fn step(
        &self,
        read: &Read,
        place: Place,
        id: &str,
        rest: &[&str],
    ) -> Result<Reference, Fault> {
        let module = self.graph.arena.module(place.module);
        let Some(target) = module.ids.get(id).copied() else {
            let hint = (self.report.did_you_mean(id, module.ids.keys().copied()))
                .unwrap_or_else(|| "A step is read by its `id`, within one file.".into());
            return Err(fault(
                codes::UNKNOWN_STEP,
                read.span,
                format!("there is no step `{id}`"),
                Some(hint),
            ));
        };
        let (node, certain) = match self.graph.sight(place, target) {
            Sight::Over(node) => (node, true),
            Sight::Uncertain(node) => (node, false),
            Sight::Itself => {
                let message = format!("`{id}` reads itself: its outputs are there when it is over");
                let hint = "Read the outputs of a step above; what this one gives is read by those below.";
                return Err(fault(codes::NOT_AN_ANCESTOR, read.span, message, Some(hint.into())));
            }
            Sight::Unordered { reader } => return Err(self.unordered(read, id, target, reader)),
            Sight::Hidden { group } => return Err(self.hidden(read, id, target, group)),
        };
        self.member(read, id, node, certain, rest)?;
        Ok(Reference::Step { id: id.to_owned(), node })
    }

    fn unordered(&self, read: &Read, id: &str, target: NodeId, reader: NodeId) -> Fault {
        let arena = self.graph.arena;
        let reader_site = arena.node(reader);
        let target_site = arena.node(target);
        let order = &self.graph.orders[reader_site.scope.0 as usize];
        let label = arena.label(reader);
        let (message, hint) = if order.is_before(reader_site.index, target_site.index) {
            (format!("`{id}` runs after `{label}`"), format!("Move `{label}` below `{id}`."))
        } else {
            let What::Step(Step { needs, .. }) = reader_site.what else { return None };
            let mut names: Vec<&str> =
                needs.iter().flat_map(|needs| needs.value.iter().map(|name| name.value.as_str())).collect();
            names.push(id);
            let message = format!("`{id}` need not be over when `{label}` starts");
            (message, format!("Add it: `needs: [{}]` at `{label}`.", names.join(", ")))
        };
        let diagnostic = Diagnostic::error(codes::NOT_AN_ANCESTOR, read.span, message).hint(hint);
        Some(Box::new(diagnostic.also(arena.span(target), format!("`{id}` is here"))))
    }

    fn hidden(&self, read: &Read, id: &str, target: NodeId, group: Option<NodeId>) -> Fault {
        let arena = self.graph.arena;
        let diagnostic = match group {
            Some(group) => {
                let label = arena.label(group);
                let message =
                    format!("`{id}` is inside `{label}`: outside, only the outputs of `{label}` are seen");
                let written = read.path.join(".");
                let hint = match read.path.get(3) {
                    Some(output) => format!(
                        "Give it to the outside: `outputs: {{{output}: \"${{{{ {written} }}}}\"}}` at `{label}`, and \
                         read `steps.{label}.outputs.{output}`."
                    ),
                    None => format!("Declare `outputs` at `{label}`."),
                };
                Diagnostic::error(codes::HIDDEN_IN_GROUP, read.span, message).hint(hint)
            }
            None => {
                let message =
                    format!("`{id}` cannot be read here: no step has run yet, or it runs elsewhere");
                Diagnostic::error(codes::NOT_AN_ANCESTOR, read.span, message)
                    .hint("Here, `inputs` and `environment` can be read.")
            }
        };
        Some(Box::new(diagnostic.also(arena.span(target), format!("`{id}` is here"))))
    }

    /// `outputs`, `status`, `each` of a step.
    fn member(&self, read: &Read, id: &str, node: NodeId, certain: bool, rest: &[&str]) -> Result<(), Fault> {
        let is_each = matches!(self.graph.arena.node(node).body, Body::Each { .. });
        match rest {
            ["status"] => Ok(()),
            ["each", ..] if is_each => self.must_be_certain(read, id, node, certain),
            ["outputs"] if !is_each => self.must_be_certain(read, id, node, certain),
            ["outputs", ..] if is_each => {
                let hint =
                    format!("`steps.{id}.each` lists the items, each with `key`, `status` and `outputs`.");
                let message = format!("`{id}` runs for each item, and each has outputs of its own");
                Err(fault(codes::UNKNOWN_OUTPUT, read.span, message, Some(hint)))
            }
            ["outputs", name, deeper @ ..] => {
                let outputs = self.outputs_of(node);
                match outputs.get(name) {
                    Some(ty) => {
                        self.must_be_certain(read, id, node, certain)?;
                        self.fields(read, &format!("steps.{id}.outputs.{name}"), ty, deeper)
                    }
                    None if outputs.open => Err(None),
                    None => Err(self.unknown_output(read, id, node, name, &outputs.named)),
                }
            }
            [] => Err(whole(read.span, &format!("steps.{id}"), &format!("steps.{id}.outputs.NAME"))),
            [name, ..] => {
                let members: &[&str] = if is_each { &["each", "status"] } else { &["outputs", "status"] };
                let is_output = self.outputs_of(node).get(name).is_some();
                let hint = match is_output {
                    true => format!("Outputs are read as `steps.{id}.outputs.{name}`."),
                    false => did_you_mean(name, members.iter().copied())
                        .unwrap_or_else(|| format!("It has {}.", and(members))),
                };
                Err(fault(
                    codes::UNKNOWN_FIELD,
                    read.span,
                    format!("`steps.{id}` has no `{name}`"),
                    Some(hint),
                ))
            }
        }
    }

    fn unknown_output(
        &self,
        read: &Read,
        id: &str,
        node: NodeId,
        name: &str,
        known: &[(String, Type)],
    ) -> Fault {
        let names = known.iter().map(|(name, _)| name.as_str());
        let is_script = match self.graph.arena.node(node).what {
            What::Step(step) => matches!(&step.kind, runbook_syntax::ast::StepKind::Action(action)
                if !matches!(action, runbook_syntax::ast::Action::Uses { .. })),
            _ => false,
        };
        let hint = match () {
            () if is_script => (self.report.did_you_mean(name, names))
                .or_else(|| Some(format!("Declare it at `{id}`: `outputs: {{{name}: string}}`."))),
            () if known.is_empty() => Some("It has no outputs.".into()),
            () => self.report.which_of(name, names),
        };
        fault(codes::UNKNOWN_OUTPUT, read.span, format!("`{id}` has no output `{name}`"), hint)
    }

    fn must_be_certain(&self, read: &Read, id: &str, node: NodeId, certain: bool) -> Result<(), Fault> {
        let reason = match certain {
            true => self.may_be_absent(node),
            false => Some("it need not have come to an end"),
        };
        let Some(reason) = reason.filter(|_| !read.guarded) else { return Ok(()) };
        let path = read.path.join(".");
        let diagnostic = Diagnostic::error(
            codes::MAY_BE_ABSENT,
            read.span,
            format!("`{id}` may have no outputs: {reason}"),
        )
        .hint(format!("Say what holds then: `{path} | default(…)`."))
        .also(self.graph.arena.span(node), format!("`{id}` is here"));
        Err(Some(Box::new(diagnostic)))
    }
}
