//! What happened in the sandbox, as its own processes wrote it down.

use std::path::PathBuf;

use serde_json::Value;

/// The files of effects, by the folder of the sandbox.
const FILES: [&str; 3] = ["router/switches.jsonl", "deployments/requests.jsonl", "sink/messages.jsonl"];

/// A sandbox's record of effects.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: PathBuf,
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

    /// The live colour after each switch that changed something.
    pub fn switches(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join(FILES[0])).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line["changed"] == true)
            .filter_map(|line| Some(line["to"].as_str()?.to_owned()))
            .collect()
    }
}
