//! Makes an expression strict: what is not there is an error wherever it is used, not only where it is printed.
//!
//! The engine below lets an undefined value through comparisons and truth tests (`steps.x.outputs.typo == 'blue'` would
//! be false). So each lookup is replaced by a call of [`super::filters::get`], which says what is missing and what is
//! there; only directly under `default` and the tests for being there it is [`super::filters::find`], which does not
//! mind. What a lookup comes to goes through [`super::filters::whole`], so that no filter, comparison or test meets a value
//! that is withheld. `~` is replaced as well, because it writes `True` and `none` where our texts say `true` and `null`.

use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    BinOp, BinOpKind, Call, CallArg, Compare, CompareOp, Const, Expr, Filter, IfExpr, List, Map, Slice,
    Spanned, Test, Tuple, UnaryOp, UnaryOpKind, Var,
};

/// Filters whose result may be absent (of an empty list).
const MAY_BE_ABSENT: [&str; 4] = ["first", "last", "min", "max"];

/// Whether a filter or test takes an operand that is not there.
pub(crate) fn tolerates_absence(name: &str) -> bool {
    matches!(name, "default" | "defined" | "undefined" | "none")
}

/// The same expression, strict.
pub(super) fn make_strict<'a>(expr: &Expr<'a>) -> Expr<'a> {
    rebuild(expr, false)
}

fn rebuild<'a>(expr: &Expr<'a>, lenient: bool) -> Expr<'a> {
    match expr {
        Expr::GetAttr(_) | Expr::GetItem(_) => whole(rebuild_part(expr, lenient), expr.span()),
        _ => rebuild_part(expr, lenient),
    }
}

/// An expression of whose value only a part is used, as of `a.b` in `a.b.c`.
fn rebuild_part<'a>(expr: &Expr<'a>, lenient: bool) -> Expr<'a> {
    let span = expr.span();
    match expr {
        Expr::Var(var) if var.id == "null" => constant(Value::from(()), span),
        Expr::Var(var) => Expr::Var(Spanned::new(Var { id: var.id }, span)),
        Expr::Const(value) => constant(value.value.clone(), span),
        Expr::GetAttr(get) => lookup(&get.expr, constant(Value::from(get.name), span), lenient, span),
        Expr::GetItem(get) => lookup(&get.expr, rebuild(&get.subscript_expr, false), lenient, span),
        Expr::Filter(filter) if let Some(attribute) = picked_attribute(filter) => {
            let operand = filter.expr.as_ref().map(|e| rebuild_part(e, false));
            let call = call_filter(filter.name, operand, arguments(&filter.args), span);
            let attribute = CallArg::Pos(rebuild(attribute, false));
            whole(call_filter("__picked", Some(call), vec![attribute], span), span)
        }
        Expr::Filter(filter) if let Some(attribute) = compared_attribute(filter) => {
            let operand = filter.expr.as_ref().map(|e| rebuild(e, false));
            let attribute = CallArg::Pos(rebuild(attribute, false));
            let operand = call_filter("__having", operand, vec![attribute], span);
            call_filter(filter.name, Some(operand), arguments(&filter.args), span)
        }
        Expr::Filter(filter) => {
            let operand = filter.expr.as_ref().map(|e| rebuild(e, tolerates_absence(filter.name)));
            let call = call_filter(filter.name, operand, arguments(&filter.args), span);
            if MAY_BE_ABSENT.contains(&filter.name) && !lenient {
                call_filter("__present", Some(call), vec![text(filter.name, span)], span)
            } else {
                call
            }
        }
        Expr::Test(test) => Expr::Test(Spanned::new(
            Test {
                name: test.name,
                expr: rebuild(&test.expr, tolerates_absence(test.name)),
                args: arguments(&test.args),
            },
            span,
        )),
        Expr::BinOp(op) if matches!(op.op, BinOpKind::Concat) => {
            let right = CallArg::Pos(rebuild(&op.right, false));
            call_filter("__concat", Some(rebuild(&op.left, false)), vec![right], span)
        }
        Expr::BinOp(op) => Expr::BinOp(Spanned::new(
            BinOp { op: op.op, left: rebuild(&op.left, false), right: rebuild(&op.right, false) },
            span,
        )),
        Expr::Compare(compare) => Expr::Compare(Spanned::new(
            Compare {
                expr: rebuild(&compare.expr, false),
                ops: (compare.ops.iter())
                    .map(|op| CompareOp { op: op.op, expr: rebuild(&op.expr, false) })
                    .collect(),
            },
            span,
        )),
        Expr::UnaryOp(op) => {
            // The kind can be neither copied nor cloned.
            let kind = if matches!(op.op, UnaryOpKind::Not) { UnaryOpKind::Not } else { UnaryOpKind::Neg };
            Expr::UnaryOp(Spanned::new(UnaryOp { op: kind, expr: rebuild(&op.expr, false) }, span))
        }
        Expr::IfExpr(choice) => Expr::IfExpr(Spanned::new(
            IfExpr {
                test_expr: rebuild(&choice.test_expr, false),
                true_expr: rebuild(&choice.true_expr, lenient),
                false_expr: choice.false_expr.as_ref().map(|e| rebuild(e, lenient)),
            },
            span,
        )),
        Expr::Slice(slice) => Expr::Slice(Spanned::new(
            Slice {
                expr: rebuild(&slice.expr, false),
                start: slice.start.as_ref().map(|e| rebuild(e, false)),
                stop: slice.stop.as_ref().map(|e| rebuild(e, false)),
                step: slice.step.as_ref().map(|e| rebuild(e, false)),
            },
            span,
        )),
        Expr::Call(call) => {
            // The callee is a name; anything else has been refused by the plan.
            let callee = rebuild(&call.expr, false);
            Expr::Call(Spanned::new(Call { expr: callee, args: arguments(&call.args) }, span))
        }
        Expr::List(list) => Expr::List(Spanned::new(List { items: all(&list.items) }, span)),
        Expr::Tuple(tuple) => Expr::Tuple(Spanned::new(Tuple { items: all(&tuple.items) }, span)),
        Expr::Map(map) => {
            Expr::Map(Spanned::new(Map { keys: all(&map.keys), values: all(&map.values) }, span))
        }
    }
}

