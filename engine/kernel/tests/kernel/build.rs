//! A small notation for programs, lowered the way the plan lowers a file: without `needs`, a step needs everything above
//! it in its scope.

use std::collections::BTreeMap;

use runbook_kernel::{
    AfterPivot, Batch, Each, EachUndo, Effect, Guard, Human, InDoubt, Kind, Ms, Node, NodeId, OnFailure,
    OnWarning, Poll, Program, Retry, RollbackPolicy, Scope, ScopeId, ScopeRole, Undo, Verify,
};

/// A step, before lowering.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) what: What,
    pub(crate) needs: Option<Vec<String>>,
    pub(crate) undo: Restore,
    pub(crate) gates: Vec<String>,
    /// Everything else, as the node has it; scopes, needs and gates in it are filled in by lowering.
    pub(crate) node: Node,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Action,
    For(Ms),
    Until(Poll),
    Human(Human),
    Group { body: Vec<Step>, on_failure: Option<Policy>, finally: Vec<Step> },
    Switch(Vec<Vec<Step>>),
    Each { body: Vec<Step>, each: Each, between: Vec<Step> },
}

#[derive(Debug, Clone, Default)]
pub(crate) enum Restore {
    #[default]
    Nothing,
    Steps(Vec<Step>),
    Left,
    Missing,
}

/// `on_failure`.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) rollback: RollbackPolicy,
    pub(crate) first: Vec<Step>,
    pub(crate) after_pivot: After,
}

#[derive(Debug, Clone)]
pub(crate) enum After {
    Ask,
    None,
    Steps(Vec<Step>),
}

/// A runbook, before lowering.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) steps: Vec<Step>,
    pub(crate) finally: Vec<Step>,
    pub(crate) on_failure: Policy,
    pub(crate) revert: Option<Vec<Step>>,
    pub(crate) max_parallel: u32,
}

/// A program with the names of its nodes.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) program: Program,
    pub(crate) names: Vec<String>,
}

pub(crate) fn policy(rollback: RollbackPolicy) -> Policy {
    Policy { rollback, first: Vec::new(), after_pivot: After::Ask }
}

pub(crate) fn book(steps: impl IntoIterator<Item = Step>) -> Book {
    Book {
        steps: steps.into_iter().collect(),
        finally: Vec::new(),
        on_failure: policy(RollbackPolicy::Auto),
        revert: None,
        max_parallel: 8,
    }
}

fn step(name: &str, what: What, effect: Effect) -> Step {
    let retry = Retry {
        max_attempts: 1,
        delay: 0,
        backoff_milli: 1000,
        max_delay: 0,
        jitter_milli: 0,
        only: Vec::new(),
    };
    let node = Node {
        scope: ScopeId(0),
        kind: Kind::Action,
        needs: Vec::new(),
        effect,
        retry,
        deadline: None,
        timeout: None,
        verify: None,
        on_in_doubt: InDoubt::Ask,
        on_warning: OnWarning::Continue,
        on_inconclusive: OnWarning::Fail,
        required: effect != Effect::Notify,
        continue_on_error: false,
        pivot: false,
        undo: Undo::Nothing,
        guards: Vec::new(),
        gates: Vec::new(),
        closes: false,
    };
    Step { name: name.into(), what, needs: None, undo: Restore::Nothing, gates: Vec::new(), node }
}

/// A write whose undo is a write named `~name`.
pub(crate) fn write(name: &str) -> Step {
    let mut step = step(name, What::Action, Effect::Write);
    step.undo = Restore::Steps(vec![bare(&format!("~{name}"))]);
    step
}

/// A write without an undo.
pub(crate) fn bare(name: &str) -> Step {
    step(name, What::Action, Effect::Write)
}

pub(crate) fn read(name: &str) -> Step {
    step(name, What::Action, Effect::Read)
}

pub(crate) fn notify(name: &str) -> Step {
    step(name, What::Action, Effect::Notify)
}

