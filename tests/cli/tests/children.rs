//! Children that do not behave.

use runbook_testbed::Bed;
use rustix::process::Signal;

#[test]
fn one_that_ignores_term_is_killed_with_its_group() {
    let grandchild = "(trap '' TERM; echo $BASHPID > grandchild; while :; do sleep 60; done)";
    let script = format!("trap '' TERM; {grandchild} & echo $$ > child; while :; do wait; done");
    let bed = Bed::with_steps(&format!("  - {{id: a, run: \"{script}\", effect: read}}\n"));
    let running = bed.start(&["exec", "a.yaml"]);
    let both = ["child", "grandchild"];
    while !both.iter().all(|name| bed.read(name).is_some_and(|pid| pid.ends_with('\n'))) {
        std::thread::yield_now();
    }
    running.signal(Signal::INT);
    running.wait().expect(20);
    for name in both {
        let pid = bed.read(name).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{name} still runs: {state}");
    }
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_hold_the_run() {
    let bed = Bed::with_steps(
        "  - {id: a, run: 'sleep 60 & echo done', effect: read}\n  - {id: b, run: 'echo b > log', effect: read}\n",
    );
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "b\n");
}

#[test]
fn a_flood_of_256_mb_is_logged_with_flat_memory() {
    let bed = Bed::with_steps(
        "  - {id: a, run: 'head -c 268435456 /dev/zero | tr \"\\\\0\" x | fold -w 200', effect: read}\n",
    );
    // Address space bounds resident memory from above.
    let mut command = std::process::Command::new("bash");
    command.args(["-c", "ulimit -v 1048576; exec \"$@\"", "bash"]).arg(runbook_testbed::binary());
    command.args(["exec", "a.yaml"]).current_dir(bed.project()).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("HOME", bed.project()).env("RUNBOOK_STATE", bed.state());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn bytes_that_are_not_text_and_no_last_newline() {
    let bed = Bed::with_steps("  - {id: a, run: 'printf \"\\\\377\\\\376 tail\"', effect: read}\n");
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let logs = bed.runbook(&["logs"]).expect(0).stdout;
    assert!(logs.contains("tail"), "{logs}");
}

#[test]
fn one_that_closes_its_streams_goes_on() {
    let bed = Bed::with_steps("  - {id: a, run: 'exec >&- 2>&-; touch there', effect: read}\n");
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    assert!(bed.read("there").is_some());
}

#[test]
fn outputs_come_through_the_file() {
    let steps = "  - {id: a, run: 'echo colour=green >> \"$RUNBOOK_OUTPUT\"', effect: read, outputs: {colour: string}}\n  - {id: b, uses: assert, with: {that: \"steps.a.outputs.colour == 'green'\"}}\n";
    Bed::with_steps(steps).runbook(&["exec", "a.yaml"]).expect(0);
}

#[test]
fn the_environment_is_an_allowlist() {
    let bed = Bed::with_steps("  - {id: a, run: 'env > seen', effect: read}\n");
    let mut command = bed.command(&["exec", "a.yaml"]);
    assert!(command.env("SURPRISE", "1").status().unwrap().success());
    let seen = bed.read("seen").unwrap();
    assert!(!seen.contains("SURPRISE"), "{seen}");
    assert!(seen.contains("PATH=") && seen.contains("RUNBOOK_IDEMPOTENCY_KEY="), "{seen}");
}
