//! The way back, and that everybody is told whichever way it ends.

use runbook_golive_tests::{Door, Practice, Visits};
use serde_json::{Value, json};

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
    let told = practice.messages("slack");
    assert!(told[0].contains("failed") && told[0].contains("Customers have v1.0.0 now"), "{told:?}");
    // Whoever flees and cannot needs somebody all the more: one page, told again how it ended.
    let page = format!("trigger critical rollback-{}", practice.bed.newest_run());
    assert_eq!(practice.pages(), [page.clone(), page]);
}

#[test]
fn one_that_cannot_even_begin_pages_somebody() {
    let practice = Practice::started();
    // What the set-up calls is not there.
    practice.set("sandbox up", "sandbox upwards");
    practice.exec("emergency_rollback", &[REASON]).expect(20);
    assert_eq!(practice.pages(), [format!("trigger critical rollback-{}", practice.bed.newest_run())]);
    let told = practice.messages("slack");
    assert!(told[0].contains("failed (undo of what it had changed: nothing to undo)"), "{told:?}");
}

#[test]
fn customers_do_not_wait_for_messages_nor_for_those_who_take_them() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp"]).expect(0);
    let sick = practice.sick("sink");
    // Nobody could be told: that is said, and is no fault of the way back.
    let ran = practice.exec("emergency_rollback", &[REASON]).expect(0);
    assert!(ran.stderr.contains("sink does not answer as it should"), "{}", ran.stderr);
    assert_eq!(practice.version(), "v1.0.0");
    drop(sick);
    // Both messages were still on their way when the way back was under way.
    let events = practice.bed.events(&practice.bed.newest_run());
    let is = |kind: &str, step: &str| {
        let (kind, step) = (kind.to_owned(), step.to_owned());
        move |event: &Value| event["type"] == *kind && event["task"]["path"] == *step
    };
    let deployed = events.iter().position(is("started", "deploy"));
    for message in ["page", "begun"] {
        assert!(deployed.is_some() && deployed < events.iter().rposition(is("ended", message)), "{message}");
    }
}

/// A version that hangs is the case it is for; and in the night no customer may come who would show that it went well.
#[test]
fn customers_are_taken_off_a_version_that_hangs_and_nobody_need_be_there_to_see_it() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp"]).expect(0);
    let (_hangs, _asleep) = (practice.sick("shop-green"), practice.sick("visitors"));
    let ran = practice.exec("emergency_rollback", &[REASON]).expect(3);
    assert!(ran.stderr.contains("shop does not answer as it should"), "{}", ran.stderr);
    assert_eq!(practice.failed_steps(), ["arrived"]);
    assert_eq!(practice.version(), "v1.0.0");
}

#[test]
fn the_version_before_runs_as_itself_whatever_stood_in_its_place() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp"]).expect(0);
    // One that is too slow, on the colour that v1.0.0 was on.
    practice.exec("golive", &["version=v2.0.0", "methodology=mvp", "candidate=slow"]).expect(0);
    practice.exec("emergency_rollback", &[REASON]).expect(0);
    assert_eq!(practice.version(), "v1.1.0");
    practice.exec("emergency_rollback", &["reason=and further", "to=v1.0.0"]).expect(0);
    assert_eq!(practice.version(), "v1.0.0");
    let last = practice.lines("deployments/requests.jsonl").pop().unwrap_or_default();
    assert_eq!((&last["result"], &last["version"]), (&json!("deployed"), &json!("v1.0.0")));
    assert_eq!(last["behaviour"], "healthy");
}

#[test]
fn a_way_back_that_fails_customers_is_given_up_at_once_and_not_taken_again() {
    let practice = Practice::new();
    practice.exec("golive", &["version=v1.1.0", "methodology=mvp"]).expect(0);
    // It has broken since it was live: what was wrong with a version stays wrong.
    let flaky = r#"{"version": "v1.0.0", "behaviour": "flaky"}"#;
    assert_eq!(practice.ask(Door::Deployer, "PUT", "/deployments/blue", flaky).status, 201);
    let ran = practice.exec("emergency_rollback", &[REASON]).expect(20);
    assert_eq!(practice.failed_steps(), ["verified"]);
    assert!(ran.stderr.contains("guard"), "given up when the wait was: {}", ran.stderr);
    assert_eq!(practice.version(), "v1.1.0");
    let told = practice.messages("slack");
    let last = told.last().map(String::as_str).unwrap_or_default();
    assert!(
        last.contains("failed (undo of what it had changed: complete). Customers have v1.1.0 now"),
        "{told:?}"
    );
    let ran = practice.exec("emergency_rollback", &[REASON]).expect(20);
    assert!(ran.stderr.contains("-i to=VERSION"), "{}", ran.stderr);
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
    // The page stays open, and is told how it ended.
    let page = format!("trigger critical rollback-{}", practice.bed.newest_run());
    assert_eq!(practice.pages(), [page.clone(), page]);
}
