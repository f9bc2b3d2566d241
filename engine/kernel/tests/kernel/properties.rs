//! Properties over generated programs, worlds and interleavings.

use proptest::prelude::*;
use runbook_kernel::{Forward, Rollback};

use crate::build::Book;
use crate::generate::{Scope, books, soften};
use crate::simulation::{Mischief, Simulation};
use crate::world::Temper;

/// Proptest's own `PROPTEST_CASES` overrides the number of cases.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() }
}

fn fail(message: String, book: &Book, simulation: &Simulation) -> TestCaseError {
    let names = book.build().names;
    let events: Vec<String> = simulation.events.iter().map(|event| format!("{event:?}")).collect();
    let names: Vec<String> = names.iter().enumerate().map(|(at, name)| format!("{at}={name}")).collect();
    TestCaseError::fail(format!("{message}\nnodes: {}\n{}", names.join(" "), events.join("\n")))
}

fn check(book: &Book, temper: Temper, mischief: Mischief, order: u64) -> Result<Simulation, TestCaseError> {
    let mut simulation = Simulation::new(book.build().program, temper, mischief, order);
    match simulation.run() {
        Ok(()) => Ok(simulation),
        Err(message) => Err(fail(message, book, &simulation)),
    }
}

const ANYTHING: Scope = Scope { guards: true, limits: true, pivot: true, parallel: true };
const CALM: Scope = Scope { guards: false, limits: false, pivot: true, parallel: false };
const UNLIMITED: Scope = Scope { guards: true, limits: false, pivot: true, parallel: true };

proptest! {
    #![proptest_config(cases(5000))]

    /// Whatever the program, the world and the interleaving: the rules hold.
    #[test]
    fn the_rules_hold(book in books(ANYTHING), seed: u64, order: u64, trouble in 0..40u32) {
        let temper = Temper { seed, trouble, timing: true, mild: false };
        check(&book, temper, Mischief { echo: 5, rollbacks: 2, ..Mischief::default() }, order)?;
    }

    /// The same, with executors that die, people who pause and cancel.
    #[test]
    fn the_rules_hold_under_mischief(
        book in books(ANYTHING), seed: u64, order: u64, trouble in 0..30u32, gap in 0..50u64, crash in 3..40u64,
    ) {
        let temper = Temper { seed, trouble, timing: true, mild: false };
        let mischief = Mischief { crash, gap, pause: 30, cancel: 40, echo: 7, rollbacks: 2 };
        check(&book, temper, mischief, order)?;
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// A run that is taken over after any event ends as the undisturbed one does.
    #[test]
    fn a_resumed_run_ends_the_same(book in books(CALM), seed: u64, trouble in 0..30u32) {
        let temper = Temper { seed, trouble, timing: false, mild: false };
        taken_over_anywhere(&book, temper, Mischief::default())?;
    }
}

proptest! {
    #![proptest_config(cases(150))]

    /// The same side by side, with waits, guards and time that nobody watched. Here nothing fails for good: what a failure
    /// finds under way beside it does depend on the order.
    #[test]
    fn a_resumed_run_in_which_nothing_fails_ends_the_same(
        book in books(UNLIMITED), seed: u64, trouble in 0..60u32, gap in 0..50u64,
    ) {
        let mut book = book;
        soften(&mut book);
        let temper = Temper { seed, trouble, timing: true, mild: true };
        let whole = taken_over_anywhere(&book, temper, Mischief { gap, ..Mischief::default() })?;
        prop_assert_eq!(whole.kernel.status().forward, Forward::Succeeded);
    }
}

/// Takes a run over after each of its events, and compares the ends.
fn taken_over_anywhere(book: &Book, temper: Temper, mischief: Mischief) -> Result<Simulation, TestCaseError> {
    let whole = check(book, temper, mischief, 1)?;
    let program = book.build().program;
    let mut simulation = Simulation::new(program, temper, mischief, 1);
    simulation.feed(runbook_kernel::Fact::Began { seed: 11 }).map_err(|e| fail(e, book, &simulation))?;
    loop {
        let mut resumed = simulation.clone();
        let end = resumed.crash().and_then(|()| resumed.run());
        end.map_err(|message| fail(message, book, &resumed))?;
        let same =
            resumed.kernel.status() == whole.kernel.status() && resumed.world.applied == whole.world.applied;
        if !same {
            let message = format!(
                "taken over after {} events it ended {:?} with {:?}, else {:?} with {:?}",
                simulation.events.len(),
                resumed.kernel.status(),
                resumed.world.applied,
                whole.kernel.status(),
                whole.world.applied,
            );
            return Err(fail(message, book, &resumed));
        }
        let more = simulation.advance();
        if !more.map_err(|e| fail(e, book, &simulation))? {
            return Ok(whole);
        }
    }
}

/// The generator reaches every way in which a run can end, so that the properties above mean something.
#[test]
fn every_end_is_reached() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..600 {
        let book = books(ANYTHING).new_tree(&mut runner).expect("the strategy filters nothing").current();
        let temper = Temper { seed, trouble: (seed % 40) as u32, timing: true, mild: false };
        let run = check(&book, temper, Mischief { cancel: 60, ..Mischief::default() }, seed);
        let status = run.expect("the rules hold").kernel.status();
        seen.insert(format!("{:?} {:?}", status.forward, status.rollback));
    }
    for forward in [Forward::Failed, Forward::Cancelled] {
        for rollback in
            [Rollback::NothingToUndo, Rollback::Complete, Rollback::Incomplete, Rollback::Declined]
        {
            assert!(
                seen.contains(&format!("{forward:?} {rollback:?}")),
                "{forward:?} {rollback:?} not in {seen:?}"
            );
        }
    }
    for forward in [Forward::Succeeded, Forward::SucceededWithFailures] {
        assert!(seen.contains(&format!("{forward:?} None")), "{forward:?} not in {seen:?}");
    }
}
