//! What the kernel relies on in a program. The plan's tests hold what it lowers against this.

use crate::program::{AfterPivot, Kind, NodeId, OnFailure, Program, ScopeId, ScopeRole, Undo};

impl Program {
    /// What is wrong with a program, each in a sentence; empty if nothing is. In proportion to its size.
    pub fn faults(&self) -> Vec<String> {
        let mut check = Check { program: self, faults: Vec::new(), seen: vec![false; self.scopes.len()] };
        let of_run = self.on_failure;
        check.scope(Some(self.root), None, ScopeRole::Body);
        check.scope(self.finally, None, ScopeRole::Finally);
        check.scope(self.revert, None, ScopeRole::Revert);
        check.policy(of_run, None);
        for id in (0u32..).map(NodeId).take(self.nodes.len()) {
            check.node(id);
        }
        let unreached = check.seen.iter().position(|seen| !seen);
        if let Some(scope) = unreached {
            check.fault(format!("scope {scope} belongs to nothing"));
        }
        check.faults
    }
}

struct Check<'p> {
    program: &'p Program,
    faults: Vec<String>,
    /// Scopes that something refers to.
    seen: Vec<bool>,
}

impl Check<'_> {
    fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    fn policy(&mut self, policy: OnFailure, owner: Option<NodeId>) {
        self.scope(policy.first, owner, ScopeRole::First);
        if let AfterPivot::Steps(steps) = policy.after_pivot {
            self.scope(Some(steps), owner, ScopeRole::AfterPivot);
        }
    }

    fn node(&mut self, id: NodeId) {
        let node = &self.program.nodes[id.0 as usize];
        match &node.kind {
            Kind::Action | Kind::WaitFor(_) | Kind::WaitUntil(_) | Kind::Human(_) => {}
            Kind::Group { body, on_failure, finally } => {
                self.scope(Some(*body), Some(id), ScopeRole::Body);
                self.scope(*finally, Some(id), ScopeRole::Finally);
                if let Some(policy) = on_failure {
                    self.policy(*policy, Some(id));
                }
            }
            Kind::Switch { cases } => {
                for case in cases {
                    self.scope(Some(*case), Some(id), ScopeRole::Body);
                }
            }
            Kind::Each(each) => {
                self.scope(Some(each.body), Some(id), ScopeRole::Body);
                self.scope(each.between, Some(id), ScopeRole::Between);
            }
        }
        if let Undo::Scope(undo) = node.undo {
            self.scope(Some(undo), Some(id), ScopeRole::Undo);
        }
        for gate in &node.gates {
            let gate = self.program.nodes.get(gate.0 as usize);
            if !gate.is_some_and(|gate| matches!(gate.kind, Kind::Human(_))) {
                self.fault(format!("a gate of node {} waits for nobody", id.0));
            }
        }
    }

    /// A scope that something refers to: it is there, is what it is taken for, and its nodes form a graph without cycle.
    fn scope(&mut self, id: Option<ScopeId>, owner: Option<NodeId>, role: ScopeRole) {
        let Some(id) = id else { return };
        let Some(scope) = self.program.scopes.get(id.0 as usize) else {
            return self.fault(format!("there is no scope {}", id.0));
        };
        if std::mem::replace(&mut self.seen[id.0 as usize], true) {
            self.fault(format!("scope {} has two places", id.0));
        }
        if scope.owner != owner || scope.role != role {
            let (is, was) = ((scope.owner, scope.role), (owner, role));
            self.fault(format!("scope {} is {is:?} and is taken for {was:?}", id.0));
        }
        self.graph(id, &scope.nodes);
    }

    /// Takes away, again and again, what needs nothing; what is left is a cycle.
    fn graph(&mut self, scope: ScopeId, nodes: &[NodeId]) {
        let place: std::collections::BTreeMap<NodeId, usize> = nodes.iter().copied().zip(0..).collect();
        if place.len() < nodes.len() {
            return self.fault(format!("scope {} holds a node twice", scope.0));
        }
        let mut unmet = vec![0; nodes.len()];
        let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        for (&id, &at) in &place {
            let Some(node) = self.program.nodes.get(id.0 as usize).filter(|node| node.scope == scope) else {
                return self.fault(format!("node {} is not of scope {}", id.0, scope.0));
            };
            for need in &node.needs {
                let Some(&need) = place.get(need) else {
                    return self.fault(format!("node {} needs node {}, which is no sibling", id.0, need.0));
                };
                unmet[at] += 1;
                dependents[need].push(at);
            }
        }
        let mut free: Vec<usize> = (0..nodes.len()).filter(|at| unmet[*at] == 0).collect();
        let mut taken = 0;
        while let Some(at) = free.pop() {
            taken += 1;
            for &dependent in &dependents[at] {
                unmet[dependent] -= 1;
                if unmet[dependent] == 0 {
                    free.push(dependent);
                }
            }
        }
        if taken < nodes.len() {
            self.fault(format!("the needs of scope {} go round in a circle", scope.0));
        }
    }
}
