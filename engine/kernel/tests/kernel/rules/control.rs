//! Cancel, pause, resume (§3.13).

use runbook_kernel::{Forward, Rollback};

use super::ended;
use crate::build::{book, group, human, read, wait, write};
use crate::script::tell;

#[test]
fn cancel_lets_writes_finish_cuts_waits_and_rolls_back() {
    let run = tell(
        book([
            write("a"),
            write("b"),
            wait("w", 500).needs(&["a"]),
            read("r").needs(&["a"]),
            human("h", 1).needs(&["a"]),
            read("later"),
        ]),
        "
        began; a started; a done; b started; w started; r started; h started  -> *
        cancel                 -> disarm w wait, abandon r, withdraw h
        b done                 -> prepare ~b
        -- the cancel that caused a rollback does not stop it
        cancel
        ~b started; ~b done    -> perform ~b, prepare ~a
        ~a started; ~a done    -> perform ~a, finish
        cancel
        finished
        ",
    );
    ended(&run, Forward::Cancelled, Rollback::Complete);
}

#[test]
fn cancel_ends_a_retry_delay_and_undoes_what_was_tried() {
    let run = tell(
        book([write("a").retry(3, 100)]),
        "
        began; a started; a failed   -> prepare a, perform a, arm a retry 100
        cancel                       -> disarm a retry, prepare ~a
        ~a started; ~a done          -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Cancelled, Rollback::Complete);
}

#[test]
fn cancel_abandons_a_prepare() {
    let run = tell(
        book([write("a")]),
        "
        began       -> prepare a
        cancel      -> abandon a, finish
        a started
        finished
        ",
    );
    ended(&run, Forward::Cancelled, Rollback::NothingToUndo);
}

#[test]
fn while_paused_nothing_starts() {
    let run = tell(
        book([write("a"), write("b").needs(&[]), write("c")]),
        "
        began                 -> prepare a, prepare b
        a started             -> perform a
        -- what was only being prepared is prepared again later, as another attempt
        pause                 -> abandon b
        b#1 started
        a done
        resumed
        unpause               -> prepare b#2
        b started; b done     -> perform b#2, prepare c
        pause                 -> abandon c
        -- a cancel ends a pause
        cancel                -> prepare ~b, prepare ~a
        ",
    );
    assert!(!run.kernel.status().paused);
}

#[test]
fn a_run_that_is_barred_starts_nothing_until_it_is_admitted() {
    let run = tell(
        book([write("a").with(|node| node.deadline = Some(50))]),
        "
        began                 -> prepare a, arm a deadline 50
        barred                -> abandon a, disarm a deadline
        a#1 started
        @100 resumed 80
        pause; unpause
        admitted              -> prepare a#2, arm a deadline 150
        a started             -> perform a#2
        -- what has begun is not kept from beginning
        barred; refused
        a done                -> disarm a deadline, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn a_run_that_is_refused_ends_without_its_finally() {
    let run = tell(
        book([write("a"), read("b").needs(&[])]).finally([read("f")]),
        "
        began        -> prepare a, prepare b
        refused      -> abandon a, abandon b, finish
        a started; cancel
        finished
        rollback
        ",
    );
    ended(&run, Forward::Refused, Rollback::None);
}

#[test]
fn a_run_that_is_cancelled_while_it_is_barred_ends_at_once() {
    let run = tell(
        book([write("a")]).finally([read("f")]),
        "
        began        -> prepare a
        barred       -> abandon a
        cancel       -> finish
        refused; admitted
        finished
        ",
    );
    ended(&run, Forward::Cancelled, Rollback::NothingToUndo);
}

#[test]
fn a_take_over_hands_out_all_that_is_outstanding() {
    tell(
        book([group("g", [read("a"), wait("w", 100).needs(&[]), human("h", 2).needs(&[])]).guard(10, 1)]),
        "
        began; g entered; a started; w started; h started  -> *
        h person: approve 1
        resumed  -> check g guard 0, perform a, arm w wait 100, ask h
        h person: approve 2   -> withdraw h
        ",
    );
}

#[test]
fn of_several_that_a_take_over_fails_one_ends_the_others() {
    let late = |name: &str| read(name).needs(&[]).with(|node| node.deadline = Some(50));
    let run = tell(
        book([late("a"), late("b"), late("c")]),
        "
        began; a started; b started; c started  -> *
        @50 a deadline; b deadline              -> interrupt a, interrupt b
        -- What was told to stop has stopped with its executor.
        resumed                                 -> finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn an_event_before_the_beginning_or_after_the_end_is_absorbed() {
    let run = tell(
        book([read("a")]),
        "
        cancel
        resumed
        finished
        rollback
        began; a started; a done -> prepare a, perform a, finish
        began
        finished
        finished
        cancel
        rollback
        resumed
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}
