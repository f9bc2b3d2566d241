//! A blue-green go-live: what the screen says along the way and at each end.

use std::collections::BTreeMap;

use runbook_wire::{About, Answer, Body, EntryKind, Grade, Probe, Promise, Result, Role, Task, Timer, Via};
use serde_json::json;

use crate::scene::{START, Scene};

/// The steps, by name.
pub(crate) struct GoLive {
    pub(crate) s: Scene,
    pub(crate) announced: u32,
    pub(crate) current: u32,
    pub(crate) deploy: u32,
    pub(crate) healthy: u32,
    pub(crate) smoke: u32,
    pub(crate) front: u32,
    pub(crate) login: u32,
    pub(crate) signoff: u32,
    pub(crate) switch: u32,
    pub(crate) soak: u32,
    pub(crate) retire: u32,
    pub(crate) told: u32,
}

pub(crate) fn golive() -> GoLive {
    let mut s = Scene::new("golive");
    let announced =
        s.step("announced", EntryKind::Action, "webhook.post", "notify").policy(|p| p.tolerated = true).node;
    let current = s.read("current", "http.request");
    let deploy = s
        .step("deploy", EntryKind::Action, "http.resource", "write")
        .own_undo("puts the resource's previous content back")
        .policy(|p| (p.attempts, p.timeout_ms) = (3, Some(60_000)))
        .node;
    let healthy = s
        .step("healthy", EntryKind::Wait, "until http.check", "read")
        .policy(|p| (p.timeout_ms, p.hold_ms) = (Some(600_000), Some(1000)))
        .node;
    let smoke =
        s.step("smoke", EntryKind::Group, "2 steps, in parallel", "pure").promise(Promise::Children).node;
    let front = s.child(smoke, Role::Body, "front", EntryKind::Action, "http.check", "read").node;
    let login = s.child(smoke, Role::Body, "login_form", EntryKind::Action, "http.check", "read").free().node;
    let signoff = s
        .step("signoff", EntryKind::Approval, "2 of role:release_manager", "pure")
        .policy(|p| {
            (p.count, p.exclude_requester) = (2, true);
            p.who = vec!["role:release_manager".into()];
        })
        .node;
    let switch = s
        .step("switch", EntryKind::Action, "http.resource", "write")
        .own_undo("puts the resource's previous content back")
        .policy(|p| (p.verify, p.within_ms) = (true, Some(10_000)))
        .node;
    let soak = s
        .step("soak", EntryKind::Wait, "for 5m", "read")
        .policy(|p| (p.hold_ms, p.guards) = (Some(300_000), vec![3]))
        .node;
    let retire = s
        .step("retire_old", EntryKind::Action, "http.resource", "write")
        .promise(Promise::Irreversible("the old version is gone".into()))
        .pivot()
        .node;
    let told = s.finally("told", "webhook.post");
    s.outline.entries[told as usize].policy.tolerated = true;
    for (node, title) in [
        (announced, "Tell everybody that it begins"),
        (deploy, "Deploy ${{ inputs.version }} beside the old version"),
        (switch, "Send customers to ${{ steps.target.outputs.colour }}"),
        (soak, "Watch it while customers use it"),
    ] {
        s.outline.entries[node as usize].title = Some(title.into());
    }
    GoLive {
        s,
        announced,
        current,
        deploy,
        healthy,
        smoke,
        front,
        login,
        signoff,
        switch,
        soak,
        retire,
        told,
    }
}

impl GoLive {
    pub(crate) fn task(&self, node: u32) -> Task {
        let entry = &self.s.outline.entries[node as usize];
        let path = match entry.parent {
            Some(owner) => format!("{}.{}", self.s.outline.entries[owner as usize].segment, entry.segment),
            None => entry.segment.clone(),
        };
        Task { frame: 0, node, path }
    }

