//! A run from its beginning to its end: order, retry, failure, rollback, `finally`, resume.

use runbook_kernel::{Forward, Rollback};

use super::ended;
use crate::build::{book, read, write};
use crate::script::tell;

#[test]
fn steps_run_in_the_order_of_the_file() {
    let run = tell(
        book([read("a"), write("b")]),
        "
        began      -> prepare a
        a started  -> perform a
        a done     -> prepare b
        b started  -> perform b
        b done     -> finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn a_failure_is_rolled_back_in_reverse_then_finally_runs_once() {
    let run = tell(
        book([write("a"), write("b"), write("c"), write("d")]).finally([read("f")]),
        "
        began; a started; a done; b started; b done; c started  -> *
        c failed              -> prepare ~c
        ~c started            -> perform ~c
        ~c done               -> prepare ~b
        ~b started; ~b done   -> perform ~b, prepare ~a
        ~a started; ~a done   -> perform ~a, prepare f
        f started; f done     -> perform f, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_failed_attempt_is_tried_again_after_its_delay() {
    let run = tell(
        book([write("a").retry(3, 100).with(|node| node.retry.backoff_milli = 2000)]),
        "
        began; a started      -> prepare a, perform a
        @10 a failed          -> arm a retry 110
        @110 a retry          -> prepare a#2
        a started             -> perform a#2
        @120 a failed         -> arm a retry 320
        @320 a retry          -> prepare a#3
        a started; a done     -> perform a#3, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn what_was_under_way_at_a_take_over_is_issued_again_or_in_doubt() {
    let run = tell(
        book([read("r"), write("w")]),
        "
        began; r started   -> prepare r, perform r
        resumed            -> perform r
        r done; w started  -> prepare w, perform w
        resumed            -> ask doubt w
        w doubt: not_done  -> withdraw doubt w, prepare w#2
        resumed            -> prepare w#2
        w started          -> perform w#2
        resumed            -> ask doubt w
        w doubt: done      -> withdraw doubt w, finish
        resumed            -> finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}
