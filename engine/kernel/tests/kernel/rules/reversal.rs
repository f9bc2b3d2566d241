//! Rolling back a run that has ended (§3.11).

use runbook_kernel::{Forward, Refusal, Rollback};

use super::ended;
use crate::build::{bare, book, group, read, write};
use crate::script::tell;

#[test]
fn a_rollback_that_only_looks_yet_is_called_off() {
    let run = tell(
        book([write("a").verify(10, 0), write("b")]),
        "
        began; a started; a done; a verify pass; b started; b done; finished  -> *
        rollback                -> *
        cancel                  -> abandon a, withdraw drift b, finish
        a verify fail; b drift: undo
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn a_run_that_succeeded_is_looked_at_before_it_is_undone() {
    let run = tell(
        book([write("a").verify(1, 1), write("b").verify(1, 1), write("c"), read("r")]),
        "
        began; a started; a done; a verify pass; b started; b done; b verify pass    -> *
        c started; c done; r started; r done; finished                               -> *
        rollback              -> check a verify, check b verify, ask drift c
        b verify pass
        -- it has changed since: somebody decides
        a verify fail         -> ask drift a
        c drift: undo         -> withdraw drift c
        a drift: keep         -> withdraw drift a, prepare ~c
        ~c started; ~c done   -> perform ~c, prepare ~b
        ~b started; ~b done   -> perform ~b, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::Partial);
}

#[test]
fn a_revert_takes_the_place_of_the_undos() {
    let with = || book([write("a")]).revert([write("r")]);
    let run = tell(
        with(),
        "
        began; a started; a done; finished   -> *
        rollback                             -> prepare r
        r started; r done                    -> perform r, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::Complete);
    assert_eq!(run.kernel.may_roll_back(None), Err(Refusal::NothingLeft));
    let (a, _) = run.task("a").expect("a began");
    assert_eq!(run.kernel.may_roll_back(Some(a)), Err(Refusal::NothingLeft));
}

#[test]
fn a_revert_that_failed_is_gone_on_with() {
    let mut run = tell(
        book([write("a"), write("b")]).revert([read("look"), write("r"), write("s")]),
        "
        began; a started; a done; b started; b done; finished   -> *
        rollback; look started; look done; r started; r done    -> *
        s started; s failed                                     -> perform s, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::Incomplete);
    let (a, _) = run.task("a").expect("a began");
    assert_eq!(run.kernel.may_roll_back(Some(a)), Err(Refusal::RevertBegun));
    run.tell(
        "
        -- what was reverted stays so; what was only looked at is looked at again
        rollback                             -> prepare look#2
        look started; look done              -> perform look#2, prepare s#2
        s started; s done                    -> perform s#2, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::Complete);
}

#[test]
fn a_revert_is_not_mixed_with_undos() {
    let run = tell(
        book([write("a"), write("b")]).revert([write("r")]),
        "
        began; a started; a done; b started; b done; finished   -> *
        rollback to a              -> ask drift b
        b drift: undo              -> withdraw drift b, prepare ~b
        ~b started; ~b done        -> perform ~b, finish
        finished
        rollback                   -> ask drift a
        a drift: undo              -> withdraw drift a, prepare ~a
        ~a started; ~a done        -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::Complete);
}

#[test]
fn to_a_step_undoes_what_came_after_it() {
    let mut run = tell(
        book([
            write("x"),
            group("g", [write("a"), write("b"), write("c")]),
            write("y"),
            write("z").needs(&["x"]),
        ]),
        "
        began; x started; x done; g entered; a started; a done; b started; b done; c started; c done  -> *
        y started; y done; z started; z done; finished                                                -> *
        rollback to a        -> ask drift y, ask drift b, ask drift c
        y drift: undo; b drift: undo  -> withdraw drift y, withdraw drift b
        c drift: undo        -> withdraw drift c, prepare ~y
        ~y started; ~y done  -> perform ~y, prepare ~c
        ~c started; ~c done  -> perform ~c, prepare ~b
        ~b started; ~b done  -> perform ~b, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::Partial);
    run.tell(
        "
        -- the rest, later
        rollback                        -> ask drift x, ask drift z, ask drift a
        x drift: undo; z drift: undo    -> withdraw drift x, withdraw drift z
        a drift: undo                   -> withdraw drift a, prepare ~z, prepare ~a
        ~z started; ~z done             -> perform ~z
        ~a started; ~a done             -> perform ~a, prepare ~x
        ~x started; ~x done             -> perform ~x, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::Complete);
}

#[test]
fn what_cannot_be_rolled_back_is_refused() {
    let run = tell(book([read("a")]), "began -> prepare a");
    assert_eq!(run.kernel.may_roll_back(None), Err(Refusal::NotEnded));
    let run = tell(book([read("a")]), "began; a started; a done; finished -> *\nrollback");
    assert_eq!(run.kernel.may_roll_back(None), Err(Refusal::NothingLeft));
    let run = tell(
        book([write("a"), group("g", [write("b"), write("c")]).undo([bare("u")])]),
        "began; a started; a done; g entered; b started; b done; c started; c done; finished -> *\nrollback to b",
    );
    let (inside, _) = run.task("b").expect("b began");
    assert_eq!(run.kernel.may_roll_back(Some(inside)), Err(Refusal::NoSuchPoint));
}

#[test]
fn a_group_with_an_undo_and_a_verify_of_its_own_is_looked_at() {
    let run = tell(
        book([group("g", [write("a")]).verify(10, 0).undo([bare("u")])]),
        "
        began; g entered; a started; a done; g verify pass; finished   -> *
        rollback              -> check g verify
        g verify pass         -> prepare u
        u started; u done     -> perform u, finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::Complete);
    tell(
        book([group("g", [write("a")]).verify(10, 0).undo([bare("u")])]),
        "
        began; g entered; a started; a done; g verify pass; finished   -> *
        rollback              -> check g verify
        g verify nothing      -> ask drift g
        ",
    );
}
