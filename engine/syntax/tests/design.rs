//! The example of the design document parses without a fault.
use runbook_syntax::ast::{Document, StepKind};
use runbook_syntax::{Sources, parse};

const BLUE_GREEN: &str = include_str!("blue_green.yaml");

#[test]
fn the_example_of_the_design() {
    let mut sources = Sources::default();
    let file = sources.add("blue_green.yaml", BLUE_GREEN);
    let (document, faults) = parse(&sources, file);
    assert_eq!(faults, []);
    let Some(Document::Runbook(runbook)) = document else { panic!("a runbook") };
    let ids: Vec<&str> = runbook.steps.iter().map(|step| step.id.as_ref().unwrap().value.as_str()).collect();
    assert_eq!(ids, ["current", "target", "deploy", "healthy", "signoff", "switch", "soak", "retire_old"]);
    assert!(runbook.steps.iter().all(|step| !matches!(step.kind, StepKind::Broken)));
}
