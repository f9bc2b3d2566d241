//! `runbook doctor`.

use std::os::unix::fs::PermissionsExt;

use runbook_testbed::Bed;

#[test]
fn doctor_says_when_the_record_was_changed_behind_our_back() {
    let bed = Bed::with_steps("  - {id: a, run: 'true', effect: read}\n");
    bed.runbook(&["doctor"]).expect(0);
    let mode = std::fs::metadata(bed.state()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "a journal's folder is its user's alone, whoever makes it");

    bed.runbook(&["exec", "a.yaml"]).expect(0);
    let run = bed.newest_run();
    let said = bed.runbook(&["doctor"]).expect(0).stdout;
    assert!(said.contains("the newest 1 say what was recorded"), "{said}");

    let connection = rusqlite::Connection::open(bed.state().join("journal.db")).unwrap();
    connection.execute("UPDATE runs SET requester = 'eve'", []).unwrap();
    let said = bed.runbook(&["doctor"]).expect(1).stdout;
    let wanted = format!(
        "BAD   record          run {run}: its entry in the list of runs does not say what its events say"
    );
    assert!(said.contains(&wanted), "{said}");
    connection.execute_batch("DELETE FROM runs; DELETE FROM events").unwrap();
    let said = bed.runbook(&["doctor"]).expect(1).stdout;
    assert!(said.contains(&format!("BAD   record          run {run} was deleted")), "{said}");
}
