//! A production of its own for each test, and what it says of what a run did to it.

mod http;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use runbook_testbed::{Bed, Ran, free_ports};
use serde::Deserialize;
use serde_json::Value;

pub use http::Answer;

/// The shipped runbooks with a sandbox of their own, taken down at the end.
#[derive(Debug)]
pub struct Practice {
    pub bed: Bed,
    base: u16,
}

impl Practice {
    /// A copy of the shipped runbooks on free ports, which watches a new version for a shorter time than the shipped
    /// environment does. Nothing runs yet.
    pub fn new() -> Practice {
        let practice = Practice::as_shipped();
        practice.set("soak: 6s", "soak: 1s");
        practice
    }

    /// The same, with nothing shortened.
    pub fn as_shipped() -> Practice {
        let bed = Bed::new();
        let base = free_ports(9);
        bed.ship_runbooks(base);
        Practice { bed, base }
    }

    /// Changes a line of the environment.
    pub fn set(&self, shipped: &str, wanted: &str) {
        let local = "environments/local.yaml";
        let text = self.bed.read(local).expect("the environment was copied");
        assert!(text.contains(shipped), "{local} has no `{shipped}`");
        self.bed.write(local, &text.replace(shipped, wanted));
    }

    /// The same, with a sandbox that runs.
    pub fn started() -> Practice {
        let practice = Practice::new();
        practice.bed.runbook(&["sandbox", "up"]).expect(0);
        practice
    }

    /// Runs a shipped runbook, unattended.
    pub fn exec(&self, runbook: &str, inputs: &[&str]) -> Ran {
        let file = format!("runbooks/{runbook}.yaml");
        let mut arguments = vec!["exec", file.as_str(), "--no-input"];
        for input in inputs {
            arguments.extend(["-i", *input]);
        }
        self.bed.runbook(&arguments)
    }

    /// Asks one of the sandbox's doors, by its offset.
    pub fn ask(&self, door: Door, method: &str, path: &str, body: &str) -> Answer {
        http::ask(self.base + door as u16, method, path, body)
    }

    /// Stops a process of the sandbox, which then runs and answers nobody, until the result is dropped.
    pub fn sick(&self, role: &str) -> Sick {
        let status = self.bed.runbook(&["sandbox", "status", "-o", "json"]).expect(0);
        let status: Value = serde_json::from_str(&status.stdout).expect("status -o json is JSON");
        let parts = status["parts"].as_array().expect("a sandbox has parts");
        let part = parts.iter().find(|part| part["role"] == role).expect("it is a part");
        let sick = Sick(part["pid"].as_u64().expect("it runs"));
        sick.signal("STOP");
        sick
    }

    /// The version that customers get.
    pub fn version(&self) -> String {
        self.ask(Door::Shop, "GET", "/version", "").body.trim().to_owned()
    }

    /// `FROM>TO` for each switch since the sandbox was made.
    pub fn switches(&self) -> Vec<String> {
        let name = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
        let changes = self.lines("router/switches.jsonl").into_iter().filter(|line| line["changed"] == true);
        changes.map(|line| format!("{}>{}", name(&line["from"]), name(&line["to"]))).collect()
    }

    /// `RESULT SLOT` for each change of a deployment since the sandbox was made.
    pub fn deployments(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let lines = self.lines("deployments/requests.jsonl");
        lines.iter().map(|line| format!("{} {}", text(&line["result"]), text(&line["slot"]))).collect()
    }

    /// Requests of visitors that failed.
    pub fn failures(&self) -> Vec<Value> {
        self.lines("visitors/failures.jsonl")
    }

    /// That customers were there, on each of these colours and on no other, since it was counted last, and that none of
    /// their requests failed, ever. Where one of the colours was not seen yet, customers that come now may be the first
    /// there; returns the new count.
    ///
    /// # Panics
    /// Where it was otherwise.
    #[track_caller]
    pub fn nobody_noticed(&self, before: &Visits, colours: &[&str]) -> Visits {
        let now = self.visits_until(|now| now.since(before) == colours);
        assert_eq!(now.since(before), colours, "from {before:?} to {now:?}");
        assert_eq!(self.failures(), [] as [Value; 0]);
        now
    }

