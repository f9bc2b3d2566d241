//! What is asked on this terminal, and what a person types at it, as an answer. There is never a default.

use runbook_view::{Choice, Question, Run, Tree, With, choices};
use runbook_wire::Answer;

/// A question as it stands on the screen. What is typed answers this one and no other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    /// After an INT: what now?
    Interrupt,
    /// Something that the run asks.
    Question(Box<Put>),
}

/// A question of the run; of a checklist, one item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Put {
    pub(crate) question: Question,
    text: String,
    choices: Vec<Choice>,
}

/// What was typed after an INT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    GoOn,
    Cancel,
    Stop,
}

impl Asked {
    /// The first thing that the run asks and that can be answered here.
    pub(crate) fn first(run: &Run) -> Option<Asked> {
        let tree = Tree::of(run);
        let put = |question: &&Question| {
            let question = (*question).clone();
            let mut choices = choices(&tree, &question);
            let item = choices.first().and_then(|choice| item(choice).map(str::to_owned));
            choices.retain(|choice| item.as_deref() == self::item(choice));
            let shown = item.and_then(|item| question.shown(run).into_iter().find(|(name, _)| *name == item));
            let text = shown.map_or_else(|| question.text.clone(), |(_, text)| text);
            (!choices.is_empty()).then(|| Asked::Question(Box::new(Put { question, text, choices })))
        };
        tree.open_questions().iter().find_map(put)
    }

    /// The question in one sentence.
    pub(crate) fn text(&self) -> String {
        match self {
            Asked::Interrupt => "interrupted: go on, cancel (and roll back), or stop here (resumable)? \
                                 Ctrl-C once more stops here"
                .to_owned(),
            Asked::Question(put) => match put.question.subject() {
                Some(task) => format!("{}: {}", task.path, put.text),
                None => put.text.clone(),
            },
        }
    }

    /// What fits, as the prompt shows it.
    pub(crate) fn choices(&self) -> String {
        match self {
            Asked::Interrupt => "go-on | cancel | stop".to_owned(),
            Asked::Question(put) => put.choices.iter().map(Choice::typed).collect::<Vec<_>>().join(" | "),
        }
    }

    /// Whether it is the same question for whoever reads it: what only became more (a vote) does not take away what is
    /// being typed.
    pub(crate) fn same(&self, other: &Asked) -> bool {
        match (self, other) {
            (Asked::Interrupt, Asked::Interrupt) => true,
            (Asked::Question(a), Asked::Question(b)) => {
                a.question.asked == b.question.asked && a.choices == b.choices
            }
            _ => false,
        }
    }
}

/// The checklist item that a choice is about.
fn item(choice: &Choice) -> Option<&str> {
    match &choice.answer {
        Answer::Item { item, .. } => Some(item),
        _ => None,
    }
}

impl Put {
    /// The answer and what was said with it; `None`: that is not one of what fits.
    pub(crate) fn read(&self, line: &str) -> Option<(Answer, Option<String>)> {
        let line = line.trim();
        let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty());
        self.choices.iter().find_map(|choice| match (&choice.word, &choice.answer) {
            // A value is taken as it was typed; the run checks it against the prompt's type.
            (None, _) if !line.is_empty() => Some((Answer::Value { value: line.into() }, None)),
            (Some(word), answer @ Answer::Value { .. }) if word == line => Some((answer.clone(), None)),
            (None, _) | (_, Answer::Value { .. }) => None,
            (Some(word), _) if !is_word(first, word) => None,
            _ if matches!(choice.with, With::MustBe(_)) && rest.is_none() => None,
            (_, Answer::Item { item, done: true, .. }) => {
                Some((Answer::Item { item: item.clone(), done: true, evidence: rest.clone() }, None))
            }
            (_, answer) => Some((answer.clone(), rest.clone())),
        })
    }
}

/// Whether what was typed is this word; `y` and `n` are enough for `yes` and `no`.
fn is_word(typed: &str, word: &str) -> bool {
    let short = matches!(word, "yes" | "no").then(|| &word[..1]);
    typed.eq_ignore_ascii_case(word) || short.is_some_and(|short| typed.eq_ignore_ascii_case(short))
}

/// What was typed after an INT; `None`: that is none of the three.
pub(crate) fn way(line: &str) -> Option<Way> {
    match line.trim().to_lowercase().as_str() {
        "go-on" | "go on" => Some(Way::GoOn),
        "cancel" => Some(Way::Cancel),
        "stop" => Some(Way::Stop),
        _ => None,
    }
}
