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
         height=\"{height:.0}\" font-family=\"system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"{}\">",
        escape(&format!("Steps of {}", graph.title))
    );
    let _ = write!(out, "<style>{}</style>", style());
    let _ = write!(
        out,
        "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path {} d=\"M0 0L8 4L0 8z\"/></marker></defs>",
        ink(LINE_COLOUR, false)
    );
    let _ = write!(out, "<rect {} width=\"{width:.0}\" height=\"{height:.0}\"/>", ink(PAGE, false));
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
    let faint = matches!(block.status, Some(Status::NotStarted | Status::Skipped));
    out.push_str(if faint { "<g opacity=\"0.5\">" } else { "<g>" });
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
    let failed = matches!(block.status, Some(Status::Failed | Status::NotDone));
    let paint = paint(block.look, block.is_box(), block.pivot || failed);
    if block.look == Look::Gate && !block.is_box() {
        // Cut corners: a gate.
        let c = 10.0;
        let _ = write!(
            out,
            "<path {paint} d=\"M{:.1} {y:.1}H{:.1}L{right:.1} {:.1}V{:.1}L{:.1} {bottom:.1}H{:.1}L{x:.1} {:.1}V{:.1}z\"/>",
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
            "<rect {paint} x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\"/>",
            x + 5.0,
            y + 5.0
        );
    }
    let _ = write!(
        out,
        "<rect {paint} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\"/>"
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
        let ink = if pivot {
            ink(WARN, false)
        } else if n < names {
            ink(INK, true)
        } else if n >= undo_from && matches!(block.undo, Some(Undo::No(_))) {
            ink(WARN, false)
        } else if n >= undo_from {
            ink(UNDO, false)
        } else {
            ink(SOFT, false)
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
            "<text {ink} x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}{mark}{}</text>",
            if prefix.is_empty() {
                String::new()
            } else {
                format!(
                    "<tspan {} font-weight=\"400\">{}</tspan>",
                    self::ink(SOFT, false),
                    prefix.replace(' ', "\u{a0}")
                )
            },
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
        let dashed = if edge.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let (class, line) = (dark("l", LINE_COLOUR), LINE_COLOUR.0);
        let _ = write!(
            out,
            "<path class=\"{class}\" fill=\"none\" stroke=\"{line}\" stroke-width=\"1.4\"{dashed} d=\"{d}\" marker-end=\"url(#arrow)\"/>"
        );
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
                "<rect {} x=\"0\" y=\"6\" width=\"16\" height=\"12\" rx=\"3\"/><text {} x=\"22\" y=\"16\">{words}</text>",
                paint(look, false, false),
                ink(SOFT, false)
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
        let text = format!("<text {} x=\"0\" y=\"16\">↩ how it is undone</text>", ink(UNDO, false));
        keys.push((text, 126.0));
    }
    if pivot {
        let text = format!(
            "<rect {} x=\"1\" y=\"6\" width=\"16\" height=\"12\" rx=\"3\"/>\
             <text {} x=\"24\" y=\"16\">point of no return</text>",
            paint(Look::Write, false, true),
            ink(SOFT, false)
        );
        keys.push((text, 160.0));
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

/// A colour on a light page and on a dark one.
type Colour = (&'static str, &'static str);

const PAGE: Colour = ("#ffffff", "#18181b");
const INK: Colour = ("#18181b", "#f4f4f5");
const SOFT: Colour = ("#52525b", "#a1a1aa");
const LINE_COLOUR: Colour = ("#a1a1aa", "#71717a");
const UNDO: Colour = ("#15803d", "#4ade80");
const WARN: Colour = ("#b91c1c", "#f87171");

/// How a block is filled and drawn: blue reads, orange changes, violet tells, green waits, yellow decides.
fn colours(look: Look, is_box: bool) -> (Colour, Colour) {
    match look {
        Look::List => (("none", "none"), LINE_COLOUR),
        _ if is_box => (("#fafafa", "#1f1f23"), LINE_COLOUR),
        Look::Read => (("#e0f2fe", "#0c2a3d"), ("#0284c7", "#38bdf8")),
        Look::Write => (("#ffedd5", "#3b1d0c"), ("#ea580c", "#fb923c")),
        Look::Notify => (("#f3e8ff", "#2d1842"), ("#9333ea", "#c084fc")),
        Look::Wait => (("#ccfbf1", "#0b302c"), ("#0d9488", "#2dd4bf")),
        Look::Gate => (("#fef9c3", "#332b08"), ("#ca8a04", "#facc15")),
        Look::Pure | Look::Group | Look::Call | Look::Each | Look::Switch => {
            (("#f4f4f5", "#27272a"), ("#a1a1aa", "#71717a"))
        }
    }
}

/// Attributes of a shape. Colours are written out, since few renderers but browsers know variables; classes only say
/// what a dark page shows instead.
fn paint(look: Look, is_box: bool, strong: bool) -> String {
    let (fill, line) = colours(look, is_box);
    let (line, width) = if strong { (WARN, "3") } else { (line, "1.2") };
    let dash = if look == Look::List { " stroke-dasharray=\"5 4\"" } else { "" };
    format!(
        "class=\"{} {}\" fill=\"{}\" stroke=\"{}\" stroke-width=\"{width}\"{dash}",
        dark("f", fill),
        dark("l", line),
        fill.0,
        line.0
    )
}

/// Attributes of a text.
fn ink(colour: Colour, bold: bool) -> String {
    let weight = if bold { " font-weight=\"600\"" } else { "" };
    format!("class=\"{}\" fill=\"{}\"{weight}", dark("f", colour), colour.0)
}

/// The class of a colour: `f` fills, `l` draws.
fn dark(what: &str, colour: Colour) -> String {
    format!("{what}{}", colour.1.trim_start_matches('#'))
}

/// What a dark page shows instead.
fn style() -> String {
    let looks = [Look::Pure, Look::Read, Look::Write, Look::Notify, Look::Wait, Look::Gate];
    let plain = looks.iter().map(|look| colours(*look, false));
    let all = plain.chain([
        colours(Look::Group, true),
        (PAGE, LINE_COLOUR),
        (INK, WARN),
        (SOFT, WARN),
        (UNDO, WARN),
        (WARN, WARN),
        (LINE_COLOUR, WARN),
    ]);
    let mut rules: Vec<String> = all
        .flat_map(|(fill, line)| {
            [
                format!(".graph .{}{{fill:{}}}", dark("f", fill), fill.1),
                format!(".graph .{}{{stroke:{}}}", dark("l", line), line.1),
            ]
        })
        .collect();
    rules.sort();
    rules.dedup();
    format!("@media screen and (prefers-color-scheme:dark){{{}}}", rules.concat())
}
