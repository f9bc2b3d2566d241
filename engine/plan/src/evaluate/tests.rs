use std::collections::BTreeMap;

use proptest::prelude::*;
use runbook_kernel::NodeId;
use runbook_step::{Map, Secret, SecretPart, Value};
use runbook_syntax::{FileId, Span, vocabulary};

use crate::model::{EvalError, Expression, ModuleId, Reference, Resolve, Template, Withheld};

/// Values by what refers to them.
#[derive(Default)]
struct Known(BTreeMap<Reference, Value>);

impl Resolve for Known {
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError> {
        Ok(self.0.get(reference).cloned().unwrap_or_default())
    }
}

fn span(len: usize) -> Span {
    Span { file: FileId(0), start: 100, end: 100 + len as u32 }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn text(value: &str) -> Value {
    Value::Str(value.into())
}

fn known() -> Known {
    let step = |id: &str| Reference::Step { id: id.into(), node: NodeId(0) };
    let input = |name: &str| Reference::Input(ModuleId(0), name.into());
    Known(BTreeMap::from([
        (input("count"), Value::Int(3)),
        (input("ratio"), Value::Float(2.5)),
        (input("on"), Value::Bool(true)),
        (input("version"), text("v1.2.3")),
        (input("hosts"), Value::List(vec![text("a"), text("b")])),
        (input("soak"), Value::Int(5_400_000)),
        (input("token"), Value::Secret(Secret { parts: vec![SecretPart::Name("token".into())] })),
        (
            step("target"),
            map([
                ("status", text("done")),
                (
                    "outputs",
                    map([("colour", text("blue")), ("gone", Value::Null), ("list", Value::List(vec![]))]),
                ),
            ]),
        ),
        (step("skipped"), map([("status", text("skipped")), ("outputs", map([("colour", Value::Null)]))])),
        (
            Reference::Environment,
            map([
                ("name", text("local")),
                ("vars", map([("urls", map([("blue", text("http://b"))])), ("url", text("http://x"))])),
            ]),
        ),
        (Reference::Secret(ModuleId(0), "slack".into()), {
            Value::Secret(Secret { parts: vec![SecretPart::Name("slack".into())] })
        }),
        (Reference::Item { name: "host".into(), each: NodeId(7) }, map([("name", text("kafka4"))])),
        (Reference::ItemKey { name: "host".into(), each: NodeId(7) }, text("kafka4")),
    ]))
}

/// An expression whose references are all that `known` has and the source names.
fn expression(source: &str) -> Expression {
    let refs = known().0.into_keys().filter(|reference| {
        let name = match reference {
            Reference::Input(_, name) => format!("inputs.{name}"),
            Reference::Step { id, .. } => format!("steps.{id}"),
            Reference::Secret(_, name) => format!("secrets.{name}"),
            Reference::Environment => "environment".into(),
            Reference::Item { name, .. } | Reference::ItemKey { name, .. } => name.clone(),
            _ => return false,
        };
        source.contains(&name)
    });
    Expression { source: source.into(), span: span(source.len()), refs: refs.collect() }
}

fn eval(source: &str) -> Result<Value, EvalError> {
    Template::Expr(expression(source)).evaluate(&known())
}

fn error(source: &str) -> String {
    let error = eval(source).unwrap_err();
    let range = (error.span.start - 100) as usize..(error.span.end - 100) as usize;
    format!("{} | at `{}` | {}", error.message, &source[range], error.hint.unwrap_or_default())
}

#[test]
fn an_expression_keeps_its_type() {
    for (source, wanted) in [
        ("inputs.count", Value::Int(3)),
        ("inputs.count + 1", Value::Int(4)),
        ("inputs.count // 2", Value::Int(1)),
        ("inputs.count / 2", Value::Float(1.5)),
        ("-inputs.count", Value::Int(-3)),
        ("inputs.on", Value::Bool(true)),
        ("not inputs.on", Value::Bool(false)),
        ("none", Value::Null),
        ("null", Value::Null),
        ("[1, 'a', true]", Value::List(vec![Value::Int(1), text("a"), Value::Bool(true)])),
        ("{'a': 1.5}", map([("a", Value::Float(1.5))])),
        ("inputs.hosts[1]", text("b")),
        ("inputs.hosts | length", Value::Int(2)),
        ("environment.vars.urls[steps.target.outputs.colour]", text("http://b")),
        ("(environment.vars).url", text("http://x")),
        ("'green' if steps.target.outputs.colour == 'blue' else 'blue'", text("green")),
        ("host.name ~ '/' ~ host_key ~ '/' ~ true ~ null ~ 1.0", text("kafka4/kafka4/truenull1.0")),
    ] {
        assert_eq!(eval(source), Ok(wanted), "{source}");
    }
}

/// What is known, and of `steps.target` three places that nobody may read.
struct Withholding;

impl Resolve for Withholding {
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError> {
        let mut value = known().resolve(reference)?;
        if let (Reference::Step { .. }, Value::Map(step)) = (reference, &mut value) {
            let item = |key: &str| map([("key", text(key)), ("outputs", map([("colour", text("***"))]))]);
            step.insert("each".into(), Value::List(vec![item("k1"), item("k2")]));
            let deep = map([("id", Value::Int(7)), ("token", text("***"))]);
            let Some(Value::Map(outputs)) = step.get_mut("outputs") else { return Ok(value) };
            outputs.insert("json".into(), deep);
        }
        Ok(value)
    }

    fn withheld(&self, reference: &Reference) -> Vec<Withheld> {
        let withheld = |at: &str| Withheld {
            at: at.parse().unwrap(),
            reason: format!("`{at}` is withheld"),
            hint: "Do without.".into(),
        };
        match reference {
            Reference::Step { id, .. } if id == "target" => {
                ["outputs.colour", "outputs.json.token", "each[1].outputs.colour"].map(withheld).into()
            }
            _ => Vec::new(),
        }
    }
}

#[test]
fn what_is_withheld_is_an_error_wherever_it_is_used() {
    let eval = |source: &str| Template::Expr(expression(source)).evaluate(&Withholding);
    for source in [
        "steps.target.outputs.colour",
        "steps.target.outputs.colour == 'blue'",
        "steps.target.outputs.colour | default('blue')",
        "steps.target.outputs.colour is none",
        "steps.target.outputs.colour | upper",
        "'a' ~ steps.target.outputs.colour",
        "1 if steps.target.outputs.colour else 2",
        "steps.target.outputs.json.token.part",
        "steps.target.outputs.json.token.part | default(1)",
        "steps.target.outputs.json",
        "steps.target.outputs['json'] == {'id': 7}",
        "steps.target.outputs.json in [1]",
        "[steps.target.outputs] | length",
        "steps.target.outputs.json | tojson",
        "steps.target.each | selectattr('outputs.colour', 'eq', 'blue') | list | length",
        "steps.target.each | map(attribute='outputs.colour') | map('upper') | join(' ')",
        "environment.vars.urls[steps.target.outputs.colour]",
    ] {
        let error = eval(source).unwrap_err();
        let (message, hint) = (error.message, error.hint.unwrap_or_default());
        assert!(message.contains("is withheld") && hint == "Do without.", "{source}: {message} {hint}");
    }
    for (source, wanted) in [
        ("steps.target.status", text("done")),
        ("steps.target.outputs.gone | default(1)", Value::Int(1)),
        ("steps.target.outputs.json.id", Value::Int(7)),
        ("steps.target.each[0].outputs.colour", text("***")),
        ("steps.target.each | map(attribute='key') | join(' ')", text("k1 k2")),
        ("steps.skipped.outputs.colour", Value::Null),
    ] {
        assert_eq!(eval(source), Ok(wanted), "{source}");
    }
}

/// The same, for people.
struct Telling;

impl Resolve for Telling {
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError> {
        Withholding.resolve(reference)
    }

    fn withheld(&self, reference: &Reference) -> Vec<Withheld> {
        Withholding.withheld(reference)
    }

    fn stand_in(&self) -> Option<&'static str> {
        Some("(hidden)")
    }
}

