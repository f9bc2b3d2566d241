//! Programs made up by proptest: every kind of step, nested, with undos, retries, gates, limits and pivots.

use proptest::collection::vec;
use proptest::prelude::*;
use runbook_kernel::{
    Batch, BatchSize, EachUndo, Effect, Human, InDoubt, Ms, OnWarning, RollbackPolicy, Verify,
};

use crate::build::{
    After, Book, Policy, Restore, Step, What, bare, each, group, human, notify, policy, read, switch, until,
    wait, write,
};

/// What may be in a program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    /// Guards.
    pub(crate) guards: bool,
    /// Deadlines and timeouts.
    pub(crate) limits: bool,
    /// A point of no return.
    pub(crate) pivot: bool,
    /// Steps side by side.
    pub(crate) parallel: bool,
}

pub(crate) fn books(scope: Scope) -> impl Strategy<Value = Book> {
    let root = vec(step(2, scope), 1..6);
    let beside = || vec(simple(), 0..3);
    let pivot = if scope.pivot {
        prop::option::of((any::<prop::sample::Index>(), around_a_pivot())).boxed()
    } else {
        Just(None).boxed()
    };
    let revert = prop::option::weighted(0.15, vec(undo_step(), 1..3));
    (root, beside(), policies(true), 1..4u32, pivot, revert).prop_map(
        move |(steps, finally, on_failure, limit, pivot, revert)| {
            let mut book = Book { steps, finally, on_failure, revert, max_parallel: limit };
            if let Some((pivot, around)) = pivot {
                // A pivot stands alone: nothing runs beside it.
                for step in &mut book.steps {
                    step.needs = None;
                }
                let at = pivot.index(book.steps.len() + 1);
                let mut step = bare("").left();
                step.node.pivot = true;
                step.node.verify = Some(Verify {
                    every: 10,
                    within: 20,
                    proves_absence: true,
                    not_done: false,
                    after_done: false,
                });
                if let Some(undo) = around {
                    step = group("", [write(""), step]);
                    step.undo = undo;
                }
                book.steps.insert(at, step);
            }
            if !scope.parallel {
                walk(&mut book.steps, &serialise);
            }
            Namer::default().book(&mut book);
            book
        },
    )
}

/// A pivot stands among the runbook's steps, or in a group, which may be undone as a whole.
fn around_a_pivot() -> impl Strategy<Value = Option<Restore>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Restore::Nothing)),
        1 => Just(Some(Restore::Left)),
        1 => vec(undo_step(), 1..3).prop_map(|steps| Some(Restore::Steps(steps))),
    ]
}

/// Changes each step, and those inside it.
fn walk(steps: &mut [Step], change: &dyn Fn(&mut Step)) {
    for step in steps {
        change(step);
        if let Restore::Steps(undo) = &mut step.undo {
            walk(undo, change);
        }
        match &mut step.what {
            What::Group { body, .. } | What::Each { body, .. } => walk(body, change),
            What::Switch(cases) => cases.iter_mut().for_each(|case| walk(case, change)),
            What::Action | What::For(_) | What::Until(_) | What::Human(_) => {}
        }
    }
}

/// Nothing side by side.
fn serialise(step: &mut Step) {
    step.needs = None;
    // Probes and people find out what happened; other policies act without knowing, and rightly differ.
    step.node.on_in_doubt = InDoubt::Ask;
    step.node.on_warning = OnWarning::Continue;
    step.node.on_inconclusive = OnWarning::Fail;
    if let What::Each { each, .. } = &mut step.what {
        each.max_parallel = 1;
        each.batches.iter_mut().for_each(|batch| batch.max_parallel = 1);
    }
}

/// Nothing fails by policy.
pub(crate) fn soften(book: &mut Book) {
    let soft = |step: &mut Step| {
        if step.node.on_in_doubt == InDoubt::Compensate {
            step.node.on_in_doubt = InDoubt::Retry;
        }
        step.node.on_warning = OnWarning::Continue;
    };
    walk(&mut book.steps, &soft);
    walk(&mut book.finally, &soft);
}

/// Steps of `finally`, `first`, `between`.
fn simple() -> impl Strategy<Value = Step> {
    prop_oneof![3 => Just(read("")), 2 => Just(bare("")), 1 => Just(notify("")), 1 => Just(human("", 1))]
}

fn policies(run: bool) -> impl Strategy<Value = Policy> {
    let rollback = prop_oneof![
        6 => Just(RollbackPolicy::Auto),
        1 => Just(RollbackPolicy::Ask),
        1 => Just(RollbackPolicy::None),
    ];
    let after = prop_oneof![
        2 => Just(After::Ask),
        1 => Just(After::None),
        1 => vec(simple(), 1..3).prop_map(After::Steps),
    ];
    (rollback, vec(simple(), 0..2), after).prop_map(move |(rollback, first, after_pivot)| Policy {
        first,
        after_pivot: if run { after_pivot } else { After::None },
        ..policy(rollback)
    })
}

