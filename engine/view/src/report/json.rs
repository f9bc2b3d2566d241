//! The report as JSON: what `show -o json` says, and the timeline.

use serde_json::{Value, json};

use super::Report;
use crate::{Weight, json as view, moment};

/// The report as JSON.
pub fn json(report: &Report<'_>) -> Value {
    let mut all = view::show(report.run, report.now);
    let Value::Object(map) = &mut all else { return all };
    let decisions = report.decisions().into_iter().map(|d| {
        json!({
            "about": d.about,
            "question": d.question.text,
            "asked": moment::rfc3339(d.question.asked.wall_ms),
            "answers": d.answers.into_iter().map(view::given).collect::<Vec<_>>(),
        })
    });
    map.insert("headline".into(), report.headline().into());
    map.insert("decisions".into(), decisions.collect());
    let timeline = report.timeline.said.iter().map(|said| {
        let command = said.command.as_ref().map_or_else(String::new, |command| format!(": {command}"));
        json!({
            "time": moment::rfc3339(said.at.wall_ms),
            "elapsed_ms": said.at.elapsed_ms,
            "path": Some(&said.about).filter(|a| !a.is_empty()),
            "text": format!("{}{command}", said.text),
            "weight": match said.weight {
                Weight::Detail => "detail",
                Weight::Step => "step",
                Weight::Milestone => "milestone",
            },
        })
    });
    map.insert("timeline".into(), timeline.collect());
    all
}
