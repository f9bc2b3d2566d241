//! The ROLLBACK section: what comes back, in the order it does.

use unicode_width::UnicodeWidthStr;

use super::{Page, detail, failure_lines};
use crate::{Line, Node, Rollback, Tone, Undoing, moment, summary};

pub(super) fn rollback(page: &Page<'_>) -> Vec<Line> {
    let tree = &page.tree;
    let mut touched: Vec<&Node<'_>> = Vec::new();
    tree.walk(&mut |node| {
        if node.undoing != Undoing::Nothing && node.undoing != Undoing::ByGroup {
            touched.push(node);
        }
    });
    if tree.rollback == Rollback::None && touched.is_empty() {
        return Vec::new();
    }
    // An undo goes in reverse start order.
    touched.sort_by_key(|n| std::cmp::Reverse(n.began.map(|s| s.seq)));
    let mut lines = vec![Line::new(), headline(page, &touched)];
    let (done, rest): (Vec<&Node<'_>>, Vec<&Node<'_>>) =
        touched.iter().copied().partition(|n| n.undoing == Undoing::Undone && touched.len() > 12);
    let names = rest.iter().map(|n| n.path.width()).max().unwrap_or(0).min(32);
    for node in rest {
        lines.extend(one(page, node, names));
    }
    if !done.is_empty() {
        let mut pieces =
            vec![Line::of(Tone::Plain, "  ").with(Tone::Ok, page.sign("✓", "+")).with(Tone::Ok, " undone:")];
        pieces.extend(done.iter().map(|n| Line::of(Tone::Plain, &n.path)));
        lines.extend(page.flow(pieces, 1, 4));
    }
    lines
}

fn headline(page: &Page<'_>, touched: &[&Node<'_>]) -> Line {
    let tree = &page.tree;
    // Without a rollback only what failed in items, as some may, is undone.
    let items = tree.rollback == Rollback::None;
    let mut line = Line::of(Tone::Accent, if items { "ITEMS THAT FAILED" } else { "ROLLBACK" });
    let policy = &tree.run.outline.rollback;
    match &tree.run.rollback_requested {
        Some((by, to, _)) => {
            let to = to.as_ref().map_or_else(String::new, |t| format!(", down to {}", t.path));
            line.push(Tone::Plain, format!("  asked for by {}{to}", by.name));
        }
        None if !policy.is_empty() && !items => line.push(Tone::Plain, format!("  policy {policy}")),
        None => {}
    }
    let count = |wanted: &[Undoing]| touched.iter().filter(|n| wanted.contains(&n.undoing)).count();
    let all = touched
        .iter()
        .filter(|n| !matches!(n.undoing, Undoing::Left | Undoing::Kept | Undoing::Asked))
        .count();
    match tree.rollback {
        Rollback::NothingToUndo if touched.is_empty() => line.push(Tone::Ok, "  nothing to undo"),
        Rollback::NothingToUndo | Rollback::Partial if summary::nothing_undone(tree) => {
            line.push(Tone::Plain, "  nothing undone");
        }
        Rollback::Asked => line.push(Tone::Warn, "  to be decided"),
        Rollback::Declined => line.push(Tone::Warn, "  not run"),
        Rollback::Pending => line.push(Tone::Plain, "  once what runs has finished"),
        _ => {}
    }
    if all > 0 {
        line.push(Tone::Plain, format!("  {} of {all} undone", count(&[Undoing::Undone])));
    }
    let asked = count(&[Undoing::Asked]);
    if asked > 0 && tree.rollback != Rollback::Asked {
        line.push(Tone::Warn, format!("{} {asked} to be decided", if all > 0 { "," } else { " " }));
    }
    let left = count(&[Undoing::Left]);
    if left > 0 && !matches!(tree.rollback, Rollback::Asked | Rollback::Declined) {
        let first = all == 0 && asked == 0 && matches!(tree.rollback, Rollback::None | Rollback::Running);
        line.push(Tone::Warn, format!("{} {left} left", if first { " " } else { "," }));
    }
    let stuck = count(&[Undoing::Failed, Undoing::Refused]);
    if stuck > 0 {
        line.push(Tone::Fail, format!(", {stuck} failed"));
    }
    let blocked = count(&[Undoing::Blocked]);
    if blocked > 0 {
        line.push(Tone::Fail, format!(", {blocked} blocked"));
    }
    line
}

fn one(page: &Page<'_>, node: &Node<'_>, names: usize) -> Vec<Line> {
    let (sign, ascii, tone) = match node.undoing {
        Undoing::Undone => ("✓", "+", Tone::Ok),
        Undoing::Failed | Undoing::Refused => ("✗", "x", Tone::Fail),
        Undoing::Running => ("◐", "*", Tone::Accent),
        Undoing::InDoubt | Undoing::Asked => ("?", "?", Tone::Warn),
        Undoing::Blocked | Undoing::Left | Undoing::Kept => ("!", "!", Tone::Warn),
        Undoing::Pending | Undoing::Nothing | Undoing::ByGroup => ("·", ".", Tone::Dim),
    };
    let mut start = Line::of(Tone::Plain, "  ").with(tone, page.sign(sign, ascii)).with(Tone::Plain, " ");
    start.push(Tone::Plain, &node.path);
    start.pad_to(4 + names);
    let mut pieces = vec![start];
    let active = node.undo.iter().find(|n| n.status.is_active() && n.began.is_some());
    let text = summary::undo_text(node);
    match node.undoing {
        Undoing::Running => {
            if let Some(step) = active {
                if node.undo.len() > 1 || step.label() != "undo" {
                    pieces.push(Line::of(Tone::Plain, step.label()));
                }
                pieces.extend(detail(page, step));
            }
            pieces.push(Line::of(Tone::Dim, text));
        }
        Undoing::Undone => {
            let began = node.undo.iter().filter_map(|n| n.began).min();
            let ended = node.undo.iter().filter_map(|n| n.ended).max();
            let took = began.zip(ended).map(|(b, e)| e.elapsed_ms.saturating_sub(b.elapsed_ms));
            pieces.push(Line::of(
                Tone::Ok,
                took.map_or("undone".into(), |ms| format!("undone in {}", moment::length(ms))),
            ));
            pieces.push(Line::of(Tone::Dim, text));
        }
        Undoing::Failed | Undoing::Refused | Undoing::InDoubt => {
            pieces.push(Line::of(tone, node.undoing.words()));
            let mut lines = page.flow(pieces, 2, 6);
            for failed in node.undo.iter().filter(|n| n.task.is_some_and(|t| t.failure.is_some())) {
                lines.extend(failure_lines(page, failed, 6));
            }
            return lines;
        }
        _ => {
            pieces.push(Line::of(tone, node.undoing.words()));
            if !text.is_empty() {
                pieces.push(Line::of(Tone::Dim, text));
            }
        }
    }
    page.flow(pieces, 2, 6)
}
