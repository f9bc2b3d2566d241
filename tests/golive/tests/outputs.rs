//! What a go-live has to produce, and that it can be taken back when it has.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
use runbook_golive_tests::{Practice, Visits};
use serde_json::Value;

const REASON: &str = "reason=orders are lost";

/// `TITLE: STATE` for each required output of the newest run, in the report's order.
fn required(practice: &Practice) -> Vec<String> {
    let report = practice.bed.runbook(&["report", &practice.bed.newest_run(), "--format", "json"]).expect(0);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    let outputs = report["required_outputs"].as_array().unwrap();
    let text = |output: &Value, name: &str| output[name].as_str().unwrap().to_owned();
    outputs.iter().map(|output| format!("{}: {}", text(output, "title"), text(output, "produced"))).collect()
}

#[test]
fn the_report_says_of_each_of_the_eight_outputs_whether_it_is_there() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=enterprise"]).expect(0);
    assert_eq!(
        required(&practice),
        [
            "Production deployment execution: produced",
            "Monitoring and alerting activation: produced_in_part",
            "Post-deployment validation results: produced",
            "Production support procedures: produced_in_part",
            "Go-live communication and documentation: produced_in_part",
            "Performance baseline: produced",
            "First production metrics: produced",
            "Rollback procedures: not_needed",
        ]
    );
    practice.exec("golive", &["version=v1.2.0", "candidate=broken"]).expect(20);
    assert_eq!(
        required(&practice),
        [
            "Production deployment execution: not_produced",
            "Monitoring and alerting activation: not_produced",
            "Post-deployment validation results: not_produced",
            "Production support procedures: produced_in_part",
            "Go-live communication and documentation: produced_in_part",
            "Performance baseline: not_produced",
            "First production metrics: not_produced",
            "Rollback procedures: produced",
        ]
    );
}

#[test]
fn a_first_go_live_warns_of_nothing_and_keeps_no_credential_of_the_shop() {
    let practice = Practice::new();
    let ran = practice.exec("golive", &["methodology=enterprise"]).expect(0);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    let sessions = std::fs::read_dir(practice.folder().join(".sandbox/database/sessions")).unwrap();
    let sessions: Vec<String> =
        sessions.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let run = practice.bed.newest_run();
    let kept = [
        practice.bed.runbook(&["show", &run, "--events", "-o", "json"]).expect(0).stdout,
        practice.bed.runbook(&["report", &run, "--format", "json"]).expect(0).stdout,
    ];
    for text in kept {
        assert!(text.contains("session=***; Path=/; HttpOnly; Secure; SameSite=Lax"), "{text}");
        assert!(!sessions.iter().any(|session| text.contains(session)), "{sessions:?} in {text}");
    }
    // What is run by itself finds its answers too, and is not told of those of others.
    for (runbook, inputs) in [("team_readiness", "version=v1.1.0"), ("emergency_rollback", REASON)] {
        let ran = practice.exec(runbook, &[inputs]).expect(0);
        assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    }
}

#[test]
fn the_first_metrics_are_those_of_the_customers_of_this_version() {
    let practice = Practice::new();
    practice.set("soak: 1s", "soak: 6s");
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp", "candidate=flaky"]).expect(20);
    assert!(!practice.failures().is_empty());
    practice.set("soak: 6s", "soak: 1s");
    // On the same colour, at once.
    practice.exec("golive", &["version=v1.2.0"]).expect(0);
    let report = practice.bed.runbook(&["report", &practice.bed.newest_run(), "--format", "json"]).expect(0);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    let metrics = &report["required_outputs"][6];
    let asked = metrics["evidence"]["requests"].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(metrics["evidence"]["failed"], "0");
    assert!(asked > 0);
    // The load of validation and baseline, 100 and twice 200 requests, came afterwards.
    let switched = practice.lines("router/switches.jsonl").pop().unwrap()["at"].as_str().unwrap().to_owned();
    let answered = practice.lines("router/access.jsonl").into_iter().filter(|line| {
        line["door"] == "live" && line["slot"] == "green" && line["at"].as_str() > Some(&switched)
    });
    assert!(asked + 500 <= answered.count() as u64);
}

#[test]
fn a_go_live_that_went_well_can_be_rolled_back_afterwards() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0"]).expect(0);
    let visits = practice.nobody_noticed(&Visits::default(), &["blue", "green"]);
    practice.somebody_comes_to("green", &visits);
    practice.bed.runbook(&["rollback", &practice.bed.newest_run(), "--no-input"]).expect(0);
    assert_eq!(practice.version(), "v1.0.0");
    assert_eq!(practice.switches(), ["nothing>blue", "blue>green", "green>blue"]);
    assert_eq!(practice.deployments()[2..], ["deployed green", "withdrawn green"]);
    assert_eq!(practice.bed.read("runbooks/baselines/local.json"), None);
    practice.nobody_noticed(&visits, &["blue", "green"]);
}
