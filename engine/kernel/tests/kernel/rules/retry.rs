//! `retry`, `deadline` (§3.1).

use runbook_kernel::{FailureClass, Forward, RetryOnly, Rollback};

use super::ended;
use crate::build::{book, group, read, write};
use crate::script::tell;

#[test]
fn only_the_named_failures_are_tried_again() {
    let only = vec![RetryOnly::Exit(Some(75)), RetryOnly::HttpClass(5), RetryOnly::Timeout];
    let step = write("a").retry(9, 0).with(|node| node.retry.only = only);
    let run = tell(
        book([step]),
        "
        began; a started       -> prepare a, perform a
        a failed exit:75       -> prepare a#2
        a started; a failed http:503  -> perform a#2, prepare a#3
        a started; a failed timeout   -> perform a#3, prepare a#4
        a started; a failed exit:1    -> perform a#4, prepare ~a
        ~a started; ~a done    -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn the_delay_grows_up_to_its_limit() {
    let step = read("a").retry(5, 100).with(|node| {
        node.retry.backoff_milli = 3000;
        node.retry.max_delay = 500;
    });
    tell(
        book([step]),
        "
        began; a started; a failed                -> prepare a, perform a, arm a retry 100
        @100 a retry; a started; a failed         -> prepare a#2, perform a#2, arm a retry 400
        @400 a retry; a started; a failed         -> prepare a#3, perform a#3, arm a retry 900
        @900 a retry; a started; a failed         -> prepare a#4, perform a#4, arm a retry 1400
        ",
    );
}

#[test]
fn jitter_comes_from_the_seed_and_stays_within_its_share() {
    let step = read("a").retry(3, 1000).with(|node| node.retry.jitter_milli = 500);
    tell(
        book([step]),
        "
        began; a started; a failed             -> prepare a, perform a, arm a retry 1119
        @1119 a retry; a started; a failed     -> prepare a#2, perform a#2, arm a retry 2257
        ",
    );
}

#[test]
fn nothing_happened_so_nothing_is_undone() {
    let run = tell(
        book([write("a").retry(2, 0)]),
        "
        began; a started; a not_done   -> prepare a, perform a, prepare a#2
        a started; a not_done          -> perform a#2, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn one_attempt_that_may_have_left_something_is_enough_to_undo() {
    let run = tell(
        book([write("a").retry(2, 0)]),
        "
        began; a started; a failed     -> prepare a, perform a, prepare a#2
        a started; a not_done          -> perform a#2, prepare ~a
        ~a started; ~a done            -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_failed_prepare_counts_as_an_attempt_and_leaves_nothing() {
    let run = tell(
        book([write("a").retry(2, 0)]),
        "
        began; a failed     -> prepare a, prepare a#2
        a failed            -> finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn the_deadline_spans_all_attempts() {
    let step = write("a").retry(9, 50).with(|node| node.deadline = Some(100));
    let run = tell(
        book([step]),
        "
        @5 began                     -> prepare a, arm a deadline 105
        a started; @60 a failed      -> perform a, arm a retry 110
        @105 a deadline              -> disarm a retry, prepare ~a
        ~a started; ~a done          -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn at_the_deadline_what_runs_is_asked_to_stop_and_settled() {
    let step = write("a").retry(9, 0).with(|node| node.deadline = Some(100));
    let run = tell(
        book([step]),
        "
        began; a started      -> prepare a, arm a deadline 100, perform a
        @100 a deadline       -> interrupt a
        a unknown             -> ask doubt a
        a doubt: not_done     -> withdraw doubt a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn a_group_is_undone_before_it_is_tried_again_as_another_incarnation() {
    let only = vec![RetryOnly::Check];
    let step = group("g", [write("a"), read("b")]).retry(3, 10).with(|node| node.retry.only = only);
    let mut run = tell(
        book([step]),
        "
        began; g entered; a started; a done   -> *
        b started; b failed check             -> perform b, prepare ~a
        ~a started; ~a done                   -> perform ~a, arm g retry 10
        @10 g retry                           -> prepare g#2
        g entered                             -> prepare a#2
        a started; a done                     -> perform a#2, prepare b#2
        ",
    );
    let (a, _) = run.task("a").expect("a began");
    let (undo, _) = run.task("~a").expect("its undo ran");
    assert_eq!((run.kernel.incarnation(a), run.kernel.incarnation(undo)), (1, 0));
    run.tell(
        "
        -- not a failure that it is tried again for
        b started; b failed exit:1            -> perform b#2, prepare ~a#2
        ~a started; ~a done                   -> perform ~a#2, finish
        finished
        ",
    );
    assert_eq!(run.kernel.incarnation(undo), 1);
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_group_whose_undo_does_not_complete_is_not_tried_again() {
    let run = tell(
        book([group("g", [write("a"), read("b")]).retry(3, 0)]),
        "
        began; g entered; a started; a done   -> *
        b started; b failed                   -> perform b, prepare ~a
        ~a started; ~a failed                 -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Incomplete);
}

#[test]
fn patterns_match_classes() {
    let class = |only: RetryOnly, failure: FailureClass| {
        let step = read("a").retry(2, 0).with(|node| node.retry.only = vec![only]);
        let mut run = crate::script::Script::new(&book([step]));
        run.tell("began; a started -> *");
        let (task, _) = run.task("a").expect("a began");
        let mut out = Vec::new();
        let fact =
            runbook_kernel::Fact::Ended { task, attempt: 1, how: runbook_kernel::Ended::Failed(failure) };
        run.kernel.step(runbook_kernel::Event { at: 0, fact }, &mut out);
        out.iter().any(|command| matches!(command, runbook_kernel::Command::Prepare { .. }))
    };
    assert!(class(RetryOnly::Exit(None), FailureClass::Exit(3)));
    assert!(!class(RetryOnly::Exit(Some(4)), FailureClass::Exit(3)));
    assert!(class(RetryOnly::Signal(Some(9)), FailureClass::Signal(9)));
    assert!(class(RetryOnly::Http(Some(429)), FailureClass::Http(429)));
    assert!(!class(RetryOnly::HttpClass(4), FailureClass::Http(503)));
    assert!(class(RetryOnly::Connect, FailureClass::Connect));
    assert!(class(RetryOnly::Lost, FailureClass::Lost));
    assert!(!class(RetryOnly::Lost, FailureClass::Cancelled));
    assert!(class(RetryOnly::Inconclusive, FailureClass::Inconclusive));
    assert!(class(RetryOnly::Error, FailureClass::Error));
}