pub(crate) fn wait(name: &str, length: Ms) -> Step {
    step(name, What::For(length), Effect::Pure)
}

pub(crate) fn until(name: &str, every: Ms, hold: Ms, timeout: Ms) -> Step {
    step(name, What::Until(Poll { every, hold, timeout }), Effect::Read)
}

pub(crate) fn human(name: &str, count: u32) -> Step {
    step(name, What::Human(Human { count, exclude_requester: false, timeout: None }), Effect::Pure)
}

pub(crate) fn group(name: &str, body: impl IntoIterator<Item = Step>) -> Step {
    let body = body.into_iter().collect();
    step(name, What::Group { body, on_failure: None, finally: Vec::new() }, Effect::Pure)
}

pub(crate) fn switch(name: &str, cases: impl IntoIterator<Item = Vec<Step>>) -> Step {
    step(name, What::Switch(cases.into_iter().collect()), Effect::Pure)
}

pub(crate) fn each(name: &str, max_parallel: u32, body: impl IntoIterator<Item = Step>) -> Step {
    let each = Each {
        body: ScopeId(0),
        max_parallel,
        max_failures: 0,
        batches: Vec::new(),
        between: None,
        undo: EachUndo::All,
    };
    let body = body.into_iter().collect();
    step(name, What::Each { body, each, between: Vec::new() }, Effect::Pure)
}

impl Step {
    pub(crate) fn needs(mut self, needs: &[&str]) -> Step {
        self.needs = Some(needs.iter().map(|need| need.to_string()).collect());
        self
    }

    pub(crate) fn gated(mut self, gates: &[&str]) -> Step {
        self.gates = gates.iter().map(|gate| gate.to_string()).collect();
        self
    }

    pub(crate) fn undo(mut self, steps: impl IntoIterator<Item = Step>) -> Step {
        self.undo = Restore::Steps(steps.into_iter().collect());
        self
    }

    pub(crate) fn left(mut self) -> Step {
        self.undo = Restore::Left;
        self
    }

    /// Nothing brings it back, and nobody says that this is well.
    pub(crate) fn for_good(mut self) -> Step {
        self.undo = Restore::Missing;
        self
    }

    pub(crate) fn retry(mut self, max_attempts: u32, delay: Ms) -> Step {
        self.node.retry.max_attempts = max_attempts;
        self.node.retry.delay = delay;
        self
    }

    pub(crate) fn guard(mut self, every: Ms, failures: u32) -> Step {
        self.node.guards.push(Guard { every, failures });
        self
    }

    pub(crate) fn verify(mut self, every: Ms, within: Ms) -> Step {
        self.node.verify =
            Some(Verify { every, within, proves_absence: false, not_done: false, after_done: true });
        self
    }

    /// Changes the node itself.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Node)) -> Step {
        change(&mut self.node);
        self
    }

    pub(crate) fn on_failure(mut self, policy: Policy) -> Step {
        if let What::Group { on_failure, .. } = &mut self.what {
            *on_failure = Some(policy);
        }
        self
    }

    pub(crate) fn finally(mut self, steps: impl IntoIterator<Item = Step>) -> Step {
        if let What::Group { finally, .. } = &mut self.what {
            *finally = steps.into_iter().collect();
        }
        self
    }

    pub(crate) fn between(mut self, steps: impl IntoIterator<Item = Step>) -> Step {
        if let What::Each { between, .. } = &mut self.what {
            *between = steps.into_iter().collect();
        }
        self
    }

    pub(crate) fn each(mut self, change: impl FnOnce(&mut Each)) -> Step {
        if let What::Each { each, .. } = &mut self.what {
            change(each);
        }
        self
    }

    pub(crate) fn batches(self, batches: impl IntoIterator<Item = Batch>) -> Step {
        self.each(|each| each.batches = batches.into_iter().collect())
    }

    pub(crate) fn human(mut self, change: impl FnOnce(&mut Human)) -> Step {
        if let What::Human(human) = &mut self.what {
            change(human);
        }
        self
    }
}

