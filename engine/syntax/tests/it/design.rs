//! The example of the design document.

use runbook_syntax::ast::{Action, Data, Document, RollbackDecl, Segment, StepKind, Wait};
use runbook_syntax::{Sources, condition, parse};

use crate::runbook;

#[test]
fn the_example_of_the_design() {
    let runbook = runbook(include_str!("blue_green.yaml"));
    let ids: Vec<&str> = runbook.steps.iter().map(|step| step.id.as_ref().unwrap().value.as_str()).collect();
    assert_eq!(ids, ["current", "target", "deploy", "healthy", "signoff", "switch", "soak", "retire_old"]);
    assert!(runbook.steps.iter().all(|step| !matches!(step.kind, StepKind::Broken)));
    assert_eq!(runbook.inputs[1].1.ty.name.value, "duration");
    assert_eq!(runbook.finally.len(), 1);
    let StepKind::Wait(wait) = &runbook.steps[3].kind else { panic!("a wait") };
    let Wait::Until { check, hold, .. } = &wait.value else { panic!("until") };
    assert!(hold.is_some());
    let Action::Uses { step, with } = &check.action else { panic!("uses") };
    assert_eq!(step.value, "http.check");
    let Data::Text(url) = &with[0].1.value else { panic!("text") };
    let [Segment::Expr(base), Segment::Literal(path)] = url.segments.as_slice() else {
        panic!("two segments")
    };
    assert_eq!(path, "/health");
    let reads: Vec<String> = base.reads.iter().map(|read| read.path.join(".")).collect();
    assert_eq!(reads, ["environment.vars.urls", "steps.target.outputs.colour"]);
}

#[test]
fn a_rollback_is_none_a_step_steps_or_steps_with_probes() {
    let runbook = runbook(
        "apiVersion: runbook/v1
name: test
steps:
- {run: a, rollback: none, reason: nothing to put back}
- {run: a, rollback: {id: back, run: b}}
- {run: a, rollback: [{run: b}, {run: c}]}
- {run: a, rollback: {require: [{uses: x}], steps: [{run: b}, {run: c}]}}
- {run: a, rollback: {require: [{uses: x}], run: b}}
",
    );
    let shapes: Vec<Option<(usize, usize)>> = runbook
        .steps
        .iter()
        .map(|step| match step.rollback.as_deref() {
            Some(RollbackDecl::Steps { require, steps, .. }) => Some((require.len(), steps.len())),
            _ => None,
        })
        .collect();
    assert_eq!(shapes, [None, Some((0, 1)), Some((0, 2)), Some((1, 2)), Some((1, 1))]);
}

#[test]
fn anchors_and_merge_keys_mean_what_they_mean_in_yaml_1_1() {
    let runbook = runbook(
        "apiVersion: runbook/v1
name: test
steps:
- id: one
  uses: http.check
  with: &probe {url: http://a, expect: {status: 200}}
  retry: &retry {max_attempts: 3}
- id: two
  uses: http.check
  retry: *retry
  with:
    <<: *probe
    url: http://b
",
    );
    let StepKind::Action(Action::Uses { with, .. }) = &runbook.steps[1].kind else { panic!("uses") };
    let names: Vec<&str> = with.iter().map(|(name, _)| name.value.as_str()).collect();
    assert_eq!(names, ["url", "expect"]);
    assert_eq!(runbook.steps[0].retry, runbook.steps[1].retry, "an alias stands where it was defined");
}

#[test]
fn what_an_expression_reads() {
    let runbook = runbook(
        "apiVersion: runbook/v1
name: test
steps: [{run: 'true'}]
outputs:
  a: ${{ (steps.one.outputs.a ~ inputs.b) | default(steps.two.outputs.c) | upper }}
  b: ${{ steps.one.outputs.a | default('x') if steps.one.status is defined else item[inputs.at].name }}
",
    );
    let reads = |at: usize| {
        let Data::Text(text) = &runbook.outputs[at].1.value else { panic!("text") };
        let [Segment::Expr(expr)] = text.segments.as_slice() else { panic!("one expression") };
        let reads: Vec<String> = expr
            .reads
            .iter()
            .map(|read| format!("{}{}", read.path.join("."), if read.guarded { "?" } else { "" }))
            .collect();
        reads.join(" ")
    };
    // Text is put together before the default is asked, so that it guards nothing.
    assert_eq!(reads(0), "steps.one.outputs.a inputs.b steps.two.outputs.c");
    assert_eq!(reads(1), "steps.one.outputs.a? steps.one.status? item inputs.at");
}

#[test]
fn a_condition_of_a_parameter() {
    let mut sources = Sources::default();
    let text = "apiVersion: runbook/v1
name: test
steps:
- uses: assert
  with: {a: 'inputs.x == \"it''s\"', b: '${{ inputs.y }}', c: true, d: 'inputs.z &&', e: [1]}
";
    let file = sources.add("a.yaml", text);
    let (Some(Document::Runbook(runbook)), _) = parse(&sources, file) else { panic!("a runbook") };
    let StepKind::Action(Action::Uses { with, .. }) = &runbook.steps[0].kind else { panic!("uses") };
    let conditions: Vec<(Option<String>, Vec<String>)> = with
        .iter()
        .map(|(_, value)| {
            let mut faults = Vec::new();
            let expr = condition(&sources, value, &mut faults);
            let under = |fault: &runbook_syntax::Diagnostic| {
                format!("{} {}", fault.code, sources.text(fault.primary.span))
            };
            (expr.map(|expr| sources.text(expr.span).to_owned()), faults.iter().map(under).collect())
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        conditions,
        [
            (some("inputs.x == \"it''s\""), vec![]),
            (some("inputs.y"), vec![]),
            (some("true"), vec![]),
            (some("inputs.z &&"), vec!["E302 &".to_owned()]),
            (None, vec!["E308 [".to_owned()]),
        ]
    );
}
