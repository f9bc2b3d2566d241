//! What may be said to a question. The words of a prompt and the commands for another terminal come from this one list.

use runbook_wire::{About, Answer, EntryKind, Promise};

use crate::{Key, Next, Node, Question, Run, Status, Tree, shell::quote};

/// One thing that may be said to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What it means: `approve`, `it happened`.
    pub what: String,
    /// What is typed at a prompt; `None`: any text, which is the value.
    pub word: Option<String>,
    pub with: With,
    /// The answer, without what is said with it.
    pub answer: Answer,
    /// The same as a command, to be typed as it stands.
    pub command: String,
}

/// What is said after the word, by what it is: `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With {
    MayBe(&'static str),
    MustBe(&'static str),
}

impl Choice {
    /// As a prompt shows it: `approve [comment]`.
    pub fn typed(&self) -> String {
        match (&self.word, self.with) {
            (None, _) => "a value".into(),
            // A choice among values is typed as it is, and nothing after it.
            (Some(word), _) if matches!(self.answer, Answer::Value { .. }) => word.clone(),
            (Some(word), With::MayBe(what)) => format!("{word} [{what}]"),
            (Some(word), With::MustBe(what)) => format!("{word} {}", what.to_uppercase()),
        }
    }
}

/// Everything that may be said to a question, to whom it may concern.
pub fn choices(tree: &Tree<'_>, question: &Question) -> Vec<Choice> {
    let id = tree.run.id();
    let step = question.subject().map_or_else(|| " -".to_owned(), |t| format!(" {}", quote(&t.path)));
    let choice = |what: &str, word: &str, answer: Answer| Choice {
        what: what.to_owned(),
        word: Some(word.to_owned()),
        with: With::MayBe("comment"),
        answer,
        command: format!("runbook answer {id}{step} --{word}"),
    };
    let keep = |what: &str| choice(what, "keep", Answer::Keep);
    let undo = |what: &str| choice(what, "undo", Answer::Undo);
    match &question.about {
        About::Human(_) => human(tree, question, &format!("{id}{step}")),
        About::InDoubt(task) => {
            let mut all = vec![
                choice("it happened", "done", Answer::Done),
                choice("it did not happen", "not-done", Answer::NotDone),
            ];
            all.extend(may_be_undone(tree, task.node).then(|| undo("undo it")));
            all.extend(
                may_run_again(tree, Key::of(task)).then(|| choice("run it again", "retry", Answer::Retry)),
            );
            all
        }
        About::Warning(_) => vec![keep("go on"), choice("fail", "fail", Answer::Fail)],
        About::Rollback(_) | About::Drift(_) => vec![keep("keep"), undo("undo")],
        About::AfterPivot => vec![keep("keep"), choice("try again", "retry", Answer::Retry)],
    }
}

fn human(tree: &Tree<'_>, question: &Question, place: &str) -> Vec<Choice> {
    let entry = question.subject().and_then(|task| tree.run.outline.entries.get(task.node as usize));
    let Some(entry) = entry else { return Vec::new() };
    let choice = |what: &str, word: &str, with, answer, command: String| Choice {
        what: what.to_owned(),
        word: Some(word.to_owned()),
        with,
        answer,
        command,
    };
    match entry.kind {
        EntryKind::Approval => vec![
            choice(
                "approve",
                "approve",
                With::MayBe("comment"),
                Answer::Approve,
                format!("runbook approve {place}"),
            ),
            choice(
                "reject",
                "reject",
                With::MustBe("why"),
                Answer::Reject,
                format!("runbook reject {place} --reason WHY"),
            ),
        ],
        EntryKind::Window => Vec::new(),
        EntryKind::Checklist => {
            let ticked = ticked(tree.run, question);
            let open = question.show.iter().map(|(item, _)| item).filter(|item| !ticked.contains(item));
            open.flat_map(|item| {
                let wanted = entry.policy.evidence.contains(item);
                let with = if wanted { With::MustBe("evidence") } else { With::MayBe("evidence") };
                let evidence = if wanted { " --evidence TEXT" } else { "" };
                let name = quote(item);
                let tick = format!("runbook answer {place} --tick {name}{evidence}");
                let refuse = format!("runbook answer {place} --refuse {name}");
                let answer = |done| Answer::Item { item: item.clone(), done, evidence: None };
                [
                    choice("tick", "yes", with, answer(true), tick),
                    choice("refuse", "no", With::MayBe("why"), answer(false), refuse),
                ]
            })
            .collect()
        }
        _ if entry.policy.choices.is_empty() => vec![Choice {
            what: "answer".into(),
            word: None,
            with: With::MayBe("comment"),
            answer: Answer::Value { value: serde_json::Value::Null },
            command: format!("runbook answer {place} VALUE"),
        }],
        _ => {
            let value = |word: &String| {
                let dashes = if word.starts_with('-') { "-- " } else { "" };
                let command = format!("runbook answer {place} {dashes}{}", quote(word));
                let answer = Answer::Value { value: word.as_str().into() };
                choice("answer", word, With::MayBe("comment"), answer, command)
            };
            entry.policy.choices.iter().map(value).collect()
        }
    }
}

/// The commands that answer a question. Items that could be refused share one.
pub fn answers(tree: &Tree<'_>, question: &Question) -> Vec<Next> {
    let refuses = |choice: &&Choice| matches!(choice.answer, Answer::Item { done: false, .. });
    let all = choices(tree, question);
    let (refusals, others): (Vec<&Choice>, Vec<&Choice>) = all.iter().partition(refuses);
    let next = |choice: &&Choice| Next { what: choice.what.clone(), command: choice.command.clone() };
    let mut answers: Vec<Next> = others.iter().map(next).collect();
    match &refusals[..] {
        [first, _, ..] => {
            let (command, _) = first.command.split_once(" --refuse ").unwrap_or((&first.command, ""));
            answers.push(Next { what: first.what.clone(), command: format!("{command} --refuse ITEM") });
        }
        few => answers.extend(few.iter().map(next)),
    }
    answers
}

/// Whether a step that is undone on doubt really is: it goes forward, it or a group around it has an undo, and no pivot
/// was crossed.
fn may_be_undone(tree: &Tree<'_>, node: u32) -> bool {
    let run = tree.run;
    let entry = |node: u32| run.outline.entries.get(node as usize);
    let mut around = std::iter::successors(Some(node), |n| run.shape.owner(*n)).filter_map(entry);
    run.shape.is_forward(&run.outline, node)
        && around.any(|e| !e.undo.is_empty() && matches!(e.promise, Promise::Own(_) | Promise::Steps))
        && tree.crossed_pivot().is_none()
}

/// Not where the gate that held it back was refused.
fn may_run_again(tree: &Tree<'_>, task: Key) -> bool {
    let gate = tree.run.task(task).and_then(|state| state.gate.as_ref());
    let refused = |gate: &Node<'_>| {
        matches!(gate.status, Status::Failed | Status::NotDone | Status::Cancelled | Status::NotStarted)
    };
    !gate.and_then(|(gate, _)| tree.find(*gate)).is_some_and(refused)
}

