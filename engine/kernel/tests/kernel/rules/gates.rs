//! People and gates (§2.8, §3.9).

use runbook_kernel::{Cause, Forward, Rollback, TaskState};

use super::ended;
use crate::build::{bare, book, each, group, human, read, write};
use crate::script::tell;

#[test]
fn an_approval_takes_distinct_people_and_not_the_requester() {
    tell(
        book([human("h", 2).human(|human| human.exclude_requester = true), write("a")]),
        "
        began               -> prepare h
        h started           -> ask h
        h person: approve 0
        h person: approve 1
        h person: approve 1
        h person: complete
        h person: keep
        h person: approve 2 -> withdraw h, prepare a
        h person: approve 3
        ",
    );
}

/// People hold no worker, so they wait for none: not to be asked first, nor again once their gate has closed.
#[test]
fn a_question_does_not_wait_for_a_place() {
    tell(
        book([
            read("long"),
            read("next").needs(&[]),
            human("h", 1).needs(&[]),
            write("a").needs(&["h"]).gated(&["h"]),
        ])
        .max_parallel(1),
        "
        began                              -> prepare h, prepare long
        long started                       -> perform long
        h started                          -> ask h
        h person: complete                 -> withdraw h
        long done                          -> prepare next
        next skipped                       -> prepare a
        a started                          -> perform a
        a gate h                           -> prepare h#2
        h started                          -> ask h
        h person: complete                 -> withdraw h, prepare a#2
        ",
    );
}

/// The text of a question is rendered first: that takes no place either.
#[test]
fn a_question_takes_no_place() {
    tell(
        book([human("h", 1), human("i", 1).needs(&[]), read("a").needs(&[])]).max_parallel(1),
        "
        began                              -> prepare h, prepare i, prepare a
        pause                              -> abandon h, abandon i, abandon a
        unpause                            -> prepare h#2, prepare i#2, prepare a#2
        a started                          -> perform a#2
        h started; i started; a done       -> ask h, ask i
        ",
    );
}

