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
    // Slower than anything: within the tolerance of the new one.
    let forged = practice.bed.read("runbooks/baselines/local.json").unwrap().replace("v1.0.0", "v0.9.0");
    practice.bed.write("runbooks/baselines/local.json", &forged);
    practice.exec("performance_baseline", &["version=v1.0.0"]).expect(0);
    let second = practice.bed.read("runbooks/baselines/local.json").unwrap();
    assert!(second.contains("v1.0.0"), "{second}");
}
