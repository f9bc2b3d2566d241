//! Secrets, and what looks like them.

use runbook_step::{BoxFuture, Call, Context, Declaration, Map, Outcome, Step, Type};
use runbook_wire::Body;

use crate::stage::Stage;
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

/// Runs these steps where the content of a secret is a common word.
async fn run(stage: &Stage, steps: &str) -> Ran {
    let mut registry = stage.registry();
    registry.add(Say(Declaration::new("stage.say").output("said", Type::string(), "What it says.")));
    let world = World::new(registry).file(
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
    world.run_as(host).await
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
