//! What helps before and beside a run: completion, a first runbook, a look at the machine, help.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use runbook_testbed::{Bed, binary};

/// What bash offers after these words, by the script that `completions` prints.
fn offered(bed: &Bed, words: &[&str]) -> Vec<String> {
    let script = bed.runbook(&["completions", "bash"]).expect(0).stdout;
    bed.write("complete.bash", &script);
    let body = format!(
        "runbook() {{ {binary} \"$@\"; }}\nmkdir -p bin && ln -sf {binary} bin/runbook && PATH=$PWD/bin:$PATH\n. ./complete.bash\n\
         COMP_WORDS=({words}) COMP_CWORD={last} COMP_TYPE=9\n_clap_complete_runbook runbook \"\" \"\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        binary = binary().display(),
        words = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        last = words.len() - 1,
    );
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(body).current_dir(bed.project()).env("RUNBOOK_STATE", bed.state());
    let output = bash.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn completion_offers_what_is_declared_and_what_is_there() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    bed.write("runbook.toml", "");
    bed.write("environments/staging.yaml", "apiVersion: runbook/v1\nkind: Environment\nname: staging\n");
    bed.write("notes.txt", "");
    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let has = |words: &[&str], wanted: &str| {
        let offered = offered(&bed, words);
        assert!(offered.iter().any(|word| word == wanted), "{words:?}: no {wanted} in {offered:?}");
        offered
    };
    has(&["runbook", "steps", "http."], "http.check");
    has(&["runbook", "explain", "E"], "E204");
    has(&["runbook", "show", ""], &bed.newest_run());
    has(&["runbook", "exec", "-e", ""], "staging");
    let files = has(&["runbook", "exec", ""], "a.yaml");
    assert!(!files.iter().any(|file| file == "notes.txt"), "{files:?}");
    let actions = has(&["runbook", "sandbox", ""], "up");
    assert!(!actions.iter().any(|action| action == "serve"), "{actions:?}");
}

#[test]
fn a_first_runbook_is_written_and_runs() {
    let bed = Bed::new();
    let ran = bed.runbook(&["init", "mine"]).expect(0);
    let next = ran.stderr.lines().last().unwrap().strip_prefix("next: ").unwrap().to_owned();
    bed.hinted(&next).expect(0);
    let again = bed.runbook(&["init", "mine"]).expect(2);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
}

#[test]
fn doctor_says_what_would_stop_a_run() {
    let bed = Bed::new();
    bed.runbook(&["doctor"]).expect(0);
    bed.write("runbook.toml", "default_environment = \"gone\"\n");
    let ran = bed.runbook(&["doctor"]).expect(1);
    assert!(ran.stdout.contains("BAD   project"), "{}", ran.stdout);
    let bad = bed.runbook(&["doctor", "-o", "json"]).expect(1).json_lines();
    assert!(bad.iter().any(|finding| finding["verdict"] == "bad"), "{bad:?}");
}

#[test]
fn only_a_journal_that_is_missing_means_no_runs() {
    let bed = Bed::new();
    let file = bed.write("file", "");
    let file = file.to_str().unwrap();
    let ran = bed.runbook(&["runs", "--state", file]).expect(2);
    assert!(ran.stderr.contains("is not a folder"), "{}", ran.stderr);
    bed.runbook(&["runs"]).expect(0);
}

#[test]
fn a_fault_names_the_option_and_what_belongs_there() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    for (args, hint) in [
        (&["exec", "a.yaml", "--answers", "none"][..], "a map from the path of a step"),
        (&["exec", "a.yaml", "-i", "x=@none"][..], "a JSON or YAML file"),
        (&["exec", "."][..], "name a runbook in it"),
        (&["graph", "a.yaml", "-o", "json"][..], "runbook plan FILE -o json"),
    ] {
        let ran = bed.runbook(args).expect(2);
        assert!(ran.stderr.contains(hint), "{args:?}: {}", ran.stderr);
    }
    let usage = bed.runbook(&["answer"]).expect(2).stderr;
    assert!(!usage.contains("--state"), "{usage}");
    let help = bed.runbook(&["answer", "--help"]).expect(0).stdout;
    assert!(help.contains("runbook answer <RUN> <STEP> <VALUE"), "{help}");
    assert!(bed.runbook(&["exec", "--help"]).expect(0).stdout.contains("24 waiting for a person"));
}

#[test]
fn every_file_is_validated_whatever_the_others_are() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    let ran = bed.runbook(&["validate", "missing.yaml", "a.yaml"]).expect(2);
    assert!(ran.stderr.contains("a.yaml: valid") && ran.stderr.contains("no such file"), "{}", ran.stderr);
    let lines = bed.runbook(&["validate", "a.yaml", "-o", "json"]).expect(0).json_lines();
    assert_eq!(lines[0]["valid"], true);
}
