//! How runs end: exit codes, and what is left in the world.

use runbook_testbed::{Bed, runbook};

/// A step that leaves a line in `log`, and another one when it is undone.
fn logged(id: &str) -> String {
    format!("  - {{id: {id}, run: 'echo {id} >> log', rollback: {{run: 'echo undo {id} >> log'}}}}\n")
}

#[test]
fn success_is_0() {
    let bed = Bed::with_steps(&(logged("a") + &logged("b")));
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "a\nb\n");
}

#[test]
fn a_failure_brings_everything_back_in_reverse_and_is_20() {
    let bed = Bed::with_steps(
        &(logged("a") + &logged("b") + "  - {id: c, run: 'exit 7', effect: read}\n" + &logged("d")),
    );
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(20);
    assert_eq!(bed.read("log").unwrap(), "a\nb\nundo b\nundo a\n");
    assert!(ran.stderr.contains("7"), "the exit code of the script is named:\n{}", ran.stderr);
    assert!(ran.stderr.contains("a.yaml:8"), "the place is named:\n{}", ran.stderr);
}

#[test]
fn nothing_to_undo_is_20_too() {
    Bed::with_steps("  - {id: a, run: 'false', effect: read}\n").runbook(&["exec", "a.yaml"]).expect(20);
}

#[test]
fn a_write_that_stays_is_said_to_stay_everywhere_and_is_20_too() {
    let steps = "  - {id: v, run: touch v}\n  - {id: w, run: touch w, irreversible: it is sent}\n  - {id: c, run: 'false', effect: read}\n";
    let bed = Bed::with_steps(steps);
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(20);
    let said = "2 left: v (says nothing of how it is undone), w (irreversible: it is sent)";
    let shown = bed.runbook(&["show"]).expect(0).stdout;
    let report = bed.runbook(&["report"]).expect(0).stdout;
    let listed = bed.runbook(&["runs"]).expect(0).stdout;
    for screen in [&ran.stderr, &shown] {
        assert!(screen.contains("FAILED, 2 WRITES STAY") && screen.contains(said), "{screen}");
    }
    assert!(report.contains("failed, 2 writes stay"), "{report}");
    for text in [&ran.stderr, &shown, &report, &listed] {
        assert!(!text.to_lowercase().contains("nothing to undo"), "{text}");
    }
    assert!(bed.read("v").is_some() && bed.read("w").is_some());
}

#[test]
fn a_failed_undo_is_22_and_blocks_what_it_depended_on() {
    let stuck = "  - {id: b, run: 'echo b >> log', rollback: {run: 'exit 3'}}\n";
    let bed =
        Bed::with_steps(&(logged("a") + stuck + &logged("c") + "  - {id: d, run: 'false', effect: read}\n"));
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(22);
    assert_eq!(bed.read("log").unwrap(), "a\nb\nc\nundo c\n");
    assert!(ran.stderr.contains("runbook rollback"), "the next command is named:\n{}", ran.stderr);
}

#[test]
fn a_policy_of_no_rollback_is_21_and_a_rollback_can_follow() {
    let bed = Bed::new();
    let text = runbook(&(logged("a") + "  - {id: b, run: 'false', effect: read}\n"));
    bed.write("a.yaml", &text.replace("steps:\n", "on_failure: {rollback: none}\nsteps:\n"));
    bed.runbook(&["exec", "a.yaml"]).expect(21);
    assert_eq!(bed.read("log").unwrap(), "a\n");
    let run = bed.newest_run();
    bed.runbook(&["rollback", &run]).expect(20);
    assert_eq!(bed.read("log").unwrap(), "a\nundo a\n");
}

#[test]
fn a_failed_finally_is_3() {
    let bed = Bed::new();
    bed.write("a.yaml", &(runbook(&logged("a")) + "finally:\n  - {run: 'false', effect: read}\n"));
    bed.runbook(&["exec", "a.yaml"]).expect(3);
    assert_eq!(bed.read("log").unwrap(), "a\n");
}

