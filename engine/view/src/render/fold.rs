//! Making a long run short.

use super::steps::Row;
use crate::{Line, Tone};

/// How much is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Every step has its line.
    Open,
    /// Groups that are done are one line.
    DoneGroups,
    /// Steps that are done, or have not started, share lines.
    Packed,
}

pub(super) const LEVELS: [Level; 3] = [Level::Open, Level::DoneGroups, Level::Packed];

/// Leaves out the least important rows until `room` lines are left, and says how many.
pub(super) fn clamp(rows: Vec<Row>, room: usize, ascii: bool) -> Vec<Row> {
    if rows.len() <= room {
        return rows;
    }
    let mut keep = vec![false; rows.len()];
    // One line is for saying what is missing.
    let mut left = room.saturating_sub(1);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // What matters most first; of equals the later one, which is nearer to where the run is.
    order.sort_by_key(|&i| (std::cmp::Reverse(rows[i].weight), std::cmp::Reverse(i)));
    for i in order {
        if left == 0 {
            break;
        }
        keep[i] = true;
        left -= 1;
    }
    let missing = keep.iter().filter(|k| !**k).count();
    let first = keep.iter().position(|k| !k).unwrap_or(0);
    let dots = if ascii { "..." } else { "…" };
    let lines = if missing == 1 { "line" } else { "lines" };
    let note = Line::of(Tone::Dim, format!("  {dots} {missing} {lines} not shown"));
    let mut kept = Vec::with_capacity(room);
    for (i, row) in rows.into_iter().enumerate() {
        if i == first {
            kept.push(Row { line: note.clone(), weight: 0 });
        }
        if keep[i] {
            kept.push(row);
        }
    }
    kept
}
