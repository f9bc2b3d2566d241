//! Which sibling comes after which: `needs` and the order that is implied without it: a runbook reads top-down.
//!
//! A step without `needs` needs everything above it; of that only the edges that no other implies are kept, so that a
//! runbook of 10,000 steps from top to bottom has 9,999 edges.

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

/// What a node of a scope says about its order. Numbers are places in the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing said: after everything above.
    Above,
    /// After these.
    Needs(Vec<usize>),
}

/// The order of a scope.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// For each node the ones that it waits for, without those that others imply; ascending.
    pub(crate) needs: Vec<Vec<usize>>,
    /// All that come before it.
    before: Vec<Before>,
    /// Circles, each as a path that ends where it began. Their edges to later nodes have been left out.
    pub(crate) cycles: Vec<Vec<usize>>,
}

/// A set of places: all below `prefix`, and those in `bits`. Runbooks are mostly read from top to bottom, so that
/// mostly the prefix says it all.
#[derive(Debug, Clone, Default)]
struct Before {
    prefix: usize,
    bits: Vec<u64>,
}

impl Before {
    fn contains(&self, place: usize) -> bool {
        place < self.prefix || self.bits.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    fn insert(&mut self, place: usize) {
        if place < self.prefix {
            return;
        }
        if place == self.prefix {
            self.prefix += 1;
            while self.bits.get(self.prefix / 64).is_some_and(|word| word >> (self.prefix % 64) & 1 == 1) {
                self.prefix += 1;
            }
            return;
        }
        if self.bits.len() <= place / 64 {
            self.bits.resize(place / 64 + 1, 0);
        }
        self.bits[place / 64] |= 1 << (place % 64);
    }

    fn extend(&mut self, other: &Before) {
        self.prefix = self.prefix.max(other.prefix);
        if self.bits.len() < other.bits.len() {
            self.bits.resize(other.bits.len(), 0);
        }
        for (word, more) in self.bits.iter_mut().zip(&other.bits) {
            *word |= more;
        }
        if self.bits.len() * 64 <= self.prefix {
            self.bits.clear();
        }
    }
}

impl Order {
    /// Orders the nodes of a scope.
    pub(crate) fn new(wishes: &[Wish]) -> Order {
        let mut edges = direct_edges(wishes);
        let cycles = break_cycles(&mut edges);
        let graph = graph_of(&edges);
        let sorted = match toposort(&graph, None) {
            Ok(sorted) => sorted.into_iter().map(NodeIndex::index).collect(),
            // Not reached: the circles are gone. The order of the file is a safe answer.
            Err(_) => (0..wishes.len()).collect::<Vec<_>>(),
        };
        let mut position = vec![0; wishes.len()];
        for (at, place) in sorted.iter().enumerate() {
            position[*place] = at;
        }
        let mut before = vec![Before::default(); wishes.len()];
        for place in sorted {
            let needed = &mut edges[place];
            // The latest first: what comes before it is implied by it.
            needed.sort_unstable_by_key(|other| std::cmp::Reverse(position[*other]));
            let mut all = Before::default();
            needed.retain(|other| {
                let implied = all.contains(*other);
                if !implied {
                    all.extend(&before[*other]);
                    all.insert(*other);
                }
                !implied
            });
            needed.sort_unstable();
            before[place] = all;
        }
        Order { needs: edges, before, cycles }
    }

    /// Whether `first` is over before `then` starts.
    pub(crate) fn is_before(&self, first: usize, then: usize) -> bool {
        self.before[then].contains(first)
    }
}

/// The edges as wished. A node that comes after everything above waits for the ends of what is above: those that
/// nothing above waits for.
fn direct_edges(wishes: &[Wish]) -> Vec<Vec<usize>> {
    let mut ends: Vec<usize> = Vec::new();
    let mut awaited = vec![false; wishes.len()];
    wishes
        .iter()
        .enumerate()
        .map(|(place, wish)| {
            let needed = match wish {
                Wish::Above => {
                    ends.retain(|end| !awaited[*end]);
                    std::mem::take(&mut ends)
                }
                Wish::Needs(needed) => {
                    let mut needed = needed.clone();
                    needed.sort_unstable();
                    needed.dedup();
                    for other in needed.iter().filter(|other| **other < place) {
                        awaited[*other] = true;
                    }
                    needed
                }
            };
            ends.push(place);
            needed
        })
        .collect()
}

fn graph_of(edges: &[Vec<usize>]) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(edges.len(), edges.iter().map(Vec::len).sum());
    for _ in edges {
        graph.add_node(());
    }
    for (place, needed) in edges.iter().enumerate() {
        for other in needed {
            graph.add_edge(NodeIndex::new(*other), NodeIndex::new(place), ());
        }
    }
    graph
}

