//! Rollback (§3.5, §3.6).

use runbook_kernel::{Blocked, Forward, Refusal, Rollback, RollbackPolicy};

use super::ended;
use crate::build::{Step, bare, book, group, policy, read, write};
use crate::script::tell;

#[test]
fn independent_undos_run_side_by_side_the_last_started_first() {
    let run = tell(
        book([write("a"), write("b").needs(&["a"]), write("c").needs(&["a"]), read("d")]),
        "
        began; a started; a done; c started; b started; b done; c done; d started; d failed  -> *
        ~b started; ~c started      -> perform ~b, perform ~c
        ~c done
        ~b done                     -> prepare ~a
        ",
    );
    let shown: Vec<String> = run.kernel.outstanding().into_iter().map(|command| run.show(command)).collect();
    assert_eq!(shown, ["prepare ~a"]);
}

#[test]
fn an_undo_that_fails_blocks_what_its_step_depended_on_and_nothing_else() {
    let mut run = tell(
        book([write("a"), write("b"), write("x").needs(&[]), write("c").needs(&["b", "x"]), read("d")]),
        "
        began; a started; a done; b started; b done; x started; x done; c started; c done  -> *
        d started; d failed         -> perform d, prepare ~c
        ~c started; ~c done         -> perform ~c, prepare ~x, prepare ~b
        ~b started; ~b failed       -> perform ~b
        ~x started; ~x done         -> perform ~x, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Incomplete);
    let task = |name: &str| run.task(name).expect("it began").0;
    let blocked = [Blocked { task: task("a"), behind: true }, Blocked { task: task("b"), behind: false }];
    assert_eq!(run.kernel.blocked(), blocked);
    // Asked for again, only what is blocked is tried again.
    run.tell(
        "
        rollback                    -> prepare ~b#2
        ~b started; ~b done         -> perform ~b#2, prepare ~a
        ~a started; ~a done         -> perform ~a, finish
        finished
        rollback
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn an_undo_has_its_own_retry() {
    tell(
        book([write("a").undo([bare("u").retry(2, 5)]), read("b")]),
        "
        began; a started; a done; b started; b failed   -> *
        u started; u failed                             -> perform u, arm u retry 5
        @5 u retry                                      -> prepare u#2
        u started; u done                               -> perform u#2, finish
        ",
    );
}

#[test]
fn what_is_required_before_an_undo_is_looked_at_again_when_it_is_tried_again() {
    let run = tell(
        book([write("a").undo([read("require"), bare("u"), bare("v")]), read("b")]),
        "
        began; a started; a done; b started; b failed          -> *
        require started; require done; u started; u done       -> *
        v started; v failed                                    -> perform v, finish
        finished
        -- the part of the undo that was done is not done again
        rollback                                               -> prepare require#2
        require started; require done                          -> perform require#2, prepare v#2
        v started; v done                                      -> perform v#2, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn a_requirement_that_does_not_hold_blocks() {
    let run = tell(
        book([write("a").undo([read("require"), bare("u")]), read("b")]),
        "
        began; a started; a done; b started; b failed   -> *
        require started; require failed check           -> perform require, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Incomplete);
}

#[test]
fn an_undo_in_doubt_is_asked_about_and_not_guessed() {
    tell(
        book([write("a"), read("b")]),
        "
        began; a started; a done; b started; b failed   -> *
        ~a started; resumed        -> perform ~a, ask doubt ~a
        ~a doubt: undo             -> withdraw doubt ~a, prepare ~a#2
        ~a started; ~a unknown     -> perform ~a#2, ask doubt ~a
        ~a doubt: done             -> withdraw doubt ~a, finish
        ",
    );
}

#[test]
fn first_runs_before_a_rollback_and_only_then() {
    let failing =
        || book([write("a"), read("b")]).on_failure(policy(RollbackPolicy::Auto).first([read("drain")]));
    tell(
        failing(),
        "
        began; a started; a done; b started      -> *
        b failed                                 -> prepare drain
        -- its failure stops no rollback
        drain started; drain failed              -> perform drain, prepare ~a
        ",
    );
    let run = tell(
        failing(),
        "
        began; a started; a not_done             -> prepare a, perform a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn policy_ask_and_none() {
    let under = |rollback| book([write("a"), read("b")]).on_failure(policy(rollback));
    let run = tell(
        under(RollbackPolicy::None),
        "
        began; a started; a done; b started; b failed    -> prepare a, perform a, prepare b, perform b, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Declined);
    let run = tell(
        under(RollbackPolicy::Ask),
        "
        began; a started; a done; b started; b failed    -> prepare a, perform a, prepare b, perform b, ask rollback
        run: keep                                        -> withdraw rollback, finish
        finished
        rollback                                         -> prepare ~a
        ~a started; ~a done                              -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
    tell(
        under(RollbackPolicy::Ask),
        "
        began; a started; a done; b started; b failed    -> *
        run: undo                                        -> withdraw rollback, prepare ~a
        ",
    );
    let run = tell(
        under(RollbackPolicy::Ask),
        "
        began; a started; a not_done                     -> prepare a, perform a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn an_effect_that_is_left_by_declaration_blocks_nothing() {
    let run = tell(
        book([write("a"), bare("b").left(), read("c")]),
        "
        began; a started; a done; b started; b done; c started  -> *
        c failed                                                -> prepare ~a
        ~a started; ~a done                                     -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
    assert_eq!(run.kernel.kept(), [run.task("b").expect("b began").0]);
}

#[test]
fn a_groups_own_undo_stands_for_those_inside_once_if_any_began() {
    let own = || group("g", [write("a"), write("b")]).undo([bare("u")]);
    let run = tell(
        book([own(), read("c")]),
        "
        began; g entered; a started; a done; b started; b failed   -> *
        u started; u done                                          -> perform u, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
    let run = tell(
        book([own(), read("c")]),
        "
        began; g entered; a failed  -> prepare g, prepare a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::NothingToUndo);
}

#[test]
fn a_groups_own_undo_makes_good_what_an_undo_inside_it_could_not() {
    let inner = group("i", [read("t"), write("b").needs(&[])]).retry(2, 0);
    tell(
        book([write("x"), group("g", [inner]).undo([bare("u")])]).finally([read("f")]),
        "
        began; x started; x done; g entered; i entered; b started; b done; t started   -> *
        t failed                    -> prepare ~b
        ~b started; ~b failed       -> perform ~b, prepare u
        u started; u done           -> perform u, prepare ~x
        ~x started; ~x done         -> perform ~x, prepare f
        ",
    );
}

#[test]
fn a_groups_own_undo_that_failed_before_its_retry_is_not_tried_again_by_itself() {
    let own = policy(RollbackPolicy::Auto);
    let run = tell(
        book([group("g", [write("a"), read("b")]).undo([bare("u")]).retry(2, 0).on_failure(own)]),
        "
        began; g entered; a started; a done; b started   -> *
        b failed                  -> prepare u
        u started; u failed       -> perform u, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Incomplete);
}

/// What became of the undo before a retry that did not come is not taken for kept, though policy keeps the rest.
#[test]
fn an_undo_before_a_retry_that_did_not_come_stands() {
    let own = || {
        let steps = [write("a"), read("b")];
        group("g", steps).undo([bare("u")]).retry(2, 0).on_failure(policy(RollbackPolicy::None))
    };
    let mut run = tell(
        book([own()]),
        "
        began; g entered; a started; a done; b started  -> *
        b failed                  -> prepare u
        u started; u done         -> perform u, prepare g#2
        g failed                  -> finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
    run.tell("rollback");
    assert_eq!(run.kernel.may_roll_back(None), Err(Refusal::NothingLeft));
    let mut run = tell(
        book([group("around", [own()]).retry(2, 0)]),
        "
        began; around entered; g entered; a started; a done; b started  -> *
        b failed                  -> prepare u
        u started; u failed       -> perform u, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Incomplete);
    run.tell(
        "
        rollback                  -> prepare u#2
        u started; u done         -> perform u#2, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

/// How a rollback ended is what can be relied on: `complete` is said only where nothing stays but what may.
#[test]
fn what_has_no_undo_and_may_not_stay_makes_a_rollback_partial() {
    let ends = |steps: Vec<Step>, lines: &str, wanted: Rollback| {
        let run = tell(book(steps), &format!("began -> *\n{lines} -> *\nfinished"));
        ended(&run, Forward::Failed, wanted);
        assert!(!run.kernel.keeps());
    };
    let m = || bare("m").for_good();
    let done = "a started; a done; m started; m done; b started; b failed; ~a started; ~a done";
    ends(vec![write("a"), m(), read("b")], done, Rollback::Partial);
    ends(vec![write("a"), bare("m").left(), read("b")], done, Rollback::Complete);
    let alone = "m started; m done; b started; b failed";
    ends(vec![m(), read("b")], alone, Rollback::Partial);
    ends(vec![bare("m").left(), read("b")], alone, Rollback::NothingToUndo);
    // What may have happened counts, and what provably did not does not.
    ends(vec![m()], "m started; m failed", Rollback::Partial);
    ends(vec![m()], "m started; m not_done", Rollback::NothingToUndo);
    ends(vec![m()], "m failed", Rollback::NothingToUndo);
    // A group speaks for all that is in it.
    let inside = "g entered; m started; m done; b started; b failed; u started; u done";
    ends(vec![group("g", [m(), read("b")]).undo([bare("u")])], inside, Rollback::Complete);
    let inside = "g entered; a started; a done; b started; b failed";
    ends(vec![group("g", [write("a"), read("b")]).for_good()], inside, Rollback::Partial);
    ends(vec![group("g", [write("a"), read("b")]).left()], inside, Rollback::NothingToUndo);
    ends(vec![group("g", [read("b")]).for_good()], "g entered; b started; b failed", Rollback::NothingToUndo);
    // Nor is it forgotten when the group begins anew.
    let again = "g entered; m started; m done; b started; b failed; g entered; m started; m not_done";
    ends(vec![group("g", [m(), read("b")]).retry(2, 0)], again, Rollback::Partial);
}

/// Where there is a choice, it is said that somebody made one.
#[test]
fn what_policy_or_a_person_kept_is_told_from_what_has_no_undo() {
    let kept = book([write("a"), bare("m").for_good(), read("b")]).on_failure(policy(RollbackPolicy::None));
    let run = tell(
        kept,
        "
        began; a started; a done; m started; m done; b started; b failed  -> *
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Declined);
    assert!(run.kernel.keeps());
}

/// Whether its undo would have run, or policy left everything as it is.
#[test]
fn a_group_in_which_nothing_began_has_nothing_to_undo_nor_to_keep() {
    for policy in [policy(RollbackPolicy::Auto), policy(RollbackPolicy::None)] {
        let whole = group("g", [write("a")]).undo([bare("u")]);
        let run = tell(
            book([whole, read("z")]).on_failure(policy),
            "
            began; g entered; a skipped; z started  -> *
            z failed                                -> finish
            finished
            ",
        );
        ended(&run, Forward::Failed, Rollback::NothingToUndo);
    }
}
