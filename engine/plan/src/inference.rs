//! The type of an expression, as far as it can be known before the run.

use minijinja::machinery::ast::{BinOpKind, CallArg, Const, Expr as Tree, UnaryOpKind};
use minijinja::machinery::parse_expr;
use minijinja::value::ValueKind;
use runbook_step::{Type, Value};
use runbook_syntax::ast::Expr;

use crate::planner::Planner;
use crate::scope::Place;

impl Planner<'_> {
    /// The type of an expression; [`Type::Any`] where it is not known.
    pub(crate) fn type_of(&self, expr: &Expr, place: Place) -> Type {
        if let [read] = expr.reads.as_slice()
            && read.path.join(".") == expr.source
        {
            return self.type_of_path(&read.path, place);
        }
        match parse_expr(&expr.source) {
            Ok(tree) => self.infer(&tree, place, 0),
            Err(_) => Type::Any,
        }
    }

    /// Whether an expression may give null because an input has no value. Only where it is an input, or chooses one: what
    /// else is done with null fails, or gives something.
    pub(crate) fn may_be_null(&self, expr: &Expr, place: Place) -> bool {
        parse_expr(&expr.source).is_ok_and(|tree| self.gives_null(&tree, place, 0))
    }

    fn gives_null(&self, tree: &Tree<'_>, place: Place, depth: u32) -> bool {
        let gives_null = |tree: &Tree<'_>| depth < 64 && self.gives_null(tree, place, depth + 1);
        match tree {
            Tree::GetAttr(_) => match path(tree).as_deref() {
                Some([root, name]) if root == "inputs" => {
                    let spec = self.inputs[place.module.0 as usize].spec(name);
                    spec.is_some_and(|spec| {
                        !spec.required && spec.default.as_ref().is_none_or(Value::is_null)
                    })
                }
                _ => false,
            },
            Tree::IfExpr(choice) => {
                gives_null(&choice.true_expr) || choice.false_expr.as_ref().is_some_and(gives_null)
            }
            Tree::Filter(filter) if filter.name == "default" => match filter.args.first() {
                Some(CallArg::Pos(other)) => gives_null(other),
                _ => false,
            },
            Tree::Var(var) => var.id == "null",
            Tree::Const(value) => value.value.is_none(),
            _ => false,
        }
    }

    fn infer(&self, tree: &Tree<'_>, place: Place, depth: u32) -> Type {
        // Chains of operators nest as deep as the expression is long.
        if depth > 64 {
            return Type::Any;
        }
        let infer = |tree: &Tree<'_>| self.infer(tree, place, depth + 1);
        match tree {
            Tree::Const(value) => constant(value),
            Tree::Var(_) | Tree::GetAttr(_) => match path(tree) {
                Some(path) => self.type_of_path(&path, place),
                None => Type::Any,
            },
            Tree::UnaryOp(op) => match op.op {
                UnaryOpKind::Not => Type::Boolean,
                UnaryOpKind::Neg => infer(&op.expr),
            },
            Tree::Compare(_) | Tree::Test(_) => Type::Boolean,
            Tree::BinOp(op) => match op.op {
                BinOpKind::Eq
                | BinOpKind::Ne
                | BinOpKind::Lt
                | BinOpKind::Lte
                | BinOpKind::Gt
                | BinOpKind::Gte
                | BinOpKind::In => Type::Boolean,
                BinOpKind::Concat => Type::string(),
                BinOpKind::ScAnd | BinOpKind::ScOr => either(infer(&op.left), infer(&op.right)),
                BinOpKind::Div => Type::number(),
                BinOpKind::Add | BinOpKind::Sub | BinOpKind::Mul | BinOpKind::FloorDiv | BinOpKind::Rem => {
                    arithmetic(&infer(&op.left), &infer(&op.right))
                }
                BinOpKind::Pow => Type::Any,
            },
            Tree::IfExpr(choice) => match &choice.false_expr {
                Some(other) => either(infer(&choice.true_expr), infer(other)),
                None => Type::Any,
            },
            Tree::Filter(filter) => match filter.name {
                "upper" | "lower" | "trim" | "replace" | "regex_replace" | "join" | "tojson" | "string"
                | "duration" | "urlencode" | "indent" => Type::string(),
                "length" | "int" => Type::integer(),
                "float" => Type::number(),
                "split" | "lines" => Type::list(Type::string()),
                "keys" | "values" | "items" | "list" | "sort" | "unique" | "map" | "select" | "reject"
                | "selectattr" | "rejectattr" => Type::list(Type::Any),
                "default" => match (&filter.expr, filter.args.first()) {
                    (Some(operand), Some(CallArg::Pos(other))) => either(infer(operand), infer(other)),
                    _ => Type::Any,
                },
                _ => Type::Any,
            },
            Tree::List(_) | Tree::Tuple(_) => Type::list(Type::Any),
            Tree::Map(_) => Type::map_of(Type::Any),
            Tree::Call(_) | Tree::GetItem(_) | Tree::Slice(_) => Type::Any,
        }
    }
}

fn constant(value: &Const) -> Type {
    match value.value.kind() {
        ValueKind::Bool => Type::Boolean,
        ValueKind::Number if value.value.is_integer() => Type::integer(),
        ValueKind::Number => Type::number(),
        ValueKind::String => match value.value.as_str() {
            Some(text) => Type::String { pattern: None, one_of: vec![text.to_owned()] },
            None => Type::string(),
        },
        _ => Type::Any,
    }
}

fn path(tree: &Tree<'_>) -> Option<Vec<String>> {
    match tree {
        Tree::Var(var) => Some(vec![var.id.to_owned()]),
        Tree::GetAttr(get) => {
            let mut path = path(&get.expr)?;
            path.push(get.name.to_owned());
            Some(path)
        }
        _ => None,
    }
}

fn either(left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::Any, _) | (_, Type::Any) => Type::Any,
        (left, right) if left == right => left,
        (left, right) => Type::Either(vec![left, right]),
    }
}

fn arithmetic(left: &Type, right: &Type) -> Type {
    match (left, right) {
        (Type::Integer { .. }, Type::Integer { .. }) => Type::integer(),
        (Type::Integer { .. } | Type::Number { .. }, Type::Integer { .. } | Type::Number { .. }) => {
            Type::number()
        }
        _ => Type::Any,
    }
}
