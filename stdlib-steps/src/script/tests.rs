use runbook_step::testing::{Fake, exit};
use runbook_step::{Call, Cancelled, Context, Map, Outcome, ProcessExit, Secret, Step, Type, Value};

use super::{Argv, Run};

fn call(step: &dyn Step, params: serde_json::Value) -> Call {
    let given = Value::from_json(params).as_map().unwrap().clone();
    Call { params: step.declaration().fill(given).unwrap(), ..Call::default() }
}

fn script(params: serde_json::Value, declared: &[(&str, Type)]) -> Call {
    let declared = declared.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
    Call { declared, ..call(&Run, params) }
}

/// `done|failed|not_done|unknown kind: message outputs`.
fn told(outcome: &Outcome) -> String {
    let word = match outcome {
        Outcome::Done(_) => "done",
        Outcome::Failed(_) => "failed",
        Outcome::NotDone(_) => "not_done",
        Outcome::Unknown(_) => "unknown",
    };
    let why = outcome
        .failure()
        .map(|failure| format!(" {}: {}", failure.kind, failure.message))
        .unwrap_or_default();
    format!("{word}{why} {}", Value::from(outcome.outputs().clone()))
}

fn ended(call: &Call, fake: &Fake) -> String {
    told(&fake.block_on(Run.run(call, fake as &dyn Context)))
}

fn writes(outputs: &[(&str, &str)]) -> ProcessExit {
    let outputs = outputs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    ProcessExit { outputs: Ok(outputs), ..exit(0, "", "").value.unwrap() }
}