fn lookup<'a>(base: &Expr<'a>, key: Expr<'a>, lenient: bool, span: Span) -> Expr<'a> {
    // The engine's own span of a lookup leaves the first name out.
    let span = from_the_start(base, span);
    let name = if lenient { "__find" } else { "__get" };
    let args = vec![CallArg::Pos(key), text(&path(base), span)];
    call_filter(name, Some(rebuild_part(base, lenient)), args, span)
}

fn whole(expr: Expr<'_>, span: Span) -> Expr<'_> {
    call_filter("__whole", Some(expr), Vec::new(), span)
}

/// `… | map(attribute=…)`
fn picked_attribute<'f, 'a>(filter: &'f Filter<'a>) -> Option<&'f Expr<'a>> {
    named_attribute(filter).filter(|_| filter.name == "map")
}

fn named_attribute<'f, 'a>(filter: &'f Filter<'a>) -> Option<&'f Expr<'a>> {
    filter.args.iter().find_map(|arg| match arg {
        CallArg::Kwarg("attribute", name) => Some(name),
        _ => None,
    })
}

/// `… | selectattr('a.b', TEST, …)`, unless it is a test for being there; `… | sum(attribute='a.b')` and the like.
fn compared_attribute<'f, 'a>(filter: &'f Filter<'a>) -> Option<&'f Expr<'a>> {
    if let Some(attribute) = named_attribute(filter) {
        return Some(attribute);
    }
    let (CallArg::Pos(attribute), rest) = filter.args.split_first()? else { return None };
    let tolerant = match rest.first() {
        Some(CallArg::Pos(Expr::Const(test))) => test.value.as_str().is_some_and(tolerates_absence),
        _ => false,
    };
    (matches!(filter.name, "selectattr" | "rejectattr") && !tolerant).then_some(attribute)
}

fn from_the_start(base: &Expr<'_>, span: Span) -> Span {
    let first = match base {
        Expr::GetAttr(get) => from_the_start(&get.expr, base.span()),
        Expr::GetItem(get) => from_the_start(&get.expr, base.span()),
        _ => base.span(),
    };
    let Span { start_line, start_col, start_offset, .. } = first;
    Span { start_line, start_col, start_offset, ..span }
}

/// How a lookup's base is written, for messages.
fn path(expr: &Expr<'_>) -> String {
    match expr {
        Expr::Var(var) => var.id.to_owned(),
        Expr::GetAttr(get) => format!("{}.{}", path(&get.expr), get.name),
        Expr::GetItem(get) => match &get.subscript_expr {
            Expr::Const(key) => format!("{}[{:?}]", path(&get.expr), key.value),
            other => format!("{}[{}]", path(&get.expr), path(other)),
        },
        _ => "…".to_owned(),
    }
}

fn call_filter<'a>(name: &'a str, operand: Option<Expr<'a>>, args: Vec<CallArg<'a>>, span: Span) -> Expr<'a> {
    Expr::Filter(Spanned::new(Filter { name, expr: operand, args }, span))
}

fn text<'a>(value: &str, span: Span) -> CallArg<'a> {
    CallArg::Pos(constant(Value::from(value), span))
}

fn constant<'a>(value: Value, span: Span) -> Expr<'a> {
    Expr::Const(Spanned::new(Const { value }, span))
}

fn all<'a>(items: &[Expr<'a>]) -> Vec<Expr<'a>> {
    items.iter().map(|item| rebuild(item, false)).collect()
}

fn arguments<'a>(args: &[CallArg<'a>]) -> Vec<CallArg<'a>> {
    args.iter()
        .map(|arg| match arg {
            CallArg::Pos(e) => CallArg::Pos(rebuild(e, false)),
            CallArg::Kwarg(name, e) => CallArg::Kwarg(name, rebuild(e, false)),
            CallArg::PosSplat(e) => CallArg::PosSplat(rebuild(e, false)),
            CallArg::KwargSplat(e) => CallArg::KwargSplat(rebuild(e, false)),
        })
        .collect()
}
