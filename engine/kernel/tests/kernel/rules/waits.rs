//! Waits and guards (§3.10, §3.12).

use runbook_kernel::{Cause, Forward, Rollback};

use super::ended;
use crate::build::{book, each, group, read, until, wait, write};
use crate::script::tell;

#[test]
fn a_wait_ends_at_its_time_and_holds_no_slot() {
    let run = tell(
        book([wait("w", 100), read("a").needs(&[])]).max_parallel(1),
        "
        @5 began             -> prepare w
        w started            -> arm w wait 105, prepare a
        a started; a done    -> perform a
        -- too early is not yet
        @104 w wait
        @105 w wait          -> finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn until_holds_without_a_break() {
    let run = tell(
        book([until("u", 10, 25, 1000)]),
        "
        began; u started         -> prepare u, arm u give up 1000, check u until
        @1 u sees fail           -> arm u poll until 11
        @11 u polls              -> check u until
        @12 u sees pass          -> arm u poll until 22
        @22 u polls              -> check u until
        @23 u sees nothing       -> arm u poll until 33
        @33 u polls              -> check u until
        @33 u sees pass          -> arm u poll until 43
        @43 u polls              -> check u until
        @43 u sees pass          -> arm u poll until 53
        @53 u polls              -> check u until
        @53 u sees pass          -> arm u poll until 58
        @58 u polls              -> check u until
        @58 u sees pass          -> disarm u give up, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn what_nobody_watched_does_not_hold() {
    tell(
        book([until("u", 10, 10, 1000)]),
        "
        began; u started         -> *
        @1 u sees pass           -> arm u poll until 11
        @500 resumed 480         -> arm u poll until 11, arm u give up 1000
        u polls                  -> check u until
        @501 u sees pass         -> arm u poll until 511
        ",
    );
}

#[test]
fn until_does_not_give_up_on_what_nobody_has_looked_at_since() {
    let told = "
        began; u started         -> *
        @1 u sees fail           -> arm u poll until 11
        @100 resumed 95          -> arm u poll until 11, arm u give up 50
        u polls; u gives up      -> check u until
        ";
    let mut run = tell(book([until("u", 10, 20, 50)]), told);
    run.tell(
        "
        -- it may hold as long as it has to
        @101 u sees pass         -> arm u poll until 111
        @111 u polls             -> check u until
        @111 u sees pass         -> arm u poll until 121
        -- nobody watched again
        @121 u polls             -> check u until
        @200 resumed 79          -> check u until
        @200 u sees pass         -> arm u poll until 210
        @210 u polls             -> check u until
        @220 u sees pass         -> finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
    let mut run = tell(book([until("u", 10, 20, 50)]), told);
    run.tell("@101 u sees nothing    -> finish");
}

#[test]
fn until_gives_up() {
    let run = tell(
        book([write("a"), until("u", 10, 0, 50)]),
        "
        began; a started; a done; u started    -> *
        @50 u gives up                         -> abandon u, prepare ~a
        u sees pass
        ~a started; ~a done                    -> perform ~a, finish
        finished
        ",
    );
    let (until, _) = run.task("u").expect("u began");
    assert_eq!(run.kernel.task(until).and_then(|view| view.cause), Some(Cause::TimedOut));
}

#[test]
fn a_guard_trips_after_so_many_failures_in_a_row_and_there_is_no_retry() {
    let run = tell(
        book([write("a"), wait("soak", 1000).guard(15, 2).retry(3, 0)]),
        "
        began; a started; a done    -> prepare a, perform a, prepare soak
        soak started                -> arm soak wait 1000, check soak guard 0
        @1 soak guard fail          -> arm soak poll guard 0 16
        @16 soak polls guard        -> check soak guard 0
        @17 soak guard pass         -> arm soak poll guard 0 32
        @32 soak polls guard        -> check soak guard 0
        @33 soak guard nothing      -> arm soak poll guard 0 48
        @48 soak polls guard        -> check soak guard 0
        @49 soak guard fail         -> disarm soak wait, prepare ~a
        ~a started; ~a done         -> perform ~a, finish
        finished
        ",
    );
    let (soak, _) = run.task("soak").expect("soak began");
    assert_eq!(run.kernel.task(soak).and_then(|view| view.cause), Some(Cause::Guard(0)));
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_guarded_wait_counts_only_time_that_was_watched() {
    let run = tell(
        book([wait("soak", 100).guard(40, 2)]),
        "
        began; soak started      -> prepare soak, arm soak wait 100, check soak guard 0
        @1 soak guard pass       -> arm soak poll guard 0 41
        @300 resumed 280         -> arm soak wait 380, arm soak poll guard 0 41
        -- the end of the wait waits for a look at the world, at once
        @380 soak wait           -> disarm soak poll guard 0, check soak guard 0
        @381 soak guard pass     -> finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn a_guard_beside_a_group_watches_over_the_waits_inside() {
    let soak = || group("g", [each("e", 1, [wait("w", 100)])]).guard(40, 1);
    let taken_over = "
        began; g entered; e items 1; w[0] started   -> *
        @1 g guard pass         -> arm g poll guard 0 41
        @300 resumed 280        -> arm g poll guard 0 41, arm w[0] wait 380
        @380 w[0] wait          -> disarm g poll guard 0, check g guard 0
    ";
    let mut run = tell(book([soak()]), taken_over);
    run.tell("@381 g guard pass -> arm g poll guard 0 421, disarm g poll guard 0, finish\nfinished");
    ended(&run, Forward::Succeeded, Rollback::None);
    let mut run = tell(book([soak()]), taken_over);
    run.tell("@381 g guard fail -> finish\nfinished");
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
    // Taken over once more before the look: what was seen by then is too old again.
    let both = group("g", [wait("w", 100).guard(40, 1)]).guard(40, 1);
    tell(
        book([both]),
        "
        began; g entered; w started               -> *
        @1 g guard pass; w guard pass             -> *
        @300 resumed 280; @380 w wait             -> *
        @381 w guard pass                         -> disarm g poll guard 0, check g guard 0, arm w poll guard 0 421
        @390 resumed 5                            -> check g guard 0, arm w poll guard 0 421
        g guard pass                              -> *
        @421 w guard pass                         -> *
        ",
    );
}

#[test]
fn a_guard_beside_a_group_does_not_watch_over_its_undo() {
    let undone = write("a").undo([wait("w", 100)]);
    let run = tell(
        book([group("g", [group("i", [undone, read("b")]).retry(2, 0)]).guard(40, 1)]),
        "
        began; g entered; i entered; a started; a done; b started   -> *
        b failed              -> prepare w
        w started             -> arm w wait 100
        @200 resumed 150      -> check g guard 0, arm w wait 100
        w wait                -> prepare i#2
        ",
    );
    assert_eq!(run.kernel.questions(), []);
}

#[test]
fn a_take_over_brings_no_look_of_a_guard_forward() {
    tell(
        book([wait("soak", 100).guard(40, 2)]),
        "
        began; soak started      -> prepare soak, arm soak wait 100, check soak guard 0
        @1 soak guard nothing    -> arm soak poll guard 0 41
        -- three executors within one `every` see the world no more often than one would
        @2 resumed 1             -> arm soak wait 101, arm soak poll guard 0 41
        @3 resumed 1             -> arm soak wait 102, arm soak poll guard 0 41
        @4 resumed 1             -> arm soak wait 103, arm soak poll guard 0 41
        @41 soak polls guard     -> check soak guard 0
        @42 soak guard pass      -> arm soak poll guard 0 82
        ",
    );
}

#[test]
fn a_wait_without_a_guard_counts_downtime() {
    tell(
        book([wait("w", 100)]),
        "
        began; w started    -> prepare w, arm w wait 100
        @300 resumed 280    -> arm w wait 100
        w wait              -> finish
        ",
    );
}

#[test]
fn a_guard_beside_a_group_stops_what_waits_and_lets_a_write_finish() {
    let run = tell(
        book([group("g", [write("a"), wait("w", 500).needs(&[]), read("b")]).guard(10, 1).retry(2, 0)]),
        "
        began                  -> prepare g
        g entered              -> check g guard 0, prepare a, prepare w
        a started; w started   -> perform a, arm w wait 500
        @3 g guard fail        -> disarm w wait
        a done                 -> prepare ~a
        ~a started; ~a done    -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_guard_beside_an_attempt_has_it_stopped() {
    tell(
        book([write("a").guard(10, 1).retry(2, 0)]),
        "
        began; a started     -> prepare a, perform a, check a guard 0
        a guard fail         -> interrupt a
        a unknown            -> ask doubt a
        a doubt: done        -> withdraw doubt a, prepare ~a
        ",
    );
}

#[test]
fn a_guard_is_looked_at_no_more_when_its_step_is_over() {
    tell(
        book([write("a").guard(10, 1), read("b")]),
        "
        began; a started     -> prepare a, perform a, check a guard 0
        a done               -> abandon a, prepare b
        a guard fail
        ",
    );
}