/// Finds the circles and takes their forward edges out, so that the rest can be looked at.
fn break_cycles(edges: &mut [Vec<usize>]) -> Vec<Vec<usize>> {
    // Without an edge to a later node there is no circle, and mostly there is none.
    if edges.iter().enumerate().all(|(place, needed)| needed.iter().all(|other| *other < place)) {
        return Vec::new();
    }
    let graph = graph_of(edges);
    let mut cycles = Vec::new();
    let mut component = vec![0; edges.len()];
    for (number, members) in kosaraju_scc(&graph).into_iter().enumerate() {
        for member in &members {
            component[member.index()] = number + 1;
        }
        let first = members.iter().map(|member| member.index()).min().unwrap_or_default();
        if members.len() > 1 || edges[first].contains(&first) {
            cycles.push(shortest_cycle(edges, first, &component, number + 1));
        }
    }
    for (place, needed) in edges.iter_mut().enumerate() {
        needed.retain(|other| *other < place || component[*other] != component[place]);
    }
    cycles.sort();
    cycles
}

/// From `start` along its needs back to itself.
fn shortest_cycle(edges: &[Vec<usize>], start: usize, component: &[usize], number: usize) -> Vec<usize> {
    let mut from = vec![usize::MAX; edges.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(place) = queue.pop_front() {
        for other in edges[place].iter().copied().filter(|other| component[*other] == number) {
            if other == start {
                let mut path = vec![start];
                let mut at = place;
                while at != start {
                    path.push(at);
                    at = from[at];
                }
                path.push(start);
                path.reverse();
                return path;
            }
            if from[other] == usize::MAX {
                from[other] = place;
                queue.push_back(other);
            }
        }
    }
    vec![start, start]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wishes() -> impl Strategy<Value = Vec<Wish>> {
        (1usize..24).prop_flat_map(|n| {
            let wish = prop_oneof![
                2 => Just(Wish::Above),
                3 => prop::collection::vec(0..n, 0..4).prop_map(Wish::Needs),
            ];
            prop::collection::vec(wish, n)
        })
    }

    /// What comes before what, by the rule as it is written: all pairs, closed under transitivity.
    fn closure(wishes: &[Wish]) -> Vec<Vec<bool>> {
        let n = wishes.len();
        let mut before = vec![vec![false; n]; n];
        for (place, wish) in wishes.iter().enumerate() {
            match wish {
                Wish::Above => (0..place).for_each(|other| before[place][other] = true),
                Wish::Needs(needed) => needed.iter().for_each(|other| before[place][*other] = true),
            }
        }
        for via in 0..n {
            for a in 0..n {
                for b in 0..n {
                    before[a][b] |= before[a][via] && before[via][b];
                }
            }
        }
        before
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// The reduced edges say exactly what the rule says, and none of them is implied by others.
        #[test]
        fn reduction_keeps_the_order_and_nothing_else(wishes in wishes()) {
            let order = Order::new(&wishes);
            let n = wishes.len();
            let wanted = closure(&wishes);
            let circular = (0..n).any(|place| wanted[place][place]);
            prop_assert_eq!(circular, !order.cycles.is_empty());
            if circular {
                for cycle in &order.cycles {
                    prop_assert_eq!(cycle.first(), cycle.last());
                    for pair in cycle.windows(2) {
                        prop_assert!(wanted[pair[0]][pair[1]], "{:?}", cycle);
                    }
                }
                return Ok(());
            }
            let reduced: Vec<Wish> = order.needs.iter().cloned().map(Wish::Needs).collect();
            prop_assert_eq!(&closure(&reduced), &wanted);
            for then in 0..n {
                for (first, wanted) in wanted[then].iter().enumerate() {
                    prop_assert_eq!(order.is_before(first, then), *wanted);
                }
                for edge in &order.needs[then] {
                    let implied = order.needs[then].iter().any(|other| other != edge && wanted[*other][*edge]);
                    prop_assert!(!implied, "{} needs {:?}", then, order.needs[then]);
                }
            }
        }
    }

    #[test]
    fn from_top_to_bottom_is_a_chain() {
        let order = Order::new(&vec![Wish::Above; 10_000]);
        assert!(order.needs.iter().enumerate().all(|(place, needed)| match place {
            0 => needed.is_empty(),
            _ => needed == &[place - 1],
        }));
    }

    #[test]
    fn a_circle_is_a_path() {
        let needs = |needed: &[usize]| Wish::Needs(needed.to_vec());
        let order = Order::new(&[needs(&[2]), needs(&[0]), needs(&[1]), needs(&[3]), Wish::Above]);
        assert_eq!(order.cycles, [vec![0, 2, 1, 0], vec![3, 3]]);
        assert_eq!(order.needs, [vec![], vec![0], vec![1], vec![], vec![2, 3]]);
    }
}
