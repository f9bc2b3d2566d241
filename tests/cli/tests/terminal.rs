//! Runs on a terminal: what stands there is what is answered, nothing freezes, Ctrl-C asks.

#![cfg(target_os = "linux")]

use runbook_testbed::{Bed, OnTerminal, runbook};

const GATES: &str = "  - {id: staging_ok, approval: {message: Staging, timeout: 1h}}\n  - {id: production_ok, approval: {message: Production, timeout: 1h}}\n  - {id: live, run: 'touch live', rollback: {run: rm live}}\n";

/// A step that runs until there is a file `go`.
const HELD: &str = "run: 'while ! test -e go; do sleep 0.05; done', effect: read";

fn exec(bed: &Bed) -> OnTerminal {
    bed.on_terminal(&["exec", "a.yaml"])
}

#[test]
fn what_was_typed_for_one_question_is_no_answer_to_the_next() {
    let bed = Bed::with_steps(GATES);
    let mut screen = exec(&bed);
    screen.until("? staging_ok: Staging");
    screen.press("approve");
    screen.until("> approve");
    bed.runbook(&["approve", &bed.newest_run(), "staging_ok"]).expect(0);
    screen.until("? production_ok: Production");
    screen.until("> ");
    screen.press("\r");
    screen.until("that is not one of: approve [comment] | reject WHY");
    screen.press("reject too late\r");
    let (_, code) = screen.end();
    assert_eq!(code, 25);
    assert_eq!(bed.read("live"), None);
}

#[test]
fn a_checklist_item_is_ticked_as_it_stands_on_the_screen() {
    let bed = Bed::with_steps(
        "  - {id: ready, checklist: {timeout: 1h, items: [{id: switch, text: DNS is lowered, evidence: a ticket}, {id: mail, text: Mail is sent, owner: bo}]}}\n",
    );
    let mut screen = exec(&bed);
    screen.until("? ready: DNS is lowered (evidence: a ticket)");
    screen.until("[yes EVIDENCE | no [why]]");
    screen.press("yes OPS-1");
    screen.until("> yes OPS-1");
    let run = bed.newest_run();
    bed.runbook(&["answer", &run, "ready", "--tick", "switch", "--evidence", "OPS-2"]).expect(0);
    screen.until("? ready: Mail is sent (bo)");
    screen.press("y\r");
    assert_eq!(screen.end().1, 0);
    let said = bed.runbook(&["report", &run]).expect(0).stdout;
    assert!(said.contains("OPS-2") && !said.contains("OPS-1"), "{said}");
}

#[test]
fn the_screen_goes_on_beside_a_question_and_keeps_what_is_typed() {
    let bed = Bed::with_steps(&format!(
        "  - id: par\n    parallel: true\n    steps:\n      - {{id: ok, approval: {{message: Go, timeout: 1h}}}}\n      - {{id: check, {}, continue_on_error: true}}\n",
        HELD.replace("done'", "done; exit 3'")
    ));
    let mut screen = exec(&bed);
    screen.until("? par.ok: Go");
    screen.press("appr");
    screen.until("> appr");
    bed.write("go", "");
    screen.until("exit code 3");
    screen.until("> appr");
    screen.press("ove\r");
    assert_ne!(screen.end().1, 24);
}

#[test]
fn ctrl_c_asks_and_going_on_forgets_it() {
    let bed = Bed::with_steps(&format!("  - {{id: a, {HELD}}}\n"));
    let mut screen = exec(&bed);
    for _ in 0..2 {
        // A frame with nothing below the tree is followed by the next one.
        screen.until(" a\r\n\x1b[");
        screen.press("\x03");
        screen.until("[go-on | cancel | stop]");
        screen.press("maybe\r");
        screen.until("that is not one of: go-on | cancel | stop");
        screen.until("> ");
        screen.press("go-on\r");
    }
    bed.write("go", "");
    assert_eq!(screen.end().1, 0);
}

#[test]
fn ctrl_c_in_the_rollback_that_it_caused_warns_first() {
    let bed = Bed::with_steps(&format!(
        "  - {{id: a, run: 'true', rollback: {{run: 'while ! test -e back; do sleep 0.05; done'}}}}\n  - {{id: b, {HELD}}}\n"
    ));
    let mut screen = exec(&bed);
    screen.until("waiting: b");
    screen.press("\x03");
    screen.until("[go-on | cancel | stop]");
    screen.press("cancel\r");
    bed.write("go", "");
    screen.until("waiting: a.undo");
    screen.press("\x03");
    screen.until("interrupt once more to stop here");
    bed.write("back", "");
    assert_eq!(screen.end().1, 20);
}

