//! People: who may answer what, answers from a file, waiting without anybody to ask.

use runbook_journal::Journal;
use runbook_runtime::{Execution, Exit, NewRun};
use runbook_wire::{Answer, Body, Message, Person, Record, Request, Via};

use crate::stage::{Stage, Way};
use crate::world::{World, drive, drive_with, lines};

fn by(name: &str, step: Option<&str>, answer: Answer) -> Message {
    let step = step.map(str::to_owned);
    let request = Request::Answer { step, question: None, answer, via: Via::Command, comment: None };
    Message { by: Person { name: name.to_owned() }, request }
}

fn refusal(execution: &mut Execution, message: Message) -> String {
    let refusal = execution.request(message).unwrap_err();
    refusal.hint.map_or(refusal.message.clone(), |hint| format!("{}; {hint}", refusal.message))
}

const APPROVAL: &str = "
apiVersion: runbook/v1
name: approval
steps:
  - {id: a, uses: stage.put, with: {name: a}}
  - id: signoff
    approval: {message: 'Switch to ${{ steps.a.outputs.put }}?', count: 2, exclude_requester: true, from: [ana, ben, cy], show: {what: '${{ steps.a.outputs.put }}'}}
  - {id: b, uses: stage.put, with: {name: b}}
";

#[tokio::test(start_paused = true)]
async fn an_approval_takes_distinct_people_who_may() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", APPROVAL);
    let ran = world.run().await;
    assert_eq!(ran.outcome.exit, Exit::WaitingForPerson);
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    a started
    a done {"before":0,"put":"a"}
    signoff started
    asked: Switch to a? (2 people: ana, ben, cy)
    stopped: waiting for people at `signoff`
    "#);

    let run = ran.outcome.run;
    let mut execution = world.open(&run).await;
    let refusals = [
        by("ana", Some("signoff"), Answer::Approve),
        by("dan", Some("signoff"), Answer::Approve),
        by("ben", Some("signoff"), Answer::Done),
        by("ben", Some("a"), Answer::Approve),
        by("ben", None, Answer::Approve),
    ]
    .map(|message| refusal(&mut execution, message));
    insta::assert_snapshot!(refusals.join("\n"), @"
    ana started this run, and somebody else has to approve it
    dan may not decide this; it is for ana, ben, cy
    that is no answer to this question; an approval is given or refused: `runbook approve`, `runbook reject`
    no question is open at `a`; asked: `signoff`
    no question is open about the run itself; asked: `signoff`
    ");
    execution.request(by("ben", Some("signoff"), Answer::Approve)).unwrap();
    assert_eq!(drive(execution).await.outcome.exit, Exit::WaitingForPerson);

    let mut execution = world.open(&run).await;
    let again = refusal(&mut execution, by("ben", Some("signoff"), Answer::Approve));
    insta::assert_snapshot!(again, @"ben has approved already; another person is needed");
    execution.request(by("cy", Some("signoff"), Answer::Approve)).unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded);
    assert_eq!(stage.done(), ["do a", "do b"]);
}

#[tokio::test(start_paused = true)]
async fn somebody_is_asked_while_the_only_place_is_taken() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: beside
steps:
  - {id: long, uses: stage.look, with: {name: a}}
  - {id: signoff, needs: [], approval: {message: 'Go?'}}
",
    );
    stage.next("a", &[Way::Slow]);
    let new = NewRun { file: "main.yaml".into(), max_parallel: Some(1), ..NewRun::default() };
    let execution = Execution::create(world.host(), world.plan("main.yaml"), new).await.unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::WaitingForPerson);
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    signoff started
    long started
    asked: Go? (1 person: anybody)
    long done {"there":false}
    stopped: waiting for a person at `signoff`
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_asked_something_wrong_is_as_it_was() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", APPROVAL);
    let run = world.run().await.outcome.run;
    let before = world.journal(&run);
    let mut execution = world.open(&run).await;
    refusal(&mut execution, by("dan", Some("signoff"), Answer::Approve));
    drop(execution);
    assert_eq!(world.journal(&run), before);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_for_the_question_that_was_seen() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: twice
steps:
  - {id: a, uses: stage.blind, with: {name: a}, retry: {max_attempts: 3}}