/// A step on one line, and what is inside indented, with only what is not as usual.
impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let usual = step("", What::Action, self.node.effect).node;
        write!(f, "{}", self.name)?;
        if let Some(needs) = &self.needs {
            write!(f, " needs{needs:?}")?;
        }
        if !self.gates.is_empty() {
            write!(f, " gates{:?}", self.gates)?;
        }
        if self.node.retry.max_attempts > 1 {
            write!(f, " retry({}, {})", self.node.retry.max_attempts, self.node.retry.delay)?;
        }
        let Node { deadline, timeout, verify, on_in_doubt, guards, .. } = &self.node;
        if let Some(timeout) = timeout {
            write!(f, " timeout={timeout}")?;
        }
        if let Some(deadline) = deadline {
            write!(f, " deadline={deadline}")?;
        }
        if let Some(verify) = verify {
            write!(f, " {verify:?}")?;
        }
        if *on_in_doubt != usual.on_in_doubt {
            write!(f, " in_doubt={on_in_doubt:?}")?;
        }
        if self.node.on_warning != usual.on_warning {
            write!(f, " warning={:?}", self.node.on_warning)?;
        }
        if self.node.on_inconclusive != usual.on_inconclusive {
            write!(f, " inconclusive={:?}", self.node.on_inconclusive)?;
        }
        if !guards.is_empty() {
            write!(f, " {guards:?}")?;
        }
        let marks = [
            (self.node.continue_on_error, "continue_on_error"),
            (self.node.pivot, "pivot"),
            (self.node.closes, "closes"),
        ];
        for (_, mark) in marks.iter().filter(|(set, _)| *set) {
            write!(f, " {mark}")?;
        }
        match &self.what {
            What::Action => {}
            What::For(length) => write!(f, " for={length}")?,
            What::Until(poll) => write!(f, " {poll:?}")?,
            What::Human(human) => write!(f, " {human:?}")?,
            What::Group { body, on_failure, finally } => {
                write!(f, " {body:#?}")?;
                if let Some(policy) = on_failure {
                    write!(f, " {policy:?}")?;
                }
                if !finally.is_empty() {
                    write!(f, " finally{finally:?}")?;
                }
            }
            What::Switch(cases) => write!(f, " cases{cases:#?}")?,
            What::Each { body, each, between } => {
                let Each { max_parallel, max_failures, batches, undo, .. } = each;
                write!(f, " each(parallel {max_parallel}, failures {max_failures}, {undo:?}, {batches:?})")?;
                write!(f, " {body:#?} between{between:?}")?;
            }
        }
        match &self.undo {
            Restore::Nothing => Ok(()),
            Restore::Left => write!(f, " left"),
            Restore::Missing => write!(f, " for_good"),
            Restore::Steps(steps) => write!(f, " undo{steps:?}"),
        }
    }
}

impl Policy {
    pub(crate) fn first(mut self, steps: impl IntoIterator<Item = Step>) -> Policy {
        self.first = steps.into_iter().collect();
        self
    }

    pub(crate) fn after_pivot(mut self, after: After) -> Policy {
        self.after_pivot = after;
        self
    }
}

impl Book {
    pub(crate) fn finally(mut self, steps: impl IntoIterator<Item = Step>) -> Book {
        self.finally = steps.into_iter().collect();
        self
    }

    pub(crate) fn on_failure(mut self, policy: Policy) -> Book {
        self.on_failure = policy;
        self
    }

    pub(crate) fn revert(mut self, steps: impl IntoIterator<Item = Step>) -> Book {
        self.revert = Some(steps.into_iter().collect());
        self
    }

    pub(crate) fn max_parallel(mut self, max_parallel: u32) -> Book {
        self.max_parallel = max_parallel;
        self
    }

