//! Where everything goes: boxes in layers from top to bottom, each box laid out inside first.
//!
//! The usual four steps (Sugiyama), scope by scope: layers by the longest way from the top; a stand-in for an edge in
//! each layer that it passes; an order within layers that crosses little (barycentres, swept down and up); columns
//! close to their neighbours' without overlap.

use super::{Block, Edge};
use crate::wrap;

/// Pixels.
const CHAR: f64 = 6.4;
pub(super) const LINE: f64 = 16.0;
const PAD: f64 = 10.0;
pub(super) const TITLE: f64 = 22.0;
const INSET: f64 = 14.0;
const GAP_X: f64 = 26.0;
const GAP_Y: f64 = 30.0;
/// Columns of a label's line.
const COLUMNS: usize = 34;

/// A laid-out block.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed<'a> {
    pub(super) block: &'a Block,
    /// The label's lines; the first is the name.
    pub(super) lines: Vec<String>,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) children: Vec<Placed<'a>>,
    /// Ways of the edges among the children: points from top to bottom.
    pub(super) ways: Vec<(Edge, Vec<(f64, f64)>)>,
}

/// Lays a block out at the origin.
pub(super) fn place(block: &Block) -> Placed<'_> {
    let lines = label(block);
    if !block.is_box() {
        let columns = lines.iter().map(|l| width(l)).max().unwrap_or(0);
        let text = columns as f64 * CHAR;
        let height = lines.len() as f64 * LINE + 2.0 * PAD - 4.0;
        return Placed {
            block,
            lines,
            x: 0.0,
            y: 0.0,
            width: (text + 2.0 * PAD + 6.0).max(90.0),
            height,
            children: Vec::new(),
            ways: Vec::new(),
        };
    }
    let mut children: Vec<Placed<'_>> = block.children.iter().map(place).collect();
    let sizes: Vec<(f64, f64)> = children.iter().map(|c| (c.width, c.height)).collect();
    let arranged = arrange(&sizes, &block.edges);
    let title = TITLE + (lines.len() as f64 - 1.0) * LINE;
    for (child, (x, y)) in children.iter_mut().zip(&arranged.at) {
        child.shift(x + INSET, y + title + 8.0);
    }
    let head = lines.iter().map(|l| width(l)).max().unwrap_or(0) as f64 * CHAR + 2.0 * PAD;
    let inner = arranged.width + 2.0 * INSET;
    let slack = ((head - inner) / 2.0).max(0.0);
    children.iter_mut().for_each(|c| c.shift(slack, 0.0));
    let move_to = |(x, y): (f64, f64)| (x + INSET + slack, y + title + 8.0);
    let ways =
        arranged.ways.into_iter().map(|(e, way)| (e, way.into_iter().map(move_to).collect())).collect();
    let height = arranged.height + title + 8.0 + INSET;
    Placed { block, lines, x: 0.0, y: 0.0, width: inner.max(head), height, children, ways }
}

impl Placed<'_> {
    pub(super) fn shift(&mut self, dx: f64, dy: f64) {
        self.x += dx;
        self.y += dy;
        for child in &mut self.children {
            child.shift(dx, dy);
        }
        for (x, y) in self.ways.iter_mut().flat_map(|(_, way)| way) {
            *x += dx;
            *y += dy;
        }
    }
}

fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

fn label(block: &Block) -> Vec<String> {
    let mut lines = wrap(&block.name, COLUMNS);
    lines.extend(block.lines.iter().flat_map(|l| wrap(l, COLUMNS)));
    match &block.undo {
        Some(super::Undo::Yes(text)) => lines.extend(wrap(&format!("↩ {text}"), COLUMNS)),
        Some(super::Undo::No(text)) => lines.extend(wrap(&format!("no undo: {text}"), COLUMNS)),
        None => {}
    }
    if block.pivot {
        lines.push("point of no return".into());
    }
    lines
}

struct Arranged {
    /// Top left corners.
    at: Vec<(f64, f64)>,
    ways: Vec<(Edge, Vec<(f64, f64)>)>,
    width: f64,
    height: f64,
}

/// A place in a layer: a box, or where an edge passes.
#[derive(Debug, Clone)]
struct Cell {
    width: f64,
    height: f64,
    x: f64,
    layer: usize,
    up: Vec<usize>,
    down: Vec<usize>,
}

