//! verify, doubt, and how it is settled (§3.2, §3.4).

use runbook_kernel::{Forward, InDoubt, OnWarning, Rollback, Verify};

use super::ended;
use crate::build::{Step, book, notify, read, write};
use crate::script::tell;

fn verified(step: Step, change: impl FnOnce(&mut Verify)) -> Step {
    step.verify(10, 25).with(|node| {
        if let Some(verify) = &mut node.verify {
            change(verify);
        }
    })
}

#[test]
fn a_verify_that_does_not_match_makes_a_done_a_failure() {
    let run = tell(
        book([verified(write("a"), |_| {})]),
        "
        began; a started          -> prepare a, perform a
        a done                    -> check a verify
        @2 a verify fail          -> arm a poll verify 12
        @12 a polls verify        -> check a verify
        @13 a verify nothing      -> arm a poll verify 23
        @23 a polls verify        -> check a verify
        @23 a verify fail         -> arm a poll verify 25
        @25 a polls verify        -> check a verify
        @26 a verify fail         -> prepare ~a
        ~a started; ~a done       -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn effects_may_take_their_time_to_show() {
    let run = tell(
        book([verified(write("a"), |_| {})]),
        "
        began; a started; a done      -> prepare a, perform a, check a verify
        @2 a verify fail              -> arm a poll verify 12
        @12 a polls verify            -> check a verify
        @13 a verify pass             -> finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn in_doubt_a_match_is_done() {
    let run = tell(
        book([verified(write("a"), |verify| verify.after_done = false)]),
        "
        began; a started; a unknown   -> prepare a, perform a, check a verify
        a verify pass                 -> finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn in_doubt_a_mismatch_is_proof_only_where_the_type_can_tell() {
    let can = verified(write("a"), |verify| verify.proves_absence = true);
    let run = tell(
        book([can]),
        "
        began; a started; a unknown            -> prepare a, perform a, check a verify
        @25 a verify fail                      -> finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
    tell(
        book([verified(write("a"), |verify| verify.proves_absence = true)]),
        "
        began; a started; a unknown            -> prepare a, perform a, check a verify
        -- not seen is not absent
        @25 a verify nothing                   -> ask doubt a
        ",
    );
    tell(
        book([verified(write("a"), |_| {})]),
        "
        began; a started; a unknown            -> prepare a, perform a, check a verify
        @25 a verify fail                      -> ask doubt a
        ",
    );
}

#[test]
fn the_second_probe_may_prove_that_nothing_happened() {
    let step = || verified(write("a"), |verify| verify.not_done = true).retry(2, 0);
    tell(
        book([step()]),
        "
        began; a started; a unknown   -> prepare a, perform a, check a verify
        @25 a verify fail             -> check a absent
        a absent pass                 -> prepare a#2
        ",
    );
    tell(
        book([step()]),
        "
        began; a started; a unknown   -> prepare a, perform a, check a verify
        @25 a verify fail             -> check a absent
        a absent nothing              -> ask doubt a
        ",
    );
}

#[test]
fn a_person_settles_a_doubt() {
    let lines = |answer: &str, then: &str| {
        format!(
            "began; a started; a unknown -> prepare a, perform a, ask doubt a\na doubt: {answer} -> {then}"
        )
    };
    let asked = || book([write("a")]);
    let done = tell(asked(), &lines("done", "withdraw doubt a, finish"));
    assert_eq!(done.kernel.status().forward, Forward::Succeeded);
    let not_done = tell(asked(), &lines("not_done", "withdraw doubt a, finish"));
    assert_eq!(not_done.kernel.status().rollback, Rollback::NothingToUndo);
    tell(asked(), &lines("undo", "withdraw doubt a, prepare ~a"));
    tell(asked(), &lines("retry", "withdraw doubt a, prepare a#2"));
    tell(asked(), &lines("keep", ""));
}

#[test]
fn the_policy_of_trying_again_has_a_second_attempt_and_as_many_as_retry_says() {
    let step = write("a").retry(3, 0).with(|node| node.on_in_doubt = InDoubt::Retry);
    tell(
        book([step]),
        "
        began; a started; a unknown   -> prepare a, perform a, prepare a#2
        a started; a unknown          -> perform a#2, prepare a#3
        a started; a unknown          -> perform a#3, ask doubt a
        ",
    );
    tell(
        book([write("a").with(|node| node.on_in_doubt = InDoubt::Retry)]),
        "
        began; a started; a unknown   -> prepare a, perform a, prepare a#2
        a started; a unknown          -> perform a#2, ask doubt a
        ",
    );
}

#[test]
fn an_attempt_that_did_nothing_does_not_settle_the_one_before() {
    tell(
        book([write("a").with(|node| node.on_in_doubt = InDoubt::Retry)]),
        "
        began; a started; a unknown   -> prepare a, perform a, prepare a#2
        a started; a not_done         -> perform a#2, ask doubt a
        ",
    );
}

#[test]
fn take_overs_do_not_use_up_attempts() {
    tell(
        book([write("a").with(|node| node.on_in_doubt = InDoubt::Retry)]),
        "
        began; a started      -> prepare a, perform a
        resumed               -> prepare a#2
        a started; resumed    -> perform a#2, prepare a#3
        a started; resumed    -> perform a#3, prepare a#4
        a started; a unknown  -> perform a#4, prepare a#5
        ",
    );
}

#[test]
fn compensate_undoes_what_is_in_doubt() {
    let run = tell(
        book([write("a").with(|node| node.on_in_doubt = InDoubt::Compensate), write("b")]),
        "
        began; a started; a unknown   -> prepare a, perform a, prepare ~a
        ~a started; ~a done           -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_doubt_is_settled_before_anything_is_undone() {
    tell(
        book([write("a"), write("b"), read("c").needs(&["a"])]),
        "
        began; a started; a done; b started; c started  -> *
        c failed
        b unknown            -> ask doubt b
        b doubt: done        -> withdraw doubt b, prepare ~b
        ~b started; ~b done  -> perform ~b, prepare ~a
        ",
    );
}

#[test]
fn a_read_is_never_in_doubt() {
    let run = tell(
        book([read("a").retry(2, 0)]),
        "
        began; a started; a unknown   -> prepare a, perform a, prepare a#2
        a started; a done             -> perform a#2, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn a_lost_notification_needs_no_settling_when_the_run_fails() {
    let step = notify("n").needs(&[]).with(|node| node.on_in_doubt = InDoubt::Retry);
    let run = tell(
        book([read("a"), step]),
        "
        began; a started; n started; a failed   -> *
        n unknown                               -> finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn a_warning_is_put_up_with_asked_about_or_a_failure() {
    let warns = |policy| book([write("a").with(|node| node.on_warning = policy)]);
    tell(warns(OnWarning::Continue), "began; a started; a warns -> prepare a, perform a, finish");
    tell(warns(OnWarning::Fail), "began; a started; a warns -> prepare a, perform a, prepare ~a");
    tell(
        warns(OnWarning::Ask),
        "
        began; a started; a warns  -> prepare a, perform a, ask warning a
        a warning: keep            -> withdraw warning a, finish
        ",
    );
    tell(
        warns(OnWarning::Ask),
        "
        began; a started; a warns  -> prepare a, perform a, ask warning a
        a warning: fail            -> withdraw warning a, prepare ~a
        ",
    );
}