/// Items of a checklist that are done by the last word on them.
pub(crate) fn ticked<'r>(run: &'r Run, question: &Question) -> Vec<&'r String> {
    let mut ticked: Vec<&String> = Vec::new();
    for given in run.answers.iter().filter(|g| !g.void && question.is_about(&g.about)) {
        if let Answer::Item { item, done, .. } = &given.answer {
            ticked.retain(|t| *t != item);
            if *done {
                ticked.push(item);
            }
        }
    }
    ticked
}

/// Items of a checklist that is done of which nobody said anything: they were optional.
pub(crate) fn left_open<'r>(run: &'r Run, node: &Node<'_>) -> Vec<&'r str> {
    let asked = run.questions.iter().rev().find(|q| q.subject().map(Key::of) == Some(node.key));
    let checklist = |_: &&Question| node.entry.kind == EntryKind::Checklist && node.status == Status::Done;
    let Some(question) = asked.filter(checklist) else { return Vec::new() };
    let said = |id: &str| {
        let mut given = run.answers.iter().filter(|g| !g.void && question.is_about(&g.about));
        given.any(|g| matches!(&g.answer, Answer::Item { item, .. } if item == id))
    };
    question.show.iter().map(|(item, _)| item.as_str()).filter(|item| !said(item)).collect()
}
