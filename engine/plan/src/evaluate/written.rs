//! Expressions for people: as they are written, and what their names stood for.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{CallArg, Expr as Tree};
use minijinja::machinery::parse_expr;
use runbook_step::Value;

use crate::model::{EvalError, Expression, Invocation, Resolve, Template};

/// The longest value, in characters, and the most names that are shown.
const LONGEST: usize = 60;
const MOST_NAMES: usize = 4;

impl Invocation {
    /// For messages: of each parameter that is exactly one expression, that expression and what its names stand for,
    /// such as `inputs.n == 3 (inputs.n = 4)`. By place: `that`, `that[0].that`.
    pub fn written(&self, scope: &dyn Resolve) -> BTreeMap<String, String> {
        let mut written = BTreeMap::new();
        for (name, template) in &self.params {
            collect(name.clone(), template, scope, &mut written);
        }
        written
    }
}

impl Expression {
    /// The names that it reads with their attributes, such as `steps.a.outputs.url`, each once, in the order of the text.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        if let Ok(tree) = parse_expr(&self.source) {
            paths_in(&tree, &mut paths, 0);
        }
        paths
    }

    /// Why a name that it reads has no value: it is withheld.
    pub fn withheld(&self, scope: &dyn Resolve) -> Option<EvalError> {
        if self.refs.iter().all(|reference| scope.withheld(reference).is_empty()) {
            return None;
        }
        let alone = |path| Expression { source: path, ..self.clone() };
        let errors = self.paths().into_iter().filter_map(|path| alone(path).evaluate(scope).err());
        errors.into_iter().find(|error| error.withheld)
    }
}

fn collect(place: String, template: &Template, scope: &dyn Resolve, written: &mut BTreeMap<String, String>) {
    match template {
        Template::Expr(expression) => drop(written.insert(place, show(expression, scope))),
        Template::List(items) => {
            for (number, item) in items.iter().enumerate() {
                collect(format!("{place}[{number}]"), item, scope, written);
            }
        }
        Template::Map(entries) => {
            for (name, item) in entries {
                collect(format!("{place}.{name}"), item, scope, written);
            }
        }
        Template::Const(_) | Template::Concat(_) => {}
    }
}

fn show(expression: &Expression, scope: &dyn Resolve) -> String {
    let values: Vec<String> = (expression.paths())
        .into_iter()
        .take(MOST_NAMES)
        .filter_map(|path| {
            let alone = Expression { source: path.clone(), ..expression.clone() };
            match alone.evaluate(scope) {
                Ok(Value::Secret(_)) | Err(_) => None,
                Ok(value) => Some(format!("{path} = {}", short(&value))),
            }
        })
        .collect();
    match values.is_empty() {
        true => expression.source.clone(),
        false => format!("{} ({})", expression.source, values.join(", ")),
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Str(text) => format!("{text:?}"),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The names with their attributes, each once, in the order of the text.
fn paths_in(tree: &Tree<'_>, paths: &mut Vec<String>, depth: u32) {
    if depth > 32 {
        return;
    }
    if let Some(path) = path(tree) {
        if !paths.contains(&path) {
            paths.push(path);
        }
        return;
    }
    let mut inside = |tree: &Tree<'_>| paths_in(tree, paths, depth + 1);
    match tree {
        Tree::UnaryOp(op) => inside(&op.expr),
        Tree::BinOp(op) => [&op.left, &op.right].into_iter().for_each(inside),
        Tree::Compare(compare) => {
            inside(&compare.expr);
            compare.ops.iter().for_each(|op| inside(&op.expr));
        }
        Tree::IfExpr(choice) => {
            [Some(&choice.test_expr), Some(&choice.true_expr), choice.false_expr.as_ref()]
                .into_iter()
                .flatten()
                .for_each(inside);
        }
        Tree::Filter(filter) => {
            filter.expr.iter().for_each(&mut inside);
            filter.args.iter().for_each(|arg| inside(argument(arg)));
        }
        Tree::Test(test) => {
            inside(&test.expr);
            test.args.iter().for_each(|arg| inside(argument(arg)));
        }
        Tree::GetAttr(get) => inside(&get.expr),
        Tree::GetItem(get) => [&get.expr, &get.subscript_expr].into_iter().for_each(inside),
        Tree::Slice(slice) => inside(&slice.expr),
        Tree::Call(call) => call.args.iter().for_each(|arg| inside(argument(arg))),
        Tree::List(list) => list.items.iter().for_each(inside),
        Tree::Tuple(tuple) => tuple.items.iter().for_each(inside),
        Tree::Map(map) => map.values.iter().for_each(inside),
        Tree::Var(_) | Tree::Const(_) => {}
    }
}

pub(super) fn argument<'a, 's>(arg: &'a CallArg<'s>) -> &'a Tree<'s> {
    match arg {
        CallArg::Pos(tree)
        | CallArg::Kwarg(_, tree)
        | CallArg::PosSplat(tree)
        | CallArg::KwargSplat(tree) => tree,
    }
}

fn path(tree: &Tree<'_>) -> Option<String> {
    match tree {
        Tree::Var(var) if var.id != "null" => Some(var.id.to_owned()),
        Tree::GetAttr(get) => Some(format!("{}.{}", path(&get.expr)?, get.name)),
        _ => None,
    }
}
