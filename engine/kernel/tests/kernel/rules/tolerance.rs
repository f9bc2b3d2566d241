//! What may fail: `continue_on_error`, notifications, `finally` (§2.4, §2.5, §3.5).

use runbook_kernel::{Cause, FailureClass, Forward, OnWarning, Rollback};

use super::ended;
use crate::build::{book, group, notify, read, write};
use crate::script::tell;

#[test]
fn a_tolerated_failure_satisfies_and_mars_the_success() {
    let run = tell(
        book([write("a").with(|node| node.continue_on_error = true), read("b")]),
        "
        began; a started; a failed    -> prepare a, perform a, prepare b
        b started; b done             -> perform b, finish
        finished
        ",
    );
    ended(&run, Forward::SucceededWithFailures, Rollback::None);
}

#[test]
fn what_a_tolerated_failure_left_is_undone_with_the_rest() {
    let run = tell(
        book([write("a").with(|node| node.continue_on_error = true), read("b")]),
        "
        began; a started; a failed    -> prepare a, perform a, prepare b
        b started; b failed           -> perform b, prepare ~a
        ~a started; ~a done           -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_notification_fails_nothing_unless_it_is_required() {
    let run = tell(
        book([notify("n"), read("a")]),
        "
        began; n started; n failed    -> prepare n, perform n, prepare a
        a started; a done             -> perform a, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
    let run = tell(
        book([notify("n").with(|node| node.required = true), read("a")]),
        "
        began; n started; n failed    -> prepare n, perform n, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn finally_runs_to_its_end_and_its_failure_only_mars() {
    let run = tell(
        book([write("a")]).finally([write("f"), read("g")]),
        "
        began; a started; a done     -> prepare a, perform a, prepare f
        -- too late to cancel
        cancel
        f started; f failed          -> perform f, prepare g
        g started; g done            -> perform g, finish
        finished
        ",
    );
    ended(&run, Forward::SucceededWithFailures, Rollback::None);
}

#[test]
fn finally_sees_how_the_run_and_the_rollback_ended() {
    let run = tell(
        book([write("a"), read("b")]).finally([read("f")]),
        "
        began; a started; a done; b started; b failed; ~a started; ~a failed  -> *
        ",
    );
    let status = run.kernel.status();
    assert_eq!((status.forward, status.rollback), (Forward::Failed, Rollback::Incomplete));
    assert_eq!(run.kernel.outstanding().len(), 1);
}

#[test]
fn a_group_runs_its_own_finally_once() {
    let run = tell(
        book([group("g", [read("a")]).finally([read("f")]), read("b")]),
        "
        began; g entered; a started; a done   -> prepare g, prepare a, perform a, prepare f
        f started; f done                     -> perform f, prepare b
        b started; b failed                   -> perform b, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn a_group_that_is_cut_off_runs_its_finally_after_it_was_undone() {
    let run = tell(
        book([group("g", [write("a"), read("late")]).finally([read("f")]), read("b").needs(&[])]),
        "
        began; g entered; a started; b started  -> *
        b failed
        a done                                  -> prepare ~a
        ~a started; ~a done                     -> perform ~a, prepare f
        f started; f done                       -> perform f, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_tolerated_group_pays_its_finally_though_nothing_is_undone() {
    let inner = group("inner", [write("a"), read("b")]).finally([read("f")]);
    let run = tell(
        book([group("g", [inner]).with(|node| node.continue_on_error = true), read("c")]),
        "
        began; g entered; inner entered; a started; a done; b started  -> *
        b failed                  -> prepare f
        f started; f done         -> perform f, prepare c
        c started; c done         -> perform c, finish
        finished
        ",
    );
    ended(&run, Forward::SucceededWithFailures, Rollback::None);
}

#[test]
fn a_check_that_could_not_see_fails_unless_the_file_says_otherwise() {
    let look = |policy| read("a").retry(2, 0).with(|node| node.on_inconclusive = policy);
    let blind = "began; a started; a failed inconclusive -> prepare a, perform a, prepare a#2";
    let run = tell(book([look(OnWarning::Fail), read("b")]), blind);
    assert_eq!(run.kernel.status().forward, Forward::Running);
    tell(
        book([look(OnWarning::Fail), read("b")]),
        &format!("{blind}\na started; a failed connect -> perform a#2, finish"),
    );
    let run = tell(
        book([look(OnWarning::Continue), read("b")]),
        &format!(
            "{blind}\na started; a failed connect -> perform a#2, prepare b\nb skipped; finished -> finish"
        ),
    );
    ended(&run, Forward::Succeeded, Rollback::None);
    // A no is not a doubt.
    tell(
        book([look(OnWarning::Continue)]),
        &format!("{blind}\na started; a failed check -> perform a#2, finish"),
    );
    let asked = format!("{blind}\na started; a failed timeout -> perform a#2, ask warning a");
    tell(
        book([look(OnWarning::Ask), read("b")]),
        &format!("{asked}\na warning: keep -> withdraw warning a, prepare b"),
    );
    let run = tell(
        book([look(OnWarning::Ask), read("b")]),
        &format!("{asked}\na warning: fail -> withdraw warning a, finish"),
    );
    let (task, _) = run.task("a").expect("a began");
    let cause = run.kernel.task(task).and_then(|view| view.cause);
    assert_eq!(cause, Some(Cause::Attempt(FailureClass::Timeout)));
}
