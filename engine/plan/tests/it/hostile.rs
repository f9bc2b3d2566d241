//! What is too much is refused, in bounded time and memory.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::project::Project;

fn first_line(project: &Project) -> String {
    project.faults().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn too_many_steps_side_by_side() {
    let mut body = String::from("steps:\n");
    for _ in 0..20_001 {
        body.push_str("- uses: look\n");
    }
    insta::assert_snapshot!(first_line(&Project::new(&body)), @"main:20004:3 E419 there are more than 20000 steps side by side ⟨uses⟩");
}

/// Ten calls of a runbook of ten calls of …: 10¹⁰ steps.
#[test]
fn calls_that_multiply() {
    let calls = |to: &str| format!("steps:\n{}", format!("- call: {to}.yaml\n").repeat(10));
    let mut project = Project::new(&calls("a0"));
    for level in 0..8 {
        project = project.runbook(&format!("a{level}.yaml"), &calls(&format!("a{}", level + 1)));
    }
    project = project.runbook("a8.yaml", &format!("steps:\n{}", "- uses: look\n".repeat(10)));
    insta::assert_snapshot!(first_line(&project), @"a8:9:3 E419 the plan has more than 40000 steps, those of called runbooks included ⟨uses⟩");
}

#[test]
fn a_file_too_large_to_be_pinned() {
    let body = "steps: [{uses: put, with: {to: x, file: big}}]";
    let project = Project::new(body).file("big", &"x".repeat((16 << 20) + 1));
    insta::assert_snapshot!(project.faults(), @r"
    main:3:41 E605 `big` is too large to be stored with the plan ⟨big⟩
        A file may have 16 MiB, and all together 64 MiB.
    ");
}

/// A list in which everything needs everything before it is as bad as an order can be.
#[test]
fn needs_that_are_dense() {
    let mut body = String::from("steps:\n");
    for step in 0..300 {
        let needs: Vec<String> = (0..step).map(|other| format!("s{other}")).collect();
        let _ = writeln!(body, "- {{id: s{step}, uses: look, needs: [{}]}}", needs.join(", "));
    }
    let plan = Project::new(&body).plan();
    assert!(plan.program.nodes.iter().enumerate().all(|(place, node)| node.needs.len() == place.min(1)));
}

/// Approvals bind what comes after them: half a thousand of each are a quarter of a million bindings.
#[test]
fn ten_thousand_steps() {
    let mut body = String::from("steps:\n");
    for step in 0..10_000 {
        let _ = match step % 20 {
            0 => writeln!(body, "- {{id: s{step}, uses: put, with: {{to: x}}}}"),
            1 => writeln!(body, "- {{id: s{step}, approval: {{}}}}"),
            _ => writeln!(
                body,
                "- {{id: s{step}, uses: look, with: {{at: \"${{{{ steps.s{}.outputs.path | default('x') }}}}\"}}}}",
                step - step % 20
            ),
        };
    }
    let plan = Project::new(&body).plan();
    assert_eq!(plan.outline.steps.len(), 10_000);
    assert_eq!(plan.program.nodes.iter().map(|node| node.gates.len()).sum::<usize>(), 500 * 499 / 2);
}

/// The faults of these codes, and how many there are of each.
fn counted(project: &Project) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for fault in project.planned().diagnostics {
        *counts.entry(fault.code.to_string()).or_insert(0) += 1;
    }
    counts
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.into_iter().map(|(code, count)| (code.to_owned(), count)).collect()
}

/// Errors and warnings have a limit each, so that neither hides the other.
#[test]
fn faults_without_end() {
    let mut body = String::from("steps:\n");
    for step in 0..700 {
        let _ = writeln!(body, "- {{id: s{step}, uses: look, needs: [t{step}]}}");
    }
    for _ in 0..600 {
        body.push_str("- {run: make}\n");
    }
    let project = Project::new(&body);
    assert_eq!(counted(&project), counts([("E410", 500), ("E501", 500), ("E199", 2)]));
    let planned = project.planned();
    let last: Vec<&str> =
        planned.diagnostics.iter().rev().take(2).map(|fault| fault.message.as_str()).collect();
    assert_eq!(last, ["100 more warnings are not shown", "200 more faults are not shown"]);
}

/// A file that is called twice has its faults once, however many there are.
#[test]
fn faults_that_are_met_again() {
    let mut called = String::from("steps:\n");
    for step in 0..300 {
        let _ = writeln!(called, "- {{id: s{step}, uses: look, needs: [t{step}]}}");
    }
    let project = Project::new("steps: [{call: b.yaml}, {call: b.yaml}]\n").runbook("b.yaml", &called);
    assert_eq!(counted(&project), counts([("E410", 300)]));
}

#[test]
fn expressions_that_work_too_much_together() {
    let expression = "{uses: set, with: {x: '${{ range(10000) | list | sort | length }}'}}";
    let project = Project::new(&format!("steps:\n{}", format!("- {expression}\n").repeat(200)));
    assert_eq!(counted(&project), counts([("E322", 1)]));
}

#[test]
fn patterns_that_are_too_large_together() {
    let inputs = |pattern: &dyn Fn(usize) -> String| {
        let inputs: String =
            (0..80).map(|n| format!("  i{n}: {{type: string, pattern: '{}'}}\n", pattern(n))).collect();
        Project::new(&format!("inputs:\n{inputs}steps: [{{uses: look}}]\n")).incomplete()
    };
    assert_eq!(counted(&inputs(&|_| "\\w{40}".to_owned())), counts([]));
    let different = counted(&inputs(&|n| format!("\\w{{40}}{n}")));
    assert_eq!(different.keys().collect::<Vec<_>>(), ["E328"]);
}

/// As deep as this, only to let go of what was read takes more stack than there is.
#[test]
fn an_expression_that_is_far_too_long() {
    let sum = "1 + ".repeat(200_000);
    let project = Project::new(&format!("steps:\n- {{uses: set, with: {{x: '${{{{ {sum}1 }}}}'}}}}\n"));
    assert_eq!(counted(&project), counts([("E305", 1)]));
}
