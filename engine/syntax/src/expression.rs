//! Expressions: checked once for being one, and for what they read.
//!
//! The language is minijinja's expressions: no statements, no loops, no names bound inside. What an expression yields
//! is the evaluator's business.

use minijinja::machinery::{self, ast};
use std::ops::Range;

use crate::ast::{Data, Expr, Read, Segment};
use crate::scalar::Placement;
use crate::suggestion::{alternatives, did_you_mean};
use crate::vocabulary::{CLOSED_ROOTS, FILTERS, FUNCTIONS, TESTS};
use crate::{Diagnostic, Sources, Span, Spanned, codes};

/// The longest expression, in bytes.
pub(crate) const MAX_LENGTH: usize = 4096;

/// Checks the expression `text`. `place` says where a range of its bytes stands in the file.
pub(crate) fn parse(text: &str, place: &dyn Fn(Range<usize>) -> Span, faults: &mut Vec<Diagnostic>) -> Expr {
    let from = text.len() - text.trim_start().len();
    let source = text.trim();
    let at = |range: Range<usize>| {
        // An error at the end of the text has no width; and minijinja's ranges are not promised to be inside.
        let end = range.end.min(source.len());
        place(range.start.min(end) + from..end + from)
    };
    let whole = at(0..source.len());
    let mut expr = Expr { source: source.to_owned(), span: whole, reads: Vec::new() };
    if source.is_empty() {
        let fault = Diagnostic::error(
            codes::EXPRESSION_SYNTAX,
            place(0..text.len()),
            "there is nothing between the braces",
        );
        faults.push(fault.hint("Write what is read, such as `${{ inputs.NAME }}`, or leave the braces out."));
        return expr;
    }
    if source.len() > MAX_LENGTH {
        let message =
            format!("an expression of {} bytes is too long; {MAX_LENGTH} are allowed", source.len());
        faults.push(
            Diagnostic::error(codes::EXPRESSION_TOO_LONG, whole, message)
                .hint("Let a script or a `set` step compute it."),
        );
        // It is not handed on: nested that deep, whoever reads it next runs out of stack.
        expr.source.clear();
        return expr;
    }
    match machinery::parse_expr(source) {
        Ok(parsed) => {
            let mut walk = Walk { source, at: &at, reads: Vec::new(), faults };
            walk.expression(&parsed);
            expr.reads = walk.reads;
            expr.reads.sort_by_key(|read| read.span);
        }
        Err(error) => faults.push(syntax_fault(source, &error, &at)),
    }
    expr
}

/// A condition that a step type takes (`assert.that`): one expression, braces optional.
pub fn condition(sources: &Sources, value: &Spanned<Data>, faults: &mut Vec<Diagnostic>) -> Option<Expr> {
    let span = value.span;
    match &value.value {
        Data::Bool(flag) => return Some(Expr { source: flag.to_string(), span, reads: Vec::new() }),
        Data::Text(text) => match text.segments.as_slice() {
            [Segment::Expr(expr)] => return Some(expr.clone()),
            [Segment::Literal(bare)] => {
                let placement = Placement::new(&sources.file(span.file).text, span.range(), bare);
                return Some(parse(bare, &|range| Span::new(span.file, placement.range(range)), faults));
            }
            _ => {}
        },
        _ => {}
    }
    faults.push(not_one(span));
    None
}

/// A condition of several pieces.
pub(crate) fn not_one(span: Span) -> Diagnostic {
    Diagnostic::error(
        codes::NOT_ONE_EXPRESSION,
        span,
        "a condition is one expression that gives true or false",
    )
    .hint("Write it without braces, or with one pair around all of it: `when: inputs.a and inputs.b`.")
}

fn syntax_fault(source: &str, error: &minijinja::Error, at: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    let range = error.range().unwrap_or(0..source.len());
    let detail = error
        .detail()
        .unwrap_or("not an expression")
        .replace("expected identifier or integer", "expected a name")
        .replace("expected identifier", "expected a name")
        .replace("expected expression", "expected a value")
        .replace("unexpected end of input, expected", "it ends where there should be");
    let fault = Diagnostic::error(
        codes::EXPRESSION_SYNTAX,
        at(range.clone()),
        format!("not an expression: {detail}"),
    );
    let around =
        source.get(range.start.saturating_sub(1)..(range.end + 1).min(source.len())).unwrap_or_default();
    let hint = if around.contains('&') {
        "And is written `and`."
    } else if around.contains('!') {
        "Not is written `not`, unequal is written `!=`."
    } else if around.contains('?') {
        "A choice is written `a if condition else b`."
    } else if around.contains('=') {
        "Equal is written `==`."
    } else if source.contains("||") {
        "Or is written `or`."
    } else {
        "Something is missing or too much here. Text stands in quotes: `'…'`."
    };
    fault.hint(hint)
}

