//! Commands that are printed are copied from the screen and pasted into a shell.

use runbook_testbed::{Bed, Ran, runbook};

/// What no word of a command survives unquoted, nor on one line of a screen.
fn hostile() -> String {
    format!("it's \"$HOME\" `id` \\ !! 日本語 \n  two \n\tthree {} end\n", "long ".repeat(60))
}

/// `show`, as it stands on a terminal of 80 columns.
fn shown(bed: &Bed, args: &[&str]) -> Ran {
    let (screen, code) = bed.on_terminal(&[&["show"], args].concat()).end();
    assert_eq!(code, 0, "{screen}");
    let stdout = screen.replace("\r\n", "\n");
    Ran { stdout, ..bed.runbook(&["show"]) }
}

fn as_on_screen(ran: &Ran) -> Ran {
    Ran { stderr: String::new(), stdout: ran.stdout.clone(), status: ran.status }
}

#[test]
fn a_run_is_run_again_with_everything_that_it_was_given() {
    let bed = Bed::new();
    let approval = "  - {id: ok, approval: {message: 'Go on?', timeout: 1h}}\n  - {id: how, prompt: {message: How?, type: string, timeout: 1h}}\n";
    let head = "inputs: {text: {type: string}, tags: {type: list, of: string}}\nlocks: [{name: shop, if_held: fail}]\n";
    bed.write("a file's.yaml", &runbook(approval).replace("steps:\n", &format!("{head}steps:\n")));
    bed.write("tags of it.json", "[\"from a file\"]");
    bed.write("answers.yaml", "how: quickly\n");
    let text = format!("text={}", hostile());
    let state = bed.project().join("another place");
    let state = state.to_str().unwrap();
    let exec = [
        "--state",
        state,
        "exec",
        "a file's.yaml",
        "-i",
        &text,
        "-i",
        "tags=@tags of it.json",
        "--answers",
        "answers.yaml",
        "--strict",
        "--max-parallel",
        "2",
    ];
    bed.runbook(&exec).expect(24);
    bed.runbook(&exec).expect(30);
    let screen = shown(&bed, &["--state", state]);
    for line in screen.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let screen = as_on_screen(&screen);
    let first = bed.hinted(&screen.command("what it waits for")).expect(0);
    bed.hinted(&as_on_screen(&first).command("approve")).expect(0);
    bed.hinted(&screen.command("run it again")).expect(24);
    let events = bed.runbook(&["show", "--events", "-o", "json", "--state", state]).expect(0).json_lines();
    let created = &events[0];
    assert_eq!(created["inputs"]["text"], hostile());
    assert_eq!(created["inputs"]["tags"], serde_json::json!(["from a file"]));
    assert_eq!(created["answers"], "how: quickly\n");
    assert_eq!(created["max_parallel"], 2);
    assert_eq!(created["request"]["strict"], true);
}

#[test]
fn what_came_out_of_a_pipe_is_given_again_as_it_was() {
    let bed = Bed::new();
    let approval = "  - {id: ok, approval: {message: 'Go on?', timeout: 1h}}\n";
    let head = "inputs: {tags: {type: list, of: string}}\nlocks: [{name: shop, if_held: fail}]\n";
    bed.write("a.yaml", &runbook(approval).replace("steps:\n", &format!("{head}steps:\n")));
    let exec = "runbook exec a.yaml -i tags=@/dev/stdin";
    let piped = |tags: &str| bed.hinted(&format!("{exec} <<'END'\n{tags}\nEND\n"));
    piped("[\"a b\"]").expect(24);
    let first = bed.newest_run();
    let refused = piped("[\"a b\"]").expect(30);
    bed.runbook(&["cancel", &first]).expect(20);
    bed.hinted(&refused.command("run it again")).expect(24);
    assert_eq!(bed.events(&bed.newest_run())[0]["inputs"]["tags"], serde_json::json!(["a b"]));
}

