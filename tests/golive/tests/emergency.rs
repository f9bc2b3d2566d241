//! The way back, and that everybody is told whichever way it ends.

use runbook_golive_tests::{Door, Practice, Visits};

const REASON: &str = "reason=orders are lost";

#[test]
fn back_to_the_version_before_and_forth_again_when_that_is_asked_for() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp"]).expect(0);
    let visits = practice.nobody_noticed(&Visits::default(), &["blue", "green"]);
    practice.somebody_comes_to("green", &visits);
    practice.exec("emergency_rollback", &[REASON]).expect(0);
    assert_eq!(practice.version(), "v1.0.0");
    let visits = practice.nobody_noticed(&visits, &["blue", "green"]);

    let told = practice.messages("slack");
    assert!(told[2].contains("begins") && told[2].contains("orders are lost"), "{told:?}");
    assert!(told[3].contains("succeeded"), "{told:?}");
    // The page is opened, and the same one closed again.
    let run = practice.bed.newest_run();
    assert_eq!(
        practice.pages(),
        [format!("trigger critical rollback-{run}"), format!("resolve rollback-{run}")]
    );

    practice.somebody_comes_to("blue", &visits);
    // Nobody in trouble means the version that was just left.
    let ran = practice.exec("emergency_rollback", &["reason=more is lost"]).expect(20);
    assert!(ran.stderr.contains("-i to=VERSION"), "{}", ran.stderr);
    assert_eq!(practice.version(), "v1.0.0");
    practice.exec("emergency_rollback", &["reason=it was something else", "to=v1.1.0"]).expect(0);
    assert_eq!(practice.version(), "v1.1.0");
    assert_eq!(practice.switches()[1..], ["blue>green", "green>blue", "blue>green"]);
    practice.nobody_noticed(&visits, &["blue", "green"]);
}

#[test]
fn nobody_is_sent_to_a_version_that_has_just_failed() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp"]).expect(0);
    practice.set("soak: 1s", "soak: 6s");
    practice.exec("golive", &["version=v1.2.0", "methodology=mvp", "candidate=flaky"]).expect(20);
    assert_eq!(practice.version(), "v1.1.0");
    let failed = practice.failures().len();
    // What was live before this one is v1.2.0, but it did not stand.
    practice.exec("emergency_rollback", &[REASON]).expect(0);
    assert_eq!(practice.version(), "v1.0.0");
    assert_eq!(practice.failures().len(), failed);
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
    assert!(ran.stderr.contains("no version before this one stood"), "{}", ran.stderr);
    assert_eq!(practice.switches(), ["nothing>blue"]);
    assert_eq!(practice.deployments(), ["deployed staging", "deployed blue"]);
    assert!(practice.messages("slack")[0].contains("failed"), "{:?}", practice.messages("slack"));
    assert_eq!(practice.pages(), [] as [&str; 0]);
}

#[test]
fn a_way_back_that_does_not_work_leaves_customers_where_they_are_and_says_so() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp"]).expect(0);
    // Nothing that runs anywhere is healthy without it.
    std::fs::remove_file(practice.folder().join(".sandbox/database/shop.json")).unwrap();
    practice.exec("emergency_rollback", &[REASON, "to=v0.9.0"]).expect(20);
    assert_eq!(practice.version(), "v1.1.0");
    assert_eq!(practice.switches()[1..], ["blue>green"]);
    let blue = practice.ask(Door::Deployer, "GET", "/deployments/blue", "").json();
    assert_eq!(blue["version"], "v1.0.0", "what ran where it was tried runs there again");
    let told = practice.messages("slack");
    assert!(told[2].contains("begins") && told[3].contains("failed"), "{told:?}");
    // The page stays open.
    assert_eq!(practice.pages(), [format!("trigger critical rollback-{}", practice.bed.newest_run())]);
}
