use proptest::prelude::*;
use runbook_step::testing::{Fake, File};
use serde_json::json;

use super::*;

fn call(params: serde_json::Value) -> Call {
    let given = Value::from_json(params).as_map().unwrap().clone();
    Call { params: Write.declaration().fill(given).unwrap(), ..Call::default() }
}

fn prepared(fake: &Fake, call: &Call) -> Call {
    Call { prepared: fake.block_on(Write.prepare(call, fake)).unwrap(), ..call.clone() }
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(success) => {
            format!(
                "done: {} {}",
                success.note.clone().unwrap_or_default(),
                Value::from(success.outputs.clone())
            )
        }
        Outcome::NotDone(failure) => format!("not_done: {}", failure.message),
        other => format!("{other:?}"),
    }
}

fn file(content: &str, mode: u32) -> Option<File> {
    Some(File { content: content.into(), mode })
}

#[test]
fn writes_and_puts_back() {
    let fake = Fake::new().file("a", "old\n");
    let call = prepared(&fake, &call(json!({"path": "a", "content": "new\n", "mode": "0600"})));
    insta::assert_snapshot!(told(&fake.block_on(Write.run(&call, &fake))), @r#"done: 4 bytes {"bytes":4,"changed":true}"#);
    assert_eq!(fake.file_now("a"), file("new\n", 0o600));
    assert!(matches!(fake.block_on(Write.verify(&call, &fake)), Verdict::Done(_)));
    insta::assert_snapshot!(told(&fake.block_on(Write.undo(&call, &fake))), @"done: is as it was: 4 bytes, mode 0644 {}");
    assert_eq!(fake.file_now("a"), file("old\n", 0o644));
    insta::assert_snapshot!(told(&fake.block_on(Write.undo(&call, &fake))), @"done: is as it was: 4 bytes, mode 0644 {}");
    assert!(matches!(fake.block_on(Write.verify(&call, &fake)), Verdict::NotDone(_)));
}

#[test]
fn creates_and_deletes() {
    let fake = Fake::new().pinned("src/a", "from the plan");
    let call = prepared(&fake, &call(json!({"path": "a", "from": "src/a"})));
    assert!(matches!(fake.block_on(Write.verify(&call, &fake)), Verdict::NotDone(_)));
    fake.block_on(Write.run(&call, &fake));
    assert_eq!(fake.file_now("a"), file("from the plan", 0o644));
    fake.block_on(Write.undo(&call, &fake));
    assert_eq!(fake.file_now("a"), None);
}

#[test]
fn json_has_a_line_for_each_entry() {
    let fake = Fake::new();
    let call = prepared(&fake, &call(json!({"path": "a", "json": {"n": 1, "list": ["x"]}})));
    fake.block_on(Write.run(&call, &fake));
    let written = String::from_utf8(fake.file_now("a").unwrap().content).unwrap();
    insta::assert_snapshot!(written, @r#"
    {
      "list": [
        "x"
      ],
      "n": 1
    }
    "#);
    assert!(written.ends_with("}\n"));
}

#[test]
fn a_file_keeps_its_mode_and_its_bytes() {
    let fake = Fake::new().file("a", "x");
    let bytes = [0xff, 0x00, b'a'];
    fake.block_on(fake.files().write("a", &bytes, Some(0o750))).unwrap();
    let call = prepared(&fake, &call(json!({"path": "a", "content": "new"})));
    fake.block_on(Write.run(&call, &fake));
    assert_eq!(fake.file_now("a"), file("new", 0o750));
    // What is recorded goes through the journal.
    let call = Call { prepared: Type::Any.decode(&call.prepared.to_json()).unwrap(), ..call };
    fake.block_on(Write.undo(&call, &fake));
    assert_eq!(fake.file_now("a"), Some(File { content: bytes.to_vec(), mode: 0o750 }));
}

#[test]
fn undo_never_overwrites_what_somebody_else_did() {
    let fake = Fake::new().file("a", "old");
    let call = prepared(&fake, &call(json!({"path": "a", "content": "new"})));
    fake.block_on(Write.run(&call, &fake));
    fake.block_on(fake.files().write("a", b"theirs", None)).unwrap();
    insta::assert_snapshot!(told(&fake.block_on(Write.undo(&call, &fake))), @"not_done: a is 6 bytes, mode 0644: neither what this step wrote (3 bytes, mode 0644) nor what was there before (3 bytes, mode 0644); it was not touched");
    assert_eq!(fake.file_now("a"), file("theirs", 0o644));
    assert!(matches!(fake.block_on(Write.verify(&call, &fake)), Verdict::Unknown(_)));
    fake.block_on(fake.files().remove("a")).unwrap();
    insta::assert_snapshot!(told(&fake.block_on(Write.undo(&call, &fake))), @"not_done: a is absent: neither what this step wrote (3 bytes, mode 0644) nor what was there before (3 bytes, mode 0644); it was not touched");
}

/// Between the look and the write, and between two attempts: what was not recorded could not be put back.
#[test]
fn what_was_changed_since_it_was_recorded_is_not_overwritten() {
    let fake = Fake::new().file("a", "old");
    let call = prepared(&fake, &call(json!({"path": "a", "content": "new"})));
    fake.block_on(fake.files().write("a", b"theirs", None)).unwrap();
    insta::assert_snapshot!(told(&fake.block_on(Write.run(&call, &fake))), @"not_done: a is 6 bytes, mode 0644, and was 3 bytes, mode 0644 when this step looked at it; it was not touched, because its undo could not put back what is there now");
    assert_eq!(fake.file_now("a"), file("theirs", 0o644));
    fake.block_on(fake.files().remove("a")).unwrap();
    assert!(matches!(fake.block_on(Write.run(&call, &fake)), Outcome::NotDone(_)));
    assert_eq!(fake.file_now("a"), None);
    fake.block_on(fake.files().write("a", b"old", None)).unwrap();
    // The second attempt finds what the first has made.
    for _ in 0..2 {
        assert!(matches!(fake.block_on(Write.run(&call, &fake)), Outcome::Done(_)));
        assert_eq!(fake.file_now("a"), file("new", 0o644));
    }
}

proptest! {
    /// Whatever is there at each moment, only what this step has recorded or made is ever replaced.
    #[test]
    fn nothing_of_somebody_elses_is_lost(
        before in "[ab]{0,1}", wish in "[ab]{0,1}", meanwhile in prop::option::of("[abc]{0,1}"),
        later in prop::option::of("[abc]{0,1}"),
    ) {
        let put = |fake: &Fake, text: &str| fake.block_on(fake.files().write("a", text.as_bytes(), None)).unwrap();
        let fake = Fake::new().file("a", &before);
        let call = prepared(&fake, &call(json!({"path": "a", "content": wish})));
        meanwhile.iter().for_each(|text| put(&fake, text));
        let there = fake.file_now("a");
        let ours = [file(&before, 0o644), file(&wish, 0o644)];
        let ran = fake.block_on(Write.run(&call, &fake));
        prop_assert_eq!(matches!(ran, Outcome::Done(_)), ours.contains(&there));
        let now = fake.file_now("a");
        prop_assert_eq!(&now, if ours.contains(&there) { &ours[1] } else { &there });
        later.iter().for_each(|text| put(&fake, text));
        let there = fake.file_now("a");
        let undone = fake.block_on(Write.undo(&call, &fake));
        prop_assert_eq!(matches!(undone, Outcome::Done(_)), ours.contains(&there));
        let now = fake.file_now("a");
        prop_assert_eq!(&now, if ours.contains(&there) { &ours[0] } else { &there });
    }
}

#[test]
fn refusals_touch_nothing() {
    let long = "x".repeat(LONGEST + 1);
    let fake = Fake::new().file("long", &long);
    let said = |params| match fake.block_on(Write.prepare(&call(params), &fake)) {
        Err(failure) => failure.message,
        Ok(prepared) => prepared.to_string(),
    };
    let refusals = [
        said(json!({"path": "a/", "content": ""})),
        said(json!({"path": "a\0b", "content": ""})),
        said(json!({"path": "long", "content": ""})),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @r"
    `path`: `a/`: it names no file
    `path`: `a\0b`: it contains a NUL character
    long: longer than 1048576 bytes; more cannot be kept
    ");
    let said = |params| {
        let call = prepared(&fake, &call(params));
        told(&fake.block_on(Write.run(&call, &fake)))
    };
    let refusals =
        [said(json!({"path": "a", "content": long})), said(json!({"path": "a", "from": "not/pinned"}))];
    insta::assert_snapshot!(refusals.join("\n"), @"
    not_done: `content`: the content is 1048577 bytes long; at most 1048576 can be written
    not_done: not/pinned: not part of the plan
    ");
    assert_eq!(fake.file_now("a"), None);
    let unprepared = call(json!({"path": "a", "content": ""}));
    insta::assert_snapshot!(told(&fake.block_on(Write.undo(&unprepared, &fake))), @"not_done: what was there before was not recorded");
}

#[test]
fn what_was_changed_and_may_not_be_on_disk_is_in_doubt() {
    for there in [None, Some("old")] {
        let fake = there.map_or_else(Fake::new, |old| Fake::new().file("a", old)).unsettled_files();
        let call = prepared(&fake, &call(json!({"path": "a", "content": "new"})));
        let written = fake.block_on(Write.run(&call, &fake));
        assert!(matches!(written, Outcome::Unknown(_)), "{written:?}");
        assert_eq!(fake.file_now("a"), file("new", 0o644));
        // Looking settles it, and so does trying the undo again.
        assert!(matches!(fake.block_on(Write.verify(&call, &fake)), Verdict::Done(_)));
        let undone = fake.block_on(Write.undo(&call, &fake));
        assert!(matches!(undone, Outcome::Unknown(_)), "{undone:?}");
        assert_eq!(fake.file_now("a"), there.and_then(|old| file(old, 0o644)));
        assert!(matches!(fake.block_on(Write.undo(&call, &fake)), Outcome::Done(_)));
    }
}

#[test]
fn a_rehearsal_knows_a_change_of_content_and_of_mode() {
    let mut world = World::default();
    let mut changed = |params| Write.simulate(&call(params), &mut world)["changed"].as_bool().unwrap();
    let told = [
        changed(json!({"path": "a", "content": "x", "mode": "0640"})),
        changed(json!({"path": "a", "content": "x", "mode": "640"})),
        changed(json!({"path": "a", "content": "x"})),
        changed(json!({"path": "a", "content": "x", "mode": "0600"})),
        changed(json!({"path": "a", "content": "y"})),
        changed(json!({"path": "a", "content": "y", "mode": "0600"})),
    ];
    assert_eq!(told, [true, false, false, true, true, false]);
}

#[test]
fn the_plan_shows_the_difference() {
    let fake = Fake::new().file("a", "one\ntwo\nthree\nfour\nfive\n");
    let planned = |params| {
        let changes = fake.block_on(Write.plan(&call(params), &fake));
        changes
            .into_iter()
            .map(|change| format!("{}\n{}", change.verb, change.detail.unwrap()))
            .collect::<String>()
    };
    insta::assert_snapshot!(planned(json!({"path": "a", "content": "one\ntwo\n3\nfour\nfive\n", "mode": "600"})), @"
    update
    mode 0644 → 0600
    @@ -1,5 +1,5 @@
     one
     two
    -three
    +3
     four
     five
    ");
    insta::assert_snapshot!(planned(json!({"path": "b", "content": "new\n"})), @"
    create
    mode 0644
    @@ -0,0 +1 @@
    +new
    ");
    insta::assert_snapshot!(planned(json!({"path": "a", "content": "one\ntwo\nthree\nfour\nfive\n"})), @"");
}
