//! What ran when, as SVG: a bar per step over run-elapsed time, undos below, gaps without an executor hatched.

use std::fmt::Write as _;

use super::Report;
use crate::{Node, Status, markup::escape, moment};

const ROW: f64 = 20.0;
const LABELS: f64 = 230.0;
const BARS: f64 = 620.0;
const TAIL: f64 = 70.0;
const TOP: f64 = 28.0;
/// With more rows than this, groups stand for their steps.
const MANY: usize = 60;

struct Bar<'t, 'a> {
    node: &'t Node<'a>,
    undo: bool,
}

/// An `<svg>` element; nothing where nothing ran.
pub(super) fn gantt(report: &Report<'_>) -> String {
    let bars = bars(report);
    let total = until(report).max(1);
    if bars.is_empty() {
        return String::new();
    }
    let width = LABELS + BARS + TAIL;
    let height = TOP + bars.len() as f64 * ROW + 8.0;
    let x = |ms: u64| LABELS + ms.min(total) as f64 / total as f64 * BARS;
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"gantt\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" \
         aria-label=\"What ran when\"><defs><pattern id=\"gap\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect class=\"hatch\" width=\"2\" height=\"6\"/></pattern></defs>"
    );
    for (ms, label) in ticks(total) {
        let at = x(ms);
        let _ = write!(
            out,
            "<path class=\"tick\" d=\"M{at:.1} {:.1}V{:.1}\"/><text class=\"axis\" x=\"{at:.1}\" y=\"14\" text-anchor=\"middle\">{label}</text>",
            TOP - 8.0,
            height - 4.0
        );
    }
    for &(from, to) in &report.run.gaps {
        let (a, b) = (x(from), x(to));
        let _ = write!(
            out,
            "<rect x=\"{a:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"url(#gap)\"><title>no executor</title></rect>",
            TOP - 8.0,
            (b - a).max(1.0),
            height - TOP
        );
    }
    for (n, bar) in bars.iter().enumerate() {
        row(&mut out, report, bar, TOP + n as f64 * ROW, &x);
    }
    out.push_str("</svg>");
    out
}

/// Run-elapsed time up to which something is known: nothing happens while nobody executes the run.
fn until(report: &Report<'_>) -> u64 {
    match report.run.last {
        Some(last) if report.interrupted() => last.elapsed_ms,
        _ => report.run.elapsed_ms(report.now),
    }
}

fn row(out: &mut String, report: &Report<'_>, bar: &Bar<'_, '_>, y: f64, x: &dyn Fn(u64) -> f64) {
    let node = bar.node;
    let elapsed = until(report);
    let Some(began) = node.began else { return };
    let end = node.ended.map_or(elapsed, |e| e.elapsed_ms);
    let class = match node.status {
        _ if bar.undo && node.status == Status::Done => "undo",
        Status::Done => "ok",
        Status::DoneWithFailures => "warn",
        Status::Failed | Status::NotDone if node.tolerated() => "warn",
        Status::Failed | Status::NotDone => "bad",
        Status::InDoubt => "warn",
        status if status.is_active() => "now",
        _ => "dim",
    };
    let people = if node.is_human() { " people" } else { "" };
    let label = fit(&node.path, 34);
    let (a, b) = (x(began.elapsed_ms), x(end));
    let width = (b - a).max(2.0);
    let took = moment::length(end.saturating_sub(began.elapsed_ms));
    let _ = write!(
        out,
        "<g class=\"{class}{people}\"><title>{}: {}, {took}</title><text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{a:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"2\"/>\
         <text class=\"took\" x=\"{:.1}\" y=\"{:.1}\">{took}</text></g>",
        escape(&node.path),
        node.status.words(),
        LABELS - 10.0,
        y + 13.0,
        escape(&label),
        y + 3.0,
        ROW - 7.0,
        a + width + 5.0,
        y + 13.0
    );
}

fn bars<'t, 'a>(report: &'t Report<'a>) -> Vec<Bar<'t, 'a>> {
    let began = |n: &&Node<'_>| n.began.is_some() && n.status != Status::Skipped;
    let mut nodes: Vec<&Node<'a>> =
        report.steps().into_iter().map(|(_, n)| n).filter(|n| !n.is_scope()).filter(began).collect();
    let undo: Vec<&Node<'a>> =
        report.undo_steps().into_iter().filter(|n| !n.is_scope()).filter(began).collect();
    if nodes.len() + undo.len() > MANY {
        nodes = report
            .steps()
            .into_iter()
            .filter(|(depth, _)| *depth == 0)
            .map(|(_, n)| n)
            .filter(began)
            .collect();
    }
    let mut bars: Vec<Bar<'t, 'a>> = nodes.into_iter().map(|node| Bar { node, undo: false }).collect();
    bars.extend(undo.into_iter().map(|node| Bar { node, undo: true }));
    bars.sort_by_key(|b| b.node.began.map(|s| s.seq));
    bars.truncate(2 * MANY);
    bars
}

/// Round times along the axis, about six.
fn ticks(total: u64) -> Vec<(u64, String)> {
    const STEPS: [u64; 20] = [
        10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
        600_000, 1_800_000, 3_600_000, 14_400_000, 86_400_000,
    ];
    let step = STEPS.into_iter().find(|s| total / s <= 7).unwrap_or(total.div_ceil(6).max(1));
    (0..=total / step).map(|n| (n * step, label(n * step))).collect()
}

fn label(ms: u64) -> String {
    match ms {
        0 => "0".into(),
        ms if ms % 1000 != 0 => format!("{:.2}s", ms as f64 / 1000.0).replace("0s", "s"),
        ms if ms < 60_000 => format!("{}s", ms / 1000),
        ms => moment::length(ms),
    }
}

/// The end of a path says more than its beginning.
fn fit(path: &str, columns: usize) -> String {
    let count = path.chars().count();
    if count <= columns {
        return path.to_owned();
    }
    let tail: String = path.chars().skip(count - columns + 1).collect();
    format!("…{tail}")
}
