//! `needs`: names of siblings to places, and the order of every scope.

use runbook_syntax::Diagnostic;
use runbook_syntax::ast::Step;

use crate::arena::{Arena, ScopeSite, What};
use crate::codes;
use crate::order::{Order, Wish};
use crate::report::Report;

/// The order of every scope.
pub(crate) fn orders(arena: &Arena<'_>, report: &Report) -> Vec<Order> {
    arena
        .scopes
        .iter()
        .map(|scope| {
            let wishes: Vec<Wish> =
                (0..scope.nodes.len()).map(|place| wish(arena, scope, place, report)).collect();
            let order = Order::new(&wishes);
            for cycle in &order.cycles {
                report.push(circle(arena, scope, cycle));
            }
            order
        })
        .collect()
}

fn wish(arena: &Arena<'_>, scope: &ScopeSite, place: usize, report: &Report) -> Wish {
    if place < scope.first {
        return Wish::Needs(Vec::new());
    }
    let before_all = 0..scope.first;
    let What::Step(step) = arena.node(scope.nodes[place]).what else { return Wish::Above };
    // An item's own node stands alone in its scope; what the step needs is said at its `for_each`.
    if arena.node(scope.nodes[place]).item_of.is_some() {
        return Wish::Above;
    }
    match &step.needs {
        None if scope.parallel => Wish::Needs(before_all.collect()),
        None => Wish::Above,
        Some(needs) => {
            let mut places: Vec<usize> = before_all.collect();
            let mut broken = false;
            for name in &needs.value {
                match sibling(arena, scope, &name.value) {
                    Some(place) => places.push(place),
                    None => {
                        broken = true;
                        report.push(no_sibling(arena, scope, step, name, report));
                    }
                }
            }
            // Whatever was meant, it was something; so nothing more is said of outputs that it reads.
            if broken { Wish::Above } else { Wish::Needs(places) }
        }
    }
}

fn sibling(arena: &Arena<'_>, scope: &ScopeSite, name: &str) -> Option<usize> {
    // By the module's ids: a scope may have 10,000 steps.
    let module = arena.node(*scope.nodes.first()?).module;
    let modules = [Some(module), scope.nodes.last().map(|last| arena.node(*last).module)];
    modules.into_iter().flatten().find_map(|module| {
        let node = arena.module(module).ids.get(name)?;
        let site = arena.node(*node);
        (scope.nodes.get(site.index) == Some(node)).then_some(site.index)
    })
}

fn no_sibling(
    arena: &Arena<'_>,
    scope: &ScopeSite,
    step: &Step,
    name: &runbook_syntax::Spanned<String>,
    report: &Report,
) -> Diagnostic {
    let module = arena.node(scope.nodes[scope.nodes.len() - 1]).module;
    let label = step.id.as_ref().map_or("this step".to_owned(), |id| format!("`{}`", id.value));
    if let Some(found) = arena.module(module).ids.get(name.value.as_str()) {
        let message = format!("{label} needs `{}`, which is not beside it", name.value);
        let mut outer = *found;
        while let Some(owner) = arena.owner(outer) {
            if scope.nodes.contains(&owner) {
                let hint = format!("Need the group: `{}`.", arena.label(owner));
                return Diagnostic::error(codes::NEEDS_NOT_SIBLING, name.span, message).hint(hint);
            }
            outer = owner;
        }
        return Diagnostic::error(codes::NEEDS_NOT_SIBLING, name.span, message)
            .hint("`needs` names steps of the same list. What comes before the group is over already.")
            .also(arena.span(*found), format!("`{}` is here", name.value));
    }
    let ids = scope.nodes.iter().filter_map(|node| match arena.node(*node).what {
        What::Step(step) => step.id.as_ref().map(|id| id.value.as_str()),
        _ => None,
    });
    Diagnostic::error(
        codes::NEEDS_UNKNOWN,
        name.span,
        format!("{label} needs `{}`, which does not exist", name.value),
    )
    .hint(
        (report.did_you_mean(&name.value, ids))
            .unwrap_or_else(|| "`needs` names steps of the same list by their `id`.".into()),
    )
}

fn circle(arena: &Arena<'_>, scope: &ScopeSite, cycle: &[usize]) -> Diagnostic {
    let label = |place: &usize| arena.label(scope.nodes[*place]);
    let path: Vec<String> = cycle.iter().map(|place| format!("`{}`", label(place))).collect();
    let first = scope.nodes[cycle[0]];
    let span = match arena.node(first).what {
        What::Step(step) => step.needs.as_ref().map_or(arena.span(first), |needs| needs.span),
        _ => arena.span(first),
    };
    let message = match cycle.len() {
        2 => format!("{} needs itself", path[0]),
        _ => format!("steps need each other in a circle: {}", path.join(" needs ")),
    };
    let hint = "Without `needs`, a step needs everything above it.";
    let diagnostic = Diagnostic::error(codes::CYCLE, span, message).hint(hint);
    let others = &cycle[1..cycle.len() - 1];
    others.iter().fold(diagnostic, |diagnostic, place| {
        diagnostic.also(arena.span(scope.nodes[*place]), format!("`{}` is here", label(place)))
    })
}
