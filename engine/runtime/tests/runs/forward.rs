//! What runs forward: groups, items, cases, retries, conditions, calls.

use crate::stage::{Stage, Way};
use crate::world::{World, lines};

#[tokio::test(start_paused = true)]
async fn a_retry_waits_and_uses_what_was_prepared_first() {
    let stage = Stage::default();
    stage.next("a", &[Way::Failed, Way::NotDone, Way::Done]);
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: retry
steps:
  - id: a
    uses: stage.put
    with: {name: a}
    retry: {max_attempts: 3, delay: 10m}
outputs: {before: '${{ steps.a.outputs.before }}'}
",
    );
    let ran = world.run().await;
    // Although the first attempt left half of it behind, `before` is what was there before that.
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    a started
    a failed error: it broke half-way
    a fired Retry
    a started
    a notdone connect: nobody answers
    a fired Retry
    a started
    a done {"before":0,"put":"a"}
    finished succeeded none 0 {"before":0}
    "#);
    assert_eq!(ran.outcome.exit.code(), 0);
    let keys: std::collections::BTreeSet<_> = ran
        .records
        .iter()
        .filter_map(|record| match &record.body {
            runbook_wire::Body::Started { key, .. } => Some(key.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(keys.len(), 1, "one key for all attempts");
}

#[tokio::test(start_paused = true)]
async fn items_cases_groups_and_conditions() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: shapes
inputs:
  colour: {type: string, default: green}
steps:
  - id: broker
    for_each: {items: [{host: k1, id: 4}, {host: k2, id: 5}], as: it, key: '${{ it.host }}'}
    steps:
      - {id: stop, uses: stage.put, with: {name: 'stop ${{ it.host }}'}}
      - {id: again, uses: stage.look, with: {name: 'stop ${{ it.host }}'}}
    outputs: {there: '${{ steps.again.outputs.there }}'}
  - id: never
    when: inputs.colour == 'blue'
    uses: stage.put
    with: {name: never}
  - id: pick
    switch: '${{ inputs.colour }}'
    cases:
      green:
        - {id: one, uses: set, with: {size: 1}}
      default:
        - {id: two, uses: set, with: {size: 2}}
  - id: names
    uses: set
    with: {keys: \"${{ steps.broker.each | map(attribute='key') | join(' ') }}\", there: \"${{ steps.broker.each[1].outputs.there }}\", status: '${{ steps.never.status }}'}
outputs: {keys: '${{ steps.names.outputs.keys }}', there: '${{ steps.names.outputs.there }}', status: '${{ steps.names.outputs.status }}'}
",
    );
    let ran = world.run().await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    broker items ["k1", "k2"]
    broker[k1] entered
    broker[k1].stop started
    broker[k1].stop done {"before":0,"put":"stop k1"}
    broker[k1].again started
    broker[k1].again done {"there":true}
    broker[k1] closed {"there":true} None
    broker[k2] entered
    broker[k2].stop started
    broker[k2].stop done {"before":1,"put":"stop k2"}
    broker[k2].again started
    broker[k2].again done {"there":true}
    broker[k2] closed {"there":true} None
    never skipped: `when: inputs.colour == 'blue'` is false
    pick branch green
    pick.one started
    pick.one done {"size":1}
    names started
    names done {"keys":"k1 k2","status":"skipped","there":true}
    finished succeeded none 0 {"keys":"k1 k2","status":"skipped","there":true}
    "#);
}

/// An item that failed returned nothing, and what is made of all items' outputs would be made of some.
#[tokio::test(start_paused = true)]
async fn what_an_item_did_not_return_is_not_taken_for_null() {
    let stage = Stage::default();
    stage.next("b", &[Way::Failed]);
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: lacking
steps:
  - {id: h, for_each: {items: [a, b, c], max_failures: 1}, uses: stage.put, with: {name: '${{ item }}'}}
  - {id: one, uses: set, with: {put: '${{ steps.h.each[1].outputs.put }}'}, continue_on_error: true}
  - {id: all, uses: set, with: {put: \"${{ steps.h.each | map(attribute='outputs.put') | join(' ') }}\"}, continue_on_error: true}
  - id: done
    uses: set
    with: {put: \"${{ steps.h.each | selectattr('status', 'eq', 'done') | map(attribute='outputs.put') | join(' ') }}\"}
",
    );
    let ran = world.run().await;
    let seen = lines(&ran.records);
    let seen: Vec<&str> = seen.lines().filter(|line| !line.starts_with("h") && line.contains(' ')).collect();
    insta::assert_snapshot!(seen.join("\n"), @r#"
    executor resumed=false
    one notdone invalid: `steps.h.each[1].outputs` has no `put` (main.yaml:6:43)
    all notdone invalid: item 2 of the list has no `outputs.put` (main.yaml:7:58)
    done started
    done done {"put":"a c"}
    finished succeeded_with_failures none 3 {}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_called_runbook_gets_inputs_and_gives_outputs() {
    let stage = Stage::default();
    let world = World::new(stage.registry())
        .file(
            "main.yaml",
            "
apiVersion: runbook/v1
name: caller
steps:
  - {id: look, uses: stage.look, with: {name: x}}
  - {id: deploy, call: lib/deploy.yaml, inputs: {version: 'v1-${{ steps.look.outputs.there }}'}}
outputs: {put: '${{ steps.deploy.outputs.put }}'}
",
        )
        .file(
            "lib/deploy.yaml",
            "
apiVersion: runbook/v1
name: deploy
inputs:
  version: {type: string}
  colour: {type: string, default: green}
steps:
  - {id: it, uses: stage.put, with: {name: '${{ inputs.version }} ${{ inputs.colour }}'}}
outputs: {put: '${{ steps.it.outputs.put }}'}
",
        );
    let ran = world.run().await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    look started
    look done {"there":false}
    deploy entered
    deploy.it started
    deploy.it done {"before":0,"put":"v1-false green"}
    deploy closed {"put":"v1-false green"} None
    finished succeeded none 0 {"put":"v1-false green"}
    "#);
}
