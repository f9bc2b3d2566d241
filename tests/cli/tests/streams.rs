//! Data goes to stdout and everything else to stderr.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use runbook_testbed::{Bed, runbook};

#[test]
fn without_a_journal_there_are_no_runs() {
    let bed = Bed::new();
    let ran = bed.runbook(&["runs"]).expect(0);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("no runs yet"), "{}", ran.stderr);
    for command in ["show", "logs", "watch", "report", "resume"] {
        let ran = bed.runbook(&[command]).expect(2);
        assert_eq!(ran.stdout, "");
    }
    assert!(!bed.state().exists(), "looking makes nothing");
}

#[test]
fn json_is_a_versioned_value_a_line() {
    let bed = Bed::with_steps("  - {id: a, run: 'echo said', effect: read}\n");
    let run = bed.runbook(&["exec", "a.yaml", "-o", "json"]).expect(0);
    assert!(run.json_lines().len() > 3);
    let id = bed.newest_run();
    let commands: &[&[&str]] = &[
        &["runs"],
        &["show", &id],
        &["show", &id, "--events"],
        &["logs", &id],
        &["watch", &id],
        &["plan", "a.yaml"],
    ];
    for command in commands {
        let ran = bed.runbook(&[*command, &["-o", "json"]].concat()).expect(0);
        let lines = ran.json_lines();
        assert!(!lines.is_empty(), "{command:?}");
        assert!(lines.iter().all(|line| line["version"] == 1), "{command:?}: {}", ran.stdout);
    }
    bed.write("wrong.yaml", "name: wrong\n");
    let faults = bed.runbook(&["validate", "wrong.yaml", "-o", "json"]).expect(10).json_lines();
    assert!(!faults.is_empty() && faults.iter().all(|line| line["version"] == 1), "{faults:?}");
    assert_eq!(bed.runbook(&["exec", "a.yaml"]).expect(0).stdout, "", "progress is no data");
}

#[test]
fn colour_is_for_terminals_or_who_asks_for_it() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(0);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    assert!(bed.runbook(&["show", "--color", "always"]).expect(0).stdout.contains('\u{1b}'));
}

#[test]
fn followed_logs_end_with_the_run_and_have_all_of_it() {
    let bed = Bed::with_steps(
        "  - {id: a, run: 'echo first; while ! test -e go; do sleep 0.05; done; echo last', effect: read}\n",
    );
    let run = bed.runbook(&["exec", "a.yaml", "--detach"]).expect(0).stdout.trim().to_owned();
    let following = bed.start(&["logs", "-f", &run]);
    bed.write("go", "");
    let said = following.wait().expect(0).stdout;
    assert!(said.contains("first") && said.contains("last"), "{said}");
}

/// A step that speaks, then runs until there is a file `go`.
const HELD: &str =
    "  - {id: a, run: 'echo first; while ! test -e go; do sleep 0.05; done; echo last', effect: read}\n";