#[test]
fn the_script_reaches_the_shell_as_it_is() {
    let text = "echo \"$A\" ${#A} {{ $value }}\n";
    let mut given =
        call(&Run, serde_json::json!({"script": text, "env": {"N": 3, "ON": true}, "cwd": "k8s"}));
    let Some(Value::Map(env)) = given.params.get_mut("env") else { unreachable!() };
    env.insert("TOKEN".into(), Secret::named("token").into());
    let fake = Fake::new().on_process(|_| exit(0, "", ""));
    assert_eq!(ended(&given, &fake), r#"done {"exit_code":0}"#);
    let request = fake.seen().processes.remove(0);
    assert_eq!(request.argv, ["bash", "-euo", "pipefail", "-c", text]);
    assert_eq!(request.env["TOKEN"], Secret::named("token").into());
    assert_eq!((&request.env["N"], &request.env["ON"]), (&"3".into(), &"true".into()));
    assert_eq!(request.cwd, Some("k8s".into()));
    assert!(fake.seen().revealed.is_empty());
}

#[test]
fn each_ending_says_what_is_known() {
    let given = script(serde_json::json!({"script": "x"}), &[("n", Type::integer())]);
    let killed = ProcessExit { code: None, signal: Some(9), ..exit(0, "", "tail\n").value.unwrap() };
    let half = ProcessExit {
        code: Some(75),
        stderr_tail: "first\nno lock: held by ana\n\n".into(),
        ..writes(&[("n", "3")])
    };
    let endings = [
        ended(&given, &Fake::new()),
        ended(&given, &Fake::new().on_process(move |_| Ok(half.clone()))),
        ended(&given, &Fake::new().on_process(move |_| Ok(killed.clone()))),
        ended(&given, &Fake::new().on_process(|_| exit(0, "", "").never()).cancel_at(9, Cancelled::Timeout)),
        ended(&given, &Fake::new().on_process(|_| exit(0, "", "").never()).cancel_at(9, Cancelled::Run)),
    ];
    insta::assert_snapshot!(endings.join("\n"), @r#"
    not_done error: bash: No such file or directory {}
    failed exit:75: exit code 75: no lock: held by ana {"exit_code":75,"n":3}
    unknown signal:9: ended by signal 9 (KILL): tail {}
    unknown timeout: stopped: its time was over {}
    unknown cancelled: stopped: the run asked it to stop {}
    "#);
}

#[test]
fn outputs_have_the_types_that_were_declared() {
    let declared = [("n", Type::integer()), ("soak", Type::duration()), ("list", Type::list(Type::string()))];
    let given = script(serde_json::json!({"script": "x"}), &declared);
    let run = |outputs: &[(&str, &str)]| {
        let exit = writes(outputs);
        ended(&given, &Fake::new().on_process(move |_| Ok(exit.clone())))
    };
    let endings = [
        run(&[("n", "12\n"), ("soak", "1m"), ("list", "[\"a\"]"), ("more", "ignored")]),
        run(&[("n", "twelve"), ("list", "a, b")]),
    ];
    insta::assert_snapshot!(endings.join("\n"), @r#"
    done {"exit_code":0,"list":["a"],"n":12,"soak":60000}
    failed error: it ended well, but its output `list` is wrong: wanted a list of text as JSON, got the text `a, b`: expected value at line 1 column 1; its output `n` is wrong: wanted a whole number, got the text `twelve`; did not return the output `soak` {"exit_code":0}
    "#);
    let unreadable = ProcessExit { outputs: Err("line 3 has no `=`".into()), ..writes(&[]) };
    insta::assert_snapshot!(ended(&given, &Fake::new().on_process(move |_| Ok(unreadable.clone()))), @r#"failed error: it ended well, but its outputs cannot be read: line 3 has no `=` {"exit_code":0}"#);
}

#[test]
fn stdout_as_json_is_the_outputs() {
    let given = script(serde_json::json!({"script": "x", "stdout": "json"}), &[("n", Type::integer())]);
    let run = |stdout: &'static str| ended(&given, &Fake::new().on_process(move |_| exit(0, stdout, "")));
    let endings =
        [run("{\"n\": 3, \"m\": 4}\n"), run("{}"), run("{\"n\": \"3\"}"), run("[1]"), run("oops"), run("")];
    insta::assert_snapshot!(endings.join("\n"), @r#"
    done {"exit_code":0,"n":3}
    failed error: it ended well, but did not return the output `n` {"exit_code":0}
    failed error: it ended well, but its output `n` is wrong: wanted a whole number, got the text `3`; take the quotes away {"exit_code":0}
    failed error: it ended well, but its standard output is a list, not a JSON object {"exit_code":0}
    failed error: it ended well, but its standard output is not JSON: expected value at line 1 column 1 {"exit_code":0}
    failed error: it ended well, but its standard output is not JSON: EOF while parsing a value at line 1 column 0 {"exit_code":0}
    "#);
    let fake = Fake::new().on_process(|_| exit(0, "{\"n\": 3}", ""));
    ended(&given, &fake);
    assert!(fake.seen().processes[0].capture_stdout);
}

#[test]
fn arguments_are_one_each_and_never_secret() {
    let given =
        call(&Argv, serde_json::json!({"argv": ["kubectl", "scale", "--replicas", 3, "a b; rm -rf /"]}));
    let fake = Fake::new().on_process(|_| exit(0, "", ""));
    fake.block_on(Argv.run(&given, &fake));
    assert_eq!(fake.seen().processes[0].argv, ["kubectl", "scale", "--replicas", "3", "a b; rm -rf /"]);
    let secret = Map::from([("argv".into(), vec![Value::from("x"), Secret::named("token").into()].into())]);
    insta::assert_snapshot!(Argv.declaration().fill(secret).unwrap_err()[0], @"argv[1]: wanted text, or a whole number, or `true` or `false`, got the secret `${{ secrets.token }}`");
}

#[test]
fn what_the_system_would_refuse_is_refused_before() {
    let fake = Fake::new().on_process(|_| exit(0, "", ""));
    let refused = |step: &dyn Step, params| told(&fake.block_on(step.run(&call(step, params), &fake)));
    let refusals = [
        refused(&Run, serde_json::json!({"script": "x".repeat(1 << 17)})),
        refused(&Run, serde_json::json!({"script": "a\0b"})),
        refused(&Run, serde_json::json!({"script": "x", "shell": " "})),
        refused(&Run, serde_json::json!({"script": "x", "env": {"A=B": "c"}})),
        refused(&Run, serde_json::json!({"script": "x", "env": {"A": "b\0"}})),
        refused(&Argv, serde_json::json!({"argv": []})),
        refused(&Argv, serde_json::json!({"argv": ["x", "a\0b"]})),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @"
    not_done invalid: `script`: it is 131072 bytes long, and the system takes 131071; put it into a file {}
    not_done invalid: `script`: it contains a NUL character {}
    not_done invalid: `shell`: it is empty {}
    not_done invalid: `env`: `A=B` cannot be the name of a variable {}
    not_done invalid: `env`: the value of `A` contains a NUL character {}
    not_done invalid: `argv`: the program is missing {}
    not_done invalid: `argv`: an argument contains a NUL character {}
    ");
    assert_eq!(fake.seen().processes, []);
}

#[test]
fn the_plan_shows_what_would_run() {
    let fake = Fake::new();
    let shown = |step: &dyn Step, params| {
        let changes = fake.block_on(step.plan(&call(step, params), &fake));
        changes
            .into_iter()
            .map(|change| format!("{} {}", change.verb, change.detail.unwrap_or_default()))
            .collect::<String>()
    };
    insta::assert_snapshot!(shown(&Run, serde_json::json!({"script": "\nset -x\nmake\n"})), @"run set -x … (2 lines)");
    insta::assert_snapshot!(shown(&Argv, serde_json::json!({"argv": ["make", "-j", 2]})), @"run make -j 2");
}

#[test]
fn a_number_longer_than_ours_comes_back_with_all_its_digits_or_not_at_all() {
    let end = |ty| {
        let given = script(serde_json::json!({"script": "x", "stdout": "json"}), &[("id", ty)]);
        ended(&given, &Fake::new().on_process(|_| exit(0, r#"{"id": 18446744073709551615}"#, "")))
    };
    insta::assert_snapshot!([end(Type::Any), end(Type::integer())].join("\n"), @r#"
    done {"exit_code":0,"id":"18446744073709551615"}
    failed error: it ended well, but its output `id` is wrong: wanted a whole number, got the text `18446744073709551615`; it has more digits than a number here can have {"exit_code":0}
    "#);
}

#[test]
fn what_is_returned_and_not_declared_is_named_in_the_log() {
    let notes = |params, declared: &[(&str, Type)]| {
        let exit = ProcessExit { stdout: "{\"n\": 3}".into(), ..writes(&[("n", "3"), ("extra", "1")]) };
        let fake = Fake::new().on_process(move |_| Ok(exit.clone()));
        ended(&script(params, declared), &fake);
        fake.seen().logs.into_iter().map(|(_, line)| line).collect::<Vec<_>>()
    };
    let note = |name: &str| {
        format!("the output `{name}` is not declared under `outputs` of the step, so it is dropped")
    };
    assert_eq!(notes(serde_json::json!({"script": "x"}), &[("n", Type::integer())]), [note("extra")]);
    assert_eq!(notes(serde_json::json!({"script": "x"}), &[]), [note("extra"), note("n")]);
    let json = serde_json::json!({"script": "x", "stdout": "json"});
    assert_eq!(notes(json, &[("n", Type::integer())]), [""; 0], "JSON is often somebody else's");
}
