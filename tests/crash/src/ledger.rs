//! What happened in the sandbox, as its own processes wrote it down.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

/// The files of effects, by the folder of the sandbox.
const FILES: [&str; 3] = ["router/switches.jsonl", "deployments/requests.jsonl", "sink/messages.jsonl"];

/// A sandbox's record of effects.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: PathBuf,
}

/// How far a record had come.
#[derive(Debug, Clone)]
pub struct Mark {
    switches: usize,
    messages: BTreeSet<String>,
}

/// What happened between two marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    pub switches: usize,
    pub messages: usize,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The idempotency key that came with it.
    pub key: String,
    /// When, UTC, `2026-01-02T03:04:05.678901Z`.
    pub at: String,
    pub line: String,
}

impl Ledger {
    /// The record in this folder of a sandbox.
    pub fn new(folder: PathBuf) -> Ledger {
        Ledger { folder }
    }

    /// Every effect that came with a key. A line that is being written is left for the next look.
    pub fn effects(&self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for file in FILES {
            let text = std::fs::read_to_string(self.folder.join(file)).unwrap_or_default();
            for line in text.lines() {
                let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
                let (Some(key), Some(at)) = (value["key"].as_str(), value["at"].as_str()) else { continue };
                effects.push(Effect { key: key.to_owned(), at: at.to_owned(), line: line.to_owned() });
            }
        }
        effects
    }

    /// How many bytes the files have together: it grows the moment an effect is written down.
    pub fn size(&self) -> u64 {
        FILES
            .iter()
            .filter_map(|file| std::fs::metadata(self.folder.join(file)).ok())
            .map(|meta| meta.len())
            .sum()
    }

    /// What the world has to say of a run that happened after `before`: how often customers were sent to another colour,
    /// and how many different messages, told apart by their keys, went out. Neither may depend on kills.
    pub fn since(&self, before: &Mark) -> Sum {
        let Mark { switches, messages } = self.mark();
        Sum { switches: switches - before.switches, messages: messages.difference(&before.messages).count() }
    }

    /// Where the record stands now.
    pub fn mark(&self) -> Mark {
        let lines = |file: &str| -> Vec<Value> {
            let text = std::fs::read_to_string(self.folder.join(file)).unwrap_or_default();
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        Mark {
            switches: lines(FILES[0]).iter().filter(|line| line["changed"] == true).count(),
            messages: lines(FILES[2])
                .iter()
                .filter_map(|line| Some(line["key"].as_str()?.to_owned()))
                .collect(),
        }
    }
}
