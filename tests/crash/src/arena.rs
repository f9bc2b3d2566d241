//! A copy of the shipped runbooks with a sandbox of its own, and lives of the binary in it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use runbook_testbed::{Bed, Ran};
use serde_json::Value;

use crate::{Cut, Ledger, Moment, Shape};

/// Patience with one life: a run that does not move is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A project of its own with a sandbox of its own.
#[derive(Debug)]
pub struct Arena {
    pub bed: Bed,
    pub ledger: Ledger,
    pub shape: Shape,
}

/// One life of the binary: what it told until it ended or was killed.
#[derive(Debug)]
pub struct Life {
    pub run: Option<String>,
    pub killed: bool,
    pub exit: Option<i32>,
}

impl Arena {
    /// Copies the shipped runbooks and moves the environment's ports to `base` and the eight after it.
    pub fn new(base: u16) -> Arena {
        let bed = Bed::new();
        bed.ship_runbooks(base);
        // The rest is as shipped; watching for as long as a guard takes to trip, and a little, is watching enough.
        let local = "environments/local.yaml";
        let text = bed.read(local).expect("the environment was just copied");
        assert!(text.contains("soak: 6s") && text.contains("healthy_within: 5s"), "{text}");
        // A version has to be healthy for a second without a break, and each kill begins that anew while its time runs: some
        // kills in that second are not to make another end of it.
        let moved = text.replace("soak: 6s", "soak: 3s").replace("healthy_within: 5s", "healthy_within: 30s");
        bed.write(local, &moved);
        let planned = bed.runbook(&["plan", "runbooks/golive.yaml", "-o", "json"]).expect(0);
        let plan: Value = serde_json::from_str(&planned.stdout).expect("a plan is JSON");
        let ledger = Ledger::new(bed.project().join(".sandbox"));
        Arena { ledger, shape: Shape::of(&plan["outline"]), bed }
    }

