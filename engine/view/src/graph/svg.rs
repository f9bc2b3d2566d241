//! The picture as SVG: one self-contained element, for light and dark pages.

use std::fmt::Write as _;

use super::{
    Block, Graph, Look, Undo,
    layout::{LINE, Placed, place},
};
use crate::{Status, markup::escape};

const MARGIN: f64 = 16.0;
const LEGEND: f64 = 24.0;

/// An `<svg>` element. `legend`: whether colours are explained below.
pub fn svg(graph: &Graph, legend: bool) -> String {
    let mut root = place(&graph.root);
    // The root is a list without a border of its own.
    let (left, top) = root
        .children
        .iter()
        .fold((f64::INFINITY, f64::INFINITY), |(x, y), c| (f64::min(x, c.x), f64::min(y, c.y)));
    if !root.children.is_empty() {
        root.shift(MARGIN - left, MARGIN - top);
    }
    let (right, bottom) = root
        .children
        .iter()
        .fold((0.0, 0.0), |(x, y), c| (f64::max(x, c.x + c.width), f64::max(y, c.y + c.height)));
    let keys = if legend { keys(graph) } else { Vec::new() };
    let wanted: f64 = keys.iter().map(|(_, width)| width).sum();
    let width = (right + MARGIN).max((wanted + 2.0 * MARGIN).min(460.0));
    root.shift(((width - MARGIN - right) / 2.0).max(0.0), 0.0);
    let key = in_rows(keys, width);
    let rows = key.last().map_or(0, |((_, row), _)| row + 1);
    let height = bottom + MARGIN + if rows > 0 { rows as f64 * LEGEND + 8.0 } else { 0.0 };
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\" aria-label=\"{}\">",
        escape(&format!("Steps of {}", graph.title))
    );
    let _ = write!(out, "<style>{STYLE}</style>");
    out.push_str(
        "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>",
    );
    let _ = write!(out, "<rect class=\"page\" width=\"{width:.0}\" height=\"{height:.0}\"/>");
    edges(&mut out, &root);
    root.children.iter().for_each(|child| draw(&mut out, child));
    for ((x, row), text) in key {
        let y = bottom + MARGIN + row as f64 * LEGEND;
        let _ = write!(out, "<g transform=\"translate({x:.1} {y:.1})\">{text}</g>");
    }
    out.push_str("</svg>");
    out
}

fn draw(out: &mut String, placed: &Placed<'_>) {
    let block = placed.block;
    let kind = if block.is_box() { "box" } else { "step" };
    let pivot = if block.pivot { " pivot" } else { "" };
    let status = block.status.map_or_else(String::new, |s| format!(" s-{}", s.code()));
    let _ = write!(out, "<g class=\"{kind} {}{pivot}{status}\">", block.look.class());
    shape(out, placed);
    text(out, placed);
    if block.is_box() {
        edges(out, placed);
        placed.children.iter().for_each(|child| draw(out, child));
    }
    out.push_str("</g>");
}

fn shape(out: &mut String, placed: &Placed<'_>) {
    let Placed { x, y, width, height, block, .. } = placed;
    let (right, bottom) = (x + width, y + height);
    if block.look == Look::Gate && !block.is_box() {
        // Cut corners: a gate.
        let c = 10.0;
        let _ = write!(
            out,
            "<path d=\"M{:.1} {y:.1}H{:.1}L{right:.1} {:.1}V{:.1}L{:.1} {bottom:.1}H{:.1}L{x:.1} {:.1}V{:.1}z\"/>",
            x + c,
            right - c,
            y + c,
            bottom - c,
            right - c,
            x + c,
            bottom - c,
            y + c
        );
        return;
    }
    let round = if block.look == Look::Wait { height / 2.0 } else { 6.0 };
    let round = round.min(18.0);
    if block.look == Look::Each {
        // A second sheet behind it: there are several.
        let _ = write!(
            out,
            "<rect class=\"sheet\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\"/>",
            x + 5.0,
            y + 5.0
        );
    }
    let _ = write!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\"/>"
    );
}

fn text(out: &mut String, placed: &Placed<'_>) {
    let block = placed.block;
    let names = crate::wrap(&block.name, 34).len();
    let undo_from = placed.lines.len()
        - usize::from(block.pivot)
        - match &block.undo {
            Some(Undo::Yes(text)) => crate::wrap(&format!("↩ {text}"), 34).len(),
            Some(Undo::No(text)) => crate::wrap(&format!("no undo: {text}"), 34).len(),
            None => 0,
        };
    for (n, line) in placed.lines.iter().enumerate() {
        let y = placed.y + 18.0 + n as f64 * LINE;
        let pivot = block.pivot && n + 1 == placed.lines.len();
        let class = if pivot {
            "warn"
        } else if n < names {
            "name"
        } else if n >= undo_from && matches!(block.undo, Some(Undo::No(_))) {
            "warn"
        } else if n >= undo_from {
            "undo"
        } else {
            "what"
        };
        let (x, anchor) = if block.is_box() {
            (placed.x + 10.0, "start")
        } else {
            (placed.x + placed.width / 2.0, "middle")
        };
        let prefix = if n == 0 { block.look.kind() } else { "" };
        let mark = if n == 0 { block.status.map_or("", sign) } else { "" };
        let _ = write!(
            out,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}{mark}{}</text>",
            if prefix.is_empty() { String::new() } else { format!("<tspan class=\"what\">{prefix}</tspan>") },
            escape(line)
        );
    }
}

