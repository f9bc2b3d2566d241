//! How an attempt ends (DESIGN §3.1).

use crate::Map;

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
