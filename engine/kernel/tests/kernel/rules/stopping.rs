//! A write in doubt while nothing new starts: settled by a look, a policy or a person, not by another attempt (§3.5).

use runbook_kernel::{Forward, InDoubt, Rollback};

use super::ended;
use crate::build::{Step, bare, book, group, human, notify, read, write};
use crate::script::tell;

/// Tried again while in doubt, after a delay.
fn retried(name: &str) -> Step {
    write(name).retry(3, 50).with(|node| node.on_in_doubt = InDoubt::Retry)
}

#[test]
fn it_is_asked_about_once_something_failed_beside_it() {
    let run = tell(
        book([retried("w"), read("bad").needs(&[])]),
        "
        began; w started; bad started   -> prepare w, prepare bad, perform w, perform bad
        w unknown                       -> arm w retry 50
        @2 bad failed                   -> disarm w retry, ask doubt w
        @50 w retry
        w doubt: undo                   -> withdraw doubt w, prepare ~w
        ~w started; ~w done             -> perform ~w, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn it_is_looked_for_once_more_where_there_is_a_probe() {
    let run = tell(
        book([retried("w").verify(10, 20), read("bad").needs(&[])]),
        "
        began; w started; bad started; w unknown   -> *
        @20 w verify fail                          -> arm w retry 70
        -- what took its time to show is there by now
        @60 bad failed                             -> disarm w retry, check w verify
        w verify pass                              -> prepare ~w
        ~w started; ~w done                        -> perform ~w, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
    tell(
        book([retried("w").verify(10, 20), read("bad").needs(&[])]),
        "
        began; w started; bad started; w unknown   -> *
        @20 w verify fail                          -> arm w retry 70
        @60 bad failed                             -> disarm w retry, check w verify
        -- it had its time to show before
        w verify nothing                           -> ask doubt w
        ",
    );
}

#[test]
fn what_a_cancel_finds_in_doubt_after_a_take_over_is_not_done_anew() {
    let run = tell(
        book([write("a"), write("w").with(|node| node.on_in_doubt = InDoubt::Retry)]),
        "
        began; a started; a done; w started   -> *
        resumed                               -> prepare w#2
        cancel                                -> abandon w, ask doubt w
        w doubt: not_done                     -> withdraw doubt w, prepare ~a
        ~a started; ~a done                   -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Cancelled, Rollback::Complete);
}

#[test]
fn an_attempt_that_runs_comes_to_its_end_and_settles_it() {
    tell(
        book([retried("w"), read("bad").needs(&[])]),
        "
        began; w started; bad started; w unknown   -> *
        @50 w retry                                -> prepare w#2
        w started                                  -> perform w#2
        bad failed
        w unknown                                  -> ask doubt w
        ",
    );
}

#[test]
fn a_notification_in_doubt_is_left_at_that() {
    let step = notify("n").retry(3, 50).with(|node| node.on_in_doubt = InDoubt::Retry);
    let run = tell(
        book([step, read("bad").needs(&[])]),
        "
        began; n started; bad started; n unknown   -> *
        bad failed                                 -> disarm n retry, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn a_person_may_want_it_tried_again_all_the_same() {
    let run = tell(
        book([group("g", [retried("w"), read("bad").needs(&[])]).with(|node| node.continue_on_error = true)])
            .max_parallel(2),
        "
        began; g entered; w started; bad started; w unknown; bad failed   -> *
        w doubt: retry      -> withdraw doubt w, prepare w#2
        -- called off before it was more than prepared, as often as one likes
        cancel
        w started; w unknown; w doubt: retry   -> perform w#2, ask doubt w, withdraw doubt w, prepare w#3
        w started; w done                      -> perform w#3, prepare ~w
        ~w started; ~w done                    -> perform ~w, finish
        finished
        ",
    );
    ended(&run, Forward::Cancelled, Rollback::Complete);
}

#[test]
fn what_is_called_off_again_and_again_takes_no_attempts_away() {
    // A take-over gives the attempt back, and so does the person; neither gives back what was not counted.
    tell(
        book([retried("w")]),
        "
        began; w started; resumed        -> prepare w, perform w, prepare w#2
        cancel                           -> abandon w, ask doubt w
        w doubt: retry; resumed          -> withdraw doubt w, prepare w#3, prepare w#3
        w started; w unknown             -> perform w#3, ask doubt w
        ",
    );
}

#[test]
fn at_its_deadline_no_other_attempt_begins() {
    tell(
        book([retried("w").with(|node| node.deadline = Some(30))]),
        "
        began; w started; @1 w unknown   -> prepare w, arm w deadline 30, perform w, arm w retry 51
        @30 w deadline                   -> disarm w retry, ask doubt w
        @51 w retry
        ",
    );
    tell(
        book([retried("w").with(|node| {
            node.deadline = Some(30);
            node.on_in_doubt = InDoubt::Compensate;
        })]),
        "
        began; w started; @1 w unknown   -> prepare w, arm w deadline 30, perform w, disarm w deadline, prepare ~w
        ",
    );
}

#[test]
fn when_the_time_of_its_group_is_over_no_other_attempt_begins() {
    let run = tell(
        book([group("g", [retried("w")]).with(|node| node.timeout = Some(30))]),
        "
        began; g entered; w started; @1 w unknown   -> *
        @30 g times out                             -> disarm w retry, ask doubt w
        w doubt: not_done                           -> withdraw doubt w, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn what_its_gate_holds_back_is_asked_about_when_the_run_is_cancelled() {
    let run = tell(
        book([human("h", 1), retried("w").gated(&["h"])]),
        "
        began; h started; h person: complete; w started; w unknown   -> *
        @50 w retry; w gate h                -> prepare w#2, prepare h#2
        h started                            -> ask h
        cancel                               -> withdraw h, ask doubt w
        -- nobody lets it try again
        w doubt: retry
        w doubt: undo                        -> withdraw doubt w, prepare ~w
        ~w started; ~w done                  -> perform ~w, finish
        finished
        ",
    );
    ended(&run, Forward::Cancelled, Rollback::Complete);
}

#[test]
fn nor_when_its_gate_stands_around_a_group_that_had_failed_before() {
    let nested = || {
        let inner = group("g", [retried("w").gated(&["h"]), read("bad").needs(&[])]);
        book([
            human("h", 1),
            inner.with(|node| node.continue_on_error = true),
            bare("x").needs(&["h"]).gated(&["h"]),
        ])
    };
    let run = tell(
        nested(),
        "
        began; h started; h person: complete; g entered; w started; bad started   -> *
        w unknown; bad failed                -> arm w retry 50, disarm w retry, ask doubt w
        x gate h                             -> prepare h#2
        w doubt: retry                       -> withdraw doubt w
        h started; h person: reject 1        -> ask h, withdraw h, ask doubt w
        w doubt: done                        -> withdraw doubt w, prepare ~w
        ",
    );
    assert_eq!(run.kernel.questions(), []);
    tell(
        nested(),
        "
        began; h started; h person: complete; g entered; w started; bad started   -> *
        w unknown; bad failed; x gate h; w doubt: retry; h started                -> *
        cancel                               -> withdraw h, ask doubt w
        ",
    );
}

#[test]
fn a_gate_that_is_found_closed_once_its_step_is_to_stop_is_not_asked_again() {
    let run = tell(
        book([
            human("h", 1),
            group("g", [bare("w").gated(&["h"]), read("bad").needs(&[])])
                .with(|node| node.continue_on_error = true),
        ]),
        "
        began; h started; h person: complete; g entered; w started; bad started   -> *
        bad failed
        w gate h          -> finish
        finished
        ",
    );
    ended(&run, Forward::SucceededWithFailures, Rollback::None);
}
