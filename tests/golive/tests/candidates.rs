//! A go-live with versions that work and versions that do not.

use runbook_golive_tests::{Door, Practice, Visits};
use serde_json::Value;

#[test]
fn a_good_version_goes_live_and_no_customer_notices() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0"]).expect(0);
    assert_eq!(practice.version(), "v1.1.0");
    assert_eq!(practice.switches(), ["nothing>blue", "blue>green"]);
    practice.nobody_noticed(&Visits::default(), &["blue", "green"]);
    // The old version still runs: going back is a switch.
    let blue = practice.ask(Door::Deployer, "GET", "/deployments/blue", "").json();
    assert_eq!((&blue["version"], &blue["state"]), (&"v1.0.0".into(), &"running".into()));
    let told = practice.messages("slack");
    assert!(told[0].contains("begins") && told[1].contains("succeeded"), "{told:?}");
    assert_eq!(
        (told.len(), practice.messages("mail").len(), practice.messages("pagerduty").len()),
        (2, 1, 0)
    );
}

#[test]
fn a_version_that_never_becomes_healthy_is_never_switched_to() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "candidate=broken"]).expect(20);
    assert_eq!(practice.version(), "v1.0.0");
    assert_eq!(practice.switches(), ["nothing>blue"]);
    practice.nobody_noticed(&Visits::default(), &["blue"]);
    assert_eq!(practice.deployments()[2..], ["deployed green", "withdrawn green"]);
    assert_eq!(practice.failed_steps(), ["deployment.blue_green.healthy"]);
    assert!(practice.messages("slack")[1].contains("failed (rollback: complete)"));
    let run = practice.bed.newest_run();
    assert_eq!(practice.pages(), [format!("trigger warning golive-{run}")]);
    // Whoever is paged does not wait for another channel: all three messages left together.
    let events = practice.bed.events(&run);
    let of = |kind: &str| -> Vec<usize> {
        let is = |event: &Value| {
            let path = event["task"]["path"].as_str().unwrap_or_default();
            event["type"] == *kind && ["paged", "told", "mailed"].contains(&path)
        };
        (0..events.len()).filter(|at| is(&events[*at])).collect()
    };
    let (left, arrived) = (of("started"), of("ended"));
    assert!(left.len() == 3 && left.last() < arrived.first(), "{left:?}, {arrived:?}");
}

#[test]
fn a_version_that_fails_once_live_is_switched_back_and_only_then_did_anybody_fail() {
    let practice = Practice::as_shipped();
    practice.exec("golive", &["version=v1.1.0", "candidate=flaky"]).expect(20);
    assert_eq!(practice.failed_steps(), ["deployment.blue_green.soak"]);
    assert_eq!(practice.version(), "v1.0.0");
    assert_eq!(practice.switches(), ["nothing>blue", "blue>green", "green>blue"]);
    assert_eq!(practice.deployments()[2..], ["deployed green", "withdrawn green"]);
    let switches = practice.lines("router/switches.jsonl");
    let (there, back) = (switches[1]["at"].as_str().unwrap(), switches[2]["at"].as_str().unwrap());
    let failures = practice.failures();
    assert!(!failures.is_empty(), "a flaky version fails");
    for failure in failures {
        // A request that began just before the switch may have been given its way just after it.
        let (begun, ended) = (failure["begun"].as_str().unwrap(), failure["at"].as_str().unwrap());
        assert!(
            ended > there && begun < back && failure["slot"] == "green",
            "{failure} not between {there} and {back}"
        );
    }
}

#[test]
fn a_slow_version_is_found_out_by_validation_and_switched_back() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "candidate=slow"]).expect(20);
    assert_eq!(practice.failed_steps(), ["validation.performance.page"]);
    assert_eq!(practice.version(), "v1.0.0");
    assert_eq!(practice.switches(), ["nothing>blue", "blue>green", "green>blue"]);
}

#[test]
fn what_is_not_ready_stops_it_before_anything_is_changed() {
    let practice = Practice::started();
    for (path, body) in [
        ("/migrations", r#"{"applied": [], "pending": ["0004_orders"]}"#),
        ("/pipelines/v1.1.0", r#"{"status": "failed"}"#),
    ] {
        practice.ask(Door::Services, "PUT", path, body);
        let ran = practice.exec("golive", &["version=v1.1.0"]).expect(20);
        assert!(ran.stderr.contains("pre_deploy"), "{}", ran.stderr);
        // Customers are where they were: nobody is got out of bed for it.
        let page = format!("trigger warning golive-{}", practice.bed.newest_run());
        assert_eq!(practice.pages().last(), Some(&page));
        let told = practice.messages("slack").pop().unwrap_or_default();
        assert!(told.contains("failed (rollback: nothing to undo)"), "{told}");
        practice.ask(Door::Services, "PUT", "/migrations", r#"{"applied": [], "pending": []}"#);
    }
    assert_eq!(practice.deployments(), ["deployed staging", "deployed blue"]);
}

#[test]
fn the_old_version_goes_only_when_it_is_asked_for_and_last() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "retire_old=true"]).expect(0);
    assert_eq!(practice.deployments()[2..], ["deployed green", "withdrawn blue"]);
    assert_eq!(practice.ask(Door::Deployer, "GET", "/deployments/blue", "").status, 404);
    practice.nobody_noticed(&Visits::default(), &["blue", "green"]);
}
