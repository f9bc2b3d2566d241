//! Secrets, and what looks like them.

use std::sync::{Arc, Mutex};

use runbook_step::{BoxFuture, Call, Context, Declaration, Idempotence, Map, Outcome, Param, Step, Type};
use runbook_wire::Body;

use crate::stage::{Stage, Way};
use crate::world::{Ran, World, lines};

/// Returns a text that it had hidden before it cut it, as `http.check` does with a body.
struct Say(Declaration);

impl Step for Say {
    fn declaration(&self) -> &Declaration {
        &self.0
    }

    fn run<'a>(&'a self, _call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        let said = ctx.hide("it is green");
        Box::pin(async move { Outcome::done(Map::from([("said".to_owned(), said.into())])) })
    }
}

/// Notes what it is told.
struct Hear {
    declaration: Declaration,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Step for Hear {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    fn run<'a>(&'a self, call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        let said = format!("{}: {}", call.params["to"], call.params["text"]);
        self.heard.lock().unwrap().push(said);
        Box::pin(async { Outcome::done(Map::new()) })
    }
}

/// Runs these steps where the content of a secret is a common word.
async fn run(stage: &Stage, steps: &str) -> Ran {
    told(stage, steps).await.0
}

/// The same, and what `stage.hear` was told.
async fn told(stage: &Stage, steps: &str) -> (Ran, Vec<String>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut registry = stage.registry();
    let hear = Declaration::new("stage.hear").notifies(Idempotence::No);
    let hear = hear.param(Param::required("to", Type::string()));
    let hear = hear.param(Param::required("text", Type::Payload).told());
    registry.add(Hear { declaration: hear, heard: Arc::clone(&heard) });
    let make = Declaration::new("stage.make").writes(Idempotence::No);
    registry.add(Say(make.output("said", Type::string(), "What it made.")));
    registry.add(Say(Declaration::new("stage.say").output("said", Type::string(), "What it says.")));
    let world = World::new(registry).file("live.conf", "colour = green\n").file(
        "main.yaml",
        &format!(
            "
apiVersion: runbook/v1
name: words
secrets:
  password: {{env: PASSWORD}}
steps:
{steps}"
        ),
    );
    let mut host = world.host();
    host.environment.insert("PASSWORD".into(), "green".into());
    let ran = world.run_as(host).await;
    let heard = heard.lock().unwrap().clone();
    (ran, heard)
}