struct Walk<'a> {
    source: &'a str,
    at: &'a dyn Fn(Range<usize>) -> Span,
    reads: Vec<Read>,
    faults: &'a mut Vec<Diagnostic>,
}

impl Walk<'_> {
    /// Looks at every node. Iterative: chains of operators nest as deep as the expression is long.
    fn expression(&mut self, root: &ast::Expr<'_>) {
        let mut todo = vec![(root, false)];
        while let Some((expr, guarded)) = todo.pop() {
            if let Some((path, range)) = path_of(expr) {
                self.read(&path, range, guarded);
                continue;
            }
            match expr {
                // A name, and attributes of one, are paths.
                ast::Expr::Var(_) | ast::Expr::Const(_) => {}
                ast::Expr::GetAttr(get) => todo.push((&get.expr, guarded)),
                ast::Expr::GetItem(get) => {
                    if !self.subscript(&get.expr, &get.subscript_expr, get.span()) {
                        todo.push((&get.expr, guarded));
                    }
                    todo.push((&get.subscript_expr, false));
                }
                ast::Expr::Slice(slice) => {
                    todo.push((&slice.expr, guarded));
                    todo.extend(
                        [&slice.start, &slice.stop, &slice.step]
                            .into_iter()
                            .flatten()
                            .map(|part| (part, false)),
                    );
                }
                ast::Expr::UnaryOp(op) => todo.push((&op.expr, false)),
                ast::Expr::BinOp(op) => todo.extend([(&op.left, false), (&op.right, false)]),
                ast::Expr::Compare(compare) => {
                    todo.push((&compare.expr, false));
                    todo.extend(compare.ops.iter().map(|op| (&op.expr, false)));
                }
                ast::Expr::IfExpr(choice) => {
                    todo.extend([(&choice.test_expr, false), (&choice.true_expr, false)]);
                    todo.extend(choice.false_expr.as_ref().map(|part| (part, false)));
                }
                ast::Expr::Filter(filter) => {
                    self.known("filter", filter.name, FILTERS, filter.span());
                    self.named_by_text(filter);
                    todo.extend(filter.expr.as_ref().map(|operand| (operand, filter.name == "default")));
                    todo.extend(arguments(&filter.args));
                }
                ast::Expr::Test(test) => {
                    self.known("test", test.name, TESTS, test.span());
                    let asks = matches!(test.name, "defined" | "undefined" | "none");
                    todo.push((&test.expr, asks));
                    todo.extend(arguments(&test.args));
                }
                ast::Expr::Call(call) => {
                    match &call.expr {
                        ast::Expr::Var(function) => {
                            self.known("function", function.id, FUNCTIONS, function.span())
                        }
                        callee => {
                            let fault = Diagnostic::error(
                                codes::EXPRESSION_NAME,
                                self.place(callee.span()),
                                "a value cannot be called",
                            )
                            .hint("There are no methods. Use a filter: `value | name`.");
                            self.faults.push(fault);
                            // The method itself is not read.
                            todo.push((
                                if let ast::Expr::GetAttr(get) = callee { &get.expr } else { callee },
                                false,
                            ));
                        }
                    }
                    todo.extend(arguments(&call.args));
                }
                ast::Expr::List(list) => todo.extend(list.items.iter().map(|item| (item, false))),
                ast::Expr::Tuple(tuple) => todo.extend(tuple.items.iter().map(|item| (item, false))),
                ast::Expr::Map(map) => {
                    todo.extend(map.keys.iter().chain(&map.values).map(|part| (part, false)))
                }
            }
        }
    }

    fn read(&mut self, path: &[&str], range: Range<usize>, guarded: bool) {
        let span = (self.at)(range);
        if let [root @ ("steps" | "secrets")] = path {
            let message = format!("`{root}` as a whole has no value");
            let hint = format!(
                "Name what you need: `{root}.{}`.",
                if *root == "steps" { "ID.outputs.NAME" } else { "NAME" }
            );
            self.faults.push(Diagnostic::error(codes::DYNAMIC_SUBSCRIPT, span, message).hint(hint));
            return;
        }
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        self.reads.push(Read { path, span, guarded });
    }

    /// `steps['x']` could name anything; what a runbook needs must be known before it runs. Whether it was reported.
    fn subscript(&mut self, base: &ast::Expr<'_>, subscript: &ast::Expr<'_>, span: machinery::Span) -> bool {
        let Some((path, _)) = path_of(base) else { return false };
        let open = match path.as_slice() {
            ["steps", _] => true,
            ["steps", _, member] => *member == "outputs",
            [root] => CLOSED_ROOTS.contains(root),
            _ => false,
        };
        if open {
            let path = path.join(".");
            let name = match subscript {
                ast::Expr::Const(name) => name.value.as_str().unwrap_or("NAME"),
                _ => "NAME",
            };
            let message = format!("`{path}[…]` cannot be checked before the run");
            let fault = Diagnostic::error(codes::DYNAMIC_SUBSCRIPT, self.place(span), message);
            let plain = !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            self.faults.push(fault.hint(match plain {
                true => format!("Write the name out: `{path}.{name}`."),
                false => format!(
                    "Give `{name}` a name that can stand after a dot: a letter, then letters, digits and `_`."
                ),
            }));
        }
        open
    }

    fn known(&mut self, what: &str, name: &str, names: &[&'static str], span: machinery::Span) {
        if names.contains(&name) {
            return;
        }
        let start = span.start_offset as usize;
        let fault = Diagnostic::error(
            codes::EXPRESSION_NAME,
            (self.at)(start..start + name.len()),
            format!("unknown {what} `{name}`"),
        )
        .hint(foreign(what, name).map_or_else(|| which_of(name, names), str::to_owned));
        self.faults.push(fault);
    }

    /// `map('upper')`, `select('even')`, `selectattr('up', 'eq', 1)` name filters and tests by text.
    fn named_by_text(&mut self, filter: &ast::Filter<'_>) {
        let (what, names, position) = match filter.name {
            "map" => ("filter", FILTERS, 0),
            "select" | "reject" => ("test", TESTS, 0),
            "selectattr" | "rejectattr" => ("test", TESTS, 1),
            _ => return,
        };
        let Some(ast::CallArg::Pos(ast::Expr::Const(name))) = filter.args.get(position) else { return };
        let Some(text) = name.value.as_str() else { return };
        if !names.contains(&text) {
            let fault = Diagnostic::error(
                codes::EXPRESSION_NAME,
                self.place(name.span()),
                format!("unknown {what} `{text}`"),
            )
            .hint(which_of(text, names));
            self.faults.push(fault);
        }
    }

    fn place(&self, span: machinery::Span) -> Span {
        let end = (span.end_offset as usize).min(self.source.len());
        (self.at)((span.start_offset as usize).min(end)..end)
    }
}

