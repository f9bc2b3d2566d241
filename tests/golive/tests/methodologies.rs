//! What each methodology asks for.

use runbook_golive_tests::Practice;

#[test]
fn an_enterprise_has_everything_checked_and_a_startup_does_not() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=enterprise"]).expect(0);
    let everything = practice.bed.newest_run();
    practice.exec("golive", &["version=v1.2.0", "methodology=mvp"]).expect(0);
    let little = practice.bed.newest_run();
    assert_eq!(practice.version(), "v1.2.0");

    let skipped = |run: &str| -> Vec<String> {
        let events = practice.bed.events(run);
        let skipped = events.iter().filter(|event| event["type"] == "skipped");
        let mut paths: Vec<String> =
            skipped.map(|event| event["task"]["path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    };
    assert_eq!(skipped(&everything), ["baseline.compare", "paged", "retire_old"]);
    assert_eq!(
        skipped(&little),
        ["baseline", "paged", "retire_old", "validation.performance", "validation.security"]
    );
}

#[test]
fn a_baseline_is_compared_with_the_last_one() {
    let practice = Practice::started();
    practice.exec("performance_baseline", &["version=v1.0.0"]).expect(0);
    let first = practice.bed.read("runbooks/baselines/local.json").unwrap();
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["version"], "v1.0.0");
    assert!(first["page_p95"].as_f64().unwrap() > 0.0, "{first}");
    // Once more: measured again, compared, and kept.
    practice.bed.write("runbooks/baselines/local.json", &first.to_string().replace("v1.0.0", "v0.9.0"));
    practice.exec("performance_baseline", &["version=v1.0.0"]).expect(0);
    assert!(practice.bed.read("runbooks/baselines/local.json").unwrap().contains("v1.0.0"));
}

#[test]
fn a_version_that_has_become_slower_does_not_become_the_baseline() {
    let practice = Practice::started();
    practice.set("baseline_floor_ms: 500", "baseline_floor_ms: 0");
    let fast = r#"{"version": "v0.9.0", "page_p95": 0.001, "api_p95": 0.001}"#;
    practice.bed.write("runbooks/baselines/local.json", fast);
    let ran = practice.exec("performance_baseline", &["version=v1.0.0"]).expect(20);
    assert!(ran.stderr.contains("has become slower"), "{}", ran.stderr);
    assert_eq!(practice.bed.read("runbooks/baselines/local.json").unwrap(), fast);
}
