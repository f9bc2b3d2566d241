//! What the kernel relies on in a program is said of one that does not have it.

use runbook_kernel::{NodeId, Program, ScopeId, ScopeRole, Undo};

use crate::build::{book, group, human, read, write};

fn faults(change: impl FnOnce(&mut Program)) -> Vec<String> {
    let steps = [human("h", 1), group("g", [write("a"), read("b")]), read("c").gated(&["h"])];
    let mut program = book(steps).finally([read("f")]).build().program;
    assert_eq!(program.faults(), [""; 0]);
    change(&mut program);
    program.faults()
}

#[test]
fn faults_are_said() {
    let node = |program: &Program, at: usize| program.scopes[program.root.0 as usize].nodes[at];
    let circle = |program: &mut Program| {
        let (first, last) = (node(program, 0), node(program, 2));
        program.nodes[first.0 as usize].needs.push(last);
    };
    assert_eq!(faults(circle), ["the needs of scope 0 go round in a circle"]);
    let stranger = |program: &mut Program| program.nodes[0].needs.push(NodeId(2));
    assert_eq!(faults(stranger), ["node 0 needs node 2, which is no sibling"]);
    let nobody = |program: &mut Program| program.nodes[2].gates.push(NodeId(2));
    assert_eq!(faults(nobody), ["a gate of node 2 waits for nobody"]);
    let nowhere = |program: &mut Program| program.nodes[0].undo = Undo::Scope(ScopeId(99));
    assert_eq!(faults(nowhere), ["there is no scope 99"]);
    let role = |program: &mut Program| program.scopes[0].role = ScopeRole::Finally;
    assert_eq!(faults(role), ["scope 0 is (None, Finally) and is taken for (None, Body)"]);
    let twice = |program: &mut Program| program.finally = Some(program.root);
    let text = faults(twice);
    assert!(text.contains(&"scope 0 has two places".to_owned()), "{text:?}");
    assert!(text.contains(&"scope 3 belongs to nothing".to_owned()), "{text:?}");
    let double = |program: &mut Program| program.scopes[0].nodes.push(NodeId(0));
    assert_eq!(faults(double), ["scope 0 holds a node twice"]);
    let elsewhere = |program: &mut Program| program.nodes[0].scope = ScopeId(1);
    assert_eq!(faults(elsewhere), ["node 0 is not of scope 0"]);
}
