//! The picture in Graphviz' language.

use std::fmt::Write as _;

use super::{Block, Graph, Look, Undo};
use crate::wrap;

/// A Graphviz digraph.
pub fn dot(graph: &Graph) -> String {
    let mut out = format!("digraph {} {{\n", quote(&graph.title));
    out.push_str("  graph [compound=true, rankdir=TB, fontname=\"Helvetica\", fontsize=11, nodesep=0.35, ranksep=0.4]\n");
    out.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11, margin=\"0.14,0.08\"]\n");
    out.push_str("  edge [color=\"#71717a\", arrowsize=0.7]\n");
    for block in &graph.root.children {
        write_block(&mut out, block, 1);
    }
    write_edges(&mut out, &graph.root, 1);
    out.push_str("}\n");
    out
}

fn write_block(out: &mut String, block: &Block, depth: usize) {
    let pad = "  ".repeat(depth);
    if block.is_box() {
        let _ = writeln!(out, "{pad}subgraph {} {{", quote(&format!("cluster_{}", block.id)));
        let dashed = if block.look == Look::List { ", style=\"rounded,dashed\"" } else { ", style=rounded" };
        let _ =
            writeln!(out, "{pad}  graph [label={}, labeljust=l, color=\"#a1a1aa\"{dashed}]", label(block));
        for child in &block.children {
            write_block(out, child, depth + 1);
        }
        write_edges(out, block, depth + 1);
        let _ = writeln!(out, "{pad}}}");
        return;
    }
    let (fill, line) = match block.look {
        Look::Read => ("#e0f2fe", "#0369a1"),
        Look::Write => ("#ffedd5", "#c2410c"),
        Look::Notify => ("#f3e8ff", "#7e22ce"),
        Look::Wait => ("#ccfbf1", "#0f766e"),
        Look::Gate => ("#fef9c3", "#a16207"),
        _ => ("#f4f4f5", "#71717a"),
    };
    let shape = if block.look == Look::Gate { ", shape=octagon, style=filled" } else { "" };
    let line = if block.pivot { "#b91c1c\", penwidth=\"3" } else { line };
    let _ = writeln!(
        out,
        "{pad}{} [label={}, fillcolor=\"{fill}\", color=\"{line}\"{shape}]",
        quote(&block.id),
        label(block)
    );
}

/// An edge between boxes goes between steps in them, cut off at the boxes' borders.
fn write_edges(out: &mut String, parent: &Block, depth: usize) {
    let pad = "  ".repeat(depth);
    for edge in &parent.edges {
        let (from, to) = (&parent.children[edge.from], &parent.children[edge.to]);
        let mut attributes = Vec::new();
        if from.is_box() {
            attributes.push(format!("ltail={}", quote(&format!("cluster_{}", from.id))));
        }
        if to.is_box() {
            attributes.push(format!("lhead={}", quote(&format!("cluster_{}", to.id))));
        }
        if edge.dashed {
            attributes.push("style=dashed".into());
        }
        let attributes =
            if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(", ")) };
        let _ = writeln!(out, "{pad}{} -> {}{attributes}", quote(&last(from).id), quote(&first(to).id));
    }
}

fn first(block: &Block) -> &Block {
    block.children.first().map_or(block, first)
}

fn last(block: &Block) -> &Block {
    block.children.last().map_or(block, last)
}

fn label(block: &Block) -> String {
    let mut lines = vec![format!("{}{}", block.look.kind(), block.name)];
    lines.extend(block.lines.iter().flat_map(|l| wrap(l, 34)));
    match &block.undo {
        Some(Undo::Yes(text)) => lines.extend(wrap(&format!("undo: {text}"), 34)),
        Some(Undo::No(text)) => lines.extend(wrap(&format!("no undo: {text}"), 34)),
        None => {}
    }
    if block.pivot {
        lines.push("POINT OF NO RETURN".into());
    }
    let lines: Vec<String> = lines.iter().map(|l| l.replace('\\', "\\\\").replace('"', "\\\"")).collect();
    // In a box the title stands on the left, each line ended by `\l`.
    if block.is_box() {
        format!("\"{}\\l\"", lines.join("\\l"))
    } else {
        format!("\"{}\"", lines.join("\\n"))
    }
}

/// A quoted identifier.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " "))
}
