//! Where a secret was hidden in what a step returned.

use runbook_wire::{Body, EntryKind};
use serde_json::json;

use crate::scene::Scene;

#[test]
fn that_a_secret_was_hidden_in_an_output_is_said_where_it_was_recorded() {
    let mut s = Scene::new("masked");
    let target = s.step("target", EntryKind::Action, "set", "pure").node;
    let quiet = s.step("quiet", EntryKind::Action, "set", "pure").node;
    s.begin("k7f3q", "production", "ana");
    let (target, quiet) = (s.task(0, target), s.task(0, quiet));
    s.start(&target).done_with(&target, "", [("colour".to_owned(), json!("***"))].into());
    if let Some(Body::Ended { masked, .. }) = s.records.last_mut().map(|record| &mut record.body) {
        masked.push("colour".into());
    }
    s.ran(&quiet, 10).finished("succeeded", "none", 0);
    insta::assert_snapshot!(s.screen(100, None), @"
    masked  run k7f3q  production  by ana  00:00:00
      ✓ target  0ms  warning: a secret was hidden in output `colour`, which no step can use
      ✓ quiet   10ms

    SUCCEEDED in 00:00:00   2 of 2 done   exit 0
      the record: runbook report k7f3q
    ");
    let style = runbook_view::Style::default();
    let mut run = runbook_view::Run::new(s.outline.clone());
    let mut text = String::new();
    for record in &s.records {
        run.apply(record);
        text.push_str(&crate::scene::text(&runbook_view::lines(&run, record, &style)));
    }
    let said = "target: warning: a secret was hidden in output `colour`, which no step can use";
    assert_eq!(text.matches(said).count(), 1, "{text}");
}
