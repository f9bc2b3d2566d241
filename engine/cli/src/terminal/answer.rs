//! What a person types at a question, as an answer.

use runbook_wire::{About, Answer};

/// What was typed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Typed {
    /// An answer, and what was said with it.
    Answer(Answer, Option<String>),
    /// Not one of the words that fit; this is what does.
    Unclear(&'static str),
}

/// The words that fit a question, as the prompt shows them. There is never a default.
pub(crate) fn choices(about: &About, kind: Kind) -> &'static str {
    match (about, kind) {
        (About::Human(_), Kind::Approval) => "approve [comment] | reject [reason]",
        (About::Human(_), Kind::Item) => "yes [evidence] | no",
        (About::Human(_), Kind::Value) => "a value",
        (About::InDoubt(_), _) => "done | not-done | undo",
        (About::Warning(_), _) => "keep | fail",
        (About::Rollback(_), _) => "undo | keep",
        (About::AfterPivot, _) => "retry | keep",
        (About::Drift(_), _) => "undo | keep",
    }
}

/// What a human step wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Approval,
    Item,
    Value,
}

/// Reads a typed line. `item` is the checklist item that was asked for.
pub(crate) fn read(line: &str, about: &About, kind: Kind, item: Option<&str>) -> Typed {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let said = Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty());
    let plain = |answer| Typed::Answer(answer, said.clone());
    match (about, kind, word.to_lowercase().as_str()) {
        (_, _, "") => Typed::Unclear(choices(about, kind)),
        (About::Human(_), Kind::Approval, "approve") => plain(Answer::Approve),
        (About::Human(_), Kind::Approval, "reject") => plain(Answer::Reject),
        (About::Human(_), Kind::Item, "yes" | "y") => ticked(item, true, said),
        (About::Human(_), Kind::Item, "no" | "n") => ticked(item, false, said),
        // A value is taken as it was typed; the run checks it against the prompt's type.
        (About::Human(_), Kind::Value, _) => Typed::Answer(Answer::Value { value: line.into() }, None),
        (About::InDoubt(_), _, "done") => plain(Answer::Done),
        (About::InDoubt(_), _, "not-done") => plain(Answer::NotDone),
        (About::InDoubt(_) | About::Rollback(_) | About::Drift(_), _, "undo") => plain(Answer::Undo),
        (About::Warning(_) | About::Rollback(_) | About::AfterPivot | About::Drift(_), _, "keep") => {
            plain(Answer::Keep)
        }
        (About::Warning(_), _, "fail") => plain(Answer::Fail),
        (About::AfterPivot, _, "retry") => plain(Answer::Retry),
        _ => Typed::Unclear(choices(about, kind)),
    }
}

fn ticked(item: Option<&str>, done: bool, evidence: Option<String>) -> Typed {
    let item = item.unwrap_or_default().to_owned();
    Typed::Answer(Answer::Item { item, done, evidence }, None)
}

#[cfg(test)]
mod tests {
    use runbook_wire::Task;

    use super::*;

    fn human() -> About {
        About::Human(Task { frame: 0, node: 1, path: "signoff".into() })
    }

    #[test]
    fn an_empty_line_approves_nothing() {
        assert!(matches!(read("", &human(), Kind::Approval, None), Typed::Unclear(_)));
        assert!(matches!(read("y", &human(), Kind::Approval, None), Typed::Unclear(_)));
        assert!(matches!(read("ok", &human(), Kind::Approval, None), Typed::Unclear(_)));
    }

    #[test]
    fn words_and_what_is_said_with_them() {
        let typed = read("reject too many errors", &human(), Kind::Approval, None);
        assert_eq!(typed, Typed::Answer(Answer::Reject, Some("too many errors".into())));
        let typed = read("yes https://wiki/rota", &human(), Kind::Item, Some("rota"));
        let item =
            Answer::Item { item: "rota".into(), done: true, evidence: Some("https://wiki/rota".into()) };
        assert_eq!(typed, Typed::Answer(item, None));
        assert_eq!(read("undo", &About::AfterPivot, Kind::Value, None), Typed::Unclear("retry | keep"));
    }
}