",
    );
    stage.next("a", &[Way::LostBefore, Way::LostBefore]);
    let ran = world.run().await;
    assert_eq!(ran.outcome.exit, Exit::InDoubt);
    let run = ran.outcome.run;
    let asked = |records: &[Record]| {
        let asked = records.iter().filter(|record| matches!(record.body, Body::Asked { .. }));
        asked.map(|record| record.seq).next_back().unwrap()
    };
    let seen = |question: u64, answer: Answer| {
        let step = Some("a".to_owned());
        let request =
            Request::Answer { step, question: Some(question), answer, via: Via::Command, comment: None };
        Message { by: Person { name: "ben".to_owned() }, request }
    };
    let first = asked(&ran.records);
    let mut execution = world.open(&run).await;
    execution.request(seen(first, Answer::Retry)).unwrap();
    assert_eq!(drive(execution).await.outcome.exit, Exit::InDoubt);

    // Somebody else has looked at the same question, and says that what the first attempt was to do is there.
    let mut execution = world.open(&run).await;
    let late = refusal(&mut execution, seen(first, Answer::Done));
    assert!(late.contains("settled in the meantime"), "{late}");
    let second = asked(&world.journal(&run));
    assert_ne!(first, second);
    execution.request(seen(second, Answer::NotDone)).unwrap();
    assert_eq!(drive(execution).await.outcome.exit, Exit::Succeeded);
    assert_eq!(stage.there(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_ends_it_and_undoes_what_was_done() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", APPROVAL);
    let run = world.run().await.outcome.run;
    let mut execution = world.open(&run).await;
    execution.request(by("ben", Some("signoff"), Answer::Reject)).unwrap();
    assert_eq!(drive(execution).await.outcome.exit, Exit::Rejected);
    assert_eq!(stage.done(), ["do a", "undo a"]);
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_has_expired_is_asked_for_again() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: expiry
steps:
  - {id: signoff, approval: {valid_for: 1h}}
  - {id: later, wait: {for: 2h}}
  - {id: b, uses: stage.put, with: {name: b}}
",
    );
    let run = world.run().await.outcome.run;
    let mut execution = world.open(&run).await;
    execution.request(by("ben", Some("signoff"), Answer::Approve)).unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::WaitingForPerson);
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=true
    answered by ben: Approve
    later started
    later fired Wait
    GateClosed { task: Task { frame: 0, node: 2, path: "b" }, attempt: 1, gate: Task { frame: 0, node: 0, path: "signoff" }, reason: "the approval `signoff` was valid for 3600 s and has expired" }
    signoff started
    asked: Approve `signoff`? (1 person: anybody)
    stopped: waiting for a person at `signoff`
    "#);
    let mut execution = world.open(&run).await;
    execution.request(by("ben", Some("signoff"), Answer::Approve)).unwrap();
    assert_eq!(drive(execution).await.outcome.exit, Exit::Succeeded);
    assert_eq!(stage.done(), ["do b"]);
}

const ASKING: &str = "
apiVersion: runbook/v1
name: asking
steps:
  - id: ready
    checklist:
      items:
        - {id: dev, text: Developers are there, evidence: who}
        - {id: ops, text: Operations watches}
        - {id: maybe, text: Somebody brought cake, required: false}
  - {id: size, prompt: {message: How many?, type: integer}}
  - {id: ok, approval: {count: 2}}
  - {id: b, uses: stage.put, with: {name: 'b ${{ steps.size.outputs.answer + 1 }}'}}
";

const ANSWERS: &str = "
ready: {dev: Ana, ops: true}
size: 3
ok: [ana, ben]
";

