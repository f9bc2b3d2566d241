//! The way back, and that everybody is told whichever way it ends.

use runbook_golive_tests::Practice;

const REASON: &str = "reason=orders are lost";

#[test]
fn back_to_the_version_before_and_forth_again() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp"]).expect(0);
    practice.exec("emergency_rollback", &[REASON]).expect(0);
    assert_eq!(practice.version(), "v1.0.0");
    practice.exec("emergency_rollback", &["reason=it was something else"]).expect(0);
    assert_eq!(practice.version(), "v1.1.0");
    assert_eq!(practice.switches()[1..], ["blue>green", "green>blue", "blue>green"]);
    assert_eq!(practice.failures(), [] as [serde_json::Value; 0]);

    let told = practice.messages("slack");
    assert!(told[2].contains("begins") && told[2].contains("orders are lost"), "{told:?}");
    assert!(told[3].contains("succeeded"), "{told:?}");
    // The page is opened and closed again.
    assert_eq!(practice.messages("pagerduty").len(), 4);
}

#[test]
fn back_to_a_version_that_does_not_run_any_more() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp", "retire_old=true"]).expect(0);
    practice.exec("emergency_rollback", &[REASON]).expect(0);
    assert_eq!(practice.version(), "v1.0.0");
}

#[test]
fn nowhere_to_go_is_said_and_nothing_is_touched() {
    let practice = Practice::started();
    let ran = practice.exec("emergency_rollback", &[REASON]).expect(20);
    assert!(ran.stderr.contains("nothing was live before"), "{}", ran.stderr);
    assert_eq!(practice.switches(), ["nothing>blue"]);
    assert_eq!(practice.deployments(), ["deployed staging", "deployed blue"]);
    assert!(practice.messages("slack")[0].contains("failed"), "{:?}", practice.messages("slack"));
}

#[test]
fn a_way_back_that_does_not_work_leaves_customers_where_they_are_and_says_so() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp"]).expect(0);
    // Nothing that runs anywhere is healthy without it.
    std::fs::remove_file(practice.folder().join(".sandbox/database/shop.json")).unwrap();
    practice.exec("emergency_rollback", &[REASON]).expect(20);
    assert_eq!(practice.version(), "v1.1.0");
    assert_eq!(practice.switches()[1..], ["blue>green"]);
    let told = practice.messages("slack");
    assert!(told[2].contains("begins") && told[3].contains("failed"), "{told:?}");
    // The page stays open.
    assert_eq!(practice.messages("pagerduty").len(), 1);
}