#[test]
fn who_follows_ends_with_its_reader() {
    let bed = Bed::with_steps(HELD);
    let run = bed.runbook(&["exec", "a.yaml", "--detach"]).expect(0).stdout.trim().to_owned();
    for args in [&["logs", "-f", &run][..], &["watch", &run, "-o", "json"][..]] {
        let mut following = bed.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(following.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        // The reader is gone; the run goes on, and says nothing that could not be written.
        assert!(following.wait().unwrap().success(), "{args:?}");
    }
    bed.write("go", "");
    bed.runbook(&["watch", &run]).expect(0);
}

#[test]
fn what_a_step_prints_is_shown_and_not_obeyed() {
    let bed = Bed::with_steps("  - {id: a, run: \"printf '\\\\033[2Jgone\\\\n'\", effect: read}\n");
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(0);
    let logs = bed.runbook(&["logs"]).expect(0);
    for text in [&ran.stderr, &logs.stdout] {
        assert!(text.contains("[2Jgone") && !text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn a_detached_run_has_its_answers_and_has_not_been_resumed() {
    let bed = Bed::with_steps("  - {id: ok, approval: {message: Go?, timeout: 1h}}\n");
    bed.write("answers.yaml", "ok: approve\n");
    let ran = bed.runbook(&["exec", "a.yaml", "--detach", "--answers", "answers.yaml"]).expect(0);
    let run = ran.stdout.trim();
    bed.write("answers.yaml", "ok: reject\n");
    let said = bed.runbook(&["watch", run]).expect(0).stderr;
    assert!(!said.contains("resumed"), "{said}");
    let listed = bed.runbook(&["runs"]).expect(0).stdout;
    assert!(listed.starts_with("RUN") && listed.contains("succeeded"), "{listed}");
}

#[test]
fn a_refusal_of_a_live_executor_says_what_to_do_instead() {
    let bed = Bed::with_steps(HELD);
    let run = bed.runbook(&["exec", "a.yaml", "--detach"]).expect(0).stdout.trim().to_owned();
    let mut watching = bed.start(&["watch", &run]);
    watching.stderr_until("a: starts");
    let refused = bed.runbook(&["rollback", &run]).expect(2);
    assert!(refused.stderr.contains("hint: `runbook cancel` ends it"), "{}", refused.stderr);
    bed.write("go", "");
    watching.wait().expect(0);
}

#[test]
fn two_formats_at_once_are_refused() {
    let bed = Bed::with_steps("  - {id: a, run: 'echo said', effect: read}\n");
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    bed.runbook(&["report", "-f", "junit", "-o", "json"]).expect(2);
    bed.runbook(&["report", "-f", "json", "-o", "json"]).expect(0);
    assert!(bed.runbook(&["report", "-f", "junit"]).expect(0).stdout.starts_with("<?xml"));
}

#[test]
fn a_long_name_shifts_no_column() {
    let bed = Bed::new();
    let long = "a".repeat(60);
    let text = runbook("  - {id: a, run: 'true', effect: read}\n");
    bed.write("a.yaml", &text.replace("name: test", &format!("name: {long}")));
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let listed = bed.runbook(&["runs"]).expect(0).stdout;
    let lines: Vec<Vec<char>> = listed.lines().map(|line| line.chars().collect()).collect();
    let column = lines[0].windows(6).position(|word| word.iter().collect::<String>() == "STATUS").unwrap();
    assert_eq!(lines[1][column..].iter().collect::<String>(), "succeeded", "{listed}");
}

#[test]
fn events_that_cannot_be_written_are_missed_aloud_and_the_run_goes_on() {
    let bed = Bed::with_steps("  - {id: a, run: 'touch done', rollback: {run: rm done}}\n");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = bed.command(&["exec", "a.yaml", "-o", "json"]);
    let ended = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(said.matches("No space left").count(), 1, "{said}");
    assert!(said.contains("runbook show") && bed.read("done").is_some(), "{said}");
}

#[test]
fn a_detached_run_is_told_to_a_program_as_json() {
    let bed = Bed::with_steps("  - {id: ok, approval: {timeout: 1h}}\n");
    let told = bed.runbook(&["exec", "a.yaml", "--detach", "-o", "json"]).expect(0).json_lines();
    assert_eq!((&told[0]["version"], &told[0]["type"]), (&1.into(), &"detached".into()));
    let run = told[0]["run"].as_str().unwrap();
    bed.runbook(&["watch", run]).expect(24);
    let again = bed.runbook(&["resume", run, "--detach", "-o", "json"]).expect(0).json_lines();
    assert_eq!(again, told);
    bed.runbook(&["watch", run]).expect(24);
}

#[test]
fn the_sandbox_is_told_to_a_program_as_versioned_json() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    let status = bed.runbook(&["sandbox", "status", "-o", "json"]).expect(0).json_lines();
    assert_eq!(status[0]["version"], 1);
}

#[test]
fn who_gets_events_is_told_beside_them_that_a_step_waits_for_its_program() {
    let bed = Bed::with_steps(
        "  - {id: a, run: 'echo changed > tool.sh', effect: read}\n  - {id: b, argv: [sh, tool.sh], effect: read}\n",
    );
    bed.write("tool.sh", "true");
    let ran = bed.runbook(&["exec", "a.yaml", "-o", "json"]).expect(24);
    assert!(ran.stderr.contains("b waits: tool.sh: not the program that was planned"), "{}", ran.stderr);
}