#[test]
fn finally_runs_once_after_the_rollback_and_knows_how_it_went() {
    let bed = Bed::new();
    let finally = "finally:\n  - run: 'echo \"$S $R\" >> log'\n    env: {S: '${{ run.status }}', R: '${{ rollback.status }}'}\n    effect: read\n";
    let steps = logged("a") + "  - {id: b, run: 'false', effect: read}\n";
    bed.write("a.yaml", &(runbook(&steps) + finally));
    bed.runbook(&["exec", "a.yaml"]).expect(20);
    assert_eq!(bed.read("log").unwrap(), "a\nundo a\nfailed complete\n");
}

#[test]
fn finally_knows_whether_what_stays_was_declared_to() {
    let finally = "finally:\n  - run: 'echo \"$S $R\" >> log'\n    env: {S: '${{ run.status }}', R: '${{ rollback.status }}'}\n    effect: read\n";
    let fails = "  - {id: z, run: 'false', effect: read}\n";
    let partly = ["failed, partly rolled back", "failed, not everything undone"];
    for (undo, status, [words, in_list]) in [
        ("irreversible: it is sent", "partial", partly),
        ("timeout: 1m", "partial", partly),
        ("rollback: none, reason: it is kept", "complete", ["failed, rolled back"; 2]),
    ] {
        let bed = Bed::new();
        let stays = format!("  - {{id: w, run: touch w, {undo}}}\n");
        bed.write("a.yaml", &(runbook(&(logged("a") + &stays + fails)) + finally));
        let ran = bed.runbook(&["exec", "a.yaml"]).expect(20);
        assert_eq!(bed.read("log").unwrap(), format!("a\nundo a\nfailed {status}\n"));
        let listed = bed.runbook(&["runs"]).expect(0).stdout;
        assert!(listed.contains(in_list), "{listed}");
        let shown = bed.runbook(&["show"]).expect(0).stdout;
        let said = format!("{}, 1 WRITE STAYS", words.to_uppercase());
        assert!(ran.stderr.contains(&said) && shown.contains(&said), "{}\n{shown}", ran.stderr);
    }
}