#[test]
fn people_are_told_what_is_handed_on_and_not_what_is_computed() {
    let tell = |source: &str| Template::Expr(expression(source)).evaluate(&Telling);
    for (source, wanted) in [
        ("steps.target.outputs.json.token", "***"),
        ("steps.target.outputs['json'].token | default('none')", "***"),
        ("'it is ' ~ (steps.target.outputs.colour | string | trim)", "it is blue"),
        ("steps.target.outputs.json | tojson", r#"{"id":7,"token":"***"}"#),
        ("steps.target.each | map(attribute='outputs.colour') | join(', ')", "***, ***"),
        ("steps.target.status | upper", "DONE"),
        ("steps.target.outputs.colour == 'blue'", "(hidden)"),
        ("'yes' if steps.target.outputs.colour == 'blue' else 'no'", "(hidden)"),
        ("steps.target.outputs.colour | upper", "(hidden)"),
        ("environment.vars.urls[steps.target.outputs.colour]", "(hidden)"),
        ("steps.target.each | map('length') | join", "(hidden)"),
    ] {
        assert_eq!(tell(source), Ok(text(wanted)), "{source}");
    }
    let error = tell("steps.target.outputs.json.tokn | default(steps.target.outputs.json.id.x)").unwrap_err();
    assert!(!error.withheld, "{error:?}");
}

#[test]
fn what_an_expression_would_read_of_what_is_withheld() {
    let withheld = |source: &str| expression(source).withheld(&Withholding).map(|error| error.message);
    let one = Some("`outputs.colour` is withheld".to_owned());
    assert_eq!(withheld("'a' if inputs.on else steps.target.outputs.colour"), one);
    assert_eq!(withheld("steps.target.outputs.colour | default('a')"), one);
    assert_eq!(withheld("steps.target.outputs.json.id + inputs.count"), None);
    assert_eq!(withheld("inputs.nothing"), None);
    assert_eq!(expression("(inputs.on or steps.a.x) and inputs.on").paths(), ["inputs.on", "steps.a.x"]);
}

#[test]
fn what_an_item_of_a_list_lacks_is_an_error_unless_it_is_covered() {
    let list = "[{'k': 1, 'o': {'v': 2}}, {'k': 3, 'o': {}}]";
    for over in [
        "map(attribute='o.v') | list",
        "map(attribute='o.v') | join(' ')",
        "map(attribute='o.v') | length",
        "map(attribute='nothing') | list",
        "selectattr('o.v', 'eq', 2) | list | length",
        "selectattr('o.v') | list | length",
        "rejectattr('o.v', 'eq', 2) | list | length",
        "sum(attribute='o.v')",
        "sort(attribute='o.v') | length",
        "unique(attribute='o.v') | list | length",
    ] {
        let error = eval(&format!("{list} | {over}")).unwrap_err();
        assert!(error.message.starts_with("item "), "{over}: {}", error.message);
    }
    for (over, wanted) in [
        ("map(attribute='o.v', default=0) | join(' ')", text("2 0")),
        ("map(attribute='k') | join(' ')", text("1 3")),
        ("sum(attribute='k')", Value::Int(4)),
        ("selectattr('k', 'gt', 1) | map(attribute='k') | join(' ')", text("3")),
        ("selectattr('o.v', 'defined') | map(attribute='o.v') | join(' ')", text("2")),
        ("rejectattr('o.v', 'undefined') | list | length", Value::Int(1)),
    ] {
        assert_eq!(eval(&format!("{list} | {over}")), Ok(wanted), "{over}");
    }
}

#[test]
fn text_around_expressions_becomes_text() {
    let parts = ["inputs.count", "inputs.on", "inputs.ratio", "steps.target.outputs.gone", "inputs.hosts"];
    let mut template = vec![Template::Const(text("v="))];
    template.extend(parts.iter().map(|p| Template::Expr(expression(p))));
    insta::assert_debug_snapshot!(
        Template::Concat(template).evaluate(&known()).unwrap(),
        @r#"
    Str(
        "v=3true2.5null[\"a\",\"b\"]",
    )
    "#
    );
}

#[test]
fn what_is_not_there_is_an_error_wherever_it_is_used() {
    let errors = [
        "steps.target.outputs.colur == 'blue'",
        "1 if environment.vars.debug else 2",
        "environment.vars.urls['green']",
        "steps.skipped.outputs.colour.name",
        "inputs.hosts[7]",
        "inputs.count.x",
        "'' ~ (steps.target.outputs.list | first)",
        "inputs.count if false",
        "inputs.count + 'a'",
        "9223372036854775807 * 9",
        "'x' | fromjson",
    ]
    .map(error)
    .join("\n");
    insta::assert_snapshot!(errors, @r"
    `steps.target.outputs` has no `colur` | at `steps.target.outputs.colur` | Did you mean `colour`?
    `environment.vars` has no `debug` | at `environment.vars.debug` | It has `url` and `urls`.
    `environment.vars.urls` has no `green` | at `environment.vars.urls['green']` | It has `blue`.
    `steps.skipped.outputs.colour` is null, so it has no `name` | at `steps.skipped.outputs.colour.name` | `… | default(…)` covers what may be absent.
    `inputs.hosts` has 2 items, and no [7] | at `inputs.hosts[7]` | 
    `inputs.count` is a number, which has no `x` | at `inputs.count.x` | 
    `first` of an empty list has no value | at `first` | `… | first | default(…)` covers it.
    the result is undefined | at `inputs.count if false` | 
    tried to use + operator on unsupported types number and string | at `inputs.count + 'a'` | 
    83010348331692982263 is too large a whole number (64 bits) | at `9223372036854775807 * 9` | 
    this is not JSON: expected value at line 1 column 1 | at `fromjson` |
    ");
}

#[test]
fn default_covers_the_undefined_and_the_null() {
    for (source, wanted) in [
        ("steps.target.outputs.colur | default('none')", text("none")),
        ("steps.target.outputs.colur.deep.deeper | default('none')", text("none")),
        ("steps.target.outputs.gone | default('none')", text("none")),
        ("steps.skipped.outputs.colour.name | default('none')", text("none")),
        ("steps.target.outputs.colour | default('none')", text("blue")),
        ("steps.target.outputs.list | first | default(0)", Value::Int(0)),
        ("false | default(true)", Value::Bool(false)),
        ("steps.target.outputs.colur is defined", Value::Bool(false)),
        ("steps.target.outputs.gone is none", Value::Bool(true)),
        ("steps.target.outputs.colour is none", Value::Bool(false)),
    ] {
        assert_eq!(eval(source), Ok(wanted), "{source}");
    }
}

#[test]
fn filters_and_tests() {
    for (source, wanted) in [
        ("inputs.soak | duration", text("1h30m")),
        ("'a,b' | split(',') | join('-')", text("a-b")),
        ("[true, none, 1] | join(' ')", text("true null 1")),
        ("{'b': 1, 'a': 2} | keys | sort | join", text("ab")),
        ("{'a': 2} | tojson", text("{\"a\":2}")),
        ("('{\"a\": [1, null]}' | fromjson).a[0]", Value::Int(1)),
        ("'v1.2.3' is matching('^v[0-9]+')", Value::Bool(true)),
        ("'v1.2.3' | regex_replace('^v', '')", text("1.2.3")),
        ("inputs.version | replace('v', '') | upper", text("1.2.3")),
        ("[{'n': 1}, {'n': 2}] | map(attribute='n') | sum", Value::Int(3)),
        ("[3, 1, 3] | unique | sort | list", Value::List(vec![Value::Int(1), Value::Int(3)])),
        ("range(3) | list", Value::List(vec![Value::Int(0), Value::Int(1), Value::Int(2)])),
        ("2.4 | round | int", Value::Int(2)),
        ("' x ' | trim", text("x")),
    ] {
        assert_eq!(eval(source), Ok(wanted), "{source}");
    }
}

#[test]
fn every_listed_filter_test_and_function_exists() {
    let unknown = |source: String| match eval(&source) {
        Ok(_) => false,
        Err(error) => error.message.contains("unknown"),
    };
    for name in vocabulary::FILTERS {
        assert!(!unknown(format!("'1' | {name}")), "{name}");
    }
    for name in vocabulary::TESTS {
        assert!(!unknown(format!("'1' is {name}")), "{name}");
    }
    for name in vocabulary::FUNCTIONS {
        assert!(!unknown(format!("{name}()")), "{name}");
    }
    assert!(unknown("'1' | nothing".into()));
}

#[test]
fn a_secret_stays_opaque() {
    let slack = Value::Secret(Secret { parts: vec![SecretPart::Name("slack".into())] });
    assert_eq!(eval("secrets.slack"), Ok(slack));
    let bearer = Template::Concat(vec![
        Template::Const(text("Bearer ")),
        Template::Expr(expression("secrets.slack")),
        Template::Const(text("!")),
    ]);
    let parts = vec![
        SecretPart::Text("Bearer ".into()),
        SecretPart::Name("slack".into()),
        SecretPart::Text("!".into()),
    ];
    assert_eq!(bearer.evaluate(&known()), Ok(Value::Secret(Secret { parts })));
    for source in ["inputs.token ~ 'x'", "inputs.token == 'x'", "inputs.token | length", "[inputs.token]"] {
        assert!(error(source).starts_with("a secret can only stand alone"), "{source}");
    }
}

#[test]
fn a_condition_is_a_boolean() {
    assert_eq!(expression("inputs.count > 2").condition(&known()), Ok(true));
    insta::assert_snapshot!(
        expression("inputs.count").condition(&known()).unwrap_err().message,
        @"a condition must be true or false, and this is a whole number"
    );
}

#[test]
fn work_is_bounded() {
    for source in [
        "range(9999) | map('string') | join('x' * 9999)",
        "'x' * 999999999",
        "range(99999) | map('string') | map('length') | map('string') | list",
        "[1] * 99999999",
        "[''] * 999999999 | join",
        "([1] * 999999999) | tojson",
        "[[1] * 99999] * 99999 | length | string ~ ([1] * 99999999 | sort)",
    ] {
        assert!(eval(source).is_err(), "{source}");
    }
}

/// Sources that look like expressions.
fn sources() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "inputs.count",
        "inputs.hosts",
        "inputs.version",
        "steps.target.outputs.colour",
        "steps.target.outputs.typo",
        "environment.vars",
        "host",
        "host_key",
        "1",
        "0",
        "'a'",
        "none",
        "true",
        "[]",
        "{}",
        "9223372036854775807",
    ])
    .prop_map(str::to_owned);
    atom.prop_recursive(4, 24, 3, |inner| {
        let operator =
            prop::sample::select(vec!["+", "-", "*", "/", "//", "%", "~", "==", "<", "and", "or", "in"]);
        let filter = prop::sample::select(vocabulary::FILTERS.to_vec());
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), filter).prop_map(|(a, filter)| format!("({a} | {filter})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} | default({b}))")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            inner.prop_map(|a| format!("(not {a}).x")),
        ]
    })
}

