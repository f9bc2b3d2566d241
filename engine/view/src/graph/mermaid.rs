//! The picture in Mermaid, as code hosts and wikis draw it.

use std::fmt::Write as _;

use super::{Block, Graph, Look, Undo};

/// A Mermaid flowchart.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    for block in &graph.root.children {
        write_block(&mut out, block, 1);
    }
    write_edges(&mut out, &graph.root, 1);
    for (class, fill, stroke) in [
        ("pure", "#f4f4f5", "#71717a"),
        ("read", "#e0f2fe", "#0369a1"),
        ("write", "#ffedd5", "#c2410c"),
        ("notify", "#f3e8ff", "#7e22ce"),
        ("wait", "#ccfbf1", "#0f766e"),
        ("gate", "#fef9c3", "#a16207"),
    ] {
        let _ = writeln!(out, "  classDef {class} fill:{fill},stroke:{stroke},color:#18181b");
    }
    out.push_str("  classDef pivot stroke:#b91c1c,stroke-width:4px\n");
    out
}

fn write_block(out: &mut String, block: &Block, depth: usize) {
    let pad = "  ".repeat(depth);
    if block.is_box() {
        let _ = writeln!(out, "{pad}subgraph {}[\"{}\"]", block.id, label(block));
        for child in &block.children {
            write_block(out, child, depth + 1);
        }
        write_edges(out, block, depth + 1);
        let _ = writeln!(out, "{pad}end");
        return;
    }
    let (open, close) = match block.look {
        Look::Gate => ("{{", "}}"),
        Look::Wait => ("([", "])"),
        Look::Each => ("[[", "]]"),
        Look::Switch => ("{", "}"),
        _ => ("[", "]"),
    };
    let pivot = if block.pivot { ":::pivot" } else { "" };
    let class = match block.look {
        Look::Group | Look::Call | Look::Each | Look::Switch | Look::List => String::new(),
        look => format!(":::{}", look.class()),
    };
    let _ = writeln!(out, "{pad}{}{open}\"{}\"{close}{class}", block.id, label(block));
    if !pivot.is_empty() {
        let _ = writeln!(out, "{pad}class {} pivot", block.id);
    }
}

fn write_edges(out: &mut String, parent: &Block, depth: usize) {
    let pad = "  ".repeat(depth);
    for edge in &parent.edges {
        let arrow = if edge.dashed { "-.->" } else { "-->" };
        let _ =
            writeln!(out, "{pad}{} {arrow} {}", parent.children[edge.from].id, parent.children[edge.to].id);
    }
}

fn label(block: &Block) -> String {
    let mut lines = vec![format!("{}<b>{}</b>", block.look.kind(), escape(&block.name))];
    lines.extend(block.lines.iter().map(|l| escape(l)));
    match &block.undo {
        Some(Undo::Yes(text)) => lines.push(format!("<i>undo: {}</i>", escape(text))),
        Some(Undo::No(text)) => lines.push(format!("<i>no undo: {}</i>", escape(text))),
        None => {}
    }
    if block.pivot {
        lines.push("<b>point of no return</b>".into());
    }
    // The title of a subgraph has room for one line only.
    lines.join(if block.is_box() { " · " } else { "<br>" })
}

/// Inside a quoted label: entities are written `#name;`, so that no character of a label is syntax.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '#' => out.push_str("#35;"),
            '`' => out.push_str("#96;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