#[test]
fn an_invalid_runbook_is_10_and_names_the_place() {
    let bed = Bed::with_steps("  - {id: a, uses: asert, with: {that: true}}\n");
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(10);
    assert!(ran.stderr.contains("a.yaml:6:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("assert"), "did you mean:\n{}", ran.stderr);
    assert_eq!(bed.runbook(&["runs"]).expect(0).stdout, "");
}

#[test]
fn wrong_usage_is_2() {
    let bed = Bed::new();
    bed.runbook(&["exec"]).expect(2);
    bed.runbook(&["exec", "nothing.yaml"]).expect(2);
    bed.runbook(&["show", "nothing"]).expect(2);
}

#[test]
fn an_approval_waits_for_a_person_when_nobody_can_be_asked() {
    let approval = "  - {id: ok, approval: {message: 'Go on?', timeout: 1h}}\n";
    let bed = Bed::with_steps(&(logged("a") + approval + &logged("b")));
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(24);
    let run = bed.newest_run();
    assert!(
        ran.stderr.contains(&format!("runbook approve {run}")),
        "the next command is named:\n{}",
        ran.stderr
    );
    assert_eq!(bed.read("log").unwrap(), "a\n");
    bed.runbook(&["approve", &run, "--comment", "fine"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "a\nb\n");
}

#[test]
fn a_rejection_rolls_back_and_is_25() {
    let approval = "  - {id: ok, approval: {message: 'Go on?', timeout: 1h}}\n";
    let bed = Bed::with_steps(&(logged("a") + approval + &logged("b")));
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    let run = bed.newest_run();
    bed.runbook(&["reject", &run, "--reason", "not tonight"]).expect(25);
    assert_eq!(bed.read("log").unwrap(), "a\nundo a\n");
    let shown = bed.runbook(&["show", &run]).expect(0);
    assert!(shown.stdout.contains("not tonight"), "{}", shown.stdout);
}

#[test]
fn a_held_lock_is_30_and_names_the_holder() {
    let bed = Bed::new();
    let approval = "  - {id: ok, approval: {message: 'Go on?', timeout: 1h}}\n";
    let text = runbook(approval).replace("steps:\n", "locks: [{name: shop, if_held: fail}]\nsteps:\n");
    bed.write("a.yaml", &text);
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    let first = bed.newest_run();
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(30);
    assert!(ran.stderr.contains(&first), "{}", ran.stderr);
    bed.runbook(&["approve", &first]).expect(0);
    bed.runbook(&["exec", "a.yaml"]).expect(24);
}

#[test]
fn what_is_printed_at_a_held_lock_runs_as_it_is_printed() {
    let bed = Bed::new();
    let approval = "  - {id: ok, approval: {message: 'Go on?', timeout: 1h}}\n";
    let head = "inputs: {who: {type: string}, tags: {type: list, of: string}}\nlocks: [{name: shop, if_held: fail}]\n";
    bed.write("a file.yaml", &runbook(approval).replace("steps:\n", &format!("{head}steps:\n")));
    let exec = ["exec", "a file.yaml", "-i", "who=it's $HOME", "-i", "tags=[\"a b\"]"];
    bed.runbook(&exec).expect(24);
    let first = bed.newest_run();
    let ran = bed.runbook(&exec).expect(30);
    let command = |what: &str| ran.command(what);
    assert_eq!(command("bring back what holds the lock"), format!("runbook cancel {first}"));
    bed.hinted(&command("bring back what holds the lock")).expect(20);
    bed.hinted(&command("run it again")).expect(24);
    let created = &bed.events(&bed.newest_run())[0];
    assert_eq!(created["inputs"]["who"], "it's $HOME");
    assert_eq!(created["inputs"]["tags"], serde_json::json!(["a b"]));
}

/// What is printed first at a lock does something for whoever wants it, however the run stands that holds it.
#[test]
fn the_way_to_a_lock_is_one_that_the_run_which_holds_it_takes() {
    let a = "  - {id: a, run: 'true', rollback: {run: 'true'}}\n";
    let pivot = "  - {id: p, run: 'true', pivot: true, irreversible: gone}\n";
    let fails = "  - {id: c, run: 'false', effect: read}\n";
    let asks = "  - {id: ok, approval: {message: 'Go on?', timeout: 1h}}\n";
    let killed = "  - {id: k, run: 'kill -9 $PPID; sleep 60', rollback: {run: 'true'}}\n";
    for (head, steps, ends, first, then) in [
        ("on_failure: {after_pivot: ask}\n", [a, pivot, fails], 24, "what it waits for", Some(("keep", 21))),
        ("", [a, pivot, asks], 24, "what it waits for", Some(("approve", 0))),
        ("on_failure: {rollback: ask}\n", [a, fails, ""], 24, "what it waits for", Some(("undo", 20))),
        ("", [a, asks, ""], 24, "bring back what holds the lock", None),
        ("", [a, killed, ""], 137, "bring back what holds the lock", None),
    ] {
        let bed = Bed::new();
        let locks = format!("{head}locks: [{{name: shop, if_held: fail}}]\nsteps:\n");
        bed.write("a.yaml", &runbook(&steps.concat()).replace("steps:\n", &locks));
        bed.runbook(&["exec", "a.yaml"]).expect(ends);
        if ends == 137 {
            // Nobody knows what it did: that is asked, and a cancel would only ask it too.
            let at = bed.runbook(&["exec", "a.yaml"]).expect(30);
            bed.hinted(&at.command(first)).expect(23);
            let at = bed.runbook(&["exec", "a.yaml"]).expect(30);
            assert!(!at.stderr.contains("runbook cancel"), "{}", at.stderr);
            continue;
        }
        let at = bed.runbook(&["exec", "a.yaml"]).expect(30);
        let next = at.stderr.rsplit("exit 30\n").next().unwrap().trim_start();
        assert!(next.starts_with(first), "{next}");
        match then {
            None => drop(bed.hinted(&at.command(first)).expect(20)),
            Some((answer, code)) => {
                let shown = bed.hinted(&at.command(first)).expect(0);
                let line =
                    shown.stdout.lines().find(|line| line.contains(&format!("{answer}: runbook "))).unwrap();
                let command = line.split(&format!("{answer}: ")).nth(1).unwrap().split("   ").next().unwrap();
                bed.hinted(command).expect(code);
            }
        }
        assert_ne!(bed.hinted(&at.command("run it again")).code(), 30);
    }
}

#[test]
fn no_secret_is_in_what_is_said_of_a_failure() {
    let bed = Bed::new();
    let secret = "canary-7c2d";
    bed.write("secret.txt", secret);
    let script = "echo \"refused: $S\" >&2; echo \"answer=$S\" >> \"$RUNBOOK_OUTPUT\"; exit 1";
    let step =
        format!("  - {{id: a, run: '{script}', env: {{S: '${{{{ secrets.token }}}}'}}, effect: read}}\n");
    let text = runbook(&step).replace("steps:\n", "secrets: {token: {file: secret.txt}}\nsteps:\n");
    bed.write("a.yaml", &text);
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(20);
    assert!(ran.stderr.contains("refused: "), "what the script said is shown: {}", ran.stderr);
    let events = bed.runbook(&["show", "--events", "-o", "json"]).expect(0).stdout;
    let plan = bed.runbook(&["plan", "a.yaml", "-o", "json"]).expect(0).stdout;
    for text in [ran.stdout, ran.stderr, events, plan] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn no_secret_reaches_a_file_of_ours_or_a_stream() {
    let bed = Bed::new();
    let secret = "canary-5f1e";
    bed.write("secret.txt", &format!("{secret}\n"));
    let steps = "  - id: a\n    run: 'echo \"it is $S\"; echo \"$S\" | base64; echo \"$S\" > used'\n    env: {S: '${{ secrets.token }}'}\n    effect: read\n";
    let text = runbook(steps).replace("steps:\n", "secrets: {token: {file: secret.txt}}\nsteps:\n");
    bed.write("a.yaml", &text);
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(0);
    assert_eq!(bed.read("used").unwrap().trim(), secret, "the script did get it");
    let report = ["markdown", "html", "json", "junit"]
        .map(|format| bed.runbook(&["report", "--format", format]).expect(0).stdout);
    let logs = bed.runbook(&["logs"]).expect(0).stdout;
    let encoded = "Y2FuYXJ5LTVmMWU";
    for text in report.iter().chain([&ran.stdout, &ran.stderr, &logs]) {
        assert!(!text.contains(secret) && !text.contains(encoded), "{text}");
    }
    assert!(logs.contains("it is "), "the line is there without the secret: {logs}");
    let mut folders = vec![bed.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} contains the secret", path.display());
            }
        }
    }
}

#[test]
fn a_program_that_was_changed_since_does_not_run() {
    let bed = Bed::with_steps(
        "  - {id: a, run: 'echo touch ran > inner.sh', effect: read}\n  - {id: b, run: sh inner.sh, effect: read}\n",
    );
    bed.write("inner.sh", "true");
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(24);
    assert!(ran.stderr.contains("inner.sh: not the program that was planned"), "{}", ran.stderr);
    bed.runbook(&["cancel", &bed.newest_run()]).expect(20);
    assert_eq!(bed.read("ran"), None, "it did not run");
}

#[test]
fn a_group_is_held_to_its_verify_and_to_its_timeout() {
    let group = |keys: &str, inside: &str| {
        format!("  - id: g\n    {keys}\n    steps:\n    {}\n{inside}", logged("a").trim_end())
    };
    let verify = "verify: {run: test -f there, within: 0s}";
    let bed = Bed::with_steps(&group(verify, ""));
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(20);
    assert_eq!(bed.read("log").unwrap(), "a\nundo a\n");
    assert!(ran.stderr.contains("verify did not hold"), "{}", ran.stderr);
    bed.write("there", "");
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let endless = "      - {id: b, run: sleep 600, effect: read}\n";
    let bed = Bed::with_steps(&group("timeout: 300ms", endless));
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(20);
    assert_eq!(bed.read("log").unwrap(), "a\nundo a\n");
    assert!(ran.stderr.contains("its time was over"), "{}", ran.stderr);
}

#[test]
fn a_check_without_an_answer_goes_on_only_where_the_file_says_so_and_is_shown() {
    let look = |keys: &str| {
        format!("  - {{id: look, uses: http.check, with: {{url: 'http://127.0.0.1:1/'}}{keys}}}\n")
    };
    Bed::with_steps(&look("")).runbook(&["exec", "a.yaml"]).expect(20);
    let bed = Bed::with_steps(&(look(", on_inconclusive: continue") + &logged("a")));
    let plan = bed.runbook(&["plan", "a.yaml"]).expect(0);
    assert!(plan.stdout.contains("goes on without an answer"), "{}", plan.stdout);
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    assert_eq!(bed.read("log").unwrap(), "a\n");
    let shown = bed.runbook(&["show", &bed.newest_run()]).expect(0);
    assert!(shown.stdout.contains("warning: inconclusive: "), "{}", shown.stdout);
}

#[test]
fn what_the_file_merely_claims_is_said() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    let plan = bed.runbook(&["plan", "a.yaml"]).expect(0);
    assert!(plan.stdout.contains("read (claimed)"), "{}", plan.stdout);
}