    /// Announced, looked, deployed at the second attempt.
    pub(crate) fn deployed(&mut self) {
        self.s.begin("b7k2m", "staging", "ana");
        let lock = "deploy/staging/shop".to_owned();
        self.s.push(Body::LockTaken { name: lock });
        let (announced, current, deploy) =
            (self.task(self.announced), self.task(self.current), self.task(self.deploy));
        self.s.ran(&announced, 80);
        self.s.start(&current);
        self.s.at(120).done(&current, "200 in 12ms");
        self.s.start(&deploy);
        self.s.at(420).ended(
            &deploy,
            1,
            Result::NotDone,
            "connect",
            "PUT http://127.0.0.1:7070/deployments/green: connection refused",
        );
        self.s.at(1400).attempt(&deploy, 2);
        self.s.at(3900).done_at(&deploy, 2, "created");
    }

    pub(crate) fn healthy(&mut self) {
        let healthy = self.task(self.healthy);
        self.s.start(&healthy);
        self.s.saw(&healthy, Probe::Until, Grade::Inconclusive, "connection refused");
        self.s.at(4400).saw(&healthy, Probe::Until, Grade::Pass, "200, healthy");
        self.s.at(5400).saw(&healthy, Probe::Until, Grade::Pass, "200, healthy");
        let (smoke, front, login) = (self.task(self.smoke), self.task(self.front), self.task(self.login));
        self.s.enter(&smoke);
        self.s.start(&front).start(&login);
        self.s.at(5450).done(&front, "200 in 8ms").done(&login, "200 in 5ms");
    }

    pub(crate) fn asked(&mut self) {
        let signoff = self.task(self.signoff);
        self.s.start(&signoff);
        let show = [("going_live", json!("green")), ("version", json!("v1.1.0"))];
        self.s.asked(About::Human(signoff), "Send customers to green?", &show, Some(START + 1_800_000));
    }

    pub(crate) fn approved(&mut self) {
        let signoff = self.task(self.signoff);
        for (ms, who) in [(8000, "ana"), (9000, "bo"), (12_000, "cy")] {
            self.s.at(ms).answered(About::Human(signoff.clone()), Answer::Approve, who, Via::Command);
        }
    }

    pub(crate) fn switched(&mut self) {
        let switch = self.task(self.switch);
        self.s.start(&switch);
        self.s.at(12_300).done(&switch, "colour: blue → green");
        self.s.saw(&switch, Probe::Verify, Grade::Fail, "version = v1.0.0, wanted v1.1.0");
        self.s.at(12_600).saw(&switch, Probe::Verify, Grade::Pass, "version = v1.1.0");
        let soak = self.task(self.soak);
        self.s.start(&soak);
        self.s.at(30_000).saw(&soak, Probe::Guard(0), Grade::Pass, "share = 0.000");
    }

    pub(crate) fn tripped(&mut self) {
        let soak = self.task(self.soak);
        for (ms, share) in [(31_000, "0.120"), (32_000, "0.150"), (33_000, "0.180")] {
            let message = format!("share = {share}, wanted < 0.01");
            self.s.at(ms).saw(&soak, Probe::Guard(0), Grade::Fail, &message);
        }
    }

    pub(crate) fn undone(&mut self) {
        for owner in [self.switch, self.deploy] {
            let undo = self.s.outline.entries[owner as usize].undo[0];
            let task = self.task(undo);
            self.s.ran(&task, 300);
        }
    }

    pub(crate) fn told(&mut self) {
        let told = self.task(self.told);
        self.s.ran(&told, 50);
    }
}

