//! A rolling restart in which broker 4 of 9 fails, while it is undone.

use runbook_wire::{About, Body, EntryKind, Grade, Probe, Promise, Result, Role};

use crate::scene::{START, Scene};

pub(crate) fn kafka() -> Scene {
    let mut s = Scene::new("kafka_rolling_restart");
    s.read("nine", "kafka.brokers");
    s.read("healthy_before", "prometheus.check");
    s.step("silence", EntryKind::Action, "alertmanager.silence", "notify");
    let broker = s
        .step("broker", EntryKind::ForEach, "9 brokers, one at a time", "pure")
        .policy(|p| {
            p.batches = ["1", "1", "1", "1", "rest"].map(str::to_owned).to_vec();
            p.batch_failures = vec![0; 5];
            p.rollback = Some("failed".into());
        })
        .promise(Promise::Children)
        .node;
    let restart = s
        .child(broker, Role::Body, "restart", EntryKind::Action, "ssh.run", "write")
        .promise(Promise::Steps)
        .node;
    let in_sync = s
        .child(restart, Role::Undo, "in_sync_again", EntryKind::Wait, "until prometheus.check", "read")
        .policy(|p| p.timeout_ms = Some(1_800_000))
        .node;
    let joined = s.child(broker, Role::Body, "joined", EntryKind::Action, "prometheus.check", "read").node;

    s.begin("k7f3q", "production", "ana");
    s.push(Body::LockTaken { name: "kafka/production/orders".into() });
    for node in 0..3 {
        let task = s.task(0, node);
        s.ran(&task, 2000);
    }
    let keys: Vec<String> = (1..=9).map(|n| format!("kafka{n}")).collect();
    let task = s.task(0, broker);
    s.push(Body::Items { task, attempt: 1, keys: keys.clone(), items: vec![serde_json::Value::Null; 9] });
    for frame in 1..=3u32 {
        for node in [restart, joined] {
            let segment = s.outline.entries[node as usize].segment.clone();
            let task = s.task_at(frame, node, &format!("broker[kafka{frame}].{segment}"));
            s.ran(&task, 360_000);
        }
    }
    let task = s.task_at(4, restart, "broker[kafka4].restart");
    s.ran(&task, 4000);
    let task = s.task_at(4, joined, "broker[kafka4].joined");
    s.start(&task);
    s.at(2_470_000).ended(&task, 1, Result::Failed, "check", "up{instance=\"kafka4:7071\"} = 0, wanted == 1");
    let task = s.task_at(4, in_sync, "broker[kafka4].restart.in_sync_again");
    s.at(2_470_500).start(&task);
    s.saw(&task, Probe::Until, Grade::Fail, "under-replicated = 112, needs 0");
    s.at(2_472_000).saw(&task, Probe::Until, Grade::Fail, "under-replicated = 41, needs 0");
    s
}