/// As those of a step that was skipped, whatever it had seen before it failed.
#[test]
fn what_failed_and_is_put_up_with_has_no_outputs() {
    let bed = Bed::with_steps(
        "  - {id: a, run: 'echo seen=much >> $RUNBOOK_OUTPUT; exit 1', effect: read, outputs: {seen: string}, continue_on_error: true}\n  - {uses: assert, with: {that: \"${{ steps.a.outputs.seen | default('nothing') == 'nothing' and steps.a.status == 'failed' }}\", message: it is seen}}\n",
    );
    bed.runbook(&["exec", "a.yaml"]).expect(3);
}

#[test]
fn what_its_deadline_stops_has_failed_and_says_so() {
    let bed = Bed::with_steps(
        "  - {id: a, run: 'sleep infinity', effect: read, timeout: 100ms, deadline: 350ms, retry: {max_attempts: 99, delay: 1ms}}\n",
    );
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(20);
    assert!(ran.stderr.contains("the deadline passed"), "{}", ran.stderr);
    let shown = bed.runbook(&["show", "-o", "json"]).expect(0).json_lines();
    let failures = shown[0]["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0]["message"].as_str().unwrap().starts_with("the deadline passed"), "{failures:?}");
}

#[test]
fn who_waits_for_a_lock_is_told_from_the_beginning_what_makes_it_free() {
    let bed = Bed::new();
    let text = |name: &str, steps: &str, lock: &str| {
        let head = format!("name: {name}\nsummary: A test.\nlocks: [{lock}]\n");
        runbook(steps).replace("name: test\nsummary: A test.\n", &head)
    };
    bed.write(
        "a.yaml",
        &text("first", "  - {id: ok, approval: {message: Go?, timeout: 1h}}\n", "{name: shop}"),
    );
    let wait = "{name: shop, if_held: wait, timeout: 1m}";
    bed.write("b.yaml", &text("second", "  - {id: b, run: 'true', effect: read}\n", wait));
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    let first = bed.newest_run();
    let mut second = bed.start(&["exec", "b.yaml"]);
    second.stderr_until("unfinished");
    second.stderr_until(&format!("runbook cancel {first}"));
    bed.runbook(&["cancel", &first]);
    second.wait().expect(0);
}

#[test]
fn who_waits_for_a_lock_is_told_when_somebody_has_gone_on_with_its_holder_and_when_that_is_gone() {
    let bed = Bed::new();
    let text = |steps: &str, lock: &str| {
        runbook(steps).replace("summary: A test.\n", &format!("summary: A test.\nlocks: [{lock}]\n"))
    };
    let dies = "run: 'while ! test -e go; do sleep 0.05; done; kill -9 $PPID; sleep 60', effect: read";
    let steps =
        format!("  - {{id: ok, approval: {{message: Go?, timeout: 1h}}}}\n  - {{id: dies, {dies}}}\n");
    bed.write("a.yaml", &text(&steps, "{name: shop}"));
    let wait = "{name: shop, if_held: wait, timeout: 1m}";
    bed.write("b.yaml", &text("  - {id: b, run: 'true', effect: read}\n", wait));
    bed.runbook(&["exec", "a.yaml"]).expect(24);
    let first = bed.newest_run();
    let mut second = bed.start(&["exec", "b.yaml"]);
    second.stderr_until("unfinished: it waits for a person");
    let goes_on = bed.start(&["approve", &first, "ok"]);
    second.stderr_until("  what holds the lock: runbook show");
    bed.write("go", "");
    second.stderr_until("unfinished: nobody executes it");
    second.stderr_until(&format!("runbook resume {first}"));
    assert_eq!(goes_on.wait().code(), 137);
    bed.runbook(&["cancel", &first]);
    second.wait().expect(0);
}