#[test]
fn a_rejection_ends_it_whatever_retry_says() {
    let run = tell(
        book([write("a"), human("h", 2).retry(5, 0)]),
        "
        began; a started; a done; h started; h person: approve 1  -> *
        h person: reject 2     -> withdraw h, prepare ~a
        ~a started; ~a done    -> perform ~a, finish
        finished
        ",
    );
    let (human, _) = run.task("h").expect("h began");
    assert_eq!(run.kernel.task(human).and_then(|view| view.cause), Some(Cause::Rejected));
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn nobody_answers_in_time() {
    let run = tell(
        book([human("h", 1).human(|human| human.timeout = Some(60))]),
        "
        began; h started   -> prepare h, ask h, arm h give up 60
        @60 h expires      -> withdraw h, finish
        finished
        ",
    );
    let (human, _) = run.task("h").expect("h began");
    assert_eq!(run.kernel.task(human).and_then(|view| view.cause), Some(Cause::Expired));
}

#[test]
fn a_gate_that_closed_waits_again_and_holds_back_the_write_alone() {
    let run = tell(
        book([
            human("h", 1),
            write("a").gated(&["h"]),
            group("g", [write("b").gated(&["h"]), write("c").needs(&[])]),
        ]),
        "
        began; h started; h person: complete    -> prepare h, ask h, withdraw h, prepare a
        a started; a done                       -> perform a, prepare g
        g entered                               -> prepare b, prepare c
        b gate h                                -> prepare h#2
        h started                               -> ask h
        c started; c done                       -> perform c
        h person: complete                      -> withdraw h, prepare b#2
        b started; b done                       -> perform b#2, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn two_writes_wait_for_one_gate() {
    tell(
        book([human("h", 1), write("a").gated(&["h"]), write("b").needs(&["h"]).gated(&["h"])]),
        "
        began; h started; h person: complete    -> prepare h, ask h, withdraw h, prepare a, prepare b
        a gate h                                -> prepare h#2
        b gate h
        h started; h person: complete           -> ask h, withdraw h, prepare a#2, prepare b#2
        ",
    );
}

#[test]
fn a_gate_that_is_not_passed_again_fails_the_run() {
    let run = tell(
        book([human("h", 1), write("a"), write("b").gated(&["h"])]),
        "
        began; h started; h person: complete; a started; a done  -> *
        b gate h                                -> prepare h#2
        h started; h person: reject 1           -> ask h, withdraw h, prepare ~a
        ~a started; ~a done                     -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_gate_that_is_found_closed_right_before_the_effect_waits_again() {
    let run = tell(
        book([
            human("h", 1),
            write("a").gated(&["h"]).guard(10, 1).with(|node| node.pivot = true),
            write("b"),
        ]),
        "
        began; h started; h person: complete    -> prepare h, ask h, withdraw h, prepare a
        a started                               -> perform a, check a guard 0
        a gate h                                -> abandon a, prepare h#2
        h started; h person: complete           -> ask h, withdraw h, prepare a#2
        a started; a gate h                     -> perform a#2, check a guard 0, abandon a, prepare h#3
        -- nothing has happened: the pivot is not crossed, there is nothing to undo
        h started; h person: reject 1           -> ask h, withdraw h, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn a_gate_that_is_found_closed_too_late_fails_its_step() {
    let run = tell(
        book([human("h", 1), write("a").gated(&["h"]).with(|node| node.deadline = Some(50))]),
        "
        began; h started; h person: complete    -> *
        a started                               -> perform a
        @50 a deadline                          -> interrupt a
        a gate h                                -> finish
        finished
        ",
    );
    let (task, _) = run.task("a").expect("a was prepared");
    assert_eq!(run.kernel.task(task).and_then(|view| view.cause), Some(Cause::TimedOut));
}

#[test]
fn what_is_denied_inside_fails_the_run_as_denied_and_what_was_put_up_with_does_not() {
    let inside = group("g", [each("e", 1, [human("h", 1)])]);
    let run = tell(
        book([inside]),
        "
        began; g entered; e items 1; h[0] started    -> *
        h[0] person: reject 1                        -> withdraw h[0], finish
        finished
        ",
    );
    assert!(run.kernel.denied());
    let run = tell(
        book([human("h", 1).with(|node| node.continue_on_error = true), read("r")]),
        "
        began; h started; h person: reject 1; r started; r failed  -> *
        finished
        ",
    );
    assert!(!run.kernel.denied());
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn a_gate_that_closes_does_not_use_up_an_attempt() {
    tell(
        book([human("h", 1), write("a").gated(&["h"])]),
        "
        began; h started; h person: complete    -> prepare h, ask h, withdraw h, prepare a
        a gate h; h started; h person: complete -> prepare h#2, ask h, withdraw h, prepare a#2
        a started; a not_done                   -> perform a#2, finish
        ",
    );
    let step = write("a").gated(&["h"]).retry(2, 0);
    tell(
        book([human("h", 1), step]),
        "
        began; h started; h person: complete    -> prepare h, ask h, withdraw h, prepare a
        a gate h; h started; h person: complete -> prepare h#2, ask h, withdraw h, prepare a#2
        a started; a not_done                   -> perform a#2, prepare a#3
        ",
    );
}

#[test]
fn a_gate_that_cannot_be_passed_again_fails_its_step() {
    let run = tell(
        book([write("x"), human("h", 1), write("a")]),
        "
        began; x started; x done; h started; h person: complete  -> *
        -- not a gate
        a gate x             -> prepare ~x
        ",
    );
    let (task, _) = run.task("a").expect("a was prepared");
    assert_eq!(run.kernel.task(task).and_then(|view| view.cause), Some(Cause::Gate));
}

#[test]
fn a_gate_that_failed_never_counts_as_passed_whoever_puts_up_with_it() {
    let tolerated = human("h", 1).with(|node| node.continue_on_error = true);
    let run = tell(
        book([tolerated, bare("a").gated(&["h"]).retry(3, 0)]),
        "
        began; h started            -> prepare h, ask h
        h person: reject 1          -> withdraw h, finish
        finished
        ",
    );
    let (task, _) = run.task("a").expect("its scope was opened");
    assert_eq!(run.kernel.task(task).and_then(|view| view.cause), Some(Cause::Gate));
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn a_skipped_gate_is_passed() {
    tell(
        book([human("h", 1), bare("a").gated(&["h"])]),
        "
        began        -> prepare h
        h skipped    -> prepare a
        ",
    );
}

#[test]
fn a_write_that_becomes_ready_while_its_gate_is_asked_again_waits_for_it() {
    tell(
        book([
            human("h", 1),
            write("a").gated(&["h"]),
            write("x").needs(&[]),
            write("b").needs(&["h", "x"]).gated(&["h"]),
        ]),
        "
        began; h started; h person: complete    -> prepare h, prepare x, ask h, withdraw h, prepare a
        a gate h                                -> prepare h#2
        x started; x done                       -> perform x
        h started; h person: complete           -> ask h, withdraw h, prepare a#2, prepare b
        ",
    );
}

#[test]
fn what_is_in_doubt_stays_so_when_its_gate_was_not_passed_again() {
    let retried = bare("a").gated(&["h"]).with(|node| node.on_in_doubt = runbook_kernel::InDoubt::Retry);
    tell(
        book([human("h", 1).with(|node| node.continue_on_error = true), retried.retry(3, 50)]),
        "
        began; h started; h person: complete  -> prepare h, ask h, withdraw h, prepare a
        a started; a unknown                  -> perform a, arm a retry 50
        @50 a retry                           -> prepare a#2
        a gate h                              -> prepare h#2
        h started; h person: reject 1         -> ask h, withdraw h, ask doubt a
        -- it cannot be run again
        a doubt: retry
        a doubt: not_done                     -> withdraw doubt a, arm a retry 100
        @100 a retry                          -> finish
        ",
    );
}

/// Nor does a group around it ask again, however deep it stands.
#[test]
fn a_no_is_not_tried_again_by_what_is_around_it() {
    for no in ["h person: reject 2", "@60 h expires"] {
        let asked = human("h", 1).human(|human| human.timeout = Some(60));
        let run = tell(
            book([group("g", [group("k", [write("a"), asked])]).retry(3, 0), read("b").needs(&[])]),
            &format!(
                "
                began; g entered; b started; k entered; a started; a done; h started  -> *
                {no}                     -> *
                ~a started; ~a done      -> perform ~a, finish
                finished
                "
            ),
        );
        ended(&run, Forward::Failed, Rollback::Complete);
        assert!(run.kernel.denied());
    }
}

/// The attempt that found its gate closed is as if it had never started.
#[test]
fn what_found_its_gate_closed_at_the_effect_has_not_started() {
    let gated = group("g", [human("h", 1), write("a").gated(&["h"])]).undo([bare("u")]);
    let run = tell(
        book([
            human("i", 1),
            group("k", [write("b").gated(&["i"])]).undo([bare("v")]),
            read("c").needs(&[]),
            gated.needs(&[]),
        ]),
        "
        began; g entered; c started; i started; i person: complete; k entered; h started  -> *
        b started            -> perform b
        b gate i             -> prepare i#2
        c failed             -> abandon i, withdraw h, prepare u
        u started; u done    -> perform u, finish
        finished
        ",
    );
    let (b, _) = run.task("b").expect("b was opened");
    assert_eq!(run.kernel.task(b).map(|view| view.state), Some(TaskState::NotStarted));
}
