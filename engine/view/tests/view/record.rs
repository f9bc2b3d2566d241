//! Whole runs as reports.

use std::collections::BTreeMap;

use runbook_view::{
    Timeline,
    report::{Report, json, junit, markdown},
};
use runbook_wire::{About, Answer, Body, Grade, Probe, Timer, Via};
use serde_json::{Value, json};

use crate::{
    golive::golive,
    scene::{START, Scene},
};

/// The go-live, asked for six outputs.
fn with_outputs(scene: &mut Scene) {
    let outputs = json!({
        "version": null,
        "deployment": {"order": 1, "title": "Production deployment", "by": ["deploy", "switch"], "evidence": null},
        "validation": {"order": 2, "title": "Post-deployment validation", "by": ["smoke", "soak"]},
        "alerting": {"order": 3, "title": "Monitoring and alerting", "reason": "alert rules are set up by the monitoring's own runbook"},
        "baseline": {"order": 4, "title": "Performance baseline", "by": ["retire_old", "baseline"]},
        "told": {"order": 5, "title": "Communication", "by": ["announced", "told"]},
        "ways_back": {"order": 6, "title": "Rollback procedures (if needed)", "by": ["rollback"]},
    });
    let Value::Object(map) = outputs else { unreachable!("an object is written above") };
    scene.outline.outputs = map.into_iter().collect();
    scene.outline.summary = "Take a new version of the shop live beside the old one, then switch.".into();
    scene.outline.owner = Some("release-management".into());
    if let Body::RunCreated { inputs, .. } = &mut scene.records[0].body {
        inputs.insert("version".into(), json!("v1.1.0"));
        inputs.insert("token".into(), json!({"$secret": [{"name": "deploy_token"}]}));
    }
}

pub(crate) fn succeeded() -> Scene {
    let mut g = golive();
    g.deployed();
    g.healthy();
    g.asked();
    let signoff = About::Human(g.task(g.signoff));
    g.s.at(9000).answered(signoff.clone(), Answer::Approve, "bo", Via::AnswersFile);
    g.s.at(12_000).push(Body::Answered {
        about: signoff,
        answer: Answer::Approve,
        by: crate::scene::person("cy"),
        via: Via::Terminal,
        comment: Some("checked <the> \"dashboard\" | fine".into()),
    });
    g.switched();
    let (soak, retire) = (g.task(g.soak), g.task(g.retire));
    g.s.at(200_000).push(Body::ExecutorStarted {
        pid: 9,
        host: "bastion".into(),
        resumed: true,
        gap_ms: 170_000,
    });
    g.s.saw(&soak, Probe::Guard(0), Grade::Pass, "share = 0.000");
    g.s.at(482_600).fired(&soak, Timer::Wait);
    g.s.ran(&retire, 700);
    g.told();
    with_outputs(&mut g.s);
    let mut outputs: BTreeMap<String, Value> = g.s.outline.outputs.clone();
    outputs.insert("version".into(), json!("v1.1.0"));
    outputs.entry("deployment".into()).or_default()["evidence"] =
        json!({"live_colour": "green", "live_version": "v1.1.0"});
    g.s.push(Body::Finished {
        forward: "succeeded".into(),
        rollback: "none".into(),
        exit_code: 0,
        outputs,
        no_outputs: BTreeMap::new(),
    });
    g.s
}

pub(crate) fn rolled_back() -> Scene {
    let mut g = golive();
    g.deployed();
    g.healthy();
    g.asked();
    g.approved();
    g.switched();
    g.tripped();
    g.undone();
    g.told();
    with_outputs(&mut g.s);
    g.s.finished("failed", "complete", 20);
    g.s
}

pub(crate) fn timeline(scene: &Scene) -> Timeline {
    let mut timeline = Timeline::new(scene.outline.clone(), jiff::tz::TimeZone::UTC);
    scene.records.iter().for_each(|r| timeline.apply(r));
    timeline
}

