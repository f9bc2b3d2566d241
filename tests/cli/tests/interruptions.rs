//! Signals, kills, doubt, and going on afterwards.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use runbook_testbed::{Bed, Started, runbook};
use rustix::fs::OFlags;
use rustix::process::Signal;

/// A step that says that it is there and then waits until a file appears, or for a minute.
const HELD: &str =
    "run: 'echo b >> log; echo here; for i in $(seq 600); do test -e go && exit 0; sleep 0.1; done; exit 1'";

fn bed(step: &str) -> Bed {
    let first = "  - {id: a, run: 'echo a >> log', rollback: {run: 'echo undo a >> log'}}\n";
    let last = "  - {id: c, run: 'echo c >> log', rollback: {run: 'echo undo c >> log'}}\n";
    Bed::with_steps(&format!("{first}  - {{id: b, {HELD}, {step}}}\n{last}"))
}

/// Starts it and waits until the step that is held is there.
fn started(bed: &Bed) -> Started {
    let mut started = bed.start(&["exec", "a.yaml"]);
    started.stderr_until(" | here\n");
    started
}

const UNDO: &str = "rollback: {run: 'echo undo b >> log'}";

#[test]
fn killed_in_a_write_it_is_in_doubt_and_asks() {
    let bed = bed(UNDO);
    let running = started(&bed);
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code(), 137);
    let run = bed.newest_run();
    assert!(bed.runbook(&["runs"]).stdout.contains("interrupted"));
    let report = bed.runbook(&["report"]).expect(0).stdout;
    assert!(report.contains(&format!("runbook resume {run}")) && !report.contains("goes on,"), "{report}");
    let ran = bed.runbook(&["resume"]).expect(23);
    assert!(ran.stderr.contains(&format!("runbook answer {run} b --done")), "{}", ran.stderr);
    assert_eq!(bed.read("log").unwrap(), "a\nb\n", "nothing is retried by a guess");
    bed.runbook(&["answer", &run, "b", "--done"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "a\nb\nc\n");
}

#[test]
fn in_doubt_can_be_undone_or_said_not_to_have_happened() {
    let bed = bed(UNDO);
    let running = started(&bed);
    running.signal(Signal::KILL);
    running.wait();
    let run = bed.newest_run();
    bed.runbook(&["resume"]).expect(23);
    bed.runbook(&["answer", &run, "b", "--undo"]).expect(20);
    assert_eq!(bed.read("log").unwrap(), "a\nb\nundo b\nundo a\n");
}

#[test]
fn a_doubt_about_what_has_no_undo_is_not_undone() {
    let bed = bed("rollback: none, reason: it stays");
    let running = started(&bed);
    running.signal(Signal::KILL);
    running.wait();
    let run = bed.newest_run();
    let ran = bed.runbook(&["resume"]).expect(23);
    assert!(!ran.stderr.contains("--undo") && ran.stderr.contains("--retry"), "{}", ran.stderr);
    let ran = bed.runbook(&["answer", &run, "b", "--undo"]).expect(2);
    assert!(ran.stderr.contains("--done, --not-done, --retry"), "{}", ran.stderr);
}

#[test]
fn a_policy_settles_the_doubt() {
    let bed = bed(&format!("{UNDO}, on_in_doubt: retry"));
    let running = started(&bed);
    running.signal(Signal::KILL);
    running.wait();
    bed.write("go", "");
    bed.runbook(&["resume"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "a\nb\nb\nc\n");
}

#[test]
fn what_a_killed_executor_left_running_is_ended_first() {
    let bed = Bed::with_steps(&format!(
        "  - {{id: a, {}, {UNDO}}}\n",
        HELD.replace("echo b", "exec 9> open; echo b")
    ));
    // The script holds one end of a pipe open, and so does everything that it starts: the other end tells whether any of
    // them is left.
    let pipe = bed.fifo("open");
    let mut pipe =
        File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(pipe).unwrap();
    let mut left = || pipe.read(&mut [0]).map_err(|error| error.kind());
    let running = started(&bed);
    running.signal(Signal::KILL);
    running.wait();
    assert_eq!(left(), Err(ErrorKind::WouldBlock), "the script goes on without its executor");
    bed.runbook(&["resume"]).expect(23);
    assert_eq!(left(), Ok(0), "what it left has been ended");
}

#[test]
fn term_stops_here_and_resume_goes_on() {
    let bed = bed(&format!("{UNDO}, on_in_doubt: retry"));
    let running = started(&bed);
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code(), 143);
    assert!(bed.runbook(&["runs"]).stdout.contains("stopped"));
    bed.write("go", "");
    bed.runbook(&["resume"]).expect(0);
}

