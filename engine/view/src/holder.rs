//! The run that holds a lock which another one wants.

use runbook_wire::About;

use crate::{Next, Now, Rollback, Run, Tree, exit};

/// How it stands, where it is unfinished and nobody executes it: then it lets go only once somebody does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// A cancel brings it back and to its end, without another question.
    pub cancels: bool,
    /// It was left in good order to wait for an answer, and whoever goes on with it comes no further without.
    pub asks: bool,
}

impl Holder {
    /// How an unfinished run stands at this moment.
    pub fn of(run: &Run, now: Now) -> Holder {
        let tree = Tree::of(run);
        let open = tree.open_questions();
        // Whoever goes on with one whose questions are all out of time brings it further.
        let answerable = open.is_empty() || !exit::answerable(&tree, now).is_empty();
        let in_doubt = open.iter().any(|question| matches!(question.about, About::InDoubt(_)));
        let backwards = tree.halted() || tree.rollback != Rollback::None || run.rollback_requested.is_some();
        Holder {
            cancels: !backwards
                && !in_doubt
                && tree.crossed_pivot().is_none()
                && run.outline.rollback != "ask",
            asks: matches!(exit::exit_code(run), Some(23 | 24)) && answerable,
        }
    }

    /// In words.
    pub(crate) fn words(self) -> &'static str {
        if self.asks { "unfinished: it waits for a person" } else { "unfinished: nobody executes it" }
    }

    /// What makes it let go, most certain first.
    pub(crate) fn next(self, id: &str) -> Vec<Next> {
        let one = |what: &str, command: &str| Next {
            what: what.to_owned(),
            command: format!("runbook {command} {id}"),
        };
        let cancel = self.cancels.then(|| one("bring back what holds the lock", "cancel"));
        let resume = match (self.asks, self.cancels) {
            (true, _) => None,
            (false, true) => Some(one("or go on with it", "resume")),
            (false, false) => Some(one("go on with what holds the lock", "resume")),
        };
        cancel.into_iter().chain(resume).collect()
    }
}