#[test]
fn stopping_ends_with_the_next_command() {
    let bed = Bed::with_steps(&format!("  - {{id: a, {HELD}}}\n"));
    let mut screen = exec(&bed);
    screen.until("waiting: a");
    screen.press("\x03");
    screen.until("[go-on | cancel | stop]");
    screen.press("\x03");
    let (said, code) = screen.end();
    assert_eq!(code, 130);
    let last = said.trim_end().lines().last().unwrap();
    assert!(last.ends_with(&format!("runbook resume {}", bed.newest_run())), "{said}");
}

#[test]
fn json_on_a_terminal_asks_nobody() {
    let bed = Bed::with_steps(GATES);
    let (said, code) = bed.on_terminal(&["exec", "a.yaml", "-o", "json"]).end();
    assert_eq!(code, 24, "{said}");
}

#[test]
fn what_is_decided_on_is_shown_whole_and_a_cut_is_said() {
    let values: Vec<String> = (1..=30).map(|n| format!("value_{n}: \"shown {n}.\"")).collect();
    let bed = Bed::with_steps(&format!(
        "  - {{id: ok, approval: {{timeout: 1h, show: {{{}}}}}}}\n",
        values.join(", ")
    ));
    let mut screen = exec(&bed);
    // Once above the tree, in the order of the file.
    screen.until("value_1: shown 1.");
    screen.until("value_9: shown 9.\r\n      value_10: shown 10.");
    screen.until("value_22: shown 22.");
    screen.until("00:00:0");
    screen.until(" lines more: runbook show ");
    screen.until("[approve [comment] | reject WHY]");
    screen.press("approve\r");
    assert_eq!(screen.end().1, 0);
}

#[test]
fn a_point_of_no_return_is_passed_backwards_by_name_only() {
    let bed = Bed::with_steps(
        "  - {id: p, pivot: true, irreversible: gone, run: 'true'}\nrevert:\n  - {id: r, run: 'touch reverted'}\n",
    );
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let run = bed.newest_run();
    let refused = bed.runbook(&["rollback", &run]).expect(2);
    assert!(refused.stderr.contains(&format!("runbook rollback {run} --confirm test")), "{}", refused.stderr);
    bed.runbook(&["rollback", &run, "--confirm", "tset"]).expect(2);
    let mut screen = bed.on_terminal(&["rollback", &run]);
    screen.until("The runbook's name, to go on:");
    screen.press("y\r");
    assert_eq!(screen.end().1, 2);
    assert_eq!(bed.read("reverted"), None);
    let mut screen = bed.on_terminal(&["rollback", &run]);
    screen.until("The runbook's name, to go on:");
    screen.press("test\r");
    assert_eq!(screen.end().1, 0);
    assert!(bed.read("reverted").is_some());
}

#[test]
fn the_only_unfinished_run_is_cancelled_once_somebody_has_seen_which() {
    let bed = Bed::with_steps(GATES);
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    let run = bed.newest_run();
    let refused = bed.runbook(&["cancel"]).expect(2);
    assert!(refused.stderr.contains(&format!("runbook cancel {run}")), "{}", refused.stderr);
    let mut screen = bed.on_terminal(&["cancel"]);
    screen.until(&format!("Cancel run {run}"));
    screen.press("y\r");
    assert_eq!(screen.end().1, 20);
}

#[test]
fn a_secret_that_is_asked_for_is_given_by_reference() {
    let bed = Bed::new();
    let steps = "inputs: {token: {type: secret, prompt: Which token?}}\nsteps:\n";
    let text = runbook("  - {id: a, run: 'test -n \"$T\"', env: {T: '${{ inputs.token }}'}, effect: read}\n");
    bed.write("a.yaml", &text.replace("steps:\n", steps));
    bed.write("token", "hunter22");
    let mut screen = exec(&bed);
    screen.until("Which token?");
    screen.press("hunter22\r");
    screen.until("by reference");
    screen.until("Which token?");
    screen.press("file:token\r");
    let (said, code) = screen.end();
    assert_eq!(code, 0, "{said}");
}

#[test]
fn an_input_that_does_not_fit_is_asked_for_again_on_an_empty_line() {
    let bed = Bed::new();
    let steps = "inputs: {version: {type: string, pattern: '^v[0-9]+$', prompt: Which version?}}\nsteps:\n";
    let text = runbook("  - {id: a, run: 'true', effect: read}\n").replace("steps:\n", steps);
    bed.write("a.yaml", &text);
    let mut screen = exec(&bed);
    screen.until("Which version?");
    screen.press("x\r");
    screen.until("wanted");
    screen.until("Which version?");
    screen.press("v1\r");
    let (said, code) = screen.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(bed.events(&bed.newest_run())[0]["inputs"]["version"], "v1");
}