#[tokio::test(start_paused = true)]
async fn a_file_answers_where_that_is_allowed() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", ASKING);
    let new = NewRun { answers: Some(ANSWERS.into()), ..NewRun::default() };
    let made = Execution::create(world.host(), world.plan("main.yaml"), new).await.unwrap();
    // Left to another process, which has nothing but the journal.
    let run = made.run().to_owned();
    drop(made);
    let ran = drive(world.open(&run).await).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded, "{:?}\n{}", ran.warnings, lines(&ran.records));
    assert_eq!(stage.done(), ["do b 4"]);
    let via = |record: &runbook_wire::Record| match &record.body {
        Body::Answered { via, .. } => Some(*via),
        _ => None,
    };
    let ways: Vec<Via> = ran.records.iter().filter_map(via).collect();
    assert_eq!(ways, [Via::AnswersFile; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_protected_environment_takes_no_answers_from_a_file() {
    let stage = Stage::default();
    let world = World::new(stage.registry())
        .file("main.yaml", ASKING)
        .file("environments/production.yaml", "apiVersion: runbook/v1\nkind: Environment\nprotected: true\n");
    let new = NewRun { answers: Some(ANSWERS.into()), ..NewRun::default() };
    let plan = world.plan_in("main.yaml", "production");
    let execution = Execution::create(world.host(), plan, new).await.unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::WaitingForPerson);
    assert_eq!(ran.warnings, ["the environment is protected: answers from a file are not used"]);
}

#[tokio::test(start_paused = true)]
async fn a_checklist_needs_its_evidence_and_a_prompt_its_type() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", ASKING);
    let run = world.run().await.outcome.run;
    let item = |item: &str, evidence: Option<&str>| Answer::Item {
        item: item.to_owned(),
        done: true,
        evidence: evidence.map(str::to_owned),
    };
    let mut execution = world.open(&run).await;
    let mut refusals = vec![
        refusal(&mut execution, by("ana", Some("ready"), item("dev", None))),
        refusal(&mut execution, by("ana", Some("ready"), item("nobody", None))),
        refusal(&mut execution, by("ana", Some("ready"), Answer::Approve)),
    ];
    execution.request(by("ana", Some("ready"), item("dev", Some("Dora")))).unwrap();
    execution.request(by("ana", Some("ready"), item("ops", None))).unwrap();
    assert_eq!(drive(execution).await.outcome.exit, Exit::WaitingForPerson);
    let mut execution = world.open(&run).await;
    let value = |text: &str| Answer::Value { value: text.into() };
    refusals.push(refusal(&mut execution, by("ana", Some("size"), value("many"))));
    insta::assert_snapshot!(refusals.join("\n"), @"
    item `dev` needs evidence: who; --tick dev --evidence TEXT
    there is no item `nobody`; items: dev, ops, maybe
    that is no answer to this question; a checklist is answered item by item: dev, ops, maybe
    wanted a whole number, got the text `many`
    ");
    execution.request(by("ana", Some("size"), value("7"))).unwrap();
    let ran = drive(execution).await;
    assert!(
        lines(&ran.records).contains("answered by ana: Value { value: Number(7) }"),
        "{}",
        lines(&ran.records)
    );
}

const EXPIRING: &str = "
apiVersion: runbook/v1
name: expiring
steps:
  - {id: a, uses: stage.put, with: {name: a}}
  - {id: ok, approval: {timeout: 2s}}
  - {id: b, uses: stage.put, with: {name: b}}
";

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_is_late_though_nobody_watched() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", EXPIRING);
    let host = world.host();
    let clock = host.clock;
    let run = world.run_as(host).await.outcome.run;
    tokio::time::advance(std::time::Duration::from_secs(4)).await;
    let mut host = world.host();
    host.clock = clock;
    let mut execution = Execution::open(host, &run).await.unwrap();
    // It takes effect at this command, which then says why it could not do what it was asked.
    execution.request(by("ben", Some("ok"), Answer::Approve)).unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::Rejected);
    assert_eq!(ran.warnings, ["nobody answered `ok` in time: it has expired"]);
    assert_eq!(stage.done(), ["do a", "undo a"]);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_refused_ends_the_checklist_if_it_is_required() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", ASKING);
    let run = world.run().await.outcome.run;
    let refuse = |item: &str| Answer::Item { item: item.to_owned(), done: false, evidence: None };
    let mut execution = world.open(&run).await;
    execution.request(by("ana", Some("ready"), refuse("maybe"))).unwrap();
    assert_eq!(drive(execution).await.outcome.exit, Exit::WaitingForPerson);
    let mut execution = world.open(&run).await;
    execution.request(by("ana", Some("ready"), refuse("ops"))).unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::Rejected);
    let comment = ran.records.iter().find_map(|record| match &record.body {
        Body::Answered { answer: Answer::Reject, comment, .. } => comment.clone(),
        _ => None,
    });
    assert_eq!(comment.unwrap(), "item `ops` does not hold");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_that_was_put_up_with_is_not_why_a_run_failed() {
    let stage = Stage::default();
    stage.next("b", &[Way::Failed]);
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: tolerant
steps:
  - {id: hm, continue_on_error: true, prompt: {message: hm, timeout: 1s, type: string}}
  - {id: rest, wait: {for: 2s}}
  - {id: b, uses: stage.put, with: {name: b}}
",
    );
    let mut host = world.host();
    host.unattended = false;
    assert_eq!(world.run_as(host).await.outcome.exit, Exit::RolledBack);
}

#[tokio::test(start_paused = true)]
async fn a_file_may_hold_more_approvals_than_are_needed_and_no_unknown_steps() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", ASKING);
    let answers = "ready: {dev: Ana, ops: true, maybe: true}\nsize: 3\nok: [ana, ben, cy]\nokk: [ana]\n";
    let new = NewRun { answers: Some(answers.into()), ..NewRun::default() };
    let made = Execution::create(world.host(), world.plan("main.yaml"), new).await.unwrap();
    let ran = drive(made).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded);
    assert_eq!(ran.warnings, ["answers file: nobody is asked at `okk`; Did you mean `ok`?"]);
}