fn arrange(sizes: &[(f64, f64)], edges: &[Edge]) -> Arranged {
    let mut cells: Vec<Cell> = sizes
        .iter()
        .map(|&(width, height)| Cell { width, height, x: 0.0, layer: 0, up: Vec::new(), down: Vec::new() })
        .collect();
    // Edges go from earlier to later siblings, so one pass finds the layers.
    let mut sorted: Vec<&Edge> = edges.iter().filter(|e| e.from < e.to).collect();
    sorted.sort_by_key(|e| e.to);
    for edge in &sorted {
        cells[edge.to].layer = cells[edge.to].layer.max(cells[edge.from].layer + 1);
    }
    let mut paths: Vec<(Edge, Vec<usize>)> = Vec::new();
    for edge in &sorted {
        let mut path = vec![edge.from];
        for layer in cells[edge.from].layer + 1..cells[edge.to].layer {
            path.push(cells.len());
            cells.push(Cell { width: 8.0, height: 0.0, x: 0.0, layer, up: Vec::new(), down: Vec::new() });
        }
        path.push(edge.to);
        for pair in path.windows(2) {
            cells[pair[0]].down.push(pair[1]);
            cells[pair[1]].up.push(pair[0]);
        }
        paths.push((**edge, path));
    }
    let depth = cells.iter().map(|c| c.layer + 1).max().unwrap_or(0);
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); depth];
    for (i, cell) in cells.iter().enumerate() {
        layers[cell.layer].push(i);
    }
    order(&mut layers, &cells);
    columns(&layers, &mut cells);
    let mut top = 0.0;
    let mut tops = Vec::new();
    for layer in &layers {
        let height = layer.iter().map(|&i| cells[i].height).fold(0.0, f64::max);
        tops.push((top, height));
        top += height + GAP_Y;
    }
    // In the middle of its layer, so that edges arrive at equal heights on both sides.
    let y = |i: usize| {
        let (top, height) = tops[cells[i].layer];
        top + (height - cells[i].height) / 2.0
    };
    let at = (0..sizes.len()).map(|i| (cells[i].x, y(i))).collect();
    let middle = |i: usize| cells[i].x + cells[i].width / 2.0;
    let ways = paths
        .iter()
        .map(|(edge, path)| {
            let mut way = vec![(middle(edge.from), y(edge.from) + cells[edge.from].height)];
            for &i in &path[1..path.len() - 1] {
                let (top, height) = tops[cells[i].layer];
                way.push((middle(i), top));
                way.push((middle(i), top + height));
            }
            way.push((middle(edge.to), y(edge.to)));
            (*edge, way)
        })
        .collect();
    let width = cells.iter().map(|c| c.x + c.width).fold(0.0, f64::max);
    Arranged { at, ways, width, height: (top - GAP_Y).max(0.0) }
}

/// Sorts each layer by where its neighbours are, a few times down and up, and keeps the best.
fn order(layers: &mut Vec<Vec<usize>>, cells: &[Cell]) {
    let mut best = (crossings(layers, cells), layers.clone());
    for round in 0..8 {
        let down = round % 2 == 0;
        let mut position = vec![0usize; cells.len()];
        let sequence: Vec<usize> =
            if down { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
        for layer in layers.iter() {
            layer.iter().enumerate().for_each(|(p, &i)| position[i] = p);
        }
        for l in sequence {
            let centre = |&i: &usize| {
                let near = if down { &cells[i].up } else { &cells[i].down };
                let sum: usize = near.iter().map(|&n| position[n]).sum();
                if near.is_empty() { position[i] as f64 } else { sum as f64 / near.len() as f64 }
            };
            layers[l].sort_by(|a, b| centre(a).total_cmp(&centre(b)));
            layers[l].iter().enumerate().for_each(|(p, &i)| position[i] = p);
        }
        let count = crossings(layers, cells);
        if count < best.0 {
            best = (count, layers.clone());
        }
    }
    *layers = best.1;
}

fn crossings(layers: &[Vec<usize>], cells: &[Cell]) -> usize {
    let mut position = vec![0usize; cells.len()];
    for layer in layers {
        layer.iter().enumerate().for_each(|(p, &i)| position[i] = p);
    }
    let mut count = 0;
    for layer in layers {
        let edges: Vec<(usize, usize)> = layer
            .iter()
            .flat_map(|&i| cells[i].down.iter().map(move |&d| (i, d)))
            .map(|(a, b)| (position[a], position[b]))
            .collect();
        for (n, a) in edges.iter().enumerate() {
            count += edges[n + 1..]
                .iter()
                .filter(|b| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1))
                .count();
        }
    }
    count
}

