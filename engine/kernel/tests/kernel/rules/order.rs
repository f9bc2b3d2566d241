//! Order, skips, limits, switches (§2.1, §2.5).

use runbook_kernel::{Forward, Rollback};

use super::ended;
use crate::build::{book, group, read, switch, write};
use crate::script::tell;

#[test]
fn steps_without_needs_start_side_by_side_up_to_max_parallel() {
    tell(
        book([read("a"), read("b").needs(&[]), read("c").needs(&[]), read("d").needs(&["a", "c"])])
            .max_parallel(2),
        "
        began       -> prepare a, prepare b
        a started   -> perform a
        b skipped   -> prepare c
        c started   -> perform c
        c done
        a done      -> prepare d
        ",
    );
}

#[test]
fn a_skipped_step_satisfies_its_dependents() {
    let run = tell(
        book([read("a"), read("b"), read("c")]),
        "
        began               -> prepare a
        a skipped           -> prepare b
        b skipped           -> prepare c
        c skipped           -> finish
        finished
        ",
    );
    ended(&run, Forward::Succeeded, Rollback::None);
}

#[test]
fn a_switch_runs_one_case_and_undoes_that() {
    let run = tell(
        book([switch("s", [vec![write("a")], vec![write("b"), write("c")]]), read("last")]),
        "
        began                         -> prepare s
        s case 1                      -> prepare b
        b started; b done             -> perform b, prepare c
        c started; c done             -> perform c, prepare last
        last started; last failed     -> perform last, prepare ~c
        ~c started; ~c done           -> perform ~c, prepare ~b
        ~b started; ~b done           -> perform ~b, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

#[test]
fn an_answer_that_does_not_fit_the_kind_is_absorbed() {
    tell(
        book([read("a"), group("g", [read("b")]).needs(&[])]),
        "
        began         -> prepare a, prepare g
        a entered
        a items 3
        g started
        g case 0
        a done
        ",
    );
}

#[test]
fn outputs_of_a_group_are_computed_before_it_counts_as_done() {
    let run = tell(
        book([group("g", [write("a")]).with(|node| node.closes = true), read("b")]),
        "
        began; g entered; a started  -> *
        a done                       -> close g
        g closed badly               -> prepare ~a
        ~a started; ~a done          -> perform ~a, finish
        finished
        ",
    );
    ended(&run, Forward::Failed, Rollback::Complete);
}

/// Deep nesting costs memory, not stack.
#[test]
fn a_thousand_groups_inside_each_other() {
    let mut step = write("w");
    for depth in 0..1000 {
        step = group(&format!("g{depth}"), [step]);
    }
    let mut run = crate::script::Script::new(&book([step]));
    run.tell("began -> prepare g999");
    for depth in (1..1000).rev() {
        run.quietly(&format!("g{depth} entered -> prepare g{}", depth - 1));
    }
    run.quietly("g0 entered; w started; w failed -> *");
    run.quietly("~w started; ~w done -> perform ~w, finish");
    run.tell("finished");
    ended(&run, Forward::Failed, Rollback::Complete);
}
