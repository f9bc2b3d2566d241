//! Answers from a file: for rehearsals and practice, never where the environment is protected.
//!
//! A YAML map from the path of a step to its answer, `readiness.ready: {development: Ana}`. A path without the keys of
//! its items, `broker.signoff`, answers for all of them. An approval is answered by `approve`, `reject`, or a list of
//! the people who approve; a checklist by a map from its items to their evidence (`true` where none is wanted); a prompt
//! by its value. Doubts and other decisions about what happened are not answered from a file.

use std::collections::{BTreeMap, BTreeSet};

use runbook_kernel::{About, Kind, TaskId};
use runbook_plan::{Plan, Work};
use runbook_syntax::did_you_mean;
use runbook_wire::{Answer, Message, Person, Request, Via};
use serde_json::Value as Json;

use crate::facts::index;
use crate::resolve::View;

/// A file of answers, as read.
pub(crate) enum Sheet {
    /// Given for this run.
    Run(String),
    /// The environment's, which serves every runbook that runs there.
    Environment(String),
}

/// Why an answers file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AnswersError {
    /// Where, from 1, if that is known.
    pub line: Option<usize>,
    pub message: String,
}

/// Reads an answers file: a map from the path of a step to its answer.
///
/// # Errors
/// If it is no such map.
pub fn read_answers(text: &str) -> Result<BTreeMap<String, Json>, AnswersError> {
    serde_yaml::from_str(text).map_err(|error| AnswersError {
        line: error.location().map(|at| at.line()),
        message: error.to_string(),
    })
}

/// The answers of a file.
pub(super) struct Answers {
    by_path: BTreeMap<String, Json>,
    /// Every answer in it is for this run.
    for_this_run: bool,
    person: Person,
    /// What is wrong with the file, or with using it here; said once, when it would have answered something.
    pub(super) complaint: Option<String>,
}

impl Answers {
    pub(super) fn new(sheet: Option<Sheet>, plan: &Plan, person: Person) -> Answers {
        let for_this_run = matches!(sheet, Some(Sheet::Run(_)));
        let text = sheet.map(|(Sheet::Run(text) | Sheet::Environment(text))| text);
        let (by_path, complaint) = match text {
            None => (BTreeMap::new(), None),
            Some(_) if plan.protected => (
                BTreeMap::new(),
                Some("the environment is protected: answers from a file are not used".to_owned()),
            ),
            Some(text) => match read_answers(&text) {
                Ok(answers) => (answers, None),
                Err(error) => (BTreeMap::new(), Some(format!("the answers file does not read: {error}"))),
            },
        };
        Answers { by_path, for_this_run, person, complaint }
    }

    /// Answers for steps at which nobody is asked, each with what may have been meant. In the environment's file they are
    /// for other runbooks, unless a step that is like it is left without an answer.
    pub(super) fn unknown(&self, plan: &Plan) -> Vec<String> {
        let asking: BTreeSet<String> = (0..plan.nodes.len())
            .filter(|node| matches!(plan.program.nodes[*node].kind, Kind::Human(_)))
            .map(|node| path_in(plan, node))
            .collect();
        let answered: BTreeSet<String> = self.by_path.keys().map(|path| without_keys(path)).collect();
        let meant = |path: &String| {
            let open = asking.iter().filter(|asked| self.for_this_run || !answered.contains(*asked));
            did_you_mean(path, open.map(String::as_str))
        };
        self.by_path
            .keys()
            .filter(|path| !asking.contains(&without_keys(path)))
            .map(|path| (path, meant(path)))
            .filter(|(_, near)| self.for_this_run || near.is_some())
            .map(|(path, near)| {
                let near = near.map_or_else(String::new, |near| format!("; {near}"));
                format!("answers file: nobody is asked at `{path}`{near}")
            })
            .collect()
    }

    /// The messages that answer a question.
    pub(super) fn to(&self, view: View<'_>, about: About) -> Vec<Message> {
        let About::Human(task) = about else { return Vec::new() };
        let path = view.name(task).path;
        let Some(given) = self.by_path.get(&path).or_else(|| self.by_path.get(&without_keys(&path))) else {
            return Vec::new();
        };
        let message = |by: Person, answer: Answer| Message {
            by,
            request: Request::Answer {
                step: Some(path.clone()),
                question: None,
                answer,
                via: Via::AnswersFile,
                comment: None,
            },
        };
        self.answers(view, task, given).into_iter().map(|(by, answer)| message(by, answer)).collect()
    }

    fn answers(&self, view: View<'_>, task: TaskId, given: &Json) -> Vec<(Person, Answer)> {
        let ours = || self.person.clone();
        match (&view.plan.nodes[index(task.node)].work, given) {
            (Work::Approval(_), Json::String(word)) if word == "reject" => vec![(ours(), Answer::Reject)],
            (Work::Approval(_), Json::Array(people)) => people
                .iter()
                .filter_map(Json::as_str)
                .map(|name| (Person { name: name.to_owned() }, Answer::Approve))
                .collect(),
            (Work::Approval(_), Json::String(word)) if word == "approve" => vec![(ours(), Answer::Approve)],
            (Work::Checklist(_), Json::Object(items)) => items
                .iter()
                .map(|(item, evidence)| {
                    let done = !matches!(evidence, Json::Bool(false) | Json::Null);
                    let evidence = evidence.as_str().map(str::to_owned);
                    (ours(), Answer::Item { item: item.clone(), done, evidence })
                })
                .collect(),
            (Work::Prompt(_), value) => vec![(ours(), Answer::Value { value: value.clone() })],
            // What fits nothing is refused where every answer is, and said so.
            (_, value) => vec![(ours(), Answer::Value { value: value.clone() })],
        }
    }
}

/// The path of a node, without the keys of items.
fn path_in(plan: &Plan, node: usize) -> String {
    let mut segments = Vec::new();
    let mut at = plan.outline.entries.get(node);
    while let Some(entry) = at {
        segments.extend((!entry.segment.is_empty()).then_some(entry.segment.as_str()));
        at = entry.parent.and_then(|parent| plan.outline.entries.get(parent as usize));
    }
    segments.reverse();
    segments.join(".")
}

/// `broker[kafka4].signoff` as `broker.signoff`.
fn without_keys(path: &str) -> String {
    let mut depth = 0usize;
    path.chars()
        .filter(|c| {
            match c {
                '[' => depth += 1,
                ']' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}
