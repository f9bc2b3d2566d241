//! What can be derived from a program once: who depends on whom, and where in a frame each node has its place.

use crate::program::{
    Effect, InDoubt, Kind, Node, NodeId, OnWarning, Program, Retry, Scope, ScopeId, ScopeRole, Undo,
};

/// A program with its derived tables. The run itself is one more node, the outermost group, numbered after all others.
#[derive(Debug, PartialEq)]
pub(crate) struct Chart {
    pub(crate) program: Program,
    run: Node,
    /// Dependents of node `n`: `dependents[spans[n]..spans[n + 1]]`.
    dependents: Vec<NodeId>,
    spans: Vec<u32>,
    node_places: Vec<Place>,
    scope_places: Vec<Place>,
    /// How many places a frame of each region has.
    region_sizes: Vec<u32>,
}

/// A region is what one frame holds: the whole program but for the bodies of its `for_each` (region 0), the body of a
/// `for_each` but for those inside it, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) region: u32,
    pub(crate) offset: u32,
}

/// Not reachable from any of the program's scopes.
const NOWHERE: Place = Place { region: u32::MAX, offset: 0 };

impl Chart {
    pub(crate) fn new(program: Program) -> Chart {
        let (dependents, spans) = invert(&program);
        let run = Node {
            scope: program.root,
            kind: Kind::Group {
                body: program.root,
                on_failure: Some(program.on_failure),
                finally: program.finally,
            },
            needs: Vec::new(),
            effect: Effect::Pure,
            retry: Retry {
                max_attempts: 0,
                delay: 0,
                backoff_milli: 1000,
                max_delay: 0,
                jitter_milli: 0,
                only: Vec::new(),
            },
            deadline: None,
            timeout: None,
            verify: None,
            on_in_doubt: InDoubt::Ask,
            on_warning: OnWarning::Continue,
            on_inconclusive: OnWarning::Fail,
            required: true,
            continue_on_error: false,
            pivot: false,
            undo: Undo::Nothing,
            guards: Vec::new(),
            gates: Vec::new(),
            closes: false,
        };
        let mut chart = Chart {
            node_places: vec![NOWHERE; program.nodes.len()],
            scope_places: vec![NOWHERE; program.scopes.len()],
            region_sizes: Vec::new(),
            program,
            run,
            dependents,
            spans,
        };
        chart.place();
        chart
    }

    /// The node of the run itself.
    pub(crate) fn run_id(&self) -> NodeId {
        NodeId(u32::try_from(self.program.nodes.len()).expect("node numbers are 32 bit"))
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.program.nodes.get(id.0 as usize).unwrap_or(&self.run)
    }

    pub(crate) fn scope(&self, id: ScopeId) -> &Scope {
        &self.program.scopes[id.0 as usize]
    }

    /// The siblings that need this node.
    pub(crate) fn dependents(&self, id: NodeId) -> &[NodeId] {
        match self.spans.get(id.0 as usize..id.0 as usize + 2) {
            Some(&[from, to]) => &self.dependents[from as usize..to as usize],
            _ => &[],
        }
    }

    pub(crate) fn node_place(&self, id: NodeId) -> Option<Place> {
        self.node_places.get(id.0 as usize).copied().filter(|place| *place != NOWHERE)
    }

    pub(crate) fn scope_place(&self, id: ScopeId) -> Place {
        self.scope_places[id.0 as usize]
    }

    pub(crate) fn region_size(&self, region: u32) -> u32 {
        self.region_sizes[region as usize]
    }

    /// Gives every node and scope that can be reached its place, outermost first.
    fn place(&mut self) {
        let program = &self.program;
        let of_run = program.on_failure;
        let mut todo: Vec<(ScopeId, u32)> = [Some(program.root), program.finally, program.revert]
            .into_iter()
            .chain([of_run.first, of_run.after_pivot.steps()])
            .flatten()
            .map(|scope| (scope, 0))
            .collect();
        self.region_sizes.push(0);
        while let Some((scope, mut region)) = todo.pop() {
            if self.scope_places[scope.0 as usize] != NOWHERE {
                continue;
            }
            let Scope { owner, role, nodes } = &program.scopes[scope.0 as usize];
            let opens_frame = owner.is_some_and(|owner| {
                matches!(program.nodes[owner.0 as usize].kind, Kind::Each(_))
                    && matches!(role, ScopeRole::Body | ScopeRole::Between)
            });
            if opens_frame {
                region = u32::try_from(self.region_sizes.len()).expect("fewer regions than scopes");
                self.region_sizes.push(0);
            }
            let size = &mut self.region_sizes[region as usize];
            let mut next = || {
                *size += 1;
                Place { region, offset: *size - 1 }
            };
            self.scope_places[scope.0 as usize] = next();
            for id in nodes {
                self.node_places[id.0 as usize] = next();
                todo.extend(inner_scopes(&program.nodes[id.0 as usize]).map(|inner| (inner, region)));
            }
        }
    }
}

/// All scopes that belong to a node.
fn inner_scopes(node: &Node) -> impl Iterator<Item = ScopeId> + '_ {
    let (cases, others): (&[ScopeId], [Option<ScopeId>; 4]) = match &node.kind {
        Kind::Action | Kind::WaitFor(_) | Kind::WaitUntil(_) | Kind::Human(_) => (&[], [None; 4]),
        Kind::Group { body, on_failure, finally } => {
            let first = on_failure.and_then(|policy| policy.first);
            let after = on_failure.and_then(|policy| policy.after_pivot.steps());
            (&[], [Some(*body), *finally, first, after])
        }
        Kind::Switch { cases } => (cases, [None; 4]),
        Kind::Each(each) => (&[], [Some(each.body), each.between, None, None]),
    };
    let undo = match node.undo {
        Undo::Scope(scope) => Some(scope),
        Undo::Nothing | Undo::Left | Undo::Missing => None,
    };
    cases.iter().copied().chain(others.into_iter().flatten()).chain(undo)
}

/// `needs`, turned round.
fn invert(program: &Program) -> (Vec<NodeId>, Vec<u32>) {
    let mut spans = vec![0u32; program.nodes.len() + 1];
    for need in program.nodes.iter().flat_map(|node| &node.needs) {
        spans[need.0 as usize + 1] += 1;
    }
    for i in 1..spans.len() {
        spans[i] += spans[i - 1];
    }
    let mut cursor = spans.clone();
    let mut dependents = vec![NodeId(0); spans.last().map_or(0, |end| *end as usize)];
    for (id, node) in (0u32..).zip(&program.nodes) {
        for need in &node.needs {
            let at = &mut cursor[need.0 as usize];
            dependents[*at as usize] = NodeId(id);
            *at += 1;
        }
    }
    (dependents, spans)
}