fn sign(status: Status) -> &'static str {
    match status {
        Status::Waiting | Status::Preparing | Status::NotStarted | Status::Skipped => "",
        other => match crate::mark(other, false, false).0 {
            "✓" => "✓ ",
            "✗" => "✗ ",
            "?" => "? ",
            "!" => "! ",
            "◐" => "◐ ",
            _ => "",
        },
    }
}

fn edges(out: &mut String, placed: &Placed<'_>) {
    for (edge, way) in &placed.ways {
        let Some(((x, y), rest)) = way.split_first() else { continue };
        let mut d = format!("M{x:.1} {y:.1}");
        let (mut px, mut py) = (*x, *y);
        for (x, y) in rest {
            if (px - x).abs() < 0.5 {
                let _ = write!(d, "V{y:.1}");
            } else {
                let middle = (py + y) / 2.0;
                let _ = write!(d, "C{px:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}");
            }
            (px, py) = (*x, *y);
        }
        let dashed = if edge.dashed { " dashed" } else { "" };
        let _ = write!(out, "<path class=\"edge{dashed}\" d=\"{d}\" marker-end=\"url(#arrow)\"/>");
    }
}

/// The legend's entries and how wide each is.
fn keys(graph: &Graph) -> Vec<(String, f64)> {
    let mut keys: Vec<(String, f64)> = graph
        .looks()
        .into_iter()
        .map(|look| {
            let words = look.words();
            let text = format!(
                "<g class=\"step {}\"><rect x=\"0\" y=\"6\" width=\"16\" height=\"12\" rx=\"3\"/>\
                 <text class=\"what\" x=\"22\" y=\"16\">{words}</text></g>",
                look.class()
            );
            (text, 44.0 + words.len() as f64 * 6.6)
        })
        .collect();
    let mut undo = false;
    let mut pivot = false;
    graph.root.walk(&mut |block: &Block| {
        undo |= matches!(block.undo, Some(Undo::Yes(_)));
        pivot |= block.pivot;
    });
    if undo {
        keys.push(("<text class=\"undo\" x=\"0\" y=\"16\">↩ how it is undone</text>".into(), 126.0));
    }
    if pivot {
        let text = "<g class=\"step write pivot\"><rect x=\"1\" y=\"6\" width=\"16\" height=\"12\" rx=\"3\"/>\
                    <text class=\"what\" x=\"24\" y=\"16\">point of no return</text></g>";
        keys.push((text.into(), 160.0));
    }
    keys
}

/// Where each entry goes: x, and the row.
fn in_rows(keys: Vec<(String, f64)>, width: f64) -> Vec<((f64, usize), String)> {
    let (mut x, mut row) = (MARGIN, 0);
    keys.into_iter()
        .map(|(text, wide)| {
            if x + wide > width && x > MARGIN {
                (x, row) = (MARGIN, row + 1);
            }
            let at = (x, row);
            x += wide;
            (at, text)
        })
        .collect()
}

/// Colours: blue reads, orange changes, violet tells, green waits, yellow decides.
const STYLE: &str = "\
.graph{--page:#fff;--ink:#18181b;--soft:#52525b;--line:#a1a1aa;--pure:#f4f4f5;--pure-l:#a1a1aa;--read:#e0f2fe;--read-l:#0284c7;\
--write:#ffedd5;--write-l:#ea580c;--notify:#f3e8ff;--notify-l:#9333ea;--wait:#ccfbf1;--wait-l:#0d9488;--gate:#fef9c3;\
--gate-l:#ca8a04;--box:#fafafa;--undo:#15803d;--warn:#b91c1c;font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}\
@media(prefers-color-scheme:dark){.graph{--page:#18181b;--ink:#f4f4f5;--soft:#a1a1aa;--line:#71717a;--pure:#27272a;--pure-l:#71717a;\
--read:#0c2a3d;--read-l:#38bdf8;--write:#3b1d0c;--write-l:#fb923c;--notify:#2d1842;--notify-l:#c084fc;--wait:#0b302c;--wait-l:#2dd4bf;\
--gate:#332b08;--gate-l:#facc15;--box:#1f1f23;--undo:#4ade80;--warn:#f87171}}\
.graph .page{fill:var(--page)}.graph text{fill:var(--ink)}.graph .name{font-weight:600}.graph .what{fill:var(--soft);font-weight:400}\
.graph .undo{fill:var(--undo)}.graph .warn{fill:var(--warn)}\
.graph .edge{fill:none;stroke:var(--line);stroke-width:1.4}.graph .dashed{stroke-dasharray:5 4}.graph .tip{fill:var(--line)}\
.graph .step>rect,.graph .step>path:not(.edge){fill:var(--pure);stroke:var(--pure-l);stroke-width:1.2}\
.graph .read>rect{fill:var(--read);stroke:var(--read-l)}.graph .write>rect{fill:var(--write);stroke:var(--write-l)}\
.graph .notify>rect{fill:var(--notify);stroke:var(--notify-l)}.graph .wait>rect{fill:var(--wait);stroke:var(--wait-l)}\
.graph .step.gate>path:not(.edge),.graph .gate>rect{fill:var(--gate);stroke:var(--gate-l)}\
.graph .box>rect{fill:var(--box);stroke:var(--line);stroke-width:1.2}.graph .list>rect{fill:none;stroke-dasharray:5 4}\
.graph .pivot>rect{stroke:var(--warn);stroke-width:3}\
.graph .s-failed>rect,.graph .s-not_done>rect{stroke:var(--warn);stroke-width:3}\
.graph .s-not_started,.graph .s-skipped{opacity:.5}";