#[test]
fn it_waits_to_become_healthy() {
    let mut g = golive();
    g.deployed();
    let healthy = g.task(g.healthy);
    g.s.start(&healthy);
    g.s.at(16_000).saw(&healthy, Probe::Until, Grade::Inconclusive, "connection refused");
    insta::assert_snapshot!(g.s.screen(100, None), @"
    golive  run b7k2m  staging  by ana  00:00:16  lock deploy/staging/shop
      ✓ announced   80ms
      ✓ current     40ms  200 in 12ms
      ✓ deploy      3.7s  created  attempt 2
      ◐ healthy     12s  connection refused  gives up in 9m47s
      · smoke       2 steps, in parallel
        · front
        · login_form
      · signoff
      · switch
      · soak
      · retire_old  point of no return
      waiting: healthy    at most 9m47s more    logs: runbook logs b7k2m healthy
    ");
}

#[test]
fn it_waits_for_people() {
    let mut g = golive();
    g.deployed();
    g.healthy();
    g.asked();
    let signoff = g.task(g.signoff);
    g.s.at(8000).answered(About::Human(signoff), Answer::Approve, "bo", Via::AnswersFile);
    insta::assert_snapshot!(g.s.screen(100, None), @"
    golive  run b7k2m  staging  by ana  00:00:08  lock deploy/staging/shop
      ✓ announced   80ms
      ✓ current     40ms  200 in 12ms
      ✓ deploy      3.7s  created  attempt 2
      ✓ healthy     1.5s  200, healthy
      ✓ smoke       2 steps  50ms
        ✓ front       50ms  200 in 8ms
        ✓ login_form  50ms  200 in 5ms
      ? signoff     waits for 2 of role:release_manager  approved by bo (from an answers file)
      · switch
      · soak
      · retire_old  point of no return
      ? signoff: Send customers to green?
          going_live: green
          version: v1.1.0
          who: role:release_manager, not the requester  until 02:40:25 (in 29m52s)
          approve: runbook approve b7k2m signoff   reject: runbook reject b7k2m signoff --reason WHY
    ");
}

#[test]
fn it_succeeds() {
    let mut g = golive();
    g.deployed();
    g.healthy();
    g.asked();
    g.approved();
    g.switched();
    let (soak, retire) = (g.task(g.soak), g.task(g.retire));
    g.s.at(312_600).fired(&soak, Timer::Wait);
    g.s.ran(&retire, 700);
    g.told();
    let outputs = BTreeMap::from([
        ("live".to_owned(), json!("green")),
        ("deployment".to_owned(), json!({"title": "Production deployment", "by": ["switch"]})),
    ]);
    let finished = Body::Finished {
        forward: "succeeded".into(),
        rollback: "none".into(),
        exit_code: 0,
        outputs,
        no_outputs: BTreeMap::new(),
    };
    g.s.push(finished);
    insta::assert_snapshot!(g.s.screen(100, None), @"
    golive  run b7k2m  staging  by ana  00:05:13
      ✓ announced   80ms
      ✓ current     40ms  200 in 12ms
      ✓ deploy      3.7s  created  attempt 2
      ✓ healthy     1.5s  200, healthy
      ✓ smoke       2 steps  50ms
        ✓ front       50ms  200 in 8ms
        ✓ login_form  50ms  200 in 5ms
      ✓ signoff     6.5s  by bo, cy
      ✓ switch      600ms  colour: blue → green
      ✓ soak        5m00s
      ✓ retire_old  700ms  point of no return
      finally:
        ✓ told  50ms

    SUCCEEDED in 00:05:13   11 of 11 done   exit 0
      required outputs: 1 of 1
      live = green
      the record: runbook report b7k2m
    ");
    insta::assert_snapshot!(g.s.screen(100, Some(12)), @"
    golive  run b7k2m  staging  by ana  00:05:13
      ✓ announced ✓ current ✓ deploy ✓ healthy ✓ smoke ✓ signoff ✓ switch ✓ soak ✓ retire_old
      finally:
        ✓ told

    SUCCEEDED in 00:05:13   11 of 11 done   exit 0
      required outputs: 1 of 1
      live = green
      the record: runbook report b7k2m
    ");
}

#[test]
fn the_guard_trips_and_it_is_rolled_back() {
    let mut g = golive();
    g.deployed();
    g.healthy();
    g.asked();
    g.approved();
    g.switched();
    g.tripped();
    insta::assert_snapshot!(g.s.screen(100, None), @"
    golive  run b7k2m  staging  by ana  00:00:33  lock deploy/staging/shop
      ✓ announced   80ms
      ✓ current     40ms  200 in 12ms
      ✓ deploy      3.7s  created  attempt 2
      ✓ healthy     1.5s  200, healthy
      ✓ smoke       2 steps  50ms
        ✓ front       50ms  200 in 8ms
        ✓ login_form  50ms  200 in 5ms
      ✓ signoff     6.5s  by bo, cy
      ✓ switch      600ms  colour: blue → green
      ✗ soak        Watch it while customers use it  failed after 20s
          guard tripped: share = 0.180, wanted < 0.01                                     golive.yaml:76
      · retire_old  not started  point of no return
      FAILED at 02:10:58 in soak: guard tripped: share = 0.180, wanted < 0.01. Nothing new starts.

    ROLLBACK  policy auto  0 of 2 undone
      · switch  to be undone  puts the resource's previous content back
      · deploy  to be undone  puts the resource's previous content back
    ");
    g.undone();
    g.told();
    g.s.finished("failed", "complete", 20);
    insta::assert_snapshot!(g.s.screen(100, None), @"
    golive  run b7k2m  staging  by ana  00:00:33
      ✓ announced   80ms
      ✓ current     40ms  200 in 12ms
      ✓ deploy      3.7s  created  attempt 2  undone
      ✓ healthy     1.5s  200, healthy
      ✓ smoke       2 steps  50ms
        ✓ front       50ms  200 in 8ms
        ✓ login_form  50ms  200 in 5ms
      ✓ signoff     6.5s  by bo, cy
      ✓ switch      600ms  colour: blue → green  undone
      ✗ soak        Watch it while customers use it  failed after 20s
          guard tripped: share = 0.180, wanted < 0.01                                     golive.yaml:76
      · retire_old  not started  point of no return
      finally:
        ✓ told  50ms
      FAILED at 02:10:58 in soak: guard tripped: share = 0.180, wanted < 0.01.

    ROLLBACK  policy auto  2 of 2 undone
      ✓ switch  undone in 300ms  puts the resource's previous content back
      ✓ deploy  undone in 300ms  puts the resource's previous content back

    FAILED, ROLLED BACK in 00:00:33   9 of 11 done, 1 failed, 1 not started   exit 20
      the record: runbook report b7k2m
    ");
}

#[test]
fn an_undo_fails_and_blocks_what_came_before() {
    let mut g = golive();
    g.deployed();
    g.healthy();
    g.asked();
    g.approved();
    g.switched();
    g.tripped();
    let undo = g.task(g.s.outline.entries[g.switch as usize].undo[0]);
    g.s.start(&undo);
    g.s.at(34_000).ended(
        &undo,
        1,
        Result::Failed,
        "http:503",
        "PUT http://127.0.0.1:7000/-/live: 503 Service Unavailable",
    );
    insta::assert_snapshot!(g.s.screen(100, None), @r#"
    golive  run b7k2m  staging  by ana  00:00:34  lock deploy/staging/shop
      ✓ announced   80ms
      ✓ current     40ms  200 in 12ms
      ✓ deploy      3.7s  created  attempt 2
      ✓ healthy     1.5s  200, healthy
      ✓ smoke       2 steps  50ms
        ✓ front       50ms  200 in 8ms
        ✓ login_form  50ms  200 in 5ms
      ✓ signoff     6.5s  by bo, cy
      ✓ switch      600ms  colour: blue → green
      ✗ soak        Watch it while customers use it  failed after 20s
          guard tripped: share = 0.180, wanted < 0.01                                     golive.yaml:76
      · retire_old  not started  point of no return
      FAILED at 02:10:58 in soak: guard tripped: share = 0.180, wanted < 0.01. Nothing new starts.

    ROLLBACK  policy auto  0 of 2 undone, 1 failed, 1 blocked
      ✗ switch  undo failed
          puts the resource's previous content back: PUT http://127.0.0.1:7000/-/live: 503 Service
          Unavailable
          golive.yaml:70
      ! deploy  not undone: blocked  the undo of `switch` did not complete
    "#);
    g.told();
    g.s.finished("failed", "incomplete", 22);
    insta::assert_snapshot!(g.s.screen(100, None), @"
    golive  run b7k2m  staging  by ana  00:00:34
      ✓ announced   80ms
      ✓ current     40ms  200 in 12ms
      ✓ deploy      3.7s  created  attempt 2
      ✓ healthy     1.5s  200, healthy
      ✓ smoke       2 steps  50ms
        ✓ front       50ms  200 in 8ms
        ✓ login_form  50ms  200 in 5ms
      ✓ signoff     6.5s  by bo, cy
      ✓ switch      600ms  colour: blue → green
      ✗ soak        Watch it while customers use it  failed after 20s
          guard tripped: share = 0.180, wanted < 0.01                                     golive.yaml:76
      · retire_old  not started  point of no return
      finally:
        ✓ told  50ms
      FAILED at 02:10:58 in soak: guard tripped: share = 0.180, wanted < 0.01.

    ROLLBACK  policy auto  0 of 2 undone, 1 failed, 1 blocked
      ✗ switch  undo failed
          puts the resource's previous content back: PUT http://127.0.0.1:7000/-/live: 503 Service
          Unavailable
          golive.yaml:70
      ! deploy  not undone: blocked  the undo of `switch` did not complete

    FAILED, ROLLBACK INCOMPLETE in 00:00:34   9 of 11 done, 1 failed, 1 not started   exit 22
      the undo's output: runbook logs b7k2m switch.undo
      try the rollback again: runbook rollback b7k2m
      the record: runbook report b7k2m
    ");
}

#[test]
fn the_executor_is_gone_and_the_switch_is_in_doubt() {
    let mut g = golive();
    g.deployed();
    g.healthy();
    g.asked();
    g.approved();
    let switch = g.task(g.switch);
    g.s.start(&switch);
    g.s.at(72_000);
    let dead = runbook_view::Now { executor_alive: Some(false), ..g.s.now() };
    let style = runbook_view::Style::default();
    insta::assert_snapshot!(crate::scene::text(&runbook_view::render(&g.s.run(), dead, 100, &style)), @"
    golive  run b7k2m  staging  by ana  00:01:12  lock deploy/staging/shop
      interrupted: process 4711 on bastion is gone, last record 1m00s ago
      ✓ announced   80ms
      ✓ current     40ms  200 in 12ms
      ✓ deploy      3.7s  created  attempt 2
      ✓ healthy     1.5s  200, healthy
      ✓ smoke       2 steps  50ms
        ✓ front       50ms  200 in 8ms
        ✓ login_form  50ms  200 in 5ms
      ✓ signoff     6.5s  by bo, cy
      ? switch      was under way
      · soak
      · retire_old  point of no return
      go on: runbook resume b7k2m
    ");
    g.s.push(Body::ExecutorStarted { pid: 4712, host: "bastion".into(), resumed: true, gap_ms: 60_000 });
    g.s.saw(&switch, Probe::Verify, Grade::Inconclusive, "connection refused");
    g.s.asked(
        About::InDoubt(switch),
        "Did `switch` happen? verify could not tell: connection refused",
        &[],
        None,
    );
    insta::assert_snapshot!(g.s.screen(100, None), @r#"
    golive  run b7k2m  staging  by ana  00:01:12  lock deploy/staging/shop  resumed once
      ✓ announced   80ms
      ✓ current     40ms  200 in 12ms
      ✓ deploy      3.7s  created  attempt 2
      ✓ healthy     1.5s  200, healthy
      ✓ smoke       2 steps  50ms
        ✓ front       50ms  200 in 8ms
        ✓ login_form  50ms  200 in 5ms
      ✓ signoff     6.5s  by bo, cy
      ? switch      in doubt: nobody knows whether it happened
      · soak
      · retire_old  point of no return
      ? switch: Did `switch` happen? verify could not tell: connection refused
          who: anybody
          it happened: runbook answer b7k2m switch --done
          it did not happen: runbook answer b7k2m switch --not-done
          undo it: runbook answer b7k2m switch --undo
          run it again: runbook answer b7k2m switch --retry
    "#);
}

#[test]
fn plain_lines_say_the_same() {
    let mut g = golive();
    g.deployed();
    g.healthy();
    g.asked();
    g.approved();
    g.switched();
    g.tripped();
    g.undone();
    g.told();
    g.s.finished("failed", "complete", 20);
    let style = runbook_view::Style::default();
    let mut run = runbook_view::Run::new(g.s.outline.clone());
    let mut text = String::new();
    for record in &g.s.records {
        run.apply(record);
        text.push_str(&crate::scene::text(&runbook_view::lines(&run, record, &style)));
    }
    insta::assert_snapshot!(text, @"
    02:10:25 golive: run b7k2m on staging by ana
    02:10:25 lock deploy/staging/shop taken
    02:10:25 announced: starts: webhook.post
    02:10:25 announced: done in 80ms
    02:10:25 current: starts: http.request
    02:10:25 current: done in 40ms: 200 in 12ms
    02:10:25 deploy: starts: http.resource
    02:10:25 deploy: failed, nothing was changed in 300ms: PUT http://127.0.0.1:7070/deployments/green: connection refused
    02:10:25 deploy: at golive.yaml:22
    02:10:26 deploy: starts: http.resource, attempt 2
    02:10:28 deploy: done in 2.5s: created
    02:10:28 healthy: starts: until http.check
    02:10:28 healthy: cannot be seen: connection refused
    02:10:29 healthy: holds: 200, healthy
    02:10:30 healthy: done in 1.5s: 200, healthy
    02:10:30 smoke: begins
    02:10:30 smoke.front: starts: http.check
    02:10:30 smoke.login_form: starts: http.check
    02:10:30 smoke.front: done in 50ms: 200 in 8ms
    02:10:30 smoke.login_form: done in 50ms: 200 in 5ms
    02:10:30 signoff: starts: 2 of role:release_manager
    02:10:30 signoff: asks: Send customers to green? (until 2026-11-22 02:40:25 +00:00)
    02:10:30 signoff: going_live: green
    02:10:30 signoff: version: v1.1.0
    02:10:30 signoff: approve: runbook approve b7k2m signoff
    02:10:30 signoff: reject: runbook reject b7k2m signoff --reason WHY
    02:10:33 signoff: approved by ana
    02:10:34 signoff: approved by bo
    02:10:37 signoff: approved by cy
    02:10:37 signoff: done in 6.5s
    02:10:37 switch: starts: http.resource
    02:10:37 switch: done, to be verified, in 300ms: colour: blue → green
    02:10:37 switch: verify: not yet: version = v1.0.0, wanted v1.1.0
    02:10:37 switch: verify: holds: version = v1.1.0
    02:10:37 switch: done and verified in 600ms: colour: blue → green
    02:10:37 soak: starts: for 5m
    02:10:55 soak: guard: holds: share = 0.000
    02:10:56 soak: guard: does not hold: share = 0.120, wanted < 0.01
    02:10:58 soak: failed after 20s: guard tripped: share = 0.180, wanted < 0.01
    02:10:58 switch.undo: starts: puts the resource's previous content back
    02:10:58 switch.undo: done in 300ms
    02:10:58 deploy.undo: starts: puts the resource's previous content back
    02:10:58 deploy.undo: done in 300ms
    02:10:58 told: starts: webhook.post
    02:10:58 told: done in 50ms
    02:10:58 failed, rolled back in 00:00:33 (exit 20)
    ");
}
