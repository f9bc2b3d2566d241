//! How an attempt ends, and what is provable about its effect.

use std::fmt;
use std::str::FromStr;

use crate::{Map, Value};

/// How an attempt of a step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The effect is there; these are the outputs.
    Done(Success),
    /// It failed; the effect may be partially there.
    Failed(Failure),
    /// It failed, and provably nothing happened (a refused connection, a bad parameter, a program that does not exist).
    NotDone(Failure),
    /// Nobody knows whether the effect is there: the request was sent and the answer lost, the process was killed.
    Unknown(Failure),
}

/// A success.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Success {
    pub outputs: Map,
    /// One line worth showing beside the step: `200 in 12 ms`.
    pub note: Option<String>,
    /// Set by checks: it holds, but less well than it should. `on_warning` decides.
    pub warning: Option<String>,
}

/// Why an attempt did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub kind: FailureKind,
    /// One line in the system's own words: `GET http://…/health: connection refused`.
    pub message: String,
    /// What to do about it, if we know.
    pub hint: Option<String>,
    /// Outputs that are known all the same (a script's exit code, a check's sample).
    pub outputs: Map,
}

/// The kind of a failure, as `retry.only` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// `timeout`: the attempt's time was over.
    Timeout,
    /// `exit:N`: a process ended with this code.
    Exit(i32),
    /// `signal:N`: a process was ended by this signal.
    Signal(i32),
    /// `connect`: nobody answered; nothing was sent.
    Connect,
    /// `lost`: the connection broke after something was sent.
    Lost,
    /// `http:N`: an unwanted status.
    Http(u16),
    /// `check`: what was checked does not hold.
    Check,
    /// `inconclusive`: what was checked could not be seen (no data, not a number, unreachable).
    Inconclusive,
    /// `invalid`: parameters that only turned out to be wrong when they were used.
    Invalid,
    /// `cancelled`: the attempt was told to stop.
    Cancelled,
    /// `error`: anything else.
    Error,
}

/// What a `verify` of a step type says about the effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The effect is there; outputs as `run` would have returned them, where they can be known.
    Done(Map),
    /// The effect is provably not there.
    NotDone(String),
    /// Cannot tell, and why.
    Unknown(String),
}

impl Outcome {
    /// Done, with these outputs.
    pub fn done(outputs: Map) -> Self {
        Outcome::Done(Success { outputs, ..Success::default() })
    }

    /// Failed; the effect may be partially there.
    pub fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Outcome::Failed(Failure::new(kind, message))
    }

    /// Failed, and provably nothing happened.
    pub fn not_done(kind: FailureKind, message: impl Into<String>) -> Self {
        Outcome::NotDone(Failure::new(kind, message))
    }

    /// Nobody knows whether the effect is there.
    pub fn unknown(kind: FailureKind, message: impl Into<String>) -> Self {
        Outcome::Unknown(Failure::new(kind, message))
    }

    /// Why it did not succeed, if it did not.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Outcome::Done(_) => None,
            Outcome::Failed(failure) | Outcome::NotDone(failure) | Outcome::Unknown(failure) => Some(failure),
        }
    }

    /// The outputs that are known, whichever way it ended.
    pub fn outputs(&self) -> &Map {
        match self {
            Outcome::Done(success) => &success.outputs,
            Outcome::Failed(failure) | Outcome::NotDone(failure) | Outcome::Unknown(failure) => {
                &failure.outputs
            }
        }
    }
}

/// So that a step type may be written with `?`: an async function that returns `Result<Success, Outcome>`.
impl From<Result<Success, Outcome>> for Outcome {
    fn from(result: Result<Success, Outcome>) -> Self {
        match result {
            Ok(success) => Outcome::Done(success),
            Err(outcome) => outcome,
        }
    }
}

impl From<Success> for Outcome {
    fn from(success: Success) -> Self {
        Outcome::Done(success)
    }
}

impl Success {
    /// One line worth showing beside the step.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// It holds, but less well than it should.
    #[must_use]
    pub fn warning(mut self, warning: impl Into<String>) -> Self {
        self.warning = Some(warning.into());
        self
    }

    /// Adds an output.
    #[must_use]
    pub fn output(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.outputs.insert(name.to_owned(), value.into());
        self
    }
}

impl Failure {
    /// A failure without hint and outputs.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into(), hint: None, outputs: Map::new() }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Outputs that are known all the same.
    #[must_use]
    pub fn outputs(mut self, outputs: Map) -> Self {
        self.outputs = outputs;
        self
    }
}

impl FailureKind {
    /// Of a check: whether it could not be seen at all, rather than seen to be wrong. Neither ever passes.
    pub fn is_inconclusive(self) -> bool {
        use FailureKind::{Cancelled, Connect, Inconclusive, Lost, Timeout};
        matches!(self, Inconclusive | Connect | Lost | Timeout | Cancelled)
    }
}

/// As `retry.only` and the journal write it: `timeout`, `exit:75`, `http:503`.
impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FailureKind::Exit(code) => write!(f, "exit:{code}"),
            FailureKind::Signal(number) => write!(f, "signal:{number}"),
            FailureKind::Http(status) => write!(f, "http:{status}"),
            FailureKind::Timeout => f.write_str("timeout"),
            FailureKind::Connect => f.write_str("connect"),
            FailureKind::Lost => f.write_str("lost"),
            FailureKind::Check => f.write_str("check"),
            FailureKind::Inconclusive => f.write_str("inconclusive"),
            FailureKind::Invalid => f.write_str("invalid"),
            FailureKind::Cancelled => f.write_str("cancelled"),
            FailureKind::Error => f.write_str("error"),
        }
    }
}

/// A text that names no kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no kind of failure; there are timeout, exit:N, signal:N, connect, lost, http:N, check, inconclusive, \
     invalid, cancelled, error"
)]
pub struct UnknownKind(pub String);

impl FromStr for FailureKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let unknown = || UnknownKind(text.to_owned());
        if let Some((kind, number)) = text.split_once(':') {
            return match kind {
                "exit" => number.parse().map(FailureKind::Exit).map_err(|_| unknown()),
                "signal" => number.parse().map(FailureKind::Signal).map_err(|_| unknown()),
                "http" => number.parse().map(FailureKind::Http).map_err(|_| unknown()),
                _ => Err(unknown()),
            };
        }
        match text {
            "timeout" => Ok(FailureKind::Timeout),
            "connect" => Ok(FailureKind::Connect),
            "lost" => Ok(FailureKind::Lost),
            "check" => Ok(FailureKind::Check),
            "inconclusive" => Ok(FailureKind::Inconclusive),
            "invalid" => Ok(FailureKind::Invalid),
            "cancelled" => Ok(FailureKind::Cancelled),
            "error" => Ok(FailureKind::Error),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back() {
        for text in [
            "timeout",
            "exit:75",
            "exit:-1",
            "signal:9",
            "connect",
            "lost",
            "http:503",
            "check",
            "inconclusive",
            "invalid",
            "cancelled",
            "error",
        ] {
            assert_eq!(text.parse::<FailureKind>().unwrap().to_string(), text);
        }
        for text in ["", "exit", "http:5xx", "exit:", "oops:1", "Timeout"] {
            text.parse::<FailureKind>().unwrap_err();
        }
    }
}