    /// Waits until a customer was served by this colour who was not counted in `before`.
    ///
    /// # Panics
    /// Where none of the next customers is.
    #[track_caller]
    pub fn somebody_comes_to(&self, colour: &str, before: &Visits) {
        let now = self.visits_until(|now| now.since(before).contains(&colour));
        assert!(now.since(before).contains(&colour), "from {before:?} to {now:?}");
    }

    /// What customers have seen, at the latest once so many more have come that waiting for others is no use.
    fn visits_until(&self, enough: impl Fn(&Visits) -> bool) -> Visits {
        let mut now = self.visits("/");
        let last = now.requests + 100;
        while !enough(&now) && now.requests < last {
            now = self.visits(&format!("/?beyond={}", now.requests));
        }
        now
    }

    fn visits(&self, path: &str) -> Visits {
        let seen = self.ask(Door::Visitors, "GET", path, "").body;
        serde_json::from_str(&seen).expect("the visitors count by colour")
    }

    /// Paths of the steps that failed in the newest run.
    pub fn failed_steps(&self) -> Vec<String> {
        let shown = self.bed.runbook(&["show", &self.bed.newest_run(), "-o", "json"]).expect(0);
        let run: Value = serde_json::from_str(&shown.stdout).expect("show -o json is JSON");
        let failures = run["failures"].as_array().expect("a run has a list of failures");
        failures.iter().map(|failure| failure["path"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What was sent to the pager: `trigger SEVERITY KEY`, or `resolve KEY`.
    pub fn pages(&self) -> Vec<String> {
        let lines =
            self.lines("sink/messages.jsonl").into_iter().filter(|line| line["channel"] == "pagerduty");
        let word = |value: &Value| value.as_str().map(|word| format!(" {word}")).unwrap_or_default();
        lines
            .map(|line| {
                let body = &line["body"];
                let action = body["event_action"].as_str().unwrap_or_default();
                format!("{action}{}{}", word(&body["payload"]["severity"]), word(&body["dedup_key"]))
            })
            .collect()
    }

    /// Texts of the messages that went to `slack`, `pagerduty` or `mail`.
    pub fn messages(&self, channel: &str) -> Vec<String> {
        let lines = self.lines("sink/messages.jsonl").into_iter().filter(|line| line["channel"] == channel);
        lines.map(|line| line["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A file of JSON lines of the sandbox.
    pub fn lines(&self, name: &str) -> Vec<Value> {
        let text = self.bed.read(&format!(".sandbox/{name}")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("the sandbox writes whole lines")).collect()
    }

    /// The project's folder.
    pub fn folder(&self) -> PathBuf {
        self.bed.project()
    }
}

impl Default for Practice {
    fn default() -> Self {
        Practice::new()
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        self.bed.runbook(&["sandbox", "down", "--folder", ".sandbox"]);
    }
}

/// A process that answers nobody for as long as this lives.
#[derive(Debug)]
pub struct Sick(u64);

impl Sick {
    /// With the shell's own `kill`, which every machine has.
    fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.0)]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "SIG{name} to {}", self.0);
    }
}

impl Drop for Sick {
    fn drop(&mut self) {
        self.signal("CONT");
    }
}

/// What the visitors have counted.
#[derive(Debug, Default, Deserialize)]
pub struct Visits {
    requests: u64,
    by_slot: BTreeMap<String, u64>,
}

impl Visits {
    /// The colours that have served somebody since.
    fn since(&self, before: &Visits) -> Vec<&str> {
        let grown = self.by_slot.iter().filter(|(colour, count)| before.by_slot.get(*colour) < Some(count));
        grown.map(|(colour, _)| colour.as_str()).collect()
    }
}

/// What the sandbox listens on, by the offset from its first port.
#[derive(Debug, Clone, Copy)]
pub enum Door {
    Shop = 0,
    Router = 4,
    Deployer = 5,
    Services = 6,
    Visitors = 8,
}