#[test]
fn an_answer_and_the_log_of_a_step_are_asked_for_by_whatever_it_is_called() {
    let key = hostile();
    let choice = format!("-{}", hostile());
    let bed = Bed::new();
    let steps = "  - id: each
    for_each: {items: '${{ inputs.keys }}', as: item}
    steps:
      - {id: say, run: echo said, effect: read}
      - {id: how, prompt: {message: How?, type: string, one_of: [CHOICE], timeout: 1h}}
      - {id: fail, run: 'echo it failed; exit 3', effect: read}
";
    let steps = steps.replace("CHOICE", &serde_json::to_string(&choice).unwrap());
    let text = runbook(&steps)
        .replace("steps:\n  - id: each", "inputs: {keys: {type: list, of: string}}\nsteps:\n  - id: each");
    bed.write("a.yaml", &text);
    let keys = format!("keys={}", serde_json::json!([key]));
    bed.runbook(&["exec", "a.yaml", "-i", &keys]).expect(24);
    let screen = as_on_screen(&shown(&bed, &[]));
    bed.hinted(&screen.command("answer")).expect(20);
    let answered =
        bed.events(&bed.newest_run()).into_iter().find(|event| event["type"] == "answered").unwrap();
    assert_eq!(answered["answer"]["value"], choice);
    let screen = as_on_screen(&shown(&bed, &[]));
    let logs = bed.hinted(&screen.command("its output")).expect(0).stdout;
    assert!(logs.contains("it failed") && !logs.contains("said"), "{logs}");
}

#[test]
fn an_error_names_the_folder_that_the_command_was_given() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    let state = bed.project().join("other");
    let state = state.to_str().unwrap();
    bed.runbook(&["exec", "a.yaml", "--state", state]).expect(0);
    let run = bed.runbook(&["runs", "-o", "json", "--state", state]).expect(0).json_lines()[0]["run"].clone();
    let run = run.as_str().unwrap();
    let refused = bed.runbook(&["resume", run, "--state", state]).expect(2);
    bed.hinted(&refused.command("hint")).expect(0);
    // Where it would be found anyway, nobody has to type it.
    let usual = bed.runbook(&["exec", "a.yaml", "--state", bed.state().to_str().unwrap()]).expect(0);
    assert!(!usual.stderr.contains("--state"), "{}", usual.stderr);
    let usual = bed.runbook(&["exec", "a.yaml"]).expect(0);
    assert!(!usual.stderr.contains("--state"), "{}", usual.stderr);
}

#[test]
fn a_reason_that_says_what_to_type_names_the_folder_too() {
    let bed = Bed::with_steps(
        "  - {id: a, run: 'echo changed > tool.sh', effect: read}\n  - {id: b, argv: [sh, tool.sh], effect: read}\n",
    );
    bed.write("tool.sh", "true");
    let state = bed.project().join("other");
    let ran = bed.runbook(&["exec", "a.yaml", "--state", state.to_str().unwrap_or_default()]).expect(24);
    let commands: Vec<&str> = ran.stderr.split("runbook ").skip(1).collect();
    assert!(commands.len() > 3, "{}", ran.stderr);
    assert!(commands.iter().all(|command| command.starts_with("--state ")), "{}", ran.stderr);
}

#[test]
fn what_is_left_to_the_background_is_followed_in_the_folder_that_the_command_was_given() {
    let bed =
        Bed::with_steps("  - {id: ok, approval: {timeout: 1h}}\n  - {id: a, run: 'true', effect: read}\n");
    let state = bed.project().join("other");
    let state = ["--state", state.to_str().unwrap()];
    bed.runbook(&[&["exec", "a.yaml"], &state[..]].concat()).expect(24);
    let run = &bed.runbook(&[&["runs", "-o", "json"], &state[..]].concat()).json_lines()[0]["run"];
    let approve = ["approve", run.as_str().unwrap(), "--detach"];
    let approved = bed.runbook(&[&approve[..], &state[..]].concat()).expect(0);
    bed.hinted(&approved.command("detached; follow it with")).expect(0);
}