proptest! {
    /// Every expression has a value or an error: none panics, none hangs, and a value is one of ours.
    #[test]
    fn evaluation_is_total(source in sources()) {
        let _ = eval(&source);
    }

    /// With all lookups there, strictness changes nothing: what is evaluated is what the engine itself would say.
    #[test]
    fn strictness_only_adds_errors(source in sources()) {
        let plain = super::filters::environment().compile_expression(&source).and_then(|compiled| {
            compiled.eval(super::conversion::root(&expression(&source), &known()).unwrap())
        });
        if let (Ok(plain), Ok(strict)) = (plain.map(|v| super::conversion::from_jinja(&v)), eval(&source))
            && !source.contains(['~', '|'])
        {
            prop_assert_eq!(plain, Ok(strict));
        }
    }
}

#[test]
fn maps_come_back_as_they_went_in() {
    let value = map([("a", Value::List(vec![map([("b", Value::Null)])])), ("c", Value::Map(Map::new()))]);
    let there = super::conversion::to_jinja(&value).unwrap();
    assert_eq!(super::conversion::from_jinja(&there), Ok(value));
}

#[test]
fn what_was_written_and_what_it_stood_for() {
    let expr = |source: &str| Template::Expr(expression(source));
    let invocation = crate::model::Invocation {
        step: "assert".into(),
        params: vec![
            ("that".into(), expr("inputs.count == 4 and steps.target.outputs.colour in inputs.hosts")),
            ("all".into(), Template::List(vec![Template::Map(vec![("that".into(), expr("not inputs.on"))])])),
            ("token".into(), expr("inputs.token")),
            ("name".into(), Template::Const(text("x"))),
        ],
        outputs: Vec::new(),
        programs: Vec::new(),
        unpinned: None,
        span: span(0),
    };
    insta::assert_debug_snapshot!(invocation.written(&known()), @r#"
    {
        "all[0].that": "not inputs.on (inputs.on = true)",
        "that": "inputs.count == 4 and steps.target.outputs.colour in inputs.hosts (inputs.count = 3, steps.target.outputs.colour = \"blue\", inputs.hosts = [\"a\",\"b\"])",
        "token": "inputs.token",
    }
    "#);
}