#[test]
fn a_terminal_that_a_killed_runbook_left_at_a_question_is_put_right_by_the_next() {
    let bed = Bed::with_steps(GATES);
    let modes = "stty -a | tr ' ;' '\\n\\n' | grep -x -e -icanon -e icanon -e -echo -e echo | tr '\\n' ' '";
    let mut screen =
        bed.script_on_terminal(&format!("\"$0\" exec a.yaml; {modes}; \"$0\" resume; {modes}; exit 0"));
    screen.until("? staging_ok: Staging");
    screen.until("> ");
    let started = bed.events(&bed.newest_run()).into_iter().find(|event| event["type"] == "executor_started");
    let pid = started.and_then(|event| event["pid"].as_i64()).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    screen.until("-icanon -echo");
    screen.until("? staging_ok: Staging");
    screen.press("reject\r");
    screen.until("that is not one of");
    screen.press("reject too late\r");
    screen.until("exit 25");
    let (said, _) = screen.end();
    assert!(said.contains("icanon echo") && !said.contains("-icanon"), "{said}");
}

#[test]
fn a_step_whose_program_was_changed_says_so_beside_what_runs_and_how_it_goes_on() {
    let bed = Bed::new();
    bed.write("tool.sh", "echo planned >> log");
    let first = HELD.replace("test -e go", "test -e first");
    bed.write(
        "a.yaml",
        &runbook(&format!(
            "  - {{id: a, {first}}}\n  - {{id: b, needs: [a], argv: [sh, tool.sh], rollback: none, reason: a test}}\n  - {{id: long, needs: [], {HELD}}}\n"
        )),
    );
    let mut screen = exec(&bed);
    screen.until("waiting: a");
    bed.write("tool.sh", "echo changed >> log");
    bed.write("first", "");
    screen.until("waits: tool.sh: not the program that was planned");
    screen.until("waiting: long");
    screen.until("if that change is meant: ");
    let rest = screen.line();
    bed.hinted(&rest).expect(0);
    screen.until("✓ b");
    bed.write("go", "");
    assert_eq!(screen.end().1, 0);
    assert_eq!(bed.read("log").as_deref(), Some("changed\n"));
}

#[test]
fn what_a_code_means_is_as_wide_as_the_terminal() {
    let bed = Bed::new();
    let (page, code) = bed.on_terminal(&["explain", "E501"]).end();
    assert_eq!(code, 0);
    assert!(page.lines().all(|line| line.trim_end().chars().count() <= 80), "{page}");
    assert!(page.contains("    rollback: {run: ./deploy.sh v1}\r\n"), "examples stand as they are: {page}");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&page), words(&bed.runbook(&["explain", "E501"]).stdout));
}

#[test]
fn the_list_of_runs_is_as_wide_as_what_stands_in_it() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let (list, _) = bed.on_terminal(&["runs"]).end();
    assert!(list.lines().all(|line| line.trim_end().chars().count() <= 80), "{list}");
    assert!(list.starts_with("RUN    STARTED  ") && list.contains("  succeeded\r\n"), "{list}");
}

#[test]
fn a_dumb_terminal_gets_lines_without_escapes_and_is_asked_all_the_same() {
    let bed = Bed::new();
    let inputs = "inputs: {count: {type: integer, prompt: How many?}}\nsteps:\n";
    bed.write("a.yaml", &runbook(GATES).replace("steps:\n", inputs));
    let mut screen = bed.on_terminal_like("dumb", (24, 80), &["exec", "a.yaml"]);
    screen.until("? How many?");
    screen.press("many\r");
    screen.until("? How many?");
    screen.press("3\r");
    screen.until("? staging_ok: Staging");
    screen.press("perhaps\r");
    screen.until("that is not one of: approve [comment] | reject WHY");
    screen.press("approve\r");
    screen.until("? production_ok: Production");
    screen.press("approve\r");
    let (said, code) = screen.end();
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains('\x1b'), "{said:?}");
}

#[test]
fn a_terminal_that_does_not_know_its_size_is_taken_for_an_ordinary_one() {
    let bed =
        Bed::with_steps("  - {id: a_step_with_a_long_name_that_needs_its_room, run: 'true', effect: read}\n");
    let (said, code) = bed.on_terminal_like("xterm", (0, 0), &["exec", "a.yaml"]).end();
    assert_eq!(code, 0, "{said}");
    let command = format!("runbook report {}", bed.newest_run());
    assert!(
        said.contains(&command) && said.contains("a_step_with_a_long_name_that_needs_its_room"),
        "{said}"
    );
}

#[test]
fn keys_that_answer_nothing_leave_nothing_on_the_screen() {
    let bed = Bed::with_steps(&format!("  - {{id: a, {HELD}}}\n"));
    let mut screen = exec(&bed);
    screen.until("waiting: a");
    screen.press("hello\r");
    screen.until("waiting: a");
    bed.write("go", "");
    let (said, code) = screen.end();
    assert_eq!(code, 0);
    assert!(!said.contains("hello"), "{said}");
}