fn with<T>(scene: &Scene, write: impl FnOnce(&Report<'_>) -> T) -> T {
    let timeline = timeline(scene);
    write(&Report::of(&timeline, scene.now(), jiff::tz::TimeZone::UTC))
}

#[test]
fn markdown_of_a_success() {
    insta::assert_snapshot!(with(&succeeded(), markdown), @r#"
    # golive: succeeded

    Take a new version of the shop live beside the old one, then switch.

    **The run succeeded, after 8m03s. 11 of 11 steps done.**

    |  |  |
    |---|---|
    | Run | `b7k2m` |
    | Status | `succeeded` |
    | Runbook | `golive (golive.yaml)` |
    | Environment | `staging` |
    | Requested by | `ana` |
    | Began | `2026-11-22 02:10:25 +00:00` |
    | Ended | `2026-11-22 02:18:28 +00:00` |
    | Exit code | `0: succeeded` |
    | Took | `00:08:03` |
    | Resumed | `1 times; 2m50s without an executor` |
    | Locks | `deploy/staging/shop` |
    | Owner | `release-management` |
    | Plan | `b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9` |
    | Engine | `runbook 0.1.0, semantics 1` |
    | Record | `38 events, format 1` |

    ## Inputs

    | Name | Value |
    |---|---|
    | `token` | &lt;secret deploy\_token&gt; |
    | `version` | v1.1.0 |

    ## Required outputs

    | Output |  | Evidence |
    |---|---|---|
    | Production deployment | produced | `deploy` done<br>– created<br>`switch` done<br>– colour: blue → green; verified (2 looks), held: version = v1.1.0<br>live colour: green<br>live version: v1.1.0 |
    | Post-deployment validation | produced | `smoke` done<br>– front: 200 in 8ms<br>– login\_form: 200 in 5ms<br>`soak` done<br>– guarded (2 looks), held: share = 0.000 |
    | Monitoring and alerting | not produced | alert rules are set up by the monitoring's own runbook. |
    | Performance baseline | not produced | The runbook has no step \`baseline\`.<br>`retire_old` done |
    | Communication | produced | `announced` done<br>`told` done |
    | Rollback procedures (if needed) | not needed | Nothing failed; 2 of the 3 steps that change something say how they are undone. |

    ## Steps

    |  | Step | Status | Began | Took | Evidence |
    |---|---|---|---|---|---|
    | ✓ | `announced`<br>Tell everybody that it begins | done | 02:10:25 | 80ms |  |
    | ✓ | `current`<br>http.request | done | 02:10:25 | 40ms | 200 in 12ms |
    | ✓ | `deploy`<br>http.resource | done (2 attempts) | 02:10:25 | 3.7s | created |
    | ✓ | `healthy`<br>until http.check | done | 02:10:28 | 1.5s | 200, healthy |
    | ✓ | `smoke`<br>2 steps, in parallel | done | 02:10:30 | 50ms |  |
    | ✓ | `smoke.front`<br>http.check | done | 02:10:30 | 50ms | 200 in 8ms |
    | ✓ | `smoke.login_form`<br>http.check | done | 02:10:30 | 50ms | 200 in 5ms |
    | ✓ | `signoff`<br>2 of role:release\_manager | done | 02:10:30 | 6.5s | approved by bo (from an answers file)<br>approved by cy |
    | ✓ | `switch`<br>http.resource | done | 02:10:37 | 600ms | colour: blue → green<br>verified (2 looks), held: version = v1.1.0 |
    | ✓ | `soak`<br>Watch it while customers use it | done | 02:10:37 | 7m50s | guarded (2 looks), held: share = 0.000 |
    | ✓ | `retire_old`<br>http.resource | done | 02:18:27 | 700ms |  |
    | ✓ | `told`<br>webhook.post | done | 02:18:28 | 50ms |  |

    ## Decisions

    - `signoff`: Send customers to green?
      - shown: going\_live = green
      - shown: version = v1.1.0
      - 2026-11-22 02:10:34 +00:00: approved by bo (from an answers file)
      - 2026-11-22 02:10:37 +00:00: approved by cy: checked &lt;the&gt; "dashboard" \| fine

    ## Outputs

    | Name | Value |
    |---|---|
    | `version` | v1.1.0 |

    ## Timeline

    | Time | Elapsed |  |
    |---|---|---|
    | 02:10:25 | 00:00:00 | golive: run b7k2m on staging by ana |
    | 02:10:25 | 00:00:00 | `announced`: done in 80ms |
    | 02:10:25 | 00:00:00 | `current`: done in 40ms: 200 in 12ms |
    | 02:10:25 | 00:00:00 | `deploy`: failed, nothing was changed in 300ms: PUT http://127.0.0.1:7070/deployments/green: connection refused |
    | 02:10:28 | 00:00:03 | `deploy`: done in 2.5s: created |
    | 02:10:30 | 00:00:05 | `healthy`: done in 1.5s: 200, healthy |
    | 02:10:30 | 00:00:05 | `smoke.front`: done in 50ms: 200 in 8ms |
    | 02:10:30 | 00:00:05 | `smoke.login_form`: done in 50ms: 200 in 5ms |
    | 02:10:30 | 00:00:05 | `signoff`: asks: Send customers to green? (until 2026-11-22 02:40:25 +00:00) |
    | 02:10:34 | 00:00:09 | `signoff`: approved by bo (from an answers file) |
    | 02:10:37 | 00:00:12 | `signoff`: approved by cy: checked &lt;the&gt; "dashboard" \| fine |
    | 02:10:37 | 00:00:12 | `signoff`: done in 6.5s |
    | 02:10:37 | 00:00:12 | `switch`: done and verified in 600ms: colour: blue → green |
    | 02:13:45 | 00:03:20 | resumed by process 9 on bastion, 2m50s after the last record |
    | 02:18:27 | 00:08:02 | `soak`: done in 7m50s |
    | 02:18:28 | 00:08:03 | `retire_old`: done in 700ms |
    | 02:18:28 | 00:08:03 | `told`: done in 50ms |
    | 02:18:28 | 00:08:03 | succeeded in 00:08:03 (exit 0) |
    "#);
}

#[test]
fn markdown_of_a_rollback() {
    insta::assert_snapshot!(with(&rolled_back(), markdown), @r#"
    # golive: failed, rolled back

    Take a new version of the shop live beside the old one, then switch.

    **The run failed in soak and was rolled back, after 33s. 9 of 11 steps done, 1 failed, 1 not started.**

    |  |  |
    |---|---|
    | Run | `b7k2m` |
    | Status | `failed, rolled back` |
    | Runbook | `golive (golive.yaml)` |
    | Environment | `staging` |
    | Requested by | `ana` |
    | Began | `2026-11-22 02:10:25 +00:00` |
    | Ended | `2026-11-22 02:10:58 +00:00` |
    | Exit code | `20: failed or cancelled, and every undo that the runbook has was done` |
    | Took | `00:00:33` |
    | Locks | `deploy/staging/shop` |
    | Owner | `release-management` |
    | Plan | `b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9` |
    | Engine | `runbook 0.1.0, semantics 1` |
    | Record | `41 events, format 1` |

    ## Inputs

    | Name | Value |
    |---|---|
    | `token` | &lt;secret deploy\_token&gt; |
    | `version` | v1.1.0 |

    ## Required outputs

    | Output |  | Evidence |
    |---|---|---|
    | Production deployment | not produced | What deploy, switch did was undone.<br>`deploy` done, and undone<br>– created<br>`switch` done, and undone<br>– colour: blue → green; verified (2 looks), held: version = v1.1.0 |
    | Post-deployment validation | not produced | soak failed: guard tripped: share = 0.180, wanted &lt; 0.01.<br>`smoke` done<br>– front: 200 in 8ms<br>– login\_form: 200 in 5ms<br>`soak` failed: guard tripped: share = 0.180, wanted &lt; 0.01<br>– guarded (4 looks), did not hold: share = 0.180, wanted &lt; 0.01 |
    | Monitoring and alerting | not produced | alert rules are set up by the monitoring's own runbook. |
    | Performance baseline | not produced | retire\_old not started; The runbook has no step \`baseline\`.<br>`retire_old` not started |
    | Communication | produced | `announced` done<br>`told` done |
    | Rollback procedures (if needed) | produced | Rolled back: 2 undone.<br>`deploy` undone<br>– puts the resource's previous content back<br>`switch` undone<br>– puts the resource's previous content back |

    ## Failures

    - `soak`: guard tripped: share = 0.180, wanted &lt; 0.01  
      at `golive.yaml:76`

    ## Steps

    |  | Step | Status | Began | Took | Evidence |
    |---|---|---|---|---|---|
    | ✓ | `announced`<br>Tell everybody that it begins | done | 02:10:25 | 80ms |  |
    | ✓ | `current`<br>http.request | done | 02:10:25 | 40ms | 200 in 12ms |
    | ✓ | `deploy`<br>http.resource | done (2 attempts) | 02:10:25 | 3.7s | created |
    | ✓ | `healthy`<br>until http.check | done | 02:10:28 | 1.5s | 200, healthy |
    | ✓ | `smoke`<br>2 steps, in parallel | done | 02:10:30 | 50ms |  |
    | ✓ | `smoke.front`<br>http.check | done | 02:10:30 | 50ms | 200 in 8ms |
    | ✓ | `smoke.login_form`<br>http.check | done | 02:10:30 | 50ms | 200 in 5ms |
    | ✓ | `signoff`<br>2 of role:release\_manager | done | 02:10:30 | 6.5s | approved by bo<br>approved by cy |
    | ✓ | `switch`<br>http.resource | done | 02:10:37 | 600ms | colour: blue → green<br>verified (2 looks), held: version = v1.1.0 |
    | ✗ | `soak`<br>Watch it while customers use it | failed | 02:10:37 | 20s | guarded (4 looks), did not hold: share = 0.180, wanted &lt; 0.01 |
    | · | `retire_old`<br>http.resource | not started |  |  |  |
    | ✓ | `told`<br>webhook.post | done | 02:10:58 | 50ms |  |

    ### Undo steps

    |  | Step | Status | Began | Took | Evidence |
    |---|---|---|---|---|---|
    | ✓ | `switch.undo`<br>puts the resource's previous content back | done | 02:10:58 | 300ms |  |
    | ✓ | `deploy.undo`<br>puts the resource's previous content back | done | 02:10:58 | 300ms |  |

    ## Decisions

    - `signoff`: Send customers to green?
      - shown: going\_live = green
      - shown: version = v1.1.0
      - 2026-11-22 02:10:33 +00:00: approved by ana
      - 2026-11-22 02:10:34 +00:00: approved by bo
      - 2026-11-22 02:10:37 +00:00: approved by cy

    ## Rolled back

    Undone:

    - `switch`: puts the resource's previous content back
    - `deploy`: puts the resource's previous content back

    Needed no undo: `announced`, `current`, `healthy`, `smoke.front`, `smoke.login_form`, `soak`, `told`.

    ## Timeline

    | Time | Elapsed |  |
    |---|---|---|
    | 02:10:25 | 00:00:00 | golive: run b7k2m on staging by ana |
    | 02:10:25 | 00:00:00 | `announced`: done in 80ms |
    | 02:10:25 | 00:00:00 | `current`: done in 40ms: 200 in 12ms |
    | 02:10:25 | 00:00:00 | `deploy`: failed, nothing was changed in 300ms: PUT http://127.0.0.1:7070/deployments/green: connection refused |
    | 02:10:28 | 00:00:03 | `deploy`: done in 2.5s: created |
    | 02:10:30 | 00:00:05 | `healthy`: done in 1.5s: 200, healthy |
    | 02:10:30 | 00:00:05 | `smoke.front`: done in 50ms: 200 in 8ms |
    | 02:10:30 | 00:00:05 | `smoke.login_form`: done in 50ms: 200 in 5ms |
    | 02:10:30 | 00:00:05 | `signoff`: asks: Send customers to green? (until 2026-11-22 02:40:25 +00:00) |
    | 02:10:33 | 00:00:08 | `signoff`: approved by ana |
    | 02:10:34 | 00:00:09 | `signoff`: approved by bo |
    | 02:10:37 | 00:00:12 | `signoff`: approved by cy |
    | 02:10:37 | 00:00:12 | `signoff`: done in 6.5s |
    | 02:10:37 | 00:00:12 | `switch`: done and verified in 600ms: colour: blue → green |
    | 02:10:58 | 00:00:33 | `soak`: failed after 20s: guard tripped: share = 0.180, wanted &lt; 0.01 |
    | 02:10:58 | 00:00:33 | `switch.undo`: done in 300ms |
    | 02:10:58 | 00:00:33 | `deploy.undo`: done in 300ms |
    | 02:10:58 | 00:00:33 | `told`: done in 50ms |
    | 02:10:58 | 00:00:33 | failed, rolled back in 00:00:33 (exit 20) |
    "#);
}

#[test]
fn junit_of_a_rollback() {
    let xml = with(&rolled_back(), junit);
    let parsed = roxmltree::Document::parse(&xml).unwrap();
    let count = |name: &str| parsed.descendants().filter(|n| n.has_tag_name(name)).count().to_string();
    let suites = parsed.root_element();
    assert_eq!(suites.attribute("tests"), Some(count("testcase").as_str()));
    assert_eq!(suites.attribute("failures"), Some(count("failure").as_str()));
    let skipped: u32 = suites.children().filter_map(|s| s.attribute("skipped")?.parse::<u32>().ok()).sum();
    assert_eq!(skipped.to_string(), count("skipped"));
    insta::assert_snapshot!(xml, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="golive" tests="13" failures="1" errors="0" time="33.650">
      <testsuite name="golive" tests="11" failures="1" errors="0" skipped="1" time="33.650" timestamp="2026-11-22T02:10:25" hostname="bastion" id="0">
        <properties>
          <property name="run" value="b7k2m"/>
          <property name="status" value="failed, rolled back"/>
          <property name="runbook" value="golive (golive.yaml)"/>
          <property name="environment" value="staging"/>
          <property name="requested_by" value="ana"/>
          <property name="began" value="2026-11-22 02:10:25 +00:00"/>
          <property name="ended" value="2026-11-22 02:10:58 +00:00"/>
          <property name="exit_code" value="20: failed or cancelled, and every undo that the runbook has was done"/>
          <property name="took" value="00:00:33"/>
          <property name="locks" value="deploy/staging/shop"/>
          <property name="owner" value="release-management"/>
          <property name="plan" value="b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9"/>
          <property name="engine" value="runbook 0.1.0, semantics 1"/>
          <property name="record" value="41 events, format 1"/>
        </properties>
        <testcase name="announced" classname="golive" time="0.080"/>
        <testcase name="current" classname="golive" time="0.040">
          <system-out>200 in 12ms</system-out>
        </testcase>
        <testcase name="deploy" classname="golive" time="3.780">
          <system-out>created</system-out>
        </testcase>
        <testcase name="healthy" classname="golive" time="1.500">
          <system-out>200, healthy</system-out>
        </testcase>
        <testcase name="front" classname="golive.smoke" time="0.050">
          <system-out>200 in 8ms</system-out>
        </testcase>
        <testcase name="login_form" classname="golive.smoke" time="0.050">
          <system-out>200 in 5ms</system-out>
        </testcase>
        <testcase name="signoff" classname="golive" time="6.550">
          <system-out>approved by bo
    approved by cy</system-out>
        </testcase>
        <testcase name="switch" classname="golive" time="0.600">
          <system-out>colour: blue → green
    verified (2 looks), held: version = v1.1.0</system-out>
        </testcase>
        <testcase name="soak" classname="golive" time="20.400">
          <failure message="guard tripped: share = 0.180, wanted &lt; 0.01" type="check">guard tripped: share = 0.180, wanted &lt; 0.01
    at golive.yaml:76</failure>
          <system-out>guarded (4 looks), did not hold: share = 0.180, wanted &lt; 0.01</system-out>
        </testcase>
        <testcase name="retire_old" classname="golive" time="0.000">
          <skipped message="not started"/>
        </testcase>
        <testcase name="told" classname="golive" time="0.050"/>
      </testsuite>
      <testsuite name="golive: undo" tests="2" failures="0" errors="0" skipped="0" time="0.600" timestamp="2026-11-22T02:10:58" hostname="bastion" id="1">
        <properties>
          <property name="run" value="b7k2m"/>
          <property name="status" value="failed, rolled back"/>
          <property name="runbook" value="golive (golive.yaml)"/>
          <property name="environment" value="staging"/>
          <property name="requested_by" value="ana"/>
          <property name="began" value="2026-11-22 02:10:25 +00:00"/>
          <property name="ended" value="2026-11-22 02:10:58 +00:00"/>
          <property name="exit_code" value="20: failed or cancelled, and every undo that the runbook has was done"/>
          <property name="took" value="00:00:33"/>
          <property name="locks" value="deploy/staging/shop"/>
          <property name="owner" value="release-management"/>
          <property name="plan" value="b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9b3a1c9"/>
          <property name="engine" value="runbook 0.1.0, semantics 1"/>
          <property name="record" value="41 events, format 1"/>
        </properties>
        <testcase name="undo" classname="golive.switch" time="0.300"/>
        <testcase name="undo" classname="golive.deploy" time="0.300"/>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn json_says_what_the_report_says() {
    let all = with(&rolled_back(), json);
    let required: Vec<_> =
        all["required_outputs"].as_array().unwrap().iter().map(|r| (&r["name"], &r["produced"])).collect();
    insta::assert_snapshot!(format!("{required:?}"), @r#"[(String("deployment"), String("not_produced")), (String("validation"), String("not_produced")), (String("alerting"), String("not_produced")), (String("baseline"), String("not_produced")), (String("told"), String("produced")), (String("ways_back"), String("produced"))]"#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&all["steps"][2]).unwrap(), @r#"
    {
      "path": "deploy",
      "id": "deploy",
      "item": null,
      "title": null,
      "kind": "action",
      "what": "http.resource",
      "effect": "write",
      "claimed": false,
      "status": "done",
      "undo": "undone",
      "pivot": false,
      "began": "2026-11-22T02:10:25.120Z",
      "ended": "2026-11-22T02:10:28.900Z",
      "took_ms": 3780,
      "place": {
        "file": "golive.yaml",
        "line": 22,
        "column": 5
      },
      "attempts": [
        {
          "number": 1,
          "began": "2026-11-22T02:10:25.120Z",
          "ended": "2026-11-22T02:10:25.420Z",
          "result": "not_done",
          "failure": {
            "class": "connect",
            "message": "PUT http://127.0.0.1:7070/deployments/green: connection refused"
          }
        },
        {
          "number": 2,
          "began": "2026-11-22T02:10:26.400Z",
          "ended": "2026-11-22T02:10:28.900Z",
          "result": "done",
          "failure": null
        }
      ],
      "checks": [],
      "note": "created",
      "warning": null,
      "failure": null,
      "skipped": null,
      "parameters": {},
      "outputs": {},
      "case": null,
      "undo_steps": [
        {
          "path": "deploy.undo",
          "id": "undo",
          "item": null,
          "title": null,
          "kind": "action",
          "what": "puts the resource's previous content back",
          "effect": "write",
          "claimed": false,
          "status": "done",
          "undo": "nothing_to_undo",
          "pivot": false,
          "began": "2026-11-22T02:10:58.300Z",
          "ended": "2026-11-22T02:10:58.600Z",
          "took_ms": 300,
          "place": {
            "file": "golive.yaml",
            "line": 28,
            "column": 5
          },
          "attempts": [
            {
              "number": 1,
              "began": "2026-11-22T02:10:58.300Z",
              "ended": "2026-11-22T02:10:58.600Z",
              "result": "done",
              "failure": null
            }
          ],
          "checks": [],
          "note": null,
          "warning": null,
          "failure": null,
          "skipped": null,
          "parameters": {},
          "outputs": {},
          "case": null
        }
      ]
    }
    "#);
    insta::assert_snapshot!(all.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" "), @"version run runbook file plan environment requester unattended engine forward rollback status finished interrupted exit_code began ended elapsed_ms resumes executor last_event counts inputs outputs no_outputs locks lock_held steps on_failure after_pivot finally revert undone left needed_no_undo failures questions answers required_outputs next headline decisions timeline");
}

#[test]
fn an_event_is_its_record_with_a_version() {
    let scene = rolled_back();
    insta::assert_snapshot!(runbook_view::json::event("b7k2m", &scene.records[4]), @r#"{"version":1,"run":"b7k2m","time":"2026-11-22T02:10:25.080Z","seq":5,"wall_ms":1795313425080,"elapsed_ms":80,"epoch":1,"type":"ended","task":{"frame":0,"node":0,"path":"announced"},"attempt":1,"result":"done"}"#);
}

/// A run that finds its lock held, and what its screen says.
fn held(body: Body, forward: Option<(&str, i32)>) -> String {
    let mut scene = Scene::new("late");
    scene.read("look", "stage.look");
    scene.begin("b7k2m", "staging", "ana").push(body);
    if let Some((forward, exit_code)) = forward {
        scene.finished(forward, "none", exit_code);
    }
    scene.screen(200, None)
}

#[test]
fn a_run_whose_lock_is_held_says_by_whom_and_what_to_do() {
    let (name, holder, reason) = ("shop", "k7f3q", "golive by ben");
    let since_wall_ms = START - 60_000;
    let waits = held(
        Body::LockAwaited {
            name: name.into(),
            holder: holder.into(),
            reason: reason.into(),
            since_wall_ms,
            until_wall_ms: START + 600_000,
        },
        None,
    );
    for words in ["lock shop is held by run k7f3q (golive by ben)", "waits until", "runbook show k7f3q"] {
        assert!(waits.contains(words), "{words}: {waits}");
    }
    let refused = |skip| Body::LockRefused {
        name: name.into(),
        holder: holder.into(),
        reason: reason.into(),
        since_wall_ms,
        skip,
    };
    let locked = held(refused(false), Some(("locked", 30)));
    for words in ["LOCKED", "lock shop is held by run k7f3q", "runbook show k7f3q", "runbook exec "] {
        assert!(locked.contains(words), "{words}: {locked}");
    }
    let skipped = held(refused(true), Some(("skipped", 0)));
    assert!(skipped.contains("SKIPPED") && !skipped.contains("CANCELLED"), "{skipped}");
}