/// What neighbours call as a function is a key here, or a name.
fn foreign(what: &str, name: &str) -> Option<&'static str> {
    match (what, name) {
        ("function", "failure" | "always" | "cancelled") => Some(
            "What runs whatever happens stands under `finally:`, where `run.status` says how the run went; what runs first on a \
             failure, under `on_failure: {first: …}`.",
        ),
        ("function", "success") => Some(
            "A step runs only where all that it needs succeeded: leave it out. In `finally:` there is `run.status`.",
        ),
        ("function", "env" | "lookup") => Some(
            "What differs between places is an input, or `environment.vars.NAME`; secrets are `secrets.NAME`.",
        ),
        _ => None,
    }
}

/// The name that was meant, or all that there are.
fn which_of(name: &str, names: &[&str]) -> String {
    did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.len() {
        0..=12 => format!("There is {}.", alternatives(names.iter().copied())),
        _ => "`runbook explain E303` lists them.".into(),
    })
}

fn arguments<'a, 's>(args: &'a [ast::CallArg<'s>]) -> impl Iterator<Item = (&'a ast::Expr<'s>, bool)> {
    args.iter().map(|arg| match arg {
        ast::CallArg::Pos(expr) | ast::CallArg::Kwarg(_, expr) => (expr, false),
        ast::CallArg::PosSplat(expr) | ast::CallArg::KwargSplat(expr) => (expr, false),
    })
}

/// A name and attributes of it, `steps.x.outputs.y`, and where that stands.
fn path_of<'a>(expr: &ast::Expr<'a>) -> Option<(Vec<&'a str>, Range<usize>)> {
    let end = expr.span().end_offset as usize;
    let mut path = Vec::new();
    let mut at = expr;
    loop {
        match at {
            ast::Expr::GetAttr(get) => {
                path.push(get.name);
                at = &get.expr;
            }
            ast::Expr::Var(var) => {
                path.push(var.id);
                path.reverse();
                return Some((path, var.span().start_offset as usize..end));
            }
            _ => return None,
        }
    }
}
