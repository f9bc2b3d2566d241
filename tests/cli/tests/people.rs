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

/// Nobody executes the run, so each of these commands would: one does, and what the others say is refused, never lost.
#[test]
fn of_answers_at_the_same_moment_one_counts_and_the_others_are_told() {
    for _ in 0..3 {
        let bed = Bed::with_steps(
            "  - {id: how, prompt: {message: How?, type: enum, one_of: [red, blue], timeout: 1h}}\n",
        );
        bed.runbook(&["exec", "a.yaml"]).expect(24);
        let run = bed.newest_run();
        let answers = ["red", "blue"].into_iter().cycle().take(12);
        let started: Vec<_> = answers.map(|answer| bed.start(&["answer", &run, "how", answer])).collect();
        let ran: Vec<Ran> = started.into_iter().map(|command| command.wait()).collect();
        let mut codes: Vec<i32> = ran.iter().map(Ran::code).collect();
        codes.sort_unstable();
        let said: Vec<&str> = ran.iter().map(|ran| ran.stderr.as_str()).collect();
        assert_eq!(codes, [[0].as_slice(), &[2; 11]].concat(), "{}", said.join("\n---\n"));
    }
}

/// Who approves need not execute what follows: the run goes on by itself, once the answer is recorded.
#[test]
fn an_answer_lets_the_run_go_on_in_the_background() {
    let held = "run: 'while ! test -e go; do sleep 0.05; done; echo b >> log', effect: read";
    let bed = Bed::with_steps(&format!(
        "  - {{id: ok, approval: {{timeout: 1h}}}}\n  - {{id: b, {held}}}\n  - {{id: which, prompt: {{message: Which?, type: string, timeout: 1h}}}}\n"
    ));
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    let run = bed.newest_run();
    let before = bed.events(&run);
    let refused = bed.runbook(&["answer", &run, "ok", "--done", "--detach"]).expect(2);
    assert!(refused.stderr.contains("does not accept that"), "{}", refused.stderr);
    assert_eq!(bed.events(&run), before, "what is refused leaves no trace");
    let approved = bed.runbook(&["approve", &run, "--detach"]).expect(0);
    assert!(
        approved.stderr.contains("recorded") && approved.stderr.contains("runbook watch"),
        "{}",
        approved.stderr
    );
    let answered = bed.events(&run).iter().any(|event| event["type"] == "answered");
    assert!(answered, "it was reported, so it is recorded");
    assert_eq!(bed.read("log"), None, "the approver does not wait for it");
    let watching = bed.start(&["watch", &run]);
    bed.write("go", "");
    watching.wait().expect(24);
    bed.runbook(&["answer", &run, "which", "this", "--detach"]).expect(0);
    bed.runbook(&["watch", &run]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "b\n");
}

#[test]
fn answers_that_do_not_read_are_refused_before_the_run_and_one_that_does_not_fit_names_its_step() {
    let bed =
        Bed::with_steps("  - {id: how, prompt: {message: How many?, type: integer, min: 3, timeout: 1h}}\n");
    for (text, place) in [("how: 5\nq: [5\n", "answers.yaml:"), ("- how\n", "answers.yaml:1")] {
        bed.write("answers.yaml", text);
        let ran = bed.runbook(&["exec", "a.yaml", "--answers", "answers.yaml"]).expect(2);
        assert!(ran.stderr.contains(place), "{}", ran.stderr);
    }
    assert!(bed.runbook(&["runs"]).expect(0).stdout.is_empty(), "no run was made");
    bed.write("answers.yaml", "how: 1\n");
    let ran = bed.runbook(&["exec", "a.yaml", "--answers", "answers.yaml"]).expect(24);
    assert!(ran.stderr.contains("answers file: how: "), "{}", ran.stderr);
}
