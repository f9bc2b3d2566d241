//! The point of no return (§3.8).

use runbook_kernel::{Forward, Refusal, Rollback, RollbackPolicy, Verify};

use super::ended;
use crate::build::{After, Book, bare, book, each, group, policy, read, write};
use crate::script::tell;

fn pivoted(after: After) -> Book {
    let verify = Verify { every: 10, within: 0, proves_absence: true, not_done: false, after_done: false };
    let pivot = bare("p").left().with(|node| {
        node.pivot = true;
        node.verify = Some(verify);
    });
    book([write("a"), pivot, write("b"), read("c")])
        .on_failure(policy(RollbackPolicy::Auto).after_pivot(after))
}

#[test]
fn after_it_nothing_is_undone_by_itself() {
    let run = tell(
        pivoted(After::None),
        "
        began; a started; a done; p started; p done; b started; b done; c started  -> *
        c failed        -> finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Declined);
    assert_eq!(run.kernel.may_roll_back(None), Err(Refusal::AcrossPivot));
    let (pivot, _) = run.task("p").expect("p began");
    assert_eq!(run.kernel.may_roll_back(Some(pivot)), Ok(()));
}

/// Nothing before it has an undo either: that is not as if nothing had been done.
#[test]
fn what_it_did_stays_also_where_nothing_else_could_be_undone() {
    let pivot = || bare("p").left().with(|node| node.pivot = true);
    for end in ["p done; c started; c failed", "p failed"] {
        let run = tell(
            book([pivot(), read("c")]).on_failure(policy(RollbackPolicy::Auto).after_pivot(After::None)),
            &format!("began; p started; {end}  -> *\nfinished"),
        );
        ended(&run, Forward::Failed, Rollback::Declined);
    }
}

#[test]
fn it_is_crossed_when_its_attempt_has_started() {
    let run = tell(
        pivoted(After::None),
        "
        began; a started; a done; p started; p failed  -> prepare a, perform a, prepare p, perform p, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Declined);
}

#[test]
fn it_is_not_crossed_when_it_provably_did_not_happen() {
    for how in ["p not_done", "p unknown; p verify fail"] {
        let run = tell(
            pivoted(After::None),
            &format!(
                "
                began; a started; a done; p started   -> *
                {how}                                 -> *
                ~a started; ~a done                   -> perform ~a, finish
                finished
                "
            ),
        );
        ended(&run, Forward::Failed, Rollback::Complete);
    }
}

