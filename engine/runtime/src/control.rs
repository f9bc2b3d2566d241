//! How others act on a run that executes here.

use runbook_wire::Message;
use tokio::sync::{mpsc, oneshot};

/// Acts on a run that executes in this process. Any number of clones; they may outlive the execution.
#[derive(Debug, Clone)]
pub struct Control {
    to: mpsc::UnboundedSender<Controlled>,
}

/// What comes in through a [`Control`].
#[derive(Debug)]
pub(crate) enum Controlled {
    Message(Message, oneshot::Sender<Result<(), Refusal>>),
    Stop { signal: Option<i32> },
}

/// Why a message was not acted upon, in one sentence for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub message: String,
    pub hint: Option<String>,
}

impl Control {
    pub(crate) fn new() -> (Control, mpsc::UnboundedReceiver<Controlled>) {
        let (to, from) = mpsc::unbounded_channel();
        (Control { to }, from)
    }

    /// An answer, a cancel, a pause, a rollback. Returns once it is recorded and on disk, or refused.
    pub async fn send(&self, message: Message) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel();
        let over = || Refusal { message: "the execution is over".into(), hint: None };
        self.to.send(Controlled::Message(message, reply)).map_err(|_| over())?;
        answer.await.unwrap_or_else(|_| Err(over()))
    }

    /// Stop here: what runs is ended (TERM, grace, KILL) and recorded, nothing new starts, the run stays as it is and
    /// can be resumed. `signal`: the signal that asked for it, which decides the exit code.
    pub fn stop(&self, signal: Option<i32>) {
        // A receiver that is gone means that the execution is over already.
        let _ = self.to.send(Controlled::Stop { signal });
    }
}