fn leaf(scope: Scope) -> impl Strategy<Value = Step> {
    let timed = scope.limits;
    let timeout = prop::option::weighted(0.3, 50..400u64);
    let humans = (1..3u32, any::<bool>(), timeout).prop_map(move |(count, exclude_requester, timeout)| {
        let timeout = timeout.filter(|_| timed);
        human("", count).human(|human| *human = Human { count, exclude_requester, timeout })
    });
    prop_oneof![
        8 => writes(),
        3 => Just(read("")),
        1 => Just(notify("")),
        1 => (0..100u64).prop_map(|length| wait("", length)),
        1 => (5..20u64, 0..20u64).prop_map(move |(every, hold)| {
            until("", every, hold, if timed { 100 } else { 1_000_000 })
        }),
        1 => humans,
    ]
}

fn writes() -> impl Strategy<Value = Step> {
    let undo = prop_oneof![
        6 => Just(None),
        2 => vec(undo_step(), 1..4).prop_map(|steps| Some(Restore::Steps(steps))),
        1 => Just(Some(Restore::Left)),
        1 => Just(Some(Restore::Missing)),
        1 => Just(Some(Restore::Nothing)),
    ];
    doubtful(undo.prop_map(|undo| {
        let mut step = write("");
        if let Some(undo) = undo {
            step.undo = undo;
        }
        step
    }))
}

/// `require` probes and undos.
fn undo_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(read("")),
        5 => doubtful(Just(bare(""))),
        1 => Just(notify("")),
    ]
}

/// How doubt about a write is settled.
fn doubtful(step: impl Strategy<Value = Step>) -> impl Strategy<Value = Step> {
    let verify =
        prop::option::weighted(0.4, (any::<bool>(), any::<bool>(), any::<bool>())).prop_map(|verify| {
            verify.map(|(proves_absence, not_done, after_done)| Verify {
                every: 5,
                within: 12,
                proves_absence,
                not_done,
                after_done,
            })
        });
    let policy =
        prop_oneof![3 => Just(InDoubt::Ask), 2 => Just(InDoubt::Retry), 1 => Just(InDoubt::Compensate)];
    (step, verify, policy).prop_map(|(step, verify, on_in_doubt)| {
        step.with(|node| {
            node.verify = verify;
            node.on_in_doubt = on_in_doubt;
        })
    })
}

fn step(depth: u32, scope: Scope) -> BoxedStrategy<Step> {
    let inner = if depth == 0 {
        leaf(scope).boxed()
    } else {
        let body = || vec(step(depth - 1, scope), 0..4);
        prop_oneof![
            6 => leaf(scope),
            2 => groups(body()),
            1 => vec(body(), 1..3).prop_map(|cases| switch("", cases)),
            2 => eaches(body()),
        ]
        .boxed()
    };
    let common = (
        prop_oneof![3 => Just(1u32), 1 => 2..4u32],
        prop_oneof![Just(0u64), 1..40u64],
        prop::option::weighted(0.15, 1..3u32),
        prop::option::weighted(0.1, 20..200u64),
        prop::bool::weighted(0.1),
        prop_oneof![4 => Just(OnWarning::Continue), 1 => Just(OnWarning::Ask), 1 => Just(OnWarning::Fail)],
        prop::option::weighted(0.4, vec(0..6usize, 0..3)),
        prop::bool::weighted(0.2),
        (prop::option::weighted(0.15, 20..150u64), prop::bool::weighted(0.15)),
    );
    (inner, common)
        .prop_map(move |(mut step, common)| {
            let (tries, delay, guard, deadline, tolerated, on_warning, needs, closes, whole) = common;
            let composite = matches!(step.what, What::Group { .. } | What::Switch(_) | What::Each { .. });
            step.node.retry.max_attempts = tries;
            step.node.retry.delay = delay;
            step.node.retry.jitter_milli = 100;
            // A gate that failed counts for nobody: the plan refuses to put up with it.
            step.node.continue_on_error = tolerated && !matches!(step.what, What::Human(_));
            step.node.on_warning = on_warning;
            if matches!(step.what, What::Action) && step.node.effect == Effect::Read {
                step.node.on_inconclusive = on_warning;
            }
            step.node.closes = closes && composite;
            // What a step for each item says of the whole of itself is said of each item.
            let is_each = matches!(step.what, What::Each { .. });
            if composite && !is_each && whole.1 {
                step = step.verify(5, 12);
            }
            if scope.limits {
                step.node.timeout = whole.0.filter(|_| composite && !is_each);
                step.node.deadline = deadline;
            }
            if let Some(failures) = guard.filter(|_| scope.guards) {
                step = step.guard(15, failures);
            }
            step.needs = needs.map(|needs| needs.into_iter().map(|need| need.to_string()).collect());
            step
        })
        .boxed()
}