fn masked(ran: &Ran) -> Vec<Vec<String>> {
    let of = |body: &Body| match body {
        Body::Ended { masked, .. } | Body::Checked { masked, .. } | Body::Closed { masked, .. } => {
            Some(masked.clone())
        }
        _ => None,
    };
    ran.records.iter().filter_map(|record| of(&record.body)).collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_acts_on_an_output_in_which_a_secret_was_hidden() {
    let stage = Stage::default();
    let ran = run(
        &stage,
        "
  - {id: target, uses: set, with: {colour: green, size: 2, urls: {live: 'http://green', next: 'http://blue'}}}
  - {id: sized, uses: stage.put, with: {name: '${{ steps.target.outputs.size }} ${{ steps.target.outputs.urls.next }}'}}
  - {id: switch, uses: stage.put, with: {name: \"to ${{ steps.target.outputs.colour | default('blue') }}\"}}
outputs:
  live: '${{ steps.target.outputs.urls.live }}'
  size: '${{ steps.target.outputs.size }}'
",
    )
    .await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    target started
    target done {"colour":"***","size":2,"urls":{"live":"http://***","next":"http://blue"}}
    sized started
    sized done {"before":0,"put":"2 http://blue"}
    switch notdone invalid: output `colour` of `target` cannot be used: a secret was hidden in it, so that it is not what was returned (main.yaml:10:68)
    sized.undo started
    sized.undo done
    finished failed complete 20 {"live":null,"size":2}
    "#);
    assert_eq!(masked(&ran)[0], ["colour", "urls.live"]);
    assert_eq!(stage.done(), ["do 2 http://blue", "undo 2 http://blue"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_step_has_hidden_itself_is_no_data_either() {
    let stage = Stage::default();
    let ran = run(
        &stage,
        "
  - {id: said, uses: stage.say}
  - {id: act, uses: stage.put, with: {name: '${{ steps.said.outputs.said }}'}}
",
    )
    .await;
    assert_eq!(masked(&ran)[0], ["said"]);
    assert_eq!(stage.done(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn it_is_hidden_in_what_items_and_groups_return_too() {
    let stage = Stage::default();
    let ran = run(
        &stage,
        "
  - {id: hosts, for_each: {items: [k1, green], as: it}, uses: set, with: {name: '${{ it }}'}}
  - id: group
    steps:
      - {id: b, uses: set, with: {left: gre, right: en}}
    outputs: {both: '${{ steps.b.outputs.left }}${{ steps.b.outputs.right }}'}
  - id: first
    uses: set
    with: {keys: \"${{ steps.hosts.each | map(attribute='key') | join(' ') }}\", name: '${{ steps.hosts.each[0].outputs.name }}'}
outputs:
  keys: '${{ steps.first.outputs.name }}'
  names: \"${{ steps.hosts.each | map(attribute='outputs.name') | join(' ') }}\"
  both: '${{ steps.group.outputs.both }}'
",
    )
    .await;
    let finished = ran.records.last().map(std::slice::from_ref).unwrap_or_default();
    insta::assert_snapshot!(lines(finished), @r#"finished succeeded_with_failures none 3 {"both":null,"keys":"k1","names":null} no both: output `both` of `group` cannot be used: a secret was hidden in it, so that it is not what was returned (main.yaml:19:25) no names: output `name` of `hosts[***]` cannot be used: a secret was hidden in it, so that it is not what was returned (main.yaml:18:34)"#);
    assert!(masked(&ran).contains(&vec!["both".to_owned()]), "{:?}", masked(&ran));
}

#[tokio::test(start_paused = true)]
async fn people_are_told_what_was_recorded_and_nothing_that_was_computed_from_it() {
    let stage = Stage::default();
    let (ran, heard) = told(
        &stage,
        "
  - {id: target, name: \"To ${{ steps.first.outputs.colour | default('none') }}\", uses: set, with: {colour: green, size: 2}, needs: [first]}
  - {id: first, uses: set, with: {colour: the green one}, needs: []}
finally:
  - uses: stage.hear
    with:
      to: ops
      text:
        live: \"${{ steps.target.outputs.colour | default('none') }} of ${{ steps.target.outputs.size | default(0) }}\"
        both: \"${{ steps.target.outputs.colour | default('-') ~ ', ' ~ (steps.first.outputs.colour | default('-')) }}\"
        blue: \"${{ steps.target.outputs.colour | default('blue') == 'blue' }}\"
        at: '${{ run.status }}'
  - {uses: stage.hear, with: {to: \"${{ steps.target.outputs.colour | default('ops') }}\", text: lost}}
",
    )
    .await;
    assert_eq!(
        heard,
        [r#"ops: {"at":"succeeded","blue":"***","both":"***, the *** one","live":"*** of 2"}"#],
        "who is told is no message"
    );
    let title = |body: &Body| match body {
        Body::Started { title, .. } => title.clone(),
        _ => None,
    };
    let titles: Vec<String> = ran.records.iter().filter_map(|record| title(&record.body)).collect();
    assert_eq!(titles, ["To the *** one"]);
    insta::assert_snapshot!(lines(&ran.records[ran.records.len() - 2..]), @r"
    finally[1] notdone invalid: output `colour` of `target` cannot be used: a secret was hidden in it, so that it is not what was returned (main.yaml:19:52)
    finished succeeded none 0 {}
    ");
}

#[tokio::test(start_paused = true)]
async fn an_approval_shows_it_as_it_was_recorded() {
    let stage = Stage::default();
    let ran = run(
        &stage,
        "
  - {id: target, uses: set, with: {colour: green}}
  - id: signoff
    approval:
      message: 'Live: ${{ steps.target.outputs.colour }}'
      show: {colour: '${{ steps.target.outputs.colour }}', other: \"${{ steps.target.outputs.colour != 'green' }}\"}
      timeout: 1h
",
    )
    .await;
    let asked = ran.records.iter().find_map(|record| match &record.body {
        Body::Asked { question, show, .. } => Some((question.clone(), serde_json::json!(show))),
        _ => None,
    });
    let shown = serde_json::json!({"colour": "***", "other": "***"});
    assert_eq!(asked, Some(("Live: *** (1 person: anybody)".to_owned(), shown)));
}

#[tokio::test(start_paused = true)]
async fn a_group_hands_it_on_and_whoever_reads_it_there_fails() {
    let stage = Stage::default();
    let ran = run(
        &stage,
        "
  - id: group
    steps:
      - {id: b, uses: set, with: {colour: green, json: {token: green, id: 7}, size: 2}}
    outputs:
      colour: 'it is ${{ steps.b.outputs.colour }}'
      is_blue: \"${{ steps.b.outputs.colour == 'blue' }}\"
      json: '${{ steps.b.outputs.json }}'
      size: '${{ steps.b.outputs.size }}'
  - {id: sized, uses: stage.put, with: {name: '${{ steps.group.outputs.size }} ${{ steps.group.outputs.json.id }}'}}
  - {id: judged, uses: stage.put, with: {name: 'blue: ${{ steps.group.outputs.is_blue }}'}}
",
    )
    .await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    group entered
    group.b started
    group.b done {"colour":"***","json":{"id":7,"token":"***"},"size":2}
    group closed {"colour":"it is ***","is_blue":"***","json":{"id":7,"token":"***"},"size":2} None
    sized started
    sized done {"before":0,"put":"2 7"}
    judged notdone invalid: output `is_blue` of `group` cannot be used: a secret was hidden in it, so that it is not what was returned (main.yaml:17:70)
    sized.undo started
    sized.undo done
    finished failed complete 20 {}
    "#);
    assert!(masked(&ran).contains(&["colour", "is_blue", "json.token"].map(String::from).into()));
    assert_eq!(stage.done(), ["do 2 7", "undo 2 7"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_undo_could_not_read_what_it_needs_does_not_start() {
    let stage = Stage::default();
    let ran = run(
        &stage,
        "
  - {id: before, uses: set, with: {colour: green}}
  - id: switch
    run: echo switched
    rollback:
      - {run: echo tell, effect: read}
      - {run: echo back, env: {TO: '${{ steps.before.outputs.colour }}'}}
",
    )
    .await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    before started
    before done {"colour":"***"}
    switch notdone invalid: its undo could not run: output `colour` of `before` cannot be used: a secret was hidden in it, so that it is not what was returned (main.yaml:13:53)
    finished failed nothing_to_undo 20 {}
    "#);
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_cannot_read_its_own_output_is_announced_and_never_acts_on_it() {
    let stage = Stage::default();
    stage.next("broken", &[Way::NotDone]);
    let ran = run(
        &stage,
        "
  - {id: first, uses: stage.put, with: {name: first}}
  - id: made
    uses: stage.make
    rollback: {uses: stage.put, with: {name: \"not ${{ steps.made.outputs.said | default('anything') }}\"}}
  - {id: broken, uses: stage.put, with: {name: broken}}
",
    )
    .await;
    let warning = ran.records.iter().find_map(|record| match &record.body {
        Body::Ended { warning, .. } => warning.clone(),
        _ => None,
    });
    let announced = "its undo reads output `said`, in which a secret was hidden: it has to be undone by hand";
    assert_eq!(warning.as_deref(), Some(announced));
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    first started
    first done {"before":0,"put":"first"}
    made started
    made done {"said":"it is ***"}
    broken started
    broken notdone connect: nobody answers
    made.undo notdone invalid: output `said` of `made` cannot be used: a secret was hidden in it, so that it is not what was returned (main.yaml:11:65)
    finished failed incomplete 22 {}
    "#);
    assert_eq!(stage.done(), ["do first"], "what it stood on is left as well");
}

/// The undo of a file puts back what was recorded, and a secret is not recorded: so there would be none.
#[tokio::test(start_paused = true)]
async fn nothing_is_changed_whose_undo_would_need_a_secret() {
    let stage = Stage::default();
    let ran = run(
        &stage,
        "
  - {id: new, uses: file.write, with: {path: next.conf, content: 'colour = blue'}}
  - {id: live, uses: file.write, with: {path: live.conf, content: 'colour = blue'}}
",
    )
    .await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    new started
    new done {"bytes":13,"changed":true}
    live notdone invalid: a secret is in what is there now (at `text`): it would have to be recorded before it is changed, and a secret is not
    new.undo started
    new.undo done
    finished failed complete 20 {}
    "#);
    assert!(!format!("{:?}", ran.records).contains("colour = green"));
}