#[test]
fn the_screen_of_the_design() {
    insta::assert_snapshot!(kafka().screen(110, Some(24)), @r#"
    kafka_rolling_restart  run k7f3q  production  by ana  00:41:12  lock kafka/production/orders
      ✓ nine            2.0s
      ✓ healthy_before  2.0s
      ✓ silence         2.0s
      ✗ broker          3 of 9 done, 1 failed, 5 not started  batch 4 of 5  41m04s
        ✓ kafka1 kafka2 kafka3
        ✗ kafka4  joined  failed after 5m00s  (restart had succeeded)
            prometheus.check: up{instance="kafka4:7071"} = 0, wanted == 1    kafka_rolling_restart.yaml:46
        · kafka5 kafka6 kafka7 kafka8 kafka9 not started, unchanged
      FAILED at 02:51:35: max_failures 0 reached. No new broker will start.

    ROLLBACK  policy auto  0 of 1 undone, 3 to be decided
      ◐ broker[kafka4].restart  in_sync_again  1s  under-replicated = 41, needs 0 (falling, 112 at start)
          gives up in 29m58s  until prometheus.check
      ? broker[kafka3].restart  to be decided  until prometheus.check
      ? broker[kafka2].restart  to be decided  until prometheus.check
      ? broker[kafka1].restart  to be decided  until prometheus.check
      waiting: broker[kafka4].restart.in_sync_again    at most 29m58s more
        logs: runbook logs k7f3q 'broker[kafka4].restart.in_sync_again'
    "#);
}

#[test]
fn a_narrow_screen_says_the_same() {
    insta::assert_snapshot!(kafka().screen(60, Some(40)), @r#"
    kafka_rolling_restart  run k7f3q  production  by ana
      00:41:12  lock kafka/production/orders
      ✓ nine            2.0s
      ✓ healthy_before  2.0s
      ✓ silence         2.0s
      ✗ broker          3 of 9 done, 1 failed, 5 not started
          batch 4 of 5  41m04s
        ✓ kafka1 kafka2 kafka3
        ✗ kafka4  joined  failed after 5m00s
            (restart had succeeded)
            prometheus.check: up{instance="kafka4:7071"} = 0,
            wanted == 1
            kafka_rolling_restart.yaml:46
        · kafka5 kafka6 kafka7 kafka8 kafka9
          not started, unchanged
      FAILED at 02:51:35: max_failures 0 reached. No new broker
      will start.

    ROLLBACK  policy auto  0 of 1 undone, 3 to be decided
      ◐ broker[kafka4].restart  in_sync_again  1s
          under-replicated = 41, needs 0 (falling, 112 at start)
          gives up in 29m58s  until prometheus.check
      ? broker[kafka3].restart  to be decided
          until prometheus.check
      ? broker[kafka2].restart  to be decided
          until prometheus.check
      ? broker[kafka1].restart  to be decided
          until prometheus.check
      waiting: broker[kafka4].restart.in_sync_again
        at most 29m58s more
        logs:
            runbook logs k7f3q \
            'broker[kafka4].restart.in_sync_again'
    "#);
}

#[test]
fn a_question_about_items_names_both_answers() {
    let mut s = kafka();
    let task = s.task(0, 3);
    s.asked(
        About::Rollback(Some(task)),
        "new config, healthy: undo brokers 1-3?",
        &[],
        Some(START + 4_000_000),
    );
    insta::assert_snapshot!(s.screen(100, Some(40)), @r#"
    kafka_rolling_restart  run k7f3q  production  by ana  00:41:12  lock kafka/production/orders
      ✓ nine            2.0s
      ✓ healthy_before  2.0s
      ✓ silence         2.0s
      ✗ broker          3 of 9 done, 1 failed, 5 not started  batch 4 of 5  41m04s
        ✓ kafka1 kafka2 kafka3
        ✗ kafka4  joined  failed after 5m00s  (restart had succeeded)
            prometheus.check: up{instance="kafka4:7071"} = 0, wanted == 1
            kafka_rolling_restart.yaml:46
        · kafka5 kafka6 kafka7 kafka8 kafka9 not started, unchanged
      FAILED at 02:51:35: max_failures 0 reached. No new broker will start.

    ROLLBACK  policy auto  0 of 1 undone, 3 to be decided
      ◐ broker[kafka4].restart  in_sync_again  1s
          under-replicated = 41, needs 0 (falling, 112 at start)  gives up in 29m58s
          until prometheus.check
      ? broker[kafka3].restart  to be decided  until prometheus.check
      ? broker[kafka2].restart  to be decided  until prometheus.check
      ? broker[kafka1].restart  to be decided  until prometheus.check
      ? rollback of broker: new config, healthy: undo brokers 1-3?
          who: anybody  until 03:17:05 (in 25m28s)
          keep: runbook answer k7f3q broker --keep   undo: runbook answer k7f3q broker --undo
      waiting: broker[kafka4].restart.in_sync_again    at most 29m58s more
        logs: runbook logs k7f3q 'broker[kafka4].restart.in_sync_again'
    "#);
}
