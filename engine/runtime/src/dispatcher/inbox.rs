//! What others want of the run: through the inbox, or from this process.

use runbook_wire::{Body, Message};

use super::Dispatcher;
use crate::control::{Controlled, Refusal};
use crate::people;

impl Dispatcher<'_> {
    /// Does what a message asks for, or says why not.
    pub(super) fn obey(&mut self, message: &Message) -> Result<(), Refusal> {
        let body = self.accept(message)?;
        self.record(body);
        Ok(())
    }

    /// What a message asks for, as far as it can be done now.
    fn accept(&mut self, message: &Message) -> Result<Body, Refusal> {
        let body = people::accept(self.view(), &self.attempts.shared.pinned, message)?;
        if matches!(body, Body::RollbackRequested { .. }) {
            self.lock_again()?;
        }
        Ok(body)
    }

    /// Takes what other commands have left.
    pub(super) fn read_inbox(&mut self) {
        if self.fault.is_some() || self.stop.is_some() {
            return;
        }
        let entries = match self.journal.inbox(&self.facts.run) {
            Ok(entries) => entries,
            Err(error) => return self.observer.warning(&format!("the inbox cannot be read: {error}")),
        };
        for entry in entries {
            // Its record may be on its way to the disk.
            if entry.id <= self.heard {
                continue;
            }
            self.heard = entry.id;
            let accepted = match &entry.message {
                Ok(message) => self.accept(message).map_err(|refusal| match refusal.hint {
                    Some(hint) => format!("{}\n{hint}", refusal.message),
                    None => refusal.message,
                }),
                Err(reason) => Err(format!("the message does not read: {reason}")),
            };
            match accepted {
                Ok(body) => {
                    // The entry goes with its own record, so that it is neither lost nor taken twice: what is there
                    // already must not fill the batch just then.
                    self.flush(&[]);
                    self.record(body);
                    self.flush(&[entry.id]);
                }
                Err(reason) => {
                    if let Err(fault) = self.executor.refuse(entry.id, &reason) {
                        self.fail(&fault);
                    }
                }
            }
        }
    }

    pub(super) fn controlled(&mut self, controlled: Controlled) {
        match controlled {
            Controlled::Message(message, reply) => match self.obey(&message) {
                Ok(()) => self.replies.push_back((self.facts.last_seq, reply)),
                // Whoever asked may have gone.
                Err(refusal) => drop(reply.send(Err(refusal))),
            },
            Controlled::Stop { signal } => self.stop(signal),
        }
    }
}
