//! Children that do not behave.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Read;
use std::process::Stdio;

use runbook_testbed::{Bed, ran};
use rustix::process::Signal;

#[test]
fn one_that_ignores_term_is_killed_with_its_group() {
    let script = "trap '' TERM; sleep infinity & echo $! > grandchild; echo $$ > child; echo here; wait";
    let bed = Bed::with_steps(&format!("  - {{id: a, run: \"{script}\", effect: read}}\n"));
    let mut running = bed.start(&["exec", "a.yaml"]);
    running.stderr_until("a | here");
    running.signal(Signal::TERM);
    running.wait().expect(143);
    is_gone(&bed, "child");
    is_gone(&bed, "grandchild");
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_hold_the_run() {
    // It never ends by itself: whoever waits for the pipes has the time of the step run out.
    let bed = Bed::with_steps(
        "  - {id: a, run: 'tail -f /dev/null & echo $! > grandchild', effect: read, timeout: 1m}\n  - {id: b, run: 'echo b > log', effect: read}\n",
    );
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "b\n");
    is_gone(&bed, "grandchild");
}

/// The process with the number in this file has ended.
fn is_gone(bed: &Bed, name: &str) {
    let pid = bed.read(name).unwrap();
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{name} still runs: {state}");
}

/// A bed in which so many bytes were said, all of them `x`, by an executor that may have half as much memory to write to.
fn flooded(bytes: usize) -> Bed {
    let bed = Bed::with_steps(&format!(
        "  - {{id: a, run: 'head -c {bytes} /dev/zero | tr \"\\\\0\" x | fold -w 200', effect: read}}\n"
    ));
    ran(bed.behind(&["bash", "-c", &limit(bytes / 2), "bash"], &["exec", "a.yaml"])).expect(0);
    bed
}

/// For bash: goes on with what is behind it, with so much memory to write to.
fn limit(bytes: usize) -> String {
    format!("ulimit -d {}; exec \"$@\"", bytes / 1024)
}

fn log_is_whole(bed: &Bed, logs: &[&str], bytes: usize) {
    let mut logs =
        bed.behind(&["bash", "-c", &limit(bytes / 2), "bash"], logs).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(count(b'x', logs.stdout.take().unwrap()), bytes);
    assert!(logs.wait().unwrap().success());
}

#[test]
fn a_flood_of_256_mb_is_logged_with_flat_memory() {
    const FLOOD: usize = 256 << 20;
    log_is_whole(&flooded(FLOOD), &["logs"], FLOOD);
}

#[test]
fn a_log_is_read_with_flat_memory_however_it_is_asked_for() {
    const LOG: usize = 48 << 20;
    let bed = flooded(LOG);
    log_is_whole(&bed, &["logs", &bed.newest_run(), "a"], LOG);
    log_is_whole(&bed, &["logs", "-f"], LOG);
}

#[test]
fn logs_of_many_steps_are_in_the_order_of_time() {
    let items: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let bed = Bed::with_steps(&format!(
        "  - id: each\n    for_each: {{items: [{}], as: item, max_parallel: 100}}\n    run: 'echo one; sleep 0.1; echo two'\n    effect: read\n  - {{id: last, run: echo three, effect: read}}\n",
        items.join(", ")
    ));
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let few = "ulimit -n 100; exec \"$@\"";
    for follow in [false, true] {
        let logs = if follow { &["logs", "-o", "json", "-f"][..] } else { &["logs", "-o", "json"] };
        let lines = ran(bed.behind(&["bash", "-c", few, "bash"], logs)).expect(0).json_lines();
        assert_eq!(lines.len(), 401);
        // What is followed is printed as it is found.
        assert!(follow || lines.is_sorted_by_key(|line| line["elapsed_ms"].as_u64()));
        for n in 0..200 {
            let step = format!("each[{n}]");
            let said =
                lines.iter().filter(|line| line["step"] == step).map(|line| line["text"].as_str().unwrap());
            assert_eq!(said.collect::<Vec<_>>(), ["one", "two"], "{step}");
        }
    }
}

/// How often a byte comes out of a pipe.
fn count(byte: u8, mut pipe: impl Read) -> usize {
    let mut buffer = vec![0; 1 << 16];
    let mut count = 0;
    loop {
        match pipe.read(&mut buffer).unwrap() {
            0 => return count,
            read => count += buffer[..read].iter().filter(|had| **had == byte).count(),
        }
    }
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

/// In a container that somebody has entered, session and group are those of a process outside of it: their numbers are
/// 0 there.
#[test]
#[cfg(target_os = "linux")]
fn where_session_and_group_have_no_number_a_run_is_taken_over_as_anywhere() {
    let inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "sh", "-c"];
    let allowed = std::process::Command::new(inside[0]).args(&inside[1..]).arg("true").status();
    if !allowed.is_ok_and(|status| status.success()) {
        return runbook_testbed::skip("this system does not let its users make pid namespaces");
    }
    // Left behind by the first attempt without anything of ours in its environment.
    let bed = Bed::with_steps(
        "  - id: a\n    effect: read\n    run: |\n      [ ! -e left ] || exit 0\n      env -i sleep infinity & echo $! > left\n      kill -KILL $PPID; wait\n",
    );
    let script = "\"$@\"; echo exec $?; \"$1\" resume; echo resume $?; cat /proc/$(cat left)/stat || true";
    let inside: Vec<&str> = inside.into_iter().chain([script, "sh"]).collect();
    let seen = ran(bed.behind(&inside, &["exec", "a.yaml"])).expect(0);
    assert!(seen.stdout.starts_with("exec 137\nresume 0\n"), "{}\n{}", seen.stdout, seen.stderr);
    assert!(!seen.stdout.contains(") S "), "it still runs: {}", seen.stdout);
}