/// Columns: each cell goes towards the middle of its neighbours, as far as those beside it leave room.
fn columns(layers: &[Vec<usize>], cells: &mut [Cell]) {
    for layer in layers {
        let mut x = 0.0;
        for &i in layer {
            cells[i].x = x;
            x += cells[i].width + GAP_X;
        }
        let middle = (x - GAP_X) / 2.0;
        layer.iter().for_each(|&i| cells[i].x -= middle);
    }
    for round in 0..16 {
        let down = round % 2 == 0;
        for l in 0..layers.len() {
            let layer = if down { &layers[l] } else { &layers[layers.len() - 1 - l] };
            let wanted: Vec<f64> = layer
                .iter()
                .map(|&i| {
                    let near = if down { &cells[i].up } else { &cells[i].down };
                    let near =
                        if near.is_empty() { if down { &cells[i].down } else { &cells[i].up } } else { near };
                    let middles: f64 = near.iter().map(|&n| cells[n].x + cells[n].width / 2.0).sum();
                    if near.is_empty() {
                        cells[i].x
                    } else {
                        middles / near.len() as f64 - cells[i].width / 2.0
                    }
                })
                .collect();
            spread(layer, &wanted, cells);
        }
    }
    let left = cells.iter().map(|c| c.x).fold(f64::INFINITY, f64::min);
    cells.iter_mut().for_each(|c| c.x -= left);
}

/// Puts a layer's cells as near to where they want to be as their order and widths allow: those that would overlap
/// move together, by the mean of what they want.
fn spread(layer: &[usize], wanted: &[f64], cells: &mut [Cell]) {
    // Runs of touching cells: the sum of wanted starts, how many, the run's width.
    let mut runs: Vec<(f64, usize, f64)> = Vec::new();
    for (n, &i) in layer.iter().enumerate() {
        let mut run = (wanted[n], 1, cells[i].width + GAP_X);
        while let Some(last) = runs.last() {
            if last.0 / last.1 as f64 + last.2 <= run.0 / run.1 as f64 {
                break;
            }
            // What the later ones want of the run's start is less by the width before them.
            run = (last.0 + run.0 - last.2 * run.1 as f64, last.1 + run.1, last.2 + run.2);
            runs.pop();
        }
        runs.push(run);
    }
    let mut next = 0;
    for (sum, count, _) in runs {
        let mut x = sum / count as f64;
        for &i in &layer[next..next + count] {
            cells[i].x = x;
            x += cells[i].width + GAP_X;
        }
        next += count;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::graph::Look;

    fn block(id: String, children: Vec<Block>, edges: Vec<(usize, usize)>) -> Block {
        let count = children.len();
        let edge = |(a, b): (usize, usize)| Edge { from: a % count, to: b % count, dashed: false };
        let edges = if count > 1 {
            edges.into_iter().map(edge).filter(|e| e.from < e.to).collect()
        } else {
            Vec::new()
        };
        let lines = vec!["what it does, in a phrase that may be long".repeat(id.len() % 3)];
        Block {
            name: id.clone(),
            id,
            lines,
            look: Look::Read,
            pivot: false,
            undo: None,
            status: None,
            children,
            edges,
        }
    }

    fn any_block() -> impl Strategy<Value = Block> {
        let leaf = "[a-z_]{1,30}".prop_map(|id| block(id, Vec::new(), Vec::new()));
        leaf.prop_recursive(3, 40, 8, |inner| {
            (vec(inner, 1..8), vec((0..8usize, 0..8usize), 0..14), "[a-z_]{1,30}")
                .prop_map(|(children, edges, id)| block(id, children, edges))
        })
    }

    fn check(placed: &Placed<'_>) {
        for (n, a) in placed.children.iter().enumerate() {
            assert!(a.x >= placed.x && a.y >= placed.y, "a child begins inside");
            assert!(a.x + a.width <= placed.x + placed.width + 0.01, "a child ends inside: {a:?}");
            assert!(a.y + a.height <= placed.y + placed.height + 0.01, "a child ends inside");
            for b in &placed.children[n + 1..] {
                let apart = a.x + a.width < b.x
                    || b.x + b.width < a.x
                    || a.y + a.height < b.y
                    || b.y + b.height < a.y;
                assert!(apart, "{} and {} overlap", a.block.id, b.block.id);
            }
            check(a);
        }
        assert_eq!(placed.ways.len(), placed.block.edges.len());
        for (edge, way) in &placed.ways {
            let (from, to) = (&placed.children[edge.from], &placed.children[edge.to]);
            assert!(way.windows(2).all(|w| w[0].1 <= w[1].1 + 0.01), "an edge only goes down");
            let ends = (way[0].1 - from.y - from.height, way[way.len() - 1].1 - to.y);
            assert!(ends.0.abs() < 0.01 && ends.1.abs() < 0.01, "an edge goes from border to border");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_overlaps_and_edges_go_down(block in any_block()) {
            check(&place(&block));
        }
    }
}
