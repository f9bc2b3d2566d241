//! What people are told of an expression that reads what is withheld.

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr as Tree};
use minijinja::machinery::parse_expr;
use runbook_step::Value;

use crate::model::{EvalError, Expression, Reference, Resolve};

/// Filters whose result is no other than what was withheld, laid out in another way.
const LAY_OUT: [&str; 6] = ["default", "indent", "join", "string", "tojson", "trim"];

/// The value for people, in a scope that is read by people. What is handed on is as it was recorded. What is computed
/// from that would not be true: `'***' == 'green'` is false whatever the colour is.
pub(super) fn told(expression: &Expression, scope: &dyn Resolve) -> Option<Result<Value, EvalError>> {
    let stand_in = scope.stand_in()?;
    Some(match parse_expr(&expression.source) {
        Ok(tree) if hands_on(&tree) => expression.compute(&AsRecorded(scope)),
        _ => Ok(Value::Str(stand_in.to_owned())),
    })
}

/// Whether all that it does with what it reads is to hand it on.
fn hands_on(tree: &Tree<'_>) -> bool {
    match tree {
        Tree::Var(_) | Tree::Const(_) => true,
        Tree::GetAttr(get) => hands_on(&get.expr),
        Tree::GetItem(get) => matches!(get.subscript_expr, Tree::Const(_)) && hands_on(&get.expr),
        Tree::BinOp(op) => matches!(op.op, BinOpKind::Concat) && hands_on(&op.left) && hands_on(&op.right),
        Tree::Filter(filter) => {
            let picks = |arg: &CallArg<'_>| matches!(arg, CallArg::Kwarg("attribute", Tree::Const(_)));
            let lays_out = LAY_OUT.contains(&filter.name);
            (lays_out || filter.name == "map" && filter.args.iter().all(picks))
                && filter.expr.as_ref().is_some_and(hands_on)
                && filter.args.iter().all(|arg| hands_on(super::written::argument(arg)))
        }
        _ => false,
    }
}

/// A scope in which nothing is withheld.
struct AsRecorded<'a>(&'a dyn Resolve);

impl Resolve for AsRecorded<'_> {
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError> {
        self.0.resolve(reference)
    }

    fn may_work(&self) -> bool {
        self.0.may_work()
    }

    fn worked(&self, units: u64, at: runbook_syntax::Span) {
        self.0.worked(units, at);
    }
}