#[test]
fn int_without_a_terminal_cancels_under_the_failure_policy() {
    let bed = bed(UNDO);
    let mut running = started(&bed);
    running.signal(Signal::INT);
    running.stderr_until("cancelled by");
    bed.write("go", "");
    running.wait().expect(20);
    assert_eq!(bed.read("log").unwrap(), "a\nb\nundo b\nundo a\n");
}

/// A run that has failed and is in the middle of its rollback.
fn rolling_back() -> (Bed, Started) {
    let undo = HELD.replace("echo b", "echo undo a");
    let undo = undo.strip_prefix("run: ").unwrap();
    let bed = Bed::with_steps(&format!(
        "  - {{id: a, run: 'echo a >> log', rollback: {{run: {undo}}}}}\n  - {{id: b, run: 'false', effect: read}}\n"
    ));
    let running = started(&bed);
    (bed, running)
}

#[test]
fn the_first_int_in_a_rollback_warns_and_the_second_stops() {
    let (bed, mut running) = rolling_back();
    running.signal(Signal::INT);
    running.stderr_until("interrupt once more");
    running.signal(Signal::INT);
    running.wait().expect(130);
    assert!(bed.runbook(&["runs"]).stdout.contains("stopped"));
    bed.runbook(&["resume"]).expect(23);
    assert_eq!(bed.read("log").unwrap(), "a\nundo a\n", "an undo in doubt is not run again by a guess");
}

#[test]
fn a_rollback_that_an_int_caused_is_warned_about_all_the_same() {
    let held = |file: &str| format!("while ! test -e {file}; do sleep 0.05; done");
    let bed = Bed::with_steps(&format!(
        "  - {{id: a, run: 'true', rollback: {{run: '{}; echo undone >> log'}}}}\n  - {{id: b, run: '{}', effect: read}}\n",
        held("back"),
        held("go")
    ));
    let mut running = bed.start(&["exec", "a.yaml"]);
    running.stderr_until("b: starts");
    running.signal(Signal::INT);
    running.stderr_until("cancelled by");
    bed.write("go", "");
    running.stderr_until("a.undo: starts");
    running.signal(Signal::INT);
    running.stderr_until("interrupt once more");
    bed.write("back", "");
    running.wait().expect(20);
    assert_eq!(bed.read("log").unwrap(), "undone\n");
}

#[test]
fn an_undo_cut_short_is_in_doubt_and_can_be_run_again() {
    let (bed, running) = rolling_back();
    running.signal(Signal::TERM);
    running.wait().expect(143);
    let run = bed.newest_run();
    let ran = bed.runbook(&["resume"]).expect(23);
    let command = format!("runbook answer {run} a.undo --retry");
    assert!(ran.stderr.contains(&command), "{}", ran.stderr);
    bed.write("go", "");
    bed.hinted(&command).expect(20);
    assert_eq!(bed.read("log").unwrap(), "a\nundo a\nundo a\n");
}

#[test]
fn cancel_from_another_terminal() {
    let bed = bed(UNDO);
    let running = started(&bed);
    let run = bed.newest_run();
    let told = bed.runbook(&["cancel", &run, "--reason", "enough"]).expect(0);
    assert!(told.stderr.contains("cancelling"), "{}", told.stderr);
    bed.write("go", "");
    running.wait().expect(20);
    assert!(bed.runbook(&["show", &run]).stdout.contains("enough"));
}

