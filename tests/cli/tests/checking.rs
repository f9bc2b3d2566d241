//! What `validate` and `plan` say of files.

use std::io::Write;
use std::process::Stdio;

use runbook_testbed::{Bed, runbook};

#[test]
fn one_error_is_not_lost_among_warnings() {
    let mut steps: String = (0..60).map(|n| format!("  - {{id: s{n}, run: 'true'}}\n")).collect();
    steps += "  - {id: last, uses: set, with: {x: '${{ inputs.no }}'}}\n";
    let bed = Bed::with_steps(&steps);
    let said = bed.runbook(&["validate", "a.yaml"]).expect(10).stderr;
    assert!(said.contains("there is no input `no`"), "{said}");
    assert!(said.contains("and 11 more"), "{said}");
    assert!(said.contains("1 error, 60 warnings"), "{said}");
}

#[test]
fn columns_count_characters_as_editors_do() {
    let bed =
        Bed::with_steps("  - {id: a, name: \"日本語 ünï\", uses: set, with: {x: '${{ inputs.no }}'}}\n");
    let said = bed.runbook(&["validate", "a.yaml"]).expect(10).stderr;
    assert!(said.contains("a.yaml:6:56"), "{said}");
    let faults = bed.runbook(&["validate", "a.yaml", "-o", "json"]).expect(10).json_lines();
    assert_eq!(faults[0]["at"]["column"], 56, "{faults:?}");
}

#[test]
fn an_environment_is_checked_by_itself() {
    let bed = Bed::new();
    bed.write("runbook.toml", "");
    let head = "apiVersion: runbook/v1\nkind: Environment\n";
    bed.write("environments/good.yaml", &format!("{head}vars: {{url: x}}\nroles: {{sre: [ana]}}\n"));
    bed.write("environments/bad.yaml", &format!("{head}vars: {{url: x}}\nsetup: [{{uses: http.chek}}]\n"));
    bed.runbook(&["validate", "environments/good.yaml"]).expect(0);
    let faults = bed.runbook(&["validate", "environments/bad.yaml", "-o", "json"]).expect(10).json_lines();
    // The fault, and what it all comes to.
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert_eq!((&faults[1]["type"], &faults[1]["valid"]), (&"validated".into(), &false.into()));
    assert_eq!((&faults[0]["code"], &faults[0]["at"]["line"]), (&"E415".into(), &4.into()));
}

#[test]
fn a_runbook_comes_through_a_pipe() {
    let bed = Bed::new();
    for name in ["-", "/dev/stdin"] {
        let mut child = bed
            .command(&["validate", name])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let text = runbook("  - {id: a, run: 'true', effect: read}\n");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it is read");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let said = bed.runbook(&["validate", "."]).expect(2).stderr;
    assert!(said.contains("this is a folder"), "{said}");
    assert!(bed.runbook(&["validate", "none.yaml"]).expect(2).stderr.contains("no such file"));
}

#[test]
fn a_plan_says_what_is_undone_and_no_more() {
    let bed = Bed::with_steps(
        "  - id: each
    for_each: {items: [a]}
    run: 'true'
    rollback: {require: [{argv: [test, -e, x]}], steps: [{argv: [rm, x]}]}
  - {id: two, name: \"one\\nline\", run: 'true', effect: read}
",
    );
    let said = bed.runbook(&["plan", "a.yaml"]).expect(0).stdout;
    assert_eq!(said.matches("undo:").count(), 1, "{said}");
    assert!(!said.contains("undo: test") && said.contains("one line"), "{said}");
}

#[test]
fn the_plan_shows_no_undo_that_its_group_takes_the_place_of() {
    let bed = Bed::with_steps(
        "  - id: g\n    rollback: none\n    reason: kept for the auditors\n    steps:\n      - {id: x, run: touch x, \
         rollback: {run: rm x}}\n  - id: h\n    rollback: {run: rm y}\n    steps:\n      - {id: y, run: touch y}\n",
    );
    let plan = bed.runbook(&["plan", "a.yaml"]).expect(0).stdout;
    assert!(plan.contains("not undone: kept for the auditors"), "{plan}");
    assert!(plan.contains("not undone, as `g` is not") && !plan.contains("rm x"), "{plan}");
    assert!(plan.contains("undo: that of `h`") && plan.contains("undo: run rm y"), "{plan}");
}

#[test]
fn what_is_done_for_each_item_stands_under_the_name_that_it_has() {
    let bed = Bed::with_steps(
        "  - {id: one, for_each: {items: [a, b], as: item}, run: 'true', rollback: none, reason: a test}
  - id: each
    for_each: {items: [a, b], as: item}
    rollback: {run: 'echo undo'}
    steps:
      - {id: s, run: 'true'}
      - id: g
        steps: [{id: t, run: 'true', effect: read}]
        finally: [{id: f, run: 'true', effect: read}, {id: h, run: 'true', effect: read}]
  - id: chosen
    for_each: {items: [a, b], as: item}
    switch: '${{ item }}'
    cases: {a: [{id: u, run: 'true', effect: read}], default: []}
",
    );
    let plan = bed.runbook(&["plan", "a.yaml"]).expect(0).stdout;
    let (_, steps) = plan.split_once("\n\n").unwrap_or_default();
    insta::assert_snapshot!(steps, @"
    one             2 items: run   write           not undone: a test
    each            2 items                        undo: run echo undo
      s             run            write           undo: that of `each`
      g
        t           run            read (claimed)
        finally
          f         run            read (claimed)
          h         run            read (claimed)
    chosen          2 items: item
      case a
        u           run            read (claimed)
      case default
    ");
}

#[test]
fn what_is_piped_in_has_places_that_are_no_files() {
    let bed = Bed::new();
    bed.write("a.yaml", &runbook("  - {id: a, run: 'true', efect: read}\n"));
    let mut command = bed.command(&["validate", "-"]);
    command.stdin(std::fs::File::open(bed.project().join("a.yaml")).unwrap());
    let ran = runbook_testbed::ran(command);
    assert!(ran.stderr.contains("<stdin>:6:"), "{}", ran.stderr);
}

#[test]
fn a_line_that_no_screen_holds_is_shown_around_its_fault_and_placed_where_it_is() {
    let bed = Bed::with_steps(&format!(
        "  - {{id: a, run: 'echo {}', efect: read, name: '{}'}}\n",
        "x".repeat(3_000),
        "y".repeat(100_000)
    ));
    let said = bed.runbook(&["validate", "a.yaml"]).expect(10).stderr;
    assert!(said.len() < 3_000 && said.contains("efect: read"), "{said}");
    assert!(said.contains("a.yaml:6:3027") && said.contains('…'), "{said}");
}
