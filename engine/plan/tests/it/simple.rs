//! First things first.

use crate::project::{Project, shape};

#[test]
fn a_simple_runbook() {
    let plan = Project::new(
        "
inputs:
  version: {type: string, pattern: '^v'}
  soak: {type: duration, default: 5m}
steps:
  - id: current
    uses: look
    with: {at: \"${{ inputs.version }}\"}
  - id: target
    uses: set
    with: {colour: \"${{ 'green' if steps.current.outputs.colour == 'blue' else 'blue' }}\"}
  - id: deploy
    uses: put
    with: {to: \"${{ steps.target.outputs.colour }}\"}
  - wait: {for: \"${{ inputs.soak }}\"}
finally:
  - {uses: tell, with: {text: \"${{ run.status }}\"}}
outputs: {live: \"${{ steps.target.outputs.colour }}\"}
",
    )
    .input("version", "v2")
    .plan();
    insta::assert_snapshot!(shape(&plan), @r"
    current action read
    target action pure after current
    deploy action write after target undoable
    deploy.undo action write
    steps[3] wait pure after deploy
    finally[0] action notify
    ");
}
