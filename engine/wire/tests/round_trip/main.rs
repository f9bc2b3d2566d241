//! Whatever can be recorded reads back as it was, to the last bit.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use runbook_wire::{
    About, Answer, Body, DecodeError, EncodeError, Failure, Grade, Log, MAX_DEPTH, Person, Probe, Record,
    Result, Task, Timer, Via,
};
use serde_json::{Value, json};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z_]{1,8}", any::<String>()]
}

fn value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        Just(json!(-0.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((text(), inner), 0..5).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
    .boxed()
}

fn map() -> impl Strategy<Value = BTreeMap<String, Value>> {
    btree_map(text(), value(), 0..4)
}

fn task() -> impl Strategy<Value = Task> {
    (any::<u32>(), any::<u32>(), text()).prop_map(|(frame, node, path)| Task { frame, node, path })
}

fn person() -> impl Strategy<Value = Person> {
    text().prop_map(|name| Person { name })
}

fn failure() -> impl Strategy<Value = Failure> {
    (text(), text(), of(text())).prop_map(|(class, message, hint)| Failure { class, message, hint })
}

fn probe() -> impl Strategy<Value = Probe> {
    prop_oneof![
        Just(Probe::Until),
        Just(Probe::Verify),
        Just(Probe::NotDone),
        any::<u32>().prop_map(Probe::Guard)
    ]
}

fn timer() -> impl Strategy<Value = Timer> {
    prop_oneof![
        Just(Timer::Retry),
        Just(Timer::Deadline),
        Just(Timer::Wait),
        probe().prop_map(Timer::Poll),
        of(probe()).prop_map(Timer::GiveUp),
    ]
}

fn about() -> impl Strategy<Value = About> {
    prop_oneof![
        task().prop_map(About::Human),
        task().prop_map(About::InDoubt),
        task().prop_map(About::Warning),
        of(task()).prop_map(About::Rollback),
        Just(About::AfterPivot),
        task().prop_map(About::Drift),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        prop::sample::select(vec![
            Answer::Approve,
            Answer::Reject,
            Answer::Done,
            Answer::NotDone,
            Answer::Undo,
            Answer::Keep,
            Answer::Retry,
            Answer::Skip,
            Answer::Fail,
        ]),
        value().prop_map(|value| Answer::Value { value }),
        (text(), any::<bool>(), of(text())).prop_map(|(item, done, evidence)| Answer::Item {
            item,
            done,
            evidence
        }),
    ]
}

fn result() -> impl Strategy<Value = Result> {
    prop::sample::select(vec![Result::Done, Result::Failed, Result::NotDone, Result::Unknown])
}

fn grade() -> impl Strategy<Value = Grade> {
    prop::sample::select(vec![Grade::Pass, Grade::Fail, Grade::Inconclusive])
}

fn via() -> impl Strategy<Value = Via> {
    prop::sample::select(vec![Via::Terminal, Via::Command, Via::AnswersFile])
}

/// Of the run and its executors.
fn run_body() -> BoxedStrategy<Body> {
    prop_oneof![
        (
            (text(), text(), text(), text(), of(text())),
            (map(), person(), any::<u64>(), any::<u32>(), text(), any::<bool>()),
            (text(), value(), of(any::<u32>()), of(text()), of(text()))
        )
            .prop_map(
                |(
                    (run, runbook, file, plan, environment),
                    (inputs, requester, seed, semantics, version, unattended),
                    (root, request, max_parallel, answers, answers_file),
                )| {
                    Body::RunCreated {
                        run,
                        runbook,
                        file,
                        plan,
                        environment,
                        inputs,
                        requester,
                        seed,
                        semantics,
                        version,
                        unattended,
                        root,
                        request,
                        max_parallel,
                        answers,
                        answers_file,
                    }
                }
            ),
        (any::<u32>(), text(), any::<bool>(), any::<u64>())
            .prop_map(|(pid, host, resumed, gap_ms)| Body::ExecutorStarted { pid, host, resumed, gap_ms }),
        text().prop_map(|reason| Body::ExecutorStopped { reason }),
        (text(), text(), text(), any::<u64>(), any::<u64>()).prop_map(
            |(name, holder, reason, since_wall_ms, until_wall_ms)| Body::LockAwaited {
                name,
                holder,
                reason,
                since_wall_ms,
                until_wall_ms
            }
        ),
        (text(), text(), text(), any::<u64>(), any::<bool>()).prop_map(
            |(name, holder, reason, since_wall_ms, skip)| Body::LockRefused {
                name,
                holder,
                reason,
                since_wall_ms,
                skip
            }
        ),
        text().prop_map(|name| Body::LockTaken { name }),
        text().prop_map(|name| Body::LockReleased { name }),
        (text(), text(), any::<i32>(), map(), btree_map(text(), text(), 0..3)).prop_map(
            |(forward, rollback, exit_code, outputs, no_outputs)| {
                Body::Finished { forward, rollback, exit_code, outputs, no_outputs }
            }
        ),
    ]
    .boxed()
}

/// Of steps.
fn step_body() -> BoxedStrategy<Body> {
    prop_oneof![
        (task(), any::<u32>(), text()).prop_map(|(task, attempt, reason)| Body::Skipped {
            task,
            attempt,
            reason
        }),
        (task(), any::<u32>(), of(text()), map()).prop_map(|(task, attempt, title, inputs)| Body::Entered {
            task,
            attempt,
            title,
            inputs
        }),
        (task(), any::<u32>(), vec(text(), 0..3), vec(value(), 0..3))
            .prop_map(|(task, attempt, keys, items)| Body::Items { task, attempt, keys, items }),
        (task(), any::<u32>(), any::<u32>(), text()).prop_map(|(task, attempt, case, label)| Body::Branch {
            task,
            attempt,
            case,
            label
        }),
        (task(), any::<u32>(), any::<u32>(), of(text()), map(), value(), text()).prop_map(
            |(task, attempt, incarnation, title, params, prepared, key)| Body::Started {
                task,
                attempt,
                incarnation,
                title,
                params,
                prepared,
                key
            }
        ),
        (task(), any::<u32>(), any::<u32>(), any::<u64>()).prop_map(|(task, attempt, pid, start_time)| {
            Body::Spawned { task, attempt, pid, start_time, session: pid / 2 }
        }),
        (
            task(),
            any::<u32>(),
            result(),
            (map(), vec(text(), 0..3)),
            of(text()),
            of(text()),
            of(failure()),
            of((any::<u64>(), text()))
        )
            .prop_map(|(task, attempt, result, (outputs, masked), note, warning, failure, log)| {
                Body::Ended {
                    task,
                    attempt,
                    result,
                    outputs,
                    masked,
                    note,
                    warning,
                    failure,
                    log: log.map(|(bytes, blake3)| Log { bytes, blake3 }),
                }
            }),
        (task(), any::<u32>(), task(), text()).prop_map(|(task, attempt, gate, reason)| Body::GateClosed {
            task,
            attempt,
            gate,
            reason
        }),
        (task(), probe(), any::<u32>(), grade(), text(), map(), vec(text(), 0..3)).prop_map(
            |(task, probe, round, grade, message, outputs, masked)| Body::Checked {
                task,
                probe,
                round,
                grade,
                message,
                outputs,
                masked
            }
        ),
        (task(), any::<u32>(), map(), vec(text(), 0..3), of(failure())).prop_map(
            |(task, attempt, outputs, masked, failure)| Body::Closed {
                task,
                attempt,
                outputs,
                masked,
                failure
            }
        ),
        (task(), timer()).prop_map(|(task, timer)| Body::Fired { task, timer }),
    ]
    .boxed()
}

/// Of people.
fn human_body() -> BoxedStrategy<Body> {
    prop_oneof![
        (about(), text(), map(), of(any::<u64>())).prop_map(|(about, question, show, deadline_wall_ms)| {
            Body::Asked { about, question, show, deadline_wall_ms }
        }),
        (about(), answer(), person(), via(), of(text()))
            .prop_map(|(about, answer, by, via, comment)| Body::Answered { about, answer, by, via, comment }),
        (person(), text()).prop_map(|(by, reason)| Body::CancelRequested { by, reason }),
        person().prop_map(|by| Body::Paused { by }),
        person().prop_map(|by| Body::Unpaused { by }),
        (text(), text(), person()).prop_map(|(path, digest, by)| Body::ProgramAccepted { path, digest, by }),
        (person(), of(task())).prop_map(|(by, to)| Body::RollbackRequested { by, to }),
    ]
    .boxed()
}

fn record() -> impl Strategy<Value = Record> {
    let body = prop_oneof![run_body(), step_body(), human_body()];
    (any::<u64>(), any::<u64>(), any::<u64>(), any::<u32>(), body)
        .prop_map(|(seq, wall_ms, elapsed_ms, epoch, body)| Record { seq, wall_ms, elapsed_ms, epoch, body })
}

proptest! {
    #[test]
    fn what_is_written_is_read(record in record()) {
        let text = record.encode().unwrap();
        let read = Record::decode(text.as_bytes()).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(&read.encode().unwrap(), &text, "the text is canonical");
        let kind = record.body.kind();
        prop_assert!(Body::TYPES.contains(&kind) && text.contains(&format!("\"type\":\"{kind}\"")), "{}", text);
    }

    #[test]
    fn damaged_text_is_an_error(record in record(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = record.encode().unwrap().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        // What it makes of it does not matter (a hash guards it), only that it comes back.
        let _ = Record::decode(&bytes);
        let _ = Record::decode(&bytes[..place]);
    }
}

fn nested(levels: usize) -> Record {
    let value = (0..levels).fold(json!("[{\"not counted"), |inner, level| match level % 2 {
        0 => json!([inner]),
        _ => json!({ "in": inner }),
    });
    let body = Body::Answered {
        about: About::AfterPivot,
        answer: Answer::Value { value },
        by: Person { name: "ana".into() },
        via: Via::Terminal,
        comment: None,
    };
    Record { seq: 7, wall_ms: 0, elapsed_ms: 0, epoch: 1, body }
}

#[test]
fn what_would_be_too_deep_to_read_is_not_written() {
    let deepest = nested(MAX_DEPTH - 2);
    assert_eq!(Record::decode(deepest.encode().unwrap().as_bytes()), Ok(deepest));
    assert_eq!(nested(MAX_DEPTH - 1).encode(), Err(EncodeError::TooDeep { seq: 7 }));
}

#[test]
fn what_a_newer_version_wrote_is_said_to_be_newer() {
    let decode = |value: Value| Record::decode(value.to_string().as_bytes()).unwrap_err().to_string();
    let head = json!({"seq": 12, "wall_ms": 1, "elapsed_ms": 1, "epoch": 1});
    let with = |more: Value| {
        let mut record = head.clone();
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    };
    insta::assert_snapshot!(
        decode(with(json!({"type": "teleported", "task": {}}))),
        @"event 12 is of the type `teleported`, which this version of runbook does not know (it reads record format 1); a newer version wrote it: use that one"
    );
    insta::assert_snapshot!(
        decode(with(json!({"type": "answered", "about": {"about": "after_pivot"}, "answer": {"answer": "shrug"}, "by": {"name": "ana"}, "via": "terminal"}))),
        @"event 12 of the type `answered` does not read as record format 1: unknown variant `shrug`, expected one of `approve`, `reject`, `value`, `item`, `done`, `not_done`, `undo`, `keep`, `retry`, `skip`, `fail`; if a newer version of runbook wrote it, use that one"
    );
    insta::assert_snapshot!(
        decode(with(json!({"type": "lock_taken"}))),
        @"event 12 of the type `lock_taken` does not read as record format 1: missing field `name`; if a newer version of runbook wrote it, use that one"
    );
    insta::assert_snapshot!(decode(head.clone()), @"not a record of an event: it has no `type`");
    assert!(matches!(Record::decode(b"{\"seq\": 1"), Err(DecodeError::Malformed { .. })));
    // A field that a newer version added is no obstacle.
    let added = with(json!({"type": "lock_taken", "name": "db", "colour": "blue"}));
    assert_eq!(
        Record::decode(added.to_string().as_bytes()).unwrap().body,
        Body::LockTaken { name: "db".into() }
    );
}