#[tokio::test(start_paused = true)]
async fn the_environments_answers_serve_other_runbooks_too_and_a_slip_in_them_is_told() {
    let warned = async |answers: &str| {
        let environment = "apiVersion: runbook/v1\nkind: Environment\nanswers: local.answers.yaml\n";
        let world = World::new(Stage::default().registry())
            .file("main.yaml", ASKING)
            .file("environments/local.yaml", environment)
            .file("environments/local.answers.yaml", answers);
        let plan = world.plan_in("main.yaml", "local");
        drive(Execution::create(world.host(), plan, NewRun::default()).await.unwrap()).await.warnings
    };
    assert_eq!(warned(&format!("{ANSWERS}signoff: [ana]\nokk: [ana]\n")).await, [] as [&str; 0]);
    let slip = ANSWERS.replace("ok: [", "okk: [") + "signoff: [ana]\n";
    assert_eq!(warned(&slip).await, ["answers file: nobody is asked at `okk`; Did you mean `ok`?"]);
}

const CHECKED: &str = "
apiVersion: runbook/v1
name: checked
steps:
  - {id: a, uses: stage.put, with: {name: a}}
  - {id: ok, approval: {valid_for: 2s}}
  - {id: b, uses: stage.put, with: {name: b}, assert_target: [{uses: stage.seen, with: {name: a}}]}
";

#[tokio::test(start_paused = true)]
async fn an_approval_that_expires_before_the_effect_is_asked_for_again() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", CHECKED);
    let run = world.run().await.outcome.run;
    let approve = async || {
        let mut execution = world.open(&run).await;
        execution.request(by("ben", Some("ok"), Answer::Approve)).unwrap();
        drive(execution).await
    };
    // While it is prepared, then right before the effect.
    stage.next("look a", &[Way::Slow, Way::Done, Way::Slow]);
    let [prepared, begun] = [approve().await, approve().await];
    assert_eq!([prepared.outcome.exit, begun.outcome.exit], [Exit::WaitingForPerson; 2]);
    assert!(!lines(&prepared.records).contains("b started"));
    insta::assert_snapshot!(lines(&begun.records), @r#"
    executor resumed=true
    answered by ben: Approve
    b started
    GateClosed { task: Task { frame: 0, node: 3, path: "b" }, attempt: 2, gate: Task { frame: 0, node: 2, path: "ok" }, reason: "the approval `ok` was valid for 2 s and has expired" }
    ok started
    asked: Approve `ok`? (1 person: anybody)
    stopped: waiting for a person at `ok`
    "#);
    assert_eq!(approve().await.outcome.exit, Exit::Succeeded);
    assert_eq!(stage.done(), ["do a", "do b"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_doubt_and_held_back_is_asked_about_when_the_run_is_cancelled() {
    let stage = Stage::default();
    stage.next("w", &[Way::LostAfter]);
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: held
steps:
  - {id: a, uses: stage.put, with: {name: a}}
  - {id: ok, approval: {valid_for: 3s}}
  - {id: w, uses: stage.blind, with: {name: w}, on_in_doubt: retry, retry: {max_attempts: 3, delay: 4s}}
",
    );
    let run = world.run().await.outcome.run;
    let mut execution = world.open(&run).await;
    execution.request(by("ben", Some("ok"), Answer::Approve)).unwrap();
    let held = drive(execution).await;
    assert_eq!(held.outcome.exit, Exit::WaitingForPerson, "{}", lines(&held.records));
    let mut execution = world.open(&run).await;
    let enough = Request::Cancel { reason: "enough".into() };
    execution.request(Message { by: Person { name: "ben".into() }, request: enough }).unwrap();
    let asked = drive(execution).await;
    assert_eq!(asked.outcome.exit, Exit::InDoubt, "{}", lines(&asked.records));
    let mut execution = world.open(&run).await;
    let refused = execution.request(by("ben", Some("w"), Answer::Retry)).unwrap_err();
    assert!(refused.message.starts_with("it cannot be run again"), "{}", refused.message);
    execution.request(by("ben", Some("w"), Answer::Undo)).unwrap();
    assert_eq!(drive(execution).await.outcome.exit, Exit::RolledBack);
    assert_eq!(stage.done(), ["do a", "do w", "undo w", "undo a"]);
}

#[tokio::test]
async fn an_answer_is_recorded_once_however_often_it_rings() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file("main.yaml", ASKING);
    let mut host = world.host();
    host.unattended = false;
    let execution = world.create(host).await;
    let (run, control) = (execution.run().to_owned(), execution.control());
    let other = Journal::open(&world.state()).unwrap();
    let ran = drive_with(execution, move |record| match &record.body {
        Body::Asked { .. } => {
            let item = Answer::Item { item: "maybe".into(), done: true, evidence: None };
            other.leave(&run, &by("ben", Some("ready"), item), 1).unwrap();
            for _ in 0..50 {
                other.nudge(&run).unwrap();
            }
        }
        Body::Answered { .. } => control.stop(Some(15)),
        _ => {}
    })
    .await;
    let answers = ran.records.iter().filter(|record| matches!(record.body, Body::Answered { .. }));
    assert_eq!(answers.count(), 1);
}
