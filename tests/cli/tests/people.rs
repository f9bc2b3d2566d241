//! What people are asked, and the commands that the screen tells them to type.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use runbook_testbed::{Bed, Ran, runbook};

/// The commands that a screen names for answering, as it prints them.
fn hints(screen: &str) -> Vec<String> {
    let shown = screen.lines().filter(|line| line.starts_with("      "));
    let commands = shown.flat_map(|line| line.split(": runbook ").skip(1));
    commands.map(|rest| format!("runbook {}", rest.split("   ").next().unwrap().trim())).collect()
}

fn screen(bed: &Bed) -> String {
    bed.runbook(&["show"]).expect(0).stdout
}

/// Types the first hinted command that contains this.
fn follow(bed: &Bed, part: &str) -> Ran {
    let shown = screen(bed);
    let hinted = hints(&shown);
    let command = hinted.iter().find(|command| command.contains(part));
    bed.hinted(command.unwrap_or_else(|| panic!("nothing with {part} in {hinted:?}:\n{shown}")))
}

#[test]
fn a_checklist_is_answered_by_what_the_screen_says() {
    let bed = Bed::with_steps(
        "  - {id: ready, checklist: {timeout: 1h, items: [{id: rota, text: The rota}, {id: page, text: A page, evidence: a link}]}}\n",
    );
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    follow(&bed, "--tick page").expect(24);
    assert!(!screen(&bed).contains("--tick page"), "it is ticked");
    follow(&bed, "--tick rota").expect(0);
}

#[test]
fn a_prompt_names_its_choices() {
    let bed = Bed::with_steps(
        "  - {id: go, prompt: {message: Go?, type: boolean, timeout: 1h}}\n  - {id: how, prompt: {message: How?, type: string, one_of: [all at once, \"-1\"], timeout: 1h}}\n  - {id: what, prompt: {message: What?, type: string, timeout: 1h}}\n",
    );
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    follow(&bed, "true").expect(24);
    follow(&bed, "-1").expect(24);
    follow(&bed, "VALUE").expect(0);
}

#[test]
fn an_approval_can_be_rejected_as_the_screen_says() {
    let bed = Bed::with_steps("  - {id: ok, approval: {message: Go?, timeout: 1h}}\n");
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    follow(&bed, "reject").expect(25);
}

#[test]
fn who_started_it_may_not_approve_where_that_is_excluded() {
    let bed =
        Bed::with_steps("  - {id: ok, approval: {message: Go?, exclude_requester: true, timeout: 1h}}\n");
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    let run = bed.newest_run();
    let before = bed.events(&run);
    let ran = follow(&bed, "approve").expect(2);
    assert!(ran.stderr.contains("somebody else has to approve"), "{}", ran.stderr);
    assert_eq!(bed.events(&run), before, "what is refused leaves no trace");
    assert!(bed.runbook(&["runs"]).stdout.contains("waiting for a person"), "it waits as before");
}

#[test]
fn an_approval_that_nobody_but_the_requester_could_give_is_found_before_the_run() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let events = bed.events(&bed.newest_run());
    let me = events[0]["requester"]["name"].as_str().unwrap();
    bed.write("runbook.toml", "");
    bed.write(
        "environments/night.yaml",
        &format!(
            "apiVersion: runbook/v1\nkind: Environment\nname: night\nroles: {{sre: [{me}], none: []}}\n"
        ),
    );
    let approval = |keys: &str| runbook(&format!("  - {{id: ok, approval: {{{keys}, timeout: 1h}}}}\n"));
    bed.write("b.yaml", &approval("from: ['role:sre'], exclude_requester: true"));
    for command in ["plan", "exec"] {
        let ran = bed.runbook(&[command, "b.yaml", "-e", "night"]).expect(10);
        assert!(
            ran.stderr.contains("E609") && ran.stderr.contains(&format!("`{me}` asks for this run")),
            "{}",
            ran.stderr
        );
    }
    // Somebody else may run it.
    bed.runbook(&["validate", "b.yaml", "-e", "night"]).expect(0);
    bed.write("c.yaml", &approval("from: ['role:none']"));
    for command in ["validate", "plan", "exec"] {
        let ran = bed.runbook(&[command, "c.yaml", "-e", "night"]).expect(10);
        assert!(ran.stderr.contains("nobody may give this approval"), "{}", ran.stderr);
    }
}

#[test]
fn a_run_that_succeeded_comes_back_step_by_step_or_asks() {
    let step = |id: &str| {
        format!(
            "  - {{id: {id}, run: 'touch {id}', rollback: {{run: 'rm -f {id}; echo {id} >> undone'}}, verify: {{run: 'test -e {id}'}}}}\n"
        )
    };
    let bed = Bed::with_steps(&(step("a") + &step("b") + &step("c")));
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let run = bed.newest_run();
    bed.runbook(&["resume", &run]).expect(2);
    bed.runbook(&["rollback", &run, "--to", "nothing"]).expect(2);
    bed.runbook(&["rollback", &run, "--to", "b"]).expect(0);
    assert_eq!(bed.read("undone").unwrap(), "c\n");
    // Somebody has removed it by hand since.
    std::fs::remove_file(bed.project().join("b")).unwrap();
    bed.runbook(&["rollback", &run]).expect(24);
    assert_eq!(bed.read("undone").unwrap(), "c\n", "nothing is undone before the question is answered");
    follow(&bed, "--undo").expect(0);
    assert_eq!(bed.read("undone").unwrap(), "c\nb\na\n");
    bed.runbook(&["rollback", &run]).expect(2);
}

/// One of them takes the run, the others come while it is taken, or find an executor that is just leaving.
#[test]
fn answers_that_come_at_the_same_time_all_count() {
    let items: Vec<String> = (0..6).map(|n| format!("{{id: i{n}, text: Item {n}}}")).collect();
    let bed = Bed::with_steps(&format!(
        "  - {{id: ready, checklist: {{timeout: 1h, items: [{}]}}}}\n",
        items.join(", ")
    ));
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    let run = bed.newest_run();
    let answers: Vec<_> = (0..6)
        .map(|n| bed.start(&["answer", &run, "ready", "--tick", &format!("i{n}"), "--no-input"]))
        .collect();
    for answer in answers {
        let ran = answer.wait();
        assert!([0, 24].contains(&ran.code()), "{}", ran.stderr);
    }
    let events = bed.events(&run);
    assert_eq!(events.last().unwrap()["type"], "finished", "{events:?}");
}