#[test]
fn nor_when_it_was_only_prepared() {
    let run = tell(
        pivoted(After::None),
        "
        began; a started; a done; p failed            -> prepare a, perform a, prepare p, prepare ~a
        ~a started; ~a done                           -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn asked_a_person_keeps_or_tries_the_failed_steps_again() {
    let run = tell(
        pivoted(After::Ask),
        "
        began; a started; a done; p started; p done; b started; b failed  -> *
        pivot: undo
        pivot: retry         -> withdraw after pivot, prepare b#2
        b started; b done    -> perform b#2, prepare c
        c started; c failed  -> perform c, ask after pivot
        pivot: retry         -> withdraw after pivot, prepare c#2
        c started; c done    -> perform c#2, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn what_was_done_before_the_failure_stays_done_when_a_person_goes_on() {
    tell(
        book([
            bare("p").left().with(|node| node.pivot = true),
            group("g", [write("a"), write("b"), write("c")]).with(|node| node.closes = true),
        ]),
        "
        began; p started; p done; g entered; a started; a done; b started; b failed  -> *
        pivot: retry         -> withdraw after pivot, prepare b#2
        b started; b done    -> perform b#2, prepare c
        c started; c done    -> perform c, close g
        g closed             -> finish
        ",
    );
}

#[test]
fn steps_of_its_own_run_in_place_of_a_rollback() {
    let run = tell(
        pivoted(After::Steps(vec![write("page"), read("look")])),
        "
        began; a started; a done; p started; p done; b started; b failed  -> *
        page started; page done    -> perform page, prepare look
        look started; look done    -> perform look, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Declined);
}

#[test]
fn a_retried_group_after_it_undoes_only_what_it_did_itself() {
    tell(
        book([
            write("x"),
            bare("p").left().with(|node| node.pivot = true),
            group("g", [write("a"), read("b")]).retry(2, 0),
        ])
        .on_failure(policy(RollbackPolicy::Auto).after_pivot(After::None)),
        "
        began; x started; x done; p started; p done; g entered; a started; a done  -> *
        b started; b failed      -> perform b, prepare ~a
        ~a started; ~a done      -> perform ~a, prepare g#2
        g entered; a started; a done; b started   -> *
        b failed                 -> finish
        ",
    );
}

#[test]
fn it_is_not_gone_back_across_inside_what_is_undone_as_a_whole() {
    let pivot = || bare("p").left().with(|node| node.pivot = true);
    let lines = "
        began; a started; a done; g entered; s started; s done; p started; p done   -> *
        b started; b done; finished                                                 -> *
        rollback
    ";
    for whole in
        [group("g", [write("s"), pivot()]).undo([bare("u")]), group("g", [write("s"), pivot()]).left()]
    {
        let run = tell(book([write("a"), whole, write("b")]), lines);
        assert_eq!(run.kernel.may_roll_back(None), Err(Refusal::AcrossPivot));
        let (group, _) = run.task("g").expect("g began");
        assert_eq!(run.kernel.may_roll_back(Some(group)), Ok(()));
    }
}

#[test]
fn a_group_that_is_gone_on_with_has_its_time_anew() {
    let timed = group("g", [read("x"), read("y")]).with(|node| node.deadline = Some(100));
    tell(
        book([bare("p").left().with(|node| node.pivot = true), timed]),
        "
        began; p started; p done               -> prepare p, perform p, prepare g, arm g deadline 100
        g entered; x started; x failed         -> prepare x, perform x, disarm g deadline, ask after pivot
        @500 pivot: retry                      -> withdraw after pivot, arm g deadline 600, prepare x#2
        @600 g deadline                        -> abandon x, ask after pivot
        ",
    );
}

/// What goes on and what cannot are found one after the other: where something cannot, nothing goes on beside it.
#[test]
fn beside_what_cannot_go_on_nothing_does() {
    let pivot = || bare("p").left().with(|node| node.pivot = true);
    let stuck = || group("g", [write("a"), read("b")]).retry(2, 0);
    tell(
        book([pivot(), group("k", [read("c")]), stuck().needs(&["p"])]),
        "
        began; p started; p done; k entered; g entered; c started; a started; a done; b started  -> *
        b failed             -> prepare ~a
        ~a started           -> perform ~a
        ~a failed            -> abandon c, ask after pivot
        pivot: retry         -> withdraw after pivot, ask after pivot
        pivot: keep          -> withdraw after pivot, finish
        ",
    );
    let items = each("e", 2, [group("k", [read("c")]), stuck().needs(&[])]);
    tell(
        book([pivot(), items]),
        "
        began; p started; p done; e items 2                       -> *
        k[0] entered; k[1] entered; g[0] skipped; g[1] entered    -> *
        c[0] started; c[1] started; a[1] started; a[1] done       -> *
        b[1] started; b[1] failed; ~a[1] started                  -> *
        ~a[1] failed         -> abandon c[1], abandon c[0], ask after pivot
        pivot: retry         -> withdraw after pivot, ask after pivot
        ",
    );
}

/// Its `finally` had put things in order; what it does from then on is put in order again.
#[test]
fn a_group_that_is_gone_on_with_runs_its_finally_again() {
    let pivot = bare("p").left().with(|node| node.pivot = true);
    let run = tell(
        book([pivot, group("g", [write("a"), read("b")]).finally([read("f")])]),
        "
        began; p started; p done; g entered; a started; a done; b started  -> *
        b failed                    -> ask after pivot
        pivot: retry                -> withdraw after pivot, prepare b#2
        b started; b failed         -> perform b#2, ask after pivot
        pivot: keep                 -> withdraw after pivot, prepare f
        f started; f done           -> perform f, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Declined);
    let pivot = bare("p").left().with(|node| node.pivot = true);
    let own = policy(RollbackPolicy::Auto);
    tell(
        book([pivot, group("g", [write("a"), read("b")]).finally([read("f")]).on_failure(own)]),
        "
        began; p started; p done; g entered; a started; a done; b started  -> *
        b failed                    -> prepare f
        f started; f done           -> perform f, ask after pivot
        pivot: retry                -> withdraw after pivot, prepare b#2
        b started; b done           -> perform b#2, prepare f#2
        f started; f done           -> perform f#2, finish
        ",
    );
}

/// Also where it had been undone for a retry that did not come.
#[test]
fn what_was_put_up_with_before_it_is_not_tried_again() {
    let tolerated =
        group("g", [write("a"), read("b")]).retry(2, 0).with(|node| node.continue_on_error = true);
    let pivot = bare("p").left().with(|node| node.pivot = true);
    tell(
        book([tolerated, write("c"), pivot, read("d")]),
        "
        began; g entered; a started; a done; b started  -> *
        b failed             -> prepare ~a
        ~a started; ~a done  -> perform ~a, prepare g#2
        g failed             -> prepare c
        c started; c done; p started; p done; d started; d failed  -> *
        pivot: retry         -> withdraw after pivot, prepare d#2
        ",
    );
}
