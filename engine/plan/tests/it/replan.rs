//! A plan can be made again from what it stored.

use runbook_plan::{Bundle, plan};

use crate::project::{Project, registry};

fn project() -> Project {
    Project::new(
        "
inputs: {version: {type: string}}
files: ['k8s/*.yaml']
steps:
  - id: colour
    uses: look
  - id: deploy
    uses: put
    with: {to: x, file: \"k8s/${{ steps.colour.outputs.colour }}.yaml\"}
  - call: sub/other.yaml
    inputs: {soak: 3s}
",
    )
    .runbook("sub/other.yaml", "inputs: {soak: duration}\nsteps:\n  - wait: {for: '${{ inputs.soak }}'}\n")
    .environment("vars: {a: 1}\nroles: {sre: [ana]}\n")
    .file("k8s/blue.yaml", "blue")
    .file("k8s/green.yaml", "green")
    .file("k8s/notes.txt", "not matched")
    .input("version", "v1")
}

#[test]
fn byte_for_byte() {
    let first = project().plan();
    assert_eq!(first.pinned.keys().collect::<Vec<_>>(), ["k8s/blue.yaml", "k8s/green.yaml"]);
    let stored = Bundle::from_bytes(&first.bundle.to_bytes()).unwrap();
    let again = plan(&stored.request, &stored, &registry());
    assert_eq!(again.diagnostics, []);
    assert_eq!(again.plan, Some(first));
}

#[test]
fn the_digest_is_of_the_content() {
    let digest = |project: Project| project.plan().digest;
    let wanted = digest(project());
    assert_eq!(digest(project().file("k8s/notes.txt", "changed")), wanted, "a file that nobody reads");
    let mut other = project();
    other.request.inputs.clear();
    assert_eq!(digest(other.input("version", "v2")), wanted, "values are shown beside it");
    assert_ne!(digest(project().file("k8s/blue.yaml", "bleu")), wanted);
    assert_ne!(digest(project().environment("vars: {a: 2}\nroles: {sre: [ana]}\n")), wanted);
}