#[test]
fn a_run_executes_the_plan_it_began_with() {
    let bed = bed(&format!("{UNDO}, on_in_doubt: retry"));
    let running = started(&bed);
    running.signal(Signal::KILL);
    running.wait();
    bed.write("a.yaml", "not a runbook at all");
    bed.write("go", "");
    bed.runbook(&["resume"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "a\nb\nb\nc\n");
}

#[test]
fn a_program_that_was_changed_after_the_plan_is_waited_for() {
    let bed = Bed::new();
    let planned = "#!/bin/sh\necho planned >> log\n";
    let program = bed.write("tool.sh", planned);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let tool = "  - {id: b, argv: [./tool.sh], rollback: none, reason: a test}\n";
    bed.write("a.yaml", &runbook(&format!("  - {{id: a, {HELD}, effect: read}}\n{tool}")));
    let running = started(&bed);
    bed.write("tool.sh", "#!/bin/sh\necho changed >> log\n");
    bed.write("go", "");
    let ran = running.wait().expect(24);
    assert!(ran.stderr.contains("not the program that was planned"), "{}", ran.stderr);
    assert_eq!(bed.read("log").unwrap(), "b\n");
    bed.runbook(&["resume"]).expect(24);
    bed.write("tool.sh", planned);
    bed.runbook(&["resume"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "b\nplanned\n");
}

#[test]
fn a_program_of_a_check_that_is_changed_while_its_step_runs_is_waited_for() {
    let bed = Bed::new();
    let planned = "test -f done";
    bed.write("look.sh", planned);
    bed.write("until.sh", planned);
    bed.write(
        "a.yaml",
        &runbook(
            "  - id: a
    run: 'touch done; echo a >> log; echo exit 1 > look.sh; echo exit 1 > until.sh'
    rollback: {run: echo undo a >> log}
    verify: {run: sh look.sh, within: 0s}
  - {id: b, wait: {until: {run: sh until.sh}, every: 100ms, timeout: 10m}}
",
        ),
    );
    for name in ["look.sh", "until.sh"] {
        let ran = bed.runbook(if name == "look.sh" { &["exec", "a.yaml"] } else { &["resume"] }).expect(24);
        let said = format!("{name}: not the program that was planned");
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
        bed.write(name, planned);
    }
    bed.runbook(&["resume"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "a\n");
}

#[test]
fn a_program_whose_change_is_meant_is_run_once_somebody_says_so() {
    let bed = Bed::new();
    bed.write("tool.sh", "echo planned >> log");
    let tool = "  - {id: b, argv: [sh, tool.sh], rollback: none, reason: a test}\n";
    bed.write("a.yaml", &runbook(&format!("  - {{id: a, {HELD}, effect: read}}\n{tool}")));
    let running = started(&bed);
    bed.write("tool.sh", "echo changed >> log");
    bed.write("go", "");
    let ran = running.wait().expect(24);
    let said = ran.stderr.split("is meant: runbook ").nth(1).expect("the command is named");
    let command = format!("runbook {}", said.lines().next().unwrap());
    // It was changed once more since that was said.
    bed.write("tool.sh", "echo other >> log");
    bed.hinted(&command).expect(2);
    bed.runbook(&["resume"]).expect(24);
    bed.write("tool.sh", "echo changed >> log");
    bed.hinted(&command).expect(0);
    assert_eq!(bed.read("log").unwrap(), "b\nchanged\n");
    let told = bed.runbook(&["report", &bed.newest_run()]).expect(0).stdout;
    assert!(told.contains("tool.sh was changed") && told.contains("is meant, says"), "{told}");
}

#[test]
fn a_step_keeps_its_key_across_attempts_and_resumes_and_shares_it_with_nobody() {
    let step = |id: &str, rest: &str| {
        let script = format!("echo \"{id} $RUNBOOK_IDEMPOTENCY_KEY\" >> keys{rest}");
        format!("id: {id}, rollback: none, reason: a test, run: '{script}'")
    };
    let once = |name: &str, then: &str| format!("; test -e {name} || {{ touch {name}; {then}; }}");
    // Fails, is killed with its executor, and succeeds.
    let a = step("a", &(once("failed", "exit 1") + &once("killed", "kill -9 $PPID")));
    let steps = format!(
        "  - {{{a}, retry: {{max_attempts: 3, delay: 1s}}, on_in_doubt: retry}}
  - {{id: each, for_each: {{items: [x, y], as: item}}, steps: [{{{}}}]}}
  - id: g
    retry: {{max_attempts: 2, delay: 1s}}
    steps:
      - {{{}}}
      - {{id: last, effect: read, run: 'test -e again || {{ touch again; exit 1; }}'}}
",
        step("item", ""),
        step("inside", "")
    );
    let bed = Bed::with_steps(&steps);
    bed.runbook(&["exec", "a.yaml"]).expect(137);
    bed.runbook(&["resume"]).expect(0);
    let text = bed.read("keys").unwrap();
    let lines: Vec<(&str, &str)> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["a", "a", "a", "item", "item", "inside", "inside"], "{text}");
    assert!(lines[0] == lines[1] && lines[1] == lines[2], "each attempt of a has the same key:\n{text}");
    // One per item, one per incarnation of the group, and another run has others.
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let text = bed.read("keys").unwrap();
    let keys: BTreeSet<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!((text.lines().count(), keys.len()), (11, 9), "{text}");
}

#[test]
fn two_executors_of_one_run_there_are_not() {
    let bed = bed(UNDO);
    let running = started(&bed);
    let run = bed.newest_run();
    let ran = bed.runbook(&["resume", &run]);
    assert_ne!(ran.code(), 0);
    assert!(ran.stderr.contains("process"), "says who has it: {}", ran.stderr);
    bed.write("go", "");
    running.wait().expect(0);
    assert_eq!(bed.read("log").unwrap(), "a\nb\nc\n");
}

#[test]
fn a_detached_run_is_watched_from_anywhere() {
    let bed = bed(UNDO);
    let ran = bed.runbook(&["exec", "a.yaml", "--detach"]).expect(0);
    let run = ran.stdout.trim().to_owned();
    let watching = bed.start(&["watch", &run]);
    bed.write("go", "");
    watching.wait().expect(0);
    assert_eq!(bed.read("log").unwrap(), "a\nb\nc\n");
}
