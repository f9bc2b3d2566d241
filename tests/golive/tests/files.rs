//! The shipped files themselves.

use std::process::Command;

use runbook_testbed::{Bed, root};

#[test]
fn every_shipped_runbook_is_valid_without_a_warning() {
    let bed = Bed::new();
    bed.ship_runbooks(7400);
    let mut files: Vec<String> = std::fs::read_dir(bed.project().join("runbooks"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| format!("runbooks/{}", entry.file_name().to_string_lossy()))
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 7, "{files:?}");
    let mut arguments = vec!["validate", "--strict"];
    arguments.extend(files.iter().map(String::as_str));
    bed.runbook(&arguments).expect(0);
}

#[test]
fn other_peoples_tools_accept_them() {
    let linted = Command::new("yamllint")
        .args(["--strict", "runbooks", "environments"])
        .current_dir(root())
        .output()
        .expect("./test installs yamllint");
    assert!(linted.status.success(), "{}", String::from_utf8_lossy(&linted.stdout));
}

#[test]
fn the_plan_of_each_methodology_says_what_it_leaves_out() {
    let bed = Bed::new();
    bed.ship_runbooks(7400);
    let left_out = |methodology: &str| -> Vec<String> {
        let input = format!("methodology={methodology}");
        let planned = bed.runbook(&["plan", "runbooks/golive.yaml", "-i", &input]).expect(0);
        let lines = planned.stdout.lines().filter(|line| line.contains("LEFT OUT"));
        lines.map(|line| line.trim().split("  ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(left_out("enterprise"), ["retire_old"]);
    assert_eq!(left_out("standard"), ["security", "retire_old"]);
    assert_eq!(left_out("mvp"), ["performance", "security", "baseline", "retire_old"]);
}
