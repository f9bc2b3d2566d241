//! Scripts, one after the other.

use crate::world::{World, lines};

#[tokio::test]
async fn scripts_run_in_order_and_hand_on_what_they_found() {
    let world = World::new(runbook_stdlib::registry()).file(
        "main.yaml",
        r#"
apiVersion: runbook/v1
name: linear
steps:
  - id: first
    run: echo colour=green >> "$RUNBOOK_OUTPUT"
    effect: read
    outputs: {colour: string}
  - id: second
    env: {COLOUR: "${{ steps.first.outputs.colour }}"}
    run: echo "shade=dark $COLOUR" >> "$RUNBOOK_OUTPUT"; pwd
    effect: read
    outputs: {shade: string}
outputs: {shade: "${{ steps.second.outputs.shade }}"}
"#,
    );
    let ran = world.run().await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    first started
    first done {"colour":"green","exit_code":0}
    second started
    second done {"exit_code":0,"shade":"dark green"}
    finished succeeded none 0 {"shade":"dark green"}
    "#);
    assert_eq!(ran.outcome.exit.code(), 0, "{:?} {:?}", ran.outcome, ran.warnings);
    assert_eq!(world.journal(&ran.outcome.run), ran.records);
}
