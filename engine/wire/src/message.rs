//! What one command leaves in a run's inbox for the process that executes it.

use serde::{Deserialize, Serialize};

use crate::{Answer, Person, Via};

/// A message to the executor of a run. It is not a fact: the executor turns it into records, or refuses it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who sends it.
    pub by: Person,
    #[serde(flatten)]
    pub request: Request,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Request {
    /// An answer to an open question.
    Answer {
        /// The path of the step that asks, `broker[kafka4]`; `None` for a question about the whole run.
        step: Option<String>,
        /// The question that was seen, by the `seq` of its record: the answer is for no other, not even for the next one
        /// about the same step. `None` where the sender saw no record of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<u64>,
        answer: Answer,
        via: Via,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// End the run under its failure policy.
    Cancel {
        reason: String,
    },
    /// Start nothing new until `Unpause`.
    Pause,
    Unpause,
    /// A program that the plan pinned was changed, and that is meant.
    AcceptProgram {
        /// The beginning of its BLAKE3 digest as it is now, in hexadecimal: what was seen, and no later change.
        digest: String,
    },
    /// Bring back an ended run; with `to`, only what came after the step of this path.
    Rollback {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
}
