//! `for_each` (§2.6).

use runbook_kernel::{Batch, BatchSize, EachUndo, Forward, FrameRole, Rollback};

use super::ended;
use crate::build::{book, each, group, read, write};
use crate::script::{Script, tell};

fn batch(size: BatchSize, max_parallel: u32, max_failures: u32) -> Batch {
    Batch { size, max_parallel, max_failures }
}

#[test]
fn items_run_side_by_side_up_to_their_limit() {
    let run = tell(
        book([each("e", 2, [read("a"), read("b")]), read("c")]),
        "
        began                    -> prepare e
        e items 3                -> prepare a[0], prepare a[1]
        a[0] started; a[0] done  -> perform a[0], prepare b[0]
        a[1] skipped             -> prepare b[1]
        b[1] skipped             -> prepare a[2]
        b[0] skipped
        a[2] skipped             -> prepare b[2]
        b[2] skipped             -> prepare c
        c skipped                -> finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn no_items_is_done_at_once() {
    tell(book([each("e", 2, [read("a")])]), "began; e items 0 -> prepare e, finish");
}

#[test]
fn batches_follow_each_other_and_the_last_repeats() {
    let sizes = [batch(BatchSize::Count(1), 1, 0), batch(BatchSize::Percent(30), 2, 0)];
    tell(
        book([each("e", 9, [read("a")]).batches(sizes).between([read("look")])]),
        "
        began; e items 6                   -> prepare e, prepare a[0]
        a[0] skipped                       -> prepare look[|0]
        look[|0] skipped                   -> prepare a[1], prepare a[2]
        a[1] skipped
        a[2] skipped                       -> prepare look[|1]
        look[|1] skipped                   -> prepare a[3], prepare a[4]
        a[3] skipped; a[4] skipped         -> prepare look[|2]
        look[|2] skipped                   -> prepare a[5]
        a[5] skipped                       -> finish
        ",
    );
}

#[test]
fn a_failed_look_between_batches_fails_the_whole() {
    let sizes = [batch(BatchSize::Count(1), 1, 0)];
    let run = tell(
        book([each("e", 1, [write("a")]).batches(sizes).between([read("look")])]),
        "
        began; e items 2; a[0] started; a[0] done  -> prepare e, prepare a[0], perform a[0], prepare look[|0]
        look[|0] started; look[|0] failed          -> perform look[|0], prepare ~a[0]
        ~a[0] started; ~a[0] done                  -> perform ~a[0], finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_tolerated_failure_is_undone_at_once_and_its_place_is_taken_then() {
    let run = tell(
        book([each("e", 1, [write("a"), read("b")]).each(|each| each.max_failures = 1)]),
        "
        began; e items 3; a[0] started; a[0] done   -> *
        b[0] started; b[0] failed                   -> perform b[0], prepare ~a[0]
        ~a[0] started; ~a[0] done                   -> perform ~a[0], prepare a[1]
        a[1] skipped; b[1] skipped                  -> prepare b[1], prepare a[2]
        a[2] skipped; b[2] skipped                  -> prepare b[2], finish
        finished
        ",
    );
    ended(&run, Forward::SucceededWithFailures, Rollback::None);
}

#[test]
fn one_failure_too_many_stops_everything_and_all_is_undone_in_reverse() {
    let run = tell(
        book([each("e", 2, [write("a"), write("b")])]),
        "
        began; e items 4; a[0] started; a[0] done; b[0] started; b[0] done    -> *
        a[1] started; a[1] done; b[1] started; b[1] done                      -> *
        a[2] started; a[3] started                                            -> perform a[2], perform a[3]
        a[3] failed
        a[2] done                       -> prepare ~a[3], prepare ~a[2]
        ~a[3] started; ~a[3] done       -> perform ~a[3], prepare ~b[1]
        ~b[1] started; ~b[1] done       -> perform ~b[1], prepare ~a[1]
        ~a[2] started; ~a[2] done       -> perform ~a[2], prepare ~b[0]
        ",
    );
    assert_eq!(run.kernel.status().forward, Forward::Running);
}

#[test]
fn undo_goes_batch_by_batch_with_the_looks_between() {
    let sizes = [batch(BatchSize::Count(1), 1, 0), batch(BatchSize::Count(2), 2, 0)];
    let run = tell(
        book([each("e", 9, [write("a")]).batches(sizes).between([read("look")]), read("z")]),
        "
        began; e items 3; a[0] started; a[0] done; look[|0] skipped                          -> *
        a[1] started; a[1] done; a[2] started; a[2] done; z started                          -> *
        z failed                                 -> prepare ~a[2], prepare ~a[1]
        ~a[1] started; ~a[1] done                -> perform ~a[1]
        ~a[2] started; ~a[2] done                -> perform ~a[2], prepare look[|0]
        look[|0] started; look[|0] done          -> perform look[|0], prepare ~a[0]
        ~a[0] started; ~a[0] done                -> perform ~a[0], finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

/// A rolling restart: broker 4 of 9 fails, the others are somebody's decision.
#[test]
fn only_the_failed_items_are_undone_and_somebody_decides_about_the_others() {
    let brokers =
        || book([each("e", 1, [write("a"), read("joined")]).each(|each| each.undo = EachUndo::Failed)]);
    let until = "
        began; e items 4; a[0] started; a[0] done; joined[0] skipped          -> *
        a[1] started; a[1] done; joined[1] skipped                            -> *
        a[2] started; a[2] done                                               -> perform a[2], prepare joined[2]
        joined[2] started; joined[2] failed      -> perform joined[2], prepare ~a[2]
        ~a[2] started; ~a[2] done                -> perform ~a[2], ask rollback e
    ";
    let mut keep = tell(brokers(), until);
    keep.tell("e rollback: keep -> withdraw rollback e, finish\nfinished");
    ended(&keep, Forward::Failed, Rollback::Partial);
    let mut undo = tell(brokers(), until);
    undo.tell(
        "
        e rollback: undo           -> withdraw rollback e, prepare ~a[1]
        ~a[1] started; ~a[1] done  -> perform ~a[1], prepare ~a[0]
        ~a[0] started; ~a[0] done  -> perform ~a[0], finish
        finished
        ",
    );
    ended(&undo, Forward::Failed, Rollback::Complete);
}

/// They ran beside the one that failed, and came to their end: one before it, one after it.
#[test]
fn items_that_are_done_are_no_failed_ones_though_they_ran_beside_one() {
    let step = ([write("a")], "");
    let inside = [group("g", [write("a")])];
    for (inside, entered) in [step, (inside, "g[0] entered; g[1] entered; g[2] entered;")] {
        let whole = each("e", 3, inside).each(|each| each.undo = EachUndo::Failed);
        tell(
            book([whole]),
            &format!(
                "
                began; e items 3; {entered} a[0] started; a[1] started; a[2] started  -> *
                a[0] done; a[1] failed              -> *
                a[2] done                           -> prepare ~a[1]
                ~a[1] started; ~a[1] done           -> perform ~a[1], ask rollback e
                "
            ),
        );
    }
}

#[test]
fn of_a_batch_the_items_of_that_batch_are_undone() {
    let sizes = [batch(BatchSize::Count(2), 1, 0)];
    tell(
        book([each("e", 1, [write("a")]).batches(sizes).each(|each| each.undo = EachUndo::Batch)]),
        "
        began; e items 4; a[0] started; a[0] done; a[1] started; a[1] done; a[2] started; a[2] done  -> *
        a[3] started; a[3] failed  -> perform a[3], prepare ~a[3]
        ~a[3] started; ~a[3] done  -> perform ~a[3], prepare ~a[2]
        ~a[2] started; ~a[2] done  -> perform ~a[2], ask rollback e
        ",
    );
}

#[test]
fn an_undo_that_fails_stops_the_undo_of_further_items() {
    let run = tell(
        book([each("e", 1, [write("a")]), read("z")]),
        "
        began; e items 3; a[0] started; a[0] done; a[1] started; a[1] done; a[2] started; a[2] done  -> *
        z started; z failed            -> perform z, prepare ~a[2]
        ~a[2] started; ~a[2] failed    -> perform ~a[2], finish
        finished
        rollback                       -> prepare ~a[2]#2
        ~a[2] started; ~a[2] done      -> perform ~a[2]#2, prepare ~a[1]
        ",
    );
    assert_eq!(run.kernel.status().rollback, Rollback::Running);
}

#[test]
fn a_tolerated_failure_that_cannot_be_undone_fails_the_whole() {
    let run = tell(
        book([write("x"), each("e", 1, [write("a")]).each(|each| each.max_failures = 5)]),
        "
        began; x started; x done; e items 3; a[0] started; a[0] failed  -> *
        ~a[0] started; ~a[0] failed    -> perform ~a[0], finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Incomplete);
}

#[test]
fn a_frame_says_whose_item_it_is() {
    let run = tell(
        book([each("e", 1, [each("f", 1, [read("a")])]), read("z")]),
        "
        began; e items 1               -> prepare e, prepare f[0]
        f[0] items 2                   -> prepare a[0][0]
        a[0][0] skipped                -> prepare a[0][1]
        ",
    );
    let (inner, _) = run.task("a[0][1]").expect("it is being prepared");
    let (outer, _) = run.task("f[0]").expect("it began");
    let frame = run.kernel.frame(inner.frame).expect("it has a frame");
    assert_eq!((frame.parent, frame.role), (Some(outer), FrameRole::Item(1)));
    assert_eq!(run.kernel.visible(inner, outer.node), Some(outer));
    assert_eq!(run.kernel.frame(99), None);
}

/// Work per item does not grow with their number: the kernel keeps counters, it does not search.
#[test]
fn a_hundred_thousand_items() {
    let mut run = Script::new(&book([each("e", 4, [read("a")])]));
    run.quietly("began; e items 100000 -> *");
    for item in 0..100_000 {
        run.skip("a", item + 1);
    }
    assert_eq!(run.kernel.outstanding().len(), 1);
}

#[test]
fn failures_of_a_batch_do_not_carry_over_into_the_next() {
    let sizes = [batch(BatchSize::Count(2), 2, 1)];
    let run = tell(
        book([each("e", 2, [read("a")]).batches(sizes).each(|each| each.max_failures = 2)]),
        "
        began; e items 4               -> prepare e, prepare a[0], prepare a[1]
        a[0] started; a[0] failed      -> perform a[0]
        a[1] skipped                   -> prepare a[2], prepare a[3]
        a[2] started; a[2] failed      -> perform a[2]
        a[3] skipped                   -> finish
        finished
        ",
    );
    ended(&run, Forward::SucceededWithFailures, Rollback::None);
    let sizes = [batch(BatchSize::Count(2), 2, 1)];
    tell(
        book([each("e", 2, [read("a")]).batches(sizes).each(|each| each.max_failures = 4)]),
        "
        began; e items 4               -> prepare e, prepare a[0], prepare a[1]
        a[0] started; a[0] failed      -> perform a[0]
        a[1] started; a[1] failed      -> perform a[1], finish
        ",
    );
}