    /// Runs a command until it ends, or until the cut, where it is killed with SIGKILL.
    pub fn live(&self, args: &[&str], cut: Option<Cut>) -> Life {
        let mut command = self.bed.command(args);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary can be started");
        let (to, from) = channel();
        let out = child.stdout.take().expect("stdout is piped");
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
                if to.send(event).is_err() {
                    return;
                }
            }
        });
        let mut run = None;
        let cut_reached = self.watch(&from, cut, &mut run);
        if cut_reached {
            child.kill().expect("the child is ours");
        }
        // What it told before it died.
        for event in from.iter() {
            note(&mut run, &event);
        }
        reader.join().expect("the reader does not panic");
        let status = child.wait().expect("the child is ours");
        Life { run, killed: cut_reached && status.code().is_none(), exit: status.code() }
    }

    /// Follows the events; true at the cut, false at the end.
    fn watch(&self, from: &Receiver<Value>, cut: Option<Cut>, run: &mut Option<String>) -> bool {
        let start = Instant::now();
        let (mut counted, mut grown, mut size) = (0, 0, self.ledger.size());
        loop {
            // An effect is written down within microseconds of its answer: look often.
            let pause =
                if matches!(cut, Some(Cut::Effect { .. })) { Duration::from_micros(50) } else { PATIENCE };
            match from.recv_timeout(pause) {
                Ok(event) => {
                    note(run, &event);
                    if let Some(Cut::Event { like, nth, later }) = cut
                        && Cut::counts(like, &event, &self.shape)
                    {
                        counted += 1;
                        if counted == nth {
                            wait(from, later);
                            return true;
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {
                    assert!(start.elapsed() < PATIENCE, "a life of more than {PATIENCE:?}")
                }
            }
            if let Some(Cut::Effect { nth }) = cut {
                let now = self.ledger.size();
                if now > size {
                    (grown, size) = (grown + 1, now);
                    if grown == nth {
                        return true;
                    }
                }
            }
        }
    }

    /// The events of a run on disk.
    pub fn events(&self, run: &str) -> Vec<Value> {
        self.bed.events(run)
    }

    /// The version that customers get.
    pub fn live_colour(&self) -> Option<String> {
        let status = self.bed.runbook(&["sandbox", "status", "--folder", ".sandbox", "-o", "json"]).expect(0);
        let status: Value = serde_json::from_str(&status.stdout).expect("a status is JSON");
        Some(status["live"][0].as_str()?.to_owned())
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.bed.runbook(args)
    }

    /// How each step ended, by path, and what came of the run: what must not depend on kills.
    pub fn ending(&self, run: &str) -> Vec<String> {
        let shown = self.bed.runbook(&["show", run, "-o", "json"]).expect(0);
        let shown: Value = serde_json::from_str(&shown.stdout).expect("a run is JSON");
        let mut ending = vec![format!("{} {} {}", shown["status"], shown["rollback"], shown["exit_code"])];
        let mut open = vec![&shown];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => {
                    if let (Some(path), Some(status), Some(undo)) =
                        (fields.get("path"), fields.get("status"), fields.get("undo"))
                    {
                        ending.push(format!("{path} {status} {undo}"));
                    }
                    open.extend(fields.values());
                }
                _ => {}
            }
        }
        ending.sort();
        ending
    }

    /// Effects that happened again after their result was on disk: there must be none.
    pub fn repeated(&self, run: &str) -> Vec<String> {
        let mut keys: std::collections::BTreeMap<(u64, u64, u64), String> = std::collections::BTreeMap::new();
        let mut repeated = Vec::new();
        let effects = self.ledger.effects();
        for event in self.events(run) {
            let number = |name: &str| event["task"][name].as_u64().unwrap_or_default();
            let at = (number("frame"), number("node"), event["attempt"].as_u64().unwrap_or_default());
            match event["type"].as_str() {
                Some("started") => {
                    drop(keys.insert(at, event["key"].as_str().unwrap_or_default().to_owned()))
                }
                Some("ended") if event["result"] == "done" => {
                    let wall = event["wall_ms"].as_u64().unwrap_or_default();
                    let Some(key) = keys.get(&at).filter(|key| !key.is_empty()) else { continue };
                    let late =
                        effects.iter().filter(|effect| effect.key == *key && millis(&effect.at) > wall);
                    repeated.extend(
                        late.map(|effect| format!("{} after {wall}: {}", event["task"]["path"], effect.line)),
                    );
                }
                _ => {}
            }
        }
        repeated
    }

    /// The moments that a cut hit.
    pub fn hit(&self, run: &str, before: usize, effects: usize) -> std::collections::BTreeSet<Moment> {
        let events = self.events(run);
        let mut all = self.ledger.effects();
        all.sort_by(|a, b| a.at.cmp(&b.at));
        let (events, effects) =
            (events.split_at(before.min(events.len())), all.split_at(effects.min(all.len())));
        crate::moments(events, effects, &self.shape)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.bed.runbook(&["sandbox", "down", "--folder", ".sandbox"]);
    }
}

fn note(run: &mut Option<String>, event: &Value) {
    if event["type"] == "run_created" {
        *run = event["run"].as_str().map(str::to_owned);
    }
}

/// Lets the run go on for a while, and takes in what it tells.
fn wait(from: &Receiver<Value>, later: Duration) {
    let end = Instant::now() + later;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        match from.recv_timeout(left) {
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// Milliseconds since the epoch of a time such as `2026-01-02T03:04:05.678901Z`.
fn millis(at: &str) -> u64 {
    let number = |range: std::ops::Range<usize>| {
        at.get(range).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default()
    };
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Days from civil (Howard Hinnant).
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = ((days * 24 + number(11..13)) * 60 + number(14..16)) * 60 + number(17..19);
    seconds * 1000 + number(20..23)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_read() {
        assert_eq!(super::millis("1970-01-01T00:00:00.000000Z"), 0);
        assert_eq!(super::millis("2026-11-22T18:35:55.123456Z"), 1_795_372_555_123);
    }
}
