//! From something that has become a fact to its being on disk.

use runbook_journal::{AppendError, Fault};
use runbook_kernel::{Command, Event};
use runbook_wire::{Body, Record};

use super::{Dispatcher, end};

/// Records are handed to the journal at the latest when there are so many.
const MOST_FRESH: usize = 256;

impl Dispatcher<'_> {
    /// Something has become a fact.
    pub(super) fn record(&mut self, body: Body) {
        if !self.begin.is_empty() {
            self.begin_now();
        }
        self.record_body(body);
    }

    pub(super) fn record_body(&mut self, body: Body) {
        if self.fault.is_some() {
            return;
        }
        let record = Record {
            seq: self.facts.last_seq + 1,
            wall_ms: self.clock.wall_ms(),
            elapsed_ms: self.clock.elapsed_ms().max(self.facts.last_elapsed_ms),
            epoch: self.executor.epoch(),
            body,
        };
        match self.facts.take(&record) {
            Ok(fact) => {
                let at = record.elapsed_ms;
                if let Body::ProgramAccepted { path, digest, .. } = &record.body {
                    self.program_accepted(path, digest);
                }
                self.fresh.push(record);
                if let Some(fact) = fact {
                    let mut commands = Vec::new();
                    self.kernel.step(Event { at, fact }, &mut commands);
                    for command in commands {
                        match command {
                            Command::Arm { timer, due } => self.timers.arm(timer, due),
                            Command::Disarm { timer } => self.timers.disarm(timer),
                            _ => self.queue.push_back(command),
                        }
                    }
                }
                if self.fresh.len() >= MOST_FRESH {
                    self.flush(&[]);
                }
            }
            // We made it ourselves, so this is our fault; going on would make it worse.
            Err(misfit) => self.fault = Some((misfit.to_string(), end::mend_and_resume(&self.facts.run))),
        }
    }

    /// Hands to the journal what was recorded; `taken` are the inbox entries that the last record comes from.
    pub(super) fn flush(&mut self, taken: &[i64]) {
        if self.fresh.is_empty() || self.fault.is_some() {
            return;
        }
        match self.executor.append_taking(&self.fresh, taken) {
            Ok(_) => self.unseen.extend(self.fresh.drain(..)),
            Err(AppendError::Fault(fault)) => self.fail(&fault),
            Err(error) => self.fault = Some((error.to_string(), end::mend_and_resume(&self.facts.run))),
        }
    }

    /// Everything up to this event is on disk.
    pub(super) fn reached(&mut self, seq: u64) {
        self.durable = self.durable.max(seq);
        while let Some(record) = self.unseen.pop_front_if(|record| record.seq <= seq) {
            self.observer.recorded(&record);
        }
        while let Some((_, reply)) = self.replies.pop_front_if(|(wanted, _)| *wanted <= seq) {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(()));
        }
        while let Some(command) = self.held.pop_reached(seq) {
            self.start(command);
        }
    }

    pub(super) fn fail(&mut self, fault: &Fault) {
        let run = &self.facts.run;
        self.fault.get_or_insert_with(|| (fault.to_string(), end::remedy(fault, run)));
    }
}