    pub(crate) fn build(&self) -> Named {
        let mut lower = Lower::default();
        let root = lower.scope(None, ScopeRole::Body, &self.steps);
        let finally = lower.some_scope(None, ScopeRole::Finally, &self.finally);
        let on_failure = lower.policy(None, &self.on_failure);
        let revert = self.revert.as_ref().map(|steps| lower.scope(None, ScopeRole::Revert, steps));
        let program = Program {
            nodes: lower.nodes,
            scopes: lower.scopes,
            root,
            finally,
            on_failure,
            revert,
            max_parallel: self.max_parallel,
        };
        Named { program, names: lower.names }
    }
}

#[derive(Default)]
struct Lower {
    nodes: Vec<Node>,
    scopes: Vec<Scope>,
    names: Vec<String>,
    ids: BTreeMap<String, NodeId>,
}

impl Lower {
    fn some_scope(&mut self, owner: Option<NodeId>, role: ScopeRole, steps: &[Step]) -> Option<ScopeId> {
        (!steps.is_empty()).then(|| self.scope(owner, role, steps))
    }

    fn scope(&mut self, owner: Option<NodeId>, role: ScopeRole, steps: &[Step]) -> ScopeId {
        let scope = ScopeId(self.scopes.len() as u32);
        self.scopes.push(Scope { owner, role, nodes: Vec::new() });
        // Steps that nothing needs so far: together they imply everything above.
        let mut ends: Vec<NodeId> = Vec::new();
        let mut here: BTreeMap<&str, NodeId> = BTreeMap::new();
        for step in steps {
            let needs = match &step.needs {
                None => ends.clone(),
                Some(needs) => needs.iter().map(|need| here[need.as_str()]).collect(),
            };
            ends.retain(|end| !needs.contains(end));
            let id = self.node(scope, needs, step);
            ends.push(id);
            here.insert(&step.name, id);
            self.scopes[scope.0 as usize].nodes.push(id);
        }
        scope
    }

    fn node(&mut self, scope: ScopeId, needs: Vec<NodeId>, step: &Step) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node { scope, needs, ..step.node.clone() });
        self.names.push(step.name.clone());
        let of = Some(id);
        let kind = match &step.what {
            What::Action => Kind::Action,
            What::For(length) => Kind::WaitFor(*length),
            What::Until(poll) => Kind::WaitUntil(*poll),
            What::Human(human) => Kind::Human(*human),
            What::Group { body, on_failure, finally } => Kind::Group {
                body: self.scope(of, ScopeRole::Body, body),
                on_failure: on_failure.as_ref().map(|policy| self.policy(of, policy)),
                finally: self.some_scope(of, ScopeRole::Finally, finally),
            },
            What::Switch(cases) => Kind::Switch {
                cases: cases.iter().map(|case| self.scope(of, ScopeRole::Body, case)).collect(),
            },
            What::Each { body, each, between } => Kind::Each(Each {
                body: self.scope(of, ScopeRole::Body, body),
                between: self.some_scope(of, ScopeRole::Between, between),
                ..each.clone()
            }),
        };
        let undo = match &step.undo {
            Restore::Nothing => Undo::Nothing,
            Restore::Left => Undo::Left,
            Restore::Missing => Undo::Missing,
            Restore::Steps(steps) => Undo::Scope(self.scope(of, ScopeRole::Undo, steps)),
        };
        let gates = step.gates.iter().map(|gate| self.ids[gate]).collect();
        let node = &mut self.nodes[id.0 as usize];
        node.kind = kind;
        node.undo = undo;
        node.gates = gates;
        self.ids.insert(step.name.clone(), id);
        id
    }

    fn policy(&mut self, owner: Option<NodeId>, policy: &Policy) -> OnFailure {
        OnFailure {
            rollback: policy.rollback,
            first: self.some_scope(owner, ScopeRole::First, &policy.first),
            after_pivot: match &policy.after_pivot {
                After::Ask => AfterPivot::Ask,
                After::None => AfterPivot::None,
                After::Steps(steps) => AfterPivot::Steps(self.scope(owner, ScopeRole::AfterPivot, steps)),
            },
        }
    }
}
