//! Groups with a policy of their own (§3.7).

use runbook_kernel::{Cause, Forward, RetryOnly, Rollback, RollbackPolicy};

use super::ended;
use crate::build::{book, group, policy, read, wait, write};
use crate::script::tell;

#[test]
fn a_group_rolls_itself_back_before_the_rest() {
    let own = policy(RollbackPolicy::Auto).first([read("drain")]);
    let run = tell(
        book([write("x"), group("g", [write("a"), read("b")]).on_failure(own).finally([read("f")])]),
        "
        began; x started; x done; g entered; a started; a done; b started   -> *
        b failed                    -> prepare drain
        drain started; drain done   -> perform drain, prepare ~a
        ~a started; ~a done         -> perform ~a, prepare f
        f started; f done           -> perform f, prepare ~x
        ~x started; ~x done         -> perform ~x, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn nothing_new_starts_outside_a_group_that_is_bound_to_fail() {
    tell(
        book([
            group("g", [write("a"), read("b")]).on_failure(policy(RollbackPolicy::Auto)),
            read("y").needs(&[]),
            wait("w", 100).needs(&[]),
            read("z").needs(&["y"]),
        ]),
        "
        began; g entered; y started; w started; a started; a done; b started   -> *
        b failed                 -> abandon y, disarm w wait, prepare ~a
        y done
        ~a started; ~a done      -> perform ~a, finish
        ",
    );
}

#[test]
fn what_is_beside_goes_on_while_a_group_may_be_tried_again_or_is_tolerated() {
    let tolerated = group("t", [read("b")]).needs(&[]).with(|node| node.continue_on_error = true);
    tell(
        book([group("g", [read("a")]).retry(2, 0), tolerated, read("y").needs(&[]), read("z").needs(&["y"])]),
        "
        began; g entered; t entered; a started; b started; y started   -> *
        a failed                 -> prepare g#2
        b failed
        y done                   -> prepare z
        ",
    );
}

#[test]
fn a_groups_policy_to_leave_what_it_did_holds_when_the_run_is_rolled_back() {
    let run = tell(
        book([write("x"), group("g", [write("a"), read("b")]).on_failure(policy(RollbackPolicy::None))]),
        "
        began; x started; x done; g entered; a started; a done; b started   -> *
        b failed                 -> prepare ~x
        ~x started; ~x done      -> perform ~x, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Partial);
    assert_eq!(run.kernel.kept(), [run.task("a").expect("a began").0]);
}

#[test]
fn a_group_asks_before_its_own_rollback() {
    tell(
        book([group("g", [write("a"), read("b")]).on_failure(policy(RollbackPolicy::Ask))]),
        "
        began; g entered; a started; a done; b started   -> *
        b failed                 -> ask rollback g
        g rollback: undo         -> withdraw rollback g, prepare ~a
        ~a started; ~a done      -> perform ~a, finish
        ",
    );
}

#[test]
fn a_retry_undoes_what_an_inner_policy_left() {
    let inner = group("i", [write("a"), read("b")]).on_failure(policy(RollbackPolicy::None));
    tell(
        book([group("g", [inner]).retry(2, 0)]),
        "
        began; g entered; i entered; a started; a done; b started   -> *
        b failed                 -> prepare ~a
        ~a started; ~a done      -> perform ~a, prepare g#2
        ",
    );
}

#[test]
fn a_group_that_is_skipped_the_second_time_still_runs_its_finally() {
    let run = tell(
        book([group("g", [read("a")]).retry(2, 0).finally([read("f")])]),
        "
        began; g entered; a started; a failed   -> prepare g, prepare a, perform a, prepare g#2
        g skipped                               -> prepare f
        f started; f done                       -> perform f, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn a_groups_timeout_is_of_one_incarnation_and_stops_what_runs_inside() {
    let limited =
        group("g", [write("a"), write("b").needs(&[])]).retry(2, 0).with(|node| node.timeout = Some(100));
    let run = tell(
        book([limited]),
        "
        began; g entered           -> prepare g, arm g timeout 100, prepare a, prepare b
        a started; a done; b started   -> perform a, perform b
        @100 g times out           -> interrupt b
        b failed                   -> prepare ~b, prepare ~a
        ~b started; ~b done        -> perform ~b
        ~a started; ~a done        -> perform ~a, prepare g#2
        @150 g entered             -> arm g timeout 250, prepare a#2, prepare b#2
        a started; b started       -> perform a#2, perform b#2
        @250 g times out           -> interrupt a, interrupt b
        a done; b done             -> prepare ~b#2, prepare ~a#2
        ~b started; ~b done; ~a started; ~a done   -> perform ~b#2, perform ~a#2, finish
        finished
        ",
    );
    let (task, _) = run.task("g").expect("g began");
    assert_eq!(run.kernel.task(task).and_then(|view| view.cause), Some(Cause::TimedOut));
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_group_is_tried_again_for_its_timeout_alone() {
    let only = |node: &mut runbook_kernel::Node| {
        node.timeout = Some(100);
        node.retry.only = vec![RetryOnly::Timeout];
    };
    tell(
        book([group("g", [read("a")]).retry(2, 0).with(only)]),
        "
        began; g entered; a started   -> *
        @100 g times out              -> abandon a, prepare g#2
        ",
    );
    tell(
        book([group("g", [read("a")]).retry(2, 0).with(only)]),
        "
        began; g entered; a started   -> *
        a failed                      -> disarm g timeout, finish
        ",
    );
}

#[test]
fn a_timeout_that_comes_too_late_is_absorbed() {
    tell(
        book([group("g", [read("a")]).with(|node| node.timeout = Some(100)), read("b")]),
        "
        began; g entered; a started   -> *
        @99 a done                    -> disarm g timeout, prepare b
        @100 g times out
        ",
    );
}

#[test]
fn a_group_is_verified_once_all_inside_is_done() {
    let looked_at = || group("g", [write("a")]).verify(10, 20).with(|node| node.closes = true);
    let run = tell(
        book([looked_at().finally([read("f")])]),
        "
        began; g entered; a started; a done   -> prepare g, prepare a, perform a, close g
        g closed                              -> check g verify
        g verify fail                         -> arm g poll verify 10
        @10 g polls verify                    -> check g verify
        g verify pass                         -> prepare f
        f started; f done                     -> perform f, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
    let run = tell(
        book([looked_at(), read("b")]),
        "
        began; g entered; a started; a done; g closed   -> *
        g verify nothing                      -> arm g poll verify 10
        @20 g polls verify                    -> check g verify
        g verify nothing                      -> prepare ~a
        ~a started; ~a done                   -> perform ~a, finish
        finished
        ",
    );
    let (task, _) = run.task("g").expect("g began");
    assert_eq!(run.kernel.task(task).and_then(|view| view.cause), Some(Cause::Mismatch));
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_group_whose_effect_is_not_there_is_undone_and_tried_again() {
    tell(
        book([group("g", [write("a")]).verify(10, 0).retry(2, 0)]),
        "
        began; g entered; a started; a done   -> prepare g, prepare a, perform a, check g verify
        g verify fail                         -> prepare ~a
        ~a started; ~a done                   -> perform ~a, prepare g#2
        g entered; a started; a done          -> prepare a#2, perform a#2, check g verify
        g verify pass                         -> finish
        ",
    );
}

/// With a `finally` or without: what a verification comes to is found out.
#[test]
fn the_verification_of_a_group_is_not_cut_off() {
    for finally in [vec![], vec![read("f")]] {
        let last = if finally.is_empty() { "prepare ~a" } else { "prepare f" };
        let verified = group("g", [write("a")]).verify(10, 20).finally(finally);
        tell(
            book([verified, read("b").needs(&[])]),
            &format!(
                "
                began; g entered; b started; a started  -> *
                a done               -> check g verify
                b failed
                g verify pass        -> {last}
                "
            ),
        );
    }
}

/// Not only when a step in it fails: nothing starts beside it while it is rolled back.
#[test]
fn what_fails_a_group_from_outside_stops_what_is_around_it_at_once() {
    let own = policy(RollbackPolicy::Auto);
    let g = || group("g", [write("a")]).on_failure(own.clone());
    for (g, fails) in
        [(g().verify(10, 0), "g verify fail"), (g().with(|node| node.closes = true), "g closed badly")]
    {
        tell(
            book([g, wait("w", 500).needs(&[]), read("b").needs(&["w"])]),
            &format!(
                "
                began; g entered; w started; a started; a done  -> *
                {fails}              -> disarm w wait, prepare ~a
                "
            ),
        );
    }
}