fn groups(body: impl Strategy<Value = Vec<Step>>) -> impl Strategy<Value = Step> {
    let own = prop_oneof![
        6 => Just(None),
        1 => vec(undo_step(), 1..3).prop_map(|steps| Some(Restore::Steps(steps))),
        1 => Just(Some(Restore::Left)),
        1 => Just(Some(Restore::Missing)),
    ];
    let on_failure = prop::option::weighted(0.3, policies(false));
    (body, on_failure, vec(simple(), 0..2), own).prop_map(|(body, on_failure, finally, own)| {
        let mut step = group("", body).finally(finally);
        if let Some(policy) = on_failure {
            step = step.on_failure(policy);
        }
        step.undo = own.unwrap_or_default();
        step
    })
}

fn eaches(body: impl Strategy<Value = Vec<Step>>) -> impl Strategy<Value = Step> {
    let size = prop_oneof![
        (1..3u32).prop_map(BatchSize::Count),
        (10..60u32).prop_map(BatchSize::Percent),
        Just(BatchSize::Rest),
    ];
    let batch = (size, 1..3u32, 0..2u32).prop_map(|(size, max_parallel, max_failures)| Batch {
        size,
        max_parallel,
        max_failures,
    });
    let undo = prop_oneof![2 => Just(EachUndo::All), 1 => Just(EachUndo::Batch), 1 => Just(EachUndo::Failed)];
    (body, 1..4u32, 0..3u32, vec(batch, 0..3), vec(simple(), 0..2), undo).prop_map(
        |(body, max_parallel, max_failures, batches, between, undo)| {
            each("", max_parallel, body).batches(batches).between(between).each(|each| {
                each.max_failures = max_failures;
                each.undo = undo;
            })
        },
    )
}

/// Gives every step a name of its own, and turns places into names.
#[derive(Default)]
struct Namer {
    count: u32,
}

impl Namer {
    fn book(&mut self, book: &mut Book) {
        self.steps(&mut book.steps, &[]);
        self.steps(&mut book.finally, &[]);
        self.policy(&mut book.on_failure);
        if let Some(revert) = &mut book.revert {
            self.steps(revert, &[]);
        }
    }

    fn policy(&mut self, policy: &mut Policy) {
        self.steps(&mut policy.first, &[]);
        if let After::Steps(steps) = &mut policy.after_pivot {
            self.steps(steps, &[]);
        }
    }

    /// `gates`: the human nodes above, in the scopes around.
    fn steps(&mut self, steps: &mut [Step], gates: &[String]) {
        let mut names: Vec<String> = Vec::new();
        let mut gates = gates.to_vec();
        for step in steps {
            self.count += 1;
            let letter = match step.what {
                What::Action if step.node.effect == Effect::Write => 'w',
                What::Action if step.node.effect == Effect::Notify => 'n',
                What::Action => 'r',
                What::For(_) | What::Until(_) => 't',
                What::Human(_) => 'h',
                What::Group { .. } => 'g',
                What::Switch(_) => 's',
                What::Each { .. } => 'e',
            };
            step.name = format!("{letter}{}", self.count);
            if let Some(needs) = &mut step.needs {
                let places = needs.iter().filter_map(|need| need.parse::<usize>().ok());
                let mut found: Vec<String> = places.filter_map(|at| names.get(at).cloned()).collect();
                found.sort();
                found.dedup();
                *needs = found;
            }
            let below = if step.needs.is_none() { gates.clone() } else { Vec::new() };
            if step.node.effect == Effect::Write {
                step.gates = below.clone();
            }
            match &mut step.what {
                What::Group { body, on_failure, finally } => {
                    self.steps(body, &below);
                    self.steps(finally, &[]);
                    if let Some(policy) = on_failure {
                        self.policy(policy);
                    }
                }
                What::Switch(cases) => cases.iter_mut().for_each(|case| self.steps(case, &below)),
                What::Each { body, between, .. } => {
                    self.steps(body, &below);
                    self.steps(between, &[]);
                }
                What::Human(_) => gates.push(step.name.clone()),
                What::Action | What::For(_) | What::Until(_) => {}
            }
            if let Restore::Steps(undo) = &mut step.undo {
                self.steps(undo, &[]);
            }
            names.push(step.name.clone());
        }
    }
}

/// How long something takes in the world.
pub(crate) const LONGEST: Ms = 30;
